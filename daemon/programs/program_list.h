/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The BPF programs of ebpf-profiler that are in the kernel now: those that a process of ours holds
 * - the daemon, a recording, a collector in the foreground - and those of users' objects that are
 * pinned (program_store.h). They are found by what the kernel tells of file descriptors, so that
 * nobody needs to be asked, and nobody can lie.
 */
#include <linux/types.h>

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_ATTACHMENTS 64 /* of one program; more are counted only */
#define PROGRAM_MAPS 64

struct program_map {
	uint32_t id, type, max_entries, key_size, value_size;
	char name[BPF_OBJ_NAME_LEN];
	uint64_t bytes; /* that the kernel charges for it; 0: it does not tell */
};

struct program {
	uint32_t id, type;
	char name[BPF_OBJ_NAME_LEN];
	pid_t pid; /* that holds it; 0: it is pinned */
	char holder[64]; /* the process's command, or the pin's path below the store */
	uint64_t loaded_ns; /* CLOCK_BOOTTIME */
	uint64_t runs, run_ns; /* 0 unless the kernel counts them (kernel.bpf_stats_enabled) */
	uint64_t missed; /* runs left out, for the program was running on that CPU (5.12) */
	uint32_t verified; /* instructions the verifier walked (5.16); 0: unknown */
	uint32_t translated_bytes, machine_code_bytes;
	char attachments[PROGRAM_ATTACHMENTS][96]; /* "tracepoint sched_switch", "xdp eth0 native" */
	size_t n_attachments; /* may be more than are in the list */
	struct program_map maps[PROGRAM_MAPS];
	size_t n_maps;
};

struct program_list {
	struct program **list; /* by holder, then by id */
	size_t n, capacity;
	bool counts_runs; /* kernel.bpf_stats_enabled */
};

/*
 * `store` is the directory of users' objects; it need not exist. -EPERM: we may not ask the kernel
 * for programs by their number (CAP_SYS_ADMIN); -ENOMEM.
 */
int program_list_read(const char *store, struct program_list *ret);
void program_list_done(struct program_list *l);

const char *program_type_name(uint32_t type); /* "xdp"; "unknown" */
const char *program_map_type_name(uint32_t type);
