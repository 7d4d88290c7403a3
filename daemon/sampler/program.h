/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One loaded instance of the sampler's BPF object: the program of one event, its knobs, filters and
 * counters. The rings are shared: the first instance makes the map of rings, the others use it.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "util/cleanup.h"

struct program;
struct unwind_maps;

/* Time off the CPU instead of an event's overflows. */
struct off_cpu_options {
	uint64_t min_ns, max_ns; /* what lasts shorter or longer is filtered */
	uint32_t threads; /* that have room */
	uint32_t task; /* this process and its descendants only; 0: all */
};

struct program_options {
	bool bpf_rings; /* transport: BPF rings, else perf rings */
	size_t possible_cpus;
	struct sampler_knobs knobs;
	const char *btf; /* NULL: the kernel's */
	int rings_fd; /* map of rings to share; -1: make one */
	const struct unwind_maps *unwind; /* user stacks by rows; NULL: by frame pointers */
	bool branches; /* beside stacks by rows, the processor's record of calls */
	const struct off_cpu_options *off_cpu; /* NULL: the program samples a perf event */
	/* knobs.counters > 0 (or .split) loads the programs that read counters. */
};

/* On failure *ret_error is a heap sentence with the verifier's last words. */
int program_load(const struct program_options *options, struct program **ret, char **ret_error);
/*
 * Where the kernel keeps a task's user registers, counted from task->stack, for the knobs of
 * programs that unwind. 0: the kernel has a helper that tells (Linux 5.15), or it cannot be found
 * out; then samples in the kernel have user stacks by frame pointers.
 */
uint32_t program_find_registers(const char *btf);
/* The same on every kernel; 0: it cannot be found out. */
uint32_t program_measure_registers(const char *btf);
struct program *program_free(struct program *p);
DEFINE_CLEANUP(struct program *, program_free);

/* Of time off the CPU: it begins, and ends. Else nothing happens. */
int program_start(struct program *p);
void program_stop(struct program *p);

int program_fd(const struct program *p);
int program_rings_fd(const struct program *p);
int program_set_knobs(struct program *p, const struct sampler_knobs *knobs);
int program_filter_pid(struct program *p, uint32_t pid);
int program_filter_cgroup(struct program *p, uint64_t id);
int program_filter_comm(struct program *p, const char *comm);
/* Puts the fd of a counter (place 0 ..., the context switches at place knobs.counters) of a CPU
 * where the program finds it. */
int program_set_counter(struct program *p, size_t place, int cpu, int fd);
/* Counters of every possible CPU into counts[possible_cpus]. */
int program_read_counts(struct program *p, struct sampler_counts *counts);
