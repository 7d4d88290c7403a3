// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "engine/pipeline_state.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "engine/messages.h"
#include "host/cpus.h"
#include "unwind/unwind_maps.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/log.h"

#define REPORT_INTERVAL_NS (60 * NSEC_PER_SEC) /* of what became of stacks */
#define SYMBOL_WAIT_MS 5000 /* at the end: names for what was sampled last */
#define ROWS_WAIT_NS (100 * NSEC_PER_MSEC)

static void on_observed(const struct row *row, void *userdata)
{
	struct pipeline *p = userdata;

	recorder_row(p->recorder, row);
}

static void on_symbols(struct object *o, void *userdata)
{
	struct pipeline *p = userdata;

	if (p->unwinder && o->rows)
		unwinder_rows_built(p->unwinder, o);
	/* Rows come by themselves, earlier than names. */
	if (o->index_state == INDEX_READY || o->index_state == INDEX_FAILED)
		recorder_object_ready(p->recorder, o);
}

static void on_ledger(const struct record_ledger *l, void *userdata)
{
	struct pipeline *p = userdata;
	struct pipeline_counters *c = &p->counters;

	c->seen += l->seen;
	c->filtered += l->filtered;
	c->lost += l->full + l->gaps;
	c->fault += l->fault;
	c->throttled += l->throttled;
	c->expected += l->expected;
	recorder_ledger(p->recorder, l);
}

static void report_stacks(struct pipeline *p, uint64_t now)
{
	p->reported_ns = now;
	if (p->unwinder)
		unwind_report(&p->report, p->unwinder, now, on_observed, p);
}

int pipeline_finish(struct pipeline *p)
{
	p->sampler = sampler_close(p->sampler);
	p->sideband = sideband_close(p->sideband);
	if (p->recorder) {
		report_stacks(p, now_ns());
		symbols_wait(p->symbols, SYMBOL_WAIT_MS, on_symbols, p);
		recorder_flush(p->recorder);
	}
	p->recorder = recorder_free(p->recorder);
	return p->writer ? segment_writer_finish(p->writer) : 0;
}

void pipeline_discard(struct pipeline *p)
{
	if (p && p->writer)
		segment_writer_discard(p->writer);
}

struct pipeline *pipeline_close(struct pipeline *p)
{
	if (!p)
		return NULL;
	pipeline_finish(p);
	segment_writer_close(p->writer);
	process_table_free(p->processes);
	unwinder_free(p->unwinder);
	perf_maps_free(p->perf_maps);
	kernel_space_free(p->kernel);
	symbols_free(p->symbols);
	object_table_free(p->objects);
	free(p->merge.heap);
	free(p->cpus);
	free(p);
	return NULL;
}

/* --- the sampler --- */

/* One count of a clock event is a nanosecond. */
static const char *unit_of(const struct pmu_event *ev)
{
	bool clock = ev->attr.type == PERF_TYPE_SOFTWARE &&
		     (ev->attr.config == PERF_COUNT_SW_CPU_CLOCK ||
		      ev->attr.config == PERF_COUNT_SW_TASK_CLOCK);

	return clock ? "ns" : ev->unit;
}

static int describe_event(struct pipeline *p, size_t i)
{
	const struct sampler_event *e = sampler_get_event(p->sampler, i);
	const struct perf_event_attr *attr = &e->pmu.attr;
	_cleanup_(buffer_donep) struct buffer counters = {};
	struct record_event record;

	for (size_t k = 0; k < e->n_counters; k++)
		buffer_printf(&counters, "%s%s", k ? "," : "", e->counters[k].name);
	record = (struct record_event){
		.profile = record_string(e->profile),
		.requested = record_string(e->requested),
		.fired = record_string(e->pmu.name),
		.reason = record_string(e->reason),
		.pmu = record_string(e->pmu.pmu),
		.unit = record_string(e->off_cpu ? "ns" : unit_of(&e->pmu)),
		.counters = { (const char *)counters.data, counters.size },
		.type = attr->type,
		.config = attr->config,
		.freq = attr->freq,
		.value = attr->freq ? attr->sample_freq : attr->sample_period,
		.memory_access = e->flags & SAMPLER_ACCESS,
	};

	return recorder_set_event(p->recorder, i, &record);
}

static void route_throttling(struct pipeline *p, int cpu)
{
	int fd = p->sideband ? sideband_output_fd(p->sideband, cpu) : -1;

	if (fd >= 0)
		sampler_set_output(p->sampler, cpu, fd);
}

static void tell_absent(struct pipeline *p, const char *what, const char *why)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s: %s", what, why) < 0) {
		text = NULL;
		return;
	}
	log_msg(LOG_WARNING, 0, MESSAGE_EVENT_UNAVAILABLE, "%s", text);
	pipeline_note(p, text);
}

int pipeline_set_events(struct pipeline *p, const struct config *config,
			const struct sampler_event *events, size_t n_events, char **ret_error)
{
	struct sampler_options o = {
		.transport = config->transport,
		.attach = config->attach,
		.ring_bytes = config->ring_bytes,
		.depth = config->stack_depth,
		.cpus = p->cpus,
		.n_cpus = p->n_cpus,
		.possible_cpus = p->possible_cpus,
		.task = p->options.task,
		.exclude_self = config->exclude_self,
		.off_cpu = config->off_cpu,
		.btf = p->options.btf,
		.unwind = p->unwinder ? unwinder_maps(p->unwinder) : NULL,
		.unwind_optional = p->options.config->unwind == UNWIND_AUTO,
		.branches = config->unwind_check_lbr,
	};
	struct sampler *sampler = NULL;
	int r = sampler_open(&o, events, n_events, &sampler, ret_error);

	if (r < 0)
		return r;
	if (p->sampler) {
		pipeline_stop(p);
		sampler_close(p->sampler);
	}
	p->sampler = sampler;
	sampler_yield(sampler, p->yielded);
	if (p->unwinder && sampler_unwind_refusal(sampler))
		r = pipeline_refuse_unwinder(p, sampler_unwind_refusal(sampler), ret_error);
	else if (sampler_switch_refusal(sampler))
		log_notice("User stacks off the CPU are found by frame pointers: %s",
			   sampler_switch_refusal(sampler));
	for (size_t i = 0; i < n_events && r == 0; i++)
		r = describe_event(p, i);
	if (r == 0 && sampler_counter_refusal(sampler))
		tell_absent(p, "counters are not read at samples",
			    sampler_counter_refusal(sampler));
	if (r == 0 && sampler_branch_refusal(sampler))
		tell_absent(p, "user stacks are not checked against LBRs",
			    sampler_branch_refusal(sampler));
	for (size_t i = 0; i < p->n_cpus; i++)
		route_throttling(p, p->cpus[i]);
	if (r == 0 && p->enabled)
		r = sampler_enable(p->sampler);
	return r;
}

void pipeline_take_symbols(struct pipeline *p)
{
	symbols_poll(p->symbols, on_symbols, p);
	if (p->unwinder)
		unwinder_go_on(p->unwinder);
}

/* The first samples of what ran before are to find their rows, as long as nobody feels the wait. */
static void await_rows(struct pipeline *p)
{
	struct pollfd fd = { .fd = symbols_fd(p->symbols), .events = POLLIN };
	uint64_t now = now_ns(), end = now + ROWS_WAIT_NS;

	unwinder_go_on(p->unwinder); /* of a command nothing ran before */
	while (unwinder_is_ahead(p->unwinder) && now < end) {
		if (poll(&fd, 1, (int)((end - now) / NSEC_PER_MSEC) + 1) < 0)
			break;
		pipeline_take_symbols(p);
		now = now_ns();
	}
	unwinder_publish(p->unwinder);
}

int pipeline_enable(struct pipeline *p)
{
	if (p->unwinder)
		await_rows(p);
	p->enabled = true;
	return sampler_enable(p->sampler);
}

void pipeline_scale_rate(struct pipeline *p, double factor)
{
	sampler_scale_rate(p->sampler, factor);
	for (size_t i = 0; i < p->n_cpus; i++)
		route_throttling(p, p->cpus[i]);
}

void pipeline_yield(struct pipeline *p, bool yield)
{
	p->yielded = yield;
	sampler_yield(p->sampler, yield);
}

bool pipeline_yields(const struct pipeline *p)
{
	return p->yielded;
}

int pipeline_replace_event(struct pipeline *p, size_t i, const struct sampler_event *by,
			   char **ret_error)
{
	int r;

	pipeline_drain(p, true);
	r = sampler_replace(p->sampler, i, by, ret_error);
	if (r < 0)
		return r;
	for (size_t k = 0; k < p->n_cpus; k++)
		route_throttling(p, p->cpus[k]);
	return describe_event(p, i);
}

void pipeline_tick(struct pipeline *p)
{
	int64_t block;

	pipeline_take_symbols(p);
	recorder_look_again(p->recorder);
	if (p->unwinder)
		unwinder_tick(p->unwinder);
	if (p->drained_ns - MIN(p->reported_ns, p->drained_ns) >= REPORT_INTERVAL_NS)
		report_stacks(p, p->drained_ns);
	sampler_refresh_filters(p->sampler);
	sampler_ledger(p->sampler, now_ns(), on_ledger, p);
	block = recorder_flush(p->recorder);
	if (block > 0)
		p->counters.last_block = (uint64_t)block;
	process_table_forget(p->processes, p->drained_ns);
	object_table_prune(p->objects);
}

void pipeline_stop(struct pipeline *p)
{
	if (!p->sampler)
		return;
	(void)sampler_disable(p->sampler);
	pipeline_drain(p, true);
	sampler_ledger(p->sampler, now_ns(), on_ledger, p);
}

/* --- the rest --- */

int pipeline_ring_fd(const struct pipeline *p)
{
	return sampler_fd(p->sampler);
}

int pipeline_sideband_fd(const struct pipeline *p)
{
	return p->sideband ? sideband_fd(p->sideband) : -1;
}

int pipeline_symbols_fd(const struct pipeline *p)
{
	return symbols_fd(p->symbols);
}

static bool listed(const int *cpus, size_t n, int cpu)
{
	for (size_t i = 0; i < n; i++)
		if (cpus[i] == cpu)
			return true;
	return false;
}

static int cpu_came(struct pipeline *p, int cpu)
{
	int side = p->sideband ? sideband_cpu_online(p->sideband, cpu) : 0;
	int r = sampler_cpu_online(p->sampler, cpu);

	route_throttling(p, cpu);
	return r < 0 ? r : side;
}

static void cpu_went(struct pipeline *p, int cpu)
{
	sampler_cpu_offline(p->sampler, cpu);
	if (p->sideband)
		sideband_cpu_offline(p->sideband, cpu);
}

void pipeline_check_cpus(struct pipeline *p,
			 void (*changed)(int cpu, bool online, int error, void *userdata),
			 void *userdata)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n = 0;

	if (host_cpus_online(NULL, &cpus, &n) < 0 ||
	    (n == p->n_cpus && memcmp(cpus, p->cpus, n * sizeof(*cpus)) == 0))
		return;
	pipeline_drain(p, true);
	for (size_t i = 0; i < p->n_cpus; i++)
		if (!listed(cpus, n, p->cpus[i])) {
			cpu_went(p, p->cpus[i]);
			changed(p->cpus[i], false, 0, userdata);
		}
	for (size_t i = 0; i < n; i++)
		if (!listed(p->cpus, p->n_cpus, cpus[i]))
			changed(cpus[i], true, cpu_came(p, cpus[i]), userdata);
	free(p->cpus);
	p->cpus = TAKE_PTR(cpus);
	p->n_cpus = n;
}

void pipeline_row(struct pipeline *p, const struct row *row)
{
	recorder_row(p->recorder, row);
}

void pipeline_note(struct pipeline *p, const char *text)
{
	recorder_note(p->recorder, now_ns(), text);
}

struct sampler *pipeline_sampler(struct pipeline *p)
{
	return p->sampler;
}

struct segment_writer *pipeline_writer(struct pipeline *p)
{
	return p->writer;
}

void pipeline_get_counters(const struct pipeline *p, struct pipeline_counters *ret)
{
	*ret = p->counters;
	ret->not_delivered = ret->expected > ret->seen ? ret->expected - ret->seen : 0;
	ret->processes = process_table_size(p->processes);
	ret->files_gone = process_table_missed(p->processes);
	ret->ring_bytes = p->sampler ? sampler_ring_bytes(p->sampler) : 0;
	ret->unwind_bytes = p->unwinder ? unwind_maps_bytes(unwinder_maps(p->unwinder)) : 0;
}

bool pipeline_get_unwinding(const struct pipeline *p, struct unwinder_status *ret)
{
	if (p->unwinder)
		unwinder_get_status(p->unwinder, ret);
	return p->unwinder;
}

void pipeline_get_kernel_status(const struct pipeline *p, struct kernel_space_status *ret)
{
	kernel_space_get_status(p->kernel, ret);
}

size_t pipeline_n_cpus(const struct pipeline *p)
{
	return p->n_cpus;
}
