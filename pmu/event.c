// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a resolved event: copy, compare, take another's place, free.
 */
#include <errno.h>
#include <string.h>

#include "pmu/internal.h"

static const char *const source_names[] = {
	[PMU_SOURCE_ALIAS] = "alias",
	[PMU_SOURCE_LIBPFM4] = "libpfm4",
	[PMU_SOURCE_SYSFS] = "sysfs",
	[PMU_SOURCE_RAW] = "raw",
};

const char *pmu_source_name(enum pmu_source source)
{
	return source < ARRAY_SIZE(source_names) ? source_names[source] : "unknown";
}

void pmu_event_done(struct pmu_event *ev)
{
	free(ev->spec);
	free(ev->name);
	free(ev->pmu);
	free(ev->unit);
	free(ev->cpus);
	*ev = (struct pmu_event){ 0 };
}

struct pmu_event *pmu_events_free(struct pmu_event *events, size_t n)
{
	for (size_t i = 0; events && i < n; i++)
		pmu_event_done(&events[i]);
	free(events);
	return NULL;
}

static bool copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

int pmu_event_copy(const struct pmu_event *ev, struct pmu_event *ret)
{
	struct pmu_event copy = *ev;
	bool good = true;

	good &= copy_string(&copy.spec, ev->spec);
	good &= copy_string(&copy.name, ev->name);
	good &= copy_string(&copy.pmu, ev->pmu);
	good &= copy_string(&copy.unit, ev->unit);
	good &= copy_string(&copy.cpus, ev->cpus);
	if (!good) {
		pmu_event_done(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

int pmu_event_fallback(const struct pmu_event *ev, struct pmu_event *ret)
{
	const char *name = "cpu-clock";
	struct pmu_event clock;
	char *error = NULL;
	int r;

	if (ev->attr.exclude_user != ev->attr.exclude_kernel)
		name = ev->attr.exclude_kernel ? "cpu-clock:u" : "cpu-clock:k";
	r = pmu_resolve(name, "/sys", &clock, &error);
	free(error);
	if (r < 0)
		return r;
	if (ev->attr.freq)
		pmu_set_freq(&clock.attr, ev->attr.sample_freq);
	clock.attr.exclude_idle = ev->attr.exclude_idle;
	*ret = clock;
	return 0;
}

void pmu_event_count_only(struct pmu_event *ev)
{
	pmu_set_precise(&ev->attr, 0);
	pmu_set_period(&ev->attr, 0);
	ev->attr.sample_type = 0;
	ev->attr.pinned = 0;
	ev->attr.exclusive = 0;
	ev->attr.disabled = 1;
}

/* Whether `cpu` is in the list; *ret_first is the list's first. Lists come from the kernel. */
static bool list_has(const char *list, int cpu, int *ret_first)
{
	const char *p = list;
	bool has = false;
	char *end;

	*ret_first = (int)strtol(list, NULL, 10);
	do {
		long first = strtol(p, &end, 10), last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		has |= cpu >= first && cpu <= last;
		p = end + 1;
	} while (*end == ',');
	return has;
}

int pmu_event_cpu(const struct pmu_event *ev, int cpu)
{
	int first;

	return !ev->cpus || list_has(ev->cpus, cpu, &first) ? cpu : first;
}

static bool same_string(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool pmu_event_equal(const struct pmu_event *a, const struct pmu_event *b)
{
	return memcmp(&a->attr, &b->attr, sizeof(a->attr)) == 0 && same_string(a->cpus, b->cpus);
}

bool pmu_error_means_no_pmu(int error)
{
	return error == -ENOENT || error == -ENXIO || error == -ENODEV || error == -EOPNOTSUPP ||
	       error == -EINVAL;
}
