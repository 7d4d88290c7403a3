// SPDX-License-Identifier: Apache-2.0
/*
 * Two functions of the same instructions that only the TLB can tell apart.
 *
 *   tlb LOADS    walk_many_pages and stay_in_one_page make this many loads each; prints the loads
 *
 * The one goes to another page with each load, over pages that want the same place in a TLB and are
 * more than the ways of one; the other reads as many different lines of one page. Many pages in a
 * row would not do: QEMU's TLB grows, with each change to another address space that finds it full
 * (accel/tcg/cputlb.c, tlb_mmu_resize_locked), until it holds them all, so that the misses of the
 * same loads are fewer the more often somebody else runs.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 32UL
#define APART (4UL << 30)

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
	memory = mmap(NULL, PAGES * APART, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		      -1, 0);
	if (memory == MAP_FAILED) {
		perror("tlb: mmap");
		return 1;
	}
	for (uint64_t i = 0; i < PAGES; i++) {
		if (mprotect(memory + i * APART, page, PROT_READ | PROT_WRITE) < 0) {
			perror("tlb: mprotect");
			return 1;
		}
		memory[i * APART] = 1;
	}
	if (walk_many_pages(memory, loads, APART, PAGES * APART - 1) != loads)
		return 1;
	if (stay_in_one_page(memory, loads, 64, page - 1) == 0)
		return 1;
	printf("%" PRIu64 "\n", loads);
	return 0;
}
