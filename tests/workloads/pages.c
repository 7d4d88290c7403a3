// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults that all come from one function.
 *
 *   pages FAULTS    touches this many pages for the first time in touch_pages, then prints how many
 *                   faults the kernel counted for the process
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK 4096UL /* pages mapped at once */

static __attribute__((noinline)) void touch_pages(volatile char *memory, unsigned long pages,
						  unsigned long page_size)
{
	for (unsigned long i = 0; i < pages; i++)
		memory[i * page_size] = 1;
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long page_size = (unsigned long)sysconf(_SC_PAGESIZE);
	struct rusage usage;

	if (wanted == 0) {
		fprintf(stderr, "usage: pages FAULTS\n");
		return 2;
	}
	while (wanted) {
		unsigned long pages = wanted < CHUNK ? wanted : CHUNK;
		char *memory = mmap(NULL, pages * page_size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return 1;
		/* A huge page would be one fault for all. */
		madvise(memory, pages * page_size, MADV_NOHUGEPAGE);
		touch_pages(memory, pages, page_size);
		munmap(memory, pages * page_size);
		wanted -= pages;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld\n", usage.ru_minflt);
	return 0;
}
