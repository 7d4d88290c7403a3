// SPDX-License-Identifier: Apache-2.0
/*
 * Stays at a known place, so that a debugger and the profiler see the same stack; built without
 * frame pointers by the test that uses it.
 *
 *   places CASE [LIBRARY|DEPTH [asleep]]
 *
 * Prints "ready" when it is there; "asleep" it leaves the CPU there over and over, for 5 ms each.
 */
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile unsigned long turns;
static int asleep;

__attribute__((noinline)) static void spin(void)
{
	puts("ready");
	fflush(stdout);
	for (;; turns++)
		if (asleep)
			usleep(5000);
}

/* The result is used, so that no call is the last thing a function does. */
__attribute__((noinline)) static int recurse(int n)
{
	volatile char room[24 + 8 * (n & 3)];

	room[0] = (char)n;
	if (n == 0)
		spin();
	return n ? recurse(n - 1) + room[0] : 0;
}

static int compare(const void *a, const void *b)
{
	spin();
	return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static int callback(void)
{
	int values[] = { 3, 1, 2 };

	qsort(values, 3, sizeof(values[0]), compare);
	return values[0];
}

static void *thread(void *arg)
{
	return (void *)(long)(recurse(*(int *)arg) + 1);
}

__attribute__((noinline)) static int in_thread(void)
{
	int depth = 5;
	pthread_t id;

	pthread_create(&id, NULL, thread, &depth);
	pthread_join(id, NULL);
	return depth;
}

static void handler(int number)
{
	turns += (unsigned long)recurse(3) + (unsigned long)number;
}

__attribute__((noinline)) static int in_handler(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	return (int)turns;
}

/* A handler on a stack of its own, entered where no call is. */
__attribute__((noinline)) static int on_other_stack(void)
{
	static char stack[65536];
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&other, NULL);
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	for (;;)
		turns += 3;
	return (int)turns;
}

/* A frame of varying size, and one that is aligned anew. */
__attribute__((noinline)) static int of_odd_frames(int n)
{
	char *varying = alloca((size_t)n * 100);
	volatile long aligned[8] __attribute__((aligned(64)));

	memset(varying, n, (size_t)n * 100);
	aligned[0] = varying[n];
	return (n ? of_odd_frames(n - 1) : recurse(2)) + (int)aligned[0];
}

__attribute__((noinline)) static int in_library(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*enter)(void (*)(void)) = library ? (int (*)(void (*)(void)))dlsym(library, "enter")
					       : NULL;

	return enter ? enter(spin) + 1 : 0;
}

/* Its rows are wrong on purpose: they put the return address a word too high. */
__attribute__((noinline)) static int misdescribed(int n)
{
	volatile long kept[4] = { n, n, n, n };

	__asm__ volatile(".cfi_adjust_cfa_offset 8");
	spin();
	__asm__ volatile(".cfi_adjust_cfa_offset -8");
	return (int)kept[n & 3];
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int r = 1;

	asleep = argc > 3;
	if (strcmp(name, "recursion") == 0)
		r = recurse(argc > 2 ? atoi(argv[2]) : 40);
	else if (strcmp(name, "callback") == 0)
		r = callback();
	else if (strcmp(name, "thread") == 0)
		r = in_thread();
	else if (strcmp(name, "handler") == 0)
		r = in_handler();
	else if (strcmp(name, "other-stack") == 0)
		r = on_other_stack();
	else if (strcmp(name, "odd-frames") == 0)
		r = of_odd_frames(6);
	else if (strcmp(name, "misdescribed") == 0)
		r = misdescribed(argc);
	else if (strcmp(name, "library") == 0 && argc > 2)
		r = in_library(argv[2]);
	return r + (int)turns;
}
