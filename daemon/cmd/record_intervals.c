// SPDX-License-Identifier: Apache-2.0
#include "cmd/record_intervals.h"

#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/collector_keys.h"
#include "collect/collector.h"
#include "util/cleanup.h"

#define DEFAULT_COLLECTORS "pmu"
#define DEFAULT_INTERVAL "1s"

/* Is it a word of the list? */
static bool is_chosen(const char *list, const char *name)
{
	size_t size = strlen(name);

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ", ");

		if (n == size && memcmp(p, name, n) == 0)
			return true;
		p += n + strspn(p + n, ", ");
	}
	return false;
}

static int check_names(const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *word;

	while ((word = strsep(&rest, ", ")))
		if (*word && !collector_find(word)) {
			fprintf(stderr,
				"ebpf-profiler record: there is no collector '%s'; 'ebpf-profiler "
				"collectors' lists them\n",
				word);
			return EXIT_USAGE;
		}
	return copy ? 0 : EXIT_FAILED;
}

static int set(struct collector_config *c, const char *key, const char *value)
{
	return value ? collector_key_set(c, "record", key, strlen(key), value) : 0;
}

static int choose(const struct record_intervals *o, const struct collector *collector,
		  struct collector_config *c)
{
	int r = collector_interval_set(c, "record", o->interval ? o->interval : DEFAULT_INTERVAL);

	c->enabled = COLLECTOR_CHOICE_YES;
	if (r == 0 && collector->keys & COLLECTOR_COUNTING)
		r = set(c, "metrics", o->metrics);
	if (r == 0 && collector->keys & COLLECTOR_COUNTING)
		r = set(c, "events", o->events);
	return r;
}

int record_intervals_apply(const struct record_intervals *o, struct config *config)
{
	const char *list = o->collectors ? o->collectors : DEFAULT_COLLECTORS;
	int r;

	config->collectors_enabled = o->interval || o->collectors || o->metrics || o->events;
	if (!config->collectors_enabled)
		return 0;
	r = check_names(list);
	if (r == 0 && (o->metrics || o->events) && !is_chosen(list, "pmu")) {
		fprintf(stderr, "ebpf-profiler record: --metrics and --interval-events are for the "
				"collector pmu, which is not among --collectors\n");
		r = EXIT_USAGE;
	}
	for (size_t i = 0; i < n_collectors && r == 0; i++) {
		struct collector_config *c = config_add_collector(config, collectors[i]->name);

		if (!c)
			return EXIT_FAILED;
		c->enabled = COLLECTOR_CHOICE_NO;
		if (is_chosen(list, collectors[i]->name))
			r = choose(o, collectors[i], c);
	}
	return r;
}
