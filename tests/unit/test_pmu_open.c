// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pmu/open.h"
#include "pmu_tree.h"
#include "util/cleanup.h"

/* A kernel that is made up: each field is a rule, and what breaks one gets its errno. */
struct fake {
	bool no_guest; /* EINVAL for exclude_guest */
	unsigned int max_precise; /* EOPNOTSUPP above */
	bool paranoid; /* EACCES for the kernel half */
	int always; /* this error whatever is asked; 0: none */
	bool hybrid; /* odd CPUs know generic events under PMU type 9 only */
	unsigned int calls;
	struct perf_event_attr last;
};

static int fake_open(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata)
{
	struct fake *f = userdata;

	f->calls++;
	f->last = *attr;
	if (f->always)
		return f->always;
	if (f->hybrid && attr->config >> 32 != (t->cpu % 2 ? 9 : 0))
		return -ENOENT;
	if (f->no_guest && attr->exclude_guest)
		return -EINVAL;
	if (attr->precise_ip > f->max_precise)
		return -EOPNOTSUPP;
	if (f->paranoid && !attr->exclude_kernel)
		return -EACCES;
	return 1000;
}

static struct pmu_event *parse(const char *spec)
{
	struct pmu_event *ev = NULL;
	char *error = NULL;
	size_t n = 0;

	assert_int_equal(pmu_events_parse(spec, NULL, &ev, &n, &error), 0);
	assert_int_equal(n, 1);
	return ev;
}

/* Each rule of a kernel costs exactly the property it forbids, and the next CPU takes one call. */
static void test_ladder(void **state)
{
	static const struct {
		int line;
		const char *spec;
		struct fake kernel;
		int r;
		unsigned int calls, precise;
		int guest, kernel_excluded; /* exclude bits left */
		const char *name;
	} rows[] = {
		{ __LINE__, "cycles", { 0 }, 1000, 1, 0, 1, 0, "cycles" },
		{ __LINE__, "cycles", { .no_guest = true }, 1000, 2, 0, 0, 0, "cycles" },
		{ __LINE__, "cycles:pp", { .max_precise = 2 }, 1000, 1, 2, 1, 0, "cycles:pp" },
		{ __LINE__, "cycles:ppp", { .max_precise = 2 }, 1000, 3, 2, 1, 0, "cycles:ppp" },
		{ __LINE__, "cycles:pp", { .max_precise = 0 }, 1000, 5, 0, 1, 0, "cycles:pp" },
		{ __LINE__,
		  "cycles:P",
		  { .no_guest = true, .max_precise = 1 },
		  1000,
		  6,
		  1,
		  0,
		  0,
		  "cycles:P" },
		{ __LINE__, "cycles", { .paranoid = true }, 1000, 2, 0, 1, 1, "cycles:u" },
		{ __LINE__,
		  "cycles:pp",
		  { .paranoid = true, .no_guest = true },
		  1000,
		  12,
		  0,
		  0,
		  1,
		  "cycles:pp:u" },
		{ __LINE__, "cycles:u", { .paranoid = true }, 1000, 1, 0, 1, 1, "cycles:u" },
		{ __LINE__, "cycles:k", { .paranoid = true }, -EACCES, 1, 0, 1, 0, "cycles:k" },
		{ __LINE__, "cycles", { .always = -EACCES }, -EACCES, 2, 0, 1, 0, "cycles" },
		{ __LINE__, "cycles", { .always = -EPERM }, -EPERM, 1, 0, 1, 0, "cycles" },
		{ __LINE__, "cycles", { .always = -EINVAL }, -EINVAL, 2, 0, 1, 0, "cycles" },
		{ __LINE__,
		  "cycles:p",
		  { .always = -EOPNOTSUPP },
		  -EOPNOTSUPP,
		  4,
		  1,
		  1,
		  0,
		  "cycles:p" },
		{ __LINE__,
		  "cycles:ppp",
		  { .always = -ENOENT },
		  -ENOENT,
		  1,
		  3,
		  1,
		  0,
		  "cycles:ppp" },
		{ __LINE__, "cycles", { .always = -EMFILE }, -EMFILE, 1, 0, 1, 0, "cycles" },
		{ __LINE__, "cpu-clock", { .always = -EINVAL }, -EINVAL, 1, 0, 0, 0, "cpu-clock" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake f = rows[i].kernel;
		const struct pmu_kernel k = { fake_open, &f, "/nonexistent" };
		const struct pmu_target t = { -1, 0, -1, 0 };
		struct pmu_event *ev = parse(rows[i].spec);
		int r = pmu_event_open_by(&k, ev, &t);

		if (r != rows[i].r || f.calls != rows[i].calls ||
		    ev->attr.precise_ip != rows[i].precise ||
		    ev->attr.exclude_guest != rows[i].guest ||
		    ev->attr.exclude_kernel != rows[i].kernel_excluded ||
		    strcmp(ev->name, rows[i].name) != 0)
			fail_msg("line %d: %d after %u calls, precise %d, guest %d, kernel %d, %s",
				 rows[i].line, r, f.calls, ev->attr.precise_ip,
				 ev->attr.exclude_guest, ev->attr.exclude_kernel, ev->name);
		assert_true(f.last.disabled && f.last.size == sizeof(f.last));
		/* the call chain goes with the precision that asked for it */
		assert_int_equal(!!(ev->attr.sample_type & PERF_SAMPLE_CALLCHAIN),
				 ev->attr.precise_ip > 0);
		f.calls = 0;
		if (r >= 0) {
			assert_int_equal(pmu_event_open_by(&k, ev, &t), 1000);
			assert_int_equal(f.calls, 1);
		}
		pmu_events_free(ev, 1);
	}
}

/* On a hybrid CPU both kinds of core open the same event, whose encoding stays generic. */
static void test_hybrid(void **state)
{
	static const struct tree_file files[] = {
		{ "cpu_core/type", "4\n" },
		{ "cpu_core/cpus", "0,2\n" },
		{ "cpu_atom/type", "9\n" },
		{ "cpu_atom/cpus", "1,3\n" },
	};
	_cleanup_(pmu_event_done) struct pmu_event copy = { 0 };
	char *root = tree_new(files, ARRAY_SIZE(files));
	struct fake f = { .hybrid = true };
	const struct pmu_kernel k = { fake_open, &f, root };
	struct pmu_event *ev = parse("cycles"), *raw = parse("r3c");

	(void)state;
	for (int cpu = 0; cpu < 4; cpu++) {
		const struct pmu_target t = { -1, cpu, -1, 0 };

		assert_int_equal(pmu_event_open_by(&k, ev, &t), 1000);
		assert_int_equal(f.last.config, cpu % 2 ? 9ULL << 32 : 0);
		assert_int_equal(ev->attr.config, 0);
	}
	/* a raw encoding means another event on the other kind: it is not translated */
	assert_int_equal(pmu_event_open_by(&k, raw, &(struct pmu_target){ -1, 1, -1, 0 }), -ENOENT);
	assert_int_equal(pmu_event_copy(ev, &copy), 0);
	pmu_events_free(ev, 1);
	pmu_events_free(raw, 1);
	tree_free(root);
}

/* An event opens on the CPUs of its PMU only, and names the first of them to who asks on another.
 */
static void test_cpus(void **state)
{
	static const struct {
		int line;
		const char *cpus; /* NULL: all */
		int cpu, served;
	} rows[] = {
		{ __LINE__, NULL, 5, 5 },	 { __LINE__, "0", 0, 0 },
		{ __LINE__, "0", 1, 0 },	 { __LINE__, "0,36", 36, 36 },
		{ __LINE__, "0,36", 3, 0 },	 { __LINE__, "16-23", 16, 16 },
		{ __LINE__, "16-23", 23, 23 },	 { __LINE__, "16-23", 24, 16 },
		{ __LINE__, "16-23", 0, 16 },	 { __LINE__, "0-1,4-5,9", 5, 5 },
		{ __LINE__, "0-1,4-5,9", 3, 0 }, { __LINE__, "0-1,4-5,9", 9, 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake f = { 0 };
		const struct pmu_kernel k = { fake_open, &f, "/nonexistent" };
		const struct pmu_target t = { -1, rows[i].cpu, -1, 0 };
		struct pmu_event *ev = parse("cpu-clock");
		bool here = rows[i].cpu == rows[i].served;

		ev->cpus = rows[i].cpus ? strdup(rows[i].cpus) : NULL;
		if (pmu_event_cpu(ev, rows[i].cpu) != rows[i].served ||
		    pmu_event_open_by(&k, ev, &t) != (here ? 1000 : -ENODEV))
			fail_msg("line %d: %d", rows[i].line, pmu_event_cpu(ev, rows[i].cpu));
		pmu_events_free(ev, 1);
	}
}

/* The running kernel opens cpu-clock disabled and close-on-exec, and it counts once enabled. */
static void test_real(void **state)
{
	struct pmu_event *ev = parse("cpu-clock@97Hz");
	volatile unsigned int work = 0;
	uint64_t count = 1;
	int fd = pmu_event_open(ev, 0, -1, -1, 0);

	(void)state;
	if (fd == -EACCES || fd == -EPERM || fd == -ENOSYS)
		skip();
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 0);
	assert_int_equal(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0), 0);
	do {
		work++;
		assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	} while (count == 0);
	close(fd);
	pmu_events_free(ev, 1);
}

/* A PMU without exclude bits takes the event once the ladder has dropped exclude_guest. */
static void test_real_ladder(void **state)
{
	struct pmu_event *ev;
	char *error = NULL;
	size_t n;
	int fd;

	(void)state;
	if (pmu_events_parse("msr/tsc/", NULL, &ev, &n, &error) < 0) {
		free(error);
		skip();
	}
	ev->attr.exclude_guest = 1;
	fd = pmu_event_open(ev, -1, sched_getcpu(), -1, 0);
	if (fd >= 0) {
		assert_false(ev->attr.exclude_guest);
		close(fd);
	}
	pmu_events_free(ev, n);
	if (fd == -EACCES || fd == -EPERM)
		skip();
	assert_true(fd >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ladder),	    cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_cpus),	    cmocka_unit_test(test_real),
		cmocka_unit_test(test_real_ladder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
