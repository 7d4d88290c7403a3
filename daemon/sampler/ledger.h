/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The books of one event on one CPU:
 *
 *   seen = filtered + sent + full + fault      on the BPF side
 *   sent = received + gaps                     across the ring
 *   expected - seen                            was never delivered by the kernel
 *
 * The BPF side counts while it is read, so the books are balanced at a moment both sides know: the
 * last drained record, which carries the counts as they were when it was written. When nothing is
 * in the ring, the counters themselves serve (a CPU whose samples are all filtered sends no record
 * at all).
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "store/record.h"

struct ledger_counts {
	uint64_t seen, filtered, sent, full, fault;
};

struct ledger {
	struct ledger_counts now, reported;
	uint64_t received, gaps, throttled; /* since the last report */
	uint64_t count, enabled_ns, running_ns; /* since the last report */
	uint64_t weight; /* of everything seen so far */
	uint64_t last_seen; /* at the last reading of the event */
	uint64_t idle, last_idle; /* pid 0's, seen so far, and at the last reading of the event */
	/* The event's own totals at the last reading; 0 after it was opened anew. */
	uint64_t last_count, last_enabled_ns, last_running_ns;
	/* The CPU's idle time accounted for: it comes in ticks, so that what exceeds the running time
	 * of one reading is left to the next. */
	uint64_t last_idle_ns;
	double expected, expected_reported; /* running totals */
};

/* How `expected` is computed. */
struct ledger_rate {
	/*
	 * A clock: its running time x hz (an event of a task is enabled on every CPU at once).
	 * Without the CPU's idle time, in which a clock may or may not fire: there, what came is
	 * what was expected.
	 */
	bool by_time;
	double hz; /* by_time */
	/*
	 * A clock that is silent in the kernel, or in user space: how much of the time that was is
	 * not known, and what came is what was expected.
	 */
	bool as_seen;
	uint64_t period; /* else count / period; 0: count / mean period of what was seen (frequency
			    mode) */
};

void ledger_receive(struct ledger *l, const struct sample_record *rec);
/* The counters of this CPU, read after the ring was drained. */
void ledger_balance(struct ledger *l, const struct sampler_counts *counts);
/* The event was opened or enabled: its totals are 0, the CPU's idle time is idle_ns. */
void ledger_start_event(struct ledger *l, uint64_t idle_ns);
/*
 * What read(2) on the event gave: value, time enabled, time running; and the CPU's idle time. An
 * event of a task is enabled on all its `cpus` (else 1) while the task runs on one of them: that
 * time is divided among them, for their sum to be the task's.
 */
void ledger_read_event(struct ledger *l, const uint64_t value[3], size_t cpus, uint64_t idle_ns,
		       const struct ledger_rate *rate);
/* True and *ret (all but event, cpu and time) when anything happened since the last report. */
bool ledger_report(struct ledger *l, struct record_ledger *ret);
