// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler top: the last moments of a recording that is still being written, again and again:
 * metrics with their course, and where the samples are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/metric_options.h"
#include "cmd/report_print.h"
#include "cmd/select.h"
#include "cmd/timeline_print.h"
#include "util/clock.h"
#include "util/parse.h"

#define DEFAULT_WINDOW_NS (60 * NSEC_PER_SEC)
#define DEFAULT_REFRESH_NS (2 * NSEC_PER_SEC)
#define MIN_REFRESH_NS (100 * NSEC_PER_MSEC)
#define HEADER_LINES 14 /* of a report and its tables */
#define MIN_TABLE_LINES 5
#define PLAIN_TABLE_LINES 20 /* without a terminal */

enum top_option {
	OPTION_METRIC = 1,
	OPTION_WINDOW,
	OPTION_REFRESH,
	OPTION_BY,
	OPTION_ITERATIONS
};

struct top {
	struct selection selection;
	struct metric_options metrics;
	const struct report_grouping *grouping;
	uint64_t window_ns, refresh_ns, iterations; /* iterations 0: until it is interrupted */
	size_t columns, lines; /* of the terminal; 0: there is none */
};

static void help(void)
{
	printf("Usage: ebpf-profiler top [OPTION]... [FILE|DIR]...\n\n"
	       "Shows what the service, or a recording that is being written, saw in the last\n"
	       "minute, and renews it: metrics of the collector pmu, and where the samples are.\n"
	       "Ctrl-C ends it.\n\n" METRIC_OPTIONS_HELP
	       "      --by=WHAT        what the rows of samples are (default function):\n"
	       "           %s\n"
	       "      --window=TIME    how far back (default 1min)\n"
	       "      --refresh=TIME   how often (default 2s)\n"
	       "      --iterations=N   ends after N times\n"
	       "      --help\n\n" SELECTION_HELP
	       "\nExit codes: 0 done, 1 failed, 2 wrong options, 4 not allowed to read, 7 no "
	       "data.\n",
	       report_grouping_names());
}

static int take_metric(struct top *o, const char *value)
{
	int r = metric_options_add(&o->metrics, o->selection.command, value);

	return r < 0 ? r : 1;
}

static int take_option(void *command, int option, const char *value)
{
	struct top *o = command;

	switch (option) {
	case OPTION_METRIC:
		return take_metric(o, value);
	case OPTION_WINDOW:
		return parse_duration(value, &o->window_ns) == 0 && o->window_ns
			       ? 1
			       : selection_wrong(&o->selection, "window", value, "a time");
	case OPTION_REFRESH:
		return parse_duration(value, &o->refresh_ns) == 0 && o->refresh_ns >= MIN_REFRESH_NS
			       ? 1
			       : selection_wrong(&o->selection, "refresh", value,
						 "a time of 100ms or more");
	case OPTION_BY:
		return report_take_grouping(&o->selection, value, &o->grouping);
	case OPTION_ITERATIONS:
		return parse_u64(value, &o->iterations) == 0 && o->iterations
			       ? 1
			       : selection_wrong(&o->selection, "iterations", value,
						 "a number from 1 on");
	case SELECTION_SINCE:
	case SELECTION_UNTIL:
		selection_say(&o->selection, "it ends now; --window says how far back it reaches");
		return -EINVAL;
	}
	return 0;
}

/* --- one look ----------------------------------------------------------------------------------*/

static void look_at_terminal(struct top *o)
{
	struct winsize window;

	o->columns = o->lines = 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0)
		return;
	o->columns = window.ws_col;
	o->lines = window.ws_row;
}

/* The window of now, and the times of --when in it. */
static int set_window(struct top *o)
{
	struct selection *s = &o->selection;

	s->filter.since_ns = clock_ns(CLOCK_REALTIME) - o->window_ns;
	s->filter.until_ns = 0;
	selection_forget_times(s);
	return selection_find_times(s);
}

/* An exit code; a window without data is left to the report to tell. */
static int put_metrics(struct top *o, struct buffer *out)
{
	const struct timeline_style style = { .columns = o->columns, .charts = true };
	_cleanup_(timeline_donep) struct timeline t = { 0 };
	_cleanup_free_ char *error = NULL;
	int r = timeline_load(
		&(struct timeline_options){
			.paths = o->selection.paths,
			.n_paths = o->selection.n_paths,
			.filter = &o->selection.filter,
			.queries = o->metrics.queries,
			.n_queries = o->metrics.n,
		},
		&t, &error);

	if (r == 0)
		timeline_print_summary(&t, &style, out);
	if (r == 0 || r == -ENODATA)
		return EXIT_OK;
	selection_say(&o->selection, "%s", error ? error : strerror(-r));
	return selection_exit_code(r);
}

static size_t count_newlines(const struct buffer *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->size; i++)
		n += b->data[i] == '\n';
	return n;
}

static int put_report(struct top *o, const struct profile *p, struct buffer *out)
{
	const struct profile_filter *f = &o->selection.filter;
	_cleanup_(report_freep) struct report *r = NULL;
	struct report_style style = {
		.limit = PLAIN_TABLE_LINES,
		.columns = o->columns,
		.when = o->selection.when_text,
		.narrowed = f->n_pids || f->comms || f->units || f->containers,
	};
	size_t taken = count_newlines(out) + HEADER_LINES, left;
	int error = report_new(p, o->grouping, REPORT_BY_SELF, NULL, &r);

	if (error < 0)
		return error;
	left = o->lines > taken ? o->lines - taken : 0;
	if (o->lines && r->n_events)
		style.limit = MAX(left / r->n_events, (size_t)MIN_TABLE_LINES);
	report_print(r, &style, out);
	return 0;
}

/* An exit code. Without a terminal, one look follows the other. */
static int look(struct top *o)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	int error, code = set_window(o);

	if (code != EXIT_OK)
		return code;
	look_at_terminal(o);
	code = put_metrics(o, &out);
	if (code != EXIT_OK)
		return code;
	buffer_put_byte(&out, '\n');
	code = selection_load(&o->selection, o->grouping->dimensions, &p);
	error = code == EXIT_OK ? put_report(o, p, &out) : 0;
	if (error == 0)
		error = out.error;
	if (error < 0) {
		selection_say(&o->selection, "%s", strerror(-error));
		return EXIT_FAILED;
	}
	if (o->lines)
		fputs("\033[H\033[2J", stdout);
	if (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0)
		return EXIT_FAILED;
	return code;
}

/* A window without data is no end: it may come. */
static int run(void *command)
{
	struct top *o = command;
	const struct timespec pause = { (time_t)(o->refresh_ns / NSEC_PER_SEC),
					(long)(o->refresh_ns % NSEC_PER_SEC) };
	int code;

	for (uint64_t i = 1;; i++) {
		code = look(o);
		if (i == o->iterations || (code != EXIT_OK && code != EXIT_NO_DATA) ||
		    (code != EXIT_OK && i == 1))
			return code;
		(void)nanosleep(&pause, NULL);
	}
}

int cmd_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "metric", required_argument, NULL, OPTION_METRIC },
		{ "window", required_argument, NULL, OPTION_WINDOW },
		{ "refresh", required_argument, NULL, OPTION_REFRESH },
		{ "by", required_argument, NULL, OPTION_BY },
		{ "iterations", required_argument, NULL, OPTION_ITERATIONS },
		SELECTION_OPTIONS,
		{ 0 },
	};
	static const struct selection_command command = {
		.name = "top",
		.letters = "h",
		.options = options,
		.help = help,
		.take = take_option,
		.run = run,
	};
	struct top o = {
		.grouping = report_grouping_find("function"),
		.window_ns = DEFAULT_WINDOW_NS,
		.refresh_ns = DEFAULT_REFRESH_NS,
	};
	int code = selection_run(&command, &o.selection, &o, argc, argv);

	metric_options_done(&o.metrics);
	return code;
}
