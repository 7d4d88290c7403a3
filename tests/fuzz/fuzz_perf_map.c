// SPDX-License-Identifier: Apache-2.0
// Any text is a perf map, and gives the same names however it is cut into pieces.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ struct perf_map *whole = malloc(sizeof(*whole));
	_cleanup_free_ struct perf_map *pieces = malloc(sizeof(*pieces));
	const char *text = (const char *)data;

	assert(whole && pieces);
	perf_map_init(whole);
	perf_map_init(pieces);
	perf_map_feed(whole, text, size);
	for (size_t at = 0; at < size; at += 7)
		perf_map_feed(pieces, text + at, MIN(size - at, (size_t)7));
	for (uint64_t address = 0; address < 0x2000; address += 8) {
		struct function a, b;
		bool found = perf_map_find(whole, address, &a);

		assert(found == perf_map_find(pieces, address, &b));
		assert(!found || (address - a.start < a.size && strcmp(a.name, b.name) == 0));
	}
	perf_map_done(whole);
	perf_map_done(pieces);
	return 0;
}
