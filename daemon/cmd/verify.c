// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler verify: reads segments from their first byte to their last and says what is wrong
 * with each. Works on files that are being written; one that retention deletes meanwhile is left
 * out.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "store/segment_reader.h"
#include "util/json.h"
#include "util/parse.h"

struct verification {
	bool quiet, as_json;
	struct buffer text;
	struct json json;
	uint64_t files, whole;
};

static void help(void)
{
	printf("Usage: ebpf-profiler verify [OPTION]... FILE|DIRECTORY...\n\n"
	       "Checks every checksum, frame number and record of segment files, and each index "
	       "against\nwhat it lists. A directory stands for the segments in it.\n\n"
	       "  -q, --quiet   say nothing of files that are whole\n"
	       "      --json    one JSON document\n"
	       "  -h, --help    this text\n\n"
	       "Exit codes: 0 all are whole, 1 at least one is damaged or could not be read,\n"
	       "2 wrong usage, 7 no segments there\n");
}

/* 0: go on; otherwise the exit code + 1. */
static int parse_options(int argc, char **argv, struct verification *v)
{
	enum { OPT_JSON = 256 };
	static const struct option options[] = {
		{ "quiet", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "qh", options, NULL)) >= 0) {
		if (opt == 'q') {
			v->quiet = true;
		} else if (opt == OPT_JSON) {
			v->as_json = true;
		} else if (opt == 'h') {
			help();
			return EXIT_OK + 1;
		} else {
			fprintf(stderr, "'ebpf-profiler verify --help' lists the options\n");
			return EXIT_USAGE + 1;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "ebpf-profiler verify: name a segment file or a directory; "
				"'ebpf-profiler verify --help' tells more\n");
		return EXIT_USAGE + 1;
	}
	return 0;
}

static void say_text(struct verification *v, const char *path, const struct segment_check *c)
{
	char size[32];

	text_put_safe(&v->text, path, strlen(path));
	buffer_printf(&v->text,
		      ": %s, %s; %" PRIu64 " samples and %" PRIu64 " rows in %" PRIu64
		      " epochs, %s",
		      c->findings[0] ? "DAMAGED" : "whole", c->sealed ? "sealed" : "not sealed",
		      c->samples, c->rows, c->epochs, format_size(c->bytes, size, sizeof(size)));
	if (c->torn_bytes)
		buffer_printf(&v->text, "; the last %" PRIu64 " bytes are no whole frame (yet)",
			      c->torn_bytes);
	if (c->skipped_frames || c->skipped_records)
		buffer_printf(&v->text,
			      "; %" PRIu64 " frames and %" PRIu64
			      " records are of kinds this version does not know",
			      c->skipped_frames, c->skipped_records);
	buffer_put_byte(&v->text, '\n');
	for (const char *line = c->findings, *end; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		buffer_printf(&v->text, "  %.*s\n", (int)(end - line), line);
		if (!*end)
			break;
	}
}

static void say_json(struct verification *v, const char *path, bool whole,
		     const struct segment_check *c, const char *error)
{
	struct json *j = &v->json;

	json_open_object(j, NULL);
	json_string(j, "path", path);
	json_bool(j, "whole", whole);
	json_string(j, "error", error);
	if (c) {
		json_bool(j, "sealed", c->sealed);
		json_uint(j, "bytes", c->bytes);
		json_uint(j, "frames", c->frames);
		json_uint(j, "epochs", c->epochs);
		json_uint(j, "samples", c->samples);
		json_uint(j, "rows", c->rows);
		json_uint(j, "records", c->records);
		json_uint(j, "skipped_frames", c->skipped_frames);
		json_uint(j, "skipped_records", c->skipped_records);
		json_uint(j, "torn_bytes", c->torn_bytes);
		json_open_array(j, "findings");
		for (const char *line = c->findings, *end; *line; line = end + (*end != 0)) {
			end = strchrnul(line, '\n');
			json_string_n(j, NULL, line, (size_t)(end - line));
		}
		json_close_array(j);
	}
	json_close_object(j);
}

static void say_unreadable(struct verification *v, const char *path, int error)
{
	v->files++;
	if (v->as_json) {
		say_json(v, path, false, NULL, strerror(-error));
		return;
	}
	text_put_safe(&v->text, path, strlen(path));
	buffer_printf(&v->text, ": cannot be read: %s\n", strerror(-error));
}

static void verify_one(struct verification *v, const char *path, bool named)
{
	struct segment_check c;
	int r = segment_verify(path, &c);

	if (r == -ENOENT && !named)
		return;
	if (r < 0 && r != -EBADMSG) {
		say_unreadable(v, path, r);
		return;
	}
	v->files++;
	v->whole += r == 0;
	if (v->as_json)
		say_json(v, path, r == 0, &c, NULL);
	else if (r < 0 || !v->quiet)
		say_text(v, path, &c);
	free(c.findings);
}

static void verify_all(struct verification *v, const char *path)
{
	char **paths;
	size_t n;
	int r = segment_find(path, &paths, &n);

	if (r == -ENOENT && access(path, F_OK) == 0)
		return; /* a directory without segments */
	if (r < 0) {
		say_unreadable(v, path, r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		verify_one(v, paths[i], strcmp(paths[i], path) == 0);
	segment_paths_free(paths, n);
}

static int finish(struct verification *v)
{
	if (v->as_json) {
		json_close_array(&v->json);
		json_uint(&v->json, "files", v->files);
		json_uint(&v->json, "whole", v->whole);
		json_close_object(&v->json);
		buffer_put_byte(&v->text, '\n');
	}
	if (v->text.error) {
		fprintf(stderr, "ebpf-profiler verify: out of memory\n");
		return EXIT_FAILED;
	}
	if (v->text.size && fwrite(v->text.data, v->text.size, 1, stdout) != 1)
		return EXIT_FAILED;
	if (v->files == 0) {
		fprintf(stderr, "ebpf-profiler verify: there are no segments\n");
		return EXIT_NO_DATA;
	}
	return v->whole == v->files ? EXIT_OK : EXIT_FAILED;
}

int cmd_verify(int argc, char **argv)
{
	struct verification v = { 0 };
	int r = parse_options(argc, argv, &v);

	if (r)
		return r - 1;
	if (v.as_json) {
		json_init(&v.json, &v.text, true);
		json_open_object(&v.json, NULL);
		json_open_array(&v.json, "segments");
	}
	for (int i = optind; i < argc; i++)
		verify_all(&v, argv[i]);
	r = finish(&v);
	buffer_done(&v.text);
	return r;
}
