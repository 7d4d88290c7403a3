// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "perf_fake.h"
#include "pmu/counter.h"
#include "pmu/counter_sum.h"
#include "sysfs_fixture.h"
#include "util/cleanup.h"

#define CAS_MIB 6.103515625e-5
#define JOULE 2.3283064365386962890625e-10

/* A machine with its kernel, and what is counted on it. */
struct machine {
	char *root;
	struct fake *f;
	struct pmu_counters_options options;
	struct pmu_counters *c;
	struct pmu_sum *sums;
	size_t n_sums;
	char *error;
};

static struct machine machine_of(char *root)
{
	struct machine m = { .root = root, .f = fake_new() };

	m.options = (struct pmu_counters_options){ .sysfs = m.root, .ops = &m.f->ops };
	return m;
}

static struct machine machine_new(const char *name)
{
	return machine_of(fixture_new(name));
}

/* Leaves the tree. */
static void machine_done(struct machine *m)
{
	pmu_counters_free(m->c);
	free(m->sums);
	free(m->error);
	fake_free(m->f);
}

static void machine_free(struct machine *m)
{
	char *root = m->root;

	machine_done(m);
	tree_free(root);
}

static int try_open(struct machine *m, const char *specs)
{
	int r;

	assert_int_equal(pmu_counters_new(&m->options, &m->c), 0);
	r = pmu_counters_add(m->c, specs, 1, 0, NULL, NULL, &m->error);
	return r < 0 ? r : pmu_counters_open(m->c, &m->error);
}

static void open_counters(struct machine *m, const char *specs)
{
	int r = try_open(m, specs);

	if (r < 0)
		fail_msg("%s: %d, %s", specs, r, m->error);
	assert_int_equal(pmu_counters_start(m->c), 0);
}

static void read_counters(struct machine *m, enum pmu_sum_by by)
{
	const struct pmu_count *counts;
	size_t n;

	free(m->sums);
	assert_int_equal(pmu_counters_read(m->c, &counts, &n), 0);
	assert_int_equal(pmu_sum_counts(m->c, counts, n, by, &m->sums, &m->n_sums), 0);
}

/* A second, with the turns taken on the way, then the sums. */
static void second(struct machine *m, enum pmu_sum_by by)
{
	unsigned int turns = pmu_counters_turns(m->c);

	for (unsigned int i = 0; i < turns; i++) {
		fake_advance(m->f, 1000000000 / turns);
		if (i + 1 < turns)
			pmu_counters_rotate(m->c);
	}
	read_counters(m, by);
}

static const struct pmu_sum *find_sum(const struct machine *m, size_t event, int socket)
{
	for (size_t i = 0; i < m->n_sums; i++)
		if (m->sums[i].event == event && m->sums[i].socket == socket)
			return &m->sums[i];
	fail_msg("there is no sum of event %zu on socket %d", event, socket);
	return NULL;
}

static void assert_near(double value, double expected, double tolerance, int line)
{
	if (fabs(value - expected) > fabs(expected) * tolerance)
		fail_msg("line %d: %g instead of %g", line, value, expected);
}

/*
 * One name counts every instance in every socket, and the sums of a socket are those of its boxes;
 * the boxes all count one event a nanosecond.
 */
static void test_uncore_sums(void **state)
{
	static const struct {
		int line;
		const char *machine, *spec;
		size_t sockets, boxes; /* of each socket */
		double scale;
	} rows[] = {
		{ __LINE__, "i3.metal", "uncore_imc/cas_count_read/", 2, 4, CAS_MIB },
		{ __LINE__, "i3.metal", "uncore_cbox/event=0x35,umask=0x03,filter_opc=0x182/", 2,
		  18, 1 },
		{ __LINE__, "i3.metal", "uncore_ha/event=0x01,umask=0x01/", 2, 2, 1 },
		{ __LINE__, "i3.metal", "qpi/drs_data/", 2, 2, 1 },
		{ __LINE__, "i3.metal", "uncore_imc_4/cas_count_write/", 2, 1, CAS_MIB },
		{ __LINE__, "i3.metal", "power/energy-pkg/", 2, 1, JOULE },
		{ __LINE__, "i3.metal", "cstate_pkg/c6-residency/", 2, 1, 1 },
		{ __LINE__, "skx", "uncore_imc/cas_count_write/", 2, 6, CAS_MIB },
		{ __LINE__, "skx", "uncore_cha/event=0x35/", 2, 24, 1 },
		{ __LINE__, "skx", "iio_free_running/bw_in_port0/", 2, 6, 3.814697266e-6 },
		{ __LINE__, "icx", "imc/cas_count_read/", 2, 8, CAS_MIB },
		{ __LINE__, "icx", "imc_free_running/read/", 2, 4, CAS_MIB },
		{ __LINE__, "spr", "uncore_cha/event=0x35/", 2, 48, 1 },
		{ __LINE__, "spr", "uncore_imc/cas_count_read/", 2, 8, CAS_MIB },
		{ __LINE__, "zen4", "amd_umc/event=0x0a,rdwrmask=1/", 2, 12, 1 },
		{ __LINE__, "zen4", "amd_l3/event=0x04,umask=0x01/", 2, 12, 1 },
		{ __LINE__, "zen4", "amd_df/event=0x1f,umask=0xffe/", 2, 1, 1 },
		{ __LINE__, "ax41", "amd_l3/event=0x04,umask=0xff/", 1, 2, 1 },
		{ __LINE__, "ax41", "amd_df/event=0x107,umask=0x38/", 1, 1, 1 },
		{ __LINE__, "graviton2", "arm_cmn/hnf_mc_reqs/", 1, 1, 1 },
		{ __LINE__, "graviton2", "arm_dsu/bus_access/", 1, 32, 1 },
		{ __LINE__, "hybrid", "imc_free_running/data_read/", 1, 2, CAS_MIB },
	};

	const char *machine = NULL;
	char *root = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double socket = (double)rows[i].boxes * rows[i].scale * 1e9;
		struct machine m;

		root = fixture_next(root, &machine, rows[i].machine);
		m = machine_of(root);
		open_counters(&m, rows[i].spec);
		if (pmu_counters_event(m.c, 0).boxes != rows[i].boxes * rows[i].sockets)
			fail_msg("line %d: %zu boxes", rows[i].line,
				 pmu_counters_event(m.c, 0).boxes);
		second(&m, PMU_SUM_SOCKET);
		assert_int_equal(m.n_sums, rows[i].sockets);
		for (int s = 0; s < (int)rows[i].sockets; s++)
			assert_near(find_sum(&m, 0, s)->value, socket, 0.001, rows[i].line);
		/* what belongs to a socket is not split among CPUs */
		second(&m, PMU_SUM_CPU);
		assert_int_equal(m.n_sums, rows[i].sockets);
		second(&m, PMU_SUM_HOST);
		assert_int_equal(m.n_sums, 1);
		assert_near(find_sum(&m, 0, -1)->value, socket * (double)rows[i].sockets, 0.001,
			    rows[i].line);
		machine_done(&m);
	}
	fixture_next(root, &machine, NULL);
}

/*
 * 2 x Broadwell: reads and writes of a channel are one group; the boxes of each socket are summed
 * apart; a read goes to each CPU once, and never asks another CPU.
 */
static void test_two_sockets(void **state)
{
	struct machine m = machine_new("i3.metal");
	size_t reads, moves;

	(void)state;
	fake_rule_add(m.f,
		      (struct fake_rule){
			      .type = FAKE_ANY_TYPE, .config = 0x304, .cpu = 0, .per_ns = 0.1 });
	fake_rule_add(m.f,
		      (struct fake_rule){
			      .type = FAKE_ANY_TYPE, .config = 0x304, .cpu = 18, .per_ns = 0.2 });
	fake_rule_add(m.f,
		      (struct fake_rule){
			      .type = FAKE_ANY_TYPE, .config = 0xc04, .cpu = -1, .per_ns = 0.05 });
	open_counters(&m, "uncore_imc/cas_count_read/,uncore_imc/cas_count_write/,"
			  "power/energy-pkg/,power/energy-ram/");
	reads = m.f->reads;
	moves = m.f->moves;
	m.f->remote = 0;
	second(&m, PMU_SUM_SOCKET);
	assert_int_equal(m.f->reads - reads, 8 + 2);
	assert_int_equal(m.f->moves - moves, 2 + 1); /* and home */
	assert_int_equal(m.f->remote, 0);
	assert_near(find_sum(&m, 0, 0)->value, 4 * 0.1e9 * CAS_MIB, 0.001, __LINE__);
	assert_near(find_sum(&m, 0, 1)->value, 4 * 0.2e9 * CAS_MIB, 0.001, __LINE__);
	assert_near(find_sum(&m, 1, 1)->value, 4 * 0.05e9 * CAS_MIB, 0.001, __LINE__);
	assert_int_equal(find_sum(&m, 0, 0)->counted, 4);
	assert_string_equal(pmu_counters_event(m.c, 0).unit, "MiB");
	assert_string_equal(pmu_counters_event(m.c, 0).pmu, "uncore_imc");
	assert_null(pmu_counters_phantoms(m.c));
	machine_free(&m);
}

/* A channel whose clock stands still, or shows what no clock shows, is no channel. */
static void test_phantoms(void **state)
{
	struct machine m = machine_new("i3.metal");

	(void)state;
	fake_rule_add(
		m.f, (struct fake_rule){ .type = 17, .config = FAKE_NONE, .cpu = 18, .per_ns = 0 });
	fake_rule_add(m.f, (struct fake_rule){ .type = 15,
					       .config = FAKE_NONE,
					       .cpu = 0,
					       .starts_at = 18000000000000000000ULL });
	/* no counter for its clock: nothing is known against it */
	fake_rule_add(m.f, (struct fake_rule){
				   .type = 14, .config = 0xff, .cpu = 0, .never_runs = true });
	open_counters(&m, "uncore_imc/cas_count_read/");
	assert_string_equal(pmu_counters_phantoms(m.c),
			    "uncore_imc_1 (CPU 0), uncore_imc_5 (CPU 18)");
	assert_int_equal(pmu_counters_event(m.c, 0).boxes, 6);
	second(&m, PMU_SUM_SOCKET);
	assert_near(find_sum(&m, 0, 0)->value, 3e9 * CAS_MIB, 0.001, __LINE__);
	assert_near(find_sum(&m, 0, 1)->value, 3e9 * CAS_MIB, 0.001, __LINE__);
	machine_free(&m);
}

/* What comes back from a counter is a value, or a reason why there is none; never a false zero. */
static void test_values(void **state)
{
	static const struct {
		int line;
		const char *spec;
		struct fake_rule rule;
		int error;
		double value, ratio;
	} rows[] = {
		{ __LINE__, "r1", { .per_ns = 2 }, 0, 2e9, 1 },
		{ __LINE__, "r1", { .per_ns = 0 }, 0, 0, 1 },
		{ __LINE__, "r1", { .per_ns = 2, .running = 0.33 }, 0, 2e9, 0.33 },
		{ __LINE__, "r1", { .per_ns = 2, .running = 0.01 }, 0, 2e9, 0.01 },
		{ __LINE__, "r1", { .per_ns = 2, .starts_at = -7 }, 0, 2e9, 1 },
		{ __LINE__, "r1", { .never_runs = true, .free_of_charge = true }, -EAGAIN, 0, 0 },
		{ __LINE__, "r1", { .end_of_file = true }, -ENODATA, 0, 0 },
		{ __LINE__, "r1", { .enable_error = -EBUSY }, -EBUSY, 0, 0 },
		{ __LINE__, "r1", { .open_error = -ENOENT }, -ENOENT, 0, 0 },
		{ __LINE__, "r1", { .open_error = -EACCES }, -EACCES, 0, 0 },
		{ __LINE__, "r1", { .open_error = -EBUSY }, -EBUSY, 0, 0 },
		{ __LINE__, "r1", { .open_error = -EINVAL }, -EINVAL, 0, 0 },
		{ __LINE__, "r1", { .per_ns = 2, .no_exclude = true }, 0, 2e9, 1 },
		{ __LINE__, "amd_df/event=1/", { .per_ns = 2, .no_exclude = true }, 0, 2e9, 1 },
		{ __LINE__, "amd_df/event=1/", { .per_ns = 200 }, -ERANGE, 0, 0 },
		{ __LINE__, "amd_df/event=1/", { .never_runs = true }, -EAGAIN, 0, 0 },
		{ __LINE__, "msr/tsc/", { .per_ns = 3, .no_exclude = true }, 0, 3e9 * 12, 1 },
		{ __LINE__, "cpu-clock", { .per_ns = 1 }, 0, 12e9, 1 },
	};

	char *root = fixture_new("ax41");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = machine_of(root);
		struct fake_rule rule = rows[i].rule;
		bool one_cpu = strncmp(rows[i].spec, "r1", 2) == 0;
		const struct pmu_sum *sum;

		rule.type = one_cpu ? PERF_TYPE_RAW : FAKE_ANY_TYPE;
		rule.config = one_cpu ? 1 : FAKE_NONE;
		rule.cpu = -1;
		fake_rule_add(m.f, rule);
		open_counters(&m, rows[i].spec);
		second(&m, PMU_SUM_HOST);
		sum = find_sum(&m, 0, -1);
		if (sum->error != rows[i].error ||
		    fabs(pmu_sum_running_ratio(sum) - rows[i].ratio) > 0.001)
			fail_msg("line %d: error %d, ratio %g", rows[i].line, sum->error,
				 pmu_sum_running_ratio(sum));
		assert_near(sum->value, rows[i].value * (one_cpu ? 12 : 1), 0.002, rows[i].line);
		if (rows[i].error && pmu_counters_event(m.c, 0).error)
			assert_true(*pmu_counters_event(m.c, 0).reason);
		machine_done(&m);
	}
	tree_free(root);
}

/* Hardware that another holds is not taken: groups are as large as what is free, and take turns. */
static void test_turns(void **state)
{
	static const struct {
		int line;
		int counters, held;
		unsigned int reserve;
		const char *specs;
		size_t groups;
		unsigned int turns;
	} rows[] = {
		{ __LINE__, 6, 0, 0, "r1,r2,r3,r4,r5,r6", 1, 1 },
		{ __LINE__, 6, 1, 0, "r1,r2,r3,r4,r5,r6", 2, 2 },
		{ __LINE__, 6, 1, 2, "r1,r2,r3,r4,r5,r6", 2, 2 },
		{ __LINE__, 6, 3, 2, "r1,r2,r3", 3, 3 },
		{ __LINE__, 6, 0, 0, "{r1,r2,r3},{r4,r5,r6}", 2, 1 },
		{ __LINE__, 6, 0, 0, "{r1,r2,r3},{r4,r5,r6,r7}", 2, 2 },
		{ __LINE__, 4, 0, 0, "rf,r1,r2,r3,r4", 1, 1 },
		{ __LINE__, 4, 0, 0, "r1,r2,r3,r4,rf", 1, 1 },
		{ __LINE__, 4, 0, 0, "{r1,r2},{r3},{r4,r5},{r6}", 4, 2 },
		{ __LINE__, 4, 0, 0, "r1,r2,r3,r4,cpu-clock,page-faults,msr/tsc/", 1, 1 },
	};

	char *root = fixture_new("ax41");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = machine_of(root);
		struct pmu_budget budget;

		fake_pmu_add(m.f, PERF_TYPE_RAW, rows[i].counters, rows[i].held);
		fake_rule_add(m.f, (struct fake_rule){ .type = PERF_TYPE_RAW,
						       .config = 0xf,
						       .cpu = -1,
						       .per_ns = 1,
						       .free_of_charge = true });
		m.options.reserve = rows[i].reserve;
		open_counters(&m, rows[i].specs);
		budget = pmu_counters_budget(m.c, 0);
		if (budget.groups != rows[i].groups || budget.turns != rows[i].turns ||
		    (int)budget.total != rows[i].counters ||
		    (int)budget.free != rows[i].counters - rows[i].held)
			fail_msg("line %d: %zu groups, %u turns, %u counters, %u free",
				 rows[i].line, budget.groups, budget.turns, budget.total,
				 budget.free);
		read_counters(&m, PMU_SUM_HOST);
		/* every event ran, and where turns were taken, for its part of the time */
		second(&m, PMU_SUM_HOST);
		for (size_t k = 0; k < m.n_sums; k++) {
			if (m.sums[k].error)
				fail_msg("line %d: event %zu is absent", rows[i].line, k);
			if (strcmp(pmu_counters_event(m.c, m.sums[k].event).pmu, "cpu") == 0)
				assert_near(m.sums[k].value, 12e9, 0.01, rows[i].line);
			assert_true(pmu_sum_running_ratio(&m.sums[k]) > 0.9 / (double)budget.turns);
		}
		machine_done(&m);
	}
	tree_free(root);
}

/* Priorities share out the time, and the lowest gets its part. */
static void test_priorities(void **state)
{
	static const unsigned int priorities[] = { 4, 1, 1 };
	struct machine m = machine_new("ax41");
	const char *specs[] = { "r1,r2,r3,r4", "r5,r6,r7", "r8,r9" };
	uint64_t running[3] = { 0 };

	(void)state;
	fake_pmu_add(m.f, PERF_TYPE_RAW, 4, 0);
	assert_int_equal(pmu_counters_new(&m.options, &m.c), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pmu_counters_add(m.c, specs[i], priorities[i],
						  PMU_COUNTERS_TOGETHER, NULL, NULL, &m.error),
				 0);
	assert_int_equal(pmu_counters_open(m.c, &m.error), 0);
	assert_int_equal(pmu_counters_start(m.c), 0);
	for (int i = 0; i < 60; i++) {
		fake_advance(m.f, 100000000);
		pmu_counters_rotate(m.c);
	}
	read_counters(&m, PMU_SUM_HOST);
	running[0] = find_sum(&m, 0, -1)->running_ns;
	running[1] = find_sum(&m, 4, -1)->running_ns;
	running[2] = find_sum(&m, 7, -1)->running_ns;
	assert_near((double)running[0] / (double)running[1], 4, 0.05, __LINE__);
	assert_near((double)running[2] / (double)running[1], 1, 0.1, __LINE__);
	machine_free(&m);
}

/* Events that live only behind another are counted behind it, wherever the user put it. */
static void test_leaders(void **state)
{
	static const struct {
		int line;
		const char *specs;
		size_t groups;
		int error; /* of the event cpu/topdown-retiring/ */
	} rows[] = {
		{ __LINE__, "cpu/slots/,cpu/topdown-retiring/", 1, 0 },
		{ __LINE__, "{cpu/slots/,cpu/topdown-retiring/}", 1, 0 },
		{ __LINE__, "cycles,cpu/slots/,r1,cpu/topdown-retiring/", 1, 0 },
		{ __LINE__, "{r1,cpu/slots/,r2,cpu/topdown-retiring/}", 1, 0 },
		{ __LINE__, "r1,r2,r3,r4,cpu/slots/,cpu/topdown-retiring/", 1, 0 },
		{ __LINE__, "cpu/topdown-retiring/", 0, -EINVAL },
		{ __LINE__, "cpu/topdown-retiring/,cpu/slots/", 1, -EINVAL },
	};
	char *root = fixture_new("icx");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = machine_of(root);

		fake_pmu_add(m.f, PERF_TYPE_RAW, 4, 0);
		fake_rule_add(m.f, (struct fake_rule){ .type = PERF_TYPE_RAW,
						       .config = 0x8000,
						       .cpu = -1,
						       .per_ns = 1,
						       .leader = 0x400,
						       .free_of_charge = true });
		fake_rule_add(m.f, (struct fake_rule){ .type = PERF_TYPE_RAW,
						       .config = 0x400,
						       .cpu = -1,
						       .per_ns = 1,
						       .free_of_charge = true });
		open_counters(&m, rows[i].specs);
		second(&m, PMU_SUM_HOST);
		if (pmu_counters_n_budgets(m.c) &&
		    pmu_counters_budget(m.c, 0).groups != rows[i].groups)
			fail_msg("line %d: %zu groups", rows[i].line,
				 pmu_counters_budget(m.c, 0).groups);
		for (size_t k = 0; k < m.n_sums; k++) {
			bool led = strstr(pmu_counters_event(m.c, m.sums[k].event).name, "topdown");

			if (m.sums[k].error != (led ? rows[i].error : 0))
				fail_msg("line %d: event %zu gives %d", rows[i].line, k,
					 m.sums[k].error);
		}
		machine_done(&m);
	}
	tree_free(root);
}

/* What several sets have in common is counted once, in as few groups as there can be. */
static void test_together(void **state)
{
	static const struct {
		int line;
		const char *sets[4];
		int counters;
		size_t groups, files; /* on each CPU */
	} rows[] = {
		{ __LINE__, { "r1,r2", "r1,r2", "r2" }, 4, 1, 2 },
		{ __LINE__, { "r1,r2", "r1,r3", "r1,r4" }, 4, 1, 4 },
		{ __LINE__, { "r1,r2,r3", "r1,r4,r5" }, 4, 2, 6 },
		{ __LINE__, { "r1,r2,r3", "r4,r5,r6", "r1,r5" }, 4, 2, 7 },
		{ __LINE__, { "r1,r2,r3,r4,r5,r6" }, 4, 2, 6 },
		{ __LINE__, { "r1,cpu-clock", "r2,cpu-clock" }, 4, 1, 3 },
		{ __LINE__,
		  { "cpu/slots/,cpu/topdown-retiring/", "r1,r2",
		    "r1,cpu/slots/,cpu/topdown-retiring/" },
		  4,
		  1,
		  4 },
	};
	char *root = fixture_new("icx");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = machine_of(root);
		size_t first, n, files;

		fake_pmu_add(m.f, PERF_TYPE_RAW, rows[i].counters, 0);
		fake_rule_add(m.f, (struct fake_rule){ .type = PERF_TYPE_RAW,
						       .config = 0x8000,
						       .cpu = -1,
						       .per_ns = 1,
						       .leader = 0x400,
						       .free_of_charge = true });
		assert_int_equal(pmu_counters_new(&m.options, &m.c), 0);
		for (size_t k = 0; k < 4 && rows[i].sets[k]; k++) {
			assert_int_equal(pmu_counters_add(m.c, rows[i].sets[k], 1,
							  PMU_COUNTERS_TOGETHER, &first, &n,
							  &m.error),
					 0);
			assert_int_equal(first + n, pmu_counters_n_events(m.c));
		}
		assert_int_equal(pmu_counters_open(m.c, &m.error), 0);
		assert_int_equal(pmu_counters_start(m.c), 0);
		files = pmu_counters_n_files(m.c) / 128;
		if (pmu_counters_budget(m.c, 0).groups != rows[i].groups || files != rows[i].files)
			fail_msg("line %d: %zu groups, %zu files", rows[i].line,
				 pmu_counters_budget(m.c, 0).groups, files);
		second(&m, PMU_SUM_HOST);
		for (size_t k = 0; k < pmu_counters_n_events(m.c); k++) {
			struct pmu_counters_event e = pmu_counters_event(m.c, k);

			assert_int_equal(e.error, 0);
			assert_near(find_sum(&m, e.counted_as, -1)->value, 128e9, 0.01,
				    rows[i].line);
		}
		machine_done(&m);
	}
	tree_free(root);
}

/* A group that cannot run as one is refused with the counters there are and who holds them. */
static void test_braces(void **state)
{
	static const struct {
		int line;
		const char *specs;
		unsigned int reserve;
		int r;
		const char *says; /* a part of the sentence */
	} rows[] = {
		{ __LINE__, "{r1,r2,r3}", 0, 0, NULL },
		{ __LINE__, "{r1,r2,r3,r4}", 0, -ENOSPC,
		  "{r1,r2,r3,r4} does not run as one: the PMU cpu has 6 counters, 3 are free" },
		{ __LINE__, "{r1,r2,r3}", 1, -ENOSPC, "1 of them is kept in reserve" },
		{ __LINE__, "{r1,r2,r3,r4,r5,r6,r7}", 0, -ENOSPC, "does not run as one" },
		{ __LINE__, "{r1,cpu-clock}", 0, -EINVAL, "different PMUs" },
		{ __LINE__, "{r1,r2", 0, -EINVAL, "the '}' is missing" },
		{ __LINE__, "r1,r2}", 0, -EINVAL, "'}' without a '{'" },
		{ __LINE__, "{r1,{r2}}", 0, -EINVAL, "within another" },
		{ __LINE__, "{r1}r2", 0, -EINVAL, "after '}'" },
		{ __LINE__, "r1{r2}", 0, -EINVAL, "before '{'" },
		{ __LINE__, "{}", 0, -EINVAL, "empty" },
		{ __LINE__, "", 0, -EINVAL, "empty" },
		{ __LINE__, "r1,,r2", 0, -EINVAL, "empty" },
		{ __LINE__, "r1,", 0, -EINVAL, "empty" },
		{ __LINE__, " { r1 , r2 } , r3 ", 0, 0, NULL },
		{ __LINE__, "cpu/event=0xc0,umask=0/,{cpu/event=0x76/,r2}", 0, 0, NULL },
		{ __LINE__, "cpu/event=0xc0", 0, -EINVAL, "second '/'" },
		{ __LINE__, "r1@97Hz", 0, -EINVAL, "a rate has no meaning" },
		{ __LINE__, "cycels", 0, -ENOENT, "near it: cycles" },
		{ __LINE__, "uncore_imc/cas_count_read/", 0, -ENOENT, "no PMU 'uncore_imc'" },
		{ __LINE__, "amd_df/cas_count_read/", 0, -ENOENT, "neither an event nor a field" },
	};

	char *root = fixture_new("ax41");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = machine_of(root);
		int r;

		fake_pmu_add(m.f, PERF_TYPE_RAW, 6, 3);
		m.options.reserve = rows[i].reserve;
		r = try_open(&m, rows[i].specs);
		if (r != rows[i].r || (r < 0 && !strstr(m.error, rows[i].says)))
			fail_msg("line %d: %d, %s", rows[i].line, r, m.error ? m.error : "");
		machine_done(&m);
	}
	tree_free(root);
}

/* A single event that finds no counter is absent with the reason, and the rest counts. */
static void test_no_counter(void **state)
{
	struct machine m = machine_new("ax41");

	(void)state;
	fake_pmu_add(m.f, PERF_TYPE_RAW, 6, 6);
	open_counters(&m, "r1,cpu-clock");
	assert_int_equal(pmu_counters_event(m.c, 0).error, -ENOSPC);
	assert_non_null(strstr(pmu_counters_event(m.c, 0).reason,
			       "the PMU cpu has 6 counters, 0 are free"));
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->error, -ENOSPC);
	assert_int_equal(find_sum(&m, 1, -1)->error, 0);
	machine_free(&m);
}

/* A CPU that goes is absent from then on, not stuck at its last count; when it is back, it counts.
 */
static void test_hotplug(void **state)
{
	struct machine m = machine_new("ax41");

	(void)state;
	open_counters(&m, "r1");
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->counted, 12);
	m.f->offline = 5;
	second(&m, PMU_SUM_CPU);
	for (size_t i = 0; i < m.n_sums; i++)
		assert_int_equal(m.sums[i].error, m.sums[i].cpu == 5 ? -ENODEV : 0);
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->counted, 11);
	assert_int_equal(find_sum(&m, 0, -1)->missing, 1);
	assert_near(find_sum(&m, 0, -1)->value, 11e9, 0.001, __LINE__);
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 0);
	tree_write(m.root, "../../../devices/system/cpu/online", "0-4,6-11\n");
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 1);
	assert_int_equal(pmu_counters_topology(m.c)->n, 11);
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->missing, 0);
	m.f->offline = -1;
	tree_write(m.root, "../../../devices/system/cpu/online", "0-11\n");
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 1);
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 0);
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->counted, 12);
	assert_near(find_sum(&m, 0, -1)->value, 12e9, 0.001, __LINE__);
	machine_free(&m);
}

/* A PMU whose driver is loaded later is counted from then on. */
static void test_late_pmu(void **state)
{
	struct machine m = machine_new("ax41");

	(void)state;
	assert_int_equal(pmu_counters_new(&m.options, &m.c), 0);
	assert_int_equal(pmu_counters_add(m.c, "uncore_imc/clockticks/,r1", 1,
					  PMU_COUNTERS_OPTIONAL, NULL, NULL, &m.error),
			 0);
	assert_int_equal(pmu_counters_open(m.c, &m.error), 0);
	assert_int_equal(pmu_counters_start(m.c), 0);
	assert_int_equal(pmu_counters_event(m.c, 0).error, -ENOENT);
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->error, -ENOENT);
	for (int i = 0; i < 2; i++) {
		const char *names[] = { "uncore_imc_0", "uncore_imc_3" };
		char path[64];

		snprintf(path, sizeof(path), "%s/type", names[i]);
		tree_write(m.root, path, i ? "91\n" : "90\n");
		snprintf(path, sizeof(path), "%s/cpumask", names[i]);
		tree_write(m.root, path, "0\n");
		snprintf(path, sizeof(path), "%s/events/clockticks", names[i]);
		tree_write(m.root, path, "config=0xff\n");
	}
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 1);
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->counted, 2);
	assert_near(find_sum(&m, 0, -1)->value, 2e9, 0.001, __LINE__);
	machine_free(&m);
}

/* Given up, no counter is held and values are absent; taken back, they go on. */
static void test_yield(void **state)
{
	struct machine m = machine_new("ax41");

	(void)state;
	fake_pmu_add(m.f, PERF_TYPE_RAW, 6, 0);
	open_counters(&m, "r1,r2,cpu-clock");
	second(&m, PMU_SUM_HOST);
	pmu_counters_yield(m.c);
	assert_int_equal(m.f->open, 12); /* the software event, which takes nothing from anyone */
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->error, -ECANCELED);
	assert_int_equal(find_sum(&m, 2, -1)->error, 0);
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 0);
	assert_int_equal(m.f->open, 12);
	assert_int_equal(pmu_counters_resume(m.c, &m.error), 0);
	second(&m, PMU_SUM_HOST);
	assert_near(find_sum(&m, 0, -1)->value, 12e9, 0.001, __LINE__);
	machine_free(&m);
}

/* What is busy now is tried again, and counts once it is free. */
static void test_retry(void **state)
{
	struct machine m = machine_new("ax41");

	(void)state;
	fake_rule_add(m.f, (struct fake_rule){ .type = PERF_TYPE_RAW,
					       .config = 1,
					       .cpu = 3,
					       .enable_error = -EBUSY });
	open_counters(&m, "r1");
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->missing, 1);
	m.f->n_rules = 0;
	assert_int_equal(pmu_counters_follow(m.c, &m.error), 0);
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->missing, 0);
	assert_near(find_sum(&m, 0, -1)->value, 12e9, 0.001, __LINE__);
	machine_free(&m);
}

/* Running out of files is told with the number needed, before or while opening. */
static void test_files(void **state)
{
	for (int reserve = 0; reserve < 2; reserve++) {
		struct machine m = machine_new("i3.metal");

		(void)state;
		if (reserve)
			m.f->cannot_reserve = true;
		else
			m.f->max_files = 100;
		assert_int_equal(try_open(&m, "r1,r2,r3,uncore_imc/cas_count_read/"), -EMFILE);
		assert_non_null(strstr(m.error, "224 file descriptors"));
		machine_free(&m);
	}
}

/* On a hybrid CPU each kind of core has its own counters and CPUs; generic events are on both. */
static void test_hybrid(void **state)
{
	struct machine m = machine_new("hybrid");

	(void)state;
	fake_pmu_add(m.f, PERF_TYPE_RAW, 6, 0);
	open_counters(&m, "cpu_core/event=0xc0/,cpu_atom/event=0xc0/,cycles");
	second(&m, PMU_SUM_HOST);
	assert_int_equal(find_sum(&m, 0, -1)->counted, 2);
	assert_int_equal(find_sum(&m, 1, -1)->counted, 2);
	assert_int_equal(find_sum(&m, 2, -1)->counted, 4);
	assert_string_equal(pmu_counters_event(m.c, 1).pmu, "cpu_atom");
	machine_free(&m);
}

/* Of tasks: what a sleeping one did is zero and known; sockets cannot tell whose doing it was. */
static void test_tasks(void **state)
{
	const pid_t tasks[] = { 100, 101 };
	struct machine m = machine_new("i3.metal");
	const struct pmu_count *counts;
	size_t n;

	(void)state;
	m.options.tasks = tasks;
	m.options.n_tasks = 2;
	m.options.at_exec = true;
	open_counters(&m, "r1,uncore_imc/cas_count_read/");
	assert_int_equal(pmu_counters_event(m.c, 1).error, -EOPNOTSUPP);
	assert_non_null(strstr(pmu_counters_event(m.c, 1).reason, "count the whole host"));
	assert_int_equal(m.f->moves, 0);
	fake_advance(m.f, 1000000);
	assert_int_equal(pmu_counters_read(m.c, &counts, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(counts[0].task, 100);
	assert_int_equal(counts[1].task, 101);
	assert_int_equal(counts[0].error, 0);
	assert_int_equal(counts[0].delta, 0);
	assert_true(m.f->events[0].attr.enable_on_exec && m.f->events[0].attr.inherit);
	machine_free(&m);
}

/* By core the threads are added, by CPU not, and cores of the same number differ by socket. */
static void test_sums(void **state)
{
	struct machine m = machine_new("i3.metal");

	(void)state;
	open_counters(&m, "r1,cstate_core/c6-residency/");
	second(&m, PMU_SUM_CORE);
	assert_int_equal(m.n_sums, 2 * 36);
	for (size_t i = 0; i < m.n_sums; i++)
		assert_near(m.sums[i].value, m.sums[i].event ? 1e9 : 2e9, 0.001, __LINE__);
	second(&m, PMU_SUM_CPU);
	assert_int_equal(m.n_sums, 72 + 36);
	second(&m, PMU_SUM_SOCKET);
	assert_int_equal(m.n_sums, 2 * 2);
	assert_near(find_sum(&m, 0, 1)->value, 36e9, 0.001, __LINE__);
	assert_near(find_sum(&m, 1, 1)->value, 18e9, 0.001, __LINE__);
	machine_free(&m);
}

/* On an overloaded host the reader waits for one CPU only, and asks the rest from there. */
static void test_slow_moves(void **state)
{
	struct machine m = machine_new("i3.metal");
	size_t moves;

	(void)state;
	open_counters(&m, "r1");
	moves = m.f->moves;
	m.f->remote = 0;
	m.f->move_ns = 5000000;
	second(&m, PMU_SUM_CPU);
	assert_int_equal(m.n_sums, 72);
	assert_int_equal(m.f->moves - moves, 1 + 1); /* and home */
	assert_int_equal(m.f->remote, 71);
	m.f->move_ns = 0;
	m.f->remote = 0;
	second(&m, PMU_SUM_CPU);
	assert_int_equal(m.f->remote, 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uncore_sums), cmocka_unit_test(test_two_sockets),
		cmocka_unit_test(test_phantoms),    cmocka_unit_test(test_values),
		cmocka_unit_test(test_turns),	    cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_leaders),	    cmocka_unit_test(test_together),
		cmocka_unit_test(test_braces),	    cmocka_unit_test(test_no_counter),
		cmocka_unit_test(test_hotplug),	    cmocka_unit_test(test_late_pmu),
		cmocka_unit_test(test_yield),	    cmocka_unit_test(test_retry),
		cmocka_unit_test(test_files),	    cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_tasks),	    cmocka_unit_test(test_sums),
		cmocka_unit_test(test_slow_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
