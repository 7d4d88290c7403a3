// SPDX-License-Identifier: Apache-2.0
#include "symbols/vdso.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "util/cleanup.h"

int vdso_source(struct elf_source *ret)
{
	unsigned long address = getauxval(AT_SYSINFO_EHDR);
	_cleanup_fclose_ FILE *maps = NULL;
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;

	if (!address)
		return -ENODATA;
	/* The image tells its size only in words that would have to be believed. */
	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return -errno;
	while (getline(&line, &capacity, maps) > 0) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 || start != address)
			continue;
		*ret = (struct elf_source){
			.fd = -1,
			.data = (const uint8_t *)address,
			.size = end - start,
		};
		return 0;
	}
	return -ENODATA;
}
