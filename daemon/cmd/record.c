// SPDX-License-Identifier: Apache-2.0
/*
 * Sample the host, or a command and its descendants, into one file.
 */
#include <linux/types.h>

#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd/child.h"
#include "cmd/record_options.h"
#include "engine/engine.h"
#include "engine/prepare.h"
#include "util/log.h"
#include "util/parse.h"

static void print_event(const struct sampler_event *e, const struct config *config)
{
	const struct perf_event_attr *a = &e->pmu.attr;
	char time[32];

	if (e->off_cpu)
		fprintf(stderr, "Sampling %s, each absence from the CPU of %s or more\n",
			e->pmu.name, format_duration(config->off_cpu.min_ns, time, sizeof(time)));
	else if (a->freq)
		fprintf(stderr, "Sampling %s at %" PRIu64 " Hz\n", e->pmu.name,
			(uint64_t)a->sample_freq);
	else
		fprintf(stderr, "Sampling %s, one sample per %" PRIu64 "\n", e->pmu.name,
			(uint64_t)a->sample_period);
}

static void print_events(const struct plan *plan, const struct config *config)
{
	for (size_t i = 0; i < plan->n_notes; i++)
		fprintf(stderr, "ebpf-profiler: note: %s\n", plan->notes[i]);
	for (size_t i = 0; i < plan->n_events; i++) {
		_cleanup_free_ char *note = sampler_event_note(&plan->events[i]);

		if (note)
			fprintf(stderr, "ebpf-profiler: note: %s\n", note);
		print_event(&plan->events[i], config);
	}
}

/* False: FILE does not hold all that was sampled. */
static bool explain_storing(const struct record_options *o, const struct engine_result *r)
{
	if (r->writer.dropped_samples)
		fprintf(stderr,
			"ebpf-profiler: %" PRIu64
			" samples could not be stored, since the disk refused them\n",
			r->writer.dropped_samples);
	if (r->seal_error == 0)
		return r->writer.dropped_samples == 0;
	fprintf(stderr,
		"ebpf-profiler: cannot finish %s: %s; what was stored is in %s.active, which can "
		"be "
		"reported as it is\n",
		o->output, strerror(-r->seal_error), o->output);
	return false;
}

static void print_summary(const struct record_options *o, const struct engine_result *r)
{
	const struct pipeline_counters *c = &r->counters;
	char duration[32];

	fprintf(stderr,
		"%" PRIu64 " samples in %s; %" PRIu64 " lost, %" PRIu64 " not delivered -> %s\n",
		c->samples, format_duration(r->duration_ns, duration, sizeof(duration)), c->lost,
		c->not_delivered, o->output);
	if (c->samples == 0)
		fprintf(stderr, "ebpf-profiler: nothing was sampled: the window was idle, or the "
				"filter let nothing "
				"through\n");
}

/* The command, and the errno its exec failed with. */
struct command {
	struct child child;
	int exec_error;
};

static bool command_failed(void *userdata)
{
	struct command *c = userdata;

	c->exec_error = c->child.pid > 0 ? child_exec_error(&c->child) : 0;
	return c->exec_error < 0;
}

static int finish(const struct record_options *o, struct command *command,
		  const struct engine_result *result)
{
	struct child *child = &command->child;
	bool stored;

	if (command->exec_error)
		return child_explain(o->command[0], command->exec_error);
	print_summary(o, result);
	stored = explain_storing(o, result);
	if (!result->child_ended) {
		if (child->pid > 0)
			child_end(child);
		return stored ? EXIT_OK : EXIT_FAILED;
	}
	return child_exit_code(result->child_status);
}

static int record(struct record_options *o, struct command *command, struct preparation *p)
{
	struct child *child = &command->child;
	_cleanup_free_ char *error = NULL;
	struct engine_result result = {};
	struct engine_options e = {
		.config = &o->config,
		.output = o->output,
		.plan = &p->plan,
		.btf = preparation_btf(p),
		.child = child->pid,
		.follow = child->pid > 0 && !o->all,
		.release_fd = child->release_fd,
		.failed = command_failed,
		.userdata = command,
		.duration_ns = o->duration_ns,
		.progress = isatty(STDERR_FILENO),
	};
	int r = engine_run(&e, &result, &error);

	if (r < 0) {
		fprintf(stderr, "ebpf-profiler: %s\n", error ? error : strerror(-r));
		child_abandon(child);
		return r == -ENOENT ? EXIT_FAILED : exit_code_for_error(r); /* no such directory */
	}
	return finish(o, command, &result);
}

int cmd_record(int argc, char **argv)
{
	struct command command = { .child = CHILD_NONE };
	_cleanup_(record_options_done) struct record_options o = {};
	_cleanup_(preparation_done) struct preparation p = { .btf_fd = -1 };
	_cleanup_free_ char *error = NULL;
	int r = record_options_parse(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	r = prepare(&o.config, true, &p, &error);
	if (r < 0) {
		fprintf(stderr, "ebpf-profiler: %s\n", error ? error : strerror(-r));
		return exit_code_for_error(r);
	}
	if (o.command) {
		r = child_fork(o.command, &command.child);
		if (r < 0)
			return log_error_errno(r, "Cannot fork"), EXIT_FAILED;
	}
	print_events(&p.plan, &o.config);
	return record(&o, &command, &p);
}
