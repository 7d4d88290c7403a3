// SPDX-License-Identifier: Apache-2.0
/* clang-format off */
/*
 * System calls whose numbers are known:
 *
 *   calls getppid N           N calls of getppid, and N/10 of close(-1), which fail
 *   calls names N             N times another name of the thread, and a call of getppid under it
 *   calls moving N            two threads, each N times to another CPU and ten calls of getppid, under
 *                             the names "moving-a" and "moving-b" by turns; then one of the two
 *                             replaces the process by "calls getppid N"
 *   calls bpf N               N times BPF_MAP_CREATE that succeeds, and 2 * N that fail
 *   calls end                 nothing: what the next ones start
 *   calls storm N             N processes that start "calls end", four at a time
 *   calls arguments N BYTES   starts "calls end" with N arguments of BYTES bytes more
 *   calls untouched           starts "calls end out of sight" with arguments on a page that was never touched
 *   calls thread              starts "calls end" from a second thread
 *   calls descriptor          starts "calls end" by execveat of a descriptor
 *   calls missing             fails to start /nonexistent with the arguments "not" and "there"
 */
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char self[4096];

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int call_getppid(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		(void)syscall(SYS_getppid);
	for (unsigned long i = 0; i < n / 10; i++)
		(void)syscall(SYS_close, -1);
	return 0;
}

static int call_under_names(unsigned long n)
{
	char name[32];

	for (unsigned long i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "calls-%lu", i);
		prctl(PR_SET_NAME, name);
		(void)syscall(SYS_getppid);
	}
	return 0;
}

static void move(unsigned long n)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (unsigned long i = 0; i < n; i++) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(i % (unsigned long)cpus, &one);
		sched_setaffinity(0, sizeof(one), &one);
		prctl(PR_SET_NAME, i % 2 ? "moving-b" : "moving-a");
		for (int k = 0; k < 10; k++)
			(void)syscall(SYS_getppid);
	}
}

struct moving {
	pthread_barrier_t both_done;
	char *n;
};

static void *move_and_replace(void *arg)
{
	struct moving *m = arg;
	char *argv[] = { "calls", "getppid", m->n, NULL };

	move(strtoul(m->n, NULL, 10));
	pthread_barrier_wait(&m->both_done);
	execv(self, argv);
	return NULL;
}

static int call_while_moving(char *n)
{
	struct moving m = { .n = n };
	pthread_t thread;

	pthread_barrier_init(&m.both_done, NULL, 2);
	if (pthread_create(&thread, NULL, move_and_replace, &m) != 0)
		return fail("pthread_create");
	move(strtoul(n, NULL, 10));
	pthread_barrier_wait(&m.both_done);
	pthread_join(thread, NULL);
	return fail("execv");
}

static int call_bpf(unsigned long n)
{
	union bpf_attr good = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};
	union bpf_attr bad = { .map_type = BPF_MAP_TYPE_ARRAY };

	for (unsigned long i = 0; i < n; i++) {
		long fd = syscall(SYS_bpf, BPF_MAP_CREATE, &good, sizeof(good));

		if (fd < 0)
			return fail("bpf");
		close((int)fd);
		(void)syscall(SYS_bpf, BPF_MAP_CREATE, &bad, sizeof(bad));
		(void)syscall(SYS_bpf, BPF_MAP_CREATE, &bad, sizeof(bad));
	}
	return 0;
}

static int storm(unsigned long n)
{
	char *argv[] = { "calls", "end", NULL };
	unsigned long running = 0;

	for (unsigned long i = 0; i < n; i++) {
		if (running == 4 && wait(NULL) > 0)
			running--;
		errno = posix_spawn(NULL, self, NULL, NULL, argv, environ);
		if (errno)
			return fail("posix_spawn");
		running++;
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

static int many_arguments(size_t n, size_t bytes)
{
	char **argv = calloc(n + 3, sizeof(char *));

	argv[0] = "calls";
	argv[1] = "end";
	for (size_t i = 0; i < n; i++) {
		argv[i + 2] = malloc(bytes + 1);
		memset(argv[i + 2], 'a' + (int)(i % 26), bytes);
		argv[i + 2][bytes] = 0;
	}
	execv(self, argv);
	return fail("execv");
}

/* The page is in the file's cache, but not in this process: the kernel faults it in within the
 * call. */
static int untouched(void)
{
	static const char text[] = "end\0out of sight";
	char path[] = "/tmp/calls.XXXXXX";
	int fd = mkstemp(path);
	char *page;

	if (fd < 0 || unlink(path) < 0 || write(fd, text, sizeof(text)) != sizeof(text))
		return fail(path);
	page = mmap(NULL, sizeof(text), PROT_READ, MAP_PRIVATE, fd, 0);
	if (page == MAP_FAILED)
		return fail("mmap");
	execl(self, "calls", page, page + 4, (char *)NULL);
	return fail("execl");
}

static void *start_from_thread(void *arg)
{
	(void)arg;
	execl(self, "calls", "end", "of a thread", (char *)NULL);
	return NULL;
}

static int from_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, start_from_thread, NULL) == 0)
		pthread_join(thread, NULL);
	return fail("execl");
}

static int by_descriptor(void)
{
	char *argv[] = { "calls", "end", "by descriptor", NULL };
	int fd = open(self, O_PATH | O_CLOEXEC);

	syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
	return fail("execveat");
}

static int missing(void)
{
	execl("/nonexistent", "not", "there", (char *)NULL);
	return errno == ENOENT ? 0 : fail("execl");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (strcmp(what, "end") == 0)
		return 0;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return fail("/proc/self/exe");
	if (strcmp(what, "getppid") == 0)
		return call_getppid(n);
	if (strcmp(what, "names") == 0)
		return call_under_names(n);
	if (strcmp(what, "moving") == 0)
		return call_while_moving(argc > 2 ? argv[2] : "0");
	if (strcmp(what, "bpf") == 0)
		return call_bpf(n);
	if (strcmp(what, "storm") == 0)
		return storm(n);
	if (strcmp(what, "arguments") == 0)
		return many_arguments(n, argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
	if (strcmp(what, "untouched") == 0)
		return untouched();
	if (strcmp(what, "thread") == 0)
		return from_thread();
	if (strcmp(what, "descriptor") == 0)
		return by_descriptor();
	if (strcmp(what, "missing") == 0)
		return missing();
	fprintf(stderr, "usage: see the head of tests/workloads/calls.c\n");
	return 2;
}
