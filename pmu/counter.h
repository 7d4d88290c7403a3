/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Counting: events on every CPU, box or task, in groups that fit the counters, read as differences.
 *
 *   add      names -> events; "uncore_imc/cas_count_read/" is one event of all instances
 *   open     measures the counters that are free, makes groups that fit, opens them
 *   start    they count
 *   read     what each event counted since the last read, on each CPU and box
 *   rotate   the next groups take their turn, where not all fit at once
 *   follow   CPUs and PMUs that came or went
 *   yield    gives the counters up for someone else, until resume
 *
 * What did not run is absent, never zero: no value is made up. What ran a part of the time is
 * scaled by that part, each difference by itself, and the part goes with the value. Nothing is
 * pinned, and no more counters are taken than are free less the reserve.
 *
 * Nothing here is thread-safe; all but the sums moves the calling thread from CPU to CPU and back.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pmu/devices.h"
#include "pmu/perf_ops.h"
#include "pmu/pmu.h"
#include "pmu/topology.h"

struct pmu_counters;

struct pmu_counters_options {
	const char *sysfs; /* NULL: "/sys" */
	const struct perf_ops *ops; /* NULL: the kernel's */
	const pid_t *tasks; /* these tasks and what they start from now on; NULL: the whole host */
	size_t n_tasks;
	bool at_exec; /* tasks: count from their next exec on; start() then does nothing */
	bool guests; /* the host's guests are counted with it */
	unsigned int reserve; /* counters of each core, or box, that are left to others */
};

int pmu_counters_new(const struct pmu_counters_options *options, struct pmu_counters **ret);
struct pmu_counters *pmu_counters_free(struct pmu_counters *c);

enum {
	PMU_COUNTERS_OPTIONAL = 1 << 0, /* an unknown name is kept, absent, and looked for again */
	/*
	 * All in one group for each PMU if that fits, else in several. What another such call
	 * counts as well is counted once, in a group of both.
	 */
	PMU_COUNTERS_TOGETHER = 1 << 1,
};

/*
 * Adds "NAME,NAME,{NAME,NAME},...". Events of one PMU share groups as they fit; those in braces are
 * one group or an error. A higher priority gets a larger part of the time where groups take turns;
 * 1 is usual. *ret_first and *ret_n number the new events; both may be NULL. Errors as
 * pmu_events_parse, with a heap sentence.
 */
int pmu_counters_add(struct pmu_counters *c, const char *specs, unsigned int priority,
		     unsigned int flags, size_t *ret_first, size_t *ret_n, char **ret_error);

/*
 * An event that cannot be counted is no failure: pmu_counters_event() tells why. Fails when a group
 * in braces does not fit (-ENOSPC), and when files run out (-EMFILE).
 */
int pmu_counters_open(struct pmu_counters *c, char **ret_error);
int pmu_counters_start(struct pmu_counters *c);

/* What a value belongs to. */
enum pmu_grain {
	PMU_GRAIN_CPU, /* one CPU, or one task */
	PMU_GRAIN_CORE, /* all threads of a core: C-states */
	PMU_GRAIN_SOCKET, /* boxes: a socket's, however many it has */
};

struct pmu_counters_event {
	const char *name; /* as given, or what is left of it: cycles:u */
	const char *pmu; /* uncore_imc, cpu, software ...; "" when unknown */
	const char *unit;
	double scale;
	enum pmu_kind kind;
	enum pmu_grain grain;
	size_t boxes; /* CPUs, boxes or tasks where it is open */
	size_t counted_as; /* the event whose counts are its own as well; usually itself */
	int error; /* it is counted nowhere: why; 0 otherwise */
	const char *reason; /* the sentence to it */
};

size_t pmu_counters_n_events(const struct pmu_counters *c);
struct pmu_counters_event pmu_counters_event(const struct pmu_counters *c, size_t event);
bool pmu_counters_of_tasks(const struct pmu_counters *c);
/* As of the last open or follow. */
const struct pmu_topology *pmu_counters_topology(const struct pmu_counters *c);

/* One event on one CPU, box or task, over the time since the last read. */
struct pmu_count {
	size_t event;
	size_t group; /* counts of one group and box are of the same time */
	const char *pmu; /* the instance: uncore_imc_4; valid until open, follow or free */
	int cpu; /* -1: a task's */
	pid_t task; /* 0: a CPU's */
	int socket, die, core; /* -1: a task's */
	uint64_t delta; /* as the kernel counted */
	uint64_t enabled_ns, running_ns;
	double value; /* delta / running x enabled x scale; 0 when absent */
	/*
	 * 0, or why it is absent: -EAGAIN other groups had their turn, or others the counters;
	 * -ENODEV the CPU is offline; -ENODATA the kernel gave the event up; -ERANGE no hardware
	 * counts that fast; -ECANCELED yielded; others are what the kernel said.
	 */
	int error;
};

/* *ret belongs to `c`, until the next call. */
int pmu_counters_read(struct pmu_counters *c, const struct pmu_count **ret, size_t *ret_n);
/* Steps of rotate() until every group had its turn; 1: all run all the time. */
unsigned int pmu_counters_turns(const struct pmu_counters *c);
int pmu_counters_rotate(struct pmu_counters *c);

/*
 * Looks whether CPUs or PMUs came or went; if so everything is opened anew, the plan included, and
 * positive is returned: the next read starts there. Groups that could not be opened somewhere are
 * tried again. For the whole host; of tasks nothing changes.
 */
int pmu_counters_follow(struct pmu_counters *c, char **ret_error);
void pmu_counters_yield(struct pmu_counters *c);
int pmu_counters_resume(struct pmu_counters *c, char **ret_error);

/* Where the counters of a PMU went. */
struct pmu_budget {
	const char *pmu;
	unsigned int total, free; /* 0, 0: not measured, it has no shortage */
	unsigned int reserve;
	size_t groups;
	unsigned int turns; /* 1: all its groups run all the time */
};

size_t pmu_counters_n_budgets(const struct pmu_counters *c);
struct pmu_budget pmu_counters_budget(const struct pmu_counters *c, size_t i);
/* Boxes that are left out since their clocks stand still, "uncore_imc_2 (CPU 0), ..."; NULL: none
 */
const char *pmu_counters_phantoms(const struct pmu_counters *c);
size_t pmu_counters_n_files(const struct pmu_counters *c);
