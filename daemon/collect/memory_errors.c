// SPDX-License-Identifier: Apache-2.0
/*
 * What the hardware reports of its own errors: memory controllers and their modules
 * (Documentation/driver-api/edac.rst), and machine checks, which x86 counts among its interrupts.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"
#include "util/parse.h"

enum { EDAC_COUNTERS = 2, MCE_COUNTERS = 5 };
enum {
	EDAC_PLACE,
	EDAC_LABEL,
	EDAC_COUNTER,
	EDAC_INTERVAL = EDAC_COUNTER + 3 * EDAC_COUNTERS,
	EDAC_RESET,
};
enum { MCE_INTERVAL = 3 * MCE_COUNTERS, MCE_RESET };

/* clang-format off */
static const struct row_column edac_columns[] = {
	[EDAC_PLACE] = { "place", "", ROW_KEY, ROW_TEXT, 0, 0, "mc0, mc0/dimm3, mc0/csrow1" },
	[EDAC_LABEL] = { "label", "", ROW_KEY, ROW_TEXT, 0, 0, "controller's name, or the module's label" },
	RATES_COLUMNS(EDAC_COUNTER, EDAC_COUNTERS, 0, "corrected", "", "errors that were corrected"),
	RATES_COLUMNS(EDAC_COUNTER, EDAC_COUNTERS, 1, "uncorrected", "", "errors that were not"),
	[EDAC_INTERVAL] = RATES_INTERVAL_COLUMN,
	[EDAC_RESET] = RATES_RESET_COLUMN,
};

static const struct row_column mce_columns[] = {
	RATES_COLUMNS(0, MCE_COUNTERS, 0, "exceptions", "", "machine check exceptions"),
	RATES_COLUMNS(0, MCE_COUNTERS, 1, "polls", "", "looks for errors that raise no exception"),
	RATES_COLUMNS(0, MCE_COUNTERS, 2, "threshold", "", "interrupts for many corrected errors"),
	RATES_COLUMNS(0, MCE_COUNTERS, 3, "thermal", "", "interrupts for heat"),
	RATES_COLUMNS(0, MCE_COUNTERS, 4, "deferred", "", "interrupts for deferred errors"),
	[MCE_INTERVAL] = RATES_INTERVAL_COLUMN,
	[MCE_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table edac_tables[] = {
	{ .name = "edac",
	  .collector = "edac",
	  .summary = "memory errors by controller and module",
	  .columns = edac_columns,
	  .n_columns = ARRAY_SIZE(edac_columns) },
};

static const struct row_table mce_tables[] = {
	{ .name = "machine_check",
	  .collector = "machine_check",
	  .summary = "machine checks of all CPUs",
	  .columns = mce_columns,
	  .n_columns = ARRAY_SIZE(mce_columns) },
};

/* --- memory controllers --- */

static void read_place(struct basic *b, const char *place, const char *label_file,
		       const char *const files[EDAC_COUNTERS], struct rows *rows)
{
	char path[640], label[128];
	bool found = false;

	rows_add(rows, 0);
	rows_string(rows, EDAC_PLACE, place);
	snprintf(path, sizeof(path), "devices/system/edac/mc/%s/%s", place, label_file);
	if (roots_read_string(&b->roots, b->roots.sys, path, label, sizeof(label)) == 0 && *label)
		rows_string(rows, EDAC_LABEL, label);
	for (unsigned int i = 0; i < EDAC_COUNTERS; i++) {
		uint64_t v;

		snprintf(path, sizeof(path), "devices/system/edac/mc/%s/%s", place, files[i]);
		if (roots_read_unsigned(&b->roots, b->roots.sys, path, &v) < 0)
			continue;
		rows_unsigned(rows, EDAC_COUNTER + i, v);
		found = true;
	}
	if (found)
		rates_fill(&b->rates, rows);
	else
		rows_discard(rows);
}

/* Older kernels have csrows in place of modules. */
static void read_controller(struct basic *b, const char *controller, struct rows *rows)
{
	static const char *const whole[] = { "ce_count", "ue_count" };
	static const char *const dimm[] = { "dimm_ce_count", "dimm_ue_count" };
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[300], place[600];
	struct dirent *d;

	read_place(b, controller, "mc_name", whole, rows);
	snprintf(path, sizeof(path), "devices/system/edac/mc/%.255s", controller);
	if (roots_list(b->roots.sys, path, &dir) < 0)
		return;
	while ((d = readdir(dir))) {
		snprintf(place, sizeof(place), "%.255s/%.255s", controller, d->d_name);
		if (strncmp(d->d_name, "dimm", 4) == 0 || strncmp(d->d_name, "rank", 4) == 0)
			read_place(b, place, "dimm_label", dimm, rows);
		else if (strncmp(d->d_name, "csrow", 5) == 0)
			read_place(b, place, "ch0_dimm_label", whole, rows);
	}
}

static int edac_read(void *state, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct basic *b = state;
	struct dirent *d;
	int r = roots_list(b->roots.sys, "devices/system/edac/mc", &dir);

	if (r < 0)
		return r;
	while ((d = readdir(dir)))
		if (strncmp(d->d_name, "mc", 2) == 0 && d->d_name[2] >= '0' && d->d_name[2] <= '9')
			read_controller(b, d->d_name, rows);
	rates_end(&b->rates);
	return 0;
}

static int edac_probe(const struct collector_settings *s, char **ret_reason)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct roots roots;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	r = roots_list(roots.sys, "devices/system/edac/mc/mc0", &dir);
	roots_close(&roots);
	if (r < 0)
		*ret_reason = strdup("no driver reports errors of the memory controller (no ECC "
				     "memory, a virtual machine, or no EDAC driver)");
	return r;
}

/* --- machine checks --- */

static void take_line(struct scan line, struct rows *rows)
{
	static const char *const names[MCE_COUNTERS] = { "MCE:", "MCP:", "THR:", "TRM:", "DFR:" };

	for (unsigned int i = 0; i < MCE_COUNTERS; i++) {
		uint64_t sum = 0, v;

		if (!scan_literal(&line, names[i]))
			continue;
		while (scan_unsigned(&line, &v))
			if (__builtin_add_overflow(sum, v, &sum))
				return;
		rows_unsigned(rows, i, sum);
	}
}

static bool has_counter(const struct rows *rows)
{
	const struct row *row = rows_current(rows);

	for (unsigned int i = 0; row && i < MCE_COUNTERS; i++)
		if (row->values[i].present)
			return true;
	return false;
}

static int mce_read(void *state, struct rows *rows)
{
	struct basic *b = state;
	struct scan s, line;
	int r = roots_need(&b->roots, b->roots.proc, "interrupts", rows);

	if (r < 0)
		return r;
	rows_add(rows, 0);
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line))
		take_line(line, rows);
	if (!has_counter(rows)) {
		rows_discard(rows);
		return -ENODATA;
	}
	rates_fill(&b->rates, rows);
	return 0;
}

static int mce_probe(const struct collector_settings *s, char **ret_reason)
{
	struct roots roots;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	r = roots_read(&roots, roots.proc, "interrupts");
	if (r == 0 && !memmem(roots.text.data, roots.text.size, "MCE:", 4))
		r = -ENODEV;
	roots_close(&roots);
	if (r < 0)
		*ret_reason = strdup("this kernel counts no machine checks (they are x86's, and a "
				     "virtual machine may have none)");
	return r;
}

const struct collector collector_edac = {
	.name = "edac",
	.summary = "corrected and uncorrected memory errors",
	.needs = "/sys/devices/system/edac",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.keys = COLLECTOR_RATES,
	.tables = edac_tables,
	.n_tables = ARRAY_SIZE(edac_tables),
	.probe = edac_probe,
	.open = basic_open,
	.read = edac_read,
	.close = basic_close,
};

const struct collector collector_machine_check = {
	.name = "machine_check",
	.summary = "machine checks, thermal and threshold interrupts",
	.needs = "/proc/interrupts",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.keys = COLLECTOR_RATES,
	.tables = mce_tables,
	.n_tables = ARRAY_SIZE(mce_tables),
	.probe = mce_probe,
	.open = basic_open,
	.read = mce_read,
	.close = basic_close,
};
