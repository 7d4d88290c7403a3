// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler export: recorded segments in the formats of other programs, one table row each.
 */
#include "export/export.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/root_option.h"
#include "cmd/select.h"
#include "export/output.h"
#include "export/perf_data.h"

static const struct format {
	const char *name;
	enum output_kind kind;
	bool one_event; /* holds the stacks of a single event */
	int (*write)(const struct profile *p, const struct export_options *o, FILE *out);
} formats[] = {
	{ "folded", OUTPUT_TEXT, true, export_folded },
	{ "pprof", OUTPUT_BINARY, true, export_pprof },
	{ "perf.data", OUTPUT_SEEKABLE, false, NULL }, /* sample by sample: see perf_data.h */
	{ "json", OUTPUT_TEXT, false, export_json },
	{ "speedscope", OUTPUT_TEXT, false, export_speedscope },
};

static void help(void)
{
	fputs("Usage: ebpf-profiler export --format=FORMAT [OPTION]... [FILE|DIR]...\n\n"
	      "Writes recorded samples for other programs.\n\n"
	      "  -f, --format=FORMAT  folded      'process;main;work 42' lines: flamegraph.pl, "
	      "inferno\n"
	      "                       pprof       gzip'ed profile.proto: go tool pprof, Pyroscope, "
	      "Parca\n"
	      "                       perf.data   every single sample: perf report, perf script, "
	      "hotspot\n"
	      "                       json        one JSON object a line, with the ledger of "
	      "losses\n"
	      "                       speedscope  for www.speedscope.app\n"
	      "  -o, --output=FILE    where to; default '-', stdout\n"
	      "      --root=WHAT      folded, speedscope: first element of a stack: process "
	      "(default),\n"
	      "                       thread, pid, unit, container, all\n"
	      "      --weights        folded: the event's own count in place of samples\n"
	      "      --mark-kernel    folded: _[k] behind kernel functions\n"
	      "      --by-cpu         pprof, json: keep CPUs apart\n"
	      "      --help\n\n"
	      "folded and pprof hold one event: the first with samples, unless --event names "
	      "another.\n\n" SELECTION_HELP "\n"
	      "Exit codes: 0 written, 1 failed, 2 wrong options, 4 not permitted, 7 no data.\n",
	      stdout);
}

enum { OPTION_ROOT = 1, OPTION_WEIGHTS, OPTION_MARK_KERNEL, OPTION_BY_CPU };

static const struct option long_options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "weights", no_argument, NULL, OPTION_WEIGHTS },
	{ "mark-kernel", no_argument, NULL, OPTION_MARK_KERNEL },
	{ "by-cpu", no_argument, NULL, OPTION_BY_CPU },
	SELECTION_OPTIONS,
	{ 0 },
};

struct arguments {
	struct selection selection;
	struct export_options options;
	const struct format *format;
	const char *output;
};

static int set_format(struct arguments *a, const char *name)
{
	_cleanup_(buffer_donep) struct buffer known = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(name, formats[i].name) == 0) {
			a->format = &formats[i];
			return 1;
		}
		buffer_printf(&known, "%s %s", i ? "," : "", formats[i].name);
	}
	selection_say(&a->selection, "there is no format '%s'; it is one of%.*s", name,
		      (int)known.size, (const char *)known.data);
	return -EINVAL;
}

static int take_option(void *command, int option, const char *value)
{
	struct arguments *a = command;

	switch (option) {
	case 'f':
		return set_format(a, value);
	case 'o':
		a->output = value;
		return 1;
	case OPTION_ROOT:
		return take_root(&a->selection, value, &a->options.root);
	case OPTION_WEIGHTS:
		a->options.weights = true;
		return 1;
	case OPTION_MARK_KERNEL:
		a->options.mark_kernel = true;
		return 1;
	case OPTION_BY_CPU:
		a->options.cpu_label = true;
		return 1;
	}
	return 0;
}

static int check_options(void *command)
{
	struct arguments *a = command;

	if (a->format)
		return 0;
	selection_say(&a->selection, "which format? --format=folded, pprof, perf.data, json or "
				     "speedscope");
	return -EINVAL;
}

static void say_left_out(const struct selection *s, const struct profile_event *chosen,
			 const struct profile_event *other)
{
	bool by_event = strcmp(chosen->requested, other->requested) != 0;
	const char *of = by_event ? other->requested : other->profile;

	selection_say(s, "only %s%s%s is written; for %s add --%s=%s", chosen->requested,
		      by_event ? "" : " of profile ", by_event ? "" : chosen->profile, of,
		      by_event ? "event" : "profile", of);
}

/* The first event with samples; says which others are not in the result. */
static uint32_t choose_event(const struct selection *s, const struct profile *p)
{
	uint32_t chosen = PROFILE_NONE;

	for (uint32_t i = 0; i < p->n_events; i++) {
		if (p->events[i].samples == 0)
			continue;
		if (chosen == PROFILE_NONE)
			chosen = i;
		else
			say_left_out(s, &p->events[chosen], &p->events[i]);
	}
	return chosen == PROFILE_NONE ? 0 : chosen;
}

/* 0, or a negative errno; *ret_code is the exit code when a message was printed already. */
static int write_profile(struct arguments *a, FILE *out, int *ret_code)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	unsigned int dimensions = PROFILE_BY_THREAD;

	if (a->options.cpu_label)
		dimensions |= PROFILE_BY_CPU;
	*ret_code = selection_load(&a->selection, dimensions, &p);
	if (*ret_code != EXIT_OK)
		return 0;
	if (a->format->one_event)
		a->options.event = choose_event(&a->selection, p);
	return a->format->write(p, &a->options, out);
}

static int write_samples(struct arguments *a, FILE *out, int *ret_code)
{
	_cleanup_(perf_data_freep) struct perf_data *d = NULL;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *error = NULL;
	int r;

	*ret_code = selection_find_times(&a->selection);
	if (*ret_code != EXIT_OK)
		return 0;
	r = perf_data_new(out, &d);
	if (r < 0)
		return r;
	r = profile_walk(a->selection.paths, a->selection.n_paths, &a->selection.filter, &p,
			 perf_data_sample, d, &error);
	if (r == 0)
		return perf_data_finish(d, p);
	selection_say(&a->selection, "%s", error ? error : strerror(-r));
	*ret_code = selection_exit_code(r);
	return 0;
}

static int run(void *command)
{
	_cleanup_(output_done) struct output out = { 0 };
	_cleanup_free_ char *error = NULL;
	struct arguments *a = command;
	int r, code = EXIT_OK;

	r = output_open(&out, a->output, a->format->kind, &error);
	if (r == 0)
		r = a->format->write ? write_profile(a, out.file, &code)
				     : write_samples(a, out.file, &code);
	if (r == 0 && code == EXIT_OK)
		r = output_commit(&out, &error);
	if (r < 0) {
		selection_say(&a->selection, "%s", error ? error : strerror(-r));
		return EXIT_FAILED;
	}
	return code;
}

int cmd_export(int argc, char **argv)
{
	static const struct selection_command command = {
		.name = "export",
		.letters = "hf:o:",
		.options = long_options,
		.help = help,
		.take = take_option,
		.check = check_options,
		.run = run,
	};
	struct arguments a = { .output = "-" };

	return selection_run(&command, &a.selection, &a, argc, argv);
}
