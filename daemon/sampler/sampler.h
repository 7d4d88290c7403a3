/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Events on CPUs, BPF programs on events, rings behind programs, and the ledger of what came
 * through.
 *
 * One instance of the BPF object is loaded per event and shares the rings with the others. The
 * reader pulls: refresh the rings, merge by time, commit.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/sample.h"
#include "pmu/pmu.h"
#include "sampler/ring.h"
#include "sampler/settings.h"
#include "store/record.h"

struct unwind_maps;

struct sampler_event {
	struct pmu_event pmu; /* what is opened */
	char *profile; /* name of the profile it belongs to */
	char *requested; /* spec as asked for */
	char *reason; /* why another event fires; NULL when it is the one asked for */
	struct pmu_event *counters; /* read at each sample, at most SAMPLE_MAX_COUNTERS; heap */
	size_t n_counters;
	bool split; /* their deltas end at each context switch */
	bool off_cpu; /* time off the CPU, weight in nanoseconds; pmu is a dummy */
	bool branches; /* the sampler's own, see sampler_options */
	unsigned int flags; /* SAMPLER_KERNEL_STACK, _USER_STACK, _IDLE, _ACCESS */
	struct sample_filter *filter; /* borrowed; NULL: everything */
};

void sampler_event_done(struct sampler_event *e); /* frees what it owns, not the filter */

struct sampler_options {
	enum transport transport;
	enum attach_mode attach;
	size_t ring_bytes;
	unsigned int depth;
	const int *cpus; /* online CPUs to sample */
	size_t n_cpus;
	size_t possible_cpus; /* ids are below this */
	pid_t task; /* > 0: this task and its descendants only, from its exec on */
	bool exclude_self;
	struct off_cpu_limits off_cpu;
	const char *btf; /* BTF file for CO-RE; NULL: the kernel's */
	/* User stacks by rows, where events want user stacks; NULL: by frame pointers. Borrowed. */
	const struct unwind_maps *unwind;
	bool unwind_optional; /* by frame pointers when the kernel refuses */
	/*
	 * A few more samples a second on each CPU, to check stacks by rows: SAMPLE_BRANCHES. Their
	 * event is behind the last; they belong to no profile and no ledger.
	 */
	bool branches;
};

struct sampler;

/* Loads and attaches everything, disabled. On failure *ret_error is a heap sentence. Events are
 * copied. */
int sampler_open(const struct sampler_options *options, const struct sampler_event *events,
		 size_t n_events, struct sampler **ret, char **ret_error);
struct sampler *sampler_close(struct sampler *s);
DEFINE_CLEANUP(struct sampler *, sampler_close);

int sampler_enable(struct sampler *s); /* with a task: on its exec */
int sampler_disable(struct sampler *s);
/*
 * Gives the hardware's counters up for someone else: what holds one, event or counter, stops until
 * it is called with false. Software events go on.
 */
void sampler_yield(struct sampler *s, bool yield);

/* Readable when a ring is half full. */
int sampler_fd(const struct sampler *s);
struct ring *sampler_rings(struct sampler *s, size_t *ret_n);

/* Counts a record taken from a ring; to be called for each, in the order of its ring. */
void sampler_received(struct sampler *s, const struct sample_record *rec);

/* What happened since the last call, one ledger record per event and CPU on which anything did. */
void sampler_ledger(struct sampler *s, uint64_t now_ns,
		    void (*each)(const struct record_ledger *l, void *userdata), void *userdata);

size_t sampler_n_events(const struct sampler *s);
const struct sampler_event *sampler_get_event(const struct sampler *s, size_t i);
const char *sampler_transport_name(const struct sampler *s);
/* NULL: user stacks are unwound by rows, as was asked; else why not. */
const char *sampler_unwind_refusal(const struct sampler *s);
/* The same of the events off the CPU alone. */
const char *sampler_switch_refusal(const struct sampler *s);
/* Why there are no samples with branches; NULL: there are, or none were asked for. */
const char *sampler_branch_refusal(const struct sampler *s);
/* Why the counters that were asked for are not read at samples; NULL: they are, or none were. */
const char *sampler_counter_refusal(const struct sampler *s);
const char *sampler_attach_name(const struct sampler *s);
/* Bytes of each ring as they really are: less than asked for when the memlock limit said no. */
size_t sampler_ring_bytes(const struct sampler *s);
/* Programs' runs since start, all CPUs: 0 after a while on a busy host means that the event never
 * fires. */
uint64_t sampler_seen(struct sampler *s, size_t event);
uint64_t sampler_lost_by_kernel(struct sampler *s); /* its own LOST count, for comparison */

/* Replaces event `i`, which turned out not to work, by another; counters begin again. */
int sampler_replace(struct sampler *s, size_t i, const struct sampler_event *by, char **ret_error);

/* Sends an event's side records (THROTTLE) to another ring: fd of the sideband on that CPU. */
void sampler_set_output(struct sampler *s, int cpu, int fd);
void sampler_throttled(struct sampler *s, uint64_t id); /* id of a THROTTLE record */
/* Opens every event on a CPU that came; the first error of those that cannot be. */
int sampler_cpu_online(struct sampler *s, int cpu);
void sampler_cpu_offline(struct sampler *s, int cpu);
/*
 * Samples every event at this factor of its configured rate, 0 < factor <= 1: a lower frequency, or
 * a longer period.
 * Events may be opened anew for it: call sampler_set_output() again.
 */
void sampler_scale_rate(struct sampler *s, double factor);
/* Looks for new cgroups of the units and slices that are filtered for. */
void sampler_refresh_filters(struct sampler *s);
