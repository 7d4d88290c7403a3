/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Event names to perf_event_attr, opening with the kernel's quirks in mind, and what this machine
 * can do.
 *
 * A plain library: no logging, no globals that callers see, no BPF; errors are negative errno, with
 * the sentence for the user in a heap string where a function says so.
 */
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a name was found; the order is the order of the search. */
enum pmu_source {
	PMU_SOURCE_ALIAS, /* our catalogue */
	PMU_SOURCE_LIBPFM4,
	PMU_SOURCE_SYSFS, /* pmu/event/ or pmu/field=value,.../ */
	PMU_SOURCE_RAW, /* rNNN */
};

/* One event, resolved but not yet opened. */
struct pmu_event {
	char *spec; /* as the user wrote it, without @... */
	char *name; /* what it is called in output, modifiers included: cycles:u, the libpfm4
		       name, pmu/event/ ... */
	char *pmu; /* name below /sys/bus/event_source/devices ("cpu", "software" ...), "" when
		      unknown */
	enum pmu_source source;
	/* type, config*, exclude bits, precise_ip, and freq + sample_freq or sample_period; size is
	 * set. */
	struct perf_event_attr attr;
	bool countable_only; /* uncore, RAPL, msr ...: never samples */
	char *unit; /* "" or the sysfs .unit */
	double scale; /* sysfs .scale, 1 otherwise */
	char *cpus; /* sysfs cpumask as a list; NULL: one fd on every online CPU */
};

struct pmu_defaults {
	uint64_t freq_hz; /* -F: for events without an @ of their own; 0: the event's own default */
	uint64_t period; /* -c; at most one of the two is set */
	const char *sysfs; /* root of sysfs, NULL: "/sys" */
};

/*
 * Parses "NAME[@97Hz|@100003],..." Commas inside pmu/.../ belong to the event. On success
 * *ret_events is an array of *ret_n. On failure -EINVAL (syntax), -ENOENT (unknown name),
 * -EOPNOTSUPP (known, but this machine's tables or sysfs do not have it) and *ret_error is a heap
 * sentence; for an unknown name it lists the nearest ones.
 */
int pmu_events_parse(const char *specs, const struct pmu_defaults *defaults,
		     struct pmu_event **ret_events, size_t *ret_n, char **ret_error);
/*
 * Cuts the first spec off such a list, without the blanks around it, for who wants to go on behind
 * one that cannot be parsed: *specs moves behind its comma, or is NULL after the last, whatever is
 * returned. -EINVAL with a sentence when it is empty or too long, or a '/' stays open.
 */
int pmu_spec_next(const char **specs, char **ret_spec, char **ret_error);
struct pmu_event *pmu_events_free(struct pmu_event *events, size_t n);
void pmu_event_done(struct pmu_event *ev);
/* A deep copy; 0 or -ENOMEM. */
int pmu_event_copy(const struct pmu_event *ev, struct pmu_event *ret);

/*
 * Opens one fd, CLOEXEC, disabled = 1 unless it joins a group, which begins with its leader. Walks
 * the ladder on EINVAL, EOPNOTSUPP and EACCES (drop exclude_guest, lower precise_ip, then
 * exclude_kernel when only the paranoid level is in the way); what held is written back to ev->attr
 * so that the next CPU starts there, and an event that lost its kernel half to ev->name as well. On
 * hybrid CPUs a generic event is opened on the PMU of the CPU's kind. A CPU that is not among
 * ev->cpus is -ENODEV: the kernel would count on another one instead. pid, cpu and flags as in
 * perf_event_open(2). An event that only counts has no rate: who wants samples of it gets none, and
 * asks pmu_event_strerror about -EOPNOTSUPP.
 */
int pmu_event_open(struct pmu_event *ev, pid_t pid, int cpu, int group_fd, unsigned long flags);

/* `cpu` when the event counts there, else the first CPU on which it does. */
int pmu_event_cpu(const struct pmu_event *ev, int cpu);

/* A heap sentence: what was tried, what the kernel answered (`error` is a negative errno), what can
 * be done. */
char *pmu_event_strerror(const struct pmu_event *ev, int error);

/* True when `error` from opening cycles means that there is no usable PMU and cpu-clock should take
 * its place. */
bool pmu_error_means_no_pmu(int error);

/* cpu-clock in the same mode (rate) as `ev`, which stays as it is; a period-mode event gives 99 Hz.
 */
int pmu_event_fallback(const struct pmu_event *ev, struct pmu_event *ret);

/* Makes it one that only counts: no samples, no pinning. */
void pmu_event_count_only(struct pmu_event *ev);

/* True when the two would be counted by the same hardware event in the same way. */
bool pmu_event_equal(const struct pmu_event *a, const struct pmu_event *b);

enum pmu_ability {
	PMU_SAMPLES, /* opens with a sample period */
	PMU_COUNTS, /* opens for counting only */
	PMU_UNAVAILABLE,
};

/* One line of `ebpf-profiler events`. */
struct pmu_listed {
	char *name;
	char *description; /* "" when there is none */
	enum pmu_source source;
	char *pmu;
	enum pmu_ability ability;
	uint64_t freq_hz, period; /* how it is sampled when no rate is given; both 0: it is not */
	int error; /* of the open that failed: sampling for PMU_COUNTS, counting otherwise */
	char *reason; /* why it does not sample, without its name; NULL when it does */
};

/* Every known event whose name contains `pattern` (NULL: all), sorted by source, then name; each
 * one was opened. */
int pmu_list(const char *pattern, const char *sysfs, struct pmu_listed **ret, size_t *ret_n);
struct pmu_listed *pmu_listed_free(struct pmu_listed *list, size_t n);
const char *pmu_source_name(enum pmu_source source);

/* Up to five known names like `name`, "a, b, c" on the heap; NULL when nothing is near. */
char *pmu_near_names(const char *name, const char *sysfs);
