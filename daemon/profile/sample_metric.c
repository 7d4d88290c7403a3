// SPDX-License-Identifier: Apache-2.0
#include "profile/sample_metric.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/buffer.h"
#include "util/parse.h"

#define PER_SECOND 1.0
#define PER_MILLISECOND 1e-3
#define PER_NANOSECOND 1e-9
#define PER_KILO 1000.0

/* SAMPLE_METRIC_HELP lists them. The events are the kernel's generic ones: docs/pmu-guide.md says
 * what those are on each CPU. */
static const struct named {
	const char *name, *over, *under;
	double scale;
	const char *unit, *summary;
	bool low_is_bad;
} table[] = {
	{ "ipc", "instructions", "cycles", 1, "", "instructions per cycle", true },
	{ "cpi", "cycles", "instructions", 1, "", "cycles per instruction", false },
	{ "llc_mpki", "LLC-load-misses", "instructions", PER_KILO, "",
	  "last-level cache load misses per 1,000 instructions", false },
	{ "cache_mpki", "cache-misses", "instructions", PER_KILO, "",
	  "generic cache misses per 1,000 instructions", false },
	{ "l1d_mpki", "L1-dcache-load-misses", "instructions", PER_KILO, "",
	  "L1 data cache load misses per 1,000 instructions", false },
	{ "l1i_mpki", "L1-icache-load-misses", "instructions", PER_KILO, "",
	  "L1 instruction cache misses per 1,000 instructions", false },
	{ "dtlb_mpki", "dTLB-load-misses", "instructions", PER_KILO, "",
	  "data TLB load misses per 1,000 instructions", false },
	{ "itlb_mpki", "iTLB-load-misses", "instructions", PER_KILO, "",
	  "instruction TLB misses per 1,000 instructions", false },
	{ "branch_mpki", "branch-misses", "instructions", PER_KILO, "",
	  "mispredicted branches per 1,000 instructions", false },
	{ "branch_miss_ratio", "branch-misses", "branches", 100, "%",
	  "share of branches that were mispredicted", false },
	{ "frequency", "cycles", "", PER_NANOSECOND, "GHz", "core cycles per nanosecond", true },
	{ "faults_per_ms", "page-faults", "", PER_MILLISECOND, "/ms",
	  "page faults per millisecond of CPU time", false },
};

/* --- names -------------------------------------------------------------------------------------*/

static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		int x = *a == '-' ? '_' : tolower((unsigned char)*a);

		if (x != tolower((unsigned char)*b))
			return false;
	}
	return *a == *b;
}

static const struct named *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (same_name(name, table[i].name))
			return &table[i];
	return NULL;
}

/*
 * The slash between the two halves. A PMU's event (msr/tsc/) has two slashes of its own, and behind
 * them nothing or modifiers, so that where it stands is known by what follows the last slash.
 */
static const char *find_division(const char *s)
{
	const char *slashes[5];
	size_t n = 0;

	for (const char *at = strchr(s, '/'); at; at = strchr(at + 1, '/')) {
		if (n == ARRAY_SIZE(slashes))
			return NULL;
		slashes[n++] = at;
	}
	if (n == 5)
		return slashes[2];
	if (n == 3) {
		const char *last = slashes[2] + 1;

		return last[strspn(last, "ukhGHIpP")] ? slashes[2] : slashes[0];
	}
	return n == 1 ? slashes[0] : NULL;
}

static int parse_ratio(const char *name, struct sample_metric *m)
{
	const char *slash = find_division(name);
	size_t over = slash ? (size_t)(slash - name) : 0, under = slash ? strlen(slash + 1) : 0;

	if (over == 0 || under == 0 || over >= sizeof(m->over) || under >= sizeof(m->under) ||
	    over + 1 + under >= sizeof(m->name))
		return -EINVAL;
	memcpy(m->over, name, over);
	if (strcasecmp(slash + 1, "time") != 0)
		memcpy(m->under, slash + 1, under);
	memcpy(m->name, name, over + 1 + under);
	m->summary = m->under[0] ? "" : "per second of CPU time";
	m->unit = m->under[0] ? "" : "/s";
	m->scale = PER_SECOND;
	return 0;
}

int sample_metric_parse(const char *name, struct sample_metric *ret)
{
	const struct named *n = find(name);
	struct sample_metric m = { .min_samples = SAMPLE_METRIC_MIN_SAMPLES };
	int r = 0;

	if (n) {
		snprintf(m.name, sizeof(m.name), "%s", n->name);
		snprintf(m.over, sizeof(m.over), "%s", n->over);
		snprintf(m.under, sizeof(m.under), "%s", n->under);
		m.scale = n->scale;
		m.unit = n->unit;
		m.summary = n->summary;
		m.low_is_bad = n->low_is_bad;
	} else {
		r = parse_ratio(name, &m);
	}
	if (r < 0)
		return r;
	*ret = m;
	ret->counters[0] = ret->over;
	ret->counters[1] = ret->under[0] ? ret->under : NULL;
	return 0;
}

/* --- values ------------------------------------------------------------------------------------*/

static double running_ratio(const struct profile_counter *c)
{
	return c->counted_ns ? (double)c->running_ns / (double)c->counted_ns : 0;
}

/* Not finite when there is none. */
static double divide(const struct sample_metric *m, const struct profile_counter *c)
{
	const struct profile_counter *over = &c[0], *under = &c[1];

	if (!m->under[0])
		return m->scale * over->sum / ((double)over->counted_ns / NSEC_PER_SEC);
	if (over->counted_ns == under->counted_ns)
		return m->scale * over->sum / under->sum;
	return m->scale * (over->sum / (double)over->counted_ns) /
	       (under->sum / (double)under->counted_ns);
}

void sample_metric_eval(const struct sample_metric *m, const struct profile_counter *counters,
			struct sample_metric_value *ret)
{
	struct sample_metric_value v = {
		.samples = counters[0].samples,
		.running_ratio = running_ratio(&counters[0]),
	};

	if (m->under[0]) {
		v.samples = MIN(v.samples, counters[1].samples);
		v.running_ratio = MIN(v.running_ratio, running_ratio(&counters[1]));
	}
	if (v.samples && v.samples >= m->min_samples) {
		v.value = divide(m, counters);
		v.known = isfinite(v.value);
		if (!v.known)
			v.value = 0;
	}
	*ret = v;
}

const char *sample_metric_missing(const struct sample_metric *m, const struct profile_event *e)
{
	if (!profile_event_counts(e, m->over))
		return m->over;
	if (m->under[0] && !profile_event_counts(e, m->under))
		return m->under;
	return NULL;
}

char *sample_metric_explain(const struct sample_metric *m, const struct profile_event *e)
{
	const char *missing = sample_metric_missing(m, e);
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	if (!missing)
		return NULL;
	if (!e->counters[0]) {
		buffer_printf(&b,
			      "No counters were read at the samples of %s; record with "
			      "--counters=%s%s%s to have %s",
			      e->fired, m->over, m->under[0] ? "," : "", m->under, m->name);
	} else {
		buffer_printf(&b,
			      "%s needs the counter %s, which was not read at the samples of %s; "
			      "read were %s",
			      m->name, missing, e->fired, e->counters);
	}
	return buffer_take_string(&b);
}

char *sample_metric_format(const struct sample_metric_value *v, char *out, size_t size)
{
	double a = fabs(v->value);

	if (!v->known)
		snprintf(out, size, "unknown");
	else if (a >= 1e5)
		format_count(v->value, out, size);
	else if (a >= 100 || a == 0)
		snprintf(out, size, "%.0f", v->value);
	else if (a >= 10)
		snprintf(out, size, "%.1f", v->value);
	else if (a >= 1)
		snprintf(out, size, "%.2f", v->value);
	else
		snprintf(out, size, "%.3g", v->value);
	return out;
}
