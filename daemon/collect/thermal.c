// SPDX-License-Identifier: Apache-2.0
/*
 * Heat: sensors (Documentation/hwmon/sysfs-interface.rst and thermal zones), and how often CPUs
 * were slowed down for it. Sensors sit behind slow buses, so they are read every ten seconds.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"
#include "util/parse.h"

enum { TEMP_SENSOR, TEMP_CHIP, TEMP_LABEL, TEMP_NOW, TEMP_MAX, TEMP_CRITICAL };
enum { COUNTERS = 4 };
enum {
	THROTTLE_CPU,
	THROTTLE_COUNTER,
	THROTTLE_INTERVAL = THROTTLE_COUNTER + 3 * COUNTERS,
	THROTTLE_RESET,
};

#define COUNTER(i, name, unit, help) RATES_COLUMNS(THROTTLE_COUNTER, COUNTERS, i, name, unit, help)

/* clang-format off */
static const struct row_column temperature_columns[] = {
	[TEMP_SENSOR] = { "sensor", "", ROW_KEY, ROW_TEXT, 0, 0, "hwmon0/temp1, thermal_zone0" },
	[TEMP_CHIP] = { "chip", "", ROW_KEY, ROW_TEXT, 0, 0, "coretemp, nvme, x86_pkg_temp ..." },
	[TEMP_LABEL] = { "label", "", ROW_KEY, ROW_TEXT, 0, 0, "Core 0, Composite ..." },
	[TEMP_NOW] = { "temperature", "celsius", ROW_GAUGE, ROW_REAL, 0, 0, "now" },
	[TEMP_MAX] = { "high", "celsius", ROW_GAUGE, ROW_REAL, 0, 0, "what the chip calls its maximum" },
	[TEMP_CRITICAL] = { "critical", "celsius", ROW_GAUGE, ROW_REAL, 0, 0, "what it calls critical" },
};

static const struct row_column throttle_columns[] = {
	[THROTTLE_CPU] = { "cpu", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number" },
	COUNTER(0, "core", "", "times the core was slowed down"),
	COUNTER(1, "package", "", "times its package was slowed down"),
	COUNTER(2, "core_time", "ms", "time the core was slowed down"),
	COUNTER(3, "package_time", "ms", "time its package was slowed down"),
	[THROTTLE_INTERVAL] = RATES_INTERVAL_COLUMN,
	[THROTTLE_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table temperature_tables[] = {
	{ .name = "temperature",
	  .collector = "temperature",
	  .summary = "temperatures of sensors",
	  .columns = temperature_columns,
	  .n_columns = ARRAY_SIZE(temperature_columns) },
};

static const struct row_table throttle_tables[] = {
	{ .name = "thermal_throttle",
	  .collector = "thermal_throttle",
	  .summary = "CPUs slowed down by heat",
	  .columns = throttle_columns,
	  .n_columns = ARRAY_SIZE(throttle_columns) },
};

/* --- sensors --- */

/* Thousandths of a degree; below absolute zero, or hotter than anything lives, is no temperature.
 */
static bool read_degrees(struct basic *b, const char *path, double *ret)
{
	struct scan s;
	int64_t v;

	if (roots_read(&b->roots, b->roots.sys, path) < 0)
		return false;
	s = scan_buffer(&b->roots.text);
	if (!scan_signed(&s, &v) || v < -273150 || v > 1000000)
		return false;
	*ret = (double)v / 1000;
	return true;
}

static void put_degrees(struct basic *b, struct rows *rows, unsigned int column,
			const char *directory, const char *file)
{
	char path[400];
	double v;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	if (read_degrees(b, path, &v))
		rows_real(rows, column, v);
}

static void put_word(struct basic *b, struct rows *rows, unsigned int column, const char *directory,
		     const char *file)
{
	char path[400], text[64];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	if (roots_read_string(&b->roots, b->roots.sys, path, text, sizeof(text)) == 0 && *text)
		rows_string(rows, column, text);
}

/* A sensor that gives no number (it sleeps, its bus failed) has no row. */
static bool put_sensor(struct basic *b, struct rows *rows, const char *directory, const char *file,
		       const char *name)
{
	char path[400];
	double now;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	if (!read_degrees(b, path, &now)) {
		rows_missing(rows);
		return false;
	}
	rows_add(rows, 0);
	rows_string(rows, TEMP_SENSOR, name);
	rows_real(rows, TEMP_NOW, now);
	return true;
}

static void read_input(struct basic *b, const char *chip, const char *directory, uint64_t n,
		       struct rows *rows)
{
	char name[320], file[64];

	snprintf(name, sizeof(name), "%s/temp%llu", chip, (unsigned long long)n);
	snprintf(file, sizeof(file), "temp%llu_input", (unsigned long long)n);
	if (!put_sensor(b, rows, directory, file, name))
		return;
	put_word(b, rows, TEMP_CHIP, directory, "name");
	snprintf(file, sizeof(file), "temp%llu_label", (unsigned long long)n);
	put_word(b, rows, TEMP_LABEL, directory, file);
	snprintf(file, sizeof(file), "temp%llu_max", (unsigned long long)n);
	put_degrees(b, rows, TEMP_MAX, directory, file);
	snprintf(file, sizeof(file), "temp%llu_crit", (unsigned long long)n);
	put_degrees(b, rows, TEMP_CRITICAL, directory, file);
}

static void read_chip(struct basic *b, const char *chip, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char directory[300];
	struct dirent *d;

	snprintf(directory, sizeof(directory), "class/hwmon/%.255s", chip);
	if (roots_list(b->roots.sys, directory, &dir) < 0)
		return;
	while ((d = readdir(dir))) {
		unsigned long long n;
		int end = 0;

		if (sscanf(d->d_name, "temp%9llu_input%n", &n, &end) == 1 && end && !d->d_name[end])
			read_input(b, chip, directory, n, rows);
	}
}

static void read_zone(struct basic *b, const char *zone, struct rows *rows)
{
	char directory[300];

	snprintf(directory, sizeof(directory), "class/thermal/%.255s", zone);
	if (put_sensor(b, rows, directory, "temp", zone))
		put_word(b, rows, TEMP_CHIP, directory, "type");
}

static void each_entry(struct basic *b, const char *directory, const char *prefix,
		       void (*each)(struct basic *b, const char *name, struct rows *rows),
		       struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *d;

	if (roots_list(b->roots.sys, directory, &dir) < 0)
		return;
	while ((d = readdir(dir)))
		if (strncmp(d->d_name, prefix, strlen(prefix)) == 0)
			each(b, d->d_name, rows);
}

static int temperature_read(void *state, struct rows *rows)
{
	each_entry(state, "class/hwmon", "hwmon", read_chip, rows);
	each_entry(state, "class/thermal", "thermal_zone", read_zone, rows);
	return 0;
}

static int probe_entries(const struct collector_settings *s, const char *directory,
			 const char *prefix)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct roots roots;
	struct dirent *d;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	r = roots_list(roots.sys, directory, &dir);
	roots_close(&roots);
	if (r < 0)
		return r;
	while ((d = readdir(dir)))
		if (strncmp(d->d_name, prefix, strlen(prefix)) == 0)
			return 0;
	return -ENOENT;
}

static int temperature_probe(const struct collector_settings *s, char **ret_reason)
{
	if (probe_entries(s, "class/hwmon", "hwmon") == 0 ||
	    probe_entries(s, "class/thermal", "thermal_zone") == 0)
		return 0;
	*ret_reason = strdup("this machine shows no sensors (a virtual machine has none; elsewhere "
			     "a driver such as coretemp or k10temp is missing)");
	return -ENODEV;
}

/* --- throttling --- */

static int throttle_read(void *state, struct rows *rows)
{
	static const char *const files[COUNTERS] = {
		"core_throttle_count",
		"package_throttle_count",
		"core_throttle_total_time_ms",
		"package_throttle_total_time_ms",
	};
	_cleanup_(closedirp) DIR *dir = NULL;
	struct basic *b = state;
	struct dirent *d;
	int r = roots_list(b->roots.sys, "devices/system/cpu", &dir);

	if (r < 0)
		return r;
	while ((d = readdir(dir))) {
		struct scan s = scan_bytes(d->d_name, strlen(d->d_name));
		bool found = false;
		uint64_t cpu, v;

		if (strncmp(d->d_name, "cpu", 3) != 0)
			continue;
		s.at += 3;
		if (!scan_unsigned(&s, &cpu) || !scan_end(&s))
			continue;
		rows_add(rows, 0);
		rows_unsigned(rows, THROTTLE_CPU, cpu);
		for (unsigned int i = 0; i < COUNTERS; i++) {
			char path[128];

			snprintf(path, sizeof(path),
				 "devices/system/cpu/cpu%llu/thermal_throttle/%s",
				 (unsigned long long)cpu, files[i]);
			if (roots_read_unsigned(&b->roots, b->roots.sys, path, &v) < 0)
				continue;
			rows_unsigned(rows, THROTTLE_COUNTER + i, v);
			found = true;
		}
		if (found)
			rates_fill(&b->rates, rows);
		else
			rows_discard(rows);
	}
	rates_end(&b->rates);
	return 0;
}

static int throttle_probe(const struct collector_settings *s, char **ret_reason)
{
	if (probe_entries(s, "devices/system/cpu/cpu0/thermal_throttle", "core") == 0)
		return 0;
	*ret_reason = strdup("this CPU does not count how often heat slows it down (Intel's do; a "
			     "virtual one does not)");
	return -ENODEV;
}

const struct collector collector_temperature = {
	.name = "temperature",
	.summary = "temperatures of all sensors",
	.needs = "/sys/class/hwmon, /sys/class/thermal",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.tables = temperature_tables,
	.n_tables = ARRAY_SIZE(temperature_tables),
	.probe = temperature_probe,
	.open = basic_open,
	.read = temperature_read,
	.close = basic_close,
};

const struct collector collector_thermal_throttle = {
	.name = "thermal_throttle",
	.summary = "how often, and how long, heat slowed CPUs down",
	.needs = "/sys/devices/system/cpu/cpu*/thermal_throttle",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.keys = COLLECTOR_RATES,
	.tables = throttle_tables,
	.n_tables = ARRAY_SIZE(throttle_tables),
	.probe = throttle_probe,
	.open = basic_open,
	.read = throttle_read,
	.close = basic_close,
};
