/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The sampler from inside: events (one program each), slots (event x CPU), rings (one per CPU).
 */
#include "sampler/ledger.h"
#include "sampler/program.h"
#include "sampler/rings.h"
#include "sampler/sampler.h"

/* One event on one CPU. */
struct slot {
	int fd; /* -1: not open (CPU offline) */
	int leader; /* what it has to stand behind, -1: nothing */
	int link; /* bpf_link, -1: attached by ioctl */
	uint64_t id; /* the kernel's, as in THROTTLE records */
	int counters[SAMPLE_MAX_COUNTERS + 1]; /* fds, -1: none; context switches behind the last */
	struct ledger ledger;
};

struct event {
	struct sampler_event spec;
	struct program *program;
	struct sampler_knobs knobs;
	struct slot *slots; /* [possible_cpus] */
	int *only_cpus; /* the filter's; NULL: all */
	size_t n_only_cpus;
	struct ledger_rate rate;
	bool clock;
	uint64_t configured; /* frequency or period, before any back-off */
};

struct sampler {
	struct sampler_options options;
	struct event *events;
	size_t n_events; /* with the one that is the sampler's own */
	size_t n_profiled; /* those that were asked for */
	struct rings rings;
	bool linked; /* attached by bpf_link */
	bool enabled, yielded;
	int *cpus; /* copy behind options.cpus */
	uint32_t regs_offset;
	bool guests; /* the host may have some */
	bool tasks_known; /* where a task counts its switches */
	char *unwind_refusal, *switch_refusal;
	char *counter_refusal, *branch_refusal;
	struct sampler_counts *counts; /* [possible_cpus], scratch of the ledger */
	uint64_t *idle_ns; /* [possible_cpus], likewise */
};

/* --- slot.c --- */

void slot_init(struct slot *slot);
void slot_close(struct slot *slot);
/* PERF_EVENT_IOC_ENABLE or PERF_EVENT_IOC_DISABLE, for the event and what it stands behind. */
int slot_switch(const struct slot *slot, unsigned long request);
/* Opens and attaches one event on one CPU. -ENODEV: the CPU is offline or not to be sampled. */
int slot_open(struct sampler *s, struct event *e, int cpu, char **ret_error);
/* Does it take one of the few counters of the hardware? */
bool holds_counter(const struct pmu_event *ev);

/* --- event.c --- */

struct ledger_rate event_rate(const struct pmu_event *ev);
bool event_samples_cpu(const struct event *e, int cpu); /* its filter does not leave it out */
/* Copies `spec` and loads its program, which sends `index` with each sample. */
int event_init(struct sampler *s, struct event *e, uint32_t index, const struct sampler_event *spec,
	       char **ret_error);
int event_open(struct sampler *s, struct event *e, char **ret_error); /* on every CPU to sample */
void event_done(struct sampler *s, struct event *e);
