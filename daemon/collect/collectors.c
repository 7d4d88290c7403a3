// SPDX-License-Identifier: Apache-2.0
/*
 * All collectors, in the order in which they are listed. A new one: its file defines a constant
 * `collector_NAME`, which is declared and listed here; nothing registers itself.
 */
#include <string.h>

#include "collect/collector.h"
#include "util/parse.h"

extern const struct collector collector_load;
extern const struct collector collector_memory;
extern const struct collector collector_cpu;

const struct collector *const collectors[] = {
	&collector_load,
	&collector_memory,
	&collector_cpu,
};

const size_t n_collectors = ARRAY_SIZE(collectors);

const struct collector *collector_find(const char *name)
{
	for (size_t i = 0; i < n_collectors; i++)
		if (strcmp(collectors[i]->name, name) == 0)
			return collectors[i];
	return NULL;
}

uint64_t collector_interval_ns(const struct collector *c)
{
	static const uint64_t defaults[] = {
		[COLLECTOR_ONCE] = 3600 * NSEC_PER_SEC,
		[COLLECTOR_PERIODIC] = NSEC_PER_SEC,
		[COLLECTOR_STREAM] = 0,
	};

	return c->interval_ns ? c->interval_ns : defaults[c->kind];
}

const char *collector_kind_name(enum collector_kind kind)
{
	static const char *const names[] = { "once", "periodic", "stream" };

	return names[kind];
}
