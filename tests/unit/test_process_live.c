// SPDX-License-Identifier: Apache-2.0
// On the running kernel: what a child does is what the sideband says, no more and no less, and the
// table makes of it what /proc shows.
#include "process/process.h"
#include "process/sideband.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/cpus.h"
#include "process/labels.h"
#include "symbols/build_id.h"
#include "util/cleanup.h"

#define MAX_RECORDS 4096

struct collected {
	struct perf_event_header *list[MAX_RECORDS];
	size_t n;
};

static void collected_done(struct collected *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i]);
}

static struct sideband *open_sideband(pid_t pid)
{
	_cleanup_free_ int *cpus = NULL;
	_cleanup_free_ char *error = NULL;
	struct sideband *s = NULL;
	size_t n;
	int r;

	assert_int_equal(host_cpus_online(NULL, &cpus, &n), 0);
	r = sideband_open(&(struct sideband_options){ .pid = pid }, cpus, n, &s, &error);
	if (r == -EACCES || r == -EPERM) {
		print_message("the sideband needs privilege: %s\n", error ?: "");
		skip();
	}
	if (r < 0)
		fail_msg("%s", error ?: strerror(-r));
	return s;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = sideband_record_time(*(struct perf_event_header *const *)a);
	uint64_t y = sideband_record_time(*(struct perf_event_header *const *)b);

	return (x > y) - (x < y);
}

/* Adds what is in the rings. */
static void drain(struct sideband *s, struct collected *c)
{
	size_t n;
	struct perf_ring *rings = sideband_rings(s, &n);

	for (size_t i = 0; i < n; i++) {
		const struct perf_event_header *h;

		perf_ring_refresh(&rings[i]);
		while ((h = perf_ring_peek(&rings[i]))) {
			if (c->n < MAX_RECORDS) {
				c->list[c->n] = malloc(h->size);
				memcpy(c->list[c->n++], h, h->size);
			}
			perf_ring_pop(&rings[i]);
		}
		perf_ring_commit(&rings[i]);
	}
	qsort(c->list, c->n, sizeof(c->list[0]), by_time);
}

static uint32_t pid_of(const struct perf_event_header *h)
{
	uint32_t pid;

	memcpy(&pid, h + 1, sizeof(pid));
	return pid;
}

/* One letter per record of the process: Fork, Thread, Comm, Exec, Map, eXit. */
static void life_of(const struct collected *c, uint32_t pid, char *out)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct perf_event_header *h = c->list[i];
		uint32_t ids[2];

		if (pid_of(h) != pid)
			continue;
		memcpy(ids, h + 1, sizeof(ids));
		if (h->type == PERF_RECORD_FORK)
			*out++ = ids[0] == ids[1] ? 'T' : 'F';
		else if (h->type == PERF_RECORD_COMM)
			*out++ = h->misc & PERF_RECORD_MISC_COMM_EXEC ? 'E' : 'C';
		else if (h->type == PERF_RECORD_MMAP2)
			*out++ = 'M';
		else if (h->type == PERF_RECORD_EXIT)
			*out++ = 'X';
	}
	*out = '\0';
}

/* A child that waits for a byte before it executes. */
static pid_t start_child(int *ret_go, const char *const *argv)
{
	int go[2];
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		if (read(go[0], &byte, 1) == 1)
			execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_true(pid > 0);
	close(go[0]);
	*ret_go = go[1];
	return pid;
}

static void release(int *go)
{
	assert_int_equal(write(*go, "x", 1), 1);
	*go = safe_close(*go);
}

static void wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void ask_readelf(const char *path, char out[64])
{
	char command[512];
	FILE *f;

	snprintf(command, sizeof(command), "readelf -n '%s' | sed -n 's/.*Build ID: //p'", path);
	f = popen(command, "r");
	assert_non_null(f);
	out[0] = '\0';
	if (fgets(out, 64, f))
		out[strcspn(out, "\n")] = '\0';
	pclose(f);
}

static void apply_all(struct process_table *t, const struct collected *c)
{
	for (size_t i = 0; i < c->n; i++)
		assert_int_equal(process_table_apply(t, c->list[i]), 0);
}

static void check_build_ids(const struct process *p, unsigned int least)
{
	unsigned int files = 0;

	assert_non_null(p->mappings);
	for (size_t i = 0; i < p->mappings->n; i++) {
		const struct object *o = p->mappings->list[i].object;
		char expected[64], found[2 * BUILD_ID_MAX + 1];
		struct build_id id = { .size = o->build_id_size };

		if (o->kind != OBJECT_FILE)
			continue;
		memcpy(id.bytes, o->build_id, BUILD_ID_MAX);
		ask_readelf(o->path, expected);
		assert_string_equal(build_id_format(&id, found), expected);
		files++;
	}
	assert_true(files >= least);
}

// fork, exec, the mappings of the binary, its interpreter and libraries, exit: exactly these, with
// the build-ids readelf shows; and a library is one object however it was met first.
static void test_exec(void **state)
{
	static const char *const argv[] = { "/bin/true", NULL };
	_cleanup_(object_table_freep) struct object_table *objects = object_table_new();
	_cleanup_(process_table_freep) struct process_table *t = NULL;
	_cleanup_(sideband_closep) struct sideband *s = open_sideband(-1);
	_cleanup_(collected_done) struct collected c = { .n = 0 };
	struct process *p, *self;
	char life[MAX_RECORDS + 1];
	int go, shared = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(process_table_new(objects, &(struct process_table_options){ 0 }, &t), 0);
	assert_int_equal(process_table_scan(t), 0);
	pid = start_child(&go, argv);
	release(&go);
	wait_for(pid);
	drain(s, &c);
	life_of(&c, (uint32_t)pid, life);
	assert_int_equal(strncmp(life, "FEMMM", 5), 0); /* true, ld.so, vdso */
	assert_int_equal(strspn(life + 5, "M") + 1, strlen(life + 5));
	assert_int_equal(life[strlen(life) - 1], 'X');
	apply_all(t, &c);
	p = process_table_get(t, (uint32_t)pid, 0, UINT64_MAX);
	assert_string_equal(p->comm, "true");
	assert_int_equal(p->ppid, getpid());
	assert_true(p->exit_ns > p->start_ns);
	assert_true(strcmp(p->exe, "/bin/true") == 0 || strcmp(p->exe, "/usr/bin/true") == 0);
	check_build_ids(p, 3);
	self = process_table_get(t, (uint32_t)getpid(), 0, UINT64_MAX);
	check_build_ids(self, 3);
	assert_string_equal(self->cgroup, p->cgroup);
	for (size_t i = 0; i < p->mappings->n; i++)
		for (size_t k = 0; k < self->mappings->n; k++)
			shared += p->mappings->list[i].object == self->mappings->list[k].object;
	assert_true(shared >= 3); /* libc, ld.so, vdso */
	assert_int_equal(process_table_missed(t), 0);
}

static int exit_at_once(void *arg)
{
	(void)arg;
	return 0;
}

// A mapping made executable and a renamed leader leave their records; a child that shares the
// memory has its own.
static void test_own_records(void **state)
{
	_cleanup_(sideband_closep) struct sideband *s = open_sideband(-1);
	_cleanup_(collected_done) struct collected c = { .n = 0 };
	char life[MAX_RECORDS + 1], stack[65536];
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		void *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);

		mprotect(code, 4096, PROT_READ | PROT_EXEC);
		prctl(PR_SET_NAME, "renamed");
		if (clone(exit_at_once, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
			  NULL) < 0)
			_exit(1);
		_exit(wait(&status) > 0 ? 0 : 1);
	}
	wait_for(pid);
	drain(s, &c);
	life_of(&c, (uint32_t)pid, life);
	assert_string_equal(life, "FMCX");
}

// A task that is stopped before its exec leaves its records from there on, and so do its children,
// and nobody else does. Once all have ended the fd is quiet.
static void test_task(void **state)
{
	static const char *const argv[] = { "/bin/sh", "-c", "/bin/true; :", NULL };
	static const char *const other[] = { "/bin/true", NULL };
	_cleanup_(sideband_closep) struct sideband *s = NULL;
	_cleanup_(collected_done) struct collected c = { .n = 0 };
	char life[MAX_RECORDS + 1];
	struct pollfd ready;
	int go, go_other, forks = 0;
	pid_t pid = start_child(&go, argv), stranger;

	(void)state;
	s = open_sideband(pid);
	stranger = start_child(&go_other, other);
	release(&go_other);
	wait_for(stranger);
	ready = (struct pollfd){ .fd = sideband_fd(s), .events = POLLIN };
	release(&go);
	assert_int_equal(poll(&ready, 1, 10000), 1);
	wait_for(pid);
	drain(s, &c);
	life_of(&c, (uint32_t)pid, life);
	assert_int_equal(strncmp(life, "EMMM", 4), 0);
	assert_int_equal(life[strlen(life) - 1], 'X');
	life_of(&c, (uint32_t)stranger, life);
	assert_string_equal(life, "");
	for (size_t i = 0; i < c.n; i++)
		forks += c.list[i]->type == PERF_RECORD_FORK;
	assert_int_equal(forks, 1);
	drain(s, &c);
	drain(s, &c);
	assert_int_equal(poll(&ready, 1, 0), 0);
}

// A CPU that goes and comes back has its events back; one that never was is refused.
static void test_hotplug(void **state)
{
	_cleanup_(sideband_closep) struct sideband *s = open_sideband(-1);
	_cleanup_(collected_done) struct collected c = { .n = 0 };
	char life[MAX_RECORDS + 1];
	cpu_set_t one;
	size_t n;
	pid_t pid;

	(void)state;
	assert_true(sideband_output_fd(s, 0) >= 0);
	assert_int_equal(sideband_output_fd(s, 4095), -1);
	sideband_cpu_offline(s, 0);
	sideband_cpu_offline(s, 0);
	assert_int_equal(sideband_output_fd(s, 0), -1);
	drain(s, &c);
	assert_int_equal(sideband_cpu_online(s, 0), 0);
	assert_true(sideband_output_fd(s, 0) >= 0);
	assert_true(sideband_cpu_online(s, 4095) < 0);
	assert_int_equal(sideband_output_fd(s, 4095), -1);
	sideband_rings(s, &n);
	assert_true(n >= 2);
	pid = fork();
	if (pid == 0) {
		CPU_ZERO(&one);
		CPU_SET(0, &one);
		_exit(sched_setaffinity(0, sizeof(one), &one) < 0);
	}
	wait_for(pid);
	drain(s, &c);
	life_of(&c, (uint32_t)pid, life);
	assert_int_equal(life[strlen(life) - 1], 'X'); /* on CPU 0 */
}

// The kernel tells the path of a cgroup by its id, and paths and ids that disagree are not
// believed.
static void test_cgroup_ids(void **state)
{
	char root[] = "/var/tmp/ebpf-profiler-cgroup.XXXXXX", path[128];
	struct label_store store;
	struct labels *l, *again;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(root));
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("cgroup2", root, "cgroup2", 0, NULL) < 0) {
		rmdir(root);
		print_message("no cgroup v2 to mount: %s\n", strerror(errno));
		skip();
	}
	snprintf(path, sizeof(path), "%s/ebpf-profiler-test-%d.service", root, (int)getpid());
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(label_store_init(&store, root), 0);
	assert_null(labels_by_id(&store, st.st_ino));
	l = labels_by_handle(&store, st.st_ino);
	rmdir(path);
	assert_non_null(l);
	assert_string_equal(l->path, path + strlen(root));
	assert_string_equal(l->unit, path + strlen(root) + 1);
	again = labels_by_id(&store, st.st_ino);
	assert_ptr_equal(again, l);
	labels_unref(again);
	again = labels_by_path(&store, l->path, strlen(l->path), 12345);
	assert_ptr_equal(again, l);
	assert_null(labels_by_id(&store, 12345));
	labels_unref(again);
	assert_null(labels_by_handle(&store, st.st_ino)); /* it is removed */
	labels_unref(l);
	assert_null(labels_by_id(&store, st.st_ino));
	label_store_done(&store);
	umount(root);
	rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),	   cmocka_unit_test(test_own_records),
		cmocka_unit_test(test_task),	   cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_cgroup_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
