// SPDX-License-Identifier: Apache-2.0
/*
 * How fast the clock of the CPU ticks, by its own instruction.
 *
 *   ticks SECONDS    prints ticks per nanosecond: x86's time stamp counter, arm's virtual counter,
 *                    riscv's time
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t read_ticks(void)
{
#if defined(__x86_64__)
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#elif defined(__riscv)
	uint64_t ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks));
	return ticks;
#else
#error "name the counter of this architecture"
#endif
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	double seconds = argc == 2 ? atof(argv[1]) : 0;
	uint64_t since_ns = now_ns(), since = read_ticks(), ns;

	if (seconds <= 0) {
		fprintf(stderr, "usage: ticks SECONDS\n");
		return 2;
	}
	while ((ns = now_ns() - since_ns) < (uint64_t)(seconds * 1e9))
		;
	printf("%.6f\n", (double)(read_ticks() - since) / (double)ns);
	return 0;
}
