// SPDX-License-Identifier: Apache-2.0
/* Our sideband leaves the records of other perf users as they would be without it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/build_id_leak.h"
#include "process/sideband.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/perf_ring.h"

static int open_neighbour(pid_t pid, int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_DUMMY,
					.exclude_kernel = 1,
					.mmap = 1,
					.mmap2 = 1 };

	return (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void map_ourselves(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	assert_true(memory != MAP_FAILED);
	munmap(memory, size);
	close(fd);
}

struct seen {
	unsigned int mappings, marked;
};

static struct seen look(struct perf_ring *ring)
{
	const struct perf_event_header *h;
	struct seen seen = { 0 };

	perf_ring_refresh(ring);
	while ((h = perf_ring_peek(ring))) {
		if (h->type == PERF_RECORD_MMAP2) {
			seen.mappings++;
			seen.marked += !!(h->misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
		}
		perf_ring_pop(ring);
	}
	perf_ring_commit(ring);
	return seen;
}

/* Neither a system-wide event nor one of a task, both older than the sideband, gets a record that
 * claims a build-id nobody asked for there. */
static void test_neighbours(void **state)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct perf_ring ring[2] = { { 0 }, { 0 } };
	int fds[2], cpu = sched_getcpu();
	struct sideband *sideband;
	char *error = NULL;

	(void)state;
	stay_on(cpu);
	fds[0] = open_neighbour(0, -1);
	fds[1] = open_neighbour(-1, cpu);
	if (fds[0] < 0 || fds[1] < 0) {
		print_message("no right to open events of the whole host\n");
		skip();
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(perf_ring_open(&ring[i], fds[i], size), 0);
	map_ourselves();
	if (look(&ring[0]).marked || look(&ring[1]).marked) {
		print_message("another profiler on this host marks the records already\n");
		skip();
	}
	assert_int_equal(
		sideband_open(&(struct sideband_options){ .pid = -1 }, &cpu, 1, &sideband, &error),
		0);
	/* What the probe maps is marked for profilers of this very task, and for nobody else. */
	(void)look(&ring[0]);
	map_ourselves();
	for (size_t i = 0; i < 2; i++) {
		struct seen seen = look(&ring[i]);

		assert_true(seen.mappings >= 1);
		assert_int_equal(seen.marked, 0);
		perf_ring_done(&ring[i]);
		close(fds[i]);
	}
	sideband_close(sideband);
}

/* Another profiler's event that hears of BPF programs. */
static int open_listener(int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_DUMMY,
					.sample_type = SIDEBAND_SAMPLE_TYPE,
					.exclude_kernel = 1,
					.sample_id_all = 1,
					.ksymbol = 1,
					.bpf_event = 1 };

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int load_program(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "neighbour", "GPL", code, 2, NULL);
}

/* Records of BPF programs are too long where others listen, before us or after us; their times are
 * those of the load all the same. */
static void test_listeners(void **state)
{
	int fds[3], cpu = sched_getcpu(), program;
	const struct perf_event_header *h;
	unsigned int ksymbols = 0, programs = 0;
	uint64_t before, after;
	struct perf_ring *ring;
	struct sideband *sideband;
	char *error = NULL;
	size_t n;

	(void)state;
	stay_on(cpu);
	fds[0] = open_listener(cpu);
	if (fds[0] < 0) {
		print_message(
			"no right to open events of the whole host, or a kernel before 5.1\n");
		skip();
	}
	assert_int_equal(
		sideband_open(&(struct sideband_options){ .pid = -1 }, &cpu, 1, &sideband, &error),
		0);
	fds[1] = open_listener(cpu);
	fds[2] = open_listener(cpu);
	before = now_ns();
	program = load_program();
	after = now_ns();
	if (program < 0) {
		print_message("no right to load a BPF program\n");
		sideband_close(sideband);
		skip();
	}
	ring = sideband_rings(sideband, &n);
	perf_ring_refresh(ring);
	while ((h = perf_ring_peek(ring))) {
		struct sideband_ksymbol k;
		uint64_t time = sideband_record_time(h);

		if (sideband_get_ksymbol(h, &k) && strstr(k.name, "neighbour")) {
			ksymbols++;
			assert_in_range(time, before, after);
		}
		if (h->type == PERF_RECORD_BPF_EVENT && time >= before)
			programs++;
		assert_true(time <= now_ns());
		perf_ring_pop(ring);
	}
	assert_true(ksymbols >= 1);
	assert_true(programs >= 1);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	close(program);
	sideband_close(sideband);
}

/* The probe answers without privilege, and the same twice. */
static void test_probe(void **state)
{
	int first = host_build_id_leaks();

	(void)state;
	if (first == -EACCES || first == -EPERM) {
		print_message("not even events of this process may be opened\n");
		skip();
	}
	assert_true(first == 0 || first == 1 || first == -EINVAL);
	assert_int_equal(host_build_id_leaks(), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
