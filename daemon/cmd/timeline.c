// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler timeline: what was measured, interval by interval, beside the samples.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cmd/cmd.h"
#include "cmd/metric_options.h"
#include "cmd/select.h"
#include "cmd/timeline_print.h"
#include "util/parse.h"

/* Lines of a terminal that are not intervals, beside the summary. */
#define OTHER_LINES 12
#define MIN_INTERVALS 10

enum timeline_option {
	OPTION_METRIC = 1,
	OPTION_INTERVAL,
	OPTION_CHARTS,
	OPTION_JSON
};

struct timeline_command {
	struct selection selection;
	struct metric_options metrics;
	uint64_t interval_ns;
	struct timeline_style style;
	size_t lines; /* of the terminal; 0: there is none */
	bool json;
};

static void help(void)
{
	fputs("Usage: ebpf-profiler timeline [OPTION]... [FILE|DIR]...\n\n"
	      "Shows metrics and events of the collector pmu, and what else is named, interval by\n"
	      "interval beside the number of samples; first the lowest, mean and highest of "
	      "each.\n\n" METRIC_OPTIONS_HELP
	      "      --interval=TIME  length of an interval; default: as it was recorded, on a\n"
	      "                       terminal so that all fit\n"
	      "      --charts         draw what changes, as is done on a terminal\n"
	      "      --json           everything as JSON, sockets one by one\n"
	      "      --help\n\n" SELECTION_HELP
	      "\nExit codes: 0 done, 1 failed, 2 wrong options, 4 not allowed to read, 7 no data.\n",
	      stdout);
}

static int take_metric(struct timeline_command *o, const char *value)
{
	int r = metric_options_add(&o->metrics, o->selection.command, value);

	return r < 0 ? r : 1;
}

static int take_option(void *command, int option, const char *value)
{
	struct timeline_command *o = command;

	switch (option) {
	case OPTION_METRIC:
		return take_metric(o, value);
	case OPTION_INTERVAL:
		if (parse_duration(value, &o->interval_ns) == 0 &&
		    o->interval_ns >= 10 * NSEC_PER_MSEC)
			return 1;
		selection_say(&o->selection, "--interval=%s is no time of 10ms or more", value);
		return -EINVAL;
	case OPTION_CHARTS:
		o->style.charts = true;
		return 1;
	case OPTION_JSON:
		o->json = true;
		return 1;
	}
	return 0;
}

static void look_at_terminal(struct timeline_command *o)
{
	struct winsize window;

	if (o->json || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0)
		return;
	o->style.columns = window.ws_col;
	o->style.charts = true;
	o->lines = window.ws_row;
}

static size_t most_intervals(const struct timeline_command *o)
{
	if (!o->lines || o->interval_ns)
		return 0;
	return o->lines > OTHER_LINES + MIN_INTERVALS ? o->lines - OTHER_LINES : MIN_INTERVALS;
}

static int print(const struct timeline_command *o, const struct timeline *t)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };

	if (o->json) {
		timeline_print_json(t, &o->style, &out);
	} else {
		if (o->style.when)
			buffer_printf(&out, "When      %s\n\n", o->style.when);
		timeline_print_summary(t, &o->style, &out);
		buffer_put_byte(&out, '\n');
		timeline_print_table(t, &o->style, &out);
	}
	if (out.error)
		return out.error;
	if (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0)
		return -errno;
	return 0;
}

/* The samples alone are a timeline, too, but not what one came for. */
static void tell_if_empty(const struct timeline *t)
{
	if (t->series.n == 0)
		fprintf(stderr, "ebpf-profiler timeline: note: no metrics were recorded in this "
				"window; 'ebpf-profiler collectors' tells how the collector pmu "
				"does\n");
}

static int run(void *command)
{
	struct timeline_command *o = command;
	_cleanup_(timeline_donep) struct timeline t = { 0 };
	_cleanup_free_ char *error = NULL;
	int r = selection_find_times(&o->selection);

	if (r != EXIT_OK)
		return r;
	look_at_terminal(o);
	o->style.when = o->selection.when_text;
	r = timeline_load(
		&(struct timeline_options){
			.paths = o->selection.paths,
			.n_paths = o->selection.n_paths,
			.filter = &o->selection.filter,
			.queries = o->metrics.queries,
			.n_queries = o->metrics.n,
			.interval_ns = o->interval_ns,
			.most = most_intervals(o),
		},
		&t, &error);
	if (r < 0) {
		selection_say(&o->selection, "%s", error ? error : strerror(-r));
		return selection_exit_code(r);
	}
	tell_if_empty(&t);
	r = print(o, &t);
	if (r < 0)
		selection_say(&o->selection, "cannot print: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int cmd_timeline(int argc, char **argv)
{
	static const struct option options[] = {
		{ "metric", required_argument, NULL, OPTION_METRIC },
		{ "interval", required_argument, NULL, OPTION_INTERVAL },
		{ "charts", no_argument, NULL, OPTION_CHARTS },
		{ "json", no_argument, NULL, OPTION_JSON },
		SELECTION_OPTIONS,
		{ 0 },
	};
	static const struct selection_command command = {
		.name = "timeline",
		.letters = "h",
		.options = options,
		.help = help,
		.take = take_option,
		.run = run,
	};
	struct timeline_command o = { 0 };
	int code = selection_run(&command, &o.selection, &o, argc, argv);

	metric_options_done(&o.metrics);
	return code;
}
