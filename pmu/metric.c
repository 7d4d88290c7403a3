// SPDX-License-Identifier: Apache-2.0
/*
 * Looking the catalogue up, and writing its values.
 */
#include "pmu/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pmu/internal.h"
#include "pmu/metric_table.h"

const struct metric_constant metric_constants[] = {
	{ "time_s", "length of the interval in seconds" },
	{ "cpus", "hardware threads in the aggregate" },
	{ "sockets", "sockets in the aggregate" },
	{ "smt", "hardware threads of a core: 1 or 2" },
	{ "width", "slots of a core and cycle: 4 on Broadwell-EP and Skylake-SP, 6 on Zen 4, 8 on "
		   "Zen 5, Neoverse V1 and V2, 5 on Neoverse N2" },
	{ "timer_hz", "rate of Arm's generic timer, CNTFRQ_EL0" },
};

const size_t metric_n_constants = ARRAY_SIZE(metric_constants);

static const struct {
	uint32_t families;
	double width;
} widths[] = {
	{ BDX | SKX, 4 },
	{ ZEN4, 6 },
	{ ZEN5 | V1 | V2, 8 },
	{ N2, 5 },
};

static const struct metric_table *const metric_tables[] = {
	&metric_rows_core,
	&metric_rows_topdown,
	&metric_rows_socket,
};

static const struct metric_event_table *const event_tables[] = {
	&metric_events_shared,
	&metric_events_intel,
	&metric_events_amd,
	&metric_events_arm,
};

static const char *const unit_names[] = {
	[METRIC_PER_CYCLE] = "per cycle",
	[METRIC_PER_KILO] = "per 1000 instructions",
	[METRIC_RATIO] = "",
	[METRIC_HZ] = "Hz",
	[METRIC_BYTES_PER_S] = "B/s",
	[METRIC_WATT] = "W",
	[METRIC_JOULE] = "J",
};

static const char *const scope_names[] = {
	[METRIC_CPU] = "cpu",
	[METRIC_CORE] = "core",
	[METRIC_SOCKET] = "socket",
	[METRIC_HOST] = "host",
};

const char *metric_unit_name(enum metric_unit unit)
{
	return unit < ARRAY_SIZE(unit_names) ? unit_names[unit] : "";
}

const char *metric_scope_name(enum metric_scope scope)
{
	return scope < ARRAY_SIZE(scope_names) ? scope_names[scope] : "";
}

/* Rows of all tables are numbered through, so that the next one is the next number. */
static const struct metric *metric_at(size_t i)
{
	for (size_t t = 0; t < ARRAY_SIZE(metric_tables); t++) {
		if (i < metric_tables[t]->n)
			return &metric_tables[t]->rows[i];
		i -= metric_tables[t]->n;
	}
	return NULL;
}

static const struct metric_event *event_at(size_t i)
{
	for (size_t t = 0; t < ARRAY_SIZE(event_tables); t++) {
		if (i < event_tables[t]->n)
			return &event_tables[t]->rows[i];
		i -= event_tables[t]->n;
	}
	return NULL;
}

const struct metric *metric_next(enum metric_family family, const struct metric *previous)
{
	const struct metric *m;
	size_t i = 0;

	while (previous && metric_at(i++) != previous)
		;
	while ((m = metric_at(i++)))
		if (m->families & 1U << family)
			break;
	return m;
}

const struct metric_event *metric_event_next(enum metric_family family,
					     const struct metric_event *previous)
{
	const struct metric_event *e;
	size_t i = 0;

	while (previous && event_at(i++) != previous)
		;
	while ((e = event_at(i++)))
		if (e->families & 1U << family)
			break;
	return e;
}

const struct metric *metric_find(enum metric_family family, const char *name)
{
	const struct metric *m = NULL;

	while ((m = metric_next(family, m)))
		if (strcmp(m->name, name) == 0)
			break;
	return m;
}

const struct metric_event *metric_event_find(enum metric_family family, const char *name)
{
	const struct metric_event *e = NULL;

	while ((e = metric_event_next(family, e)))
		if (strcmp(e->name, name) == 0)
			break;
	return e;
}

bool metric_is_constant(const char *name)
{
	for (size_t i = 0; i < metric_n_constants; i++)
		if (strcmp(metric_constants[i].name, name) == 0)
			return true;
	return false;
}

static bool smt(const char *sysfs, double *ret)
{
	uint64_t active;

	if (pmu_read_u64(&active, "%s/devices/system/cpu/smt/active", sysfs) < 0)
		return false;
	*ret = active ? 2 : 1;
	return true;
}

static bool width(enum metric_family family, double *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++)
		if (widths[i].families & 1U << family) {
			*ret = widths[i].width;
			return true;
		}
	return false;
}

static bool timer_hz(double *ret)
{
#if defined(__aarch64__)
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	*ret = (double)hz;
	return hz > 0;
#else
	(void)ret;
	return false;
#endif
}

bool metric_machine_constant(enum metric_family family, const char *name, const char *sysfs,
			     double *ret)
{
	if (strcmp(name, "smt") == 0)
		return smt(sysfs ? sysfs : "/sys", ret);
	if (strcmp(name, "width") == 0)
		return width(family, ret);
	if (strcmp(name, "timer_hz") == 0)
		return timer_hz(ret);
	return false;
}

static char *format_si(double value, const char *unit, char *out, size_t size)
{
	static const struct {
		double factor;
		const char *prefix;
	} prefixes[] = { { 1e12, "T" }, { 1e9, "G" },  { 1e6, "M" },  { 1e3, "k" },
			 { 1, "" },	{ 1e-3, "m" }, { 1e-6, "u" }, { 1e-9, "n" } };
	size_t i = value == 0 ? 4 : 0;

	while (value != 0 && i + 1 < ARRAY_SIZE(prefixes) && fabs(value) < prefixes[i].factor)
		i++;
	value /= prefixes[i].factor;
	snprintf(out, size, "%.*f %s%s",
		 fabs(value) < 10    ? 2
		 : fabs(value) < 100 ? 1
				     : 0,
		 value, prefixes[i].prefix, unit);
	return out;
}

char *metric_format(enum metric_unit unit, double value, char *out, size_t size)
{
	if (unit == METRIC_RATIO)
		snprintf(out, size, "%.1f %%", 100 * value);
	else if (unit == METRIC_PER_CYCLE || unit == METRIC_PER_KILO)
		snprintf(out, size, "%.2f", value);
	else
		format_si(value, metric_unit_name(unit), out, size);
	return out;
}
