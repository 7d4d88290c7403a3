// SPDX-License-Identifier: Apache-2.0
/*
 * Names on their way through libpfm4: whatever the library makes of them, the result obeys the
 * contract of a resolver. The first byte chooses whether the rest stands behind a name that exists.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmu/internal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return setenv("LIBPFM_FORCE_PMU", "bdw_ep", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prefixes[] = { "", "INST_RETIRED:ANY_P:", "LONGEST_LAT_CACHE:",
						"bdw_ep::" };
	struct pmu_event ev = { .scale = 1, .attr = { .size = sizeof(ev.attr) } };
	char name[600], *error = NULL;
	size_t n;
	int r;

	if (size < 1 || size > 500)
		return 0;
	n = strlen(strcpy(name, prefixes[data[0] % ARRAY_SIZE(prefixes)]));
	memcpy(name + n, data + 1, size - 1);
	name[n + size - 1] = 0;
	r = pfm_resolve(name, "/nonexistent", &ev, &error);
	if (r == 0)
		assert(ev.name && *ev.name && ev.pmu && !error &&
		       ev.countable_only == !pmu_is_sampled(&ev.attr));
	else
		assert(r == -ENOENT || error);
	pmu_event_done(&ev);
	free(error);
	return 0;
}
