// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "pmu/pmu.h"
#include "pmu_tree.h"
#include "util/cleanup.h"

/* A server made up of pieces of several: an AMD core PMU, its data fabric, Intel's memory channels,
 * RAPL, msr, an event with a parameter, and PMUs with broken files. */
static const struct tree_file machine[] = {
	{ "cpu/type", "4\n" },
	{ "cpu/format/event", "config:0-7,32-35\n" },
	{ "cpu/format/umask", "config:8-15\n" },
	{ "cpu/format/inv", "config:23\n" },
	{ "cpu/format/cmask", "config:24-31\n" },
	{ "cpu/format/ldlat", "config1:0-15\n" },
	{ "cpu/events/cpu-cycles", "event=0x76\n" },
	{ "cpu/events/mem-loads", "event=0xcd,umask=0x1,ldlat=3\n" },
	{ "cpu/events/topdown-slots", "event=0x3c\n" },
	{ "cpu/events/topdown-slots.scale", "4\n" },
	{ "amd_df/type", "15\n" },
	{ "amd_df/cpumask", "0\n" },
	{ "amd_df/format/event", "config:0-7,32-35,59-60\n" },
	{ "amd_df/format/umask", "config:8-15\n" },
	{ "uncore_imc_1/type", "17\n" },
	{ "uncore_imc_1/cpumask", "0,36\n" },
	{ "uncore_imc_1/format/event", "config:0-7\n" },
	{ "uncore_imc_1/format/umask", "config:8-15\n" },
	{ "uncore_imc_1/events/cas_count_read", "event=0x04,umask=0x03\n" },
	{ "uncore_imc_1/events/cas_count_read.scale", "6.103515625e-5\n" },
	{ "uncore_imc_1/events/cas_count_read.unit", "MiB\n" },
	{ "power/type", "20\n" },
	{ "power/cpumask", "0\n" },
	{ "power/format/event", "config:0-7\n" },
	{ "power/events/energy-pkg", "event=0x02\n" },
	{ "power/events/energy-pkg.unit", "Joules\n" },
	{ "power/events/energy-pkg.scale", "2.3283064365386962890625e-10\n" },
	{ "msr/type", "21\n" },
	{ "msr/format/event", "config:0-63\n" },
	{ "msr/events/tsc", "event=0x00\n" },
	{ "hv/type", "22\n" },
	{ "hv/format/domain", "config:0-3\n" },
	{ "hv/format/core", "config:16-31\n" },
	{ "hv/events/cycles_core", "domain=0x2,core=?\n" },
	{ "ibs_op/type", "11\n" },
	{ "ibs_op/format/cnt_ctl", "config:19\n" },
	{ "broken/type", "not a number\n" },
	{ "odd/type", "23\n" },
	{ "odd/format/bad", "bits 0 to 7\n" },
	{ "odd/format/far", "config3:0-7\n" },
	{ "odd/events/nothing", "\n" },
	{ "odd/events/endless", "endless\n" },
	{ "odd/events/scaled", "config=1\n" },
	{ "odd/events/scaled.scale", "-1\n" },
};

struct row {
	int line;
	const char *spec;
	const char *name, *pmu;
	enum pmu_source source;
	uint32_t type;
	uint64_t config, config1;
	uint64_t hz, period; /* one of them, or none for what only counts */
};

#define HW PERF_TYPE_HARDWARE
#define SW PERF_TYPE_SOFTWARE
#define CACHE PERF_TYPE_HW_CACHE
#define RAW PERF_TYPE_RAW
#define ALIAS PMU_SOURCE_ALIAS
#define SYSFS PMU_SOURCE_SYSFS

static const struct row rows[] = {
	{ __LINE__, "cycles", "cycles", "cpu", ALIAS, HW, 0, 0, 99, 0 },
	{ __LINE__, "cpu-cycles", "cycles", "cpu", ALIAS, HW, 0, 0, 99, 0 },
	{ __LINE__, "CYCLES@97Hz", "cycles", "cpu", ALIAS, HW, 0, 0, 97, 0 },
	{ __LINE__, "cycles@97hz", "cycles", "cpu", ALIAS, HW, 0, 0, 97, 0 },
	{ __LINE__, "cycles@100003", "cycles", "cpu", ALIAS, HW, 0, 0, 0, 100003 },
	{ __LINE__, "cycles@0x10", "cycles", "cpu", ALIAS, HW, 0, 0, 0, 16 },
	{ __LINE__, " cycles\t", "cycles", "cpu", ALIAS, HW, 0, 0, 99, 0 },
	{ __LINE__, "cycles:u@5", "cycles:u", "cpu", ALIAS, HW, 0, 0, 0, 5 },
	{ __LINE__, "branch-misses", "branch-misses", "cpu", ALIAS, HW, 5, 0, 0, 1000003 },
	{ __LINE__, "dTLB-load-misses", "dTLB-load-misses", "cpu", ALIAS, CACHE, 0x10003, 0, 0,
	  100003 },
	{ __LINE__, "cpu-clock", "cpu-clock", "software", ALIAS, SW, 0, 0, 99, 0 },
	{ __LINE__, "faults", "page-faults", "software", ALIAS, SW, 2, 0, 0, 1009 },
	{ __LINE__, "page-faults@11Hz", "page-faults", "software", ALIAS, SW, 2, 0, 11, 0 },
	{ __LINE__, "dummy", "dummy", "software", ALIAS, SW, 9, 0, 0, 0 },

	{ __LINE__, "cpu/cpu-cycles/", "cpu/cpu-cycles/", "cpu", SYSFS, RAW, 0x76, 0, 99, 0 },
	{ __LINE__, "cpu/event=0x1a0,umask=0x1/", "cpu/event=0x1a0,umask=0x1/", "cpu", SYSFS, RAW,
	  0x1000001a0, 0, 99, 0 },
	{ __LINE__, "cpu/event=0x3c,inv/", "cpu/event=0x3c,inv/", "cpu", SYSFS, RAW, 0x80003c, 0,
	  99, 0 },
	{ __LINE__, "cpu/mem-loads,ldlat=30/p", "cpu/mem-loads,ldlat=30/p", "cpu", SYSFS, RAW,
	  0x1cd, 30, 99, 0 },
	{ __LINE__, "cpu/event=0xd1,umask=0x20,name=l3_miss,period=50021/", "l3_miss", "cpu", SYSFS,
	  RAW, 0x20d1, 0, 0, 50021 },
	{ __LINE__, "cpu/event=0xd1,freq=49/", "cpu/event=0xd1,freq=49/", "cpu", SYSFS, RAW, 0xd1,
	  0, 49, 0 },
	{ __LINE__, "cpu/config=0x1234,config1=7/@7", "cpu/config=0x1234,config1=7/", "cpu", SYSFS,
	  RAW, 0x1234, 7, 0, 7 },
	{ __LINE__, "amd_df/event=0x107,umask=0x38/", "amd_df/event=0x107,umask=0x38/", "amd_df",
	  SYSFS, 15, 0x100003807, 0, 0, 0 },
	{ __LINE__, "uncore_imc_1/cas_count_read/", "uncore_imc_1/cas_count_read/", "uncore_imc_1",
	  SYSFS, 17, 0x304, 0, 0, 0 },
	{ __LINE__, "power/energy-pkg/", "power/energy-pkg/", "power", SYSFS, 20, 2, 0, 0, 0 },
	{ __LINE__, "msr/tsc/", "msr/tsc/", "msr", SYSFS, 21, 0, 0, 0, 0 },
	{ __LINE__, "hv/cycles_core,core=5/", "hv/cycles_core,core=5/", "hv", SYSFS, 22, 0x50002, 0,
	  99, 0 },
	{ __LINE__, "ibs_op//", "ibs_op//", "ibs_op", SYSFS, 11, 0, 0, 99, 0 },
	{ __LINE__, "ibs_op//@10007", "ibs_op//", "ibs_op", SYSFS, 11, 0, 0, 0, 10007 },
	{ __LINE__, "ibs_op/cnt_ctl/", "ibs_op/cnt_ctl/", "ibs_op", SYSFS, 11, 0x80000, 0, 99, 0 },

	{ __LINE__, "r1c2", "r1c2", "cpu", PMU_SOURCE_RAW, RAW, 0x1c2, 0, 99, 0 },
	{ __LINE__, "rFFffffffffffffff:u@13", "rFFffffffffffffff:u", "cpu", PMU_SOURCE_RAW, RAW,
	  ~0ULL, 0, 0, 13 },
};

static void check_row(const struct row *row, const struct pmu_event *ev)
{
	const struct perf_event_attr *a = &ev->attr;
	uint64_t hz = a->freq ? a->sample_freq : 0, period = a->freq ? 0 : a->sample_period;

	if (strcmp(ev->name, row->name) != 0 || strcmp(ev->pmu, row->pmu) != 0)
		fail_msg("line %d: name '%s', pmu '%s'", row->line, ev->name, ev->pmu);
	if (ev->source != row->source || a->type != row->type || a->config != row->config ||
	    a->config1 != row->config1)
		fail_msg("line %d: source %d, type %u, config %#llx, config1 %#llx", row->line,
			 (int)ev->source, a->type, (unsigned long long)a->config,
			 (unsigned long long)a->config1);
	if (hz != row->hz || period != row->period ||
	    ev->countable_only != !(row->hz + row->period))
		fail_msg("line %d: %llu Hz, period %llu, countable_only %d", row->line,
			 (unsigned long long)hz, (unsigned long long)period, ev->countable_only);
	if (a->size != sizeof(*a) || a->disabled || !ev->unit)
		fail_msg("line %d: size %u, disabled %d", row->line, a->size, a->disabled);
}

/* Each way of writing an event gives the encoding, name and rate that belong to it. */
static void test_specs(void **state)
{
	const struct pmu_defaults d = { .sysfs = *state };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pmu_event *events = NULL;
		char *error = NULL;
		size_t n = 0;
		int r = pmu_events_parse(rows[i].spec, &d, &events, &n, &error);

		if (r || n != 1 || error)
			fail_msg("line %d: '%s' gave %d, %s", rows[i].line, rows[i].spec, r, error);
		check_row(&rows[i], &events[0]);
		pmu_events_free(events, n);
	}
}

/* What cannot be meant gives the right errno and a sentence that says what is wrong. */
static void test_refused(void **state)
{
	static const struct {
		int line;
		const char *spec;
		int r;
		const char *says;
	} bad[] = {
		{ __LINE__, "", -EINVAL, "empty" },
		{ __LINE__, "   ", -EINVAL, "empty" },
		{ __LINE__, ",", -EINVAL, "empty" },
		{ __LINE__, "cpu-clock,", -EINVAL, "empty" },
		{ __LINE__, "cpu-clock,,dummy", -EINVAL, "empty" },
		{ __LINE__, "@99Hz", -EINVAL, "no name" },
		{ __LINE__, "cycles@", -EINVAL, "no rate" },
		{ __LINE__, "cycles@Hz", -EINVAL, "no rate" },
		{ __LINE__, "cycles@99 Hz", -EINVAL, "no rate" },
		{ __LINE__, "cycles@-1", -EINVAL, "no rate" },
		{ __LINE__, "cycles@1.5", -EINVAL, "no rate" },
		{ __LINE__, "cycles@99kHz", -EINVAL, "no rate" },
		{ __LINE__, "cycles@0x", -EINVAL, "no rate" },
		{ __LINE__, "cycles@0", -EINVAL, "out of range" },
		{ __LINE__, "cycles@0Hz", -EINVAL, "out of range" },
		{ __LINE__, "cycles@9223372036854775808", -EINVAL, "out of range" },
		{ __LINE__, "cycles@99999999999999999999", -EINVAL, "out of range" },
		{ __LINE__, "msr/tsc/@99Hz", -EINVAL, "only counts" },
		{ __LINE__, "msr/tsc,period=5/", -EINVAL, "only counts" },
		{ __LINE__, "dummy@1", -EINVAL, "only counts" },
		{ __LINE__, "cycels", -ENOENT, "near it: cycles" },
		{ __LINE__, "no-such-thing-anywhere", -ENOENT, "lists all" },
		{ __LINE__, "cycles:x", -EINVAL, "'x' is no modifier" },
		{ __LINE__, "cycles:", -EINVAL, "without a modifier" },
		{ __LINE__, "cycles:pppp", -EINVAL, "more than three p" },
		{ __LINE__, "cpu/cycles", -EINVAL, "second '/'" },
		{ __LINE__, "cpu-clock,cpu/cycles,dummy", -EINVAL, "second '/'" },
		{ __LINE__, "cpu//", -EINVAL, "PMU/EVENT/" },
		{ __LINE__, "/cycles/", -EINVAL, "PMU/EVENT/" },
		{ __LINE__, "//", -EINVAL, "PMU/EVENT/" },
		{ __LINE__, "nopmu//", -ENOENT, "no PMU 'nopmu'" },
		{ __LINE__, "cpu/cpu-cycles/q", -EINVAL, "'q' is no modifier" },
		{ __LINE__, "cpu/inv/b/c/", -EINVAL, "'b' is no modifier" },
		{ __LINE__, "nopmu/event=1/", -ENOENT, "no PMU 'nopmu'" },
		{ __LINE__, "../event=1/", -ENOENT, "no PMU '..'" },
		{ __LINE__, "cpu/cpu-cycle/", -ENOENT, "near it: cpu/cpu-cycles/" },
		{ __LINE__, "cpu/evnt=1/", -ENOENT, "neither an event nor a field 'evnt'" },
		{ __LINE__, "cpu/event=0x1000/", -EINVAL, "does not fit the 12 bits" },
		{ __LINE__, "cpu/inv=2/", -EINVAL, "does not fit the 1 bits" },
		{ __LINE__, "cpu/event=/", -EINVAL, "needs a number" },
		{ __LINE__, "cpu/event=zz/", -EINVAL, "needs a number" },
		{ __LINE__, "cpu/event=1,,umask=1/", -EINVAL, "empty term" },
		{ __LINE__, "cpu/=1/", -EINVAL, "cannot be a field" },
		{ __LINE__, "cpu/..=1/", -EINVAL, "cannot be a field" },
		{ __LINE__, "cpu/../", -EINVAL, "neither event nor field" },
		{ __LINE__, "cpu/event=1,period=0/", -EINVAL, "no rate" },
		{ __LINE__, "cpu/event=1,name=/", -EINVAL, "name= is empty" },
		{ __LINE__, "hv/cycles_core/", -EINVAL, "needs core=VALUE" },
		{ __LINE__, "broken/event=1/", -EINVAL, "type of PMU 'broken'" },
		{ __LINE__, "odd/bad=1/", -EINVAL, "format of field 'bad'" },
		{ __LINE__, "odd/far=1/", -EOPNOTSUPP, "not known" },
		{ __LINE__, "odd/nothing/", -EINVAL, "empty term" },
		{ __LINE__, "odd/endless/", -ENOENT, "neither an event nor a field" },
		{ __LINE__, "odd/scaled/", -EINVAL, "scale '-1'" },
		{ __LINE__, "r12345678123456789", -EINVAL, "16 hex digits" },
		{ __LINE__, "r1c2:z", -EINVAL, "no modifier" },
		{ __LINE__, "r", -ENOENT, "no such event" },
		{ __LINE__, "rxyz", -ENOENT, "no such event" },
		{ __LINE__, "a\nb\033[31m", -ENOENT, "a?b?[31m" },
		{ __LINE__, "\xff\xfe", -ENOENT, "no such event" },
	};
	const struct pmu_defaults d = { .sysfs = *state };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pmu_event *events = (void *)1;
		char *error = NULL;
		size_t n = 77;
		int r = pmu_events_parse(bad[i].spec, &d, &events, &n, &error);

		if (r != bad[i].r || !error || !strstr(error, bad[i].says))
			fail_msg("line %d: '%s' gave %d: %s", bad[i].line, bad[i].spec, r, error);
		if (events != (void *)1 || n != 77)
			fail_msg("line %d: results touched on failure", bad[i].line);
		free(error);
	}
}

/* A name of a thousand bytes is looked up, a longer one refused, and none overruns anything. */
static void test_long(void **state)
{
	const struct pmu_defaults d = { .sysfs = *state };
	struct pmu_event *events;
	size_t n;

	for (size_t length = 90; length < 70000; length = length * 3 / 2) {
		_cleanup_free_ char *spec = malloc(length + 1), *error = NULL;

		memset(spec, 'a', length);
		spec[length] = 0;
		assert_int_equal(pmu_events_parse(spec, &d, &events, &n, &error),
				 length > 1023 ? -EINVAL : -ENOENT);
		assert_non_null(error);
	}
}

/* Commas part events, but not inside slashes, and the order is kept. */
static void test_list(void **state)
{
	static const char *const names[] = { "cycles", "cpu/event=1,umask=2/", "page-faults",
					     "msr/tsc/", "r1c2" };
	const struct pmu_defaults d = { .sysfs = *state };
	struct pmu_event *events = NULL;
	char *error = NULL;
	size_t n = 0;

	assert_int_equal(pmu_events_parse("cycles@97Hz,cpu/event=1,umask=2/@3, page-faults "
					  ",msr/tsc/,r1c2",
					  &d, &events, &n, &error),
			 0);
	assert_int_equal(n, ARRAY_SIZE(names));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(events[i].name, names[i]);
	assert_string_equal(events[0].spec, "cycles");
	pmu_events_free(events, n);
}

/* -F and -c hold for events without a rate of their own, and never for what only counts. */
static void test_defaults(void **state)
{
	const struct pmu_defaults freq = { .freq_hz = 997, .sysfs = *state };
	const struct pmu_defaults period = { .period = 31, .sysfs = *state };
	struct pmu_event *events = NULL;
	char *error = NULL;
	size_t n = 0;

	assert_int_equal(
		pmu_events_parse("page-faults,cycles@5,msr/tsc/", &freq, &events, &n, &error), 0);
	assert_true(events[0].attr.freq && events[0].attr.sample_freq == 997);
	assert_true(!events[1].attr.freq && events[1].attr.sample_period == 5);
	assert_true(!events[2].attr.freq && events[2].attr.sample_period == 0);
	pmu_events_free(events, n);
	assert_int_equal(pmu_events_parse("cycles,cycles@5Hz", &period, &events, &n, &error), 0);
	assert_true(!events[0].attr.freq && events[0].attr.sample_period == 31);
	assert_true(events[1].attr.freq && events[1].attr.sample_freq == 5);
	pmu_events_free(events, n);
}

/* Scale, unit and CPUs come from sysfs; a core event counts on every CPU. */
static void test_sysfs_facts(void **state)
{
	const struct pmu_defaults d = { .sysfs = *state };
	struct pmu_event *e = NULL;
	char *error = NULL;
	size_t n = 0;

	assert_int_equal(pmu_events_parse("uncore_imc_1/cas_count_read/,power/energy-pkg/,"
					  "cpu/topdown-slots/,amd_df/event=7/",
					  &d, &e, &n, &error),
			 0);
	assert_string_equal(e[0].unit, "MiB");
	assert_true(e[0].scale == 6.103515625e-5);
	assert_string_equal(e[0].cpus, "0,36");
	assert_string_equal(e[1].unit, "Joules");
	assert_true(e[1].scale == 2.3283064365386962890625e-10);
	assert_string_equal(e[2].unit, "");
	assert_true(e[2].scale == 4);
	assert_null(e[2].cpus);
	assert_true(e[3].scale == 1);
	/* uncore PMUs refuse every exclude bit, cores are told to leave guests out */
	assert_false(e[0].attr.exclude_guest);
	assert_true(e[2].attr.exclude_guest);
	pmu_events_free(e, n);
}

/* Modifiers choose levels as perf's do, and precision brings the call chain BPF needs. */
static void test_modifiers(void **state)
{
	static const struct {
		int line;
		const char *spec;
		int user, kernel, hv, guest, host, idle; /* excluded */
		unsigned int precise;
	} mods[] = {
		{ __LINE__, "cycles", 0, 0, 0, 1, 0, 0, 0 },
		{ __LINE__, "cycles:u", 0, 1, 1, 1, 0, 0, 0 },
		{ __LINE__, "cycles:k", 1, 0, 1, 1, 0, 0, 0 },
		{ __LINE__, "cycles:uk", 0, 0, 1, 1, 0, 0, 0 },
		{ __LINE__, "cycles:u:k", 0, 0, 1, 1, 0, 0, 0 },
		{ __LINE__, "cycles:h", 1, 1, 0, 1, 0, 0, 0 },
		{ __LINE__, "cycles:G", 0, 0, 0, 0, 1, 0, 0 },
		{ __LINE__, "cycles:H", 0, 0, 0, 1, 0, 0, 0 },
		{ __LINE__, "cycles:GH", 0, 0, 0, 0, 0, 0, 0 },
		{ __LINE__, "cycles:I", 0, 0, 0, 1, 0, 1, 0 },
		{ __LINE__, "cycles:p", 0, 0, 0, 1, 0, 0, 1 },
		{ __LINE__, "cycles:ppp", 0, 0, 0, 1, 0, 0, 3 },
		{ __LINE__, "cycles:P", 0, 0, 0, 1, 0, 0, 3 },
		{ __LINE__, "cycles:upp", 0, 1, 1, 1, 0, 0, 2 },
		{ __LINE__, "cpu/event=1/k", 1, 0, 1, 1, 0, 0, 0 },
		{ __LINE__, "cpu/event=1/:k", 1, 0, 1, 1, 0, 0, 0 },
		{ __LINE__, "r1:kp", 1, 0, 1, 1, 0, 0, 1 },
		{ __LINE__, "cpu-clock:u", 0, 1, 1, 0, 0, 0, 0 },
	};
	const struct pmu_defaults d = { .sysfs = *state };

	for (size_t i = 0; i < ARRAY_SIZE(mods); i++) {
		const struct perf_event_attr *a;
		struct pmu_event *e = NULL;
		char *error = NULL;
		size_t n = 0;

		assert_int_equal(pmu_events_parse(mods[i].spec, &d, &e, &n, &error), 0);
		a = &e->attr;
		if (a->exclude_user != mods[i].user || a->exclude_kernel != mods[i].kernel ||
		    a->exclude_hv != mods[i].hv || a->exclude_guest != mods[i].guest ||
		    a->exclude_host != mods[i].host || a->exclude_idle != mods[i].idle ||
		    a->precise_ip != mods[i].precise)
			fail_msg("line %d: u%d k%d h%d guest%d host%d idle%d precise%d",
				 mods[i].line, a->exclude_user, a->exclude_kernel, a->exclude_hv,
				 a->exclude_guest, a->exclude_host, a->exclude_idle, a->precise_ip);
		assert_int_equal(a->sample_type, mods[i].precise ? PERF_SAMPLE_CALLCHAIN : 0);
		pmu_events_free(e, n);
	}
}

/* A copy owns everything it has, and equality looks at what is counted, not at the name. */
static void test_copy_and_equal(void **state)
{
	const struct pmu_defaults d = { .sysfs = *state };
	struct pmu_event *e = NULL, copy;
	char *error = NULL;
	size_t n = 0;

	assert_int_equal(
		pmu_events_parse("uncore_imc_1/cas_count_read/,"
				 "uncore_imc_1/event=4,umask=3/,cycles,cpu-cycles,cycles@7",
				 &d, &e, &n, &error),
		0);
	assert_int_equal(pmu_event_copy(&e[0], &copy), 0);
	assert_true(pmu_event_equal(&e[0], &copy));
	assert_true(pmu_event_equal(&e[0], &e[1]));
	assert_true(pmu_event_equal(&e[2], &e[3]));
	assert_false(pmu_event_equal(&e[2], &e[4]));
	assert_false(pmu_event_equal(&e[0], &e[2]));
	pmu_events_free(e, n);
	assert_string_equal(copy.cpus, "0,36");
	assert_string_equal(copy.unit, "MiB");
	pmu_event_done(&copy);
	pmu_event_done(&copy);
	pmu_events_free(NULL, 0);
}

/* cpu-clock takes the place of cycles at the same frequency and levels, of a period at 99 Hz. */
static void test_fallback(void **state)
{
	static const struct {
		int line;
		const char *spec, *name;
		uint64_t hz;
	} takes[] = {
		{ __LINE__, "cycles", "cpu-clock", 99 },
		{ __LINE__, "cycles@997Hz", "cpu-clock", 997 },
		{ __LINE__, "cycles:u@49Hz", "cpu-clock:u", 49 },
		{ __LINE__, "cycles:k", "cpu-clock:k", 99 },
		{ __LINE__, "cycles@100003", "cpu-clock", 99 },
	};
	const struct pmu_defaults d = { .sysfs = *state };

	for (size_t i = 0; i < ARRAY_SIZE(takes); i++) {
		struct pmu_event *e = NULL, clock;
		char *error = NULL;
		size_t n = 0;

		assert_int_equal(pmu_events_parse(takes[i].spec, &d, &e, &n, &error), 0);
		assert_int_equal(pmu_event_fallback(e, &clock), 0);
		assert_string_equal(clock.name, takes[i].name);
		assert_true(clock.attr.freq && clock.attr.sample_freq == takes[i].hz);
		assert_int_equal(clock.attr.type, PERF_TYPE_SOFTWARE);
		assert_int_equal(clock.attr.exclude_user, e->attr.exclude_user);
		assert_int_equal(clock.attr.exclude_kernel, e->attr.exclude_kernel);
		pmu_event_done(&clock);
		pmu_events_free(e, n);
	}
}

/* The errnos that mean "no PMU here" are those the design names, and no others. */
static void test_no_pmu(void **state)
{
	static const int yes[] = { ENOENT, ENXIO, ENODEV, EOPNOTSUPP, EINVAL };
	static const int no[] = { EACCES, EPERM, EMFILE, EBUSY, ENOMEM, ESRCH, E2BIG };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(pmu_error_means_no_pmu(-yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(pmu_error_means_no_pmu(-no[i]));
	assert_false(pmu_error_means_no_pmu(0));
}

/* Without a core PMU in sysfs the name of the PMU is unknown, and the events still parse. */
static void test_bare_machine(void **state)
{
	const struct pmu_defaults d = { .sysfs = "/nonexistent" };
	struct pmu_event *e = NULL;
	char *error = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(pmu_events_parse("cycles,r1,cpu-clock", &d, &e, &n, &error), 0);
	assert_string_equal(e[0].pmu, "");
	assert_string_equal(e[1].pmu, "");
	assert_string_equal(e[2].pmu, "software");
	pmu_events_free(e, n);
}

static int setup(void **state)
{
	*state = tree_new(machine, ARRAY_SIZE(machine));
	return 0;
}

static int teardown(void **state)
{
	tree_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),	     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long),	     cmocka_unit_test(test_list),
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_sysfs_facts),
		cmocka_unit_test(test_modifiers),    cmocka_unit_test(test_copy_and_equal),
		cmocka_unit_test(test_fallback),     cmocka_unit_test(test_no_pmu),
		cmocka_unit_test(test_bare_machine),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
