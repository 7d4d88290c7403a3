/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The way of a sample through the process: rings and sideband, merged by time, into processes,
 * frames and records.
 *
 * pipeline_drain() is the one place where all stages meet; the engine calls it on its timer and
 * whenever a ring asks.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/config.h"
#include "engine/plan.h"
#include "profile/recorder.h"
#include "sampler/sampler.h"
#include "store/segment_writer.h"

struct pipeline_options {
	const struct config *config;
	const char *output; /* one file; NULL: the config's state directory */
	pid_t task; /* > 0: this task and its descendants, from its exec on */
	const char *btf; /* BTF file for CO-RE, NULL: the kernel's */
};

struct pipeline_counters {
	uint64_t samples; /* stored */
	uint64_t seen, filtered, lost, expected, not_delivered, fault, dropped, throttled;
	uint64_t sideband_lost; /* records of processes: their rings were full */
	uint64_t files_gone, processes; /* pids that were gone when first seen; processes known */
	uint64_t drains;
	uint64_t samples_cpu_ns; /* own CPU time that samples took */
	uint64_t last_block, ring_bytes; /* last block handed to the writer; bytes of each ring */
	uint64_t unwind_bytes; /* mapped for rows and what finds them */
};

struct pipeline;

/* Everything but the sampler: files, symbols, processes, sideband. */
int pipeline_open(const struct pipeline_options *options, struct pipeline **ret, char **ret_error);
struct pipeline *pipeline_close(struct pipeline *p); /* finishes, if that is still to do */
DEFINE_CLEANUP(struct pipeline *, pipeline_close);

/*
 * Opens (or, after a reload, replaces) the sampler; events are copied. When it fails an earlier
 * sampler goes on.
 */
int pipeline_set_events(struct pipeline *p, const struct config *config,
			const struct sampler_event *events, size_t n_events, char **ret_error);
/* May wait up to 100 ms for rows of what runs already. */
int pipeline_enable(struct pipeline *p);

/* All rings up to now; `final`: to the very end, after the sampler was disabled. Gives the samples
 * taken. */
size_t pipeline_drain(struct pipeline *p, bool final);
/* Once a second: the ledger, and what was encoded goes to the writer. */
void pipeline_tick(struct pipeline *p);
/* Stops sampling and drains the rest. */
void pipeline_stop(struct pipeline *p);

/*
 * Waits for symbols, flushes, seals; nothing can be recorded afterwards. 0, or the error that left
 * the segment active.
 */
int pipeline_finish(struct pipeline *p);
/* The output file, not yet finished, is worth nothing: what was there before it stays. */
void pipeline_discard(struct pipeline *p);

/* Descriptors for the event loop: a ring is half full; process life; symbols. */
int pipeline_ring_fd(const struct pipeline *p);
int pipeline_sideband_fd(const struct pipeline *p); /* -1: there is none */
int pipeline_symbols_fd(const struct pipeline *p);
void pipeline_take_symbols(struct pipeline *p);

/* Follows CPUs that came or went; calls `changed` for each, with the negative errno that keeps a CPU
 * which came, or an event on it, from being sampled. */
void pipeline_check_cpus(struct pipeline *p,
			 void (*changed)(int cpu, bool online, int error, void *userdata),
			 void *userdata);
void pipeline_row(struct pipeline *p, const struct row *row);
void pipeline_note(struct pipeline *p, const char *text);
/* As sampler_scale_rate(). */
void pipeline_scale_rate(struct pipeline *p, double factor);
/* As sampler_yield(), for every sampler until it is called with false. */
void pipeline_yield(struct pipeline *p, bool yield);
bool pipeline_yields(const struct pipeline *p);
int pipeline_replace_event(struct pipeline *p, size_t i, const struct sampler_event *by,
			   char **ret_error);

struct sampler *pipeline_sampler(struct pipeline *p);
struct segment_writer *pipeline_writer(struct pipeline *p);
void pipeline_get_counters(const struct pipeline *p, struct pipeline_counters *ret);
size_t pipeline_n_cpus(const struct pipeline *p); /* sampled now */
/* False: user stacks come by frame pointers alone. */
struct unwinder_status;
bool pipeline_get_unwinding(const struct pipeline *p, struct unwinder_status *ret);
void pipeline_get_kernel_status(const struct pipeline *p, struct kernel_space_status *ret);
