/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The BPF unwinder's own source in user space: its maps are memory, and the process it looks at is
 * a piece of memory too, or this very process.
 */
#include <linux/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/sample.h"
#include "bpf/unwind.h"
#include "symbols/object.h"
#include "unwind/row_store.h"
#include "unwind/unwind_maps.h"
#include "unwind/unwind_table.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __noinline __attribute__((noinline))

struct shim {
	struct unwind_maps maps;
	struct unwind_cpu cpu;
	bool keeps_fp;
	/* Memory that can be read; NULL: this process's. */
	const uint64_t *memory;
	uint64_t memory_start, memory_size;
};

static struct shim shim;

static struct unwind_chunk *unwind_chunk_at(__u32 i)
{
	size_t first = (size_t)i * UNWIND_CHUNK_WORDS;

	return first < shim.maps.n_words ? (struct unwind_chunk *)(shim.maps.words + first) : NULL;
}

static struct unwind_slot *unwind_slot_at(__u32 i)
{
	return i < shim.maps.n_slots ? &shim.maps.slots[i] : NULL;
}

static struct unwind_mapping *unwind_mapping_at(__u32 i)
{
	return i < shim.maps.n_mappings ? &shim.maps.mappings[i] : NULL;
}

static struct unwind_cpu *unwind_cpu_at(__u32 i)
{
	return i == shim.cpu.cpu ? &shim.cpu : NULL;
}

static long unwind_read(void *to, __u32 size, __u64 address)
{
	struct iovec local = { to, size }, remote = { (void *)(uintptr_t)address, size };

	if (!shim.memory)
		return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0
											     : -14;
	if (address < shim.memory_start || address + size > shim.memory_start + shim.memory_size)
		return -14;
	memcpy(to, (const uint8_t *)shim.memory + (address - shim.memory_start), size);
	return 0;
}

#include "bpf/unwind.bpf.h"

static inline void shim_init(size_t n_chunks)
{
	shim = (struct shim){
		.maps = { .chunks_fd = -1,
			  .slots_fd = -1,
			  .mappings_fd = -1,
			  .processes_fd = -1,
			  .cpus_fd = -1,
			  .n_words = n_chunks * UNWIND_CHUNK_WORDS,
			  .n_slots = 64,
			  .n_mappings = 1024 },
	};
	shim.maps.words = calloc(shim.maps.n_words, sizeof(*shim.maps.words));
	shim.maps.slots = calloc(shim.maps.n_slots, sizeof(*shim.maps.slots));
	shim.maps.mappings = calloc(shim.maps.n_mappings, sizeof(*shim.maps.mappings));
	assert_non_null(shim.maps.words);
}

static inline void shim_done(void)
{
	free(shim.maps.words);
	free(shim.maps.slots);
	free(shim.maps.mappings);
}

/* As the BPF program does it. */
static inline void shim_walk(uint32_t limit, bool keeps_fp)
{
	unwind_begin(&shim.cpu, limit, keeps_fp);
	for (int i = 0; i < 2 * (SAMPLE_MAX_FRAMES + 1); i++)
		if (unwind_step(&shim.cpu))
			break;
}
