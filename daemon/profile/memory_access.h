/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The memory access a sample stands for: what of it tells samples apart, and in which words.
 */
#include <stddef.h>
#include <stdint.h>

#include "store/record.h"

enum memory_access_part {
	ACCESS_BY_SOURCE, /* operation, where the data came from, snoop, lock */
	ACCESS_BY_TLB,
	ACCESS_BY_LATENCY, /* doubling */
	ACCESS_BY_ADDRESS, /* cache lines of 64 bytes */
	ACCESS_BY_PAGE, /* 4 KiB */
	ACCESS_PARTS,
};

/* A perf_mem_data_src, 0 when it says neither what was done nor where. */
uint64_t memory_access_source(uint64_t data_src);

/* What is the same in samples that belong together; 0: the hardware did not tell. */
uint64_t memory_access_key(enum memory_access_part part, const struct record_access *a);

/* "load, L3 hit, snoop HITM"; `text` holds it where it is made up, 128 bytes are enough. */
const char *memory_access_name(enum memory_access_part part, uint64_t key, char *text, size_t size);
