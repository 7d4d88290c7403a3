// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler flame: recorded segments as one HTML file.
 */
#include "export/flame.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/root_option.h"
#include "cmd/select.h"
#include "export/output.h"
#include "util/parse.h"

#define DEFAULT_OUTPUT "flame.html"
#define DEFAULT_MIN_PERCENT 0.001

static void help(void)
{
	fputs("Usage: ebpf-profiler flame [OPTION]... [FILE|DIR]...\n\n"
	      "Writes a flame graph: one HTML file that needs no network and opens in any "
	      "browser.\n\n"
	      "  -o, --output=FILE    where to; '-' is stdout; default " DEFAULT_OUTPUT "\n"
	      "      --root=WHAT      lowest boxes: process (default), thread, pid, unit, "
	      "container, "
	      "all\n"
	      "      --inverted       open with leaf functions first, their callers above them\n"
	      "      --title=TEXT     in place of host and event\n"
	      "      --min-percent=P  leave out boxes below P percent of the event; default 0.001\n"
	      "      --colour=METRIC  colour boxes by the value of a metric, see below\n"
	      "      --min-samples=N  fewer samples make no value; default 20\n"
	      "      --help\n\n" SAMPLE_METRIC_HELP "\n" SELECTION_HELP "\n"
	      "Exit codes: 0 written, 1 failed, 2 wrong options, 4 not permitted, 7 no data.\n",
	      stdout);
}

enum flame_option {
	OPTION_ROOT = 1,
	OPTION_INVERTED,
	OPTION_TITLE,
	OPTION_MIN_PERCENT,
	OPTION_COLOUR,
	OPTION_MIN_SAMPLES,
};

static const struct option long_options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "inverted", no_argument, NULL, OPTION_INVERTED },
	{ "title", required_argument, NULL, OPTION_TITLE },
	{ "min-percent", required_argument, NULL, OPTION_MIN_PERCENT },
	{ "colour", required_argument, NULL, OPTION_COLOUR },
	{ "color", required_argument, NULL, OPTION_COLOUR },
	{ "min-samples", required_argument, NULL, OPTION_MIN_SAMPLES },
	SELECTION_OPTIONS,
	{ 0 },
};

struct arguments {
	struct selection selection;
	struct flame_options flame;
	struct sample_metric metric;
	uint64_t min_samples;
	const char *output;
};

static int take_metric(struct arguments *a, const char *value)
{
	a->flame.metric = &a->metric;
	if (sample_metric_parse(value, &a->metric) == 0)
		return 1;
	selection_say(&a->selection, "--colour=%s is no metric", value);
	fputs("\n" SAMPLE_METRIC_HELP, stderr);
	return -EINVAL;
}

static int take_option(void *command, int option, const char *value)
{
	struct arguments *a = command;

	switch (option) {
	case 'o':
		a->output = value;
		return 1;
	case OPTION_ROOT:
		return take_root(&a->selection, value, &a->flame.root);
	case OPTION_INVERTED:
		a->flame.inverted = true;
		return 1;
	case OPTION_TITLE:
		a->flame.title = value;
		return 1;
	case OPTION_MIN_PERCENT:
		if (parse_double(value, &a->flame.min_percent) < 0 || a->flame.min_percent > 100)
			return selection_wrong(&a->selection, "min-percent", value,
					       "a number from 0 to 100");
		return 1;
	case OPTION_COLOUR:
		return take_metric(a, value);
	case OPTION_MIN_SAMPLES:
		if (parse_u64(value, &a->min_samples) < 0)
			return selection_wrong(&a->selection, "min-samples", value,
					       "a number of samples");
		return 1;
	}
	return 0;
}

/* The command line as one line; NULL when out of memory. */
static char *join(int argc, char **argv)
{
	struct buffer b = { 0 };

	buffer_put(&b, "ebpf-profiler", 13);
	for (int i = 0; i < argc; i++)
		buffer_printf(&b, " %s", argv[i]);
	return buffer_take_string(&b);
}

static int write_page(const struct arguments *a, const struct profile *p)
{
	_cleanup_(output_done) struct output out = { 0 };
	_cleanup_free_ char *error = NULL;
	int r;

	r = output_open(&out, a->output, OUTPUT_TEXT, &error);
	if (r == 0)
		r = export_flame(p, &a->flame, out.file);
	if (r == 0)
		r = output_commit(&out, &error);
	if (r < 0) {
		selection_say(&a->selection, "%s", error ? error : strerror(-r));
		return EXIT_FAILED;
	}
	if (strcmp(a->output, "-") != 0)
		fprintf(stderr, "Wrote %s\n", a->output);
	return EXIT_OK;
}

static int run(void *command)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	struct arguments *a = command;
	int code;

	if (a->flame.metric) {
		a->metric.min_samples = a->min_samples;
		a->selection.filter.counters = a->metric.counters;
	}
	code = selection_load(&a->selection, PROFILE_BY_THREAD, &p);
	if (code == EXIT_OK && a->flame.metric &&
	    !selection_has_metric(&a->selection, p, a->flame.metric))
		code = EXIT_NO_DATA;
	return code == EXIT_OK ? write_page(a, p) : code;
}

int cmd_flame(int argc, char **argv)
{
	static const struct selection_command command = {
		.name = "flame",
		.letters = "ho:",
		.options = long_options,
		.help = help,
		.take = take_option,
		.run = run,
	};
	_cleanup_free_ char *line = join(argc, argv);
	struct arguments a = {
		.flame = { .min_percent = DEFAULT_MIN_PERCENT, .command = line },
		.output = DEFAULT_OUTPUT,
		.min_samples = SAMPLE_METRIC_MIN_SAMPLES,
	};

	return selection_run(&command, &a.selection, &a, argc, argv);
}
