// SPDX-License-Identifier: Apache-2.0
/*
 * CPU time of one pass of a collector that walks through all processes.
 *
 * usage: walk COLLECTOR fixture N PASSES    over N processes that are files in /dev/shm
 *        walk COLLECTOR proc N PASSES       over /proc, with N more that sleep
 *
 * Prints the microseconds of the first pass and of those after it in the mean, and open
 * descriptors.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/collector.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct walk {
	const struct collector *collector;
	void *state;
	char tree[64]; /* "": none was made */
	pid_t *sleepers;
	unsigned int n;
	uint64_t now_ns;
};

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* --- what is walked through --- */

static void put_file(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) == EOF)
		perror(path);
}

static void put_processes(struct walk *w)
{
	char path[128], text[512];

	strcpy(w->tree, "/dev/shm/walk.XXXXXX");
	if (!mkdtemp(w->tree))
		perror(w->tree);
	snprintf(path, sizeof(path), "%s/stat", w->tree);
	put_file(path, "btime 1700000000\n");
	for (unsigned int pid = 1; pid <= w->n; pid++) {
		snprintf(path, sizeof(path), "%s/%u", w->tree, pid);
		(void)mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/%u/stat", w->tree, pid);
		snprintf(text, sizeof(text),
			 "%u (worker) S 1 %u %u 0 -1 4194624 1208 0 0 0 %u 41 0 0 20 0 1 0 8123 "
			 "231768064 2345 18446744073709551615 1 1 0 0 0 0 0 4096 81922 0 0 0 17 1 "
			 "0 0 0 "
			 "0 0 0 0 0 0 0 0 0 0\n",
			 pid, pid, pid, pid);
		put_file(path, text);
	}
}

static void remove_processes(const struct walk *w)
{
	char path[128];

	for (unsigned int pid = 1; pid <= w->n; pid++) {
		snprintf(path, sizeof(path), "%s/%u/stat", w->tree, pid);
		(void)unlink(path);
		snprintf(path, sizeof(path), "%s/%u", w->tree, pid);
		(void)rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/stat", w->tree);
	(void)unlink(path);
	(void)rmdir(w->tree);
}

/* They go with this program, however it ends. */
static void start_sleepers(struct walk *w)
{
	for (unsigned int i = 0; i < w->n; i++) {
		w->sleepers[i] = fork();
		if (w->sleepers[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		if (w->sleepers[i] < 0)
			perror("walk: fork");
	}
}

static void end_sleepers(const struct walk *w)
{
	for (unsigned int i = 0; i < w->n; i++)
		if (w->sleepers[i] > 0)
			(void)kill(w->sleepers[i], SIGKILL);
	while (wait(NULL) > 0)
		;
}

/* --- measuring --- */

static size_t descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void pass(struct walk *w)
{
	struct rows rows;

	rows_init(&rows, w->collector->tables, w->now_ns);
	w->now_ns += NSEC_PER_SEC;
	(void)w->collector->read(w->state, &rows);
	rows_done(&rows);
}

static int measure(struct walk *w, unsigned int passes)
{
	struct collector_settings settings = {
		.interval_ns = NSEC_PER_SEC,
		.procfs = w->tree[0] ? w->tree : (char *)"/proc",
		.sysfs = (char *)"/sys",
		.dev = (char *)"/dev",
		.top = w->collector->top,
		.delta_min_ns = 100 * NSEC_PER_MSEC,
		.delta_max_ns = 300 * NSEC_PER_SEC,
	};
	_cleanup_free_ char *error = NULL;
	double start, first;

	if (w->collector->open(&settings, &w->state, &error) < 0) {
		fprintf(stderr, "walk: %s\n", error ? error : "the collector cannot be opened");
		return 1;
	}
	start = cpu_us();
	pass(w);
	first = cpu_us() - start;
	pass(w);
	start = cpu_us();
	for (unsigned int i = 0; i < passes; i++)
		pass(w);
	printf("%.0f %.0f %zu\n", first, (cpu_us() - start) / passes, descriptors());
	w->collector->close(w->state);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int passes = argc == 5 ? (unsigned int)atoi(argv[4]) : 0;
	struct walk w = { .now_ns = 1000 * NSEC_PER_SEC };
	struct rlimit limit;
	int r;

	if (passes)
		w.collector = collector_find(argv[1]);
	if (!w.collector) {
		fprintf(stderr, "usage: walk COLLECTOR fixture|proc N PASSES\n");
		return 2;
	}
	/* As the daemon does. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	w.n = (unsigned int)atoi(argv[3]);
	w.sleepers = calloc(w.n + 1, sizeof(*w.sleepers));
	if (!w.sleepers)
		return 1;
	if (strcmp(argv[2], "fixture") == 0)
		put_processes(&w);
	else
		start_sleepers(&w);
	r = measure(&w, passes);
	if (w.tree[0])
		remove_processes(&w);
	else
		end_sleepers(&w);
	free(w.sleepers);
	return r;
}
