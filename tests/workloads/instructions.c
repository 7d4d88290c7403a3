// SPDX-License-Identifier: Apache-2.0
/*
 * An instruction count known by construction.
 *
 *   instructions COUNT    retires this many instructions, rounded up to full passes, in
 *                         known_instructions, and prints how many that were
 *
 * A pass is a hundred instructions of assembly, so that no compiler has a say. What the process
 * retires around it - loader, libc, main - is below a million.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PER_PASS 100U

#if defined(__x86_64__)
#define PASS                                                                                       \
	"1:\n\t"                                                                                   \
	".rept 98\n\t"                                                                             \
	"addq $1, %1\n\t"                                                                          \
	".endr\n\t"                                                                                \
	"subq $1, %0\n\t"                                                                          \
	"jnz 1b\n\t"
#elif defined(__aarch64__)
#define PASS                                                                                       \
	"1:\n\t"                                                                                   \
	".rept 98\n\t"                                                                             \
	"add %1, %1, #1\n\t"                                                                       \
	".endr\n\t"                                                                                \
	"subs %0, %0, #1\n\t"                                                                      \
	"b.ne 1b\n\t"
#elif defined(__riscv)
#define PASS                                                                                       \
	"1:\n\t"                                                                                   \
	".rept 98\n\t"                                                                             \
	"addi %1, %1, 1\n\t"                                                                       \
	".endr\n\t"                                                                                \
	"addi %0, %0, -1\n\t"                                                                      \
	"bnez %0, 1b\n\t"
#else
#error "write the loop for this architecture"
#endif

static __attribute__((noinline)) uint64_t known_instructions(uint64_t passes)
{
	uint64_t sum = 0;

	__asm__ volatile(PASS : "+r"(passes), "+r"(sum) : : "cc");
	return sum;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	uint64_t wanted = argc == 2 ? strtoull(argv[1], &end, 10) : 0, passes;

	if (wanted == 0 || *end || wanted > UINT64_MAX / 2) {
		fprintf(stderr, "usage: instructions COUNT\n");
		return 2;
	}
	passes = (wanted + PER_PASS - 1) / PER_PASS;
	if (known_instructions(passes) != passes * (PER_PASS - 2))
		return 1;
	printf("%" PRIu64 "\n", passes * PER_PASS);
	return 0;
}
