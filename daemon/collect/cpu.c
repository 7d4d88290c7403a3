// SPDX-License-Identifier: Apache-2.0
/*
 * CPU time by what it was spent on: the cpu lines of proc_stat(5). The kernel counts guest time in
 * user time as well, and guest_nice in nice; so the two are no part of the total that percentages
 * refer to, and 100 % is what the other eight add up to.
 */
#include <errno.h>
#include <unistd.h>

#include "collect/basic.h"
#include "collect/scan.h"
#include "util/parse.h"

enum {
	TIMES = 10,
	NEEDED_TIMES = 7, /* what every kernel has; steal and guest came later */
	TOTAL_TIMES = 8, /* without guest and guest_nice */
	MAX_CPU = 65535,
};

/* Columns: the CPU, then the times, their deltas, their shares. */
enum {
	CPU_NUMBER,
	CPU_TIME,
	CPU_DELTA = CPU_TIME + TIMES,
	CPU_PERCENT = CPU_DELTA + TIMES,
	CPU_INTERVAL = CPU_PERCENT + TIMES,
	CPU_RESET,
};

#define TIME(i, name, help)                                                                        \
	[CPU_TIME + i] = { name, "ns", ROW_COUNTER, ROW_UNSIGNED, 0, 0, help },                    \
		    [CPU_DELTA + i] = { name "_delta",		"ns",	   ROW_RATE,               \
					ROW_UNSIGNED,		ROW_DELTA, CPU_TIME + i,           \
					help " in the interval" },                                 \
		    [CPU_PERCENT + i] = { name "_percent", "percent", ROW_RATE, ROW_REAL, 0, 0,    \
					  help ", share" }

/* clang-format off */
static const struct row_column columns[] = {
	[CPU_NUMBER] = { "cpu", "id", ROW_KEY, ROW_SIGNED, 0, 0, "number, -1: all together" },
	TIME(0, "user", "programs"),
	TIME(1, "nice", "programs of lowered priority"),
	TIME(2, "system", "the kernel for programs"),
	TIME(3, "idle", "nothing to do"),
	TIME(4, "iowait", "nothing to do but to wait for I/O"),
	TIME(5, "irq", "interrupts"),
	TIME(6, "softirq", "soft interrupts"),
	TIME(7, "steal", "taken by the hypervisor"),
	TIME(8, "guest", "virtual machines, part of user"),
	TIME(9, "guest_nice", "virtual machines, part of nice"),
	[CPU_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CPU_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "cpu",
	  .collector = "cpu",
	  .summary = "time of the CPUs by what it was spent on",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

/* "cpu" or "cpuN". */
static bool parse_name(struct scan *line, int64_t *ret)
{
	struct record_bytes name;
	struct scan number;
	uint64_t cpu;

	if (!scan_word(line, &name) || name.size < 3 || memcmp(name.data, "cpu", 3) != 0)
		return false;
	*ret = -1;
	if (name.size == 3)
		return true;
	number = scan_bytes(name.data + 3, name.size - 3);
	if (!scan_unsigned(&number, &cpu) || !scan_end(&number) || cpu > MAX_CPU)
		return false;
	*ret = (int64_t)cpu;
	return true;
}

static void put_shares(struct rows *rows)
{
	const struct row_value *v = rows_current(rows) ? rows_current(rows)->values : NULL;
	uint64_t total = 0;

	for (unsigned int i = 0; v && i < TOTAL_TIMES; i++)
		if (v[CPU_DELTA + i].present)
			total += v[CPU_DELTA + i].u;
	for (unsigned int i = 0; total && i < TIMES; i++)
		if (v[CPU_DELTA + i].present)
			rows_real(rows, CPU_PERCENT + i,
				  MIN(100.0 * (double)v[CPU_DELTA + i].u / (double)total, 100.0));
}

static bool parse_times(struct scan *line, struct rows *rows)
{
	uint64_t tick_ns = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK), ticks, ns;

	for (unsigned int i = 0; i < TIMES; i++) {
		if (!scan_unsigned(line, &ticks))
			return i >= NEEDED_TIMES && scan_end(line);
		if (__builtin_mul_overflow(ticks, tick_ns, &ns))
			return false;
		rows_unsigned(rows, CPU_TIME + i, ns);
	}
	return true;
}

static int cpu_read(void *state, struct rows *rows)
{
	struct basic *b = state;
	struct scan s, line;
	size_t found = 0;
	int64_t cpu;
	int r = roots_need(&b->roots, b->roots.proc, "stat", rows);

	if (r < 0)
		return r;
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line)) {
		if (!parse_name(&line, &cpu))
			continue;
		rows_add(rows, 0);
		rows_signed(rows, CPU_NUMBER, cpu);
		if (!parse_times(&line, rows)) {
			rows_discard(rows);
			rows_problem(rows, "a line of /proc/stat is not the times of a CPU");
			continue;
		}
		if (rates_fill(&b->rates, rows))
			put_shares(rows);
		found++;
	}
	rates_end(&b->rates);
	if (found == 0)
		rows_problem(rows, "/proc/stat names no CPU");
	return found ? 0 : -EBADMSG;
}

const struct collector collector_cpu = {
	.name = "cpu",
	.summary = "time of the CPUs by what it was spent on",
	.needs = "/proc/stat",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = cpu_read,
	.close = basic_close,
};
