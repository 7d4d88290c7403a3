// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>

#include "metric_machines.h"
#include "pmu/internal.h"
#include "pmu/metric_list.h"

/* "a=1 b=2.5", the values a test's formula may look up. */
static bool look_up(const char *name, void *userdata, double *ret)
{
	size_t n = strlen(name);

	for (const char *p = userdata; *p; p += strcspn(p, " "), p += *p == ' ')
		if (strncmp(p, name, n) == 0 && p[n] == '=') {
			*ret = strtod(p + n + 1, NULL);
			return true;
		}
	return false;
}

static int evaluate(const char *text, const char *values, double *ret, const char **ret_absent)
{
	static struct metric_formula f; /* *ret_absent points into it */
	size_t at;

	if (metric_formula_parse(text, &f, &at) < 0)
		fail_msg("%s: wrong at %zu", text, at);
	return metric_eval(&f, look_up, (void *)values, ret, ret_absent);
}

/* Formulas obey arithmetic, and what is not known or not defined is an error, never inf or 0. */
static void test_eval(void **state)
{
	static const struct {
		int line;
		const char *formula, *values;
		int r;
		double value;
		const char *absent;
	} rows[] = {
		{ __LINE__, "1", "", 0, 1, NULL },
		{ __LINE__, " 2.5 ", "", 0, 2.5, NULL },
		{ __LINE__, "1 + 2 * 3", "", 0, 7, NULL },
		{ __LINE__, "(1 + 2) * 3", "", 0, 9, NULL },
		{ __LINE__, "10 - 4 - 3", "", 0, 3, NULL },
		{ __LINE__, "64 / 9 * 9", "", 0, 64, NULL },
		{ __LINE__, "8 / 4 / 2", "", 0, 1, NULL },
		{ __LINE__, "max(0, 1 - 3)", "", 0, 0, NULL },
		{ __LINE__, "max(1, max(5, 2)) + 1", "", 0, 6, NULL },
		{ __LINE__, "a/b", "a=3 b=4", 0, 0.75, NULL },
		{ __LINE__, "a - a", "a=3", 0, 0, NULL },
		{ __LINE__, "a / b", "a=0 b=4", 0, 0, NULL },
		{ __LINE__, "a / b", "a=3 b=0", -EDOM, 0, NULL },
		{ __LINE__, "a / b", "a=0 b=0", -EDOM, 0, NULL },
		{ __LINE__, "a / (b - c)", "a=1 b=2 c=2", -EDOM, 0, NULL },
		{ __LINE__, "0 * (a / b)", "a=3 b=0", -EDOM, 0, NULL },
		{ __LINE__, "max(1, a / b)", "a=3 b=0", -EDOM, 0, NULL },
		{ __LINE__, "a / b", "a=3", -ENODATA, 0, "b" },
		{ __LINE__, "a / b", "b=3", -ENODATA, 0, "a" },
		{ __LINE__, "0 * a", "", -ENODATA, 0, "a" },
		{ __LINE__, "a / b", "b=0", -ENODATA, 0, "a" },
		{ __LINE__, "a", "a=nan", -ENODATA, 0, "a" },
		{ __LINE__, "a", "a=inf", -ENODATA, 0, "a" },
		{ __LINE__, "a * a", "a=1e300", -EDOM, 0, NULL },
		{ __LINE__, "a", "ab=1", -ENODATA, 0, "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *absent = NULL;
		double value = -77;
		int r = evaluate(rows[i].formula, rows[i].values, &value, &absent);

		if (r != rows[i].r || fabs(value - (r < 0 ? -77 : rows[i].value)) > 1e-12 ||
		    (rows[i].absent ? !absent || strcmp(absent, rows[i].absent) != 0 : !!absent))
			fail_msg("line %d: %d, %g, %s", rows[i].line, r, value,
				 absent ? absent : "nothing absent");
	}
}

/* What is no formula is refused, and the place of the mistake is told. */
static void test_mistakes(void **state)
{
	static const struct {
		int line;
		const char *formula;
		int r;
		size_t at;
	} rows[] = {
		{ __LINE__, "", -EINVAL, 0 },
		{ __LINE__, "a +", -EINVAL, 3 },
		{ __LINE__, "+ a", -EINVAL, 0 },
		{ __LINE__, "a b", -EINVAL, 2 },
		{ __LINE__, "a ^ b", -EINVAL, 2 },
		{ __LINE__, "(a", -EINVAL, 2 },
		{ __LINE__, "a)", -EINVAL, 1 },
		{ __LINE__, "A", -EINVAL, 0 },
		{ __LINE__, "_a", -EINVAL, 0 },
		{ __LINE__, "1.2.3", -EINVAL, 3 },
		{ __LINE__, ".5", -EINVAL, 0 },
		{ __LINE__, "1e9", -EINVAL, 1 },
		{ __LINE__, "0x10", -EINVAL, 1 },
		{ __LINE__, "max", -EINVAL, 3 },
		{ __LINE__, "max(1)", -EINVAL, 5 },
		{ __LINE__, "max(1, 2", -EINVAL, 8 },
		{ __LINE__, "max(1, 2, 3)", -EINVAL, 8 },
		{ __LINE__, "a\tb", -EINVAL, 1 },
		{ __LINE__, "abcdefghijklmnopqrstuvwx", -E2BIG, 24 },
		{ __LINE__, "a+b+c+d+e+f+g+h+i+j+k+l+m", -E2BIG, 25 },
		{ __LINE__, "((((((((((((((((a))))))))))))))))", -E2BIG, 16 },
		{ __LINE__,
		  "1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1",
		  -E2BIG, 49 },
	};
	struct metric_formula f, before;

	(void)state;
	memset(&f, 0x5a, sizeof(f));
	before = f;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t at = 999;
		int r = metric_formula_parse(rows[i].formula, &f, &at);

		if (r != rows[i].r || at != rows[i].at)
			fail_msg("line %d: %d at %zu", rows[i].line, r, at);
		assert_memory_equal(&f, &before, sizeof(f));
	}
}

static const struct metric *find(enum metric_family family, const char *name)
{
	const struct metric *m = metric_find(family, name);

	if (!m)
		fail_msg("%s has no %s", metric_family_name(family), name);
	return m;
}

/*
 * The catalogue's formulas, with counts whose result is known: two threads of a core are summed
 * before the division, PERF_METRICS are shares of their sum, and bandwidths are bytes a second.
 */
static void test_known_counts(void **state)
{
	static const struct {
		int line;
		enum metric_family family;
		const char *metric, *values;
		int r;
		double value;
	} rows[] = {
		{ __LINE__, METRIC_ZEN2, "ipc", "instructions=3 cycles=2", 0, 1.5 },
		{ __LINE__, METRIC_ZEN2, "ipc", "instructions=0 cycles=0", -EDOM, 0 },
		{ __LINE__, METRIC_ZEN2, "ipc", "cycles=5", -ENODATA, 0 },
		/* two CPUs, a second, TSC at 2 GHz: one halted, the other at 3 GHz */
		{ __LINE__, METRIC_SKYLAKE_SP, "frequency",
		  "cycles=3e9 ref_cycles=2e9 tsc=4e9 cpus=2 time_s=1", 0, 3e9 },
		{ __LINE__, METRIC_SKYLAKE_SP, "utilisation", "ref_cycles=2e9 tsc=4e9", 0, 0.5 },
		{ __LINE__, METRIC_ZEN3, "frequency", "aperf=9e9 mperf=6e9 tsc=6e9 cpus=1 time_s=2",
		  0, 4.5e9 },
		{ __LINE__, METRIC_NEOVERSE_V2, "frequency",
		  "cycles=2.8e9 cnt_cycles=1e9 timer_hz=1e9", 0, 2.8e9 },
		/*
		 * 1000 cycles of a core of four slots: 400 bubbles, 2600 uops issued, 2400 retired,
		 * 50 cycles of recovery. With two threads the any-thread counts are there twice.
		 */
		{ __LINE__, METRIC_BROADWELL_EP, "topdown_frontend",
		  "fetch_bubbles=400 cycles_any=1000 width=4 smt=1", 0, 0.1 },
		{ __LINE__, METRIC_BROADWELL_EP, "topdown_frontend",
		  "fetch_bubbles=400 cycles_any=2000 width=4 smt=2", 0, 0.1 },
		{ __LINE__, METRIC_BROADWELL_EP, "topdown_bad_speculation",
		  "uops_issued=2600 slots_retired=2400 recovery_any=50 cycles_any=1000 width=4 "
		  "smt=1",
		  0, 0.1 },
		{ __LINE__, METRIC_BROADWELL_EP, "topdown_bad_speculation",
		  "uops_issued=2600 slots_retired=2400 recovery_any=100 cycles_any=2000 width=4 "
		  "smt=2",
		  0, 0.1 },
		{ __LINE__, METRIC_SKYLAKE_SP, "topdown_retiring",
		  "slots_retired=2400 cycles_any=2000 width=4 smt=2", 0, 0.6 },
		{ __LINE__, METRIC_SKYLAKE_SP, "topdown_backend",
		  "fetch_bubbles=400 uops_issued=2600 recovery_any=100 cycles_any=2000 width=4 "
		  "smt=2",
		  0, 0.2 },
		{ __LINE__, METRIC_SKYLAKE_SP, "topdown_retiring",
		  "slots_retired=2400 cycles_any=0 width=4 smt=2", -EDOM, 0 },
		{ __LINE__, METRIC_SKYLAKE_SP, "topdown_retiring",
		  "slots_retired=2400 cycles_any=2000 width=4", -ENODATA, 0 },
		{ __LINE__, METRIC_SAPPHIRE_RAPIDS, "topdown_backend",
		  "td_retiring=20 td_bad_spec=10 td_fe_bound=30 td_be_bound=40", 0, 0.4 },
		{ __LINE__, METRIC_SAPPHIRE_RAPIDS, "topdown_frontend",
		  "td_retiring=20 td_bad_spec=10 td_fe_bound=30 td_be_bound=40 uops_dropped=10 "
		  "slots=100",
		  0, 0.2 },
		{ __LINE__, METRIC_SAPPHIRE_RAPIDS, "topdown_bad_speculation",
		  "td_retiring=20 td_bad_spec=10 td_fe_bound=30 td_be_bound=40 uops_dropped=10 "
		  "slots=100",
		  0, 0.2 },
		{ __LINE__, METRIC_SAPPHIRE_RAPIDS, "topdown_retiring",
		  "td_retiring=0 td_bad_spec=0 td_fe_bound=0 td_be_bound=0", -EDOM, 0 },
		{ __LINE__, METRIC_ICELAKE_SP, "topdown_backend",
		  "td_retiring=20 td_bad_spec=10 td_fe_bound=30 td_be_bound=40 clears=1 slots=100",
		  0, 0.45 },
		{ __LINE__, METRIC_ICELAKE_SP, "topdown_bad_speculation",
		  "td_retiring=20 td_bad_spec=10 td_fe_bound=30 td_be_bound=40 clears=3 slots=100 "
		  "uops_dropped=0",
		  0, 0 },
		{ __LINE__, METRIC_ZEN4, "topdown_backend", "slots_backend=300 cycles=100 width=6",
		  0, 0.5 },
		{ __LINE__, METRIC_ZEN5, "topdown_frontend", "slots_no_ops=80 cycles=100 width=8",
		  0, 0.1 },
		{ __LINE__, METRIC_NEOVERSE_V1, "topdown_frontend",
		  "stall_slots_fe=240 branch_mispredicts=5 cycles=100 width=8", 0, 0.1 },
		{ __LINE__, METRIC_NEOVERSE_V1, "topdown_backend",
		  "stall_slots_be=320 cycles=100 width=8", 0, 0.4 },
		{ __LINE__, METRIC_NEOVERSE_N2, "topdown_frontend",
		  "stall_slots_fe=200 branch_mispredicts=5 cycles=100 width=5", 0, 0.15 },
		{ __LINE__, METRIC_NEOVERSE_N2, "topdown_bad_speculation",
		  "ops_retired=80 ops_speculated=100 stall_slots=300 branch_mispredicts=5 "
		  "cycles=100 width=5",
		  0, 0.32 },
		{ __LINE__, METRIC_NEOVERSE_N2, "topdown_backend",
		  "stall_slots_be=250 branch_mispredicts=5 cycles=100 width=5", 0, 0.35 },
		{ __LINE__, METRIC_NEOVERSE_V2, "topdown_frontend",
		  "stall_slots_fe=240 branch_mispredicts=5 cycles=100 width=8", 0, 0.25 },
		{ __LINE__, METRIC_NEOVERSE_V2, "topdown_bad_speculation",
		  "ops_retired=80 ops_speculated=100 stall_slots=400 branch_mispredicts=5 "
		  "cycles=100 width=8",
		  0, 0.3 },
		{ __LINE__, METRIC_NEOVERSE_V2, "topdown_backend",
		  "stall_slots_be=320 branch_mispredicts=5 cycles=100 width=8", 0, 0.25 },
		{ __LINE__, METRIC_BROADWELL_EP, "page_walk_ratio",
		  "dtlb_load_walk_cycles=100 dtlb_store_walk_cycles=20 itlb_walk_cycles=10 "
		  "dtlb_load_walks=8 dtlb_store_walks=1 itlb_walks=1 cycles_any=2000 smt=2",
		  0, 0.1 },
		{ __LINE__, METRIC_ICELAKE_SP, "memory_bandwidth",
		  "dram_reads=2e9 dram_writes=1e9 time_s=2", 0, 96e9 },
		{ __LINE__, METRIC_GRANITE_RAPIDS, "memory_read_bandwidth",
		  "dram_reads_0=1e9 dram_reads_1=3e9 time_s=1", 0, 256e9 },
		{ __LINE__, METRIC_ZEN2_DESKTOP, "memory_bandwidth",
		  "dram_beats_0=1e8 dram_beats_1=1e8 time_s=1", 0, 12.8e9 },
		{ __LINE__, METRIC_SKYLAKE_SP, "interconnect_bandwidth", "link_data=9e9 time_s=1",
		  0, 64e9 },
		{ __LINE__, METRIC_BROADWELL_EP, "numa_remote_read_ratio",
		  "local_reads=75 remote_reads=25", 0, 0.25 },
		{ __LINE__, METRIC_BROADWELL_EP, "numa_remote_read_ratio",
		  "local_reads=0 remote_reads=0", -EDOM, 0 },
		{ __LINE__, METRIC_ZEN3, "package_power", "energy_pkg=150 time_s=2", 0, 75 },
		{ __LINE__, METRIC_ZEN3, "energy_per_instruction",
		  "energy_pkg=150 instructions=1e11", 0, 1.5e-9 },
		/* a core of two threads, asleep half of 2e9 ticks */
		{ __LINE__, METRIC_BROADWELL_EP, "core_c6_residency", "core_c6=1e9 smt=2 tsc=4e9",
		  0, 0.5 },
		{ __LINE__, METRIC_BROADWELL_EP, "package_c6_residency",
		  "package_c6=1e9 cpus=36 sockets=1 tsc=72e9", 0, 0.5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double value = 0;
		int r = evaluate(find(rows[i].family, rows[i].metric)->formula, rows[i].values,
				 &value, NULL);

		if (r != rows[i].r ||
		    (r == 0 && fabs(value - rows[i].value) > 1e-12 * fmax(1, fabs(rows[i].value))))
			fail_msg("line %d: %d, %.17g", rows[i].line, r, value);
	}
}

static void check_names(enum metric_family family, const struct metric *m)
{
	struct metric_formula f;
	size_t at;

	if (metric_formula_parse(m->formula, &f, &at) < 0)
		fail_msg("%s of %s: wrong at %zu", m->name, metric_family_name(family), at);
	for (size_t i = 0; i < f.n_names; i++) {
		const struct metric_event *e = metric_event_find(family, f.names[i]);
		double value;

		if (!!e == metric_is_constant(f.names[i]))
			fail_msg("%s of %s: '%s' is %s", m->name, metric_family_name(family),
				 f.names[i], e ? "both event and constant" : "unknown");
		if (e && e->leader && !metric_event_find(family, e->leader))
			fail_msg("%s: there is no leader %s", e->name, e->leader);
		if (strcmp(f.names[i], "width") == 0)
			assert_true(metric_machine_constant(family, "width", NULL, &value));
	}
}

static bool formula_names(const struct metric *m, const char *name)
{
	struct metric_formula f;
	size_t at;

	assert_int_equal(metric_formula_parse(m->formula, &f, &at), 0);
	for (size_t i = 0; i < f.n_names; i++)
		if (strcmp(f.names[i], name) == 0)
			return true;
	return false;
}

static void check_used(enum metric_family family, const struct metric_event *e)
{
	const struct metric *m = NULL;
	const struct metric_event *other = NULL;

	while ((m = metric_next(family, m)))
		if (formula_names(m, e->name))
			break;
	if (!m)
		fail_msg("nothing on %s needs %s", metric_family_name(family), e->name);
	while ((other = metric_event_next(family, other)))
		if (other != e && strcmp(other->name, e->name) == 0)
			fail_msg("%s has two %s", metric_family_name(family), e->name);
	assert_true(*e->spec && *e->native && *e->source);
	assert_true(strlen(e->name) < METRIC_NAME_SIZE);
}

/*
 * In each family every formula parses, names only events and constants that are there, each metric
 * comes once, and no event is there for nothing.
 */
static void test_catalogue(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++) {
		enum metric_family family = (enum metric_family)i, found;
		const struct metric_event *e = NULL;
		const struct metric *m = NULL;

		while ((m = metric_next(family, m))) {
			check_names(family, m);
			assert_ptr_equal(metric_find(family, m->name), m);
			assert_true(*m->summary && *m->source && m->threshold >= 0);
		}
		while ((e = metric_event_next(family, e)))
			check_used(family, e);
		assert_true(metric_family_find(metric_family_name(family), &found));
		assert_int_equal(found, family);
	}
}

/* Each family answers the questions its hardware can answer. */
static void test_coverage(void **state)
{
	static const char *const everywhere[] = {
		"ipc", "l1d_mpki", "llc_mpki", "dtlb_mpki", "itlb_mpki", "branch_mpki",
	};
	static const char *const topdown[] = {
		"topdown_frontend",
		"topdown_bad_speculation",
		"topdown_backend",
		"topdown_retiring",
	};

	(void)state;
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++) {
		enum metric_family f = (enum metric_family)i;
		bool arm = f >= METRIC_NEOVERSE_N1, generic = f == METRIC_GENERIC;
		bool proxies = generic || f == METRIC_NEOVERSE_N1 ||
			       (f >= METRIC_ZEN2 && f <= METRIC_ZEN3_DESKTOP);

		for (size_t k = 0; k < ARRAY_SIZE(everywhere); k++)
			find(f, everywhere[k]);
		for (size_t k = 0; k < ARRAY_SIZE(topdown); k++)
			assert_int_equal(!!metric_find(f, topdown[k]), !proxies);
		if (proxies)
			assert_true(find(f, "frontend_stalls")->approximate &&
				    find(f, "backend_stalls")->approximate);
		find(f, f == METRIC_NEOVERSE_N1 ? "cycle_rate" : "frequency");
		if (!generic) {
			find(f, "l2_mpki");
			find(f, "memory_bandwidth");
		}
		if (!arm)
			find(f, "package_power");
		if (f >= METRIC_BROADWELL_EP && f <= METRIC_GRANITE_RAPIDS) {
			find(f, "page_walk_ratio");
			find(f, "dram_power");
			find(f, "core_c6_residency");
			find(f, "numa_remote_read_ratio");
			find(f, "interconnect_bandwidth");
		}
	}
}

/* Whether an event that `m` needs has the encoding `spec`. */
static bool metric_counts(enum metric_family family, const struct metric *m, const char *spec)
{
	const struct metric_event *e = NULL;

	while ((e = metric_event_next(family, e)))
		if (formula_names(m, e->name) && strcmp(e->spec, spec) == 0)
			return true;
	return false;
}

/* "LLC" is the last level: none of its events is one of the L1's or the L2's. */
static void test_llc_is_no_l2(void **state)
{
	static const char *const lower[] = { "l1d_mpki", "l2_mpki" };

	(void)state;
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++) {
		enum metric_family f = (enum metric_family)i;
		const struct metric_event *e = NULL;

		while ((e = metric_event_next(f, e))) {
			if (!formula_names(find(f, "llc_mpki"), e->name) ||
			    strcmp(e->name, "instructions") == 0)
				continue;
			for (size_t k = 0; k < ARRAY_SIZE(lower); k++)
				if (metric_find(f, lower[k]) &&
				    metric_counts(f, metric_find(f, lower[k]), e->spec))
					fail_msg("%s: %s is counted for the LLC and for %s",
						 metric_family_name(f), e->name, lower[k]);
		}
	}
}

/* A numbered PMU stands for all its instances, whatever the gaps; an absent one is -ENOENT. */
static void test_specs(void **state)
{
	char *root = fixture_new("i3.metal"), *specs = NULL;
	const struct metric_event *e = metric_event_find(METRIC_BROADWELL_EP, "dram_reads");

	(void)state;
	assert_int_equal(metric_event_specs(e, root, &specs), 0);
	assert_string_equal(specs, "uncore_imc_0/event=0x04,umask=0x03/,"
				   "uncore_imc_1/event=0x04,umask=0x03/,"
				   "uncore_imc_4/event=0x04,umask=0x03/,"
				   "uncore_imc_5/event=0x04,umask=0x03/");
	free(specs);
	assert_int_equal(
		metric_event_specs(metric_event_find(METRIC_BROADWELL_EP, "cycles"), root, &specs),
		0);
	assert_string_equal(specs, "cycles");
	free(specs);
	e = metric_event_find(METRIC_SKYLAKE_SP, "link_data");
	assert_int_equal(metric_event_specs(e, root, &specs), -ENOENT);
	assert_int_equal(metric_event_specs(e, "/nonexistent", &specs), -ENOENT);
	tree_free(root);
}

/* A kernel that refuses one encoding. */
struct refusal {
	uint32_t type;
	uint64_t config;
	int error;
	size_t alone; /* members of PERF_METRICS that came without their leader */
	size_t opened;
};

static int refuse(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata)
{
	struct refusal *f = userdata;

	assert_int_equal(attr->sample_period, 0);
	/* Members follow their leader. */
	assert_int_equal(attr->disabled, t->group_fd < 0);
	f->opened++;
	if (attr->type == PERF_TYPE_RAW && attr->config >= 0x8000 && attr->config <= 0x8700 &&
	    !(attr->config & 0xff) && t->group_fd < 0)
		f->alone++;
	if (f->error && attr->type == f->type && attr->config == f->config)
		return f->error;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static const struct metric_listed *find_row(const struct metric_listed *rows, size_t n,
					    const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].metric->name, name) == 0)
			return &rows[i];
	fail_msg("%s is not listed", name);
	return NULL;
}

/* Where everything opens, everything can be computed; each event was opened once, and PERF_METRICS
 * only in a group led by SLOTS. */
static void test_list_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++) {
		char *root = fixture_new(metric_machines[i]);
		struct refusal f = { 0 };
		const struct pmu_kernel k = { refuse, &f, root };
		const struct metric_event *e = NULL;
		struct metric_listed *rows;
		size_t n, events = 0, members = 0;

		assert_int_equal(metric_list_by(&k, (enum metric_family)i, NULL, &rows, &n), 0);
		for (size_t m = 0; m < n; m++)
			if (!rows[m].available && (i < METRIC_NEOVERSE_N1 ||
						   !strstr(rows[m].metric->formula, "timer_hz")))
				fail_msg("%s of %s: %s", rows[m].metric->name,
					 metric_family_name((enum metric_family)i), rows[m].reason);
		while ((e = metric_event_next((enum metric_family)i, e))) {
			events++;
			members += !!e->leader;
		}
		if (i < METRIC_NEOVERSE_N1)
			assert_int_equal(f.opened, events + members);
		assert_int_equal(f.alone, 0);
		metric_listed_free(rows, n);
		tree_free(root);
	}
}

/* What is missing is named, with the cause; metrics that do not need it are not harmed. */
static void test_list_missing(void **state)
{
	struct refusal f = { PERF_TYPE_RAW, 0x20d1, -ENOENT, 0, 0 };
	char *root = fixture_new("i3.metal");
	const struct pmu_kernel k = { refuse, &f, root };
	const struct metric_listed *row;
	struct metric_listed *rows;
	size_t n;

	(void)state;
	assert_int_equal(metric_list_by(&k, METRIC_BROADWELL_EP, NULL, &rows, &n), 0);
	row = find_row(rows, n, "llc_mpki");
	assert_false(row->available);
	assert_string_equal(row->missing->native, "MEM_LOAD_UOPS_RETIRED.L3_MISS");
	assert_non_null(strstr(row->reason, "ENOENT"));
	assert_true(find_row(rows, n, "ipc")->available);
	assert_true(find_row(rows, n, "memory_bandwidth")->available);
	metric_listed_free(rows, n);

	/* the PMUs of another machine are not there: the driver is named */
	assert_int_equal(metric_list_by(&k, METRIC_SKYLAKE_SP, "INTERCONNECT", &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_false(rows[0].available);
	assert_non_null(strstr(rows[0].reason, "uncore_upi: its driver (intel_uncore)"));
	metric_listed_free(rows, n);

	/* a PMU without the event */
	assert_int_equal(metric_list_by(&k, METRIC_ICELAKE_SP, "core_c1", &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_non_null(strstr(rows[0].reason, "cstate_core has neither an event nor a field"));
	metric_listed_free(rows, n);

	/* SLOTS itself refused: its members say so */
	tree_free(root);
	root = fixture_new("spr");
	f = (struct refusal){ PERF_TYPE_RAW, 0x400, -EINVAL, 0, 0 };
	assert_int_equal(metric_list_by(&(struct pmu_kernel){ refuse, &f, root },
					METRIC_SAPPHIRE_RAPIDS, "topdown_memory", &rows, &n),
			 0);
	assert_int_equal(n, 1);
	assert_non_null(strstr(rows[0].reason, "EINVAL"));
	metric_listed_free(rows, n);
	tree_free(root);
}

/* Without trying nothing is opened, and a pattern no name contains gives nothing. */
static void test_list_untried(void **state)
{
	struct metric_listed *rows;
	size_t n;

	(void)state;
	assert_int_equal(metric_list(METRIC_ZEN5, "topdown", false, "/nonexistent", &rows, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_true(!rows[i].available && !rows[i].reason && rows[i].formula.n_ops);
	metric_listed_free(rows, n);
	assert_int_equal(metric_list(METRIC_ZEN5, "nothing", true, NULL, &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_null(metric_listed_free(rows, n));
}

/* The machine's constants: threads of a core from sysfs, slots of a cycle by family. */
static void test_constants(void **state)
{
	char *ht = fixture_new("i3.metal"), *single = fixture_new("graviton2");
	double v;

	(void)state;
	assert_true(metric_machine_constant(METRIC_BROADWELL_EP, "smt", ht, &v) && v == 2);
	assert_true(metric_machine_constant(METRIC_NEOVERSE_N1, "smt", single, &v) && v == 1);
	assert_false(metric_machine_constant(METRIC_BROADWELL_EP, "smt", "/nonexistent", &v));
	assert_true(metric_machine_constant(METRIC_BROADWELL_EP, "width", ht, &v) && v == 4);
	assert_true(metric_machine_constant(METRIC_ZEN4_DESKTOP, "width", ht, &v) && v == 6);
	assert_true(metric_machine_constant(METRIC_ZEN5, "width", ht, &v) && v == 8);
	assert_true(metric_machine_constant(METRIC_NEOVERSE_N2, "width", ht, &v) && v == 5);
	assert_false(metric_machine_constant(METRIC_ZEN2, "width", ht, &v));
	assert_false(metric_machine_constant(METRIC_ZEN2, "time_s", ht, &v));
	assert_false(metric_is_constant("cycles"));
	assert_true(metric_is_constant("time_s"));
	tree_free(ht);
	tree_free(single);
}

/* Values are written in the unit's own way. */
static void test_format(void **state)
{
	static const struct {
		int line;
		enum metric_unit unit;
		double value;
		const char *text;
	} rows[] = {
		{ __LINE__, METRIC_RATIO, 0.0345, "3.5 %" },
		{ __LINE__, METRIC_RATIO, 1, "100.0 %" },
		{ __LINE__, METRIC_PER_CYCLE, 1.234, "1.23" },
		{ __LINE__, METRIC_PER_KILO, 12.345, "12.35" },
		{ __LINE__, METRIC_HZ, 3.2e9, "3.20 GHz" },
		{ __LINE__, METRIC_BYTES_PER_S, 0, "0.00 B/s" },
		{ __LINE__, METRIC_BYTES_PER_S, 12.34e9, "12.3 GB/s" },
		{ __LINE__, METRIC_BYTES_PER_S, 999.9e6, "1000 MB/s" },
		{ __LINE__, METRIC_BYTES_PER_S, 5e15, "5000 TB/s" },
		{ __LINE__, METRIC_WATT, 145, "145 W" },
		{ __LINE__, METRIC_WATT, -2.5, "-2.50 W" },
		{ __LINE__, METRIC_JOULE, 1.5e-9, "1.50 nJ" },
		{ __LINE__, METRIC_JOULE, 1.5e-12, "0.00 nJ" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		metric_format(rows[i].unit, rows[i].value, text, sizeof(text));
		if (strcmp(text, rows[i].text) != 0)
			fail_msg("line %d: %s", rows[i].line, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eval),	     cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_known_counts), cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_coverage),     cmocka_unit_test(test_llc_is_no_l2),
		cmocka_unit_test(test_specs),	     cmocka_unit_test(test_list_all),
		cmocka_unit_test(test_list_missing), cmocka_unit_test(test_list_untried),
		cmocka_unit_test(test_constants),    cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
