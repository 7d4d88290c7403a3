// SPDX-License-Identifier: Apache-2.0
#include "engine/prometheus.h"

#include "collect/exposition.h"

static void put_one(struct buffer *out, const char *name, const char *type, const char *help,
		    double value)
{
	exposition_put_head(out, name, type, help);
	exposition_put_value(out, name, NULL, NULL, value);
}

static void put_daemon(const struct engine_status *s, struct buffer *out)
{
	exposition_put_head(out, "build_info", "gauge", "version of the daemon");
	exposition_put_value(out, "build_info", "version", VERSION, 1);
	put_one(out, "daemon_uptime_seconds", "gauge", "time since its start",
		(double)s->uptime_ns / 1e9);
	put_one(out, "daemon_cpu_ratio", "gauge", "own use of one CPU in the last status interval",
		s->cpu_percent / 100);
	put_one(out, "daemon_resident_memory_bytes", "gauge", "own resident memory",
		(double)s->rss_bytes);
	put_one(out, "daemon_ring_bytes", "gauge", "memory of the rings of all CPUs",
		(double)s->ring_bytes);
	put_one(out, "daemon_unwind_bytes", "gauge",
		"of its resident memory, the maps shared with the BPF unwinder",
		(double)s->unwind_bytes);
	put_one(out, "daemon_degraded", "gauge", "number of things that are not as they should be",
		(double)s->n_degraded + s->writing_suspended + (s->lost_recently > 0));
}

static void put_samples(const struct engine_status *s, struct buffer *out)
{
	put_one(out, "samples_total", "counter", "samples stored", (double)s->samples);
	put_one(out, "samples_lost_total", "counter", "samples lost after they were taken",
		(double)s->lost);
	put_one(out, "samples_expected_total", "counter",
		"samples the events should have delivered", (double)s->expected);
	put_one(out, "samples_not_delivered", "gauge",
		"samples expected, but not delivered by the kernel", (double)s->not_delivered);
	put_one(out, "process_records_lost_total", "counter",
		"records of processes lost to full rings; /proc was asked instead",
		(double)s->sideband_lost);
	put_one(out, "sampled_cpus", "gauge", "CPUs that are sampled", (double)s->n_cpus);
	put_one(out, "rate_ratio", "gauge", "share of the configured rate that the budget allows",
		s->rate_factor);
}

static void put_stacks(const struct status_stacks *k, struct buffer *out)
{
	if (!k->unwound)
		return;
	put_one(out, "user_stacks_total", "counter", "user stacks", (double)k->all);
	put_one(out, "user_stacks_complete_total", "counter", "user stacks walked to their root",
		(double)k->complete);
	put_one(out, "user_stacks_early_total", "counter",
		"user stacks taken before the rows of their code were there", (double)k->early);
	put_one(out, "return_addresses_checked_total", "counter",
		"return addresses of user stacks that were checked", (double)k->calls_checked);
	put_one(out, "return_addresses_right_total", "counter",
		"return addresses of user stacks that follow a call", (double)k->calls_right);
	put_one(out, "unwind_rows_bytes", "gauge", "memory that rows for unwinding take",
		(double)k->rows_bytes);
}

static void put_store(const struct engine_status *s, struct buffer *out)
{
	put_one(out, "store_files", "gauge", "segment files", (double)s->disk_files);
	put_one(out, "store_bytes", "gauge", "size of the segment files", (double)s->disk_bytes);
	put_one(out, "store_limit_bytes", "gauge", "size they may have; 0: no limit",
		(double)s->disk_limit_bytes);
	put_one(out, "store_suspended", "gauge", "1: the disk refuses, samples are dropped",
		s->writing_suspended);
}

/* One number of every collector that is enabled. */
static void put_each(const struct collecting *c, struct buffer *out, const char *name,
		     const char *type, const char *help,
		     double (*value)(const struct collecting_entry *e))
{
	exposition_put_head(out, name, type, help);
	for (size_t i = 0; i < n_collectors; i++) {
		struct collecting_entry e;

		collecting_get(c, i, &e);
		if (e.enabled)
			exposition_put_value(out, name, "collector", e.collector->name, value(&e));
	}
}

static double up(const struct collecting_entry *e)
{
	return e->status.state == COLLECTOR_ACTIVE;
}

static double reads(const struct collecting_entry *e)
{
	return (double)e->status.reads;
}

static double failures(const struct collecting_entry *e)
{
	return (double)e->status.failures;
}

static double problems(const struct collecting_entry *e)
{
	return (double)e->status.problems;
}

static double dropped(const struct collecting_entry *e)
{
	return (double)e->status.dropped;
}

static double rows(const struct collecting_entry *e)
{
	return (double)e->status.rows;
}

static double seconds(const struct collecting_entry *e)
{
	return (double)e->status.wall_ns / 1e9;
}

static void put_collectors(const struct collecting *c, struct buffer *out)
{
	put_each(c, out, "collector_up", "gauge", "1: active; 0: degraded, failed or unavailable",
		 up);
	put_each(c, out, "collector_reads_total", "counter", "reads", reads);
	put_each(c, out, "collector_failures_total", "counter", "reads that gave nothing",
		 failures);
	put_each(c, out, "collector_problems_total", "counter", "things that could not be read",
		 problems);
	put_each(c, out, "collector_dropped_total", "counter", "rows dropped for lack of room",
		 dropped);
	put_each(c, out, "collector_rows_total", "counter", "rows delivered", rows);
	put_each(c, out, "collector_read_seconds_total", "counter", "time spent in reads", seconds);
}

void prometheus_put(const struct engine_status *s, const struct collecting *c, struct buffer *out)
{
	put_daemon(s, out);
	put_samples(s, out);
	put_stacks(&s->stacks, out);
	put_store(s, out);
	put_collectors(c, out);
	for (size_t i = 0; i < n_collectors; i++)
		if (collecting_latest(c, i))
			exposition_put_rows(out, collectors[i], collecting_latest(c, i));
}
