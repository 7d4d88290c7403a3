/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The rings of all sampled CPUs, hung into the BPF map the programs find them by.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "sampler/ring.h"

struct rings {
	bool bpf; /* transport */
	size_t bytes; /* of each: a power of two, at most what was asked for */
	struct ring *list; /* one per CPU; unmapped where the CPU is offline */
	int *fds; /* perf transport: the event the ring hangs on, -1 else */
	size_t n;
	int epoll_fd; /* readable when a ring is half full */
};

/* `bytes` is rounded up to a power of two. Must come first; afterwards rings_done() is safe. */
int rings_init(struct rings *r, bool bpf, size_t bytes);
/* map_fd: the map of rings. On failure *ret_error is a heap sentence. */
int rings_open(struct rings *r, int map_fd, const int *cpus, size_t n_cpus, char **ret_error);
/* A CPU came back: a perf ring hangs on an event that died with it; also adds a CPU that is new. */
int rings_reopen(struct rings *r, int map_fd, int cpu);
void rings_done(struct rings *r);
