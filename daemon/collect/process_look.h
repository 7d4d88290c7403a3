/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * All processes of a /proc, each with its CPU time and state, looked at again and again: the first
 * phase of "the top ones", which is all that most processes ever cost.
 *
 * One that has not run since the last look is as it was then. Whether it has, its CPU clock tells
 * (clock_getcpuclockid(3)) in a tenth of the time that opening, reading and closing its stat takes.
 * Clocks go by the pids of our own namespace. In any other tree the descriptors of the stat files
 * of those that stay are kept, KEPT_MAX of them and no more than a quarter of RLIMIT_NOFILE, and
 * are read again: one of a process that is gone fails, whoever has its pid by then.
 */
#include "collect/process_stat.h"
#include "collect/roots.h"

struct known_process {
	struct hash_node node; /* by pid */
	struct process_id id;
	char state;
	uint64_t ticks,
		ticks_before; /* user and system: now; at the last look, 0 when it began since */
	uint64_t cpu_ns; /* of its clock, just before its stat was read */
	uint64_t pass;
	int fd; /* -1: not kept */
	/* Its owner's. */
	uint64_t rollup_after_ns;
	size_t row; /* in a read before, from 1 on */
};

struct process_look {
	struct hash_table known;
	uint64_t pass;
	bool clocks;
	size_t kept, kept_max;
};

/* `proc` stays the caller's, here and below. */
void process_look_init(struct process_look *l, int proc);
void process_look_done(struct process_look *l);
/*
 * Calls `each` for every process that is there; what it is given is valid until the next look.
 * Those that could not be read are counted in `rows`. 0, or the errno of opening the directory.
 */
int process_look_at_all(struct process_look *l, int proc, struct rows *rows,
			void (*each)(struct known_process *k, void *userdata), void *userdata);
