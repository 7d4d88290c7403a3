// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration as a whole: made of the table's defaults, loaded from files, written back. What
 * a key means is in config_keys.c, how a text is read in config_parse.c.
 */
#include "engine/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/collector.h"
#include "engine/config_files.h"
#include "engine/config_keys.h"
#include "engine/config_parse.h"
#include "util/buffer.h"
#include "util/json.h"

#define DEFAULT_PATH "/etc/ebpf-profiler/ebpf-profiler.conf"
#define DEFAULT_PROFILE "cpu"
#define DEFAULT_RATE_HZ 99 /* not 100: it would keep step with timers */
#define WRAP_COLUMNS 100

static void done_keys(void *owner, enum config_scope scope)
{
	const struct config_key *keys;
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++)
		if (config_key_scope(&keys[i]) == scope && keys[i].type->done)
			keys[i].type->done(config_key_field(&keys[i], owner));
}

static int init_keys(void *owner, enum config_scope scope)
{
	const struct config_key *keys;
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (config_key_scope(&keys[i]) != scope)
			continue;
		r = keys[i].type->parse(&keys[i], keys[i].initial,
					config_key_field(&keys[i], owner));
		if (r < 0)
			return r;
	}
	return 0;
}

int config_init(struct config *c)
{
	*c = (struct config){ 0 };
	if (init_keys(c, CONFIG_SCOPE_ALL) < 0) {
		config_done(c);
		return -ENOMEM;
	}
	return 0;
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < c->n_profiles; i++) {
		done_keys(&c->profiles[i], CONFIG_SCOPE_PROFILE);
		free(c->profiles[i].name);
	}
	for (size_t i = 0; i < c->n_collectors; i++) {
		done_keys(&c->collectors[i], CONFIG_SCOPE_COLLECTOR);
		free(c->collectors[i].name);
	}
	free(c->profiles);
	free(c->collectors);
	done_keys(c, CONFIG_SCOPE_ALL);
	*c = (struct config){ 0 };
}

struct profile_config *config_add_profile(struct config *c, const char *name)
{
	struct profile_config *grown, *p;

	grown = reallocarray(c->profiles, c->n_profiles + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	c->profiles = grown;
	p = &grown[c->n_profiles];
	*p = (struct profile_config){ .name = strdup(name) };
	if (!p->name || init_keys(p, CONFIG_SCOPE_PROFILE) < 0) {
		done_keys(p, CONFIG_SCOPE_PROFILE);
		free(p->name);
		return NULL;
	}
	c->n_profiles++;
	return p;
}

struct collector_config *config_add_collector(struct config *c, const char *name)
{
	struct collector_config *grown, *p;

	grown = reallocarray(c->collectors, c->n_collectors + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	c->collectors = grown;
	p = &grown[c->n_collectors];
	*p = (struct collector_config){ .name = strdup(name) };
	if (!p->name || init_keys(p, CONFIG_SCOPE_COLLECTOR) < 0) {
		done_keys(p, CONFIG_SCOPE_COLLECTOR);
		free(p->name);
		return NULL;
	}
	c->n_collectors++;
	return p;
}

const struct collector_config *config_find_collector(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_collectors; i++)
		if (strcmp(c->collectors[i].name, name) == 0)
			return &c->collectors[i];
	return NULL;
}

/* --- load --- */

static int add_default_profile(struct config *c)
{
	struct profile_config *p;

	if (c->n_profiles)
		return 0;
	p = config_add_profile(c, DEFAULT_PROFILE);
	if (!p)
		return -ENOMEM;
	p->freq_hz = DEFAULT_RATE_HZ;
	return 0;
}

/* Hands over the config when `l` has no error, and the messages in any case. */
static int finish(struct loader *l, struct config *ret, char **ret_messages)
{
	_cleanup_free_ char *messages = NULL;
	bool good = config_parse_finish(l);

	if (good && add_default_profile(l->config) < 0)
		return -ENOMEM;
	if (l->messages.size || l->messages.error) {
		messages = buffer_take_string(&l->messages);
		if (!messages)
			return -ENOMEM;
	}
	*ret_messages = TAKE_PTR(messages);
	if (!good)
		return -EINVAL;
	*ret = *l->config;
	*l->config = (struct config){ 0 };
	return 0;
}

int config_load_text(const char *name, const char *text, size_t size, struct config *ret,
		     char **ret_messages)
{
	_cleanup_(config_done) struct config c = { 0 };
	_cleanup_(loader_done) struct loader l = { .config = &c };
	int r;

	r = config_init(&c);
	if (r < 0)
		return r;
	r = config_parse_text(&l, name, text, size);
	if (r < 0)
		return r;
	return finish(&l, ret, ret_messages);
}

static int load_file(struct loader *l, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	r = config_read_file(path, &text, &size);
	if (r < 0)
		return r;
	return config_parse_text(l, path, text, size);
}

/* One line about a file that cannot be read, in place of all others. */
static int refuse_file(const char *path, int error, char **ret_messages)
{
	_cleanup_(buffer_donep) struct buffer line = { 0 };

	text_put_safe(&line, path, strlen(path));
	buffer_printf(&line, ": cannot be read: %s\n", strerror(-error));
	*ret_messages = buffer_take_string(&line);
	return error;
}

int config_load(const char *path, struct config *ret, char **ret_messages)
{
	_cleanup_(config_done) struct config c = { 0 };
	_cleanup_(loader_done) struct loader l = { .config = &c };
	_cleanup_(paths_freep) char **dropins = NULL;
	const char *main_file = path ? path : DEFAULT_PATH;
	int r;

	r = config_init(&c);
	if (r < 0)
		return r;
	r = load_file(&l, main_file);
	if (r < 0 && !(r == -ENOENT && !path))
		return refuse_file(main_file, r, ret_messages);
	r = config_list_dropins(main_file, &dropins);
	if (r < 0)
		return refuse_file(main_file, r, ret_messages);
	for (char **p = dropins; *p; p++) {
		r = load_file(&l, *p);
		if (r < 0)
			return refuse_file(*p, r, ret_messages);
	}
	return finish(&l, ret, ret_messages);
}

/* --- dump --- */

/* Bytes up to the end of the item at `text`, its comma included. */
static size_t item_size(const char *text, size_t n)
{
	size_t i = 0;

	while (i < n && (text[i] != ',' || (i && text[i - 1] == '\\')))
		i++;
	return MIN(i + 1, n);
}

/* Long lists go on in the next line, after a comma that is none of an item's own, unless that line
 * would look like a comment. */
static void put_wrapped(struct buffer *out, const char *text, size_t n, size_t column)
{
	while (n) {
		size_t item = item_size(text, n);

		buffer_put(out, text, item);
		column += item;
		text += item;
		n -= item;
		if (n && *text != '#' && column + item_size(text, n) > WRAP_COLUMNS) {
			buffer_put(out, "\n\t", 2);
			column = 8;
		}
	}
}

static void dump_key(const struct config_key *k, void *owner, struct buffer *out)
{
	_cleanup_(buffer_donep) struct buffer value = { 0 };
	const char *separator;

	k->type->print(k, config_key_field(k, owner), &value);
	/* The blanks could make a line longer than it may be. */
	separator = value.size > WRAP_COLUMNS ? "=" : value.size ? " = " : " =";
	buffer_printf(out, "%s%s", k->name, separator);
	if (k->type->list)
		put_wrapped(out, (const char *)value.data, value.size,
			    strlen(k->name) + strlen(separator));
	else
		buffer_put(out, value.data, value.size);
	buffer_put_byte(out, '\n');
	if (value.error)
		out->error = value.error;
}

/* All there are, those that the configuration does not name with their defaults. */
static void dump_collectors(const struct config *c, struct buffer *out)
{
	struct collector_config defaults = {};
	const struct config_key *keys;
	size_t n;

	keys = config_keys(&n);
	if (init_keys(&defaults, CONFIG_SCOPE_COLLECTOR) < 0)
		out->error = -ENOMEM;
	for (size_t k = 0; k < n_collectors; k++) {
		const struct collector_config *named =
			config_find_collector(c, collectors[k]->name);
		void *owner = named ? (void *)named : &defaults;

		buffer_printf(out, "\n[%s %s]\n", CONFIG_COLLECTOR_SECTION, collectors[k]->name);
		for (size_t i = 0; i < n; i++)
			if (config_key_scope(&keys[i]) == CONFIG_SCOPE_COLLECTOR &&
			    config_key_fits(&keys[i], collectors[k]))
				dump_key(&keys[i], owner, out);
	}
	done_keys(&defaults, CONFIG_SCOPE_COLLECTOR);
}

void config_dump(const struct config *c, struct buffer *out)
{
	const struct config_key *keys;
	const char *section = "";
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++) {
		if (config_key_scope(&keys[i]) != CONFIG_SCOPE_ALL)
			continue;
		if (strcmp(section, keys[i].section) != 0) {
			buffer_printf(out, "%s[%s]\n", *section ? "\n" : "", keys[i].section);
			section = keys[i].section;
		}
		dump_key(&keys[i], (void *)c, out);
	}
	for (size_t p = 0; p < c->n_profiles; p++) {
		buffer_printf(out, "\n[%s %s]\n", CONFIG_PROFILE_SECTION, c->profiles[p].name);
		for (size_t i = 0; i < n; i++)
			if (config_key_in_profile(&keys[i]))
				dump_key(&keys[i], &c->profiles[p], out);
	}
	dump_collectors(c, out);
}

static bool same_value(const struct config_key *k, const struct config *a, const struct config *b)
{
	_cleanup_(buffer_donep) struct buffer x = { 0 }, y = { 0 };

	k->type->print(k, config_key_field(k, (void *)a), &x);
	k->type->print(k, config_key_field(k, (void *)b), &y);
	return x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
}

void config_put_start_keys(const struct config *running, const struct config *fresh,
			   struct buffer *out)
{
	const struct config_key *keys;
	const char *separator = "";
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++)
		if (keys[i].at_start && !same_value(&keys[i], running, fresh)) {
			buffer_printf(out, "%s%s", separator, keys[i].name);
			separator = ", ";
		}
}
