/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Process life from the kernel's own perf records: comm, fork, exec, exit, executable mmaps (with
 * the build-id from 5.12), ksymbol and bpf_event (5.1), on a dummy software event per CPU, on
 * CLOCK_MONOTONIC like the samples.
 *
 * Attributes an older kernel refuses are dropped one after the other. Every record ends in {pid,
 * tid, time, cpu} (attr.sample_id_all). The ring wakes its reader at once: a process may live for a
 * millisecond, and its files must be opened while it does.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"
#include "util/perf_ring.h"

struct sideband_options {
	size_t ring_bytes; /* per CPU, power of two; 0: 128 KiB */
	pid_t pid; /* -1: the whole host; else this task and its descendants (inherit) */
};

struct sideband_features {
	bool build_id, ksymbol, bpf_event;
};

struct sideband;

/*
 * Opens and enables the events, so that whatever begins after the return leaves its records: a task
 * that is stopped before its exec is seen from there on. On failure *ret_error is a heap sentence
 * (NULL when out of memory).
 */
int sideband_open(const struct sideband_options *options, const int *cpus, size_t n_cpus,
		  struct sideband **ret, char **ret_error);
struct sideband *sideband_close(struct sideband *s);
DEFINE_CLEANUP(struct sideband *, sideband_close);
/*
 * An epoll fd over all rings, for poll or another epoll: it becomes readable once per wake-up,
 * whatever it takes to drain the rings, and is not to be waited on itself. A reader that lets a
 * millisecond pass between drains halves its cost under a storm of execs (1,000 a second: 5.2
 * %, 2.2 % and, with 5 ms, 0.8 % of a CPU) and still finds processes that live for two.
 */
int sideband_fd(const struct sideband *s);
void sideband_get_features(const struct sideband *s, struct sideband_features *ret);
/*
 * For merging: the rings, refreshed, peeked and committed by the caller; one per CPU, unmapped and
 * empty where the CPU is offline. To be asked for at every drain: a CPU that came back may move
 * them, and rings whose tasks have all ended must stop waking.
 */
struct perf_ring *sideband_rings(struct sideband *s, size_t *ret_n);
/*
 * The dummy event's fd of a CPU, for PERF_EVENT_IOC_SET_OUTPUT; -1: none. The event that is
 * redirected needs the same clock (use_clockid, CLOCK_MONOTONIC), sample_id_all, and
 * SIDEBAND_SAMPLE_TYPE in its sample_type.
 */
#define SIDEBAND_SAMPLE_TYPE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU)
int sideband_output_fd(const struct sideband *s, int cpu);
/* A CPU came back: its event and ring are opened anew. -ENODEV: it is gone again. */
int sideband_cpu_online(struct sideband *s, int cpu);
/* A CPU went away: what its ring still holds has to be read before. */
void sideband_cpu_offline(struct sideband *s, int cpu);
/* CLOCK_MONOTONIC time of any record of this ring, from its sample_id trailer; 0: it has none. */
uint64_t sideband_record_time(const struct perf_event_header *h);

/* PERF_RECORD_KSYMBOL: code appeared in, or went from, the kernel's address space. */
struct sideband_ksymbol {
	uint64_t address;
	uint32_t size;
	uint16_t type; /* PERF_RECORD_KSYMBOL_TYPE_* */
	bool removed;
	const char *name; /* inside the record */
};
/* False: another record, or a damaged one. */
bool sideband_get_ksymbol(const struct perf_event_header *h, struct sideband_ksymbol *ret);
