// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "perf_fake.h"
#include "pmu/metric_set.h"
#include "sysfs_fixture.h"
#include "util/cleanup.h"

#define JOULE 2.3283064365386962890625e-10
#define INSTRUCTIONS PERF_COUNT_HW_INSTRUCTIONS
#define CYCLES PERF_COUNT_HW_CPU_CYCLES

/* Two sockets of Broadwell-EP, 72 CPUs; CPU 18 is the first of socket 1. */
struct machine {
	char *root;
	struct fake *f;
	struct pmu_counters *c;
	struct metric_set *set;
	struct metric_value *values;
	size_t n;
};

static void machine_init(struct machine *m)
{
	*m = (struct machine){ .root = fixture_new("i3.metal"), .f = fake_new() };
	const struct pmu_counters_options o = { .sysfs = m->root, .ops = &m->f->ops };

	assert_int_equal(pmu_counters_new(&o, &m->c), 0);
	assert_int_equal(metric_set_new(METRIC_BROADWELL_EP, m->root, m->c, &m->set), 0);
}

static void machine_done(struct machine *m)
{
	free(m->values);
	metric_set_free(m->set);
	pmu_counters_free(m->c);
	fake_free(m->f);
	tree_free(m->root);
}

static void rule(struct machine *m, uint32_t type, uint64_t config, int cpu, double per_ns)
{
	fake_rule_add(m->f, (struct fake_rule){
				    .type = type, .config = config, .cpu = cpu, .per_ns = per_ns });
}

static void begin(struct machine *m, const char *const *names)
{
	char *error = NULL;

	for (; *names; names++)
		assert_int_equal(
			metric_set_add(m->set, metric_find(METRIC_BROADWELL_EP, *names), 1), 0);
	assert_int_equal(pmu_counters_open(m->c, &error), 0);
	assert_int_equal(pmu_counters_start(m->c), 0);
}

static void second(struct machine *m, enum pmu_sum_by by)
{
	unsigned int turns = pmu_counters_turns(m->c);
	const struct pmu_count *counts;
	size_t n;

	for (unsigned int i = 0; i < turns; i++) {
		fake_advance(m->f, 1000000000 / turns);
		if (i + 1 < turns)
			pmu_counters_rotate(m->c);
	}
	free(m->values);
	assert_int_equal(pmu_counters_read(m->c, &counts, &n), 0);
	assert_int_equal(metric_set_eval(m->set, counts, n, by, 1, &m->values, &m->n), 0);
}

static const struct metric_value *find(const struct machine *m, const char *name, int socket,
				       int cpu)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->values[i].metric->name, name) == 0 && m->values[i].socket == socket &&
		    m->values[i].cpu == cpu)
			return &m->values[i];
	fail_msg("%s has no value for socket %d, CPU %d", name, socket, cpu);
	return NULL;
}

static void expect(const struct machine *m, const char *name, int socket, int cpu, double value)
{
	const struct metric_value *v = find(m, name, socket, cpu);

	assert_int_equal(v->error, 0);
	if (fabs(v->value - value) > 0.002 * fabs(value))
		fail_msg("%s, socket %d, CPU %d: %g instead of %g", name, socket, cpu, v->value,
			 value);
}

/* A ratio is that of sums: the fast CPU weighs in its socket and the host as it does in truth. */
static void ratios_of_sums(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	rule(&m, PERF_TYPE_HARDWARE, INSTRUCTIONS, 18, 3);
	rule(&m, PERF_TYPE_HARDWARE, INSTRUCTIONS, -1, 1);
	rule(&m, PERF_TYPE_HARDWARE, CYCLES, -1, 2);
	begin(&m, (const char *const[]){ "ipc", NULL });
	second(&m, PMU_SUM_HOST);
	assert_int_equal(m.n, 1);
	expect(&m, "ipc", -1, -1, (71 + 3) / 144.0);
	second(&m, PMU_SUM_SOCKET);
	assert_int_equal(m.n, 2);
	expect(&m, "ipc", 0, -1, 0.5);
	expect(&m, "ipc", 1, -1, (35 + 3) / 72.0);
	second(&m, PMU_SUM_CPU);
	assert_int_equal(m.n, 72);
	expect(&m, "ipc", 1, 18, 1.5);
	expect(&m, "ipc", 0, 0, 0.5);
	machine_done(&m);
}

/* What belongs to sockets is theirs however fine one asks: channels are summed, energy is power. */
static void socket_metrics(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	rule(&m, FAKE_ANY_TYPE, 0x304, 0, 0.1);
	rule(&m, FAKE_ANY_TYPE, 0x304, 18, 0.2);
	rule(&m, FAKE_ANY_TYPE, 0xc04, -1, 0.05);
	rule(&m, FAKE_ANY_TYPE, 0x02, 0, 40 / JOULE / 1e9);
	rule(&m, FAKE_ANY_TYPE, 0x02, 18, 60 / JOULE / 1e9);
	begin(&m, (const char *const[]){ "memory_bandwidth", "package_power", NULL });
	second(&m, PMU_SUM_CPU);
	assert_int_equal(m.n, 4);
	expect(&m, "memory_bandwidth", 0, -1, 64 * 4 * (0.1e9 + 0.05e9));
	expect(&m, "memory_bandwidth", 1, -1, 64 * 4 * (0.2e9 + 0.05e9));
	expect(&m, "package_power", 0, -1, 40);
	expect(&m, "package_power", 1, -1, 60);
	second(&m, PMU_SUM_HOST);
	expect(&m, "memory_bandwidth", -1, -1, 64 * 4 * (0.3e9 + 0.1e9));
	expect(&m, "package_power", -1, -1, 100);
	machine_done(&m);
}

/* What two metrics share is counted once, and both are computed of it. */
static void shared_events(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	rule(&m, PERF_TYPE_HARDWARE, INSTRUCTIONS, -1, 4);
	rule(&m, PERF_TYPE_HARDWARE, CYCLES, -1, 2);
	rule(&m, PERF_TYPE_RAW, 0xc5, -1, 0.02);
	begin(&m, (const char *const[]){ "ipc", "branch_mpki", NULL });
	assert_int_equal(pmu_counters_n_files(m.c), 3 * 72);
	second(&m, PMU_SUM_HOST);
	expect(&m, "ipc", -1, -1, 2);
	expect(&m, "branch_mpki", -1, -1, 5);
	assert_float_equal(find(&m, "ipc", -1, -1)->running_ratio, 1, 0.001);
	machine_done(&m);
}

/* With too few counters the metrics take turns: scaled, and saying how much of the time they ran.
 */
static void turns_are_told(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	fake_pmu_add(m.f, PERF_TYPE_RAW, 3, 0);
	rule(&m, PERF_TYPE_HARDWARE, INSTRUCTIONS, -1, 4);
	rule(&m, PERF_TYPE_HARDWARE, CYCLES, -1, 2);
	rule(&m, PERF_TYPE_RAW, 0xe08, -1, 0.01);
	rule(&m, PERF_TYPE_RAW, 0xe49, -1, 0.03);
	begin(&m, (const char *const[]){ "ipc", "dtlb_mpki", NULL });
	assert_true(pmu_counters_turns(m.c) > 1);
	second(&m, PMU_SUM_HOST);
	expect(&m, "ipc", -1, -1, 2);
	expect(&m, "dtlb_mpki", -1, -1, 10);
	assert_true(find(&m, "dtlb_mpki", -1, -1)->running_ratio < 0.9);
	machine_done(&m);
}

/*
 * Where enabling takes longer than the interval, each CPU and box counted for another time: a rate
 * is what was counted by the time in which it was, whatever other counts of the place cover.
 */
static void rates_of_their_own_time(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	rule(&m, FAKE_ANY_TYPE, 0x304, 0, 0.1);
	rule(&m, FAKE_ANY_TYPE, 0x304, 18, 0.2);
	rule(&m, FAKE_ANY_TYPE, 0xc04, -1, 0.05);
	rule(&m, FAKE_ANY_TYPE, 0x02, -1, 50 / JOULE / 1e9);
	m.f->enable_ns = 50000000;
	begin(&m, (const char *const[]){ "ipc", "memory_bandwidth", "package_power", NULL });
	second(&m, PMU_SUM_SOCKET);
	expect(&m, "memory_bandwidth", 0, -1, 64 * 4 * (0.1e9 + 0.05e9));
	expect(&m, "memory_bandwidth", 1, -1, 64 * 4 * (0.2e9 + 0.05e9));
	expect(&m, "package_power", 0, -1, 50);
	expect(&m, "package_power", 1, -1, 50);
	/* CPU 0 was the first to begin, CPU 18 a quarter of the way later, others still count less
	 */
	assert_true(find(&m, "package_power", 0, -1)->seconds >
		    find(&m, "package_power", 1, -1)->seconds + 0.5);
	assert_true(find(&m, "package_power", 1, -1)->seconds >
		    find(&m, "ipc", 1, -1)->seconds + 0.5);
	assert_true(find(&m, "ipc", 1, -1)->seconds > 1);
	second(&m, PMU_SUM_SOCKET);
	expect(&m, "package_power", 0, -1, 50);
	assert_float_equal(find(&m, "package_power", 0, -1)->seconds, 1, 0.01);
	machine_done(&m);
}

/*
 * Absent says which name is missing and why: no such event, no counter free; a denominator of zero
 * is absent, and not inf.
 */
static void absent_values(void **state)
{
	static const struct {
		unsigned int line;
		struct fake_rule rule;
		const char *metric;
		int error;
		const char *absent;
		bool reason;
	} rows[] = {
		{ __LINE__,
		  { .type = PERF_TYPE_RAW, .config = 0x20d1, .cpu = -1, .open_error = -ENOENT },
		  "llc_mpki",
		  -ENOENT,
		  "llc_load_misses",
		  true },
		{ __LINE__,
		  { .type = PERF_TYPE_HARDWARE, .config = CYCLES, .cpu = -1, .per_ns = 0 },
		  "ipc",
		  -EDOM,
		  NULL,
		  false },
		{ __LINE__,
		  { .type = PERF_TYPE_HARDWARE,
		    .config = FAKE_NONE,
		    .cpu = -1,
		    .never_runs = true },
		  "ipc",
		  -ENOSPC,
		  NULL,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct metric_value *v;
		struct machine m;

		machine_init(&m);
		fake_rule_add(m.f, rows[i].rule);
		begin(&m, (const char *const[]){ rows[i].metric, NULL });
		second(&m, PMU_SUM_HOST);
		assert_int_equal(m.n, 1);
		v = &m.values[0];
		if (v->error != rows[i].error || v->value != 0)
			fail_msg("line %u: error %d, value %g", rows[i].line, v->error, v->value);
		if (rows[i].absent && (!v->absent || strcmp(v->absent, rows[i].absent) != 0))
			fail_msg("line %u: absent is %s", rows[i].line,
				 v->absent ? v->absent : "nothing");
		if (rows[i].reason != (*v->reason != 0))
			fail_msg("line %u: reason '%s'", rows[i].line, v->reason);
		machine_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratios_of_sums),	   cmocka_unit_test(socket_metrics),
		cmocka_unit_test(shared_events),	   cmocka_unit_test(turns_are_told),
		cmocka_unit_test(rates_of_their_own_time), cmocka_unit_test(absent_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
