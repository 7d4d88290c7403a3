// SPDX-License-Identifier: Apache-2.0
/*
 * Loads each program of BPF objects and says what the verifier had to do for it: all of an object at
 * once, for to look all types up in the kernel's description is most of the work, or, where the kernel
 * refuses one of them, each alone.
 *
 *   verify_programs OBJECT...
 *
 * One line per program, fields separated by tabs:
 *
 *   accepted  OBJECT PROGRAM PROCESSED LENGTH   instructions the verifier processed (0: this kernel
 *                                               does not say), and those the program has
 *   unknown   OBJECT PROGRAM HELPER             this kernel does not have what the program calls
 *   refused   OBJECT PROGRAM ERROR              followed by "log" lines
 *   log       OBJECT PROGRAM TEXT               the verifier's words, the last LOG_LINES of them
 *
 * The exit code is 0 when everything was tried, whatever the kernel said.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/btf.h"
#include "host/kernel.h"
#include "util/cleanup.h"

#define LOG_BYTES (1U << 20)
#define STATISTICS_BYTES 4096U
#define LOG_LINES 100
#define LOG_STATISTICS 4 /* BPF_LOG_STATS, since Linux 5.2 */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int be_silent(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level;
	(void)format;
	(void)ap;
	return 0;
}

/* A kernel without some kind of map can still verify the programs that use none. */
static void leave_rings_out(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF ||
						  bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE ||
						  bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		bpf_map__set_autocreate(map, false);
}

/* 0 or a negative errno; `log` holds the verifier's words. */
static int load_one(const char *path, const char *name, const char *btf, bool rings, int log_level,
		    char *log, size_t *ret_length)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = btf, .kernel_log_buf = log,
		    .kernel_log_size = LOG_BYTES, .kernel_log_level = (uint32_t)log_level);
	struct bpf_object *object;
	struct bpf_program *program;
	int r;

	*log = 0;
	object = bpf_object__open_file(path, &options);
	if (!object)
		return -errno;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	if (!rings)
		leave_rings_out(object);
	r = bpf_object__load(object);
	program = bpf_object__find_program_by_name(object, name);
	*ret_length = program ? bpf_program__insn_cnt(program) : 0;
	bpf_object__close(object);
	return r;
}

static unsigned long processed(const char *log)
{
	const char *text = strstr(log, "processed ");

	return text ? strtoul(text + strlen("processed "), NULL, 10) : 0;
}

static void print_log(const char *object, const char *name, char *log)
{
	size_t lines = 0, line = 0;

	for (const char *c = log; *c; c++)
		lines += *c == '\n';
	for (char *text = strtok(log, "\n"); text; text = strtok(NULL, "\n"))
		if (++line + LOG_LINES > lines)
			printf("log\t%s\t%s\t%s\n", object, name, text);
}

/*
 * "unknown func bpf_task_storage_get#156" or "invalid func unknown#158": a helper that came after this
 * kernel. Numbers beyond those of helpers are what libbpf puts where the kernel has no such field.
 */
static bool print_unknown(const char *object, const char *name, const char *log)
{
	const char *words = strstr(log, "unknown func bpf_");

	if (!words)
		words = strstr(log, "invalid func unknown#");
	if (!words || strtoul(words + strcspn(words, "#") + 1, NULL, 10) > 9999)
		return false;
	printf("unknown\t%s\t%s\t%.*s\n", object, name, (int)strcspn(words, "\n"), words);
	return true;
}

static void verify(const char *path, const char *name, const char *btf, char *log)
{
	const char *object = base_name(path);
	bool rings = true;
	size_t length = 0;
	int r;

	r = load_one(path, name, btf, rings, LOG_STATISTICS, log, &length);
	if (r < 0 && !strstr(log, "processed ")) {
		rings = false;
		r = load_one(path, name, btf, rings, LOG_STATISTICS, log, &length);
	}
	if (r < 0 && !*log)
		r = load_one(path, name, btf, rings, 1, log, &length);
	if (r == 0) {
		printf("accepted\t%s\t%s\t%lu\t%zu\n", object, name, processed(log), length);
		return;
	}
	load_one(path, name, btf, rings, 1, log, &length);
	if (print_unknown(object, name, log))
		return;
	printf("refused\t%s\t%s\t%s\n", object, name, strerror(-r));
	print_log(object, name, log);
}

static size_t count_programs(struct bpf_object *object)
{
	struct bpf_program *program;
	size_t n = 0;

	bpf_object__for_each_program(program, object) n++;
	return n;
}

/* False where the kernel does not take all of them; nothing is printed then. */
static bool verify_together(struct bpf_object *object, const char *name)
{
	_cleanup_free_ char *logs = calloc(count_programs(object), STATISTICS_BYTES);
	struct bpf_program *program;
	char *log = logs;

	if (!logs)
		return false;
	bpf_object__for_each_program(program, object) {
		bpf_program__set_autoload(program, true);
		bpf_program__set_log_level(program, LOG_STATISTICS);
		bpf_program__set_log_buf(program, log, STATISTICS_BYTES);
		log += STATISTICS_BYTES;
	}
	if (bpf_object__load(object) < 0)
		return false;
	log = logs;
	bpf_object__for_each_program(program, object) {
		printf("accepted\t%s\t%s\t%lu\t%zu\n", name, bpf_program__name(program),
		       processed(log), bpf_program__insn_cnt(program));
		log += STATISTICS_BYTES;
	}
	return true;
}

static int verify_object(const char *path, const char *btf, char *log)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = btf);
	struct bpf_object *object = bpf_object__open_file(path, &options);
	struct bpf_program *program;

	if (!object) {
		fprintf(stderr, "verify_programs: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	if (!verify_together(object, base_name(path)))
		bpf_object__for_each_program(program, object)
			verify(path, bpf_program__name(program), btf, log);
	bpf_object__close(object);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *log = malloc(LOG_BYTES);
	struct host_kernel kernel;
	struct host_btf btf = { 0 };
	char made[HOST_BTF_PATH_MAX];
	const char *path;
	int r, failed = argc < 2;

	if (!log)
		return 1;
	libbpf_set_print(be_silent);
	r = host_kernel_get(&kernel);
	if (r == 0)
		r = host_btf_find(NULL, NULL, &kernel, &btf);
	path = host_btf_custom_path(&btf);
	if (r == 0 && btf.kind == HOST_BTF_NONE && host_btf_for_unwinder(made) >= 0)
		path = made;
	for (int i = 1; i < argc && r == 0; i++)
		failed |= verify_object(argv[i], path, log) < 0;
	host_btf_done(&btf);
	return r < 0 || failed;
}
