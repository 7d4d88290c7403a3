// SPDX-License-Identifier: Apache-2.0
/*
 * One drain looks at every ring up to a horizon a moment ago: sample rings first, the sideband
 * after them, so that whatever happened to a process before a sample was taken is there when the
 * sample is looked at. Records younger than the horizon wait for the next drain: on another CPU an
 * older one may still be on its way.
 */
#include <linux/types.h>

#include "engine/pipeline.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine/facts.h"
#include "engine/merge.h"
#include "engine/messages.h"
#include "host/cpus.h"
#include "host/danger.h"
#include "host/kernel.h"
#include "process/process.h"
#include "process/sideband.h"
#include "symbols/symbols.h"
#include "unwind/unwind_maps.h"
#include "unwind/unwind_report.h"
#include "unwind/unwinder.h"
#include "util/buffer.h"
#include "util/log.h"
#include "util/parse.h"

#define HORIZON_NS (100 * NSEC_PER_USEC) /* far longer than a program runs with interrupts off */
#define REPORT_INTERVAL_NS (60 * NSEC_PER_SEC) /* of what became of stacks */
#define SYMBOL_WAIT_MS 5000 /* at the end: names for what was sampled last */

enum rank { RANK_SIDEBAND, RANK_SAMPLE };

struct pipeline {
	struct pipeline_options options;
	struct object_table *objects;
	struct symbols *symbols;
	struct unwinder *unwinder; /* NULL: user stacks by frame pointers */
	struct unwind_report report;
	uint64_t reported_ns;
	struct kernel_space *kernel;
	struct perf_maps *perf_maps;
	struct process_table *processes;
	struct segment_writer *writer;
	struct recorder *recorder;
	struct sideband *sideband;
	struct sampler *sampler;
	int *cpus; /* online */
	size_t n_cpus, possible_cpus;
	struct merge merge;
	bool scanning, enabled, yielded;
	uint64_t drained_ns; /* every sample before was looked at */
	struct pipeline_counters counters;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* --- what the stages tell each other --- */

/* A process that lives for a moment leaves only this moment to open its files; names of what /proc
 * lists at start can wait for its first sample. */
static void on_mapped(struct object *o, uint32_t pid, uint64_t start, uint64_t end, void *userdata)
{
	struct pipeline *p = userdata;

	if (!p->scanning)
		symbols_request(p->symbols, o, (pid_t)pid, start, end);
	else if (p->unwinder)
		unwinder_found(p->unwinder, o, pid, start, end);
}

static void on_gone(uint32_t pid, void *userdata)
{
	struct pipeline *p = userdata;

	perf_maps_forget(p->perf_maps, (pid_t)pid);
	recorder_process_gone(p->recorder, pid);
}

static void on_changed(struct process *process, bool replaced, void *userdata)
{
	struct pipeline *p = userdata;

	if (p->unwinder)
		unwinder_process_changed(p->unwinder, process, replaced);
}

static void on_forgotten(struct process *process, void *userdata)
{
	struct pipeline *p = userdata;

	if (p->unwinder)
		unwinder_process_forgotten(p->unwinder, process);
}

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

/* --- opening --- */

static int open_writer(struct pipeline *p, char **ret_error)
{
	const struct config *c = p->options.config;
	struct segment_writer_options o = {
		.directory = p->options.output ? NULL : c->state_directory,
		.file = p->options.output,
		.sync_interval_ns = c->sync_interval_ns,
		.compression_level = c->compression_level,
	};

	if (!o.file) {
		o.rotate_bytes = c->rotate_bytes;
		o.rotate_ns = c->rotate_ns;
		o.retain_bytes = c->retain_bytes;
		o.retain_ns = c->retain_ns;
		o.keep_free_percent = c->keep_free_percent;
	}
	return segment_writer_open(&o, &p->writer, ret_error);
}

static int open_symbols(struct pipeline *p)
{
	const struct config *c = p->options.config;
	struct symbols_options o = {
		.cache_directory = c->symbol_cache_directory && *c->symbol_cache_directory
					   ? c->symbol_cache_directory
					   : NULL,
		.cache_bytes = c->symbol_cache_bytes,
		.debug_directory = c->debug_directory,
		.rows = c->unwind != UNWIND_FP,
	};
	int r;

	p->objects = object_table_new();
	p->perf_maps = perf_maps_new(NULL);
	if (!p->objects || !p->perf_maps)
		return -ENOMEM;
	r = symbols_new(&o, &p->symbols);
	if (r < 0)
		return r;
	return kernel_space_new(p->objects, NULL, NULL, &p->kernel);
}

static int refuse_unwinder(struct pipeline *p, const char *why, char **ret_error)
{
	p->unwinder = unwinder_free(p->unwinder);
	symbols_leave_rows_out(p->symbols);
	if (p->options.config->unwind == UNWIND_AUTO) {
		log_notice("User stacks are unwound by frame pointers: %s", why);
		return 0;
	}
	if (asprintf(ret_error, "cannot unwind user stacks without frame pointers: %s", why) < 0)
		*ret_error = NULL;
	return -EOPNOTSUPP;
}

/* Rows are walked by reading user memory. Which events come is known later: hardware's are assumed. */
static const struct host_danger *unwinding_danger(const struct config *config,
						  struct host_kernel *kernel)
{
	if (config->allow_unsafe || host_kernel_get(kernel) < 0)
		return NULL;
	return host_danger_find(kernel, HOST_PLAN_READ_USER | HOST_PLAN_HARDWARE_EVENT);
}

static int open_unwinder(struct pipeline *p, char **ret_error)
{
	_cleanup_free_ char *sentence = NULL;
	const struct host_danger *danger;
	struct host_kernel kernel;
	struct unwinder_options o = {
		.bytes = p->options.config->unwind_bytes,
		.possible_cpus = p->possible_cpus,
		.check_every = p->options.config->unwind_check,
		.prefer_fp = p->options.config->unwind == UNWIND_AUTO,
		.symbols = p->symbols,
	};
	int r;

	if (p->options.config->unwind == UNWIND_FP)
		return 0;
	danger = unwinding_danger(p->options.config, &kernel);
	if (danger) {
		sentence = host_danger_sentence(danger, &kernel);
		return refuse_unwinder(p, sentence ? sentence : danger->what, ret_error);
	}
	r = unwinder_new(&o, &p->unwinder);
	if (r == -ENOSYS)
		return refuse_unwinder(p, "rows exist for x86-64 and arm64 only", ret_error);
	if (r == -EOPNOTSUPP)
		return refuse_unwinder(p, "this kernel is older than Linux 5.6", ret_error);
	return r < 0 ? refuse_unwinder(p, strerror(-r), ret_error) : 0;
}

static int open_recorder(struct pipeline *p)
{
	struct recorder_options o = {
		.writer = p->writer,
		.symbols = p->symbols,
		.kernel = p->kernel,
		.perf_maps = p->perf_maps,
		.objects = p->objects,
		.n_cpus = p->possible_cpus,
	};
	int r = recorder_new(&o, &p->recorder);

	return r < 0 ? r : facts_add(p->recorder);
}

static void expect_build_ids(struct pipeline *p)
{
	struct sideband_features features;

	sideband_get_features(p->sideband, &features);
	process_table_expect_build_ids(p->processes, features.build_id);
}

/* Without the sideband (a capability is missing) processes are read from /proc when they are first
 * sampled. */
static int open_processes(struct pipeline *p)
{
	struct process_table_options o = {
		.mapped = on_mapped,
		.gone = on_gone,
		.changed = on_changed,
		.forgotten = on_forgotten,
		.userdata = p,
	};
	struct sideband_options side = { .pid = p->options.task > 0 ? p->options.task : -1 };
	_cleanup_free_ char *error = NULL;
	int r;

	r = process_table_new(p->objects, &o, &p->processes);
	if (r < 0)
		return r;
	r = sideband_open(&side, p->cpus, p->n_cpus, &p->sideband, &error);
	if (r < 0)
		log_warning("%s; processes are read from /proc as they are sampled",
			    error ? error : strerror(-r));
	else
		expect_build_ids(p);
	if (p->options.task > 0)
		return 0;
	p->scanning = true;
	r = process_table_scan(p->processes);
	p->scanning = false;
	if (p->unwinder) {
		unwinder_publish(p->unwinder);
		unwinder_go_on(p->unwinder);
	}
	return r;
}

int pipeline_open(const struct pipeline_options *options, struct pipeline **ret, char **ret_error)
{
	_cleanup_(pipeline_closep) struct pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->reported_ns = now_ns();
	r = host_cpus_online(NULL, &p->cpus, &p->n_cpus);
	if (r == 0)
		r = host_cpus_possible_count(NULL, &p->possible_cpus);
	if (r < 0)
		return r;
	p->merge.heap = calloc(2 * p->possible_cpus, sizeof(*p->merge.heap));
	if (!p->merge.heap)
		return -ENOMEM;
	r = open_writer(p, ret_error);
	if (r == 0)
		r = open_symbols(p);
	if (r == 0)
		r = open_unwinder(p, ret_error);
	if (r == 0)
		r = open_recorder(p);
	if (r == 0)
		r = open_processes(p);
	if (r < 0) {
		pipeline_discard(p);
		return r;
	}
	*ret = TAKE_PTR(p);
	return 0;
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

static void tell_counters_absent(struct pipeline *p, const char *why)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "counters are not read at samples: %s", why) < 0) {
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
		r = refuse_unwinder(p, sampler_unwind_refusal(sampler), ret_error);
	for (size_t i = 0; i < n_events && r == 0; i++)
		r = describe_event(p, i);
	if (r == 0 && sampler_counter_refusal(sampler))
		tell_counters_absent(p, sampler_counter_refusal(sampler));
	for (size_t i = 0; i < p->n_cpus; i++)
		route_throttling(p, p->cpus[i]);
	if (r == 0 && p->enabled)
		r = sampler_enable(p->sampler);
	return r;
}

int pipeline_enable(struct pipeline *p)
{
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

/* --- draining --- */

static void on_ksymbol(struct pipeline *p, const struct perf_event_header *h)
{
	struct sideband_ksymbol k;

	if (!sideband_get_ksymbol(h, &k))
		return;
	if (k.removed)
		kernel_space_remove(p->kernel, k.address);
	else
		kernel_space_add(p->kernel, k.address, k.size, k.name);
}

/* u64 of the record's body */
static uint64_t body_word(const struct perf_event_header *h, size_t i)
{
	uint64_t word = 0;

	if (h->size >= sizeof(*h) + (i + 1) * sizeof(word))
		memcpy(&word, (const uint8_t *)(h + 1) + i * sizeof(word), sizeof(word));
	return word;
}

static void on_sideband(struct pipeline *p, const struct perf_event_header *h)
{
	switch (h->type) {
	case PERF_RECORD_KSYMBOL:
		on_ksymbol(p, h);
		break;
	case PERF_RECORD_THROTTLE: /* time, id, stream id */
		sampler_throttled(p->sampler, body_word(h, 1));
		break;
	case PERF_RECORD_LOST: /* id, lost */
		p->counters.sideband_lost += body_word(h, 1);
		break;
	default:
		(void)process_table_apply(p->processes, h);
	}
}

static void on_sample(struct pipeline *p, const struct sample_record *s)
{
	struct process *process;

	sampler_received(p->sampler, s);
	process = process_table_get(p->processes, s->pid, s->cgroup_id, s->head.time_ns);
	if (p->unwinder && process)
		s = unwinder_judge(p->unwinder, s, process);
	if (process && recorder_sample(p->recorder, s, process))
		p->counters.samples++;
	else
		p->counters.dropped++;
}

/* The ring's next record as a source; false when there is none before the horizon. */
static bool next_sample(struct ring *ring, uint64_t horizon, struct merge_source *s)
{
	const struct sample_record *rec = ring_peek(ring);

	if (!rec || rec->head.time_ns >= horizon)
		return false;
	s->time_ns = rec->head.time_ns;
	s->record = rec;
	return true;
}

static bool next_sideband(struct perf_ring *ring, uint64_t horizon, struct merge_source *s)
{
	const struct perf_event_header *h = ring->page ? perf_ring_peek(ring) : NULL;
	uint64_t time_ns = h ? sideband_record_time(h) : 0;

	if (!h || time_ns >= horizon)
		return false;
	s->time_ns = time_ns;
	s->record = h;
	return true;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Samples and sideband come in runs: the clock is read where one ends. */
struct run {
	uint64_t began_ns;
	uint8_t rank; /* enum rank */
};

static void change_run(struct pipeline *p, struct run *run, uint8_t rank)
{
	uint64_t now;

	if (run->rank == rank)
		return;
	now = cpu_ns();
	if (run->rank == RANK_SAMPLE)
		p->counters.samples_cpu_ns += now - run->began_ns;
	*run = (struct run){ now, rank };
}

struct sources {
	struct ring *rings;
	struct perf_ring *side;
	size_t n_rings, n_side;
};

static void open_sources(struct pipeline *p, struct sources *s, uint64_t horizon)
{
	s->rings = sampler_rings(p->sampler, &s->n_rings);
	s->side = p->sideband ? sideband_rings(p->sideband, &s->n_side) : NULL;
	for (size_t i = 0; i < s->n_rings; i++)
		ring_refresh(&s->rings[i]);
	for (size_t i = 0; i < s->n_side; i++)
		if (s->side[i].page)
			perf_ring_refresh(&s->side[i]);
	p->merge.n = 0;
	for (size_t i = 0; i < s->n_rings; i++) {
		struct merge_source source = { .rank = RANK_SAMPLE, .index = (uint32_t)i };

		if (next_sample(&s->rings[i], horizon, &source))
			merge_push(&p->merge, source);
	}
	for (size_t i = 0; i < s->n_side; i++) {
		struct merge_source source = { .rank = RANK_SIDEBAND, .index = (uint32_t)i };

		if (next_sideband(&s->side[i], horizon, &source))
			merge_push(&p->merge, source);
	}
}

size_t pipeline_drain(struct pipeline *p, bool final)
{
	uint64_t now = now_ns(), horizon = final ? UINT64_MAX : now - HORIZON_NS;
	uint64_t sideband_lost = p->counters.sideband_lost;
	struct run run = { .rank = RANK_SIDEBAND };
	struct merge_source *first;
	struct sources s = {};
	size_t samples = 0;

	open_sources(p, &s, horizon);
	while ((first = merge_first(&p->merge))) {
		bool more;

		change_run(p, &run, first->rank);
		if (first->rank == RANK_SAMPLE) {
			on_sample(p, first->record);
			samples++;
			ring_pop(&s.rings[first->index]);
			more = next_sample(&s.rings[first->index], horizon, first);
		} else {
			on_sideband(p, first->record);
			perf_ring_pop(&s.side[first->index]);
			more = next_sideband(&s.side[first->index], horizon, first);
		}
		if (more)
			merge_settle(&p->merge);
		else
			merge_pop(&p->merge);
	}
	change_run(p, &run, RANK_SIDEBAND);
	for (size_t i = 0; i < s.n_rings; i++)
		ring_commit(&s.rings[i]);
	for (size_t i = 0; i < s.n_side; i++)
		if (s.side[i].page)
			perf_ring_commit(&s.side[i]);
	/* Mappings went missing: /proc has them, of whoever still lives. */
	if (p->counters.sideband_lost != sideband_lost && p->options.task <= 0)
		(void)process_table_scan(p->processes);
	if (p->unwinder)
		unwinder_publish(p->unwinder);
	p->drained_ns = MIN(horizon, now);
	p->counters.drains++;
	return samples;
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

void pipeline_take_symbols(struct pipeline *p)
{
	symbols_poll(p->symbols, on_symbols, p);
	if (p->unwinder)
		unwinder_go_on(p->unwinder);
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
