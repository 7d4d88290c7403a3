// SPDX-License-Identifier: Apache-2.0
/*
 * Busy with stacks of 18 frames in the mean that no two runs repeat: the steady load of the
 * measurements.
 *
 *   deep SECONDS        burns for this long
 *   deep rounds N       does N rounds and prints the wall-clock seconds they took
 *
 * Each round walks a chain of calls whose depth and members are drawn at random; from any function
 * one callee is usual and three are rare, as in real programs, so that stacks repeat but never in a
 * pattern.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SHALLOWEST 12
#define DEPTHS 8 /* main, its callers in libc and the chain make 18 in the mean */
#define WORKING 4 /* levels at the end of the chain that do the work */
#define UNITS 1000 /* of work at each of them, on the way back */

static uint64_t state;
static volatile uint64_t sink;

static inline __attribute__((always_inline)) uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

typedef void (*level_fn)(unsigned int depth);
static void go_down(unsigned int usual, unsigned int depth);

#define LEVEL(n)                                                                                   \
	static __attribute__((noinline)) void level_##n(unsigned int depth)                        \
	{                                                                                          \
		uint64_t x = sink;                                                                 \
                                                                                                   \
		if (depth)                                                                         \
			go_down((n + 1) % 8, depth - 1);                                           \
		for (unsigned int i = 0; depth < WORKING && i < UNITS; i++)                        \
			x = x * 31 + (x >> 7) + n;                                                 \
		sink = x;                                                                          \
	}

LEVEL(0)
LEVEL(1)
LEVEL(2)
LEVEL(3)
LEVEL(4)
LEVEL(5)
LEVEL(6)
LEVEL(7)

static inline __attribute__((always_inline)) void go_down(unsigned int usual, unsigned int depth)
{
	static const level_fn levels[] = { level_0, level_1, level_2, level_3,
					   level_4, level_5, level_6, level_7 };
	uint64_t r = draw();

	levels[r % 8 == 0 ? (usual + 1 + (r >> 32) % 3) % 8 : usual](depth);
}

static __attribute__((noinline)) void one_round(void)
{
	go_down((unsigned int)(draw() % 4), SHALLOWEST + (unsigned int)(draw() % DEPTHS));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double started = now();

	if (getrandom(&state, sizeof(state), 0) != sizeof(state) || state == 0)
		state = 88172645463325252ULL;
	if (argc == 3 && strcmp(argv[1], "rounds") == 0) {
		for (long n = atol(argv[2]); n > 0; n--)
			one_round();
		printf("%.4f\n", now() - started);
		return 0;
	}
	if (argc != 2 || atof(argv[1]) <= 0) {
		fprintf(stderr, "usage: deep SECONDS | deep rounds N\n");
		return 2;
	}
	while (now() < started + atof(argv[1]))
		for (int i = 0; i < 100; i++)
			one_round();
	return 0;
}
