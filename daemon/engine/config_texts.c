// SPDX-License-Identifier: Apache-2.0
/*
 * Values that are texts and lists of texts. What print writes, parse reads back.
 *
 * Items of a list are separated by commas; "\," stands for a comma inside an item, any other
 * backslash for itself (systemd escapes unit names with it). One comma at the end is allowed,
 * since that is how a list goes on in the next line.
 */
#include "engine/config_types.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void done_text(void *field)
{
	char **text = field;

	free(*text);
	*text = NULL;
}

static int parse_text(const struct config_key *k, const char *text, void *field)
{
	char *copy = NULL;
	int r;

	if (!*text && !k->zero)
		return -EINVAL;
	if (strlen(text) > k->max)
		return -ERANGE;
	r = *text && k->check ? k->check(text) : 0;
	if (r < 0)
		return r;
	if (*text || k->type != &type_optional) {
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
	}
	done_text(field);
	*(char **)field = copy;
	return 0;
}

static void print_text(const struct config_key *k, const void *field, struct buffer *out)
{
	const char *text = *(char *const *)field;

	(void)k;
	if (text)
		buffer_put(out, text, strlen(text));
}

static void allowed_text(const struct config_key *k, struct buffer *out)
{
	buffer_printf(out, "%s of at most %llu bytes", k->what ? k->what : "a name",
		      (unsigned long long)k->max);
	if (k->zero)
		buffer_printf(out, ", or nothing: %s", k->zero);
}

const struct value_type type_text = {
	.parse = parse_text,
	.print = print_text,
	.allowed = allowed_text,
	.done = done_text,
};

const struct value_type type_optional = {
	.parse = parse_text,
	.print = print_text,
	.allowed = allowed_text,
	.done = done_text,
};

/* --- lists --- */

static void done_list(void *field)
{
	char ***list = field;

	for (size_t i = 0; *list && (*list)[i]; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
}

static int append_item(char ***list, const char *item)
{
	size_t n = 0;
	char **grown;

	while (*list && (*list)[n])
		n++;
	grown = reallocarray(*list, n + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[n + 1] = NULL;
	grown[n] = strdup(item);
	return grown[n] ? 0 : -ENOMEM;
}

/* Copies the item that begins at `text` without the blanks around it; returns where the next one
 * begins, NULL: none. */
static const char *next_item(const char *text, char *item)
{
	size_t n = 0;

	while (isspace((unsigned char)*text))
		text++;
	while (*text && *text != ',') {
		if (text[0] == '\\' && text[1] == ',')
			text++;
		item[n++] = *text++;
	}
	while (n && isspace((unsigned char)item[n - 1]))
		n--;
	item[n] = 0;
	return *text ? text + 1 : NULL;
}

static int parse_list(const struct config_key *k, const char *text, void *field)
{
	_cleanup_free_ char *item = malloc(strlen(text) + 1);

	if (!item)
		return -ENOMEM;
	while (text && *text) {
		size_t n;
		int r;

		text = next_item(text, item);
		n = strlen(item);
		/* A backslash at the end could not be told from "\," when written. */
		if (n == 0 || item[n - 1] == '\\')
			return -EINVAL;
		r = k->check ? k->check(item) : 0;
		if (r < 0)
			return r;
		r = append_item(field, item);
		if (r < 0)
			return r;
	}
	return 0;
}

static void print_list(const struct config_key *k, const void *field, struct buffer *out)
{
	char **list = *(char **const *)field;

	(void)k;
	for (size_t i = 0; list && list[i]; i++) {
		if (i)
			buffer_put_byte(out, ',');
		for (const char *c = list[i]; *c; c++) {
			if (*c == ',')
				buffer_put_byte(out, '\\');
			buffer_put_byte(out, (uint8_t)*c);
		}
	}
}

static void allowed_list(const struct config_key *k, struct buffer *out)
{
	buffer_printf(out, "%s, separated by commas, or nothing: %s", k->what, k->zero);
}

const struct value_type type_list = {
	.list = true,
	.parse = parse_list,
	.print = print_list,
	.allowed = allowed_list,
	.done = done_list,
};

/* Copies items without the blanks around them, and without a comma at the end; false when one is
 * empty. */
static bool join_items(const char *text, char *out)
{
	size_t n = 0;

	for (;;) {
		size_t start = n;

		while (isspace((unsigned char)*text))
			text++;
		while (*text && *text != ',')
			out[n++] = *text++;
		while (n > start && isspace((unsigned char)out[n - 1]))
			n--;
		if (!*text) {
			if (n == start && n)
				n--; /* the comma at the end */
			out[n] = 0;
			return n > 0;
		}
		if (n == start)
			return false;
		out[n++] = *text++;
	}
}

/*
 * The specs are not taken apart: commas inside pmu/.../ belong to an event, and whether the machine
 * has the event is found out when it is opened.
 */
static int parse_events(const struct config_key *k, const char *text, void *field)
{
	_cleanup_free_ char *items = malloc(strlen(text) + 1);
	char **events = field, *joined;

	(void)k;
	if (!items)
		return -ENOMEM;
	if (!join_items(text, items))
		return -EINVAL;
	if (asprintf(&joined, "%s%s%s", *events ? *events : "", *events ? "," : "", items) < 0)
		return -ENOMEM;
	free(*events);
	*events = joined;
	return 0;
}

static void allowed_events(const struct config_key *k, struct buffer *out)
{
	(void)k;
	buffer_printf(out, "one or more events, separated by commas, such as cycles or "
			   "LLC-load-misses@100003 ('ebpf-profiler events' lists them)");
}

const struct value_type type_events = {
	.list = true,
	.parse = parse_events,
	.print = print_text,
	.allowed = allowed_events,
	.done = done_text,
};
