// SPDX-License-Identifier: Apache-2.0
/*
 * Memory traffic of a known size.
 *
 *   stream read|write|jump MEGABYTES PASSES    goes PASSES times through a buffer of MEGABYTES
 *                                              in stream_read, stream_write or stream_jump
 *   stream read MEGABYTES seconds SECONDS      the same for a time
 *
 * Prints bytes moved, seconds taken. A buffer several times the size of all caches makes every line
 * of a pass come from memory. Writing goes around the caches where the architecture lets us say so
 * (x86: movnti), so that no line is read before it is written. Filling the buffer once, before the
 * first pass, is not in the figure: measure runs of N and 2N passes and take the difference.
 *
 * Jumping touches each line of the largest power of two of them once a pass, in an order that no
 * prefetcher foresees and that is known only from the loads themselves: each waits for memory. (The
 * bytes printed are those of the buffer.)
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LINE_WORDS 8U /* 64 bytes */

static volatile uint64_t sink;

static __attribute__((noinline)) void stream_read(uint64_t *words, size_t n)
{
	uint64_t a = 0, b = 0;

	for (size_t i = 0; i < n; i += LINE_WORDS) {
		a += words[i] + words[i + 1] + words[i + 2] + words[i + 3];
		b += words[i + 4] + words[i + 5] + words[i + 6] + words[i + 7];
	}
	sink = a + b;
}

static inline __attribute__((always_inline)) void store_around_caches(uint64_t *to, uint64_t value)
{
#if defined(__x86_64__)
	__asm__ volatile("movnti %1, %0" : "=m"(*to) : "r"(value));
#else
	*(volatile uint64_t *)to = value;
#endif
}

static __attribute__((noinline)) void stream_write(uint64_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_around_caches(&words[i], i);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A linear congruential generator visits all residues when its increment is odd, and the factor 1
 * more than a multiple of 4; the words are odd, and make the
 * increment so. */
static __attribute__((noinline)) void stream_jump(uint64_t *words, size_t n)
{
	size_t lines = n / LINE_WORDS, at = 0;
	uint64_t state = 0;

	while (lines & (lines - 1))
		lines &= lines - 1;
	for (size_t i = 0; i < lines; i++) {
		state = state * 6364136223846793005U + 1442695040888963406U + words[at];
		at = (size_t)(state & (lines - 1)) * LINE_WORDS;
	}
	sink = state;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	bool timed = argc == 5 && strcmp(argv[3], "seconds") == 0;
	double limit = argc >= 4 ? atof(argv[argc - 1]) : 0, started;
	size_t bytes = argc >= 4 ? strtoul(argv[2], NULL, 10) << 20 : 0;
	void (*pass)(uint64_t * words, size_t n) = NULL;
	uint64_t *words, passes = 0;

	if (argc >= 4)
		pass = strcmp(argv[1], "read") == 0    ? stream_read
		       : strcmp(argv[1], "write") == 0 ? stream_write
		       : strcmp(argv[1], "jump") == 0  ? stream_jump
						       : NULL;
	if (!pass || bytes == 0 || limit <= 0 || (argc == 5 && !timed) || argc > 5) {
		fprintf(stderr, "usage: stream read|write|jump MEGABYTES PASSES|seconds SECONDS\n");
		return 2;
	}
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		perror("stream");
		return 1;
	}
	memset(words, 1, bytes); /* each word is odd */
	started = now();
	do {
		pass(words, bytes / sizeof(*words));
		passes++;
	} while ((timed ? now() - started : (double)passes) < limit);
	printf("%" PRIu64 " %.6f\n", passes * bytes, now() - started);
	return 0;
}
