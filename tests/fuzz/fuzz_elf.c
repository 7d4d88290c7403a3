// SPDX-License-Identifier: Apache-2.0
// Any bytes give an index or an error; an index finds only what lies in it.
#include <assert.h>
#include <string.h>

#include "symbols/elf_index.h"
#include "symbols/function_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct elf_index_options options = { .debug_directory = "/nonexistent",
						   .path = "/nonexistent/program" };
	const struct elf_source source = { .fd = -1, .data = data, .size = size };
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	struct function f;

	if (elf_index_build(&source, &options, &index) < 0)
		return 0;
	assert(function_index_size(index) > 0);
	for (uint64_t offset = 0; offset < size; offset += 16)
		if (function_index_find(index, offset, &f))
			assert(offset >= f.start && offset - f.start < f.size && strlen(f.name) <= FUNCTION_NAME_MAX + 4 &&
			       f.number < function_index_size(index));
	return 0;
}
