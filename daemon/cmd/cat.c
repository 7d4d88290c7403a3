// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler cat: what collectors wrote into segments, row by row.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/row_print.h"
#include "collect/collector.h"
#include "profile/profile.h"
#include "store/segment_reader.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/parse.h"

#define MAX_NAMES 64
#define FLUSH_BYTES 65536

struct cat {
	const char *names[MAX_NAMES]; /* of collectors or tables; none: all */
	size_t n_names;
	uint64_t since_ns, until_ns; /* CLOCK_REALTIME; 0: open */
	enum row_format format;
	struct buffer out;
	char *header; /* CSV: the table it was printed for */
	uint64_t rows, broken_epochs;
};

static void help(void)
{
	printf("Usage: ebpf-profiler cat [OPTION]... [FILE|DIR]...\n\n"
	       "Prints the rows of collectors, one line each, from segments; default %s.\n\n"
	       "      --collector=NAME  of this collector or table; may be given several times\n"
	       "      --since=WHEN      from here on: -5m, 10:00, '2026-01-31 10:00:30', @SECONDS\n"
	       "      --until=WHEN      up to here\n"
	       "  -o, --output=FORMAT   text, json (one object a line) or csv (one table)\n"
	       "  -h, --help            this text\n\n"
	       "'ebpf-profiler schema' lists the tables and their columns.\n\n"
	       "Exit codes: 0 done, 1 failed, 2 wrong usage, 4 not allowed to read, 7 no segments "
	       "or no\nrows.\n",
	       PROFILE_STATE_DIRECTORY);
}

/* --- rows --- */

/* A collector's name stands for all its tables; in CSV, which has room for one, for that of the
 * same name. */
static bool wanted(const struct cat *o, const struct row_table *t)
{
	for (size_t i = 0; i < o->n_names; i++)
		if (strcmp(o->names[i], t->name) == 0 ||
		    (o->format != ROW_FORMAT_CSV && strcmp(o->names[i], t->collector) == 0))
			return true;
	return o->n_names == 0;
}

static int flush(struct cat *o)
{
	if (o->out.error)
		return o->out.error;
	if (o->out.size && fwrite(o->out.data, 1, o->out.size, stdout) != o->out.size)
		return errno ? -errno : -EIO;
	buffer_reset(&o->out);
	return 0;
}

/* CSV has room for one table. */
static int check_csv(struct cat *o, const struct row_table *t)
{
	if (o->header)
		return strcmp(o->header, t->name) == 0 ? 0 : -EXDEV;
	o->header = strdup(t->name);
	if (!o->header)
		return -ENOMEM;
	row_print_header(&o->out, t);
	return 0;
}

static int take_row(struct cat *o, const struct row *row, int64_t offset_ns)
{
	uint64_t realtime_ns = row->time_ns + (uint64_t)offset_ns;
	int r;

	if (!wanted(o, row->table) || realtime_ns < o->since_ns ||
	    (o->until_ns && realtime_ns >= o->until_ns))
		return 0;
	if (o->format == ROW_FORMAT_CSV) {
		r = check_csv(o, row->table);
		if (r < 0)
			return r;
	}
	row_print(&o->out, o->format, row, realtime_ns);
	o->rows++;
	return o->out.size >= FLUSH_BYTES ? flush(o) : 0;
}

/* --- segments --- */

static bool outside(const struct cat *o, const struct segment_epoch *e, int64_t offset_ns)
{
	if (e->last_ns == 0)
		return false;
	return e->last_ns + (uint64_t)offset_ns < o->since_ns ||
	       (o->until_ns && e->first_ns + (uint64_t)offset_ns >= o->until_ns);
}

static int print_walk(struct cat *o, struct epoch_walk *walk, struct row_coder *rows,
		      int64_t offset_ns)
{
	struct record record;
	struct row row;
	int r;

	while ((r = epoch_walk_next(walk, &record)) == 1) {
		if (record.type == RECORD_CLOCK)
			offset_ns = (int64_t)(record.clock.realtime_ns - record.clock.monotonic_ns);
		r = row_get(rows, &record, &row);
		if (r == 1)
			r = take_row(o, &row, offset_ns);
		if (r < 0)
			return r;
	}
	return r;
}

static int print_epoch(struct cat *o, struct segment_reader *reader, size_t epoch)
{
	const struct segment_info *info = segment_reader_info(reader);
	int64_t offset_ns = (int64_t)(info->realtime_ns - info->monotonic_ns);
	_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
	_cleanup_(row_coder_freep) struct row_coder *rows = NULL;
	int r;

	if (outside(o, &info->epochs[epoch], offset_ns))
		return 0;
	rows = row_coder_new();
	if (!rows)
		return -ENOMEM;
	r = epoch_walk_open(reader, epoch, &walk);
	if (r == 0)
		r = print_walk(o, walk, rows, offset_ns);
	if (r != -EBADMSG)
		return r;
	o->broken_epochs++;
	return 0;
}

static int print_file(struct cat *o, const char *path)
{
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL;
	int r = segment_reader_open(path, &reader, &error);

	if (r < 0) {
		fprintf(stderr, "ebpf-profiler cat: %s\n", error ? error : strerror(-r));
		return r;
	}
	for (size_t i = 0; i < segment_reader_info(reader)->n_epochs; i++) {
		r = print_epoch(o, reader, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int print_path(struct cat *o, const char *path)
{
	char **paths = NULL;
	size_t n = 0;
	int r = segment_find(path, &paths, &n);

	if (r < 0) {
		fprintf(stderr, "ebpf-profiler cat: %s: %s\n", path,
			r == -ENOENT ? "there is no segment" : strerror(-r));
		return r;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = print_file(o, paths[i]);
	segment_paths_free(paths, n);
	return r;
}

/* --- options --- */

static int take_moment(const char *option, const char *value, uint64_t *ret)
{
	if (parse_moment(value, clock_ns(CLOCK_REALTIME), ret) == 0)
		return 0;
	fprintf(stderr,
		"ebpf-profiler cat: --%s=%s is not a moment like -5m, 10:00, '2026-01-31 10:00:30' "
		"or @SECONDS\n",
		option, value);
	return EXIT_USAGE;
}

static int take_option(struct cat *o, int c)
{
	switch (c) {
	case 'c':
		if (o->n_names == MAX_NAMES)
			return EXIT_USAGE;
		o->names[o->n_names++] = optarg;
		return 0;
	case 's':
		return take_moment("since", optarg, &o->since_ns);
	case 'u':
		return take_moment("until", optarg, &o->until_ns);
	case 'o':
		if (row_format_parse(optarg, &o->format))
			return 0;
		fprintf(stderr,
			"ebpf-profiler cat: there is no format '%s'; text, json and csv "
			"are possible\n",
			optarg);
		return EXIT_USAGE;
	case 'h':
		help();
		return -1;
	default:
		return EXIT_USAGE;
	}
}

/* 0: go on; -1: done; > 0: an exit code. */
static int parse_options(struct cat *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "collector", required_argument, NULL, 'c' },
		{ "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		r = take_option(o, c);
		if (r != 0)
			return r;
	}
	return 0;
}

static int finish(const struct cat *o, int r)
{
	if (o->broken_epochs)
		fprintf(stderr,
			"ebpf-profiler cat: %llu epochs are damaged, their rest is left out; "
			"'ebpf-profiler verify' tells more\n",
			(unsigned long long)o->broken_epochs);
	if (r == -EXDEV)
		fprintf(stderr,
			"ebpf-profiler cat: CSV has room for one table, and there is more "
			"than '%s'; name one with --collector\n",
			o->header);
	if (r < 0)
		return r == -EXDEV    ? EXIT_USAGE
		       : r == -ENOENT ? EXIT_NO_DATA
		       : r == -EACCES ? EXIT_PRIVILEGE
				      : EXIT_FAILED;
	if (o->rows)
		return EXIT_OK;
	fprintf(stderr, "ebpf-profiler cat: no rows%s\n",
		o->n_names || o->since_ns || o->until_ns ? " of these collectors in that window"
							 : "");
	return EXIT_NO_DATA;
}

int cmd_cat(int argc, char **argv)
{
	struct cat o = {};
	int r = parse_options(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	if (optind == argc)
		r = print_path(&o, PROFILE_STATE_DIRECTORY);
	for (int i = optind; i < argc && r == 0; i++)
		r = print_path(&o, argv[i]);
	if (r == 0)
		r = flush(&o);
	else
		(void)flush(&o);
	r = finish(&o, r);
	buffer_done(&o.out);
	free(o.header);
	return r;
}
