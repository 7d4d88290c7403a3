/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Takes the calling thread from CPU to CPU and home again. Opening, switching and reading an event
 * of another CPU interrupts that CPU and waits for it (18-21 us in a guest); on the CPU itself it
 * is a system call of half a microsecond, so that one move pays for all groups of a CPU.
 *
 * On a host with more to do than CPUs, who moves waits there until it is his turn, which may take
 * longer than all the interrupts together: after the first move that took so long, none is made any
 * more.
 */
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "pmu/perf_ops.h"

struct cpu_walk {
	const struct perf_ops *ops;
	cpu_set_t *home, *there; /* NULL: stays where it is, and the kernel sends interrupts */
	size_t size;
	int at; /* -1: at home */
	bool stays; /* where it is: a move took too long */
};

void cpu_walk_begin(struct cpu_walk *w, const struct perf_ops *ops);
/* A CPU it cannot go to (offline, outside the cpuset) is reached by interrupts; so is -1. */
void cpu_walk_to(struct cpu_walk *w, int cpu);
void cpu_walk_end(struct cpu_walk *w);
