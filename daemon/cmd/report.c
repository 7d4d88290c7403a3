// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler report: where the samples of a window are, as a table or as JSON.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cmd/cmd.h"
#include "cmd/report_print.h"
#include "cmd/report_rows.h"
#include "cmd/select.h"
#include "util/parse.h"

/* Lines of a terminal that the header takes, beside the tables. */
#define HEADER_LINES 12
#define MIN_TABLE_LINES 10

enum report_option {
	OPTION_BY = 1,
	OPTION_LIMIT,
	OPTION_SORT,
	OPTION_METRIC,
	OPTION_MIN_SAMPLES,
	OPTION_JSON
};

struct report_options {
	struct selection selection;
	const struct report_grouping *grouping;
	struct sample_metric metric;
	bool json, has_metric, has_limit;
	enum report_sort sort;
	uint64_t limit, min_samples;
};

static void help(void)
{
	printf("Usage: ebpf-profiler report [OPTION]... [FILE|DIR]...\n\n"
	       "Shows where the samples are: self is what a function did itself, children is that\n"
	       "and all it called.\n\n"
	       "      --by=WHAT        what the rows are (default function):\n"
	       "           %s\n"
	       "      --metric=NAME    adds the value of a metric to each row, see below\n"
	       "      --min-samples=N  fewer samples make no value; default %d\n"
	       "      --sort=KEY       self (default), children, or value: of the metric, worst "
	       "first\n"
	       "      --limit=N        rows of a table, 0: all; on a terminal as many as fit\n"
	       "      --json           everything as JSON\n"
	       "      --help\n\n" SAMPLE_METRIC_HELP "\n" SELECTION_HELP
	       "\nExit codes: 0 done, 1 failed, 2 wrong options, "
	       "4 not allowed to read, 7 no segments, no\n"
	       "samples, or not the counters of the metric or the memory access.\n",
	       report_grouping_names(), SAMPLE_METRIC_MIN_SAMPLES);
}

static int take_sort(struct report_options *o, const char *value)
{
	static const char *const keys[] = {
		[REPORT_BY_SELF] = "self",
		[REPORT_BY_TOTAL] = "children",
		[REPORT_BY_VALUE] = "value",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i], value) != 0)
			continue;
		o->sort = (enum report_sort)i;
		return 1;
	}
	return selection_wrong(&o->selection, "sort", value, "one of self, children, value");
}

static int take_metric(struct report_options *o, const char *value)
{
	o->has_metric = true;
	if (sample_metric_parse(value, &o->metric) == 0)
		return 1;
	selection_say(&o->selection, "--metric=%s is no metric", value);
	fputs("\n" SAMPLE_METRIC_HELP, stderr);
	return -EINVAL;
}

static int take_number(const struct report_options *o, const char *option, const char *value,
		       const char *wanted, uint64_t *ret)
{
	return parse_u64(value, ret) == 0 ? 1
					  : selection_wrong(&o->selection, option, value, wanted);
}

static int take_option(void *command, int option, const char *value)
{
	struct report_options *o = command;

	switch (option) {
	case OPTION_BY:
		return report_take_grouping(&o->selection, value, &o->grouping);
	case OPTION_LIMIT:
		o->has_limit = true;
		return take_number(o, "limit", value, "a number of rows", &o->limit);
	case OPTION_SORT:
		return take_sort(o, value);
	case OPTION_METRIC:
		return take_metric(o, value);
	case OPTION_MIN_SAMPLES:
		return take_number(o, "min-samples", value, "a number of samples", &o->min_samples);
	case OPTION_JSON:
		o->json = true;
		return 1;
	}
	return 0;
}

static int check_options(void *command)
{
	struct report_options *o = command;

	o->metric.min_samples = o->min_samples;
	if (o->sort != REPORT_BY_VALUE || o->has_metric)
		return 0;
	selection_say(&o->selection, "--sort=value needs a --metric");
	return -EINVAL;
}

static struct report_style choose_style(const struct report_options *o, const struct report *r)
{
	const struct profile_filter *f = &o->selection.filter;
	struct report_style style = {
		.limit = (size_t)o->limit,
		.since_ns = f->since_ns,
		.until_ns = f->until_ns,
		.when = o->selection.when_text,
		.narrowed = f->n_pids || f->comms || f->units || f->containers,
	};
	struct winsize window;

	if (o->json || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0)
		return style;
	style.columns = window.ws_col;
	if (!o->has_limit && window.ws_row) {
		size_t tables = MAX(r->n_events, (size_t)1), lines = window.ws_row;

		lines = lines > HEADER_LINES ? (lines - HEADER_LINES) / tables : 0;
		style.limit = MAX(lines, (size_t)MIN_TABLE_LINES);
	}
	return style;
}

static int print(const struct report_options *o, const struct report *r)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	struct report_style style = choose_style(o, r);

	(o->json ? report_print_json : report_print)(r, &style, &out);
	if (out.error)
		return out.error;
	if (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0)
		return -errno;
	return 0;
}

/* False, and said so: no sample tells the part of the memory access that is asked for. */
static bool has_access(const struct report_options *o, const struct profile *p)
{
	const struct report_grouping *g = o->grouping;

	for (size_t i = 0; i < p->n_events; i++)
		if (report_told(g, &p->events[i].accesses))
			return true;
	for (size_t i = 0; i < p->n_events; i++) {
		const struct profile_event *e = &p->events[i];

		if (!e->samples)
			continue;
		if (e->memory_access)
			selection_say(&o->selection,
				      "no sample of %s came with a %s; precise events of the "
				      "hardware have one (PEBS, IBS)%s, see 'ebpf-profiler events'",
				      e->fired, g->part,
				      g->dimensions & (PROFILE_BY_ADDRESS | PROFILE_BY_PAGE)
					      ? ", and so do page faults"
					      : "");
		else
			selection_say(&o->selection,
				      "the samples of %s were taken without their memory access; "
				      "'record --memory-access' or memory-access = yes asks for it",
				      e->fired);
	}
	return false;
}

static int run(void *command)
{
	struct report_options *o = command;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(report_freep) struct report *r = NULL;
	const struct sample_metric *metric = o->has_metric ? &o->metric : NULL;
	int code, error;

	if (metric)
		o->selection.filter.counters = metric->counters;
	code = selection_load(&o->selection, o->grouping->dimensions, &p);
	if (!p)
		return code;
	error = report_new(p, o->grouping, o->sort, metric, &r);
	if (error >= 0 && metric && code == EXIT_OK &&
	    !selection_has_metric(&o->selection, p, metric))
		code = EXIT_NO_DATA;
	if (error >= 0 && o->grouping->part && code == EXIT_OK && !has_access(o, p))
		code = EXIT_NO_DATA;
	if (error >= 0 && (code == EXIT_OK || o->json))
		error = print(o, r);
	if (error < 0) {
		selection_say(&o->selection, "cannot print the report: %s", strerror(-error));
		return EXIT_FAILED;
	}
	return code;
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{ "by", required_argument, NULL, OPTION_BY },
		{ "limit", required_argument, NULL, OPTION_LIMIT },
		{ "sort", required_argument, NULL, OPTION_SORT },
		{ "metric", required_argument, NULL, OPTION_METRIC },
		{ "min-samples", required_argument, NULL, OPTION_MIN_SAMPLES },
		{ "json", no_argument, NULL, OPTION_JSON },
		SELECTION_OPTIONS,
		{ 0 },
	};
	static const struct selection_command command = {
		.name = "report",
		.letters = "h",
		.options = options,
		.help = help,
		.take = take_option,
		.check = check_options,
		.run = run,
	};
	struct report_options o = {
		.grouping = report_grouping_find("function"),
		.min_samples = SAMPLE_METRIC_MIN_SAMPLES,
	};

	return selection_run(&command, &o.selection, &o, argc, argv);
}
