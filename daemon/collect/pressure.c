// SPDX-License-Identifier: Apache-2.0
/*
 * Pressure stall information: the share of time in which some, or all, tasks waited for a resource
 * (Documentation/accounting/psi.rst). A kernel may have it switched off, and has "irq" only from
 * 6.1 on.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"
#include "collect/pressure.h"

enum {
	PRESSURE_RESOURCE,
	PRESSURE_SCOPE,
	PRESSURE_AVG10,
	PRESSURE_AVG60,
	PRESSURE_AVG300,
	PRESSURE_TOTAL,
	PRESSURE_DELTA,
	PRESSURE_PERCENT,
	PRESSURE_INTERVAL,
	PRESSURE_RESET,
};

/* clang-format off */
static const struct row_column columns[] = {
	[PRESSURE_RESOURCE] = { "resource", "", ROW_KEY, ROW_TEXT, 0, 0, "cpu, memory, io or irq" },
	[PRESSURE_SCOPE] = { "scope", "", ROW_KEY, ROW_TEXT, 0, 0, "some: at least one task waited; full: all" },
	[PRESSURE_AVG10] = { "avg10", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "share of time, mean of ten seconds" },
	[PRESSURE_AVG60] = { "avg60", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "share of time, mean of a minute" },
	[PRESSURE_AVG300] = { "avg300", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "share of time, mean of five minutes" },
	[PRESSURE_TOTAL] = { "waited", "us", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "time of waiting" },
	[PRESSURE_DELTA] = { "waited_delta", "us", ROW_RATE, ROW_UNSIGNED, ROW_DELTA, PRESSURE_TOTAL,
			     "time of waiting in the interval" },
	[PRESSURE_PERCENT] = { "waited_percent", "percent", ROW_RATE, ROW_REAL, 0, 0, "share of the interval" },
	[PRESSURE_INTERVAL] = RATES_INTERVAL_COLUMN,
	[PRESSURE_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "pressure",
	  .collector = "pressure",
	  .summary = "time in which tasks waited for a resource",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

static const char *const resources[] = { "cpu", "memory", "io", "irq" };

/* "name=1.23" */
static bool parse_average(struct scan *line, const char *name, double *ret)
{
	struct record_bytes word;
	struct scan value;
	size_t n = strlen(name);

	if (!scan_word(line, &word) || word.size <= n || memcmp(word.data, name, n) != 0)
		return false;
	value = scan_bytes(word.data + n, word.size - n);
	return scan_real(&value, ret) && scan_end(&value);
}

bool pressure_line_parse(struct scan line, struct pressure_line *ret)
{
	struct pressure_line l = {};
	double total;

	if (!scan_word(&line, &l.scope) ||
	    !(bytes_are(l.scope, "some") || bytes_are(l.scope, "full")))
		return false;
	if (!parse_average(&line, "avg10=", &l.averages[0]) ||
	    !parse_average(&line, "avg60=", &l.averages[1]) ||
	    !parse_average(&line, "avg300=", &l.averages[2]) ||
	    !parse_average(&line, "total=", &total) || !scan_end(&line))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(l.averages); i++)
		l.averages[i] = MIN(l.averages[i], 100.0);
	/* Whole up to 2^53 us, which is 285 years. */
	l.has_total = total < 9e15;
	l.total_us = l.has_total ? (uint64_t)total : 0;
	*ret = l;
	return true;
}

static bool put_line(struct scan line, const char *resource, struct rows *rows)
{
	struct pressure_line l;

	if (!pressure_line_parse(line, &l))
		return false;
	rows_string(rows, PRESSURE_RESOURCE, resource);
	rows_text(rows, PRESSURE_SCOPE, l.scope.data, l.scope.size);
	for (unsigned int i = 0; i < ARRAY_SIZE(l.averages); i++)
		rows_real(rows, PRESSURE_AVG10 + i, l.averages[i]);
	if (l.has_total)
		rows_unsigned(rows, PRESSURE_TOTAL, l.total_us);
	return true;
}

void pressure_put_share(struct rows *rows, unsigned int column, unsigned int delta,
			unsigned int interval, unsigned int reset)
{
	const struct row *row = rows_current(rows);
	const struct row_value *v = row ? row->values : NULL;

	if (v && v[delta].present && v[interval].u && !v[reset].u)
		rows_real(rows, column,
			  MIN(100.0 * 1000 * (double)v[delta].u / (double)v[interval].u, 100.0));
}

static bool read_resource(struct basic *b, const char *resource, struct rows *rows)
{
	struct scan s, line;
	bool found = false;
	char path[32];

	snprintf(path, sizeof(path), "pressure/%s", resource);
	if (roots_read(&b->roots, b->roots.proc, path) < 0) {
		rows_missing(rows);
		return false;
	}
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line)) {
		rows_add(rows, 0);
		if (!put_line(line, resource, rows)) {
			rows_discard(rows);
			rows_problem(rows, "a line of /proc/%s is not what a kernel writes", path);
			continue;
		}
		if (rates_fill(&b->rates, rows))
			pressure_put_share(rows, PRESSURE_PERCENT, PRESSURE_DELTA,
					   PRESSURE_INTERVAL, PRESSURE_RESET);
		found = true;
	}
	return found;
}

static int pressure_read(void *state, struct rows *rows)
{
	struct basic *b = state;
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		found |= read_resource(b, resources[i], rows);
	rates_end(&b->rates);
	return found ? 0 : -ENOENT;
}

static int pressure_probe(const struct collector_settings *s, char **ret_reason)
{
	struct roots roots;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	/* Switched off, the files are there and cannot be read. */
	r = roots_read(&roots, roots.proc, "pressure/cpu");
	roots_close(&roots);
	if (r < 0)
		*ret_reason = strdup("this kernel does not measure pressure (CONFIG_PSI is off, or "
				     "psi=1 is missing on its command line)");
	return r;
}

const struct collector collector_pressure = {
	.name = "pressure",
	.summary = "time in which tasks waited for CPU, memory, I/O and interrupts (PSI)",
	.needs = "/proc/pressure",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = pressure_probe,
	.open = basic_open,
	.read = pressure_read,
	.close = basic_close,
};
