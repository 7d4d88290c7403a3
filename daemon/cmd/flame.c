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
#include "cmd/select.h"
#include "export/output.h"
#include "util/parse.h"

#define DEFAULT_OUTPUT "flame.html"
#define DEFAULT_MIN_PERCENT 0.001

static const char help[] =
	"Usage: ebpf-profiler flame [OPTION]... [FILE|DIR]...\n\n"
	"Writes a flame graph: one HTML file that needs no network and opens in any browser.\n\n"
	"  -o, --output=FILE    where to; '-' is stdout; default " DEFAULT_OUTPUT "\n"
	"      --root=WHAT      lowest boxes: process (default), thread, pid, unit, container, "
	"all\n"
	"      --inverted       open with leaf functions first, their callers above them\n"
	"      --title=TEXT     in place of host and event\n"
	"      --min-percent=P  leave out boxes below P percent of the event; default 0.001\n"
	"      --colour=METRIC  colour boxes by the value of a metric, see below\n"
	"      --min-samples=N  fewer samples make no value; default 20\n"
	"      --help\n\n" SAMPLE_METRIC_HELP "\n" SELECTION_HELP "\n"
	"Exit codes: 0 written, 1 failed, 2 wrong options, 4 not permitted, 7 no data.\n";

enum flame_option {
	OPTION_ROOT = 1,
	OPTION_INVERTED,
	OPTION_TITLE,
	OPTION_MIN_PERCENT,
	OPTION_COLOUR,
	OPTION_MIN_SAMPLES,
	OPTION_HELP,
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
	{ "help", no_argument, NULL, OPTION_HELP },
	SELECTION_OPTIONS,
	{ 0 },
};

struct arguments {
	struct selection selection;
	struct flame_options flame;
	struct sample_metric metric;
	uint64_t min_samples;
	const char *output;
	bool help;
};

static int wrong(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "ebpf-profiler flame: --%s=%s is not %s\n", option, value, wanted);
	return -EINVAL;
}

static int take_metric(struct arguments *a, const char *value)
{
	a->flame.metric = &a->metric;
	if (sample_metric_parse(value, &a->metric) == 0)
		return 0;
	fprintf(stderr, "ebpf-profiler flame: --colour=%s is no metric\n\n" SAMPLE_METRIC_HELP,
		value);
	return -EINVAL;
}

static int take_option(struct arguments *a, int option, const char *value)
{
	switch (option) {
	case 'o':
		a->output = value;
		return 0;
	case OPTION_ROOT:
		if (stack_root_parse(value, &a->flame.root) < 0)
			return wrong("root", value,
				     "one of process, thread, pid, unit, container, all");
		return 0;
	case OPTION_INVERTED:
		a->flame.inverted = true;
		return 0;
	case OPTION_TITLE:
		a->flame.title = value;
		return 0;
	case OPTION_MIN_PERCENT:
		if (parse_double(value, &a->flame.min_percent) < 0 || a->flame.min_percent > 100)
			return wrong("min-percent", value, "a number from 0 to 100");
		return 0;
	case OPTION_COLOUR:
		return take_metric(a, value);
	case OPTION_MIN_SAMPLES:
		return parse_u64(value, &a->min_samples) == 0
			       ? 0
			       : wrong("min-samples", value, "a number of samples");
	case OPTION_HELP:
		a->help = true;
		return 0;
	case '?':
		return -EINVAL;
	default:
		return selection_option(&a->selection, option, value);
	}
}

static int parse_arguments(struct arguments *a, int argc, char **argv)
{
	int option, r = 0;

	while (r >= 0 && !a->help &&
	       (option = getopt_long(argc, argv, "o:", long_options, NULL)) != -1)
		r = take_option(a, option, optarg);
	if (r >= 0 && !a->help)
		r = selection_finish(&a->selection, argc, argv, optind);
	return r < 0 ? r : 0;
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
		fprintf(stderr, "ebpf-profiler flame: %s\n", error ? error : strerror(-r));
		return EXIT_FAILED;
	}
	if (strcmp(a->output, "-") != 0)
		fprintf(stderr, "Wrote %s\n", a->output);
	return EXIT_OK;
}

static int run(struct arguments *a)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
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
	_cleanup_free_ char *command = join(argc, argv);
	struct arguments a = {
		.flame = { .min_percent = DEFAULT_MIN_PERCENT, .command = command },
		.output = DEFAULT_OUTPUT,
		.min_samples = SAMPLE_METRIC_MIN_SAMPLES,
	};
	int code;

	selection_init(&a.selection, "flame");
	if (parse_arguments(&a, argc, argv) < 0) {
		code = EXIT_USAGE;
	} else if (a.help) {
		fputs(help, stdout);
		code = EXIT_OK;
	} else {
		code = run(&a);
	}
	selection_done(&a.selection);
	return code;
}
