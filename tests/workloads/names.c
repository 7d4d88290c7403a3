// SPDX-License-Identifier: Apache-2.0
/*
 * Threads, programs and files with names that want to be markup, terminal commands or separators.
 *
 *   names DIRECTORY SECONDS    copies itself into DIRECTORY under each hostile name, runs the
 * copies one after another for SECONDS each, with a thread of the same name
 *
 * Prints the number of names. Thread names are cut to 15 bytes by the kernel.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
	"new\nline",
	"\033[31mred\033[2J",
	"semi;colon;7",
	"quote\"and'",
	"\xff\xfe\x80 bytes",
	"<script>x()",
	"&lt;b>&amp;",
	"back\\slash\t",
	") R 1 (paren",
	" blanks 42 ",
	"caf\xc3\xa9\xe2\x80\xa8",
	"${IFS}`id`%n%s",
	"\xc2\x9b"
	"31mc1",
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static __attribute__((noinline)) void burn_under_a_name(double seconds)
{
	double end = now() + seconds;
	volatile uint64_t x = 1;

	while (now() < end)
		for (int i = 0; i < 1000; i++)
			x = x * 31 + 7;
}

struct life {
	const char *name;
	double seconds;
};

static void *run_thread(void *argument)
{
	const struct life *life = argument;

	prctl(PR_SET_NAME, life->name);
	burn_under_a_name(life->seconds);
	return NULL;
}

static int copy_self(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to;
	struct stat st;
	off_t left;
	int r = -1;

	if (from < 0 || fstat(from, &st) < 0)
		return -1;
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	for (left = st.st_size; to >= 0 && left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n <= 0)
			break;
		left -= n;
	}
	if (to >= 0 && left == 0)
		r = 0;
	close(to);
	close(from);
	return r;
}

static int run_copy(const char *directory, size_t i, char *seconds)
{
	char path[4096], number[16];
	char *arguments[] = { path, "child", number, seconds, NULL };
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
	snprintf(number, sizeof(number), "%zu", i);
	if (copy_self(path) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		execv(path, arguments);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int child(size_t i, double seconds)
{
	struct life life = { .name = names[i], .seconds = seconds };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_thread, &life) != 0)
		return 1;
	burn_under_a_name(seconds);
	pthread_join(thread, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "child") == 0 && strtoul(argv[2], NULL, 10) < N_NAMES)
		return child(strtoul(argv[2], NULL, 10), atof(argv[3]));
	if (argc != 3) {
		fprintf(stderr, "usage: names DIRECTORY SECONDS\n");
		return 2;
	}
	for (size_t i = 0; i < N_NAMES; i++)
		if (run_copy(argv[1], i, argv[2]) < 0)
			return 1;
	printf("%zu\n", N_NAMES);
	return 0;
}
