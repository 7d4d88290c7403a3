// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler events: what this machine can sample and count, found by opening each event, and
 * why the rest cannot. One table per source; the reasons are footnotes, each said once.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pmu/pmu.h"
#include "util/buffer.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/log.h"

#define N_SOURCES (PMU_SOURCE_RAW + 1)

struct totals {
	size_t samples, counts, unavailable;
};

struct listing {
	struct pmu_listed *rows;
	size_t n;
	struct totals totals[N_SOURCES];
	const char **reasons; /* of the source being printed; they belong to the rows */
	size_t n_reasons;
};

static void listing_done(struct listing *l)
{
	pmu_listed_free(l->rows, l->n);
	free(l->reasons);
}

static void help(void)
{
	printf("Usage: ebpf-profiler events [OPTION]... [PATTERN]\n\n"
	       "Lists the events whose name contains PATTERN, and what this machine can do with "
	       "them;\neach one is opened to find out.\n\n"
	       "      --json    one JSON document\n"
	       "  -h, --help    this text\n\n"
	       "Besides the names listed there are raw events, rNNN with the encoding in hex, and\n"
	       "PMU/FIELD=VALUE,.../ with the fields below /sys/bus/event_source/devices/PMU/"
	       "format.\nBehind a name, @97Hz samples by frequency and @100003 by period.\n\n"
	       "Exit codes: 0 events were listed, 1 no name matches, 2 wrong usage\n");
}

static const char *ability_name(enum pmu_ability ability)
{
	switch (ability) {
	case PMU_SAMPLES:
		return "samples";
	case PMU_COUNTS:
		return "counts";
	default:
		return "unavailable";
	}
}

static void count(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct totals *t = &l->totals[l->rows[i].source];

		if (l->rows[i].ability == PMU_SAMPLES)
			t->samples++;
		else if (l->rows[i].ability == PMU_COUNTS)
			t->counts++;
		else
			t->unavailable++;
	}
}

/* The footnote's number, counted from 1. */
static size_t footnote(struct listing *l, const char *reason)
{
	for (size_t i = 0; i < l->n_reasons; i++)
		if (strcmp(l->reasons[i], reason) == 0)
			return i + 1;
	l->reasons[l->n_reasons++] = reason;
	return l->n_reasons;
}

static void print_row(struct listing *l, const struct pmu_listed *row, int width)
{
	char mode[48], name[300], text[600];

	if (row->ability != PMU_SAMPLES)
		snprintf(mode, sizeof(mode), "%s [%zu]",
			 row->ability == PMU_COUNTS ? "counts" : "no", footnote(l, row->reason));
	else if (row->freq_hz)
		snprintf(mode, sizeof(mode), "%" PRIu64 " Hz", row->freq_hz);
	else
		snprintf(mode, sizeof(mode), "1 in %" PRIu64, row->period);
	printf("  %-*s  %-12s", width, text_safe(row->name, name, sizeof(name)), mode);
	if (*row->description)
		printf("  %s", text_safe(row->description, text, sizeof(text)));
	putchar('\n');
}

static int name_width(const struct listing *l, enum pmu_source source)
{
	size_t width = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->rows[i].source == source)
			width = MAX(width, strlen(l->rows[i].name));
	return (int)MIN(width, (size_t)48);
}

static void print_source(struct listing *l, enum pmu_source source)
{
	const struct totals *t = &l->totals[source];
	int width = name_width(l, source);
	char text[800];

	if (t->samples + t->counts + t->unavailable == 0)
		return;
	l->n_reasons = 0;
	printf("%s\n", pmu_source_name(source));
	for (size_t i = 0; i < l->n; i++)
		if (l->rows[i].source == source)
			print_row(l, &l->rows[i], width);
	for (size_t i = 0; i < l->n_reasons; i++)
		printf("  [%zu] %s\n", i + 1, text_safe(l->reasons[i], text, sizeof(text)));
	putchar('\n');
}

static void print_totals(const struct listing *l)
{
	printf("%-8s  %8s  %8s  %11s\n", "source", "samples", "counts", "unavailable");
	for (size_t i = 0; i < N_SOURCES; i++) {
		const struct totals *t = &l->totals[i];

		if (t->samples + t->counts + t->unavailable)
			printf("%-8s  %8zu  %8zu  %11zu\n", pmu_source_name((enum pmu_source)i),
			       t->samples, t->counts, t->unavailable);
	}
}

static int print_table(struct listing *l)
{
	l->reasons = calloc(l->n, sizeof(*l->reasons));
	if (!l->reasons)
		return -ENOMEM;
	for (size_t i = 0; i < N_SOURCES; i++)
		print_source(l, (enum pmu_source)i);
	print_totals(l);
	return 0;
}

static void put_row(struct json *j, const struct pmu_listed *row)
{
	json_open_object(j, NULL);
	json_string(j, "name", row->name);
	json_string(j, "source", pmu_source_name(row->source));
	json_string(j, "pmu", row->pmu);
	json_string(j, "ability", ability_name(row->ability));
	if (row->ability == PMU_SAMPLES)
		json_uint(j, row->freq_hz ? "default_hz" : "default_period",
			  row->freq_hz ? row->freq_hz : row->period);
	else
		json_string(j, "errno", strerrorname_np(-row->error));
	json_string(j, "reason", row->reason);
	json_string(j, "description", row->description);
	json_close_object(j);
}

static int print_json(const struct listing *l)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	struct json j;

	json_init(&j, &out, true);
	json_open_object(&j, NULL);
	json_open_array(&j, "events");
	for (size_t i = 0; i < l->n; i++)
		put_row(&j, &l->rows[i]);
	json_close_array(&j);
	json_open_object(&j, "totals");
	for (size_t i = 0; i < N_SOURCES; i++) {
		json_open_object(&j, pmu_source_name((enum pmu_source)i));
		json_uint(&j, "samples", l->totals[i].samples);
		json_uint(&j, "counts", l->totals[i].counts);
		json_uint(&j, "unavailable", l->totals[i].unavailable);
		json_close_object(&j);
	}
	json_close_object(&j);
	json_close_object(&j);
	if (out.error)
		return out.error;
	fwrite(out.data, 1, out.size, stdout);
	putchar('\n');
	return 0;
}

static int no_match(const char *pattern)
{
	_cleanup_free_ char *near = pmu_near_names(pattern, NULL);
	char shown[200];

	fprintf(stderr, "ebpf-profiler events: no name contains '%s'%s%s\n",
		text_safe(pattern, shown, sizeof(shown)), near ? "; near it: " : "",
		near ? near : "");
	return EXIT_FAILED;
}

static int run(const char *pattern, bool json)
{
	_cleanup_(listing_done) struct listing l = { 0 };
	int r;

	r = pmu_list(pattern, NULL, &l.rows, &l.n);
	if (r < 0)
		return log_error_errno(r, "Cannot list events"), EXIT_FAILED;
	if (l.n == 0 && !json)
		return no_match(pattern);
	count(&l);
	r = json ? print_json(&l) : print_table(&l);
	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	if (r < 0)
		return log_error_errno(r, "Cannot print the list"), EXIT_FAILED;
	return l.n ? EXIT_OK : EXIT_FAILED;
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			help();
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	if (argc - optind > 1) {
		fprintf(stderr, "ebpf-profiler events: one PATTERN at most\n");
		return EXIT_USAGE;
	}
	return run(argv[optind], json);
}
