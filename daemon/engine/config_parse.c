// SPDX-License-Identifier: Apache-2.0
/*
 * libinih takes lines from next_line() below, one at a time, and calls take_pair() before it asks
 * for the next; so the reader knows the line a pair stands on. The reader also decides what the
 * library would guess from indentation: a line goes on with the value before it only after a comma
 * at the end. And since the library tells nothing of a section without keys, the reader lets each
 * header be followed by a key called SECTION_MARK.
 *
 * All messages of all files are collected; one error is enough to refuse the whole.
 */
#include "engine/config_parse.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "collect/collector.h"
#include "engine/config_keys.h"
#include "util/buffer.h"
#include "util/json.h"
#include "util/parse.h"

#define MAX_PROFILE_NAME 32
#define MAX_MESSAGES_BYTES (64 * 1024)
#define SECTION_MARK "@section"

static void add_message(struct loader *l, unsigned int line, const char *kind, const char *text)
{
	if (l->messages.size > MAX_MESSAGES_BYTES)
		return;
	text_put_safe(&l->messages, l->name, strlen(l->name));
	if (line)
		buffer_printf(&l->messages, ":%u", line);
	buffer_printf(&l->messages, ": %s", kind);
	text_put_safe(&l->messages, text, strlen(text));
	buffer_put_byte(&l->messages, '\n');
}

static void _printf_(2, 3) warn(struct loader *l, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_message(l, l->line, "warning: ", text);
}

static void _printf_(2, 3) fail(struct loader *l, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_message(l, l->line, "", text);
	l->failed = true;
}

/* --- lines --- */

static bool is_header(const char *start, const char *stop)
{
	return *start == '[' && memchr(start, ']', (size_t)(stop - start));
}

static bool is_pair(const char *start, const char *stop)
{
	for (const char *c = start; c < stop; c++)
		if (*c == '=' || *c == ':')
			return c > start && *start != '[';
	return false;
}

/* A ';' begins a comment where a value or an item could begin, and after a blank. The library looks
 * for comments, too, but not in lines that go on. */
static const char *cut_comment(const char *start, const char *stop)
{
	for (const char *c = start; c < stop; c++)
		if (*c == ';' &&
		    (c == start || isspace((unsigned char)c[-1]) || strchr("=:,", c[-1])))
			return c;
	return stop;
}

static bool has_control(const char *start, const char *stop)
{
	for (const char *c = start; c < stop; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return true;
	return false;
}

/* Copies the next line of the file without the blanks around it; an empty one when it cannot be
 * taken. */
static void copy_line(struct loader *l, char *line, size_t size)
{
	const char *start = l->text, *stop = memchr(start, '\n', (size_t)(l->end - start));
	size_t n;

	if (!stop)
		stop = l->end;
	l->text = stop < l->end ? stop + 1 : stop;
	l->line++;
	while (start < stop && isspace((unsigned char)*start))
		start++;
	if (start < stop && *start == '#')
		stop = start;
	stop = cut_comment(start, stop);
	while (stop > start && isspace((unsigned char)stop[-1]))
		stop--;
	n = (size_t)(stop - start);
	line[0] = 0;
	if (n == 0)
		return;
	if (has_control(start, stop)) {
		fail(l, "the line holds a control character");
		return;
	}
	/* One for the blank before a continuation, one for the newline, one for the NUL. */
	if (n + 3 > size) {
		fail(l,
		     "the line is longer than %zu bytes; a list may go on in the next line after a "
		     "comma",
		     size - 3);
		return;
	}
	if (!l->comma && !is_header(start, stop) && !is_pair(start, stop)) {
		fail(l, "the line is neither '[section]' nor 'key = value'");
		return;
	}
	memcpy(line, start, n);
	line[n] = 0;
}

/* An ini_reader: like fgets(). */
static char *next_line(char *line, int size, void *userdata)
{
	struct loader *l = userdata;
	size_t n;

	if (l->header) {
		l->header = false;
		snprintf(line, (size_t)size, "%s =\n", SECTION_MARK);
		return line;
	}
	if (l->text == l->end)
		return NULL;
	copy_line(l, line, (size_t)size);
	n = strlen(line);
	l->continued = n && l->comma;
	if (n) {
		l->header = line[0] == '[' && !l->continued;
		l->comma = line[n - 1] == ',' && !l->header && (n < 2 || line[n - 2] != '\\');
	}
	if (l->continued) {
		memmove(line + 1, line, n + 1);
		line[0] = ' ';
		n++;
	}
	line[n] = '\n';
	line[n + 1] = 0;
	return line;
}

/* --- sections --- */

static bool valid_profile_name(const char *name)
{
	size_t n =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n >= 1 && n <= MAX_PROFILE_NAME && !name[n];
}

static void open_profile(struct loader *l, const char *name)
{
	struct config *c = l->config;

	if (!valid_profile_name(name)) {
		fail(l,
		     "'%s' is no profile's name; allowed is [profile NAME] with 1 to %d letters, "
		     "digits, '-', '_' and '.'",
		     name, MAX_PROFILE_NAME);
		return;
	}
	for (size_t i = 0; i < c->n_profiles && !l->profile; i++)
		if (strcmp(c->profiles[i].name, name) == 0)
			l->profile = &c->profiles[i];
	if (!l->profile && c->n_profiles == MAX_PROFILES) {
		fail(l, "more than %d profiles", MAX_PROFILES);
		return;
	}
	if (!l->profile)
		l->profile = config_add_profile(c, name);
	if (l->profile)
		l->section = CONFIG_PROFILE_SECTION;
	else
		fail(l, "out of memory");
}

static void open_collector(struct loader *l, const char *name)
{
	struct config *c = l->config;

	if (!collector_find(name)) {
		warn(l,
		     "there is no collector '%s', what is in its section is ignored; "
		     "'ebpf-profiler "
		     "collectors' lists them",
		     name);
		return;
	}
	for (size_t i = 0; i < c->n_collectors && !l->collector; i++)
		if (strcmp(c->collectors[i].name, name) == 0)
			l->collector = &c->collectors[i];
	if (!l->collector)
		l->collector = config_add_collector(c, name);
	if (l->collector)
		l->section = CONFIG_COLLECTOR_SECTION;
	else
		fail(l, "out of memory");
}

/* What stands behind `word` in a section's name; NULL: another word. */
static const char *behind(const char *section, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(section, word, n) != 0 || (section[n] && section[n] != ' '))
		return NULL;
	return section + n + strspn(section + n, " ");
}

static void open_section(struct loader *l, const char *section)
{
	const char *profile = behind(section, CONFIG_PROFILE_SECTION);
	const char *collector = behind(section, CONFIG_COLLECTOR_SECTION);
	const struct config_key *keys;
	size_t n;

	l->section = NULL;
	l->profile = NULL;
	l->collector = NULL;
	l->key = NULL;
	if (profile) {
		open_profile(l, profile);
		return;
	}
	if (collector) {
		open_collector(l, collector);
		return;
	}
	keys = config_keys(&n);
	for (size_t i = 0; i < n && !l->section; i++)
		if (strcmp(keys[i].section, section) == 0)
			l->section = keys[i].section;
	if (!l->section)
		warn(l, "there is no section [%s], what is in it is ignored", section);
}

/* --- keys --- */

static void remember_origin(struct loader *l)
{
	char **origin = &l->origins[l->profile - l->config->profiles];

	free(*origin);
	if (asprintf(origin, "%s:%u", l->name, l->line) < 0)
		*origin = NULL;
}

static const struct config_key *find_key(const struct loader *l, const char *name)
{
	const struct config_key *keys;
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].section, l->section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static void refuse_value(struct loader *l, const struct config_key *k, const char *value)
{
	_cleanup_(buffer_donep) struct buffer allowed = { 0 };

	k->type->allowed(k, &allowed);
	fail(l, "'%s = %s' is not possible; allowed is %.*s", k->name, value, (int)allowed.size,
	     (const char *)allowed.data);
	l->key = NULL;
}

static void set_value(struct loader *l, const struct config_key *k, const char *value)
{
	void *owner = l->profile     ? (void *)l->profile
		      : l->collector ? (void *)l->collector
				     : (void *)l->config;
	void *field;
	int r;

	field = config_key_field(k, owner);
	if (k->type->list && !l->continued)
		k->type->done(field);
	r = k->type->parse(k, value, field);
	if (r == -ENOMEM)
		fail(l, "out of memory");
	else if (r < 0)
		refuse_value(l, k, value);
	if (r > 0) {
		_cleanup_(buffer_donep) struct buffer taken = { 0 };

		k->type->print(k, field, &taken);
		warn(l, "'%s = %s' is rounded up to %.*s, a power of two", k->name, value,
		     (int)taken.size, (const char *)taken.data);
	}
	if (l->profile)
		remember_origin(l);
}

/* An ini_handler. */
static int take_pair(void *userdata, const char *section, const char *name, const char *value)
{
	struct loader *l = userdata;

	if (strcmp(name, SECTION_MARK) == 0) {
		if (!l->continued)
			open_section(l, section);
		return 1;
	}
	if (l->continued) {
		if (l->key)
			set_value(l, l->key, value);
		return 1;
	}
	l->key = NULL;
	if (!*section) {
		fail(l, "'%s' stands before the first [section]", name);
		return 1;
	}
	if (!l->section)
		return 1;
	l->key = find_key(l, name);
	if (l->key && l->collector &&
	    !config_key_fits(l->key, collector_find(l->collector->name))) {
		warn(l, "the collector '%s' has no use for '%s', it is ignored", l->collector->name,
		     name);
		l->key = NULL;
	} else if (l->key) {
		l->comma &= l->key->type->list;
		set_value(l, l->key, value);
	} else {
		warn(l, "there is no key '%s' in [%s], it is ignored", name, section);
	}
	return 1;
}

/* --- texts --- */

int config_parse_text(struct loader *l, const char *name, const char *text, size_t size)
{
	static const char bom[] = "\xef\xbb\xbf";
	int r;

	if (size >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		size -= 3;
	}
	l->name = name;
	l->text = text;
	l->end = text + size;
	l->line = 0;
	l->header = l->comma = l->continued = false;
	l->section = NULL;
	l->profile = NULL;
	l->collector = NULL;
	l->key = NULL;
	r = ini_parse_stream(next_line, l, take_pair, l);
	l->line = 0;
	if (r < 0)
		return -ENOMEM;
	if (r > 0)
		fail(l, "there is a line that is neither '[section]' nor 'key = value'");
	return 0;
}

static void check_profile(struct loader *l, const struct profile_config *p, const char *origin)
{
	if (p->freq_hz == 0 || p->period == 0)
		return;
	l->name = origin ? origin : "configuration";
	fail(l, "profile '%s' has a rate and a period; set the one that shall not count to 0",
	     p->name);
}

static void check_collector(struct loader *l, const struct collector_config *p)
{
	const struct collector *c = collector_find(p->name);
	uint64_t interval = p->interval_ns ? p->interval_ns : collector_interval_ns(c);

	if (!(c->keys & COLLECTOR_RATES))
		return;
	if (p->delta_min_ns > p->delta_max_ns)
		fail(l, "collector '%s': delta-min is above delta-max", p->name);
	else if (interval && (interval < p->delta_min_ns || interval > p->delta_max_ns))
		fail(l,
		     "collector '%s': its interval lies outside delta-min to delta-max, so that "
		     "there would be no rates",
		     p->name);
}

bool config_parse_finish(struct loader *l)
{
	struct config *c = l->config;
	size_t enabled = 0;

	for (size_t i = 0; i < c->n_profiles; i++) {
		enabled += c->profiles[i].enabled;
		check_profile(l, &c->profiles[i], l->origins[i]);
	}
	l->name = "configuration";
	for (size_t i = 0; i < c->n_collectors; i++)
		check_collector(l, &c->collectors[i]);
	if (c->n_profiles && !enabled)
		fail(l, "no profile is enabled, so that nothing would be sampled");
	if (c->retain_bytes && (c->rotate_bytes == 0 || c->rotate_bytes > c->retain_bytes / 2))
		fail(l, "rotate-size must be set, and at most half of retain-size: the file being "
			"written counts and is never deleted");
	return !l->failed;
}

void loader_done(struct loader *l)
{
	for (size_t i = 0; i < MAX_PROFILES; i++)
		free(l->origins[i]);
	buffer_done(&l->messages);
}
