// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collect/exposition.h"
#include "util/cleanup.h"

enum { NAME, SOCKET, VALUE, UNIT, INTERVAL, COLUMNS };

static const struct row_column columns[COLUMNS] = {
	[NAME] = { .name = "metric", .kind = ROW_KEY, .type = ROW_TEXT },
	[SOCKET] = { .name = "socket", .unit = "id", .kind = ROW_KEY, .type = ROW_SIGNED },
	[VALUE] = { .name = "value", .kind = ROW_GAUGE, .type = ROW_REAL },
	[UNIT] = { .name = "unit", .kind = ROW_WORDS, .type = ROW_TEXT },
	[INTERVAL] = { .name = "interval", .unit = "ns", .kind = ROW_RATE, .type = ROW_UNSIGNED },
};

static const struct row_table table = { .name = "pmu",
					.collector = "pmu",
					.summary = "metrics of hardware counters",
					.columns = columns,
					.n_columns = COLUMNS,
					.by_name = true };

static const struct collector collector = {
	.name = "pmu",
	.kind = COLLECTOR_PERIODIC,
	.tables = &table,
	.n_tables = 1,
};

static void put(struct rows *rows, const char *name, int socket, double value, const char *unit)
{
	rows_add(rows, 0);
	rows_string(rows, NAME, name);
	rows_signed(rows, SOCKET, socket);
	if (value >= 0)
		rows_real(rows, VALUE, value);
	rows_string(rows, UNIT, unit);
	rows_unsigned(rows, INTERVAL, 10000000000);
}

/*
 * A table whose rows are metrics: one name each, with the unit behind it, its samples together
 * under one head; the row for the whole host is left out, for sockets add up; so is what has no
 * value.
 */
static void rows_are_metrics(void **state)
{
	static const char expected[] =
		"# HELP ebpf_profiler_pmu_ipc metrics of hardware counters\n"
		"# TYPE ebpf_profiler_pmu_ipc gauge\n"
		"ebpf_profiler_pmu_ipc{socket=\"0\"} 0.5\n"
		"ebpf_profiler_pmu_ipc{socket=\"1\"} 2\n"
		"# HELP ebpf_profiler_pmu_memory_bandwidth_bytes_per_second metrics of hardware "
		"counters\n"
		"# TYPE ebpf_profiler_pmu_memory_bandwidth_bytes_per_second gauge\n"
		"ebpf_profiler_pmu_memory_bandwidth_bytes_per_second{socket=\"0\"} 20000000000\n"
		"# HELP ebpf_profiler_pmu_frequency_hertz metrics of hardware counters\n"
		"# TYPE ebpf_profiler_pmu_frequency_hertz gauge\n"
		"ebpf_profiler_pmu_frequency_hertz{socket=\"1\"} 3000000000\n"
		"# HELP ebpf_profiler_pmu_package_power_watts metrics of hardware counters\n"
		"# TYPE ebpf_profiler_pmu_package_power_watts gauge\n"
		"ebpf_profiler_pmu_package_power_watts{socket=\"0\"} 42.5\n"
		"# HELP ebpf_profiler_pmu_llc_mpki_per_1000_instructions metrics of hardware "
		"counters\n"
		"# TYPE ebpf_profiler_pmu_llc_mpki_per_1000_instructions gauge\n"
		"ebpf_profiler_pmu_llc_mpki_per_1000_instructions{socket=\"0\"} 3\n"
		"# HELP ebpf_profiler_pmu_odd_name_ metrics of hardware counters\n"
		"# TYPE ebpf_profiler_pmu_odd_name_ gauge\n"
		"ebpf_profiler_pmu_odd_name_{socket=\"0\"} 1\n";
	_cleanup_(buffer_donep) struct buffer out = {};
	struct rows rows;

	(void)state;
	rows_init(&rows, &table, 1);
	put(&rows, "ipc", -1, 1, "per cycle");
	put(&rows, "memory_bandwidth", -1, 3e10, "B/s");
	put(&rows, "ipc", 0, 0.5, "per cycle");
	put(&rows, "ipc", 1, 2, "per cycle");
	put(&rows, "memory_bandwidth", 0, 2e10, "B/s");
	put(&rows, "memory_bandwidth", 1, -1, "B/s");
	put(&rows, "frequency", 1, 3e9, "Hz");
	put(&rows, "package_power", 0, 42.5, "W");
	put(&rows, "llc_mpki", 0, 3, "per 1000 instructions");
	put(&rows, "never", 0, -1, "W");
	put(&rows, "odd name/", 0, 1, "");
	exposition_put_rows(&out, &collector, &rows);
	buffer_put_byte(&out, 0);
	assert_int_equal(out.error, 0);
	assert_string_equal((const char *)out.data, expected);
	rows_done(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows_are_metrics) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
