// SPDX-License-Identifier: Apache-2.0
/*
 * Sleeps N times for MS milliseconds each in slumber(), after a fork where FORK is "child", and
 * prints the nanoseconds from before to after each sleep, added up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The C library's syscall() has no frame of its own, so that its caller is what goes missing. */
static long sleep_once(const struct timespec *t)
{
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, t, NULL);
}

static long long slumber(const struct timespec *t)
{
	long long start = now_ns();

	if (sleep_once(t))
		exit(1);
	return now_ns() - start;
}

static int sleep_often(int n, long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	long long sum = 0;

	while (n--)
		sum += slumber(&t);
	printf("%lld\n", sum);
	return 0;
}

int main(int argc, char **argv)
{
	int n, status;
	long ms;

	if (argc < 3) {
		fprintf(stderr, "usage: sleeper N MS [child]\n");
		return 2;
	}
	n = atoi(argv[1]);
	ms = atol(argv[2]);
	if (argc == 3)
		return sleep_often(n, ms);
	if (fork() == 0)
		return sleep_often(n, ms);
	return wait(&status) < 0 || status;
}
