// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "engine/health.h"

#include <stdio.h>

#include "unwind/unwinder.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/parse.h"

#define PATIENCE                                                                                   \
	3 /* intervals: reading the symbols of what just started is no reason to sample less */
#define RECOVERY 6
#define RAISE 1.5
#define LOWEST_FACTOR 0.05
/* Of the budget: what lowering aims at, what raising must stay below, what samples always have. */
#define GOAL 0.9
#define ROOM 0.8
#define SAMPLES_SHARE 0.25

static uint64_t kernel_max_rate(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/perf_event_max_sample_rate", "re");
	unsigned long long hz = 0;

	return f && fscanf(f, "%llu", &hz) == 1 ? hz : 0;
}

static uint64_t resident_bytes(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident = 0;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void health_init(struct health *h)
{
	*h = (struct health){
		.start_ns = now_ns(),
		.last_ns = now_ns(),
		.last_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.rate_factor = 1,
		.kernel_max_rate_hz = kernel_max_rate(),
	};
}

static uint64_t lost(const struct pipeline_counters *c)
{
	return c->lost + c->fault + c->dropped;
}

/* How much less samples would have to take, as a share of what they take; 1: nothing. */
static double wanted_share(const struct health *h, double budget)
{
	double excess = h->cpu_percent - GOAL * budget;
	double goal = MAX(h->samples_cpu_percent - excess, SAMPLES_SHARE * budget);

	return goal < h->samples_cpu_percent ? goal / h->samples_cpu_percent : 1;
}

static bool has_room(const struct health *h, double budget)
{
	double more = (RAISE - 1) * h->samples_cpu_percent;

	return h->cpu_percent + more < ROOM * budget ||
	       h->samples_cpu_percent + more < SAMPLES_SHARE * budget;
}

unsigned int health_keep_budget(struct health *h, double budget)
{
	h->over_budget = false;
	if (budget <= 0)
		return 0;
	h->over = h->cpu_percent > budget ? h->over + 1 : 0;
	h->under = h->rate_factor < 1 && has_room(h, budget) ? h->under + 1 : 0;
	if (h->over >= PATIENCE) {
		double factor = MAX(h->rate_factor * wanted_share(h, budget), LOWEST_FACTOR);

		h->over_budget = factor >= h->rate_factor;
		if (!h->over_budget) {
			h->over = 0;
			h->rate_factor = factor;
			return HEALTH_RATE_LOWERED;
		}
	}
	if (h->under >= RECOVERY) {
		h->under = 0;
		h->rate_factor = MIN(h->rate_factor * RAISE, 1.0);
		return HEALTH_RATE_RAISED;
	}
	return 0;
}

static unsigned int watch_kernel_limit(struct health *h)
{
	uint64_t hz = kernel_max_rate(), before = h->kernel_max_rate_hz;

	h->kernel_max_rate_hz = hz;
	return hz && hz < before ? HEALTH_KERNEL_LIMIT_LOWERED : 0;
}

static unsigned int watch_writer(struct health *h, struct pipeline *p)
{
	struct segment_writer_status w;
	bool before = h->suspended;

	segment_writer_get_status(pipeline_writer(p), &w);
	h->suspended = w.suspended;
	if (before == w.suspended)
		return 0;
	return w.suspended ? HEALTH_SUSPENDED : HEALTH_RESUMED;
}

unsigned int health_update(struct health *h, struct pipeline *p, double budget_percent)
{
	uint64_t now = now_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	double seconds = (double)MAX(now - h->last_ns, NSEC_PER_MSEC) / 1e9;
	struct pipeline_counters c;
	unsigned int changes;

	pipeline_get_counters(p, &c);
	h->cpu_percent = (double)(cpu - h->last_cpu_ns) / 1e7 / seconds;
	h->samples_cpu_percent =
		(double)(c.samples_cpu_ns - h->last.samples_cpu_ns) / 1e7 / seconds;
	h->samples_per_second = (double)(c.samples - h->last.samples) / seconds;
	h->lost_recently = lost(&c) - lost(&h->last);
	h->last = c;
	h->last_ns = now;
	h->last_cpu_ns = cpu;
	changes = health_keep_budget(h, budget_percent) | watch_kernel_limit(h) | watch_writer(h, p);
	return h->lost_recently ? changes | HEALTH_LOSING : changes;
}

static void fill_events(struct sampler *s, size_t n_cpus, struct status_event *events)
{
	for (size_t i = 0; i < sampler_n_events(s); i++) {
		const struct sampler_event *e = sampler_get_event(s, i);
		const struct perf_event_attr *a = &e->pmu.attr;

		events[i] = (struct status_event){
			.profile = e->profile,
			.requested = e->requested,
			.name = e->pmu.name,
			.reason = e->reason,
			.freq_hz = a->freq ? a->sample_freq : 0,
			.period = a->freq || e->off_cpu ? 0 : a->sample_period,
			.n_cpus = n_cpus,
		};
	}
}

static void fill_stacks(struct pipeline *p, struct status_stacks *ret)
{
	struct unwinder_status u;

	*ret = (struct status_stacks){ .unwound = pipeline_get_unwinding(p, &u) };
	if (!ret->unwound)
		return;
	for (size_t i = STACK_COMPLETE; i < STACK_STATUS_MAX; i++)
		ret->all += u.stacks[i];
	ret->complete = u.stacks[STACK_COMPLETE];
	ret->early = u.stacks[STACK_EARLY];
	ret->by_fp = u.stacks_by_fp;
	ret->calls_checked = u.calls_checked;
	ret->calls_right = u.calls_right;
	ret->branches_checked = u.branches_checked;
	ret->branches_right = u.branches_right;
	ret->rows_bytes = u.rows_bytes;
	ret->rows_limit_bytes = u.rows_limit_bytes;
	ret->tables = u.tables;
	ret->processes = u.processes;
	ret->processes_by_fp = u.processes_by_fp;
}

void health_fill(const struct health *h, struct pipeline *p, const struct config *c,
		 struct status_event *events, struct segment_writer_status *writer,
		 struct engine_status *ret)
{
	struct sampler *s = pipeline_sampler(p);
	struct pipeline_counters n;

	pipeline_get_counters(p, &n);
	segment_writer_get_status(pipeline_writer(p), writer);
	fill_events(s, pipeline_n_cpus(p), events);
	*ret = (struct engine_status){
		.phase = ENGINE_RUNNING,
		.pid = getpid(),
		.uptime_ns = now_ns() - h->start_ns,
		.events = events,
		.n_events = sampler_n_events(s),
		.transport = sampler_transport_name(s),
		.attach = sampler_attach_name(s),
		.n_cpus = pipeline_n_cpus(p),
		.samples = n.samples,
		.samples_per_second = h->samples_per_second,
		.lost = lost(&n),
		.lost_recently = h->lost_recently,
		.expected = n.expected,
		.not_delivered = n.not_delivered,
		.sideband_lost = n.sideband_lost,
		.writing_suspended = writer->suspended,
		.write_error = writer->error,
		.directory = c->state_directory,
		.segment = writer->path,
		.disk_files = writer->files,
		.disk_bytes = writer->bytes,
		.disk_limit_bytes = c->retain_bytes,
		.cpu_percent = h->cpu_percent,
		.cpu_budget_percent = c->cpu_budget_percent,
		.rate_factor = h->rate_factor,
		.samples_cpu_percent = h->samples_cpu_percent,
		.over_budget = h->over_budget,
		.rss_bytes = resident_bytes(),
		.unwind_bytes = n.unwind_bytes,
		.ring_bytes = n.ring_bytes * pipeline_n_cpus(p),
		.kernel_max_rate_hz = h->kernel_max_rate_hz,
	};
	fill_stacks(p, &ret->stacks);
}
