// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profile/when.h"
#include "store/row.h"
#include "util/cleanup.h"

#include "recording.h"

/* Columns as the collector pmu and two others write them. */
static const struct row_column metric_columns[] = {
	{ .name = "metric", .kind = ROW_KEY, .type = ROW_TEXT },
	{ .name = "socket", .kind = ROW_KEY, .type = ROW_SIGNED },
	{ .name = "value", .kind = ROW_GAUGE, .type = ROW_REAL },
	{ .name = "unit", .kind = ROW_WORDS, .type = ROW_TEXT },
	{ .name = "interval", .unit = "ns", .kind = ROW_RATE, .type = ROW_UNSIGNED },
};
static const struct row_column load_columns[] = {
	{ .name = "load1", .kind = ROW_GAUGE, .type = ROW_REAL },
};
static const struct row_column disk_columns[] = {
	{ .name = "device", .kind = ROW_KEY, .type = ROW_TEXT },
	{ .name = "util", .unit = "percent", .kind = ROW_RATE, .type = ROW_REAL },
};
static const struct row_table metric = {
	.name = "pmu", .collector = "pmu", .columns = metric_columns, .n_columns = 5
};
static const struct row_table load = {
	.name = "load", .collector = "load", .columns = load_columns, .n_columns = 1
};
static const struct row_table disk = {
	.name = "disk", .collector = "disk", .columns = disk_columns, .n_columns = 2
};

struct world {
	struct recording recording;
	struct row_coder *rows;
	char path[64];
};

static struct row_value text(const char *s)
{
	return (struct row_value){ .present = true, .text = record_string(s) };
}

static struct row_value real(double d)
{
	return (struct row_value){ .present = true, .d = d };
}

static void put(struct world *w, const struct row_table *t, uint64_t second,
		const struct row_value *values)
{
	const struct row row = { .table = t, .time_ns = second * SECOND, .values = values };

	if (!w->recording.first_ns)
		w->recording.first_ns = row.time_ns;
	w->recording.last_ns = MAX(w->recording.last_ns, row.time_ns);
	row_put(&w->recording.block, w->rows, w->recording.coder, &row);
}

/* A metric over the `length` seconds up to `second`; value < 0: it did not run. */
static void put_metric(struct world *w, uint64_t second, uint64_t length, const char *name,
		       int socket, double value, const char *unit)
{
	const struct row_value values[] = {
		text(name),
		{ .present = true, .i = socket },
		{ .present = value >= 0, .d = value },
		text(unit),
		{ .present = true, .u = length * SECOND },
	};

	put(w, &metric, second, values);
}

static void put_load(struct world *w, uint64_t second, double value)
{
	const struct row_value values[] = { real(value) };

	put(w, &load, second, values);
}

static void put_disk(struct world *w, uint64_t second, const char *device, double value)
{
	const struct row_value values[] = { text(device), real(value) };

	put(w, &disk, second, values);
}

/*
 *   seconds            10-20   20-30   30-40   40-50   50-60
 *   ipc (host)         0.5     1.5     absent  0.5     0.8
 *   ipc of socket 1    2       2       2       2       0.1
 *   bandwidth, host    10G     30G     30G     30G     10G     (B/s)
 *   bandwidth, s 0     5G      25G     5G      5G      5G
 *   backend (share)    0.1     0.4     0.4     0.1     0.1
 *   load1              1 at 21, 5 at 22, 1 at 23, 9 at 50 (a gap)
 *   disk.util          sda 90 and sdb 1 at 21 to 22, sdb 95 at 31
 */
static void put_world(struct world *w)
{
	static const double ipc[] = { 0.5, 1.5, -1, 0.5, 0.8 };
	static const double host[] = { 10e9, 30e9, 30e9, 30e9, 10e9 };
	static const double socket[] = { 5e9, 25e9, 5e9, 5e9, 5e9 };
	static const double backend[] = { 0.1, 0.4, 0.4, 0.1, 0.1 };

	for (uint64_t i = 0; i < 5; i++) {
		uint64_t second = 20 + 10 * i;

		put_metric(w, second, 10, "ipc", -1, ipc[i], "per cycle");
		put_metric(w, second, 10, "ipc", 1, i == 4 ? 0.1 : 2, "per cycle");
		put_metric(w, second, 10, "bandwidth", -1, host[i], "B/s");
		put_metric(w, second, 10, "bandwidth", 0, socket[i], "B/s");
		put_metric(w, second, 10, "backend", -1, backend[i], "");
	}
	put_load(w, 21, 1);
	put_load(w, 22, 5);
	put_load(w, 23, 1);
	put_load(w, 50, 9);
	put_disk(w, 20, "sda", 0);
	put_disk(w, 20, "sdb", 0);
	put_disk(w, 21, "sda", 90);
	put_disk(w, 21, "sdb", 1);
	put_disk(w, 22, "sda", 90);
	put_disk(w, 22, "sdb", 1);
	put_disk(w, 23, "sda", 2);
	put_disk(w, 23, "sdb", 95);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd;

	strcpy(w->path, "/dev/shm/test_when.XXXXXX");
	fd = mkstemp(w->path);
	close(fd);
	unlink(w->path);
	w->rows = row_coder_new();
	recording_open(&w->recording, w->path);
	recording_epoch(&w->recording, 5 * SECOND);
	put_world(w);
	recording_close(&w->recording);
	*state = w;
	return fd < 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	row_coder_free(w->rows);
	unlink(w->path);
	free(w);
	return 0;
}

static void load_all(const struct world *w, const struct when *whens, size_t n, uint64_t since,
		     uint64_t until, struct series_list *ret)
{
	const char *paths[] = { w->path };
	struct series_query queries[4] = {};
	char *error = NULL;

	for (size_t i = 0; i < n; i++)
		queries[i] = whens[i].query;
	assert_int_equal(series_load(paths, 1, queries, n, since ? BOOT_NS + since * SECOND : 0,
				     until ? BOOT_NS + until * SECOND : 0, ret, &error),
			 0);
}

/* "20-30 40-50" in seconds since the boot. */
static void print_spans(const struct when_times *t, char *out, size_t size)
{
	size_t n = 0;

	out[0] = 0;
	for (size_t i = 0; i < t->n; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%g-%g", i ? " " : "",
				      (double)(t->spans[i].start_ns - BOOT_NS) / (double)SECOND,
				      (double)(t->spans[i].end_ns - BOOT_NS) / (double)SECOND);
}

static void conditions_hold_in_their_intervals(void **state)
{
	/* When a condition holds, by a table of seconds worked out by hand. */
	static const struct {
		unsigned int line;
		const char *conditions[2];
		const char *spans;
		double known_s;
	} rows[] = {
		{ __LINE__, { "ipc < 1" }, "10-20 40-60", 40 },
		{ __LINE__, { " ipc<=0.5 " }, "10-20 40-50", 40 },
		{ __LINE__, { "ipc < 0.5" }, "", 40 },
		{ __LINE__, { "ipc >= 1.5" }, "20-30", 40 },
		{ __LINE__, { "ipc[socket=1] < 1" }, "50-60", 50 },
		{ __LINE__, { "ipc[socket=-1] > 1" }, "20-30", 40 },
		{ __LINE__, { "bandwidth > 20G" }, "20-50", 50 },
		{ __LINE__, { "bandwidth > 20 GB/s" }, "20-50", 50 },
		{ __LINE__, { "bandwidth > 27.95GiB/s" }, "", 50 },
		{ __LINE__, { "bandwidth > 27.93 GiB/s" }, "20-50", 50 },
		{ __LINE__, { "bandwidth[socket=0] > 20GB/s" }, "20-30", 50 },
		{ __LINE__, { "backend > 30%" }, "20-40", 50 },
		{ __LINE__, { "backend > 0.3" }, "20-40", 50 },
		{ __LINE__, { "bandwidth > 20G", "ipc < 1" }, "40-50", 40 },
		{ __LINE__, { "backend > 30 %", "bandwidth[socket=0] > 20G" }, "20-30", 50 },
		/* no length in the row: since the one before, but not over a gap */
		{ __LINE__, { "load.load1 > 4" }, "21-22 49-50", 3 },
		/* no device stands for all: any of them */
		{ __LINE__, { "disk.util > 80" }, "20-23", 3 },
		{ __LINE__, { "disk.util > 80 %" }, "20-23", 3 },
		{ __LINE__, { "disk.util[device=sda] > 80" }, "20-22", 3 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = rows[i].conditions[1] ? 2 : 1;
		struct when whens[2] = {};
		struct series_list series = {};
		struct when_times times = {};
		_cleanup_free_ char *error = NULL;
		char spans[200];

		for (size_t k = 0; k < n; k++)
			if (when_parse(rows[i].conditions[k], &whens[k], &error) < 0)
				fail_msg("line %u: %s", rows[i].line, error);
		load_all(w, whens, n, 0, 0, &series);
		if (when_find(whens, n, &series, &times, &error) < 0)
			fail_msg("line %u: %s", rows[i].line, error);
		print_spans(&times, spans, sizeof(spans));
		if (strcmp(spans, rows[i].spans) != 0)
			fail_msg("line %u: %s", rows[i].line, spans);
		if ((double)times.known_ns != rows[i].known_s * (double)SECOND)
			fail_msg("line %u: known for %.17g s", rows[i].line,
				 (double)times.known_ns / (double)SECOND);
		when_times_done(&times);
		series_list_done(&series);
		for (size_t k = 0; k < n; k++)
			when_done(&whens[k]);
	}
}

static void what_cannot_be_answered_is_told(void **state)
{
	/* A series nobody wrote, and a unit that is another one's, are errors with a sentence. */
	static const struct {
		unsigned int line;
		const char *condition;
		int error;
		const char *part;
	} rows[] = {
		{ __LINE__, "watts > 3", -ENODATA, "nothing was recorded of 'watts'" },
		{ __LINE__, "ipc[socket=7] > 1", -ENODATA, "nothing was recorded of 'ipc'" },
		{ __LINE__, "load.load5 > 1", -ENODATA, "nothing" },
		{ __LINE__, "loads.load1 > 1", -ENODATA, "nothing" },
		{ __LINE__, "bandwidth > 20 W", -EINVAL, "measured in B/s, not 'W'" },
		{ __LINE__, "bandwidth > 20%", -EINVAL, "measured in B/s, not '%'" },
		{ __LINE__, "backend > 1 Hz", -EINVAL, "a mere number" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct series_list series = {};
		struct when_times times = {};
		struct when when = {};
		_cleanup_free_ char *error = NULL;
		int r;

		assert_int_equal(when_parse(rows[i].condition, &when, &error), 0);
		load_all(w, &when, 1, 0, 0, &series);
		r = when_find(&when, 1, &series, &times, &error);
		if (r != rows[i].error || !error || !strstr(error, rows[i].part))
			fail_msg("line %u: %d %s", rows[i].line, r, error ? error : "");
		series_list_done(&series);
		when_done(&when);
	}
}

static void nonsense_is_refused(void **state)
{
	/* What is no condition is -EINVAL with a sentence. */
	static const char *const texts[] = {
		"",
		"ipc",
		"ipc >",
		"> 3",
		"ipc = 3",
		"ipc > x",
		"ipc > 3 > 2",
		"ipc > nan",
		"ipc > inf",
		"ipc > 1e999",
		"[a=1] > 3",
		"ipc[ > 3",
		"ipc[socket] > 3",
		"ipc[=1] > 3",
		"ipc[a=] > 3",
		"ipc[a=1]b > 3",
		"ipc[] > 3",
		"ipc > 3 B /s",
		"   > 3",
		"ipc >< 3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *error = NULL;
		struct when when;

		if (when_parse(texts[i], &when, &error) != -EINVAL || !error)
			fail_msg("'%s' was taken", texts[i]);
	}
}

static void only_points_of_the_window(void **state)
{
	/* A window keeps the intervals that reach into it, the range of values is theirs. */
	struct world *w = *state;
	struct series_list series = {};
	struct when when;
	_cleanup_free_ char *error = NULL;
	double low, high;

	assert_int_equal(when_parse("bandwidth[socket=0] > 1", &when, &error), 0);
	load_all(w, &when, 1, 25, 35, &series);
	assert_int_equal(series.n, 1);
	assert_int_equal(series.list[0].n, 2);
	assert_true(when_range(&when, &series, &low, &high));
	assert_float_equal(low, 5e9, 1);
	assert_float_equal(high, 25e9, 3e3); /* stored as a float */
	series_list_done(&series);
	when_done(&when);
}

static void columns_of_other_types_are_none(void **state)
{
	/* A file that calls a number "unit" and a text "interval": the value is read, they are not.
	 */
	static const struct row_column columns[] = {
		{ .name = "metric", .kind = ROW_KEY, .type = ROW_TEXT },
		{ .name = "value", .kind = ROW_GAUGE, .type = ROW_REAL },
		{ .name = "unit", .kind = ROW_GAUGE, .type = ROW_REAL },
		{ .name = "interval", .kind = ROW_WORDS, .type = ROW_TEXT },
		{ .name = "running_ratio", .kind = ROW_WORDS, .type = ROW_TEXT },
	};
	static const struct row_table table = {
		.name = "pmu", .collector = "pmu", .columns = columns, .n_columns = 5
	};
	const struct row_value values[] = { text("ipc"), real(2), real(1e300), text("x"),
					    text("y") };
	struct series_list series = {};
	struct world w = { .rows = row_coder_new() };
	int fd;

	(void)state;
	strcpy(w.path, "/dev/shm/test_when_t.XXXXXX");
	fd = mkstemp(w.path);
	close(fd);
	unlink(w.path);
	recording_open(&w.recording, w.path);
	recording_epoch(&w.recording, 5 * SECOND);
	put(&w, &table, 20, values);
	put(&w, &table, 30, values);
	recording_close(&w.recording);
	load_all(&w, NULL, 0, 0, 0, &series);
	assert_int_equal(series.n, 1);
	assert_string_equal(series.list[0].unit, "");
	assert_int_equal(series.list[0].n, 2);
	assert_float_equal(series.list[0].points[1].value, 2, 1e-6);
	assert_float_equal(series.list[0].points[1].running_ratio, 1, 1e-6);
	assert_int_equal(series.list[0].points[1].end_ns - series.list[0].points[1].start_ns,
			 10 * SECOND);
	series_list_done(&series);
	row_coder_free(w.rows);
	unlink(w.path);
}

static void without_queries_all_of_the_pmu(void **state)
{
	/* No query: the collector's metrics, with units and keys, and nothing else. */
	struct world *w = *state;
	struct series_list series = {};

	load_all(w, NULL, 0, 0, 0, &series);
	assert_int_equal(series.n, 5);
	assert_string_equal(series.list[0].name, "ipc");
	assert_string_equal(series.list[0].keys, "socket=-1");
	assert_true(series.list[0].whole && series.list[0].is_metric);
	assert_string_equal(series.list[0].unit, "per cycle");
	assert_int_equal(series.list[0].n, 5);
	assert_false(series.list[0].points[2].present);
	assert_string_equal(series.list[3].keys, "socket=0");
	assert_false(series.list[3].whole);
	series_list_done(&series);
}

static void samples_outside_are_left_out(void **state)
{
	/* A profile keeps the samples in the spans: 11 samples, one a second from 10 on, [12, 14)
	 * and [19, 20) leave three. */
	static const struct stack stack = { .user = 1, .frames = { BURN } };
	const struct profile_span spans[] = {
		{ BOOT_NS + 12 * SECOND, BOOT_NS + 14 * SECOND },
		{ BOOT_NS + 19 * SECOND, BOOT_NS + 20 * SECOND },
	};
	struct profile_filter filter = { .spans = spans, .n_spans = 2 };
	char path[] = "/dev/shm/test_when_s.XXXXXX";
	const char *paths[] = { path };
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct recording r;
	char *error = NULL;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	unlink(path);
	recording_open(&r, path);
	recording_epoch(&r, 5 * SECOND);
	for (uint64_t i = 0; i <= 10; i++)
		recording_sample(&r, (10 + i) * SECOND, EVENT_CYCLES, THREAD_WEB, 0, 1, &stack);
	recording_close(&r);
	assert_int_equal(profile_load(paths, 1, &filter, 0, &p, &error), 0);
	assert_int_equal(p->samples, 3);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_hold_in_their_intervals),
		cmocka_unit_test(what_cannot_be_answered_is_told),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(only_points_of_the_window),
		cmocka_unit_test(columns_of_other_types_are_none),
		cmocka_unit_test(without_queries_all_of_the_pmu),
		cmocka_unit_test(samples_outside_are_left_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
