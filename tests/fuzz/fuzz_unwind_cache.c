// SPDX-License-Identifier: Apache-2.0
// Any bytes in the cache give sorted rows or none; a wrong checksum is put right, to get deeper.
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/crc32c.h"
#include "unwind/unwind_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("rows", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
	return fd;
}

static void load(const void *data, size_t size)
{
	const struct build_id id = { .bytes = { 1, 2, 3, 4 }, .size = 4 };
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_close_ int fd = file_of(data, size);

	if (unwind_block_map(fd, &id, &t) < 0)
		return;
	for (uint32_t i = 0; i < t->n_rows; i++) {
		assert(i == 0 || t->rows[i].pc > t->rows[i - 1].pc);
		assert(ROW_CFA(t->rows[i].rule) < UNWIND_KINDS);
		unwind_table_find(t, t->base + t->rows[i].pc);
	}
	assert(unwind_table_find(t, 0) == NULL || t->base == 0);
	assert(unwind_table_find(t, UINT64_MAX) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = malloc(size ? size : 1);
	struct unwind_header h;

	assert(copy);
	load(data, size);
	if (size < sizeof(h))
		return 0;
	memcpy(copy, data, size);
	memcpy(&h, copy, sizeof(h));
	h.crc = 0;
	memcpy(copy, &h, sizeof(h));
	h.crc = crc32c(0, copy, size);
	memcpy(copy, &h, sizeof(h));
	load(copy, size);
	return 0;
}
