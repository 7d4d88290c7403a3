// SPDX-License-Identifier: Apache-2.0
#include "cmd/metric_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int metric_options_add(struct metric_options *o, const char *command, const char *text)
{
	struct series_query *grown = reallocarray(o->queries, o->n + 1, sizeof(*grown));
	int r = grown ? series_query_parse(text, &grown[o->n]) : -ENOMEM;

	if (grown)
		o->queries = grown;
	if (r == 0)
		o->n++;
	else
		fprintf(stderr,
			"ebpf-profiler %s: --metric=%s is not NAME or NAME[KEY=VALUE,...]\n",
			command, text);
	return r;
}

void metric_options_done(struct metric_options *o)
{
	for (size_t i = 0; i < o->n; i++)
		series_query_done(&o->queries[i]);
	free(o->queries);
	*o = (struct metric_options){ 0 };
}
