// SPDX-License-Identifier: Apache-2.0
/*
 * Executes OTHER, which executes this one, TURNS times: two programs in turn at the same addresses.
 * With PAD their code is not at the same places in them.
 *
 *   chain TURNS OTHER
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long turns;

#ifdef PAD
__attribute__((noinline, used)) static void pad(void)
{
	__asm__ volatile(".rept 3001\n\tnop\n\t.endr");
}
#endif

static long used_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The result is used, so that no call is the last thing a function does. */
__attribute__((noinline)) static int work(int n, long until)
{
	if (n)
		return work(n - 1, until) + (int)turns;
	do
		for (int i = 0; i < 100000; i++)
			turns++;
	while (used_ms() < until);
	return (int)turns;
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[1]) : 0;
	char rest[16];

	work(10, used_ms() + 60);
	if (n == 0)
		return 0;
	snprintf(rest, sizeof(rest), "%d", n - 1);
	execl(argv[2], argv[2], rest, argv[0], (char *)NULL);
	return 1;
}
