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
int sideband_open(const struct sideband_options *options, const int *cpus, size_t n_cpus,
		  struct sideband **ret, char **ret_error);
struct sideband *sideband_close(struct sideband *s);
DEFINE_CLEANUP(struct sideband *, sideband_close);
int sideband_fd(const struct sideband *s); /* an epoll fd over all rings */
void sideband_get_features(const struct sideband *s, struct sideband_features *ret);
/* For merging: the rings, refreshed, peeked and committed by the caller. */
struct perf_ring *sideband_rings(struct sideband *s, size_t *ret_n);
/* The dummy event's fd of a CPU, for PERF_EVENT_IOC_SET_OUTPUT; -1: none. */
int sideband_output_fd(const struct sideband *s, int cpu);
/* A CPU came back. */
int sideband_cpu_online(struct sideband *s, int cpu);
void sideband_cpu_offline(struct sideband *s, int cpu);
/* CLOCK_MONOTONIC time of any record of this ring, from its sample_id trailer. */
uint64_t sideband_record_time(const struct perf_event_header *h);
