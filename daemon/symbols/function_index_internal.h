/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the index and its builder share.
 */
#include "symbols/function_index.h"

struct function_index {
	const struct function_index_header *header; /* the start of the block */
	const struct function_entry *entries;
	const uint32_t *buckets;
	const char *names;
	size_t size; /* of the block */
	bool mapped; /* else on the heap */
};

/* Takes the block over; NULL when out of memory (the block is then still the caller's). */
struct function_index *function_index_wrap(void *block, size_t size, bool mapped);
uint32_t function_index_crc(uint32_t crc, const void *data, size_t size);
uint32_t function_index_header_crc(const struct function_index_header *h);
