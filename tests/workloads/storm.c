// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that are gone before anybody can look at them.
 *
 *   storm COUNT MILLISECONDS    forks and executes itself COUNT times, two at a time; each child
 *                               burns that long in brief_life
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 2
#define MOST 100000L

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static __attribute__((noinline)) void brief_life(double seconds)
{
	volatile uint64_t x = 1;

	while (now(CLOCK_PROCESS_CPUTIME_ID) < seconds)
		for (int i = 0; i < 1000; i++)
			x = x * 31 + 7;
}

static int start_child(char *milliseconds)
{
	char *arguments[] = { "storm-child", "child", milliseconds, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		execv("/proc/self/exe", arguments);
		_exit(127);
	}
	return pid < 0 ? -1 : 0;
}

static int reap(void)
{
	int status;

	return wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[1]) : 0;

	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		brief_life(atof(argv[2]) / 1000);
		return 0;
	}
	if (count <= 0 || count > MOST) {
		fprintf(stderr, "usage: storm COUNT MILLISECONDS, at most %ld\n", MOST);
		return 2;
	}
	for (long i = 0; i < count; i++) {
		if (i >= AT_ONCE && reap() < 0)
			return 1;
		if (start_child(argv[2]) < 0)
			return 1;
	}
	for (long i = 0; i < count && i < AT_ONCE; i++)
		if (reap() < 0)
			return 1;
	printf("%ld\n", count);
	return 0;
}
