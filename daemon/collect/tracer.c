// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "collect/tracer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collect/tracer_ring.h"
#include "host/btf.h"
#include "host/kernel.h"

#define LOG_BYTES (8 << 20) /* a log that does not fit makes every refusal -ENOSPC */
#define RING_BYTES (1U << 20)
#define BATCH 512 /* elements read by one call */

/* --- failing ------------------------------------------------------------------------------------
 */

static _printf_(3, 4) int fail(struct tracer *t, int error, const char *format, ...)
{
	va_list ap;

	free(t->error);
	va_start(ap, format);
	if (vasprintf(&t->error, format, ap) < 0)
		t->error = NULL;
	va_end(ap);
	return error;
}

/* The line of the verifier's log that says why: the last one that is not its statistics. */
static const char *last_words(char *log)
{
	char *line = log, *rest;

	for (char *p = strtok_r(log, "\n", &rest); p; p = strtok_r(NULL, "\n", &rest))
		if (strncmp(p, "processed ", 10) != 0)
			line = p;
	return line;
}

static const char *hint(int error)
{
	return error == -EPERM || error == -EACCES ? " (CAP_BPF and CAP_PERFMON are needed, before "
						     "Linux 5.8 CAP_SYS_ADMIN, as in "
						     "the drop-in sys-admin.conf)"
						   : "";
}

/* --- loading ------------------------------------------------------------------------------------
 */

/*
 * Where the kernel's types are described; without any description a file that describes next to
 * nothing makes every question about a field come out as "there is none", and the rest loads.
 */
static void find_btf(struct tracer *t, const char *option)
{
	struct host_kernel kernel;
	struct host_btf btf = {};

	if (!option && access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return;
	if (host_kernel_get(&kernel) == 0 && host_btf_find(NULL, option, &kernel, &btf) == 0) {
		const char *path = host_btf_custom_path(&btf);

		t->btf = path ? strdup(path) : NULL;
		t->options.btf_custom_path = t->btf;
	}
	if (btf.kind == HOST_BTF_NONE) {
		t->btf_fd = host_btf_for_sampler(t->btf_path);
		if (t->btf_fd >= 0)
			t->options.btf_custom_path = t->btf_path;
	}
	host_btf_done(&btf);
}

static int init(struct tracer *t, const struct collector_settings *s)
{
	int cpus = libbpf_num_possible_cpus(), r;

	/* What went wrong is told as a sentence; libbpf is not to tell it once more. */
	libbpf_set_print(NULL);
	*t = (struct tracer){
		.settings = s,
		.options = { .sz = sizeof(t->options) },
		.btf_fd = -1,
		.transport = s->transport,
		.ring_bytes = RING_BYTES,
		.cpus = cpus > 0 ? (size_t)cpus : 1,
	};
	r = roots_open(s, &t->roots);
	if (r < 0)
		return r;
	find_btf(t, s->btf);
	t->log = calloc(1, LOG_BYTES);
	if (t->log) {
		t->options.kernel_log_buf = t->log;
		t->options.kernel_log_size = LOG_BYTES;
	}
	return 0;
}

static void drop_log(struct tracer *t)
{
	free(t->log);
	t->log = NULL;
}

static bool has_bpf_ring(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0,
				(uint32_t)sysconf(_SC_PAGESIZE), NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A ring is as large as its page at least, and a power of two. */
static int size_ring(struct tracer *t, struct bpf_map *ring, bool available, bool used)
{
	uint32_t bytes = (uint32_t)sysconf(_SC_PAGESIZE);

	while (used && bytes < t->ring_bytes)
		bytes *= 2;
	t->ring_bytes = used ? bytes : t->ring_bytes;
	return available ? bpf_map__set_max_entries(ring, bytes)
			 : bpf_map__set_autocreate(ring, false);
}

int tracer_load(struct tracer *t, struct bpf_object *object)
{
	struct bpf_map *ring = bpf_object__find_map_by_name(object, "event_bpf_ring");
	/* Programs that are told nothing about the kernel do not use it. */
	bool available = ring && t->btf_fd < 0 && has_bpf_ring();
	bool bpf = available && t->transport != COLLECTOR_TRANSPORT_PERF;
	int r = 0;

	t->object = object;
	if (ring && !available && t->transport == COLLECTOR_TRANSPORT_BPF)
		return fail(
			t, -EOPNOTSUPP,
			"this kernel has no BPF ring buffer (Linux 5.8); transport = auto takes "
			"the perf ring");
	if (ring)
		r = size_ring(t, ring, available, bpf);
	if (r == 0)
		r = bpf_object__load(object);
	if (r < 0) {
		const char *words = t->log && *t->log ? last_words(t->log) : "";

		return fail(t, r, "the kernel refused the BPF programs: %s%s%s%s", strerror(-r),
			    hint(r), *words ? ": " : "", words);
	}
	drop_log(t);
	if (!ring)
		return 0;
	r = tracer_ring_open(t, bpf, &t->ring);
	if (r < 0)
		return fail(t, r, "the ring for events cannot be made: %s%s", strerror(-r),
			    r == -EPERM ? " (CAP_IPC_LOCK or a higher LimitMEMLOCK helps)" : "");
	return 0;
}

void tracer_done(struct tracer *t)
{
	while (t->n_links)
		bpf_link__destroy(t->links[--t->n_links]);
	free(t->links);
	tracer_ring_close(t->ring);
	drop_log(t);
	free(t->error);
	free(t->btf);
	safe_close(t->btf_fd);
	roots_close(&t->roots);
	*t = (struct tracer){ .btf_fd = -1, .roots = { .proc = -1, .sys = -1 } };
}

int tracer_open(size_t size, const struct collector_settings *s, int (*start)(void *state),
		void (*close)(void *state), void **ret, char **ret_error)
{
	struct tracer *t = calloc(1, size);
	int r = t ? init(t, s) : -ENOMEM;

	if (r < 0) {
		free(t);
		return r;
	}
	r = start(t);
	if (r < 0) {
		*ret_error = TAKE_PTR(t->error);
		close(t);
		return r;
	}
	t->settings = NULL;
	*ret = t;
	return 0;
}

int tracer_again(struct tracer *t)
{
	const struct collector_settings *s = t->settings;

	tracer_done(t);
	return init(t, s);
}

/* --- attaching ----------------------------------------------------------------------------------
 */

static int keep(struct tracer *t, struct bpf_link *link, const char *kind, const char *where)
{
	int error = -errno;
	struct bpf_link **links;

	if (!link)
		return fail(t, error, "cannot attach to %s %s: %s%s", kind, where, strerror(-error),
			    error == -ENOENT ? ", this kernel has none, or tracefs cannot be read"
					     : hint(error));
	links = reallocarray(t->links, t->n_links + 1, sizeof(struct bpf_link *));
	if (!links) {
		bpf_link__destroy(link);
		return fail(t, -ENOMEM, "out of memory");
	}
	t->links = links;
	t->links[t->n_links++] = link;
	return 0;
}

int tracer_keep_link(struct tracer *t, struct bpf_program *p, struct bpf_link *link)
{
	return keep(t, link, "the place of program", bpf_program__name(p));
}

int tracer_attach(struct tracer *t, struct bpf_program *p)
{
	return keep(t, bpf_program__attach(p), "section", bpf_program__section_name(p));
}

int tracer_start(struct tracer *t, struct bpf_object *object)
{
	struct bpf_program *program;
	int r = tracer_load(t, object);

	bpf_object__for_each_program(program, object)
	{
		if (r == 0 && bpf_program__autoload(program))
			r = tracer_attach(t, program);
	}
	return r;
}

int tracer_attach_tracepoint(struct tracer *t, struct bpf_program *p, const char *category,
			     const char *name)
{
	return keep(t, bpf_program__attach_tracepoint(p, category, name), "tracepoint", name);
}

int tracer_attach_raw_tracepoint(struct tracer *t, struct bpf_program *p, const char *name)
{
	return keep(t, bpf_program__attach_raw_tracepoint(p, name), "raw tracepoint", name);
}

int tracer_attach_kprobe(struct tracer *t, struct bpf_program *p, bool at_return,
			 const char *function)
{
	return keep(t, bpf_program__attach_kprobe(p, at_return, function), "function", function);
}

/* --- events -------------------------------------------------------------------------------------
 */

int tracer_fd(void *state)
{
	const struct tracer *t = state;

	return t->ring ? tracer_ring_fd(t->ring) : -1;
}

int tracer_drain(struct tracer *t,
		 void (*each)(const struct record_head *event, size_t size, void *userdata),
		 void *userdata)
{
	return t->ring ? tracer_ring_drain(t->ring, each, userdata) : 0;
}

void tracer_get_counts(struct tracer *t, struct tracer_counts *ret)
{
	uint64_t told[sizeof(struct event_counts) / sizeof(uint64_t)] = {}, gaps = 0;

	*ret = (struct tracer_counts){};
	if (!t->ring)
		return;
	tracer_ring_get_counts(t->ring, &ret->received, &gaps, &ret->damaged);
	(void)tracer_sum(t, bpf_object__find_map_by_name(t->object, "event_counts"), 0, told,
			 ARRAY_SIZE(told));
	ret->lost = MAX(told[1] + told[2], gaps);
}

void tracer_put_counts(struct tracer *t, struct rows *rows, unsigned int table)
{
	struct tracer_counts c;

	tracer_get_counts(t, &c);
	if (c.lost > t->told_lost)
		rows_problem(rows, "%llu events were lost: the ring was full",
			     (unsigned long long)(c.lost - t->told_lost));
	if (c.damaged > t->told_damaged)
		rows_problem(rows, "%llu events were damaged",
			     (unsigned long long)(c.damaged - t->told_damaged));
	t->told_lost = c.lost;
	t->told_damaged = c.damaged;
	rows_add(rows, table);
	rows_unsigned(rows, TRACER_EVENTS, c.received);
	rows_unsigned(rows, TRACER_LOST, c.lost);
}

/* --- maps ---------------------------------------------------------------------------------------
 */

int tracer_set(const struct bpf_map *map, uint32_t index, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), &index, value, BPF_ANY);
}

int tracer_sum(const struct tracer *t, const struct bpf_map *map, uint32_t index, uint64_t *ret,
	       size_t n)
{
	_cleanup_free_ uint64_t *values = calloc(t->cpus * n, sizeof(*values));
	int r;

	if (!values)
		return -ENOMEM;
	r = bpf_map_lookup_elem(bpf_map__fd(map), &index, values);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		ret[i] = 0;
		for (size_t cpu = 0; cpu < t->cpus; cpu++)
			ret[i] += values[cpu * n + i];
	}
	return 0;
}

int tracer_counts(const struct tracer *t, const struct bpf_map *map, void *ret, size_t size)
{
	return tracer_sum(t, map, 0, ret, size / sizeof(uint64_t));
}

static size_t value_bytes(const struct tracer *t, const struct bpf_map *map)
{
	enum bpf_map_type type = bpf_map__type(map);
	size_t size = bpf_map__value_size(map);
	bool per_cpu = type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
		       type == BPF_MAP_TYPE_PERCPU_ARRAY;

	return per_cpu ? ((size + 7) & ~(size_t)7) * t->cpus : size;
}

/* Linux 5.6. */
static int read_batches(int fd, size_t max, struct tracer_elements *e)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint64_t position[8] = {}; /* of a hash a number, of other maps a key */
	bool first = true;

	if (e->key_size > sizeof(position))
		return -EOPNOTSUPP;
	while (e->n < max) {
		uint32_t n = (uint32_t)MIN(max - e->n, (size_t)BATCH);
		int r = bpf_map_lookup_batch(fd, first ? NULL : position, position,
					     e->keys + e->n * e->key_size,
					     e->values + e->n * e->value_size, &n, &options);

		if (r < 0 && r != -ENOENT)
			return r;
		e->n += n;
		first = false;
		if (r == -ENOENT)
			break;
	}
	return 0;
}

static void read_one_by_one(int fd, size_t max, struct tracer_elements *e)
{
	uint8_t *previous = NULL;

	e->n = 0;
	while (e->n < max) {
		uint8_t *key = e->keys + e->n * e->key_size;

		if (bpf_map_get_next_key(fd, previous, key) < 0)
			break;
		previous = key;
		/* One that went meanwhile is passed over; its key leads on all the same. */
		if (bpf_map_lookup_elem(fd, key, e->values + e->n * e->value_size) == 0)
			e->n++;
	}
}

int tracer_elements_read(const struct tracer *t, const struct bpf_map *map,
			 struct tracer_elements *ret)
{
	struct tracer_elements e = { .key_size = bpf_map__key_size(map),
				     .value_size = value_bytes(t, map) };
	size_t max = bpf_map__max_entries(map);

	e.keys = calloc(max, e.key_size);
	e.values = calloc(max, e.value_size);
	if (!e.keys || !e.values) {
		tracer_elements_done(&e);
		return -ENOMEM;
	}
	if (read_batches(bpf_map__fd(map), max, &e) < 0)
		read_one_by_one(bpf_map__fd(map), max, &e);
	*ret = e;
	return 0;
}

void tracer_elements_done(struct tracer_elements *e)
{
	free(e->keys);
	free(e->values);
	*e = (struct tracer_elements){};
}

int tracer_each(const struct tracer *t, const struct bpf_map *map,
		bool (*each)(const void *key, const void *value, void *userdata), void *userdata)
{
	struct tracer_elements e;
	int r = tracer_elements_read(t, map, &e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < e.n; i++)
		if (!each(e.keys + i * e.key_size, e.values + i * e.value_size, userdata))
			(void)bpf_map_delete_elem(bpf_map__fd(map), e.keys + i * e.key_size);
	tracer_elements_done(&e);
	return 0;
}

bool tracer_process_alive(const struct tracer *t, uint32_t pid)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%u", pid);
	return t->roots.proc < 0 || fstatat(t->roots.proc, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}
