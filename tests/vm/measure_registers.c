// SPDX-License-Identifier: Apache-2.0
/*
 * Where this kernel keeps a task's user registers, counted from the beginning of its kernel stack:
 * near the end of it, which is 16 or 32 KiB away, or more where the kernel checks its memory.
 */
#include <stdio.h>

#include "sampler/program.h"

int main(void)
{
	uint32_t offset = program_measure_registers(NULL), from_end = -offset & 0x1fff;

	printf("%u bytes from the beginning of the stack\n", offset);
	return offset > 4096 && from_end >= 168 && from_end <= 512 ? 0 : 1;
}
