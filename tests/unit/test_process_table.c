// SPDX-License-Identifier: Apache-2.0
// The process table knows at every moment which process a pid was, what it was called and what it
// had mapped, from records and /proc alike.
#include "process_fixture.h"

#include <errno.h>

#define MS NSEC_PER_MSEC

static const struct mapping *find(struct process *p, uint64_t address)
{
	return mappings_find(p->mappings, address);
}

static struct process *get(struct fixture *f, uint32_t pid, uint64_t time)
{
	struct process *p = process_table_get(f->table, pid, 0, time);

	assert_non_null(p);
	return p;
}

// fork, exec, mmap and exit in one stream give the right answer for every time in between.
static void test_life(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	uint64_t t;
	struct process *p;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){
				    .pid = 100,
				    .ppid = 1,
				    .comm = "bash",
				    .exe = "/bin/bash",
				    .cgroup = "0::/system.slice/a.service\n",
				    .start_ns = t - 5000 * MS,
				    .maps = "1000-3000 r-xp 00000000 08:01 11 /bin/bash\n"
					    "5000-6000 rw-p 00000000 08:01 11 /bin/bash\n",
			    });
	assert_int_equal(process_table_scan(f.table), 0);
	assert_int_equal(process_table_size(f.table), 2); /* with the idle task */
	put_fork(&f, 200, 100, t + 1 * MS);
	put_comm(&f, 200, 200, "tool", true, t + 2 * MS);
	put_mmap(&f, 200, 0x400000, 0x2000, "/usr/bin/tool", 7, 0, t + 2 * MS);
	put_mmap(&f, 200, 0x7f0000000000, 0x1000, "[vdso]", 0, 0, t + 2 * MS);
	put_mmap(&f, 200, 0x7f1000000000, 0x1000, "//anon", 0, 0, t + 3 * MS);
	p = get(&f, 100, t + 4 * MS);
	assert_string_equal(p->comm, "bash");
	assert_string_equal(p->exe, "/bin/bash");
	assert_string_equal(p->unit, "a.service");
	assert_int_equal(p->ppid, 1);
	assert_true(p->start_ns <= t - 5000 * MS && p->start_ns > t - 5011 * MS);
	assert_non_null(find(p, 0x1000));
	assert_null(find(p, 0x5000)); /* data */
	p = get(&f, 200, t + 4 * MS);
	assert_string_equal(p->comm, "tool");
	assert_string_equal(p->exe, "/usr/bin/tool");
	assert_string_equal(p->unit, "a.service"); /* of its parent: nothing else is known */
	assert_int_equal(p->start_ns, t + 1 * MS);
	assert_null(find(p, 0x1000));
	assert_int_equal(find(p, 0x400fff)->object->build_id[19], 7);
	assert_int_equal(find(p, 0x400fff)->pgoff, 0x1000);
	assert_int_equal(find(p, 0x7f0000000000)->object->kind, OBJECT_VDSO);
	assert_int_equal(find(p, 0x7f1000000000)->object->kind, OBJECT_ANON);
	assert_int_equal(find(p, 0x7f1000000000)->pgoff, 0x7f1000000000);
	put_exit(&f, 200, 200, t + 5 * MS);
	assert_int_equal(f.last_gone, 200);
	assert_ptr_equal(get(&f, 200, t + 6 * MS), p);
	assert_int_equal(p->exit_ns, t + 5 * MS);
	process_table_forget(f.table, t + 5 * MS);
	assert_int_equal(process_table_size(f.table), 3);
	process_table_forget(f.table, t + 1000 * MS);
	assert_int_equal(process_table_size(f.table), 2);
	assert_int_equal(process_table_missed(f.table), 0);
}

// A child shares its parent's mappings until one of the two changes them.
static void test_fork_shares(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *parent, *child;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 10, 9, t);
	put_comm(&f, 10, 10, "p", true, t + 1);
	put_mmap(&f, 10, 0x1000, 0x1000, "/bin/p", 1, 0, t + 2);
	put_fork(&f, 11, 10, t + 3);
	parent = get(&f, 10, t + 4);
	child = get(&f, 11, t + 4);
	assert_ptr_equal(parent->mappings, child->mappings);
	assert_string_equal(child->comm, "p");
	assert_string_equal(child->exe, "/bin/p");
	parent->written_mappings = parent->mappings;
	child->written_mappings = child->mappings;
	put_mmap(&f, 11, 0x9000, 0x1000, "/lib/x", 2, 0, t + 5);
	assert_null(find(parent, 0x9000));
	assert_non_null(find(child, 0x9000));
	assert_non_null(find(child, 0x1000));
	assert_ptr_equal(parent->written_mappings, parent->mappings);
	assert_null(child->written_mappings);
	put_comm(&f, 11, 11, "q", true, t + 6);
	assert_null(child->mappings);
	assert_non_null(find(parent, 0x1000));
	assert_string_equal(child->exe, "");
}

// A pid that is used again belongs to whom it belonged to at the time asked about.
static void test_pid_reuse(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *first, *second;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 50, 1, t);
	put_comm(&f, 50, 50, "first", true, t + 1);
	put_exit(&f, 50, 50, t + 10 * MS);
	put_fork(&f, 50, 1, t + 11 * MS);
	put_comm(&f, 50, 50, "second", true, t + 12 * MS);
	first = get(&f, 50, t + 9 * MS);
	second = get(&f, 50, t + 13 * MS);
	assert_string_equal(first->comm, "first");
	assert_string_equal(second->comm, "second");
	assert_ptr_equal(get(&f, 50, t + 10 * MS), first);
	/* An exit that was never reported: the next fork ends the one before. */
	put_fork(&f, 50, 1, t + 20 * MS);
	assert_int_equal(second->exit_ns, t + 20 * MS);
	assert_int_equal(first->exit_ns, t + 10 * MS);
	/* Somebody who had the pid before anything was known is neither of them. */
	assert_string_equal(get(&f, 50, t - 5 * MS)->comm, "");
	assert_int_equal(process_table_missed(f.table), 1);
}

// A process ends with its last thread, in whatever order they end; exec ends the others.
static void test_threads(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 60, 1, t);
	put_thread(&f, 60, 61, t + 1);
	put_thread(&f, 60, 62, t + 2);
	p = get(&f, 60, t + 3);
	put_comm(&f, 60, 61, "worker", false, t + 3);
	assert_string_equal(p->comm, ""); /* a thread's name is not the process's */
	put_exit(&f, 60, 60, t + 4);
	put_exit(&f, 60, 62, t + 5);
	assert_int_equal(p->exit_ns, 0);
	put_exit(&f, 60, 61, t + 6);
	assert_int_equal(p->exit_ns, t + 6);

	put_fork(&f, 70, 1, t);
	put_thread(&f, 70, 71, t + 1);
	p = get(&f, 70, t + 3);
	put_exit(&f, 70, 70, t + 4); /* thread 71 executes: it takes the leader's place */
	put_comm(&f, 70, 70, "new", true, t + 5);
	assert_int_equal(p->exit_ns, 0);
	put_exit(&f, 70, 70, t + 6);
	assert_int_equal(p->exit_ns, t + 6);
	assert_int_equal(process_table_size(f.table), 3);
}

// Threads that came and went before /proc was read are in its count already.
static void test_threads_of_scan(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){
				    .pid = 80, .comm = "x", .threads = 2, .start_ns = t - 9 * MS });
	process_table_scan(f.table);
	put_thread(&f, 80, 81, t - 5 * MS); /* late records of what the scan saw */
	put_thread(&f, 80, 82, t - 4 * MS);
	put_exit(&f, 80, 82, t - 3 * MS);
	p = get(&f, 80, t + 10000 * MS);
	put_exit(&f, 80, 81, t + 10000 * MS);
	assert_int_equal(p->exit_ns, 0);
	put_exit(&f, 80, 80, t + 10001 * MS);
	assert_int_equal(p->exit_ns, t + 10001 * MS);
}

// A leader that ended while a thread was miscounted is swept once /proc has forgotten it.
static void test_leader_swept(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){
				    .pid = 80, .comm = "x", .threads = 3, .start_ns = t - 9 * MS });
	process_table_scan(f.table);
	put_exit(&f, 80, 80, t + 20000 * MS);
	process_table_forget(f.table, t + 30000 * MS);
	assert_int_equal(process_table_size(f.table), 2);
	fixture_remove_process(&f, 80);
	process_table_forget(f.table, t + 31000 * MS);
	process_table_forget(f.table, t + 32000 * MS);
	assert_int_equal(process_table_size(f.table), 1);
}

// The record of a fork that the scan has seen already makes no second process.
static void test_scan_and_record(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){
				    .pid = 90,
				    .ppid = 7,
				    .comm = "x",
				    .start_ns = t - 30 * MS,
				    .maps = "1000-2000 r-xp 00000000 08:01 11 /bin/x\n",
			    });
	process_table_scan(f.table);
	p = get(&f, 90, t);
	put_fork(&f, 90, 8, t - 30 * MS + 1);
	assert_int_equal(process_table_size(f.table), 2);
	assert_ptr_equal(get(&f, 90, t), p);
	assert_non_null(find(p, 0x1000));
	assert_int_equal(p->ppid, 8);
	put_fork(&f, 90, 8, t + 1000 * MS); /* that one is another */
	assert_int_equal(process_table_size(f.table), 3);
}

// A pid nobody announced is read from /proc; one that is gone gets a placeholder, once.
static void test_unknown(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){
				    .pid = 33,
				    .comm = "a) R 1 (\n\x1b\xff",
				    .exe = "/opt/x (deleted)",
				    .start_ns = t - 100 * MS,
				    .cgroup = "1:name=systemd:/docker/0123456789abcdef\n0::/\n",
				    .maps = "1000-2000 r-xp 00000000 08:01 11 /opt/x (deleted)\n",
			    });
	p = get(&f, 33, t);
	assert_string_equal(p->comm, "a) R 1 (\n\x1b\xff");
	assert_string_equal(p->exe, "/opt/x");
	assert_string_equal(p->container, "0123456789abcdef");
	assert_string_equal(find(p, 0x1000)->object->path, "/opt/x");
	assert_int_equal(process_table_missed(f.table), 0);
	p = get(&f, 34, t);
	assert_int_equal(p->pid, 34);
	assert_string_equal(p->comm, "");
	assert_null(p->mappings);
	assert_ptr_equal(get(&f, 34, t + 1), p);
	assert_int_equal(process_table_missed(f.table), 1);
	/* Who has the pid now started after the sample: it was somebody else. */
	fixture_process(&f, &(struct fixture_process){
				    .pid = 35, .comm = "late", .start_ns = t + 500 * MS });
	assert_string_equal(get(&f, 35, t)->comm, "");
	assert_int_equal(process_table_missed(f.table), 2);
	/* A zombie has a name, but nothing else any more. */
	fixture_process(&f, &(struct fixture_process){
				    .pid = 36, .comm = "z", .state = 'Z', .start_ns = t - 1 });
	get(&f, 36, t);
	assert_int_equal(process_table_missed(f.table), 3);
	process_table_forget(f.table, t + 1000 * MS);
	assert_int_equal(process_table_size(f.table), 2);
}

// The child of an unknown parent is read from /proc when its first sample comes.
static void test_unknown_parent(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 44, 43, t);
	put_fork(&f, 45, 43, t);
	fixture_process(&f, &(struct fixture_process){
				    .pid = 44,
				    .comm = "child",
				    .exe = "/bin/child",
				    .start_ns = t,
				    .maps = "1000-2000 r-xp 00000000 08:01 11 /bin/child\n",
			    });
	assert_string_equal(get(&f, 44, t + 1)->comm, "child");
	assert_non_null(find(get(&f, 44, t + 1), 0x1000));
	assert_int_equal(get(&f, 44, t + 1)->start_ns, t);
	assert_string_equal(get(&f, 45, t + 1)->comm, "");
	assert_int_equal(process_table_missed(f.table), 1);
}

// Kernel threads have a name and no more; a helper that executes a program is none any longer.
static void test_kernel_threads(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){ .pid = 2,
						       .comm = "kthreadd",
						       .flags = 0x208040,
						       .start_ns = t - 100 * MS });
	process_table_scan(f.table);
	put_fork(&f, 77, 2, t);
	put_comm(&f, 77, 77, "kworker/0:1", false, t + 1);
	p = get(&f, 77, t + 2);
	assert_true(p->kernel);
	assert_string_equal(p->comm, "kworker/0:1");
	assert_string_equal(p->exe, "");
	put_comm(&f, 77, 77, "modprobe", true, t + 3);
	assert_false(p->kernel);
	p = get(&f, 0, t);
	assert_true(p->kernel);
	assert_string_equal(p->comm, "swapper");
}

// The generation moves with every name and label, and with nothing else.
static void test_generation(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t, g;

	(void)state;
	fixture_init(&f);
	t = f.now;
	fixture_process(&f, &(struct fixture_process){ .pid = 5,
						       .comm = "x",
						       .start_ns = t - 100 * MS,
						       .cgroup = "0::/a.service\n" });
	process_table_scan(f.table);
	p = process_table_get(f.table, 5, 1, t);
	g = p->generation;
	p = process_table_get(f.table, 5, 1, t + 1);
	assert_int_equal(p->generation, g);
	put_mmap(&f, 5, 0x1000, 0x1000, "/lib/x", 2, 0, t + 5);
	put_comm(&f, 5, 5, "x", false, t + 6);
	assert_int_equal(p->generation, g);
	put_comm(&f, 5, 5, "y", false, t + 7);
	assert_true(p->generation > g);
	g = p->generation;
	fixture_file(&f, 5, "cgroup", "0::/b.service\n");
	process_table_get(f.table, 5, 2, t + 2000 * MS);
	assert_string_equal(p->unit, "b.service");
	assert_int_equal(p->cgroup_id, 2);
	assert_true(p->generation > g);
	/* Threads in two cgroups: the labels do not flap with every sample. */
	g = p->generation;
	fixture_file(&f, 5, "cgroup", "0::/c.service\n");
	process_table_get(f.table, 5, 3, t + 2001 * MS);
	assert_string_equal(p->unit, "b.service");
	assert_int_equal(p->generation, g);
	process_table_get(f.table, 5, 3, t + 3001 * MS);
	assert_string_equal(p->unit, "c.service");
}

// After lost records everything is read anew before it is given out, and what has gone is swept.
static void test_lost(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process_table_stats stats;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 21, 1, t);
	put_comm(&f, 21, 21, "old", true, t + 1);
	put_fork(&f, 22, 1, t);
	put_fork(&f, 23, 1, t);
	raw_begin(&f, PERF_RECORD_LOST, 0);
	raw_u64(&f, 1);
	raw_u64(&f, 12);
	assert_int_equal(raw_apply(&f, 0, 0, t + 2), 0);
	process_table_get_stats(f.table, &stats);
	assert_int_equal(stats.lost, 12);
	fixture_process(&f, &(struct fixture_process){
				    .pid = 21,
				    .comm = "new",
				    .start_ns = t,
				    .maps = "1000-2000 r-xp 00000000 08:01 11 /bin/new\n" });
	fixture_process(&f, &(struct fixture_process){
				    .pid = 22, .comm = "other", .start_ns = t + 100 * MS });
	p = get(&f, 21, t + 200 * MS);
	assert_string_equal(p->comm, "new");
	assert_non_null(find(p, 0x1000));
	assert_int_equal(p->start_ns, t);
	p = get(&f, 22, t + 200 * MS);
	assert_string_equal(p->comm, "other");
	assert_int_equal(process_table_size(f.table), 5);
	process_table_forget(f.table, t + 300 * MS); /* 23 has no /proc entry */
	process_table_forget(f.table, t + 3000 * MS);
	assert_int_equal(process_table_size(f.table), 3);
}

// A damaged record is refused whatever it says, at every length, and reads nothing beyond its end.
static void test_damaged_records(void **state)
{
	static const uint32_t types[] = { PERF_RECORD_FORK, PERF_RECORD_EXIT, PERF_RECORD_COMM,
					  PERF_RECORD_MMAP2, PERF_RECORD_LOST };
	static const size_t least[] = { 32, 32, 16 + 24 + 1, 72 + 24 + 1, 24 };
	_cleanup_(fixture_done) struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (size_t size = sizeof(struct perf_event_header); size < 200; size++) {
			struct perf_event_header h = { .type = types[i], .size = (uint16_t)size };
			_cleanup_free_ uint8_t *record = malloc(size);
			int r;

			memset(record, 0x41, size); /* no string ends */
			memcpy(record, &h, sizeof(h));
			r = process_table_apply(f.table, (struct perf_event_header *)record);
			if (size < least[i] || types[i] == PERF_RECORD_COMM ||
			    types[i] == PERF_RECORD_MMAP2)
				assert_int_equal(r, -EBADMSG);
		}
}

// A fork storm leaves nothing behind, and every short life is found by its time.
static void test_fork_storm(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 1000, 1, t);
	put_comm(&f, 1000, 1000, "make", true, t + 1);
	put_mmap(&f, 1000, 0x1000, 0x1000, "/bin/make", 1, 0, t + 2);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t pid = 2000 + i % 500;
		uint64_t at = t + (i + 1) * MS;
		struct process *p;

		put_fork(&f, pid, 1000, at);
		if (i % 2) {
			put_comm(&f, pid, pid, "cc", true, at + 1000);
			put_mmap(&f, pid, 0x2000, 0x1000, "/bin/cc", 2, 0, at + 2000);
		}
		put_exit(&f, pid, pid, at + 3000);
		p = get(&f, pid, at + 2500);
		assert_int_equal(p->start_ns, at);
		assert_string_equal(p->comm, i % 2 ? "cc" : "make");
		assert_non_null(find(p, i % 2 ? 0x2000 : 0x1000));
		if (i % 100 == 0)
			process_table_forget(f.table, at);
		assert_true(process_table_size(f.table) < 310);
	}
	process_table_forget(f.table, t + 30000 * MS);
	assert_int_equal(process_table_size(f.table), 2);
	assert_int_equal(process_table_missed(f.table), 0);
}

// A program that maps code at ever new places is measured against /proc before its list grows on.
static void test_purge(void **state)
{
	_cleanup_(fixture_done) struct fixture f;
	struct process *p;
	uint64_t t;

	(void)state;
	fixture_init(&f);
	t = f.now;
	put_fork(&f, 300, 1, t);
	put_comm(&f, 300, 300, "jit", true, t + 1);
	fixture_process(&f, &(struct fixture_process){
				    .pid = 300,
				    .comm = "jit",
				    .start_ns = t,
				    .maps = "1000-2000 r-xp 00000000 08:01 11 /bin/jit\n" });
	for (uint64_t i = 0; i < 100000; i++) {
		put_mmap(&f, 300, 0x100000 + i * 0x2000, 0x1000, "//anon", 0, 0, t + 2 + i);
		p = get(&f, 300, t + 2 + i);
		assert_true(p->mappings->n <= 1024);
	}
	assert_non_null(find(p, 0x1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_fork_shares),
		cmocka_unit_test(test_pid_reuse),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_threads_of_scan),
		cmocka_unit_test(test_leader_swept),
		cmocka_unit_test(test_scan_and_record),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_unknown_parent),
		cmocka_unit_test(test_kernel_threads),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_damaged_records),
		cmocka_unit_test(test_fork_storm),
		cmocka_unit_test(test_purge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
