// SPDX-License-Identifier: Apache-2.0
/*
 * Event specs: any bytes are either parsed into events that obey the header, or refused with a
 * sentence free of control characters. The machine is made up, and libpfm4, whose tables take
 * milliseconds to search, is replaced by nothing; fuzz_pfm_name has it.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/pmu_tree.h"
#include "pmu/internal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tree_file machine[] = {
	{ "cpu/type", "4" },
	{ "cpu/format/event", "config:0-7,32-35" },
	{ "cpu/format/umask", "config:8-15" },
	{ "cpu/format/ldlat", "config1:0-15" },
	{ "cpu/events/loads", "event=0xcd,umask=0x1,ldlat=3" },
	{ "imc/type", "17" },
	{ "imc/cpumask", "0" },
	{ "imc/format/event", "config:0-7" },
	{ "imc/events/reads", "event=4" },
	{ "imc/events/reads.scale", "6.1e-5" },
	{ "imc/events/reads.unit", "MiB" },
	{ "hv/type", "22" },
	{ "hv/format/core", "config:16-31" },
	{ "hv/events/cycles", "core=?" },
	{ "odd/type", "23" },
	{ "odd/format/bad", "x" },
	{ "odd/events/endless", "endless" },
};

static char *sysfs;

static void forget_machine(void)
{
	tree_free(sysfs);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	sysfs = tree_new(machine, ARRAY_SIZE(machine));
	return atexit(forget_machine);
}

int pfm_resolve(const char *name, const char *root, struct pmu_event *ev, char **ret_error)
{
	(void)name;
	(void)root;
	(void)ev;
	(void)ret_error;
	return -ENOENT;
}

int pfm_each(pmu_known_fn each, void *userdata)
{
	(void)each;
	(void)userdata;
	return 0;
}

static void check_event(const struct pmu_event *ev)
{
	struct pmu_event copy;

	assert(ev->spec && ev->name && ev->pmu && ev->unit && *ev->name);
	assert(ev->attr.size == sizeof(ev->attr) && ev->scale > 0);
	assert(ev->countable_only == (ev->attr.sample_period == 0));
	assert(pmu_event_copy(ev, &copy) == 0 && pmu_event_equal(ev, &copy));
	pmu_event_done(&copy);
}

static void check_error(const char *error, int r)
{
	assert(error && (r == -EINVAL || r == -ENOENT || r == -EOPNOTSUPP));
	for (const char *p = error; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pmu_defaults defaults = { .sysfs = sysfs };
	struct pmu_event *events;
	char *spec, *error = NULL;
	size_t n;
	int r;

	if (size > 4096)
		return 0;
	spec = malloc(size + 1);
	memcpy(spec, data, size);
	spec[size] = 0;
	r = pmu_events_parse(spec, &defaults, &events, &n, &error);
	if (r == 0) {
		assert(n > 0 && !error);
		for (size_t i = 0; i < n; i++)
			check_event(&events[i]);
		pmu_events_free(events, n);
	} else {
		check_error(error, r);
	}
	free(error);
	free(spec);
	return 0;
}
