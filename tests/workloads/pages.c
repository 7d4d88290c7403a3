// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults that all come from one function.
 *
 *   pages FAULTS              touches this many pages for the first time in touch_pages, then
 * prints how many faults the kernel counted for the process pages region PAGES        the same in
 * one mapping, and prints where it begins and ends pages neighbours SECONDS  touch_pages and its
 * neighbour burn_cpu, a tenth of a second of CPU time each in turn; prints of both the CPU
 * milliseconds and the faults
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 4096UL /* pages mapped at once */
#define SMALL_CHUNK 64UL
#define TURN_MS 100.0

static __attribute__((noinline)) void touch_pages(volatile char *memory, unsigned long pages,
						  unsigned long page_size)
{
	for (unsigned long i = 0; i < pages; i++)
		memory[i * page_size] = 1;
}

/* 0, or 1 when there is no memory. */
static int map_and_touch(unsigned long pages, int tell)
{
	unsigned long page_size = (unsigned long)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, pages * page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	/* A huge page would be one fault for all. */
	madvise(memory, pages * page_size, MADV_NOHUGEPAGE);
	touch_pages(memory, pages, page_size);
	if (tell)
		printf("%p %p\n", (void *)memory, (void *)(memory + pages * page_size));
	munmap(memory, pages * page_size);
	return 0;
}

static __attribute__((noinline)) void burn_cpu(void)
{
	for (volatile unsigned int i = 0; i < 20000; i++)
		;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

struct sums {
	double ms;
	long faults;
};

/* One of the two works until its turn is over. */
static int take_turn(int touches, struct sums *sums)
{
	double start_ms = now_ms();
	long start_faults = faults();

	while (now_ms() - start_ms < TURN_MS) {
		if (!touches)
			burn_cpu();
		else if (map_and_touch(SMALL_CHUNK, 0) != 0)
			return 1;
	}
	sums->ms += now_ms() - start_ms;
	sums->faults += faults() - start_faults;
	return 0;
}

static int neighbours(double seconds)
{
	struct sums touching = { 0 }, burning = { 0 };

	while (touching.ms + burning.ms < seconds * 1e3)
		if (take_turn(1, &touching) != 0 || take_turn(0, &burning) != 0)
			return 1;
	printf("touch_pages %.3f %ld\nburn_cpu %.3f %ld\n", touching.ms, touching.faults,
	       burning.ms, burning.faults);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	if (argc == 3 && strcmp(argv[1], "neighbours") == 0)
		return neighbours(strtod(argv[2], NULL));
	if (argc == 3 && strcmp(argv[1], "region") == 0)
		return map_and_touch(strtoul(argv[2], NULL, 10), 1);
	if (wanted == 0) {
		fprintf(stderr, "usage: pages FAULTS | region PAGES | neighbours SECONDS\n");
		return 2;
	}
	while (wanted) {
		unsigned long pages = wanted < CHUNK ? wanted : CHUNK;

		if (map_and_touch(pages, 0) != 0)
			return 1;
		wanted -= pages;
	}
	printf("%ld\n", faults());
	return 0;
}
