// SPDX-License-Identifier: Apache-2.0
/*
 * What a read of the counters costs besides the system calls, and what they take in memory: on a
 * machine that is made up, with a kernel that answers at once.
 *
 * usage: counting CPUS EVENTS READS    prints microseconds a read, sums included, and bytes a CPU
 */
#include <malloc.h>
#include <stdint.h>
#include <time.h>

#include "../unit/pmu_tree.h"
#include "pmu/counter.h"
#include "pmu/counter_sum.h"

#define SYSTEM "../../../devices/system/cpu/"

/* The kernel: every descriptor counts with the time. */
struct kernel {
	int files;
	uint64_t now_ns;
};

static int answer_open(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata)
{
	(void)attr;
	(void)t;
	return ((struct kernel *)userdata)->files++;
}

static int answer_ioctl(int fd, unsigned long request, unsigned long argument, void *userdata)
{
	(void)fd;
	(void)request;
	(void)argument;
	(void)userdata;
	return 0;
}

/* {number, enabled, running, values}: of as many events as there is room for. */
static ssize_t answer_read(int fd, void *buffer, size_t size, void *userdata)
{
	const struct kernel *k = userdata;
	uint64_t *words = buffer;
	size_t n = size / sizeof(*words);

	(void)fd;
	for (size_t i = 0; i < n; i++)
		words[i] = k->now_ns;
	words[0] = n - 3;
	return (ssize_t)size;
}

static void answer_close(int fd, void *userdata)
{
	(void)fd;
	(void)userdata;
}

static int answer_affinity(const cpu_set_t *set, size_t size, void *userdata)
{
	(void)set;
	(void)size;
	(void)userdata;
	return 0;
}

static int answer_reserve(size_t n, void *userdata)
{
	(void)n;
	(void)userdata;
	return 0;
}

static uint64_t answer_now(void *userdata)
{
	return ((struct kernel *)userdata)->now_ns;
}

static char *make_machine(int cpus)
{
	char *root = tree_new(NULL, 0), path[100], text[32];

	tree_write(root, "cpu/type", "4\n");
	snprintf(text, sizeof(text), "0-%d\n", cpus - 1);
	tree_write(root, SYSTEM "online", text);
	for (int cpu = 0; cpu < cpus; cpu++) {
		snprintf(path, sizeof(path), SYSTEM "cpu%d/topology/physical_package_id", cpu);
		snprintf(text, sizeof(text), "%d\n", cpu * 2 / cpus);
		tree_write(root, path, text);
		snprintf(path, sizeof(path), SYSTEM "cpu%d/topology/core_id", cpu);
		snprintf(text, sizeof(text), "%d\n", cpu / 2);
		tree_write(root, path, text);
	}
	return root;
}

static struct pmu_counters *open_counters(const struct pmu_counters_options *o, int events)
{
	struct pmu_counters *c = NULL;
	char specs[400] = "", *error = NULL;

	for (int i = 0; i < events; i++)
		snprintf(specs + strlen(specs), sizeof(specs) - strlen(specs), "%sr%x",
			 i ? "," : "", 0x100 + i);
	assert(pmu_counters_new(o, &c) == 0);
	assert(pmu_counters_add(c, specs, 1, 0, NULL, NULL, &error) == 0);
	assert(pmu_counters_open(c, &error) == 0);
	assert(pmu_counters_start(c) == 0);
	return c;
}

static double read_once(struct pmu_counters *c, struct kernel *k)
{
	const struct pmu_count *counts;
	struct pmu_sum *sums;
	struct timespec start, end;
	size_t n, n_sums;

	k->now_ns += 1000000000;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	assert(pmu_counters_read(c, &counts, &n) == 0);
	assert(pmu_sum_counts(c, counts, n, PMU_SUM_SOCKET, &sums, &n_sums) == 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	assert(n_sums > 0 && sums[0].error == 0);
	free(sums);
	return (double)(end.tv_sec - start.tv_sec) * 1e6 +
	       (double)(end.tv_nsec - start.tv_nsec) / 1e3;
}

static size_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

int main(int argc, char **argv)
{
	struct kernel k = { .files = 1000, .now_ns = 1 };
	const struct perf_ops ops = {
		.open = answer_open,
		.ioctl = answer_ioctl,
		.read = answer_read,
		.close = answer_close,
		.set_affinity = answer_affinity,
		.reserve_files = answer_reserve,
		.now_ns = answer_now,
		.userdata = &k,
	};
	int cpus = argc > 1 ? atoi(argv[1]) : 72, events = argc > 2 ? atoi(argv[2]) : 8;
	int reads = argc > 3 ? atoi(argv[3]) : 100;
	struct pmu_counters_options o = { .ops = &ops };
	char *root = make_machine(cpus);
	struct pmu_counters *c;
	double us = 0;
	size_t before;

	o.sysfs = root;
	before = allocated();
	c = open_counters(&o, events);
	(void)read_once(c, &k);
	before = allocated() - before;
	for (int i = 0; i < reads; i++)
		us += read_once(c, &k);
	printf("%.1f %zu\n", us / reads, before / (size_t)cpus);
	pmu_counters_free(c);
	tree_free(root);
	return 0;
}
