// SPDX-License-Identifier: Apache-2.0
/*
 * Two functions of the same instructions that only the TLB can tell apart.
 *
 *   tlb LOADS    walk_many_pages and stay_in_one_page make this many loads each; prints the loads
 *
 * The one goes to another page with each load, over more pages than a TLB holds; the other reads as
 * many different lines of one page.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 16384UL

#define WALKER(name)                                                                               \
	static __attribute__((noinline)) uint64_t name(const volatile uint8_t *p, uint64_t loads,  \
						       uint64_t stride, uint64_t mask)             \
	{                                                                                          \
		uint64_t sum = 0;                                                                  \
                                                                                                   \
		for (uint64_t i = 0; i < loads; i++)                                               \
			sum += p[(i * stride) & mask];                                             \
		return sum;                                                                        \
	}

WALKER(walk_many_pages)
WALKER(stay_in_one_page)

int main(int argc, char **argv)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t loads = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
	uint8_t *memory;

	if (loads == 0) {
		fprintf(stderr, "usage: tlb LOADS\n");
		return 2;
	}
	memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED) {
		perror("tlb: mmap");
		return 1;
	}
	/* Huge pages would make one of many. */
	(void)madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < PAGES; i++)
		memory[i * page] = 1;
	if (walk_many_pages(memory, loads, page, PAGES * page - 1) != loads)
		return 1;
	if (stay_in_one_page(memory, loads, 64, page - 1) == 0)
		return 1;
	printf("%" PRIu64 "\n", loads);
	return 0;
}
