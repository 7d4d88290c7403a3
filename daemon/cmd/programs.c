// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler programs: our BPF programs in the kernel, and users' own objects beside them.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "programs/program_list.h"
#include "programs/program_store.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/parse.h"

struct options {
	const char *store, *program;
	struct program_attach where;
	bool json, maps;
	char **arguments;
	int n_arguments;
};

static void help(void)
{
	printf("Usage: ebpf-profiler programs [OPTION]...\n"
	       "       ebpf-profiler programs load FILE\n"
	       "       ebpf-profiler programs attach|detach|unload FILE|ID [OPTION]...\n\n"
	       "Lists the BPF programs of ebpf-profiler that are in the kernel: of the daemon, of "
	       "every other\nprocess of it, and of users' own objects. Run counts and times are there "
	       "when the kernel\nkeeps them: sysctl kernel.bpf_stats_enabled=1.\n\n"
	       "load      checks an object file, gives it to the kernel, prints its ID\n"
	       "attach    attaches its programs, of XDP, TC, kprobe, tracepoint, tracing or LSM "
	       "type;\n          a FILE is loaded first\n"
	       "detach    undoes that\n"
	       "unload    detaches, and takes the object out of the kernel\n\n"
	       "      --json              one JSON document\n"
	       "      --maps              the maps of each program, too\n"
	       "  -p, --program=NAME      of the object, only this one\n"
	       "      --to=TARGET         network interface; kernel function; CATEGORY/NAME of a\n"
	       "                          tracepoint; default: as the program's section says\n"
	       "      --mode=MODE         of XDP: native or generic; of TC: link or filter; default:\n"
	       "                          the first that works\n"
	       "      --egress            of TC: what leaves; default: what comes in\n"
	       "      --store=DIR         BPF file system directory (" PROGRAM_STORE ")\n"
	       "  -h, --help              this text\n\n"
	       "Exit codes: 0 done, 1 failed, 2 wrong usage, 4 not allowed\n");
}

/* 0: go on; -1: done; > 0: an exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
	enum { TO = 256, MODE, EGRESS, STORE, MAPS };
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "maps", no_argument, NULL, MAPS },
		{ "program", required_argument, NULL, 'p' },
		{ "to", required_argument, NULL, TO },
		{ "mode", required_argument, NULL, MODE },
		{ "egress", no_argument, NULL, EGRESS },
		{ "store", required_argument, NULL, STORE },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*o = (struct options){ .store = PROGRAM_STORE };
	while ((c = getopt_long(argc, argv, "p:h", options, NULL)) != -1)
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case MAPS:
			o->maps = true;
			break;
		case 'p':
			o->program = optarg;
			break;
		case TO:
			o->where.target = optarg;
			break;
		case MODE:
			o->where.mode = optarg;
			break;
		case EGRESS:
			o->where.egress = true;
			break;
		case STORE:
			o->store = optarg;
			break;
		case 'h':
			help();
			return -1;
		default:
			return EXIT_USAGE;
		}
	o->arguments = argv + optind;
	o->n_arguments = argc - optind;
	if (o->program && (strchr(o->program, '/') || !*o->program)) {
		fprintf(stderr, "ebpf-profiler: '%s' is no name of a program\n", o->program);
		return EXIT_USAGE;
	}
	return 0;
}

/* --- the list --- */

/* Of CLOCK_BOOTTIME, as a moment. */
static uint64_t wall_ns(uint64_t boot_ns)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) + boot_ns;
}

static uint64_t map_bytes(const struct program *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n_maps; i++)
		bytes += p->maps[i].bytes;
	return bytes;
}

static void put_program(struct json *j, const struct program *p, bool counts_runs)
{
	json_open_object(j, NULL);
	json_uint(j, "id", p->id);
	json_string(j, "name", p->name);
	json_string(j, "type", program_type_name(p->type));
	json_string(j, "holder", p->holder);
	if (p->pid)
		json_int(j, "pid", p->pid);
	json_uint(j, "loaded_ns", wall_ns(p->loaded_ns));
	if (counts_runs) {
		json_uint(j, "runs", p->runs);
		json_uint(j, "run_ns", p->run_ns);
	}
	json_uint(j, "missed", p->missed);
	json_uint(j, "verified_instructions", p->verified);
	json_uint(j, "translated_bytes", p->translated_bytes);
	json_uint(j, "machine_code_bytes", p->machine_code_bytes);
	json_uint(j, "attachments", p->n_attachments);
	json_open_array(j, "attached");
	for (size_t i = 0; i < MIN(p->n_attachments, (size_t)PROGRAM_ATTACHMENTS); i++)
		json_string(j, NULL, p->attachments[i]);
	json_close_array(j);
	json_open_array(j, "maps");
	for (size_t i = 0; i < p->n_maps; i++) {
		const struct program_map *m = &p->maps[i];

		json_open_object(j, NULL);
		json_uint(j, "id", m->id);
		json_string(j, "name", m->name);
		json_string(j, "type", program_map_type_name(m->type));
		json_uint(j, "key_bytes", m->key_size);
		json_uint(j, "value_bytes", m->value_size);
		json_uint(j, "max_entries", m->max_entries);
		json_uint(j, "bytes", m->bytes);
		json_close_object(j);
	}
	json_close_array(j);
	json_close_object(j);
}

static void put_json(const struct program_list *l, struct buffer *out)
{
	struct json j;

	json_init(&j, out, true);
	json_open_object(&j, NULL);
	json_bool(&j, "counts_runs", l->counts_runs);
	json_open_array(&j, "programs");
	for (size_t i = 0; i < l->n; i++)
		put_program(&j, l->list[i], l->counts_runs);
	json_close_array(&j);
	json_close_object(&j);
}

/* "tracepoint sched_switch", or the first of many and how many there are. */
static void put_attachments(const struct program *p, struct buffer *out)
{
	if (p->n_attachments == 0)
		buffer_printf(out, "-");
	else
		text_put_safe(out, p->attachments[0], strlen(p->attachments[0]));
	if (p->n_attachments > 1)
		buffer_printf(out, " (%zu times)", p->n_attachments);
}

static void put_text(const struct program_list *l, bool maps, struct buffer *out)
{
	const char *holder = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const struct program *p = l->list[i];
		char memory[32], since[32];
		time_t t = (time_t)(wall_ns(p->loaded_ns) / NSEC_PER_SEC);
		struct tm tm;

		if (!holder || strcmp(holder, p->holder) != 0 ||
		    (p->pid && p->pid != l->list[i - 1]->pid)) {
			buffer_printf(out, "%s", i ? "\n" : "");
			text_put_safe(out, p->holder, strlen(p->holder));
			if (p->pid)
				buffer_printf(out, "  (pid %d)", (int)p->pid);
			buffer_printf(out, "\n  %6s %-15s %-15s %12s %9s %8s %9s  %-19s %s\n", "id",
				      "name", "type", "runs", "ns each", "insns", "maps", "since",
				      "attached");
			holder = p->holder;
		}
		localtime_r(&t, &tm);
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &tm);
		buffer_printf(out, "  %6u %-15s %-15s ", p->id, p->name,
			      program_type_name(p->type));
		if (l->counts_runs && p->runs)
			buffer_printf(out, "%12" PRIu64 " %9" PRIu64 " ", p->runs,
				      p->run_ns / p->runs);
		else
			buffer_printf(out, "%12s %9s ", l->counts_runs ? "0" : "-", "-");
		buffer_printf(out, "%8u %9s  %-19s ", p->verified,
			      format_size(map_bytes(p), memory, sizeof(memory)), since);
		put_attachments(p, out);
		buffer_put_byte(out, '\n');
		for (size_t k = 0; maps && k < p->n_maps; k++) {
			const struct program_map *m = &p->maps[k];

			buffer_printf(out, "         map %u %s: %s, %u x (%u + %u) bytes, %s\n",
				      m->id, m->name, program_map_type_name(m->type),
				      m->max_entries, m->key_size, m->value_size,
				      format_size(m->bytes, memory, sizeof(memory)));
		}
	}
	if (l->n == 0)
		buffer_printf(out, "no BPF program of ebpf-profiler is in the kernel\n");
	else if (!l->counts_runs)
		buffer_printf(out, "\nThe kernel does not count runs: sysctl "
				   "kernel.bpf_stats_enabled=1 (it costs 20 ns a run)\n");
}

static int list(const struct options *o)
{
	_cleanup_(buffer_donep) struct buffer out = {};
	struct program_list l;
	int r = program_list_read(o->store, &l);

	if (r == -EPERM) {
		fprintf(stderr, "ebpf-profiler: we may not ask the kernel for its BPF programs "
				"(CAP_SYS_ADMIN)\n");
		return EXIT_PRIVILEGE;
	}
	if (r < 0) {
		fprintf(stderr, "ebpf-profiler: cannot list BPF programs: %s\n", strerror(-r));
		return EXIT_FAILED;
	}
	if (o->json)
		put_json(&l, &out);
	else
		put_text(&l, o->maps, &out);
	program_list_done(&l);
	return !out.error && fwrite(out.data, 1, out.size, stdout) == out.size ? EXIT_OK :
										 EXIT_FAILED;
}

/* --- users' objects --- */

static int tell(int r, const char *error)
{
	if (r == 0)
		return EXIT_OK;
	fprintf(stderr, "ebpf-profiler: %s\n", error ? error : strerror(-r));
	return r == -EPERM || r == -EACCES ? EXIT_PRIVILEGE : EXIT_FAILED;
}

static bool is_handle(const char *s, unsigned int *ret)
{
	uint64_t v;

	if (!*s || s[strspn(s, "0123456789")] != 0 || parse_u64(s, &v) < 0 || v > UINT32_MAX)
		return false;
	*ret = (unsigned int)v;
	return true;
}

static int load(const struct options *o, const char *file)
{
	_cleanup_free_ char *error = NULL;
	unsigned int handle;
	int r = program_store_load(o->store, file, &handle, &error);

	if (r == 0)
		printf("%u\n", handle);
	return tell(r, error);
}

static int attach(const struct options *o, const char *what)
{
	_cleanup_free_ char *error = NULL, *done = NULL, *ignored = NULL;
	unsigned int handle;
	bool loaded = !is_handle(what, &handle);
	int r = loaded ? program_store_load(o->store, what, &handle, &error) : 0;

	if (r < 0)
		return tell(r, error);
	r = program_store_attach(o->store, handle, o->program, &o->where, &done, &error);
	if (r == 0)
		printf("%s%u %s", loaded ? "loaded " : "", handle, done);
	else if (loaded)
		(void)program_store_unload(o->store, handle, &ignored);
	return tell(r, error);
}

static int detach(const struct options *o, const char *what)
{
	_cleanup_free_ char *error = NULL;
	unsigned int handle;
	int r = is_handle(what, &handle) ? 0 :
					   program_store_find(o->store, what, &handle, &error);

	if (r == 0)
		r = program_store_detach(o->store, handle, o->program, &error);
	return tell(r, error);
}

static int unload(const struct options *o, const char *what)
{
	_cleanup_free_ char *error = NULL;
	unsigned int handle;
	int r = is_handle(what, &handle) ? 0 :
					   program_store_find(o->store, what, &handle, &error);

	if (r == 0)
		r = program_store_unload(o->store, handle, &error);
	return tell(r, error);
}

int cmd_programs(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *o, const char *what);
	} actions[] = {
		{ "load", load },
		{ "attach", attach },
		{ "detach", detach },
		{ "unload", unload },
	};
	struct options o;
	int r = parse_options(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	if (o.n_arguments == 0)
		return list(&o);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(o.arguments[0], actions[i].name) == 0 && o.n_arguments == 2)
			return actions[i].run(&o, o.arguments[1]);
	fprintf(stderr, "ebpf-profiler: programs takes nothing, or load, attach, detach or unload with "
			"one FILE or ID\n");
	return EXIT_USAGE;
}
