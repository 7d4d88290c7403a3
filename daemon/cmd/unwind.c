// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler unwind: what is known of unwinding the stacks of a program or library, as the BPF
 * unwinder gets it: how much, of which kinds, at one address, or all of it; and what came of it in
 * recordings.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/unwind_observed.h"
#include "profile/profile.h"
#include "symbols/build_id.h"
#include "symbols/vdso.h"
#include "unwind/unwind_sections.h"
#include "unwind/unwind_table.h"
#include "unwind/unwind_text.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/open_file.h"
#include "util/parse.h"

#define VDSO_NAME "[vdso]"
#define DEFAULT_SINCE "-1h" /* of what the daemon records */
#define MAX_SOURCES 64

struct unwinding {
	bool as_json, dump, vdso, has_pc;
	uint64_t pc;
	const char **files;
	size_t n_files;
	const char *sources[MAX_SOURCES]; /* of observations; none: what the daemon records */
	size_t n_sources;
	uint64_t since_ns; /* CLOCK_REALTIME; 0: not asked for */
	struct observed observed;
	struct buffer text;
	struct json json;
	bool failed; /* a file could not be read */
	bool told; /* at least one tells something */
};

/* One file's table and what it was made of. */
struct subject {
	const char *path;
	struct unwind_table *table;
	struct code_segments code;
	uint64_t build_ns;
	char build_id[2 * BUILD_ID_MAX + 1]; /* "": none */
};

static void help(void)
{
	printf("Usage: ebpf-profiler unwind [OPTION]... [FILE]...\n\n"
	       "Shows what is known of unwinding the stacks of programs and libraries, read from "
	       "their\n.eh_frame: rows of 8 bytes, how much of the code they describe; and what was "
	       "observed of them:\nreturn addresses that were checked, the share that follows a call, "
	       "stacks that ended there\nwithout reaching a root. Without FILE all binaries that were "
	       "observed.\n\n"
	       "  -b, --binary=FILE    the same as FILE; may be given several times\n"
	       "      --vdso           this host's vDSO, too\n"
	       "      --pc=ADDRESS     the rules at one address, as nm and objdump print it\n"
	       "      --dump           every row: address, CFA, caller's frame pointer, return "
	       "address\n"
	       "      --observed=PATH  segments to take observations from; may be given several times.\n"
	       "                       Default: the last hour of %s\n"
	       "      --since=WHEN     observations from here on: -5m, 10:00, '2026-01-31 10:00:30'\n"
	       "      --json           one JSON document\n"
	       "  -h, --help           this text\n\n"
	       "Exit codes: 0 something is known of every file, or of the address, 1 a file could "
	       "not be\nread, 2 wrong usage, 7 nothing is known\n",
	       PROFILE_STATE_DIRECTORY);
}

static int parse_pc(struct unwinding *u, const char *value)
{
	if (parse_u64(value, &u->pc) < 0) {
		fprintf(stderr,
			"ebpf-profiler unwind: '%s' is no address; write it like 0x1a2b3c\n",
			value);
		return EXIT_USAGE + 1;
	}
	u->has_pc = true;
	return 0;
}

static int check_usage(const struct unwinding *u)
{
	const char *wrong = NULL;

	if (u->n_files == 0 && !u->vdso && (u->has_pc || u->dump))
		wrong = "name a program or library";
	else if (u->has_pc && u->dump)
		wrong = "--pc shows one row, --dump all: choose one of them";
	else if (u->has_pc && u->n_files + u->vdso > 1)
		wrong = "an address is one file's: name one file with --pc";
	if (!wrong)
		return 0;
	fprintf(stderr, "ebpf-profiler unwind: %s; 'ebpf-profiler unwind --help' tells more\n",
		wrong);
	return EXIT_USAGE + 1;
}

static int parse_since(struct unwinding *u, const char *value)
{
	if (parse_moment(value, clock_ns(CLOCK_REALTIME), &u->since_ns) == 0)
		return 0;
	fprintf(stderr,
		"ebpf-profiler unwind: --since=%s is not a moment like -5m, 10:00, '2026-01-31 "
		"10:00:30' or @SECONDS\n",
		value);
	return EXIT_USAGE + 1;
}

static int add_source(struct unwinding *u, const char *value)
{
	if (u->n_sources == MAX_SOURCES) {
		fprintf(stderr, "ebpf-profiler unwind: at most %d paths to observations\n",
			MAX_SOURCES);
		return EXIT_USAGE + 1;
	}
	u->sources[u->n_sources++] = value;
	return 0;
}

/* 0: go on; otherwise the exit code + 1. */
static int parse_options(int argc, char **argv, struct unwinding *u)
{
	enum { OPT_JSON = 256, OPT_VDSO, OPT_PC, OPT_DUMP, OPT_OBSERVED, OPT_SINCE };
	static const struct option options[] = {
		{ "binary", required_argument, NULL, 'b' },
		{ "vdso", no_argument, NULL, OPT_VDSO },
		{ "pc", required_argument, NULL, OPT_PC },
		{ "dump", no_argument, NULL, OPT_DUMP },
		{ "observed", required_argument, NULL, OPT_OBSERVED },
		{ "since", required_argument, NULL, OPT_SINCE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt, r = 0;

	while (r == 0 && (opt = getopt_long(argc, argv, "b:h", options, NULL)) >= 0) {
		switch (opt) {
		case 'b':
			u->files[u->n_files++] = optarg;
			break;
		case OPT_VDSO:
			u->vdso = true;
			break;
		case OPT_PC:
			r = parse_pc(u, optarg);
			break;
		case OPT_DUMP:
			u->dump = true;
			break;
		case OPT_OBSERVED:
			r = add_source(u, optarg);
			break;
		case OPT_SINCE:
			r = parse_since(u, optarg);
			break;
		case OPT_JSON:
			u->as_json = true;
			break;
		case 'h':
			help();
			return EXIT_OK + 1;
		default:
			fprintf(stderr, "'ebpf-profiler unwind --help' lists the options\n");
			return EXIT_USAGE + 1;
		}
	}
	while (r == 0 && optind < argc)
		u->files[u->n_files++] = argv[optind++];
	return r ? r : check_usage(u);
}

static const char *sentence(int error)
{
	switch (error) {
	case -ENOEXEC:
		return "no 64-bit little-endian program or library with code";
	case -EOPNOTSUPP:
		return "neither for x86-64 nor for arm64";
	case -EBADMSG:
		return "its ELF header is damaged";
	case -E2BIG:
		return "it has more call frame information than one file may bring";
	case -ENODATA:
		return "this kernel maps no vDSO";
	default:
		return strerror(-error);
	}
}

static int subject_build(struct subject *s, const struct elf_source *source, bool vdso)
{
	struct build_id id = { 0 };
	struct elf_file f;
	uint64_t begin = now_ns();
	int r = elf_file_open(source, &f);

	if (r < 0)
		return r;
	elf_file_build_id(&f, &id);
	build_id_format(&id, s->build_id);
	code_segments_find(&f, &s->code);
	r = vdso ? unwind_table_build_vdso(&s->table) : unwind_table_build(&f, &s->table);
	s->build_ns = now_ns() - begin;
	elf_file_done(&f);
	return r;
}

static int subject_open(struct subject *s, const char *path)
{
	bool vdso = path == NULL;
	_cleanup_close_ int fd = vdso ? -1 : open_regular(path);
	struct elf_source source;
	int r;

	*s = (struct subject){ .path = vdso ? VDSO_NAME : path };
	if (!vdso && fd < 0)
		return fd;
	r = vdso ? vdso_source(&source) : elf_source_from_fd(fd, NULL, &source);
	return r < 0 ? r : subject_build(s, &source, vdso);
}

static uint64_t address_of(const struct subject *s, uint32_t pc)
{
	uint64_t address = s->table->base + pc;

	code_segments_address(&s->code, address, &address);
	return address;
}

static const struct unwind_row *row_at(struct subject *s, uint64_t address)
{
	uint64_t offset, left;

	return code_segments_offset(&s->code, address, &offset, &left)
		       ? unwind_table_find(s->table, offset)
		       : NULL;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Code whose rows a stack can be unwound by, or rightly ended at. */
static uint64_t usable_bytes(const struct unwind_summary *s)
{
	return s->covered_bytes - MIN(s->bytes_by_kind[ROW_UNSUPPORTED], s->covered_bytes);
}

static void put_head(struct unwinding *u)
{
	if (u->text.size == 0)
		buffer_printf(&u->text, "%9s %8s %8s %9s %9s %8s %8s %8s %8s %8s %6s  %-11s %s\n",
			      "ROWS", "SIZE", "TEXT", "COVERED", "USABLE", "ROOTS", "DAMAGED",
			      "TIME", "CHECKED", "RIGHT", "STOPS", "SOURCE", "FILE");
}

/* Wrong ones are never rounded away. */
static void put_observation(struct unwinding *u, const struct observation *o)
{
	char right[32] = "-";
	double share = o && o->checked ? percent(o->right, o->checked) : 0;

	if (!o) {
		buffer_printf(&u->text, " %8s %8s %6s", "-", "-", "-");
		return;
	}
	if (o->checked)
		snprintf(right, sizeof(right), "%.2f%%",
			 o->right < o->checked ? MIN(share, 99.99) : share);
	buffer_printf(&u->text, " %8" PRIu64 " %8s %6" PRIu64, o->checked, right, o->stops);
}

static void put_summary(struct unwinding *u, const struct subject *s)
{
	const struct unwind_summary *summary = s->table->summary;
	char size[32], text[32], time[32];

	put_head(u);
	buffer_printf(&u->text, "%9" PRIu32 " %8s %8s %8.2f%% %8.2f%% %8" PRIu32 " %8" PRIu32,
		      s->table->n_rows, format_size(s->table->block_size, size, sizeof(size)),
		      format_size(summary->text_bytes, text, sizeof(text)),
		      percent(summary->covered_bytes, summary->text_bytes),
		      percent(usable_bytes(summary), summary->covered_bytes),
		      summary->rows_by_kind[ROW_END], summary->damaged);
	snprintf(time, sizeof(time), "%.1f ms", (double)s->build_ns / (double)NSEC_PER_MSEC);
	buffer_printf(&u->text, " %8s", time);
	put_observation(u, observed_find(&u->observed, s->path, s->build_id));
	buffer_printf(&u->text, "  %-11s ",
		      summary->go ? "go" : unwind_source_name(summary->source));
	text_put_safe(&u->text, s->path, strlen(s->path));
	buffer_put_byte(&u->text, '\n');
}

static void put_row(struct unwinding *u, const struct subject *s, uint64_t address,
		    const struct unwind_row *row)
{
	buffer_printf(&u->text, "%016" PRIx64 " ", address);
	unwind_text_put(&u->text, (uint16_t)s->table->summary->machine, row);
	buffer_put_byte(&u->text, '\n');
}

static void put_dump(struct unwinding *u, const struct subject *s)
{
	if (u->n_files + u->vdso > 1) {
		text_put_safe(&u->text, s->path, strlen(s->path));
		buffer_printf(&u->text, ":\n");
	}
	for (uint32_t i = 0; i < s->table->n_rows; i++)
		put_row(u, s, address_of(s, s->table->rows[i].pc), &s->table->rows[i]);
}

static void put_pc(struct unwinding *u, const struct subject *s, const struct unwind_row *row)
{
	if (row)
		put_row(u, s, u->pc, row);
	else
		fprintf(stderr, "ebpf-profiler unwind: nothing is known of address 0x%" PRIx64 "\n",
			u->pc);
}

static void json_row(struct json *j, const struct subject *s, uint64_t address,
		     const struct unwind_row *row)
{
	struct unwind_words w;

	unwind_text_words((uint16_t)s->table->summary->machine, row, &w);
	json_uint(j, "address", address);
	json_string(j, "kind", unwind_kind_name(ROW_CFA(row->rule)));
	json_string(j, "cfa", w.cfa);
	json_string(j, "fp", w.fp[0] ? w.fp : NULL);
	json_string(j, "ra", w.ra[0] ? w.ra : NULL);
}

static void json_observation(struct json *j, const struct observation *o)
{
	json_string(j, "build_id", o->build_id);
	json_uint(j, "checked", o->checked);
	json_uint(j, "right", o->right);
	if (o->checked)
		json_double(j, "confidence_percent", percent(o->right, o->checked));
	else
		json_string(j, "confidence_percent", NULL);
	json_uint(j, "stops", o->stops);
}

static void json_kinds(struct json *j, const struct unwind_summary *summary)
{
	json_open_object(j, "kinds");
	for (unsigned int kind = 0; kind < UNWIND_KINDS; kind++) {
		json_open_object(j, unwind_kind_name(kind));
		json_uint(j, "rows", summary->rows_by_kind[kind]);
		json_uint(j, "bytes", summary->bytes_by_kind[kind]);
		json_close_object(j);
	}
	json_close_object(j);
}

static void json_rows(struct json *j, const struct subject *s)
{
	json_open_array(j, "table");
	for (uint32_t i = 0; i < s->table->n_rows; i++) {
		json_open_object(j, NULL);
		json_row(j, s, address_of(s, s->table->rows[i].pc), &s->table->rows[i]);
		json_close_object(j);
	}
	json_close_array(j);
}

static void put_json(struct unwinding *u, const struct subject *s, const struct unwind_row *at_pc)
{
	const struct observation *observed = observed_find(&u->observed, s->path, s->build_id);
	const struct unwind_summary *summary = s->table->summary;
	struct json *j = &u->json;

	json_string(j, "source", unwind_source_name(summary->source));
	json_bool(j, "go", summary->go);
	json_uint(j, "rows", s->table->n_rows);
	json_uint(j, "bytes", s->table->block_size);
	json_uint(j, "functions", summary->functions);
	json_uint(j, "text_bytes", summary->text_bytes);
	json_uint(j, "covered_bytes", summary->covered_bytes);
	json_uint(j, "usable_bytes", usable_bytes(summary));
	json_uint(j, "damaged", summary->damaged);
	json_uint(j, "outside", summary->outside);
	json_uint(j, "build_ns", s->build_ns);
	json_kinds(j, summary);
	if (observed) {
		json_open_object(j, "observed");
		json_observation(j, observed);
		json_close_object(j);
	} else {
		json_string(j, "observed", NULL);
	}
	if (u->dump)
		json_rows(j, s);
	if (at_pc) {
		json_open_object(j, "row");
		json_row(j, s, u->pc, at_pc);
		json_close_object(j);
	}
}

static void tell(struct unwinding *u, struct subject *s)
{
	const struct unwind_row *at_pc = u->has_pc ? row_at(s, u->pc) : NULL;

	u->told |= u->has_pc ? at_pc != NULL : s->table->n_rows > 0 || s->table->summary->go;
	if (u->as_json)
		put_json(u, s, at_pc);
	else if (u->has_pc)
		put_pc(u, s, at_pc);
	else if (u->dump)
		put_dump(u, s);
	else
		put_summary(u, s);
}

/* NULL: the vDSO. */
static void tell_file(struct unwinding *u, const char *path)
{
	struct subject s;
	int r = subject_open(&s, path);

	if (u->as_json) {
		json_open_object(&u->json, NULL);
		json_string(&u->json, "file", s.path);
		json_string(&u->json, "error", r < 0 ? sentence(r) : NULL);
	}
	if (r < 0) {
		char safe[256];

		u->failed = true;
		fprintf(stderr, "ebpf-profiler unwind: %s: %s\n",
			text_safe(s.path, safe, sizeof(safe)), sentence(r));
	} else {
		tell(u, &s);
	}
	if (u->as_json)
		json_close_object(&u->json);
	unwind_table_free(s.table);
}

static int finish(struct unwinding *u)
{
	if (u->as_json) {
		json_close_array(&u->json);
		json_close_object(&u->json);
		buffer_put_byte(&u->text, '\n');
	}
	if (u->text.error) {
		fprintf(stderr, "ebpf-profiler unwind: out of memory\n");
		return EXIT_FAILED;
	}
	if (u->text.size && fwrite(u->text.data, u->text.size, 1, stdout) != 1)
		return EXIT_FAILED;
	if (u->failed)
		return EXIT_FAILED;
	return u->told ? EXIT_OK : EXIT_NO_DATA;
}

/* --- what was observed --- */

/* What the daemon records may not be there, or not for us; what was named must be. */
static int load_observed(struct unwinding *u)
{
	const char *defaults[] = { PROFILE_STATE_DIRECTORY };
	const char **sources = u->n_sources ? u->sources : defaults;
	uint64_t since_ns = u->since_ns;

	if (!u->n_sources && !since_ns)
		(void)parse_moment(DEFAULT_SINCE, clock_ns(CLOCK_REALTIME), &since_ns);
	for (size_t i = 0; i < MAX(u->n_sources, (size_t)1); i++) {
		_cleanup_free_ char *error = NULL;
		int r = observed_add(&u->observed, sources[i], since_ns, &error);

		if (r == 0 || (!u->n_sources && u->n_files + u->vdso))
			continue;
		fprintf(stderr, "ebpf-profiler unwind: %s%s%s\n", error ? error : sources[i],
			error ? "" : ": ",
			error		? ""
			: r == -ENOENT	? "there is no segment"
					: strerror(-r));
		return r == -ENOENT ? EXIT_NO_DATA : EXIT_FAILED;
	}
	observed_sort(&u->observed);
	return EXIT_OK;
}

/* A binary that was observed and is not there any more, or is another one by now. */
static void tell_absent(struct unwinding *u, const struct observation *o, const char *why)
{
	if (u->as_json) {
		json_open_object(&u->json, NULL);
		json_string(&u->json, "file", o->path);
		json_string(&u->json, "error", why);
		json_open_object(&u->json, "observed");
		json_observation(&u->json, o);
		json_close_object(&u->json);
		json_close_object(&u->json);
		return;
	}
	put_head(u);
	buffer_printf(&u->text, "%9s %8s %8s %9s %9s %8s %8s %8s", "-", "-", "-", "-", "-", "-",
		      "-", "-");
	put_observation(u, o);
	buffer_printf(&u->text, "  %-11s ", "-");
	text_put_safe(&u->text, o->path, strlen(o->path));
	buffer_printf(&u->text, " (%s)\n", why);
}

static void tell_observed(struct unwinding *u, const struct observation *o)
{
	bool vdso = strcmp(o->path, VDSO_NAME) == 0;
	struct subject s;
	int r = subject_open(&s, vdso ? NULL : o->path);

	u->told = true;
	if (r < 0) {
		tell_absent(u, o, sentence(r));
	} else if (!vdso && strcmp(s.build_id, o->build_id) != 0) {
		tell_absent(u, o, "another file is there now");
	} else {
		if (u->as_json) {
			json_open_object(&u->json, NULL);
			json_string(&u->json, "file", s.path);
			json_string(&u->json, "error", NULL);
		}
		tell(u, &s);
		if (u->as_json)
			json_close_object(&u->json);
	}
	unwind_table_free(s.table);
}

static int unwind(struct unwinding *u)
{
	int r = u->has_pc || u->dump ? EXIT_OK : load_observed(u);

	if (r != EXIT_OK)
		return r;
	if (u->as_json) {
		json_init(&u->json, &u->text, true);
		json_open_object(&u->json, NULL);
		json_open_array(&u->json, "files");
	}
	for (size_t i = 0; i < u->n_files; i++)
		tell_file(u, u->files[i]);
	if (u->vdso)
		tell_file(u, NULL);
	for (size_t i = 0; u->n_files + u->vdso == 0 && i < u->observed.n; i++)
		tell_observed(u, &u->observed.list[i]);
	return finish(u);
}

int cmd_unwind(int argc, char **argv)
{
	_cleanup_free_ const char **files = calloc((size_t)argc, sizeof(*files));
	struct unwinding u = { .files = files };
	int r;

	if (!files) {
		fprintf(stderr, "ebpf-profiler unwind: out of memory\n");
		return EXIT_FAILED;
	}
	r = parse_options(argc, argv, &u);
	if (r)
		return r - 1;
	r = unwind(&u);
	observed_done(&u.observed);
	buffer_done(&u.text);
	return r;
}
