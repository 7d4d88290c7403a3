/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The maps in which the BPF unwinder finds rows and processes (bpf/unwind.h), as memory of this
 * process. They outlive the sampler: a reload keeps every row.
 *
 * Memory: rows as they are needed, in chunks of 2 MiB up to the bound, one of them ahead; 24 bytes a
 * slot; 32 a mapping, these two also as resident memory of this process; about 100 a process; 66 KiB
 * a CPU.
 */
#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "bpf/unwind.h"
#include "util/cleanup.h"

#define UNWIND_MAX_SLOTS 8192
#define UNWIND_MAX_MAPPINGS 131072
#define UNWIND_MAX_PROCESSES 32768

struct unwind_maps {
	/* Maps; -1: there is none, as in tests of what fills them. */
	int chunks_fd, slots_fd, mappings_fd, processes_fd, cpus_fd;
	uint64_t *words; /* [n_words], of which those of n_chunks chunks can be touched */
	struct unwind_slot *slots;
	struct unwind_mapping *mappings;
	size_t n_words, n_slots, n_mappings;
	uint32_t n_chunks;
	/* The next chunk is being made, or has been, by a thread that nobody awaited yet. */
	bool is_ahead;
	pthread_t ahead;
	int ahead_result;
	size_t words_bytes, slots_bytes, mappings_bytes; /* mapped */
};

/*
 * Room for `bytes` of rows, rounded up to chunks. -EOPNOTSUPP: this kernel has no such maps (Linux
 * 5.5); -ENOSYS: the unwinder does not know this architecture; -EPERM; -ENOMEM.
 */
int unwind_maps_open(uint64_t bytes, size_t possible_cpus, struct unwind_maps **ret);
struct unwind_maps *unwind_maps_close(struct unwind_maps *m);
DEFINE_CLEANUP(struct unwind_maps *, unwind_maps_close);

/*
 * Makes the first `n` words, n <= n_words, be there. The kernel waits until no program runs that
 * could have missed the news: some milliseconds a chunk, a tenth of a second on a loaded host. So the
 * next one is made by a thread of its own as soon as the last one is half full. -ENOMEM, -EPERM.
 */
int unwind_maps_reach(struct unwind_maps *m, size_t n);

/* Of this process's resident memory: what is mapped of the rows, slots and mappings. */
uint64_t unwind_maps_bytes(const struct unwind_maps *m);

int unwind_maps_set_process(struct unwind_maps *m, const struct unwind_process *p);
int unwind_maps_drop_process(struct unwind_maps *m, uint32_t pid);
