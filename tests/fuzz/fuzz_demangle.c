// SPDX-License-Identifier: Apache-2.0
// Any symbol name is demangled within its output and within a second of CPU time.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "symbols/symbols.h"
#include "util/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 1, 7, 4096 };
	_cleanup_free_ char *name = malloc(size + 1);
	double start = cpu_seconds();

	assert(name);
	memcpy(name, data, size);
	name[size] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_free_ char *out = malloc(sizes[i]);

		assert(out);
		demangle(name, out, sizes[i]);
		assert(memchr(out, '\0', sizes[i]));
	}
	assert(cpu_seconds() - start < 1);
	return 0;
}
