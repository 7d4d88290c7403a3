// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler metrics: what this machine can compute of counted events, what it means, and which
 * event is missing for the rest. The catalogue of another CPU is listed without trying anything.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pmu/metric.h"
#include "util/buffer.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/log.h"

struct listing {
	enum metric_family family;
	bool here; /* this machine's: the events were opened */
	struct metric_listed *rows;
	size_t n;
	const char **reasons; /* each once; they belong to the rows */
	size_t n_reasons;
};

struct request {
	const char *pattern;
	bool all; /* every family */
	bool json, verbose;
	enum metric_family family, machine;
};

static void listing_done(struct listing *l)
{
	metric_listed_free(l->rows, l->n);
	free(l->reasons);
}

static void help(void)
{
	printf("Usage: ebpf-profiler metrics [OPTION]... [PATTERN]\n\n"
	       "Lists the metrics whose name contains PATTERN: what this machine can compute, and "
	       "for the rest\nwhich event is missing and why; each event is opened to find out.\n\n"
	       "      --cpu FAMILY   the catalogue of another CPU, or of 'all'; nothing is opened\n"
	       "  -v, --verbose      formulas, events, encodings and where they were published\n"
	       "      --json         one JSON document\n"
	       "  -h, --help         this text\n\n"
	       "CPUs:");
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++)
		printf("%s%s", i % 6 ? " " : "\n  ", metric_family_name((enum metric_family)i));
	printf("\n\nExit codes: 0 metrics were listed, 1 no name matches, 2 wrong usage\n");
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

static int name_width(const struct listing *l)
{
	size_t width = 0;

	for (size_t i = 0; i < l->n; i++)
		width = MAX(width, strlen(l->rows[i].metric->name));
	return (int)width;
}

static void print_events(const struct listing *l, const struct metric_formula *f)
{
	for (size_t i = 0; i < f->n_names; i++) {
		const struct metric_event *e = metric_event_find(l->family, f->names[i]);

		if (e)
			printf("        %s = %s: %s [%s]%s%s\n", e->name, e->spec, e->native,
			       e->source, e->leader ? ", in a group led by " : "",
			       e->leader ? e->leader : "");
	}
}

static void print_details(const struct listing *l, const struct metric_listed *row, bool verbose)
{
	const struct metric *m = row->metric;

	if (m->approximate)
		printf("      ~ %s\n", m->approximate);
	if (!verbose)
		return;
	printf("      %s [%s]\n", m->formula, m->source);
	print_events(l, &row->formula);
}

static void print_row(const struct listing *l, const struct metric_listed *row, int width,
		      bool verbose)
{
	const struct metric *m = row->metric;
	char threshold[32];

	printf("  %-*s  %-6s  %-9s  %s", width, m->name, metric_scope_name(m->scope),
	       m->unit == METRIC_PER_KILO ? "per 1000"
	       : m->unit == METRIC_RATIO  ? "share"
					  : metric_unit_name(m->unit),
	       m->summary);
	if (m->threshold)
		printf("; look above %s",
		       metric_format(m->unit, m->threshold, threshold, sizeof(threshold)));
	putchar('\n');
	print_details(l, row, verbose);
}

static void print_missing(struct listing *l, const struct metric_listed *row, int width,
			  bool verbose)
{
	printf("  %-*s  [%zu]", width, row->metric->name, footnote(l, row->reason));
	if (row->missing)
		printf(" %s (%s)", row->missing->spec, row->missing->native);
	putchar('\n');
	if (verbose)
		print_details(l, row, verbose);
}

static size_t count_available(const struct listing *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->rows[i].available;
	return n;
}

static void print_here(struct listing *l, int width, bool verbose)
{
	size_t n = count_available(l);
	char text[800];

	if (n)
		printf("\ncan be computed here\n");
	for (size_t i = 0; i < l->n; i++)
		if (l->rows[i].available)
			print_row(l, &l->rows[i], width, verbose);
	if (n < l->n)
		printf("\ncan not, for want of\n");
	for (size_t i = 0; i < l->n; i++)
		if (!l->rows[i].available)
			print_missing(l, &l->rows[i], width, verbose);
	for (size_t i = 0; i < l->n_reasons; i++)
		printf("  [%zu] %s\n", i + 1, text_safe(l->reasons[i], text, sizeof(text)));
	printf("\n%zu of %zu metrics\n", n, l->n);
}

static int print_text(struct listing *l, const struct request *q)
{
	int width = name_width(l);

	if (l->n == 0)
		return 0;
	printf("%s (%s)\n", metric_family_title(l->family), metric_family_name(l->family));
	if (l->here) {
		l->reasons = calloc(l->n, sizeof(*l->reasons));
		if (!l->reasons)
			return -ENOMEM;
		print_here(l, width, q->verbose);
	} else {
		for (size_t i = 0; i < l->n; i++)
			print_row(l, &l->rows[i], width, q->verbose);
	}
	if (q->all)
		putchar('\n');
	return 0;
}

static void put_events(struct json *j, enum metric_family family, const struct metric_formula *f)
{
	json_open_array(j, "events");
	for (size_t i = 0; i < f->n_names; i++) {
		const struct metric_event *e = metric_event_find(family, f->names[i]);

		if (!e)
			continue;
		json_open_object(j, NULL);
		json_string(j, "name", e->name);
		json_string(j, "spec", e->spec);
		json_string(j, "native", e->native);
		json_string(j, "source", e->source);
		json_string(j, "leader", e->leader);
		json_close_object(j);
	}
	json_close_array(j);
}

static void put_availability(struct json *j, const struct metric_listed *row)
{
	json_bool(j, "available", row->available);
	json_string(j, "missing", row->missing ? row->missing->name : NULL);
	json_string(j, "reason", row->reason);
}

static void put_metric(struct json *j, const struct listing *l, const struct metric_listed *row)
{
	const struct metric *m = row->metric;

	json_open_object(j, NULL);
	json_string(j, "name", m->name);
	json_string(j, "summary", m->summary);
	json_string(j, "unit", metric_unit_name(m->unit));
	json_string(j, "scope", metric_scope_name(m->scope));
	json_string(j, "formula", m->formula);
	if (m->threshold)
		json_double(j, "threshold", m->threshold);
	json_string(j, "approximate", m->approximate);
	json_string(j, "source", m->source);
	put_events(j, l->family, &row->formula);
	if (l->here)
		put_availability(j, row);
	json_close_object(j);
}

static void put_listing(struct json *j, const struct listing *l)
{
	json_open_object(j, NULL);
	json_string(j, "name", metric_family_name(l->family));
	json_string(j, "title", metric_family_title(l->family));
	json_bool(j, "this_machine", l->here);
	json_open_array(j, "metrics");
	for (size_t i = 0; i < l->n; i++)
		put_metric(j, l, &l->rows[i]);
	json_close_array(j);
	json_close_object(j);
}

static void put_constants(struct json *j)
{
	json_open_array(j, "constants");
	for (size_t i = 0; i < metric_n_constants; i++) {
		json_open_object(j, NULL);
		json_string(j, "name", metric_constants[i].name);
		json_string(j, "meaning", metric_constants[i].meaning);
		json_close_object(j);
	}
	json_close_array(j);
}

static int one_family(const struct request *q, enum metric_family family, struct json *j,
		      size_t *n_listed)
{
	_cleanup_(listing_done) struct listing l = {
		.family = family,
		.here = !q->all && family == q->machine,
	};
	int r;

	r = metric_list(family, q->pattern, l.here, NULL, &l.rows, &l.n);
	if (r < 0)
		return r;
	*n_listed += l.n;
	if (j)
		put_listing(j, &l);
	else
		r = print_text(&l, q);
	return r;
}

static int each_family(const struct request *q, struct json *j, size_t *n_listed)
{
	int r = 0;

	if (!q->all)
		return one_family(q, q->family, j, n_listed);
	for (size_t i = 0; i < METRIC_N_FAMILIES && r == 0; i++)
		r = one_family(q, (enum metric_family)i, j, n_listed);
	return r;
}

static int print_json(const struct request *q, size_t *n_listed)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	struct json j;
	int r;

	json_init(&j, &out, true);
	json_open_object(&j, NULL);
	put_constants(&j);
	json_open_array(&j, "cpus");
	r = each_family(q, &j, n_listed);
	json_close_array(&j);
	json_close_object(&j);
	if (r == 0)
		r = out.error;
	if (r < 0)
		return r;
	fwrite(out.data, 1, out.size, stdout);
	putchar('\n');
	return 0;
}

static int run(const struct request *q)
{
	size_t n_listed = 0;
	char shown[200];
	int r;

	r = q->json ? print_json(q, &n_listed) : each_family(q, NULL, &n_listed);
	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	if (r < 0)
		return log_error_errno(r, "Cannot list metrics"), EXIT_FAILED;
	if (n_listed == 0 && !q->json)
		fprintf(stderr, "ebpf-profiler metrics: no name contains '%s'\n",
			text_safe(q->pattern, shown, sizeof(shown)));
	return n_listed ? EXIT_OK : EXIT_FAILED;
}

static int choose_cpu(struct request *q, const char *name)
{
	char shown[200];

	q->all = strcasecmp(name, "all") == 0;
	if (q->all || metric_family_find(name, &q->family))
		return 0;
	fprintf(stderr,
		"ebpf-profiler metrics: there is no CPU '%s' in the catalogue; --help lists them\n",
		text_safe(name, shown, sizeof(shown)));
	return -EINVAL;
}

int cmd_metrics(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cpu", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct request q = { .machine = metric_family_detect(NULL, NULL) };
	int c;

	q.family = q.machine;
	while ((c = getopt_long(argc, argv, "vh", options, NULL)) != -1)
		switch (c) {
		case 'c':
			if (choose_cpu(&q, optarg) < 0)
				return EXIT_USAGE;
			break;
		case 'v':
			q.verbose = true;
			break;
		case 'j':
			q.json = true;
			break;
		case 'h':
			help();
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	if (argc - optind > 1) {
		fprintf(stderr, "ebpf-profiler metrics: one PATTERN at most\n");
		return EXIT_USAGE;
	}
	q.pattern = argv[optind];
	return run(&q);
}
