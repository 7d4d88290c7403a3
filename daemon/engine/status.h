/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the daemon says about itself, as one struct and three renderings: the STATUS line of
 * 'systemctl status', the text of 'ebpf-profiler status', and its JSON. They come from the same
 * numbers, so they agree.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buffer.h"

enum engine_phase {
	ENGINE_STARTING,
	ENGINE_RUNNING,
	ENGINE_RELOADING,
	ENGINE_STOPPING,
};

struct status_event {
	const char *profile;
	const char *requested; /* spec as configured */
	const char *name; /* the event that fires */
	const char *reason; /* why it is another one than requested; NULL: it is the same */
	uint64_t freq_hz; /* as it fires now, after any back-off; 0: by period */
	uint64_t period;
	size_t n_cpus; /* CPUs it is open on */
};

/* Of user stacks; all but the numbers of now since the start. */
struct status_stacks {
	bool unwound; /* by rows; false: by frame pointers alone, of which nothing is known */
	uint64_t all, complete, early; /* early: before their rows were there */
	uint64_t by_fp; /* callers found by frame pointers that had proved to be right */
	uint64_t calls_checked, calls_right;
	uint64_t branches_checked, branches_right;
	uint64_t rows_bytes, rows_limit_bytes;
	size_t tables; /* binaries whose rows are there */
	size_t processes, processes_by_fp;
};

struct engine_status {
	enum engine_phase phase;
	pid_t pid;
	uint64_t uptime_ns;

	const struct status_event *events;
	size_t n_events;
	const char *transport; /* as sampler_transport_name() */
	const char *attach;
	size_t n_cpus; /* sampled now */

	uint64_t samples; /* received since the start */
	double samples_per_second; /* over the last status interval */
	uint64_t
		lost; /* ring full, sequence gaps, faults, refused by the writer; since the start */
	uint64_t lost_recently; /* in the last status interval */
	uint64_t expected; /* what the events should have delivered since the start; 0: unknown */
	uint64_t not_delivered; /* expected minus seen */
	uint64_t sideband_lost; /* records of processes: their rings were full */
	struct status_stacks stacks;

	bool writing_suspended;
	int write_error; /* negative errno that suspended it */
	const char *directory;
	const char *segment; /* being written, "" when none */
	uint64_t disk_files, disk_bytes;
	uint64_t disk_limit_bytes; /* 0: none */

	double cpu_percent; /* own, of one CPU, over the last status interval */
	double cpu_budget_percent; /* 0: none */
	double rate_factor; /* 1 unless the budget lowered the rates */
	double samples_cpu_percent; /* of cpu_percent, what samples take */
	bool over_budget; /* by what fewer samples would not save */
	uint64_t rss_bytes;
	uint64_t unwind_bytes; /* of rss_bytes, the maps shared with the BPF unwinder */
	uint64_t ring_bytes; /* of all CPUs together; not part of the resident set */
	uint64_t kernel_max_rate_hz; /* perf_event_max_sample_rate; 0: unknown */

	/* What is worse than it should be and is not told by a field above: one sentence each. */
	const char *const *degraded;
	size_t n_degraded;
};

/* One line without a newline, for "STATUS=". */
void status_put_line(const struct engine_status *s, struct buffer *out);
/* Several lines for people. */
void status_put_text(const struct engine_status *s, struct buffer *out);
/* One JSON object and a newline. */
void status_put_json(const struct engine_status *s, struct buffer *out);
