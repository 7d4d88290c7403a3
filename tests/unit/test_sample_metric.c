// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/report_rows.h"
#include "profile/sample_metric.h"
#include "recording.h"

#define MS 1000000ULL
/* Commas between the slashes are part of the first name. */
#define COUNTERS "cpu/event=0xd1,umask=0x20/,instructions:u,cycles"

enum { MISSES, INSTRUCTIONS, CYCLES };
enum { EVENT_CLOCK = N_EVENTS, EVENT_COUNTED_CYCLES };

static char directory[64], path[96];

static const struct stack in_burn = { 0, 2, { BURN, MAIN_CALL } };
static const struct stack in_wait = { 0, 2, { WAIT, MAIN_CALL } };
static const struct stack in_copy = { 2, 2, { COPY, SYS_READ, WAIT, MAIN_CALL } };

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test_sample_metric.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/0.seg", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* Two more events, with counters, behind those of every epoch. */
static void begin(struct recording *r)
{
	recording_open(r, path);
	recording_epoch(r, SECOND);
	PUT(r, RECORD_EVENT, event, .requested = record_string("cpu-clock"),
	    .fired = record_string("cpu-clock"), .unit = record_string("ns"),
	    .counters = record_string(COUNTERS), .freq = true, .value = 99);
	PUT(r, RECORD_EVENT, event, .requested = record_string("cycles"),
	    .fired = record_string("cycles"), .counters = record_string("instructions"),
	    .value = 1000);
}

/* n samples of which each covers a millisecond, unless `like` says otherwise. */
static void put(struct recording *r, unsigned int n, uint32_t event, const struct stack *s,
		const struct record_sample *like)
{
	struct record record = { .type = RECORD_SAMPLE, .sample = *like };
	struct record_sample *sample = &record.sample;

	sample->event = event;
	sample->kernel_frames = s->kernel;
	sample->user_frames = s->user;
	sample->kernel_status = s->kernel ? 1 : 0;
	sample->user_status = s->user ? 4 : 0;
	sample->frames = s->frames;
	sample->period = sample->period ?: 1000;
	sample->counted_ns = sample->counted_ns ?: MS;
	for (; n > 0; n--) {
		sample->time_ns = SECOND + r->samples * 1000;
		if (r->samples++ == 0)
			r->first_ns = sample->time_ns;
		r->last_ns = sample->time_ns;
		recording_put(r, &record);
	}
}

#define WITH(...) (&(struct record_sample){ .n_counters = 3, __VA_ARGS__ })
#define ALWAYS(n)                                                                                  \
	{                                                                                          \
		(n), 1000                                                                          \
	}

static struct report *make(const char *metric, const char *by, unsigned int threads,
			   struct sample_metric *m, struct profile **ret_profile)
{
	const struct report_grouping *grouping = report_grouping_find(by);
	struct profile_filter filter = { .counters = m->counters };
	const char *paths[] = { path };
	struct report *r = NULL;
	char *error = NULL;

	assert_int_equal(sample_metric_parse(metric, m), 0);
	assert_int_equal(profile_load_threads(paths, 1, &filter, grouping->dimensions, threads,
					      ret_profile, &error),
			 0);
	assert_int_equal(report_new(*ret_profile, grouping, REPORT_BY_VALUE, m, &r), 0);
	return r;
}

static const struct report_event *event_of(const struct report *r, const char *fired)
{
	for (size_t i = 0; i < r->n_events; i++)
		if (strcmp(r->events[i].event->fired, fired) == 0 && r->events[i].event->samples)
			return &r->events[i];
	return NULL;
}

static const struct report_row *row_of(const struct report_event *e, const char *name)
{
	for (size_t i = 0; i < e->n_rows; i++)
		if (strcmp(e->rows[i].name, name) == 0)
			return &e->rows[i];
	fail_msg("there is no row %s", name);
	return NULL;
}

struct wanted {
	int line;
	const char *metric, *event, *by, *row;
	double self, total; /* NAN: unknown */
	uint64_t samples; /* that contribute to self */
	double running_ratio;
};

static bool is(const struct sample_metric_value *v, double value)
{
	return v->known ? fabs(v->value - value) <= 1e-9 * fabs(value) : isnan(value);
}

static void check(const struct wanted *rows, size_t n)
{
	for (size_t i = 0; i < n * 2; i++) {
		const struct wanted *w = &rows[i / 2];
		struct sample_metric m;
		struct profile *p;
		struct report *r = make(w->metric, w->by, i % 2 ? 3 : 1, &m, &p);
		const struct report_event *e = event_of(r, w->event);
		const struct report_value *v = row_of(e, w->row)->value;

		if (!v)
			fail_msg("line %d: %s", w->line, e->values->missing);
		if (!is(&v->self, w->self) || !is(&v->total, w->total) ||
		    v->self.samples != w->samples ||
		    fabs(v->self.running_ratio - w->running_ratio) > 1e-9)
			fail_msg("line %d: self %d %g of %llu samples, %g running; total %d %g",
				 w->line, v->self.known, v->self.value,
				 (unsigned long long)v->self.samples, v->self.running_ratio,
				 v->total.known, v->total.value);
		report_free(r);
		profile_free(p);
	}
}

/* A function's value is the ratio of its sums, and that of its callers has those of all below */
static void test_ratios(void **state)
{
	const struct wanted rows[] = {
		/* (40 x 3000 + 60 x 500) / (100 x 1000) */
		{ __LINE__, "ipc", "cpu-clock", "function", "burn", 1.5, 1.5, 100, 1 },
		{ __LINE__, "ipc", "cpu-clock", "function", "wait", 0.5, 0.75, 50, 1 },
		{ __LINE__, "ipc", "cpu-clock", "function", "copy_to_user", 1, 1, 50, 1 },
		{ __LINE__, "ipc", "cpu-clock", "function", "main", NAN, 1.125, 0, 0 },
		{ __LINE__, "cpi", "cpu-clock", "function", "burn", 2 / 3.0, 2 / 3.0, 100, 1 },
		{ __LINE__, "ipc", "cpu-clock", "process", "web (100)", 1.125, 1.125, 200, 1 },
		{ __LINE__, "ipc", "cpu-clock", "unit", "web.service", 1.125, 1.125, 200, 1 },
		{ __LINE__, "ipc", "cpu-clock", "cpu", "cpu 0", 1.125, 1.125, 200, 1 },
		{ __LINE__, "ipc", "cpu-clock", "kernel-user", "[kernel]", 1, 1, 50, 1 },
		{ __LINE__, "ipc", "cpu-clock", "module", "app", 7 / 6.0, 1.125, 150, 1 },
		/* 7 of 1 in 1000 instructions; in 40 of 100 */
		{ __LINE__, "cpu/event=0xd1,umask=0x20//instructions", "cpu-clock", "function",
		  "burn", 280 / 150000.0, 280 / 150000.0, 100, 1 },
		/* 280 in 100 ms */
		{ __LINE__, "cpu/event=0xd1,umask=0x20//TIME", "cpu-clock", "function", "burn",
		  2800, 2800, 100, 1 },
		/* of the event itself: 1000 cycles each */
		{ __LINE__, "ipc", "cycles", "function", "burn", 2, 2, 30, 1 },
		{ __LINE__, "cycles/time", "cycles", "function", "burn", 1e6, 1e6, 30, 1 },
		{ __LINE__, "Frequency", "cycles", "function", "burn", 1e-3, 1e-3, 30, 1 },
	};
	struct recording r;

	(void)state;
	begin(&r);
	put(&r, 40, EVENT_CLOCK, &in_burn,
	    WITH(.counters = { ALWAYS(7), ALWAYS(3000), ALWAYS(1000) }));
	put(&r, 60, EVENT_CLOCK, &in_burn,
	    WITH(.counters = { ALWAYS(0), ALWAYS(500), ALWAYS(1000) }));
	recording_epoch(&r, 2 * SECOND);
	PUT(&r, RECORD_EVENT, event, .requested = record_string("cpu-clock"),
	    .fired = record_string("cpu-clock"), .unit = record_string("ns"),
	    .counters = record_string(COUNTERS), .freq = true, .value = 99);
	put(&r, 50, N_EVENTS, &in_wait, WITH(.counters = { ALWAYS(0), ALWAYS(500), ALWAYS(1000) }));
	put(&r, 50, N_EVENTS, &in_copy,
	    WITH(.counters = { ALWAYS(0), ALWAYS(1000), ALWAYS(1000) }));
	/* the events have other numbers in this epoch */
	recording_epoch(&r, 3 * SECOND);
	PUT(&r, RECORD_EVENT, event, .requested = record_string("cycles"),
	    .fired = record_string("cycles"), .counters = record_string("instructions"),
	    .value = 1000);
	put(&r, 30, N_EVENTS, &in_burn,
	    &(struct record_sample){ .n_counters = 1, .counters = { ALWAYS(2000) } });
	recording_close(&r);
	check(rows, ARRAY_SIZE(rows));
}

/* A delta in which other tasks ran, and a counter without a reading, contribute to nothing */
static void test_left_out(void **state)
{
	const struct wanted rows[] = {
		{ __LINE__, "ipc", "cpu-clock", "function", "burn", 2, 2, 30, 1 },
		/* Rates per time: 2000 instructions in each, 1000 cycles in each. */
		{ __LINE__, "ipc", "cpu-clock", "function", "wait", 2,
		  60019 / 49.0 / (25019 / 44.0), 25, 1 },
		{ __LINE__, "instructions/time", "cpu-clock", "function", "wait", 2e6,
		  60019 / 49e-3, 30, 1 },
		/* One sample too few; no cycles at all. */
		{ __LINE__, "ipc", "cpu-clock", "function", "copy_to_user", NAN, NAN, 19, 1 },
		{ __LINE__, "ipc", "cpu-clock", "function", "sys_read", NAN, NAN, 0, 0 },
		{ __LINE__, "ipc", "cycles", "function", "burn", NAN, NAN, 40, 1 },
	};
	struct record_sample without = { .n_counters = 3, .counters[CYCLES] = ALWAYS(1000) };
	struct sample_metric m;
	struct profile *p;
	struct report *report;
	const struct report_event *e;
	struct recording r;

	(void)state;
	begin(&r);
	put(&r, 30, EVENT_CLOCK, &in_burn,
	    WITH(.counters = { [INSTRUCTIONS] = ALWAYS(2000), [CYCLES] = ALWAYS(1000) }));
	put(&r, 70, EVENT_CLOCK, &in_burn,
	    WITH(.mixed = true,
		 .counters = { [INSTRUCTIONS] = ALWAYS(9999999), [CYCLES] = ALWAYS(1) }));
	put(&r, 5, EVENT_CLOCK, &in_burn, &(struct record_sample){ .n_counters = 0 });
	put(&r, 25, EVENT_CLOCK, &in_wait, &without);
	put(&r, 30, EVENT_CLOCK, &in_wait, WITH(.counters[INSTRUCTIONS] = ALWAYS(2000)));
	put(&r, 19, EVENT_CLOCK, &in_copy,
	    WITH(.counters = { [INSTRUCTIONS] = ALWAYS(1), [CYCLES] = ALWAYS(1) }));
	/* A denominator of zero is no value. */
	put(&r, 40, EVENT_COUNTED_CYCLES, &in_burn,
	    &(struct record_sample){
		    .period = UINT64_MAX, .n_counters = 1, .counters = { ALWAYS(0) } });
	recording_close(&r);
	check(rows, ARRAY_SIZE(rows) - 1);

	report = make("cpi", "function", 2, &m, &p);
	e = event_of(report, "cpu-clock");
	assert_int_equal(e->event->samples, 179);
	assert_int_equal(e->event->mixed, 70);
	assert_int_equal(e->values->all.samples, 74);
	e = event_of(report, "cycles");
	assert_false(row_of(e, "burn")->value->self.known);
	assert_int_equal(row_of(e, "burn")->value->self.samples, 40);
	report_free(report);
	profile_free(p);
}

/* A counter that ran a third of the time counts threefold, and the third is told */
static void test_multiplexed(void **state)
{
	const struct wanted rows[] = {
		{ __LINE__, "ipc", "cpu-clock", "function", "burn", 2, 2, 50, 0.33 },
		{ __LINE__, "instructions/time", "cpu-clock", "function", "burn", 2e6, 2e6, 50,
		  0.33 },
		/* Weighted by time: 1 ms at 1, 3 ms at 0.5. */
		{ __LINE__, "cycles/time", "cpu-clock", "function", "wait", 1e6, 1e6, 40, 0.625 },
	};
	struct recording r;

	(void)state;
	begin(&r);
	put(&r, 50, EVENT_CLOCK, &in_burn,
	    WITH(.counters = { [INSTRUCTIONS] = { 660, 330 }, [CYCLES] = ALWAYS(1000) }));
	put(&r, 20, EVENT_CLOCK, &in_wait, WITH(.counters[CYCLES] = ALWAYS(1000)));
	put(&r, 20, EVENT_CLOCK, &in_wait,
	    WITH(.counted_ns = 3 * MS, .counters[CYCLES] = { 1500, 500 }));
	recording_close(&r);
	check(rows, ARRAY_SIZE(rows));
}

/* A delta that began at a context switch counts per its own time, and never per the whole period */
static void test_cut(void **state)
{
	const struct wanted rows[] = {
		{ __LINE__, "ipc", "cycles", "function", "burn", 2, 2, 30, 1 },
		{ __LINE__, "instructions/time", "cycles", "function", "burn", 2e6, 2e6, 60, 1 },
		{ __LINE__, "ipc", "cycles", "function", "wait", NAN, NAN, 0, 0 },
		{ __LINE__, "ipc", "cpu-clock", "function", "burn", 3, 3, 30, 1 },
	};
	struct sample_metric m;
	struct profile *p;
	struct report *report;
	struct recording r;

	(void)state;
	begin(&r);
	put(&r, 30, EVENT_COUNTED_CYCLES, &in_burn,
	    &(struct record_sample){ .n_counters = 1, .counters = { ALWAYS(2000) } });
	put(&r, 30, EVENT_COUNTED_CYCLES, &in_burn,
	    &(struct record_sample){ .cut = true,
				     .counted_ns = MS / 10,
				     .n_counters = 1,
				     .counters = { ALWAYS(200) } });
	put(&r, 30, EVENT_COUNTED_CYCLES, &in_wait,
	    &(struct record_sample){ .cut = true, .n_counters = 1, .counters = { ALWAYS(200) } });
	put(&r, 30, EVENT_CLOCK, &in_burn,
	    WITH(.cut = true,
		 .counters = { [INSTRUCTIONS] = ALWAYS(300), [CYCLES] = ALWAYS(100) }));
	recording_close(&r);
	check(rows, ARRAY_SIZE(rows));

	report = make("ipc", "function", 1, &m, &p);
	assert_int_equal(event_of(report, "cycles")->event->cut, 60);
	assert_int_equal(event_of(report, "cycles")->event->mixed, 0);
	report_free(report);
	profile_free(p);
}

/* Values sort the worst first: low for ipc, high for misses; what is not known comes last */
static void test_order(void **state)
{
	const struct {
		int line;
		const char *metric, *first, *second, *last;
	} rows[] = {
		{ __LINE__, "ipc", "wait", "burn", "copy_to_user" },
		{ __LINE__, "cpi", "wait", "burn", "copy_to_user" },
		{ __LINE__, "instructions/cycles", "burn", "wait", "copy_to_user" },
	};
	struct recording r;

	(void)state;
	begin(&r);
	put(&r, 40, EVENT_CLOCK, &in_burn,
	    WITH(.counters = { [INSTRUCTIONS] = ALWAYS(3000), [CYCLES] = ALWAYS(1000) }));
	put(&r, 20, EVENT_CLOCK, &in_wait,
	    WITH(.counters = { [INSTRUCTIONS] = ALWAYS(1000), [CYCLES] = ALWAYS(1000) }));
	put(&r, 100, EVENT_CLOCK, &in_copy, WITH(.mixed = true));
	recording_close(&r);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sample_metric m;
		struct profile *p;
		struct report *report = make(rows[i].metric, "function", 1, &m, &p);
		const struct report_event *e = event_of(report, "cpu-clock");

		if (strcmp(e->rows[0].name, rows[i].first) != 0 ||
		    strcmp(e->rows[1].name, rows[i].second) != 0 ||
		    strcmp(e->rows[2].name, rows[i].last) != 0)
			fail_msg("line %d: %s, %s, %s", rows[i].line, e->rows[0].name,
				 e->rows[1].name, e->rows[2].name);
		report_free(report);
		profile_free(p);
	}
}

/* What is missing is named, and what there is */
static void test_missing(void **state)
{
	const struct {
		int line;
		const char *metric, *counters, *missing, *words;
	} rows[] = {
		{ __LINE__, "ipc", "", "instructions",
		  "record with --counters=instructions,cycles" },
		{ __LINE__, "cpu-clock/time", "", "cpu-clock",
		  "record with --counters=cpu-clock to" },
		{ __LINE__, "ipc", "cycles", "instructions", "read were cycles" },
		{ __LINE__, "ipc", "instructions", "cycles", "needs the counter cycles" },
		{ __LINE__, "ipc", "instructions:x,cycles", "instructions", "instructions:x" },
		{ __LINE__, "ipc", "instructions:,cycles", NULL, NULL },
		{ __LINE__, "ipc", "Instructions:ukHG,cycles:u", NULL, NULL },
		{ __LINE__, "ipc", "instruction,instructionss", "instructions", "needs" },
		{ __LINE__, "cycles/cpu-clock", "cycles", NULL, NULL },
		{ __LINE__, "cycles/time", "a/b,c/,d,cycles", NULL, NULL },
		{ __LINE__, "c/time", "a/b,c/,d,cycles", "c", "needs" },
		{ __LINE__, "a/b,c//time", "a/b,c/,d,cycles", NULL, NULL },
		{ __LINE__, "j/time", "a,b,c,d,e,f,g,h,j", "j", "needs" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile_event e = { .fired = "cpu-clock", .counters = rows[i].counters };
		struct sample_metric m;
		const char *missing;
		char *words;

		assert_int_equal(sample_metric_parse(rows[i].metric, &m), 0);
		missing = sample_metric_missing(&m, &e);
		words = sample_metric_explain(&m, &e);
		if (!missing != !rows[i].missing || (missing && strcmp(missing, rows[i].missing)) ||
		    (missing && !strstr(words, rows[i].words)))
			fail_msg("line %d: %s, %s", rows[i].line, missing, words);
		free(words);
	}
}

/* Names of the table, and two names with a slash between, which PMU events have too */
static void test_names(void **state)
{
	const struct {
		int line;
		const char *name, *over, *under;
	} rows[] = {
		{ __LINE__, "ipc", "instructions", "cycles" },
		{ __LINE__, "LLC-MPKI", "LLC-load-misses", "instructions" },
		{ __LINE__, "llc_mpki", "LLC-load-misses", "instructions" },
		{ __LINE__, "faults-per-ms", "page-faults", "" },
		{ __LINE__, "a/b", "a", "b" },
		{ __LINE__, "a/time", "a", "" },
		{ __LINE__, "time/a", "time", "a" },
		{ __LINE__, "msr/tsc//time", "msr/tsc/", "" },
		{ __LINE__, "msr/tsc/u/cycles", "msr/tsc/u", "cycles" },
		{ __LINE__, "cycles/msr/tsc/", "cycles", "msr/tsc/" },
		{ __LINE__, "cycles/msr/tsc/u", "cycles", "msr/tsc/u" },
		{ __LINE__, "msr/aperf//msr/mperf/", "msr/aperf/", "msr/mperf/" },
		{ __LINE__, "cpu/a,b=1/u/cpu/c/k", "cpu/a,b=1/u", "cpu/c/k" },
		{ __LINE__, "", NULL, NULL },
		{ __LINE__, "mpki", NULL, NULL },
		{ __LINE__, "/", NULL, NULL },
		{ __LINE__, "a/", NULL, NULL },
		{ __LINE__, "/b", NULL, NULL },
		{ __LINE__, "msr/tsc/", NULL, NULL },
		{ __LINE__, "a/b/c/d/e", NULL, NULL },
		{ __LINE__, "a/b/c/d/e/f/g", NULL, NULL },
		{ __LINE__, "//////////////////////////", NULL, NULL },
		{ __LINE__,
		  "a-name-that-is-longer-than-any-counter-has-ever-been-in-the-history-of/b", NULL,
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sample_metric m = { .scale = -1 };
		int r = sample_metric_parse(rows[i].name, &m);

		if (r != (rows[i].over ? 0 : -EINVAL) || (r < 0 && m.scale != -1))
			fail_msg("line %d: %d", rows[i].line, r);
		if (r == 0 && (strcmp(m.over, rows[i].over) || strcmp(m.under, rows[i].under) ||
			       m.counters[0] != m.over || !m.counters[1] != !m.under[0]))
			fail_msg("line %d: %s, %s", rows[i].line, m.over, m.under);
	}
}

/* Three digits where they say something */
static void test_format(void **state)
{
	const struct {
		int line;
		double value;
		const char *text;
	} rows[] = {
		{ __LINE__, 0, "0" },	      { __LINE__, 0.5, "0.5" },
		{ __LINE__, 1.234, "1.23" },  { __LINE__, 12.345, "12.3" },
		{ __LINE__, 123.45, "123" },  { __LINE__, 0.004567, "0.00457" },
		{ __LINE__, 12345, "12345" }, { __LINE__, 2.6e9, "2.6G" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sample_metric_value v = { .known = true, .value = rows[i].value };

		if (strcmp(sample_metric_format(&v, text, sizeof(text)), rows[i].text) != 0)
			fail_msg("line %d: %s", rows[i].line, text);
	}
	assert_string_equal(
		sample_metric_format(&(struct sample_metric_value){ 0 }, text, sizeof(text)),
		"unknown");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ratios),
		TEST(test_left_out),
		TEST(test_multiplexed),
		TEST(test_cut),
		TEST(test_order),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
