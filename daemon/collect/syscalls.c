// SPDX-License-Identifier: Apache-2.0
/*
 * System calls by thread name, process and call: how many, how many failed, and with `latency` how
 * long they took. The counts live in a bounded map in the kernel. A read tells of those of its keys
 * that were called most since the read before; all others are one row, so that a read adds up to
 * everything that was ever counted. What a process that is gone has counted is taken out of the map,
 * and lives on in that row and in the sums by call.
 */
#include <linux/types.h>

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bpf/syscalls.h"
#include "collect/roots.h"
#include "collect/tracer.h"
#include "syscalls.skel.h"

#define UNNAMED 1024 /* more numbers than any architecture has; all from here on are one sum */
#define LEAVES_NO_NUMBER UINT32_MAX /* rt_sigreturn */

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
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls beyond the first 8,192 keys" },
	[LOSS_UNTIMED] = { "untimed", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls of threads beyond the first 32,768, which are not counted either" },
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

static const char *const call_names[] = {
#include "syscall_names.h"
};

/* enum bpf_cmd of uapi/linux/bpf.h. */
static const char *const bpf_names[] = {
	"MAP_CREATE",	     "MAP_LOOKUP_ELEM",
	"MAP_UPDATE_ELEM",   "MAP_DELETE_ELEM",
	"MAP_GET_NEXT_KEY",  "PROG_LOAD",
	"OBJ_PIN",	     "OBJ_GET",
	"PROG_ATTACH",	     "PROG_DETACH",
	"PROG_TEST_RUN",     "PROG_GET_NEXT_ID",
	"MAP_GET_NEXT_ID",   "PROG_GET_FD_BY_ID",
	"MAP_GET_FD_BY_ID",  "OBJ_GET_INFO_BY_FD",
	"PROG_QUERY",	     "RAW_TRACEPOINT_OPEN",
	"BTF_LOAD",	     "BTF_GET_FD_BY_ID",
	"TASK_FD_QUERY",     "MAP_LOOKUP_AND_DELETE_ELEM",
	"MAP_FREEZE",	     "BTF_GET_NEXT_ID",
	"MAP_LOOKUP_BATCH",  "MAP_LOOKUP_AND_DELETE_BATCH",
	"MAP_UPDATE_BATCH",  "MAP_DELETE_BATCH",
	"LINK_CREATE",	     "LINK_UPDATE",
	"LINK_GET_FD_BY_ID", "LINK_GET_NEXT_ID",
	"ENABLE_STATS",	     "ITER_CREATE",
	"LINK_DETACH",	     "PROG_BIND_MAP",
	"TOKEN_CREATE",
};

struct sum {
	uint64_t calls, errors, time_ns;
};

/* One key of this read. */
struct entry {
	const struct syscalls_key *key;
	struct syscalls_value *value;
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
	struct sum gone[UNNAMED + 1]; /* of processes that are not in the map any more */
	struct sum now[UNNAMED + 1], shown; /* all, and those that have rows; of this read */
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
	bpf_program__set_autoload(skel->progs.thread_ended, s->latency);
	bpf_map__set_autocreate(skel->maps.starts, s->latency);
	bpf_map__set_autocreate(skel->maps.task_starts, direct && s->latency);
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

	s->skel = syscalls_bpf__open_opts(&s->tracer.options);
	if (!s->skel)
		return -errno;
	choose_programs(s, direct);
	set_numbers(s->skel);
	return tracer_start(&s->tracer, s->skel->obj);
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

static const char *call_name(uint32_t number, char *out, size_t size)
{
	if (number < ARRAY_SIZE(call_names) && call_names[number])
		return call_names[number];
	if (number == LEAVES_NO_NUMBER)
		return "rt_sigreturn";
	if (number == UNNAMED)
		return "unnamed";
	if (number & SYSCALLS_32BIT)
		snprintf(out, size, "32bit-%u", number & ~SYSCALLS_32BIT);
	else
		snprintf(out, size, "%u", number);
	return out;
}

static bool alive(struct syscalls *s, uint32_t pid)
{
	if (pid == s->last_pid)
		return s->last_alive;
	s->last_pid = pid;
	s->last_alive = tracer_process_alive(&s->tracer, pid);
	return s->last_alive;
}

static void add(struct sum *sum, const struct syscalls_value *v)
{
	sum->calls += v->calls;
	sum->errors += v->errors;
	sum->time_ns += v->time_ns;
}

static void sum_up(struct syscalls *s, uint32_t number, const struct syscalls_value *v, bool stays)
{
	if (number == LEAVES_NO_NUMBER)
		number = __NR_rt_sigreturn;
	number = MIN(number, (uint32_t)UNNAMED);
	add(&s->now[number], v);
	if (!stays)
		add(&s->gone[number], v);
}

static void put_who(struct rows *rows, uint32_t pid, const struct syscalls_name *name)
{
	char comm[SAMPLE_COMM_LEN];

	memcpy(comm, name, sizeof(comm));
	rows_text(rows, CALL_COMMAND, comm, strnlen(comm, sizeof(comm)));
	rows_unsigned(rows, CALL_PID, pid);
}

static void put_call(struct syscalls *s, const struct entry *e)
{
	const struct syscalls_value *v = e->value;
	char name[32];

	add(&s->shown, v);
	rows_add(s->tracer.rows, TABLE_CALLS);
	put_who(s->tracer.rows, e->key->pid, &v->name);
	rows_string(s->tracer.rows, CALL_NAME, call_name(e->key->number, name, sizeof(name)));
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
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static int by_key(const void *a, const void *b)
{
	return compare_keys(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static int by_calls(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->since != y->since)
		return x->since > y->since ? -1 : 1;
	return compare_keys(x->key, y->key);
}

/* What it counted between the snapshot and its end is there now. */
static void take_last(struct syscalls *s, struct entry *e)
{
	struct syscalls_value last;

	if (bpf_map__lookup_elem(s->skel->maps.calls, e->key, sizeof(*e->key), &last, sizeof(last),
				 0) == 0)
		*e->value = last;
	(void)bpf_map__delete_elem(s->skel->maps.calls, e->key, sizeof(*e->key), 0);
}

/* Sums them up, and keeps for the next read what they are now; of processes that are there. */
static void look_at_entries(struct syscalls *s, struct entry *list, size_t n, struct told *told,
			    size_t *ret_n_told)
{
	size_t before = 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct entry *e = &list[i];
		bool stays = alive(s, e->key->pid);

		if (!stays)
			take_last(s, e);
		while (before < s->n_told && compare_keys(&s->told[before].key, e->key) < 0)
			before++;
		e->since = e->value->calls;
		/* Another process of the same pid counts from its own beginning. */
		if (before < s->n_told && compare_keys(&s->told[before].key, e->key) == 0 &&
		    s->told[before].calls <= e->since)
			e->since -= s->told[before].calls;
		sum_up(s, e->key->number, e->value, stays);
		if (stays)
			told[kept++] = (struct told){ *e->key, e->value->calls };
	}
	*ret_n_told = kept;
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

static int read_calls(struct syscalls *s)
{
	_cleanup_(tracer_elements_done) struct tracer_elements e = {};
	_cleanup_free_ struct entry *list = NULL;
	struct told *told;
	int r = tracer_elements_read(&s->tracer, s->skel->maps.calls, &e);

	if (r < 0)
		return r;
	list = calloc(e.n + 1, sizeof(*list));
	told = calloc(e.n + 1, sizeof(*told));
	if (!list || !told) {
		free(told);
		return -ENOMEM;
	}
	for (size_t i = 0; i < e.n; i++) {
		list[i].key = (const struct syscalls_key *)(e.keys + i * e.key_size);
		list[i].value = (struct syscalls_value *)(e.values + i * e.value_size);
	}
	if (e.n)
		qsort(list, e.n, sizeof(*list), by_key);
	look_at_entries(s, list, e.n, told, &s->n_told);
	free(s->told);
	s->told = told;
	put_calls(s, list, e.n);
	return 0;
}

static bool put_command(const void *k, const void *value, void *userdata)
{
	struct syscalls *s = userdata;
	const struct syscalls_commands *v = value;
	struct syscalls_key key;
	char number[16];

	memcpy(&key, k, sizeof(key));
	rows_add(s->tracer.rows, TABLE_BPF);
	put_who(s->tracer.rows, key.pid, &v->name);
	if (key.number < ARRAY_SIZE(bpf_names)) {
		rows_string(s->tracer.rows, BPF_NAME, bpf_names[key.number]);
	} else {
		snprintf(number, sizeof(number), "%u", key.number);
		rows_string(s->tracer.rows, BPF_NAME, number);
	}
	rows_unsigned(s->tracer.rows, BPF_CALLS, v->calls);
	rows_unsigned(s->tracer.rows, BPF_ERRORS, v->errors);
	return alive(s, key.pid);
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

	for (uint32_t i = 0; i <= UNNAMED; i++) {
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
