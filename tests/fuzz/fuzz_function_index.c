// SPDX-License-Identifier: Apache-2.0
// A stored index whose checksum is right may hold anything: look-ups stay inside it.
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "symbols/function_index_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	_cleanup_close_ int fd = memfd_create("index", MFD_CLOEXEC);
	struct function_index_header h;
	struct function f;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	h.crc = function_index_crc(function_index_header_crc(&h), data + sizeof(h),
				   size - sizeof(h));
	assert(write(fd, &h, sizeof(h)) == sizeof(h));
	assert(write(fd, data + sizeof(h), size - sizeof(h)) == (ssize_t)(size - sizeof(h)));
	if (function_index_map(fd, h.build_id, h.build_id_size, &index) < 0)
		return 0;
	for (uint64_t i = 0; i < 64; i++)
		if (function_index_find(index, h.base + i * 7, &f))
			assert(strlen(f.name) < size && f.number < function_index_size(index));
	return 0;
}
