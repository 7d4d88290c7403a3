// SPDX-License-Identifier: Apache-2.0
/*
 * System calls by thread name, process and call: how many, how many failed, and with `latency` how
 * long they took. The counts live in bounded maps in the kernel: a key's in its slot, or in a hash
 * where another has the slot, or in both; here they are one. A read tells of those keys that were
 * called most since the read before; all others are one row, so that a read adds up to everything
 * that was ever counted. What a process that is gone has counted is taken out of the maps, and
 * lives on in that row and in the sums by call.
 */
#include <linux/types.h>

#include <asm/unistd.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bpf/syscalls.h"
#include "collect/call_names.h"
#include "collect/roots.h"
#include "collect/tracer.h"
#include "syscalls.skel.h"

enum { CALL_COMMAND, CALL_PID, CALL_NAME, CALL_CALLS, CALL_ERRORS, CALL_TIME, CALL_LATENCY };
enum { SUM_NAME, SUM_CALLS, SUM_ERRORS, SUM_TIME };
enum { BPF_COMMAND, BPF_PID, BPF_NAME, BPF_CALLS, BPF_ERRORS };
enum { OTHER_KEYS, OTHER_CALLS, OTHER_ERRORS, OTHER_TIME };
enum { LOSS_UNCOUNTED, LOSS_UNTIMED };
enum { TABLE_CALLS, TABLE_OTHERS, TABLE_SUMS, TABLE_BPF, TABLE_LOSSES };

/* clang-format off */
static const struct row_column call_columns[] = {
	[CALL_COMMAND] = { "command", "", ROW_KEY, ROW_TEXT, 0, 0, "name of the thread" },
	[CALL_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "its process" },
	[CALL_NAME] = { "syscall", "", ROW_KEY, ROW_TEXT, 0, 0, "the call; 32bit-N: call N of a 32-bit program" },
	[CALL_CALLS] = { "calls", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls that returned" },
	[CALL_ERRORS] = { "errors", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "of those, with an error" },
	[CALL_TIME] = { "time", "ns", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "they took, waiting included" },
	[CALL_LATENCY] = { "latency", "ns", ROW_GAUGE, ROW_COUNTS, 0, 0, "how many took how long, since the first" },
};

static const struct row_column other_columns[] = {
	[OTHER_KEYS] = { "keys", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "threads' names, processes and calls that are counted, but have no row in this read" },
	[OTHER_CALLS] = { "calls", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "theirs, and of processes that are gone and have no row in this read" },
	[OTHER_ERRORS] = { "errors", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "of those, with an error" },
	[OTHER_TIME] = { "time", "ns", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "they took, waiting included" },
};

static const struct row_column sum_columns[] = {
	[SUM_NAME] = { "syscall", "", ROW_KEY, ROW_TEXT, 0, 0, "the call; unnamed: all those of 32-bit programs, and numbers that are none" },
	[SUM_CALLS] = { "calls", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls that returned, of all processes" },
	[SUM_ERRORS] = { "errors", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "of those, with an error" },
	[SUM_TIME] = { "time", "ns", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "they took, waiting included" },
};

static const struct row_column bpf_columns[] = {
	[BPF_COMMAND] = { "command", "", ROW_KEY, ROW_TEXT, 0, 0, "name of the thread" },
	[BPF_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "its process" },
	[BPF_NAME] = { "bpf", "", ROW_KEY, ROW_TEXT, 0, 0, "what it asked bpf(2) for" },
	[BPF_CALLS] = { "calls", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls that returned" },
	[BPF_ERRORS] = { "errors", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "of those, with an error" },
};

static const struct row_column loss_columns[] = {
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls beyond the keys that there is room for" },
	[LOSS_UNTIMED] = { "untimed", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls that are counted, but not timed, of threads beyond those that there is room for" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_CALLS] = { .name = "syscalls",
			  .collector = "syscalls",
			  .summary = "the system calls made most, by thread name, process and call",
			  .columns = call_columns,
			  .n_columns = ARRAY_SIZE(call_columns),
			  .from_zero = true,
			  .no_metrics = true },
	[TABLE_OTHERS] = { .name = "syscalls_others",
			   .collector = "syscalls",
			   .summary = "system calls that have no row of their own in a read",
			   .columns = other_columns,
			   .n_columns = ARRAY_SIZE(other_columns),
			   .no_metrics = true },
	[TABLE_SUMS] = { .name = "syscalls_sums",
			 .collector = "syscalls",
			 .summary = "system calls of all processes",
			 .columns = sum_columns,
			 .n_columns = ARRAY_SIZE(sum_columns),
			 .from_zero = true },
	[TABLE_BPF] = { .name = "syscalls_bpf",
			.collector = "syscalls",
			.summary = "what is asked of bpf(2), by whom",
			.columns = bpf_columns,
			.n_columns = ARRAY_SIZE(bpf_columns),
			.from_zero = true,
			.no_metrics = true },
	[TABLE_LOSSES] = { .name = "syscalls_losses",
			   .collector = "syscalls",
			   .summary = "what the syscalls collector had no room for",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct sum {
	uint64_t calls, errors, time_ns;
};

/* One key of this read. */
struct entry {
	struct syscalls_value *value;
	const struct bpf_map *map; /* that it lies in */
	uint32_t slot; /* in the map of slots */
	bool gone; /* its process; it is not in the map any more */
	uint64_t since; /* calls since the read before */
};

/* One key of the read before; they are sorted as entries are. */
struct told {
	struct syscalls_key key;
	uint64_t calls;
};

struct syscalls {
	struct tracer tracer;
	struct syscalls_bpf *skel;
	bool latency;
	unsigned int top;
	struct told *told;
	size_t n_told;
	struct sum gone[CALL_UNNAMED + 1]; /* of processes that are not in the map any more */
	struct sum now[CALL_UNNAMED + 1], shown; /* all, and those that have rows; of this read */
	size_t left_out; /* keys without a row */
	uint32_t last_pid; /* that was looked for, and whether it was there */
	bool last_alive;
};

/* --- opening ------------------------------------------------------------------------------------
 */

static void choose_programs(struct syscalls *s, bool direct)
{
	struct syscalls_bpf *skel = s->skel;

	bpf_program__set_autoload(skel->progs.count_direct, direct && !s->latency);
	bpf_program__set_autoload(skel->progs.begin_direct, direct && s->latency);
	bpf_program__set_autoload(skel->progs.end_direct, direct && s->latency);
	bpf_program__set_autoload(skel->progs.count_copying, !direct && !s->latency);
	bpf_program__set_autoload(skel->progs.begin_copying, !direct && s->latency);
	bpf_program__set_autoload(skel->progs.end_copying, !direct && s->latency);
	bpf_program__set_autoload(skel->progs.thread_ended_direct, direct && s->latency);
	bpf_program__set_autoload(skel->progs.thread_ended_copying, !direct && s->latency);
	bpf_map__set_autocreate(skel->maps.starts, s->latency);
	bpf_map__set_autocreate(skel->maps.start_slots, direct && s->latency);
}

static int size_values(struct syscalls *s)
{
	struct bpf_map *maps[] = { s->skel->maps.slots, s->skel->maps.calls,
				   s->skel->maps.scratch };
	int r = 0;

	for (size_t i = 0; !s->latency && r == 0 && i < ARRAY_SIZE(maps); i++)
		r = bpf_map__set_value_size(maps[i], offsetof(struct syscalls_value, time_ns));
	return r;
}

static void set_numbers(struct syscalls_bpf *skel)
{
	size_t n = 0;

	skel->rodata->bpf_number = __NR_bpf;
	for (size_t i = 0; i < SYSCALLS_FORKS; i++)
		skel->rodata->fork_numbers[i] = __NR_clone;
#ifdef __NR_clone3
	skel->rodata->fork_numbers[n++] = __NR_clone3;
#endif
#ifdef __NR_fork
	skel->rodata->fork_numbers[n++] = __NR_fork;
	skel->rodata->fork_numbers[n++] = __NR_vfork;
#endif
}

static int start_with(struct syscalls *s, bool direct)
{
	int r;

	s->skel = syscalls_bpf__open_opts(&s->tracer.options);
	if (!s->skel)
		return -errno;
	choose_programs(s, direct);
	set_numbers(s->skel);
	r = size_values(s);
	return r < 0 ? r : tracer_start(&s->tracer, s->skel->obj);
}

static int start(void *state)
{
	struct syscalls *s = state;
	int r;

	s->latency = s->tracer.settings->latency;
	s->top = s->tracer.settings->top;
	r = start_with(s, true);
	if (r == 0)
		return 0;
	syscalls_bpf__destroy(TAKE_PTR(s->skel));
	r = tracer_again(&s->tracer);
	return r < 0 ? r : start_with(s, false);
}

static void syscalls_close(void *state)
{
	struct syscalls *s = state;

	tracer_done(&s->tracer);
	syscalls_bpf__destroy(s->skel);
	free(s->told);
	free(s);
}

static int syscalls_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct syscalls), s, start, syscalls_close, ret, ret_error);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static bool alive(struct syscalls *s, uint32_t pid)
{
	if (pid == s->last_pid)
		return s->last_alive;
	s->last_pid = pid;
	s->last_alive = tracer_process_alive(&s->tracer, pid);
	return s->last_alive;
}

static void add(struct sum *sum, const struct syscalls_value *v, bool latency)
{
	sum->calls += v->calls;
	sum->errors += v->errors;
	sum->time_ns += latency ? v->time_ns : 0;
}

static void sum_up(struct syscalls *s, const struct entry *e)
{
	uint32_t number = e->value->key.number;

	if (number == CALL_LEAVES_NO_NUMBER)
		number = __NR_rt_sigreturn;
	number = MIN(number, (uint32_t)CALL_UNNAMED);
	add(&s->now[number], e->value, s->latency);
	if (e->gone)
		add(&s->gone[number], e->value, s->latency);
}

static void put_who(struct rows *rows, const struct syscalls_key *key)
{
	char comm[SAMPLE_COMM_LEN];

	memcpy(comm, key->name, sizeof(comm));
	rows_text(rows, CALL_COMMAND, comm, strnlen(comm, sizeof(comm)));
	rows_unsigned(rows, CALL_PID, key->pid);
}

static void put_call(struct syscalls *s, const struct entry *e)
{
	const struct syscalls_value *v = e->value;
	char name[32];

	add(&s->shown, v, s->latency);
	rows_add(s->tracer.rows, TABLE_CALLS);
	put_who(s->tracer.rows, &v->key);
	rows_string(s->tracer.rows, CALL_NAME, call_name(v->key.number, name, sizeof(name)));
	rows_unsigned(s->tracer.rows, CALL_CALLS, v->calls);
	rows_unsigned(s->tracer.rows, CALL_ERRORS, v->errors);
	if (!s->latency)
		return;
	rows_unsigned(s->tracer.rows, CALL_TIME, v->time_ns);
	rows_counts(s->tracer.rows, CALL_LATENCY, (const uint64_t *)v->buckets, SYSCALLS_BUCKETS);
}

static int compare_keys(const struct syscalls_key *a, const struct syscalls_key *b)
{
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return memcmp(a, b, sizeof(*a));
}

static int by_key(const void *a, const void *b)
{
	return compare_keys(&((const struct entry *)a)->value->key,
			    &((const struct entry *)b)->value->key);
}

static int by_calls(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->since != y->since)
		return x->since > y->since ? -1 : 1;
	return by_key(a, b);
}

/* What it counted between the snapshot and its end is there now. */
static void take_from_hash(struct syscalls *s, struct entry *e)
{
	int fd = bpf_map__fd(s->skel->maps.calls);
	uint64_t tag = e->value->key.tag;
	struct syscalls_value last;

	if (bpf_map_lookup_elem(fd, &tag, &last) == 0)
		memcpy(e->value, &last, bpf_map__value_size(s->skel->maps.calls));
	(void)bpf_map_delete_elem(fd, &tag);
}

/* While no program takes a slot. False: one did just now. */
static bool take_from_slot(struct syscalls *s, struct entry *e)
{
	int fd = bpf_map__fd(s->skel->maps.slots), owner = bpf_map__fd(s->skel->maps.owner);
	size_t size = bpf_map__value_size(s->skel->maps.slots);
	struct syscalls_value last, none = {};
	uint32_t zero = 0;

	if (bpf_map_update_elem(owner, &zero, &zero, BPF_NOEXIST) < 0)
		return false;
	if (bpf_map_lookup_elem(fd, &e->slot, &last) == 0)
		memcpy(e->value, &last, size);
	(void)bpf_map_update_elem(fd, &e->slot, &none, BPF_ANY);
	(void)bpf_map_delete_elem(owner, &zero);
	return true;
}

/* Of processes that are gone nothing stays in the maps. */
static void take_if_gone(struct syscalls *s, struct entry *e)
{
	if (alive(s, e->value->key.pid))
		return;
	e->gone = e->map != s->skel->maps.slots || take_from_slot(s, e);
	if (e->map == s->skel->maps.calls)
		take_from_hash(s, e);
}

/* A key that has a slot and is in the hash too becomes one entry. How many there are then. */
static size_t merge(struct syscalls *s, struct entry *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct entry *before = kept ? &list[kept - 1] : NULL;
		const struct syscalls_value *v = list[i].value;

		if (!before || compare_keys(&before->value->key, &v->key) != 0) {
			list[kept++] = list[i];
			continue;
		}
		before->gone = before->gone && list[i].gone;
		before->value->calls += v->calls;
		before->value->errors += v->errors;
		if (!s->latency)
			continue;
		before->value->time_ns += v->time_ns;
		for (size_t k = 0; k < SYSCALLS_BUCKETS; k++)
			before->value->buckets[k] += v->buckets[k];
	}
	return kept;
}

/* Keeps for the next read what they are now; of processes that are there. */
static void compare_with_told(struct syscalls *s, struct entry *list, size_t n, struct told *told)
{
	size_t before = 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct entry *e = &list[i];
		const struct syscalls_key *key = &e->value->key;

		while (before < s->n_told && compare_keys(&s->told[before].key, key) < 0)
			before++;
		e->since = e->value->calls;
		/* Another process of the same pid counts from its own beginning. */
		if (before < s->n_told && compare_keys(&s->told[before].key, key) == 0 &&
		    s->told[before].calls <= e->since)
			e->since -= s->told[before].calls;
		if (!e->gone)
			told[kept++] = (struct told){ *key, e->value->calls };
	}
	free(s->told);
	s->told = told;
	s->n_told = kept;
}

static void put_calls(struct syscalls *s, struct entry *list, size_t n)
{
	size_t shown = s->tracer.rows->last ? n : MIN(n, (size_t)s->top);

	if (n)
		qsort(list, n, sizeof(*list), by_calls);
	for (size_t i = 0; i < shown; i++)
		put_call(s, &list[i]);
	s->left_out = n - shown;
}

/* A program may be at it to take a slot: then its tag does not fit yet, and it counts nothing. */
static void list_elements(const struct bpf_map *map, const struct tracer_elements *e,
			  struct entry *list, size_t *n)
{
	for (size_t i = 0; i < e->n; i++) {
		struct entry entry = {
			.value = (struct syscalls_value *)(e->values + i * e->value_size),
			.map = map,
			.slot = (uint32_t)i,
		};

		if (entry.value->key.tag == syscalls_tag(&entry.value->key))
			list[(*n)++] = entry;
	}
}

/* Sums up the keys, the snapshots of both maps, and tells of the first ones. */
static int put_elements(struct syscalls *s, const struct tracer_elements *slots,
			const struct tracer_elements *hash)
{
	_cleanup_free_ struct entry *list = calloc(slots->n + hash->n + 1, sizeof(*list));
	struct told *told = calloc(slots->n + hash->n + 1, sizeof(*told));
	size_t n = 0;

	if (!list || !told) {
		free(told);
		return -ENOMEM;
	}
	list_elements(s->skel->maps.slots, slots, list, &n);
	list_elements(s->skel->maps.calls, hash, list, &n);
	qsort(list, n, sizeof(*list), by_key);
	for (size_t i = 0; i < n; i++) {
		take_if_gone(s, &list[i]);
		sum_up(s, &list[i]);
	}
	n = merge(s, list, n);
	compare_with_told(s, list, n, told);
	put_calls(s, list, n);
	return 0;
}

static int read_calls(struct syscalls *s)
{
	_cleanup_(tracer_elements_done) struct tracer_elements slots = {}, hash = {};
	int r = tracer_elements_read(&s->tracer, s->skel->maps.slots, &slots);

	if (r == 0)
		r = tracer_elements_read(&s->tracer, s->skel->maps.calls, &hash);
	return r < 0 ? r : put_elements(s, &slots, &hash);
}

static bool put_command(const void *key, const void *value, void *userdata)
{
	struct syscalls *s = userdata;
	const struct syscalls_commands *v = value;
	char name[16];

	(void)key;
	rows_add(s->tracer.rows, TABLE_BPF);
	put_who(s->tracer.rows, &v->key);
	rows_string(s->tracer.rows, BPF_NAME, bpf_command_name(v->key.number, name, sizeof(name)));
	rows_unsigned(s->tracer.rows, BPF_CALLS, v->calls);
	rows_unsigned(s->tracer.rows, BPF_ERRORS, v->errors);
	return alive(s, v->key.pid);
}

/* What has no row of its own is what the sums have more. */
static void put_others(struct syscalls *s, const struct sum *total)
{
	rows_add(s->tracer.rows, TABLE_OTHERS);
	rows_unsigned(s->tracer.rows, OTHER_KEYS, s->left_out);
	rows_unsigned(s->tracer.rows, OTHER_CALLS, total->calls - s->shown.calls);
	rows_unsigned(s->tracer.rows, OTHER_ERRORS, total->errors - s->shown.errors);
	if (s->latency)
		rows_unsigned(s->tracer.rows, OTHER_TIME, total->time_ns - s->shown.time_ns);
}

static void put_sums(struct syscalls *s)
{
	struct sum total = {};
	char name[32];

	for (uint32_t i = 0; i <= CALL_UNNAMED; i++) {
		total.calls += s->now[i].calls;
		total.errors += s->now[i].errors;
		total.time_ns += s->now[i].time_ns;
		if (!s->now[i].calls)
			continue;
		rows_add(s->tracer.rows, TABLE_SUMS);
		rows_string(s->tracer.rows, SUM_NAME, call_name(i, name, sizeof(name)));
		rows_unsigned(s->tracer.rows, SUM_CALLS, s->now[i].calls);
		rows_unsigned(s->tracer.rows, SUM_ERRORS, s->now[i].errors);
		if (s->latency)
			rows_unsigned(s->tracer.rows, SUM_TIME, s->now[i].time_ns);
	}
	put_others(s, &total);
}

static int put_losses(struct syscalls *s)
{
	struct syscalls_counts c = {};
	int r = tracer_counts(&s->tracer, s->skel->maps.counts, &c, sizeof(c));

	if (r < 0)
		return r;
	rows_add(s->tracer.rows, TABLE_LOSSES);
	rows_unsigned(s->tracer.rows, LOSS_UNCOUNTED, c.uncounted);
	rows_unsigned(s->tracer.rows, LOSS_UNTIMED, c.untimed);
	return 0;
}

static int syscalls_read(void *state, struct rows *rows)
{
	struct syscalls *s = state;
	int r;

	s->tracer.rows = rows;
	s->last_pid = 0;
	memcpy(s->now, s->gone, sizeof(s->now));
	s->shown = (struct sum){};
	r = read_calls(s);
	if (r == 0)
		r = tracer_each(&s->tracer, s->skel->maps.commands, put_command, s);
	put_sums(s);
	return r < 0 ? r : put_losses(s);
}

const struct collector collector_syscalls = {
	.name = "syscalls",
	.summary = "system calls by command, process and call, their errors and latency; use of "
		   "bpf(2)",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.keys = COLLECTOR_TOP | COLLECTOR_LATENCY,
	.top = 200,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = tracer_probe_btf,
	.open = syscalls_open,
	.read = syscalls_read,
	.close = syscalls_close,
};
