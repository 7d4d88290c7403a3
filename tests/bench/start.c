// SPDX-License-Identifier: Apache-2.0
/*
 * Milliseconds from nothing to a sampler that is loaded, attached to every CPU and enabled.
 *
 * usage: start fp|rows [EVENTS]    user stacks by frame pointers alone, or by rows; cpu-clock@99Hz
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/btf.h"
#include "host/cpus.h"
#include "sampler/sampler.h"
#include "unwind/unwind_maps.h"
#include "util/cleanup.h"

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int fail(const char *what, char *error)
{
	fprintf(stderr, "start: %s: %s\n", what, error ? error : "failed");
	free(error);
	return 1;
}

int main(int argc, char **argv)
{
	struct sampler_options options = { .ring_bytes = 512 << 10, .depth = 127 };
	_cleanup_(unwind_maps_closep) struct unwind_maps *maps = NULL;
	struct sampler_event *events;
	struct pmu_event *parsed;
	char *error = NULL, btf[HOST_BTF_PATH_MAX];
	struct sampler *sampler;
	double started;
	int *cpus, btf_fd;
	size_t n;

	if (argc < 2)
		return fail("fp or rows", NULL);
	if (host_cpus_online(NULL, &cpus, &options.n_cpus) < 0 ||
	    host_cpus_possible_count(NULL, &options.possible_cpus) < 0)
		return fail("CPUs", NULL);
	options.cpus = cpus;
	if (pmu_events_parse(argc > 2 ? argv[2] : "cpu-clock@99Hz", &(struct pmu_defaults){ 0 },
			     &parsed, &n, &error) < 0)
		return fail("events", error);
	events = calloc(n, sizeof(*events));
	if (!events)
		return fail("memory", NULL);
	for (size_t i = 0; i < n; i++)
		events[i] = (struct sampler_event){ .pmu = parsed[i],
						    .profile = (char *)"",
						    .requested = parsed[i].spec,
						    .flags = SAMPLER_KERNEL_STACK |
							     SAMPLER_USER_STACK };
	started = now_ms();
	if (strcmp(argv[1], "rows") == 0) {
		if (unwind_maps_open(32 << 20, options.possible_cpus, &maps) < 0)
			return fail("maps of the unwinder", NULL);
		options.unwind = maps;
	}
	btf_fd = maps ? host_btf_for_unwinder(btf) : host_btf_for_sampler(btf);
	options.btf = btf_fd >= 0 ? btf : NULL;
	if (sampler_open(&options, events, n, &sampler, &error) < 0)
		return fail("sampler", error);
	if (sampler_enable(sampler) < 0)
		return fail("enable", NULL);
	printf("%.2f\n", now_ms() - started);
	sampler_close(sampler);
	safe_close(btf_fd);
	free(events);
	pmu_events_free(parsed, n);
	free(cpus);
	return 0;
}
