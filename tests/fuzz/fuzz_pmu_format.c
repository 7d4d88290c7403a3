// SPDX-License-Identifier: Apache-2.0
/*
 * Format files of sysfs: eight bytes of value, then the file's text. What parses takes exactly the
 * values that fit its bits, and touches no other bit.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmu/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct pmu_format *f, uint64_t value)
{
	int bits = __builtin_popcountll(f->mask);
	int fits = bits == 64 || value >> bits == 0;
	struct perf_event_attr attr = { .config = ~0ULL, .config1 = ~0ULL, .config2 = ~0ULL };
	uint64_t *words[] = { (uint64_t *)&attr.config, (uint64_t *)&attr.config1,
			      (uint64_t *)&attr.config2 };

	assert(f->word < 3 && bits > 0);
	assert(pmu_format_set(f, value, &attr) == (fits ? 0 : -ERANGE));
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t word = *words[i];

		if (i != f->word || !fits)
			assert(word == ~0ULL);
		else
			assert((word | f->mask) == ~0ULL &&
			       __builtin_popcountll(word & f->mask) == __builtin_popcountll(value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pmu_format f;
	uint64_t value;
	char *text;

	if (size < sizeof(value) || size > 4096)
		return 0;
	memcpy(&value, data, sizeof(value));
	size -= sizeof(value);
	text = malloc(size + 1);
	memcpy(text, data + sizeof(value), size);
	text[size] = 0;
	if (pmu_format_parse(text, &f) == 0)
		check(&f, value);
	free(text);
	return 0;
}
