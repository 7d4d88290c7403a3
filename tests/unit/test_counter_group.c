// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "perf_fake.h"
#include "pmu/budget.h"
#include "pmu/group.h"
#include "util/cleanup.h"

#define ON_CPU_0 (&(struct pmu_target){ .pid = -1, .cpu = 0, .group_fd = -1 })

static struct pmu_event *parse(const char *specs, size_t *ret_n)
{
	struct pmu_event *events = NULL;
	char *error = NULL;

	assert_int_equal(pmu_events_parse(specs, NULL, &events, ret_n, &error), 0);
	for (size_t i = 0; i < *ret_n; i++)
		events[i].attr.freq = events[i].attr.sample_period = 0;
	return events;
}

static int open_group(struct fake *f, struct pmu_event *events, size_t n,
		      struct counter_group **ret)
{
	struct pmu_event *pointers[64];

	for (size_t i = 0; i < n; i++)
		pointers[i] = &events[i];
	return counter_group_open(&f->ops, "/nonexistent", pointers, n, ON_CPU_0, ret);
}

/* A read gives what was counted since the last one, with the time, and counts wrap at 64 bits. */
static void test_differences(void **state)
{
	struct fake *f = fake_new();
	struct counter_step step;
	struct counter_group *g;
	size_t n;
	struct pmu_event *events = parse("r1,r2,r3", &n);

	(void)state;
	fake_rule_add(f, (struct fake_rule){ PERF_TYPE_RAW, 1, -1, .per_ns = 2 });
	fake_rule_add(f, (struct fake_rule){ PERF_TYPE_RAW, 2, -1, .per_ns = 0 });
	fake_rule_add(f,
		      (struct fake_rule){ PERF_TYPE_RAW, 3, -1, .per_ns = 1, .starts_at = -500 });
	assert_int_equal(open_group(f, events, n, &g), 0);
	assert_int_equal(counter_group_read(&f->ops, g, &step), 0);
	assert_int_equal(step.enabled_ns, 0);
	assert_int_equal(counter_group_enable(&f->ops, g), 0);
	for (int i = 0; i < 3; i++) {
		fake_advance(f, 1000000);
		assert_int_equal(counter_group_read(&f->ops, g, &step), 0);
		/* the read itself takes a microsecond */
		assert_int_equal(step.enabled_ns, 1001000);
		assert_int_equal(step.running_ns, 1001000);
		assert_int_equal(step.deltas[0], 2002000);
		assert_int_equal(step.deltas[1], 0);
		assert_int_equal(step.deltas[2], 1001000);
	}
	counter_group_disable(&f->ops, g);
	counter_group_read(&f->ops, g, &step);
	fake_advance(f, 1000000);
	assert_int_equal(counter_group_read(&f->ops, g, &step), 0);
	assert_int_equal(step.enabled_ns, 0);
	counter_group_close(&f->ops, g);
	pmu_events_free(events, n);
	fake_free(f);
}

static ssize_t short_read(int fd, void *buffer, size_t size, void *userdata)
{
	return fake_read(fd, buffer, size, userdata) - 8;
}

static ssize_t other_count(int fd, void *buffer, size_t size, void *userdata)
{
	ssize_t n = fake_read(fd, buffer, size, userdata);

	*(uint64_t *)buffer += 1;
	return n;
}

static ssize_t failing_read(int fd, void *buffer, size_t size, void *userdata)
{
	(void)fd;
	(void)buffer;
	(void)size;
	(void)userdata;
	return -EINTR;
}

/* Whatever a read answers, it is counts or an error, and nothing that was open is left open. */
static void test_refusals(void **state)
{
	static const struct {
		int line;
		struct fake_rule second; /* of the group's second event */
		ssize_t (*read)(int fd, void *buffer, size_t size, void *userdata);
		int open, read_error;
	} rows[] = {
		{ __LINE__, { .type = PERF_TYPE_RAW, .config = 2, .cpu = -1 }, fake_read, 0, 0 },
		{ __LINE__, { PERF_TYPE_RAW, 2, -1, .open_error = -ENOENT }, NULL, -ENOENT, 0 },
		{ __LINE__, { PERF_TYPE_RAW, 2, -1, .open_error = -EBUSY }, NULL, -EBUSY, 0 },
		{ __LINE__, { PERF_TYPE_RAW, 2, -1, .open_error = -EMFILE }, NULL, -EMFILE, 0 },
		{ __LINE__, { PERF_TYPE_RAW, 2, -1, .open_error = -EINVAL }, NULL, -EINVAL, 0 },
		{ __LINE__, { PERF_TYPE_RAW, 2, -1, .no_exclude = true }, fake_read, 0, 0 },
		{ __LINE__,
		  { PERF_TYPE_RAW, FAKE_NONE, -1, .end_of_file = true },
		  fake_read,
		  0,
		  -ENODATA },
		{ __LINE__, { .type = PERF_TYPE_RAW, .config = 2, .cpu = -1 }, short_read, 0, -EIO },
		{ __LINE__, { .type = PERF_TYPE_RAW, .config = 2, .cpu = -1 }, other_count, 0, -EIO },
		{ __LINE__, { .type = PERF_TYPE_RAW, .config = 2, .cpu = -1 }, failing_read, 0, -EINTR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = fake_new();
		struct counter_step step;
		struct counter_group *g = NULL;
		size_t n;
		struct pmu_event *events = parse("r1,r2", &n);
		int r;

		fake_rule_add(f, rows[i].second);
		r = open_group(f, events, n, &g);
		if (r != rows[i].open)
			fail_msg("line %d: open gives %d", rows[i].line, r);
		if (r == 0) {
			f->ops.read = rows[i].read;
			r = counter_group_read(&f->ops, g, &step);
			if (r != rows[i].read_error)
				fail_msg("line %d: read gives %d", rows[i].line, r);
		}
		counter_group_close(&f->ops, g);
		pmu_events_free(events, n);
		fake_free(f);
	}
}

/* More events than a group can have are refused, not cut. */
static void test_too_many(void **state)
{
	struct pmu_event *events[COUNTER_GROUP_MAX + 1] = { NULL };
	struct fake *f = fake_new();
	struct counter_group *g;

	(void)state;
	assert_int_equal(counter_group_open(&f->ops, "/nonexistent", events, COUNTER_GROUP_MAX + 1,
					    ON_CPU_0, &g),
			 -E2BIG);
	fake_free(f);
}

/* What others hold is not free, whatever the PMU has; and a group costs what it takes. */
static void test_budget(void **state)
{
	static const struct {
		int line;
		int counters, held;
		const char *group;
		int total, free, beside;
	} rows[] = {
		{ __LINE__, 6, 0, "r1,r2", 6, 6, 4 },
		{ __LINE__, 6, 1, "r1,r2", 6, 5, 3 },
		{ __LINE__, 6, 3, "r1,r2,r3", 6, 3, 0 },
		{ __LINE__, 6, 3, "r1,r2,r3,r4", 6, 3, -ENOSPC },
		{ __LINE__, 4, 0, "r1,r2,r3,r4,r5", 4, 4, -EINVAL },
		{ __LINE__, 4, 1, "rf,r1,r2", 4, 3, 1 }, /* rf has a fixed counter */
		{ __LINE__, 4, 4, "r1", 4, 0, -ENOSPC },
		{ __LINE__, 4, 4, "rf", 4, 0, 0 },
		{ __LINE__, 40, 0, "r1,r2", 16, 16, 16 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = fake_new();
		size_t n, one;
		struct pmu_event *filler = parse("branches", &one);
		struct pmu_event *events = parse(rows[i].group, &n), *pointers[8];
		const struct counter_probe p = { &f->ops, "/nonexistent", filler, *ON_CPU_0 };
		int total, unheld, beside;

		fake_pmu_add(f, PERF_TYPE_RAW, rows[i].counters, rows[i].held);
		fake_rule_add(f, (struct fake_rule){ PERF_TYPE_RAW, 0xf, -1, .per_ns = 1,
						     .free_of_charge = true });
		for (size_t k = 0; k < n; k++)
			pointers[k] = &events[k];
		total = counter_measure_total(&p);
		unheld = counter_measure_free(&p);
		beside = counter_measure_beside(&p, pointers, n);
		if (total != rows[i].total || unheld != rows[i].free || beside != rows[i].beside)
			fail_msg("line %d: %d in all, %d free, %d beside", rows[i].line, total,
				 unheld, beside);
		pmu_events_free(events, n);
		pmu_events_free(filler, one);
		fake_free(f);
	}
}

/* Without a PMU there is nothing to measure, and the kernel's answer comes through. */
static void test_no_pmu(void **state)
{
	struct fake *f = fake_new();
	size_t n;
	struct pmu_event *filler = parse("branches", &n);
	const struct counter_probe p = { &f->ops, "/nonexistent", filler, *ON_CPU_0 };

	(void)state;
	fake_rule_add(
		f, (struct fake_rule){ PERF_TYPE_HARDWARE, FAKE_NONE, -1, .open_error = -ENOENT });
	assert_int_equal(counter_measure_free(&p), -ENOENT);
	assert_int_equal(counter_measure_total(&p), -ENOENT);
	assert_int_equal(counter_measure_beside(&p, &filler, 1), -ENOENT);
	pmu_events_free(filler, n);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many),    cmocka_unit_test(test_budget),
		cmocka_unit_test(test_no_pmu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
