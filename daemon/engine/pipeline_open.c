// SPDX-License-Identifier: Apache-2.0
/*
 * The stages are opened in the order in which they need each other, and told what the others find.
 */
#include <linux/types.h>

#include "engine/pipeline_state.h"

#include <errno.h>
#include <string.h>

#include "engine/facts.h"
#include "host/cpus.h"
#include "host/danger.h"
#include "host/kernel.h"
#include "util/clock.h"
#include "util/log.h"

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

	if (p->recorder)
		recorder_process_forgotten(p->recorder, process);
	if (p->unwinder)
		unwinder_process_forgotten(p->unwinder, process);
}

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

int pipeline_refuse_unwinder(struct pipeline *p, const char *why, char **ret_error)
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

/* Rows are walked by reading user memory. Which events come is known later: hardware's are assumed.
 */
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
		return pipeline_refuse_unwinder(p, sentence ? sentence : danger->what, ret_error);
	}
	r = unwinder_new(&o, &p->unwinder);
	if (r == -ENOSYS)
		return pipeline_refuse_unwinder(p, "rows exist for x86-64 and arm64 only",
						ret_error);
	if (r == -EOPNOTSUPP)
		return pipeline_refuse_unwinder(p, "this kernel is older than Linux 5.6",
						ret_error);
	return r < 0 ? pipeline_refuse_unwinder(p, strerror(-r), ret_error) : 0;
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
