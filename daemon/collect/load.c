// SPDX-License-Identifier: Apache-2.0
/*
 * Load averages and the run queue: proc_loadavg(5), proc_uptime(5), and procs_blocked of
 * proc_stat(5). Without loadavg there is no row; the other two may be missing.
 */
#include <errno.h>

#include "collect/basic.h"
#include "collect/scan.h"
#include "util/parse.h"

enum {
	LOAD_1,
	LOAD_5,
	LOAD_15,
	LOAD_RUNNING,
	LOAD_TOTAL,
	LOAD_LAST_PID,
	LOAD_BLOCKED,
	LOAD_UPTIME
};

static const struct row_column columns[] = {
	[LOAD_1] = { "load1", "", ROW_GAUGE, ROW_REAL, .help = "load average of one minute" },
	[LOAD_5] = { "load5", "", ROW_GAUGE, ROW_REAL, .help = "load average of five minutes" },
	[LOAD_15] = { "load15", "", ROW_GAUGE, ROW_REAL, .help = "load average of 15 minutes" },
	[LOAD_RUNNING] = { "running", "", ROW_GAUGE, ROW_UNSIGNED, .help = "threads that can run" },
	[LOAD_TOTAL] = { "threads", "", ROW_GAUGE, ROW_UNSIGNED, .help = "threads in all" },
	[LOAD_LAST_PID] = { "last_pid", "id", ROW_GAUGE, ROW_UNSIGNED,
			    .help = "pid given out last" },
	[LOAD_BLOCKED] = { "blocked", "", ROW_GAUGE, ROW_UNSIGNED,
			   .help = "threads that wait for I/O" },
	[LOAD_UPTIME] = { "uptime", "ns", ROW_GAUGE, ROW_UNSIGNED, .help = "time since the boot" },
};

static const struct row_table tables[] = {
	{ .name = "load",
	  .collector = "load",
	  .summary = "load averages and run queue",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

/* "0.20 0.18 0.12 1/80 11206" */
static bool parse_loadavg(struct scan s, struct rows *rows)
{
	uint64_t running, total, last_pid;
	double load[3];

	for (size_t i = 0; i < ARRAY_SIZE(load); i++)
		if (!scan_real(&s, &load[i]))
			return false;
	if (!scan_unsigned(&s, &running) || !scan_char(&s, '/') || !scan_unsigned(&s, &total) ||
	    !scan_unsigned(&s, &last_pid) || !scan_end(&s))
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(load); i++)
		rows_real(rows, LOAD_1 + i, load[i]);
	rows_unsigned(rows, LOAD_RUNNING, running);
	rows_unsigned(rows, LOAD_TOTAL, total);
	rows_unsigned(rows, LOAD_LAST_PID, last_pid);
	return true;
}

/* "350735.47 234388.90" */
static void read_uptime(struct basic *b, struct rows *rows)
{
	double up, idle;
	struct scan s;

	if (roots_need(&b->roots, b->roots.proc, "uptime", rows) < 0)
		return;
	s = scan_buffer(&b->roots.text);
	if (scan_real(&s, &up) && scan_real(&s, &idle) && scan_end(&s) && up < 1e10)
		rows_unsigned(rows, LOAD_UPTIME, (uint64_t)(up * 100 + 0.5) * (NSEC_PER_SEC / 100));
	else
		rows_problem(rows, "/proc/uptime is not two times");
}

static void read_blocked(struct basic *b, struct rows *rows)
{
	struct scan s, line;
	uint64_t blocked;

	if (roots_need(&b->roots, b->roots.proc, "stat", rows) < 0)
		return;
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line))
		if (scan_literal(&line, "procs_blocked")) {
			if (scan_unsigned(&line, &blocked) && scan_end(&line) &&
			    blocked <= INT32_MAX)
				rows_unsigned(rows, LOAD_BLOCKED, blocked);
			else
				rows_problem(rows, "procs_blocked of /proc/stat is no number");
			return;
		}
	rows_missing(rows);
}

static int load_read(void *state, struct rows *rows)
{
	struct basic *b = state;
	int r = roots_need(&b->roots, b->roots.proc, "loadavg", rows);

	if (r < 0)
		return r;
	rows_add(rows, 0);
	if (!parse_loadavg(scan_buffer(&b->roots.text), rows)) {
		rows_discard(rows);
		rows_problem(rows, "/proc/loadavg does not have its five fields");
		return -EBADMSG;
	}
	read_uptime(b, rows);
	read_blocked(b, rows);
	return 0;
}

const struct collector collector_load = {
	.name = "load",
	.summary = "load averages, run queue, uptime",
	.needs = "/proc/loadavg, /proc/uptime, /proc/stat",
	.kind = COLLECTOR_PERIODIC,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = load_read,
	.close = basic_close,
};
