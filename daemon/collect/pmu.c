// SPDX-License-Identifier: Apache-2.0
/*
 * Counters of the hardware and the metrics computed of them, on the samples' clock: the counting
 * engine of pmu/counter.h, read once an interval. Where not all groups have counters at once, a
 * timer lets them take turns within the interval.
 *
 * A value that did not run is absent. What this machine cannot count has no row, and is looked for
 * again when a driver brings a PMU or a CPU comes back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include "collect/collector.h"
#include "pmu/metric_set.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/parse.h"

#define TURNS_IN_INTERVAL 4 /* of each group, where groups take turns */
#define MIN_TURN_NS (100 * NSEC_PER_MSEC)
#define MAX_TURN_NS (1 * NSEC_PER_SEC)
#define MIN_PART_NS (10 * NSEC_PER_MSEC) /* of an interval that ends early, to be worth a row */

enum { TABLE_METRIC, TABLE_EVENT, TABLE_BUDGET };

enum {
	METRIC_NAME,
	METRIC_SOCKET_COLUMN,
	METRIC_VALUE,
	METRIC_RUNNING,
	METRIC_UNIT,
	METRIC_INTERVAL
};

enum {
	EVENT_NAME,
	EVENT_SOCKET,
	EVENT_TOTAL,
	EVENT_DELTA,
	EVENT_RATE,
	EVENT_RUNNING,
	EVENT_UNIT,
	EVENT_INTERVAL,
};

enum { BUDGET_PMU, BUDGET_TOTAL, BUDGET_FREE, BUDGET_RESERVE, BUDGET_GROUPS, BUDGET_TURNS };

#define SOCKET_HELP "number, -1: the whole host"
#define RUNNING_HELP "share of the time it had a counter; the value is scaled for the rest"
#define INTERVAL_HELP "time that the counts of the row cover, up to its own"

/* clang-format off */
static const struct row_column metric_columns[] = {
	[METRIC_NAME] = { "metric", "", ROW_KEY, ROW_TEXT, 0, 0, "as 'ebpf-profiler metrics' lists it" },
	[METRIC_SOCKET_COLUMN] = { "socket", "id", ROW_KEY, ROW_SIGNED, 0, 0, SOCKET_HELP },
	[METRIC_VALUE] = { "value", "", ROW_GAUGE, ROW_REAL, 0, 0, "in the unit of the column unit" },
	[METRIC_RUNNING] = { "running_ratio", "", ROW_GAUGE, ROW_REAL, 0, 0, RUNNING_HELP },
	[METRIC_UNIT] = { "unit", "", ROW_WORDS, ROW_TEXT, 0, 0, "of the value; empty: a ratio" },
	[METRIC_INTERVAL] = { "interval", "ns", ROW_RATE, ROW_UNSIGNED, 0, 0, INTERVAL_HELP },
};

static const struct row_column event_columns[] = {
	[EVENT_NAME] = { "event", "", ROW_KEY, ROW_TEXT, 0, 0, "as it is configured" },
	[EVENT_SOCKET] = { "socket", "id", ROW_KEY, ROW_SIGNED, 0, 0, SOCKET_HELP },
	[EVENT_TOTAL] = { "count", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "counted since counting began" },
	[EVENT_DELTA] = { "count_delta", "", ROW_RATE, ROW_REAL, 0, 0, "counted in the interval" },
	[EVENT_RATE] = { "count_rate", "/s", ROW_RATE, ROW_REAL, 0, 0, "counted per second" },
	[EVENT_RUNNING] = { "running_ratio", "", ROW_GAUGE, ROW_REAL, 0, 0, RUNNING_HELP },
	[EVENT_UNIT] = { "unit", "", ROW_WORDS, ROW_TEXT, 0, 0, "of the counts; empty: a number of things" },
	[EVENT_INTERVAL] = { "interval", "ns", ROW_RATE, ROW_UNSIGNED, 0, 0, INTERVAL_HELP },
};

static const struct row_column budget_columns[] = {
	[BUDGET_PMU] = { "pmu", "", ROW_KEY, ROW_TEXT, 0, 0, "as sysfs names it" },
	[BUDGET_TOTAL] = { "total", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "counters it has" },
	[BUDGET_FREE] = { "free", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "of them, not held by others when counting began" },
	[BUDGET_RESERVE] = { "reserve", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "left to others" },
	[BUDGET_GROUPS] = { "groups", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "of events that want counters" },
	[BUDGET_TURNS] = { "turns", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "until each group had one; 1: all run all the time" },
};

static const struct row_table tables[] = {
	[TABLE_METRIC] = { .name = "pmu", .collector = "pmu",
			   .summary = "metrics of hardware counters",
			   .columns = metric_columns, .n_columns = ARRAY_SIZE(metric_columns),
			   .by_name = true },
	[TABLE_EVENT] = { .name = "pmu_event", .collector = "pmu",
			  .summary = "events that are counted by themselves",
			  .columns = event_columns, .n_columns = ARRAY_SIZE(event_columns) },
	[TABLE_BUDGET] = { .name = "pmu_counters", .collector = "pmu",
			   .summary = "where the counters of each PMU went",
			   .columns = budget_columns, .n_columns = ARRAY_SIZE(budget_columns) },
};
/* clang-format on */

/* What an event counted since counting began. */
struct total {
	size_t event;
	int socket;
	double value;
};

struct pmu {
	struct pmu_counters *counters;
	struct metric_set *metrics;
	size_t n_events; /* of the configuration; those of metrics come behind */
	struct total *totals;
	size_t n_totals;
	uint64_t interval_ns, read_ns;
	uint64_t counted_ns; /* until when, in the mean: a read takes a while */
	int timer; /* of the turns */
};

/* --- what is counted --- */

/* Cheap in counters, and what one looks at first; each stands for those it begins. */
static bool is_usual(const struct metric *m)
{
	static const char *const names[] = {
		"ipc",		 "frequency",  "utilisation", "llc_mpki",	   "dtlb_mpki",
		"branch_mpki",	 "topdown_",   "memory_",     "numa_remote_ratio", "interconnect_",
		"package_power", "dram_power",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(m->name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

typedef int (*metric_fn)(const struct metric *m, void *userdata);

/* Calls `each` for the metrics of one word; -ENOENT: there is no such metric. */
static int of_word(enum metric_family family, const char *word, metric_fn each, void *userdata)
{
	bool all = strcmp(word, "all") == 0, usual = strcmp(word, "usual") == 0;
	const struct metric *m = NULL;
	int r = 0;

	if (!all && !usual) {
		m = metric_find(family, word);
		return m ? each(m, userdata) : -ENOENT;
	}
	while (r == 0 && (m = metric_next(family, m)))
		if (all || is_usual(m))
			r = each(m, userdata);
	return r;
}

static int for_metrics(const struct collector_settings *s, metric_fn each, void *userdata,
		       char **ret_error)
{
	enum metric_family family = metric_family_detect(s->procfs, s->sysfs);
	_cleanup_free_ char *copy = strdup(s->metrics);
	char *rest = copy, *word;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (word = strsep(&rest, ", \t"))) {
		if (!*word || strcmp(word, "none") == 0)
			continue;
		r = of_word(family, word, each, userdata);
		if (r == -ENOENT && asprintf(ret_error,
					     "this CPU (%s) has no metric '%s'; 'ebpf-profiler "
					     "metrics' lists them",
					     metric_family_title(family), word) < 0)
			*ret_error = NULL;
	}
	return r;
}

static int add_metric(const struct metric *m, void *userdata)
{
	return metric_set_add(userdata, m, 1);
}

static int add_all(struct pmu *p, const struct collector_settings *s, char **ret_error)
{
	int r = 0;

	if (*s->events)
		r = pmu_counters_add(p->counters, s->events, 1, PMU_COUNTERS_OPTIONAL, NULL, NULL,
				     ret_error);
	if (r < 0)
		return r;
	p->n_events = pmu_counters_n_events(p->counters);
	r = metric_set_new(metric_family_detect(s->procfs, s->sysfs), s->sysfs, p->counters,
			   &p->metrics);
	return r < 0 ? r : for_metrics(s, add_metric, p->metrics, ret_error);
}

/* --- turns --- */

static void set_timer(struct pmu *p)
{
	unsigned int turns = pmu_counters_turns(p->counters);
	uint64_t ns = MAX(p->interval_ns / turns / TURNS_IN_INTERVAL, MIN_TURN_NS);
	struct itimerspec spec = {};

	ns = MIN(ns, MAX_TURN_NS);
	if (turns > 1)
		spec.it_value.tv_sec = spec.it_interval.tv_sec = (time_t)(ns / NSEC_PER_SEC);
	if (turns > 1)
		spec.it_value.tv_nsec = spec.it_interval.tv_nsec = (long)(ns % NSEC_PER_SEC);
	(void)timerfd_settime(p->timer, 0, &spec, NULL);
}

static void take_turn(struct pmu *p)
{
	uint64_t expirations;

	if (read(p->timer, &expirations, sizeof(expirations)) == sizeof(expirations))
		(void)pmu_counters_rotate(p->counters);
}

/* --- life --- */

static int try_one(const struct metric *m, void *userdata)
{
	const struct collector_settings *s = ((void **)userdata)[0];
	enum metric_family family = metric_family_detect(s->procfs, s->sysfs);
	char **reason = ((void **)userdata)[1];
	struct metric_listed *list;
	bool available = false;
	size_t n;
	int r = metric_list(family, m->name, true, s->sysfs, &list, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (list[i].metric != m)
			continue;
		available = list[i].available;
		if (!available && !*reason)
			*reason = TAKE_PTR(list[i].reason);
	}
	metric_listed_free(list, n);
	return available;
}

/* The first metric that can be computed is enough. */
static int pmu_probe(const struct collector_settings *s, char **ret_reason)
{
	_cleanup_free_ char *reason = NULL;
	const void *arguments[] = { s, &reason };
	int r;

	if (*s->events)
		return 0;
	r = for_metrics(s, try_one, arguments, ret_reason);
	if (r != 0)
		return r < 0 ? r : 0;
	if (asprintf(ret_reason,
		     "%s; 'events' of [collector pmu], or --interval-events, may name others",
		     reason ? reason : "no metric is asked for") < 0)
		*ret_reason = NULL;
	return -EOPNOTSUPP;
}

static void pmu_close(void *state)
{
	struct pmu *p = state;

	metric_set_free(p->metrics);
	pmu_counters_free(p->counters);
	safe_close(p->timer);
	free(p->totals);
	free(p);
}

static uint64_t middle(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns + (to_ns - from_ns) / 2;
}

static int begin(struct pmu *p, char **ret_error)
{
	int r = pmu_counters_open(p->counters, ret_error);
	uint64_t began_ns = now_ns();

	if (r == 0)
		r = pmu_counters_start(p->counters);
	p->read_ns = now_ns();
	p->counted_ns = middle(began_ns, p->read_ns);
	if (r == 0)
		set_timer(p);
	return r;
}

static int pmu_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct pmu_counters_options o = { .sysfs = s->sysfs,
					  .guests = s->guests,
					  .reserve = s->reserve_counters };
	struct pmu *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->interval_ns = s->interval_ns;
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r = p->timer < 0 ? -errno : pmu_counters_new(&o, &p->counters);
	if (r == 0)
		r = add_all(p, s, ret_error);
	if (r == 0)
		r = begin(p, ret_error);
	if (r < 0) {
		pmu_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

/* --- rows --- */

static double *find_total(struct pmu *p, size_t event, int socket)
{
	struct total *grown;

	for (size_t i = 0; i < p->n_totals; i++)
		if (p->totals[i].event == event && p->totals[i].socket == socket)
			return &p->totals[i].value;
	grown = reallocarray(p->totals, p->n_totals + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	p->totals = grown;
	grown[p->n_totals] = (struct total){ .event = event, .socket = socket };
	return &grown[p->n_totals++].value;
}

/*
 * The interval of a row is the time its own counts cover, so that a rate is one divided by the
 * other. Where the host has more to do than CPUs, enabling and reading take as long as an interval,
 * and the time between two reads would be another.
 */
static uint64_t interval_of(double seconds, uint64_t interval_ns)
{
	return seconds > 0 ? (uint64_t)(seconds * (double)NSEC_PER_SEC) : interval_ns;
}

static void put_event(struct pmu *p, const struct pmu_sum *s, uint64_t interval_ns,
		      struct rows *rows)
{
	struct pmu_counters_event e = pmu_counters_event(p->counters, s->event);
	double *total;

	if (e.error)
		return;
	interval_ns = interval_of(pmu_sums_seconds(&s, 1), interval_ns);
	total = find_total(p, s->event, s->socket);
	rows_add_at(rows, TABLE_EVENT, p->counted_ns);
	rows_string(rows, EVENT_NAME, e.name);
	rows_signed(rows, EVENT_SOCKET, s->socket);
	rows_string(rows, EVENT_UNIT, e.unit);
	rows_unsigned(rows, EVENT_INTERVAL, interval_ns);
	if (s->error == 0) {
		rows_real(rows, EVENT_DELTA, s->value);
		rows_real(rows, EVENT_RATE, s->value * (double)NSEC_PER_SEC / (double)interval_ns);
		rows_real(rows, EVENT_RUNNING, pmu_sum_running_ratio(s));
		if (total)
			*total += s->value;
	}
	if (total)
		rows_unsigned(rows, EVENT_TOTAL, (uint64_t)*total);
}

static int put_events(struct pmu *p, const struct pmu_count *counts, size_t n, enum pmu_sum_by by,
		      uint64_t interval_ns, struct rows *rows)
{
	_cleanup_free_ struct pmu_sum *sums = NULL;
	size_t n_sums;
	int r = p->n_events ? pmu_sum_counts(p->counters, counts, n, by, &sums, &n_sums) : 0;

	if (r < 0 || p->n_events == 0)
		return r;
	for (size_t i = 0; i < n_sums; i++)
		if (sums[i].event < p->n_events && (sums[i].socket < 0) == (by == PMU_SUM_HOST))
			put_event(p, &sums[i], interval_ns, rows);
	for (size_t i = 0; i < p->n_events; i++) {
		struct pmu_counters_event e = pmu_counters_event(p->counters, i);

		if (e.error && by == PMU_SUM_HOST)
			rows_problem(rows, "%s", e.reason);
	}
	return 0;
}

/* What the machine does not have is no fault of a metric's, and has no row. */
static bool is_nowhere(const struct metric_value *v)
{
	return v->error && *v->reason;
}

static void put_metric(const struct pmu *p, const struct metric_value *v, uint64_t interval_ns,
		       struct rows *rows)
{
	rows_add_at(rows, TABLE_METRIC, p->counted_ns);
	rows_string(rows, METRIC_NAME, v->metric->name);
	rows_signed(rows, METRIC_SOCKET_COLUMN, v->socket);
	rows_string(rows, METRIC_UNIT, metric_unit_name(v->metric->unit));
	rows_unsigned(rows, METRIC_INTERVAL, interval_of(v->seconds, interval_ns));
	if (v->error)
		return;
	rows_real(rows, METRIC_VALUE, v->value);
	rows_real(rows, METRIC_RUNNING, v->running_ratio);
}

static int put_metrics(struct pmu *p, const struct pmu_count *counts, size_t n, enum pmu_sum_by by,
		       uint64_t interval_ns, struct rows *rows)
{
	_cleanup_free_ struct metric_value *values = NULL;
	double seconds = (double)interval_ns / (double)NSEC_PER_SEC;
	size_t n_values;
	int r = metric_set_eval(p->metrics, counts, n, by, seconds, &values, &n_values);

	for (size_t i = 0; r == 0 && i < n_values; i++) {
		if (is_nowhere(&values[i]))
			rows_missing(rows);
		else if ((values[i].socket < 0) == (by == PMU_SUM_HOST))
			put_metric(p, &values[i], interval_ns, rows);
	}
	return r;
}

static void put_budgets(struct pmu *p, struct rows *rows)
{
	for (size_t i = 0; i < pmu_counters_n_budgets(p->counters); i++) {
		struct pmu_budget b = pmu_counters_budget(p->counters, i);

		if (b.total == 0)
			continue;
		rows_add_at(rows, TABLE_BUDGET, p->counted_ns);
		rows_string(rows, BUDGET_PMU, b.pmu);
		rows_unsigned(rows, BUDGET_TOTAL, b.total);
		rows_unsigned(rows, BUDGET_FREE, b.free);
		rows_unsigned(rows, BUDGET_RESERVE, b.reserve);
		rows_unsigned(rows, BUDGET_GROUPS, b.groups);
		rows_unsigned(rows, BUDGET_TURNS, b.turns);
	}
}

static int put_all(struct pmu *p, struct rows *rows)
{
	static const enum pmu_sum_by levels[] = { PMU_SUM_HOST, PMU_SUM_SOCKET };
	const struct pmu_count *counts;
	uint64_t interval_ns, began_ns = now_ns(), until_ns;
	size_t n;
	int r = pmu_counters_read(p->counters, &counts, &n);

	until_ns = middle(began_ns, now_ns());
	interval_ns = until_ns - p->counted_ns;
	p->counted_ns = until_ns;
	p->read_ns = rows->time_ns;
	for (size_t i = 0; i < ARRAY_SIZE(levels) && r == 0; i++) {
		r = put_metrics(p, counts, n, levels[i], interval_ns, rows);
		if (r == 0)
			r = put_events(p, counts, n, levels[i], interval_ns, rows);
	}
	if (r == 0)
		put_budgets(p, rows);
	return r;
}

/* CPUs and PMUs that came or went: everything is open anew, and the next interval begins here. */
static int follow(struct pmu *p, struct rows *rows)
{
	_cleanup_free_ char *error = NULL;
	int r = pmu_counters_follow(p->counters, &error);

	if (r < 0)
		rows_problem(rows, "%s", error ? error : strerror(-r));
	if (r > 0) {
		p->read_ns = p->counted_ns = now_ns();
		set_timer(p);
	}
	return r < 0 ? r : 0;
}

/* Once for each interval of the grid that all collectors share, in between for turns only. */
static bool interval_ended(const struct pmu *p, uint64_t now)
{
	/* The call that opened it began before counting did. */
	return now > p->read_ns && now / p->interval_ns != p->read_ns / p->interval_ns &&
	       now - p->read_ns >= p->interval_ns / 10;
}

static int pmu_read(void *state, struct rows *rows)
{
	struct pmu *p = state;
	int r;

	take_turn(p);
	if (rows->last)
		return rows->time_ns < p->read_ns + MIN_PART_NS ? 0 : put_all(p, rows);
	if (!interval_ended(p, rows->time_ns))
		return COLLECTOR_NOTHING_YET;
	r = put_all(p, rows);
	return r < 0 ? r : follow(p, rows);
}

static int pmu_fd(void *state)
{
	return ((struct pmu *)state)->timer;
}

const struct collector collector_pmu = {
	.name = "pmu",
	.summary = "hardware counters: IPC, cache misses, memory bandwidth, power",
	.needs = "CAP_PERFMON",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.keys = COLLECTOR_COUNTING,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = pmu_probe,
	.open = pmu_open,
	.read = pmu_read,
	.fd = pmu_fd,
	.close = pmu_close,
};
