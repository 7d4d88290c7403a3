// SPDX-License-Identifier: Apache-2.0
/*
 * CPU time whose shares are known: 70, 20 and 10 percent of a round.
 *
 *   shares functions SECONDS    burn_seventy, burn_twenty, burn_ten in one thread
 *   shares threads SECONDS      the same in three threads called worker-70, worker-20, worker-10
 *   shares kernel SECONDS       burn_user against enter_kernel, whose time is the kernel's
 *
 * SECONDS are those of CPU time, so that a busy machine gives as many samples as a quiet one.
 * Functions and threads share by construction (identical loops, counted); the kernel mode shares by
 * measurement. All print what they really took, from the thread CPU clock, as "NAME PERCENT" lines.
 * Reading that clock is work that belongs to no part: one round in ROUNDS is measured.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define UNITS_PER_PERCENT 2000U
#define COPY_BYTES (1U << 20)
#define ROUNDS 16

static volatile uint64_t sink;

/* One body, several names: every unit costs the same whoever burns it. */
#define BURNER(name)                                                                               \
	static __attribute__((noinline, aligned(64))) void name(unsigned int units)                \
	{                                                                                          \
		uint64_t x = sink | 1;                                                             \
                                                                                                   \
		for (unsigned int i = 0; i < units; i++)                                           \
			x = x * 6364136223846793005ULL + (x >> 29);                                \
		sink = x;                                                                          \
	}

BURNER(burn_seventy)
BURNER(burn_twenty)
BURNER(burn_ten)
BURNER(burn_user)

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct part {
	const char *name;
	void (*burn)(unsigned int units);
	unsigned int percent;
	double end; /* on the process's CPU clock */
	double taken; /* CPU seconds */
};

static void burn_part(struct part *p)
{
	p->burn(p->percent * UNITS_PER_PERCENT);
}

static void measure_part(struct part *p)
{
	double before = seconds(CLOCK_THREAD_CPUTIME_ID);

	burn_part(p);
	p->taken += seconds(CLOCK_THREAD_CPUTIME_ID) - before;
}

static void burn_rounds(struct part *parts, size_t n, double duration)
{
	double end = seconds(CLOCK_PROCESS_CPUTIME_ID) + duration;

	while (seconds(CLOCK_PROCESS_CPUTIME_ID) < end) {
		for (size_t round = 1; round < ROUNDS; round++)
			for (size_t i = 0; i < n; i++)
				burn_part(&parts[i]);
		for (size_t i = 0; i < n; i++)
			measure_part(&parts[i]);
	}
}

static void print_parts(const struct part *parts, size_t n)
{
	double total = 0;

	for (size_t i = 0; i < n; i++)
		total += parts[i].taken;
	for (size_t i = 0; i < n; i++)
		printf("%s %.2f\n", parts[i].name, 100 * parts[i].taken / total);
}

static void run_functions(double duration)
{
	struct part parts[] = {
		{ .name = "burn_seventy", .burn = burn_seventy, .percent = 70 },
		{ .name = "burn_twenty", .burn = burn_twenty, .percent = 20 },
		{ .name = "burn_ten", .burn = burn_ten, .percent = 10 },
	};

	burn_rounds(parts, 3, duration);
	print_parts(parts, 3);
}

/* All take the same number of rounds, so that the shares hold however they are scheduled. */
static struct {
	pthread_barrier_t barrier;
	int stop;
} together;

static void *run_thread(void *argument)
{
	struct part *p = argument;

	prctl(PR_SET_NAME, p->name);
	while (!together.stop) {
		for (int i = 1; i < ROUNDS; i++)
			burn_part(p);
		measure_part(p);
		if (pthread_barrier_wait(&together.barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			together.stop = seconds(CLOCK_PROCESS_CPUTIME_ID) >= p->end;
		pthread_barrier_wait(&together.barrier);
	}
	return NULL;
}

static void run_threads(double duration)
{
	double end = seconds(CLOCK_PROCESS_CPUTIME_ID) + duration;
	struct part parts[] = {
		{ .name = "worker-70", .burn = burn_seventy, .percent = 70, .end = end },
		{ .name = "worker-20", .burn = burn_twenty, .percent = 20, .end = end },
		{ .name = "worker-10", .burn = burn_ten, .percent = 10, .end = end },
	};
	pthread_t threads[3];

	pthread_barrier_init(&together.barrier, NULL, 3);
	for (size_t i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, run_thread, &parts[i]) != 0)
			exit(1);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	print_parts(parts, 3);
}

/* Reading /dev/zero clears the pages inside the kernel; user space does next to nothing. */
static struct {
	int fd;
	char *memory;
} zero;

/*
 * Enters the kernel from the function that calls it: libc's read() keeps no frame pointer, and its
 * caller would be missing from the stack.
 */
static inline __attribute__((always_inline)) long read_here(int fd, void *memory, unsigned long n)
{
#if defined(__x86_64__)
	long r = SYS_read;

	__asm__ volatile("syscall"
			 : "+a"(r)
			 : "D"((long)fd), "S"(memory), "d"(n)
			 : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
	register long r __asm__("x0") = fd;
	register void *to __asm__("x1") = memory;
	register unsigned long size __asm__("x2") = n;
	register long number __asm__("x8") = SYS_read;

	__asm__ volatile("svc 0" : "+r"(r) : "r"(to), "r"(size), "r"(number) : "memory");
	return r;
#else
	return read(fd, memory, n);
#endif
}

static __attribute__((noinline)) void enter_kernel(unsigned int units)
{
	for (unsigned int i = 0; i < units / UNITS_PER_PERCENT; i++)
		if (read_here(zero.fd, zero.memory, COPY_BYTES) != COPY_BYTES)
			exit(1);
}

static void run_kernel(double duration)
{
	struct part parts[] = {
		{ .name = "burn_user", .burn = burn_user, .percent = 50 },
		{ .name = "enter_kernel", .burn = enter_kernel, .percent = 2 },
	};

	zero.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	zero.memory = malloc(COPY_BYTES);
	if (zero.fd < 0 || !zero.memory)
		exit(1);
	memset(zero.memory, 1, COPY_BYTES);
	burn_rounds(parts, 2, duration);
	print_parts(parts, 2);
}

int main(int argc, char **argv)
{
	double duration = argc == 3 ? atof(argv[2]) : 0;

	if (duration > 0 && strcmp(argv[1], "functions") == 0)
		run_functions(duration);
	else if (duration > 0 && strcmp(argv[1], "threads") == 0)
		run_threads(duration);
	else if (duration > 0 && strcmp(argv[1], "kernel") == 0)
		run_kernel(duration);
	else {
		fprintf(stderr, "usage: shares functions|threads|kernel SECONDS\n");
		return 2;
	}
	return 0;
}
