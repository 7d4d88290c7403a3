// SPDX-License-Identifier: Apache-2.0
/*
 * Every execve and execveat of the host: who called it, with what, and what came of it.
 *
 * kprobes on the two calls cost nothing elsewhere and are preferred. Their tracepoints switch the
 * tracing of system calls on for the whole host, which each of them pays for. Without both, the
 * programs that started are seen (sched_process_exec), the calls that failed are not.
 */
#include <linux/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/exec.h"
#include "collect/argv_text.h"
#include "collect/tracer.h"
#include "exec.skel.h"

enum {
	EXEC_PID,
	EXEC_PPID,
	EXEC_UID,
	EXEC_GID,
	EXEC_CGROUP,
	EXEC_CALL,
	EXEC_RESULT,
	EXEC_DURATION,
	EXEC_COMMAND,
	EXEC_FILE,
	EXEC_ARGV,
	EXEC_ARGUMENTS,
	EXEC_CUT,
};

enum { USER_UID, USER_CALLS, USER_FAILURES };
enum { LOSS_CALLS = TRACER_OWN, LOSS_USERS, LOSS_ATTACH };
enum { TABLE_CALLS, TABLE_USERS, TABLE_LOSSES };

/* clang-format off */
static const struct row_column call_columns[] = {
	[EXEC_PID] = { "pid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the process" },
	[EXEC_PPID] = { "ppid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its parent; absent where the kernel does not describe its types" },
	[EXEC_UID] = { "uid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "user" },
	[EXEC_GID] = { "gid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "group" },
	[EXEC_CGROUP] = { "cgroup", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "inode of its cgroup v2 directory" },
	[EXEC_CALL] = { "call", "", ROW_WORDS, ROW_TEXT, 0, 0, "execve, execveat; absent: by a 32-bit program, the kernel, or calls are not watched" },
	[EXEC_RESULT] = { "result", "id", ROW_GAUGE, ROW_SIGNED, 0, 0, "0, or a negative errno; absent: not seen, or the thread ended within the call" },
	[EXEC_DURATION] = { "duration", "ns", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "of the call, up to its result or the new program" },
	[EXEC_COMMAND] = { "command", "", ROW_WORDS, ROW_TEXT, 0, 0, "name of the thread that called; without a call, the new name" },
	[EXEC_FILE] = { "file", "", ROW_WORDS, ROW_TEXT, 0, 0, "the program, as it was named; at most 255 bytes" },
	[EXEC_ARGV] = { "argv", "", ROW_WORDS, ROW_TEXT, 0, 0, "arguments, quoted as for a shell" },
	[EXEC_ARGUMENTS] = { "arguments", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "how many are in argv" },
	[EXEC_CUT] = { "cut", "", ROW_WORDS, ROW_TEXT, 0, 0, "more: there were more arguments; argument: one was longer; fault: the rest could not be read" },
};

static const struct row_column user_columns[] = {
	[USER_UID] = { "uid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "user" },
	[USER_CALLS] = { "calls", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "execve and execveat, seen since the collector began" },
	[USER_FAILURES] = { "failures", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "of those, without a new program" },
};

static const struct row_column loss_columns[] = {
	TRACER_COLUMNS,
	[LOSS_CALLS] = { "calls_without_room", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "too many calls were under way: told without their beginning, or, when they failed, not" },
	[LOSS_USERS] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "calls of users beyond the first 1,024" },
	[LOSS_ATTACH] = { "attach", "", ROW_WORDS, ROW_TEXT, 0, 0, "how calls are watched: kprobe, tracepoint; none: those that failed are not seen" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_CALLS] = { .name = "exec",
			  .collector = "exec",
			  .summary = "programs that were started, or not",
			  .columns = call_columns,
			  .n_columns = ARRAY_SIZE(call_columns),
			  .no_metrics = true },
	[TABLE_USERS] = { .name = "exec_users",
			  .collector = "exec",
			  .summary = "starts of programs by user",
			  .columns = user_columns,
			  .n_columns = ARRAY_SIZE(user_columns),
			  .from_zero = true },
	[TABLE_LOSSES] = { .name = "exec_losses",
			   .collector = "exec",
			   .summary = "what the exec collector took and lost",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct exec {
	struct tracer tracer;
	struct exec_bpf *skel;
	enum collector_attach attach;
	bool full; /* all arguments */
	struct buffer text;
};

/* --- opening ------------------------------------------------------------------------------------
 */

/* As the kernels with wrappers call them: x86-64 from 4.17, arm64 from 4.19, riscv from 6.6. */
static const char *const prefixes[] = { "__x64_sys_", "__arm64_sys_", "__riscv_sys_" };

/* The next best way that may work, from `way` on. */
static enum collector_attach next_way(const struct collector_settings *s, enum collector_attach way)
{
	/* kprobes are given registers, whose layout the kernel has to describe. */
	bool described = s->btf || access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	if (way == COLLECTOR_ATTACH_KPROBE && !(described && tracer_has_kprobes()))
		way++;
	if (way == COLLECTOR_ATTACH_TRACEPOINT &&
	    !tracer_has_tracepoint("syscalls", "sys_enter_execve"))
		way++;
	return way;
}

static void choose_programs(struct exec *e)
{
	struct exec_bpf *skel = e->skel;
	bool kprobe = e->attach == COLLECTOR_ATTACH_KPROBE;
	bool tracepoint = e->attach == COLLECTOR_ATTACH_TRACEPOINT;

	bpf_program__set_autoload(skel->progs.replaced, true);
	bpf_program__set_autoload(skel->progs.ended, kprobe || tracepoint);
	bpf_program__set_autoload(skel->progs.enter_execve, tracepoint);
	bpf_program__set_autoload(skel->progs.enter_execveat, tracepoint);
	bpf_program__set_autoload(skel->progs.leave_exec, tracepoint);
	bpf_program__set_autoload(skel->progs.enter_execve_kprobe, kprobe);
	bpf_program__set_autoload(skel->progs.enter_execveat_kprobe, kprobe);
	bpf_program__set_autoload(skel->progs.leave_exec_kprobe, kprobe);
}

static int attach_tracepoints(struct exec *e)
{
	struct exec_bpf *skel = e->skel;
	const struct {
		struct bpf_program *program;
		const char *name;
	} places[] = {
		{ skel->progs.leave_exec, "sys_exit_execve" },
		{ skel->progs.leave_exec, "sys_exit_execveat" },
		{ skel->progs.enter_execve, "sys_enter_execve" },
		{ skel->progs.enter_execveat, "sys_enter_execveat" },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places) && r == 0; i++)
		r = tracer_attach_tracepoint(&e->tracer, places[i].program, "syscalls",
					     places[i].name);
	return r;
}

static int attach_kprobes_of(struct exec *e, const char *prefix)
{
	struct exec_bpf *skel = e->skel;
	const struct {
		struct bpf_program *program;
		const char *name;
		bool at_return;
	} places[] = {
		{ skel->progs.leave_exec_kprobe, "execve", true },
		{ skel->progs.leave_exec_kprobe, "execveat", true },
		{ skel->progs.enter_execve_kprobe, "execve", false },
		{ skel->progs.enter_execveat_kprobe, "execveat", false },
	};
	char function[64];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places) && r == 0; i++) {
		snprintf(function, sizeof(function), "%s%s", prefix, places[i].name);
		r = tracer_attach_kprobe(&e->tracer, places[i].program, places[i].at_return,
					 function);
	}
	return r;
}

static int attach_kprobes(struct exec *e)
{
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes) && r < 0; i++)
		r = attach_kprobes_of(e, prefixes[i]);
	return r;
}

/* First what ends a call, then what begins it: no record waits for an end that nobody sees. */
static int attach(struct exec *e)
{
	int r = tracer_attach_raw_tracepoint(&e->tracer, e->skel->progs.replaced,
					     "sched_process_exec");

	if (r == 0 && e->attach != COLLECTOR_ATTACH_NONE)
		r = tracer_attach_raw_tracepoint(&e->tracer, e->skel->progs.ended,
						 "sched_process_exit");
	if (r == 0 && e->attach == COLLECTOR_ATTACH_KPROBE)
		r = attach_kprobes(e);
	if (r == 0 && e->attach == COLLECTOR_ATTACH_TRACEPOINT)
		r = attach_tracepoints(e);
	return r;
}

/* By e->attach. */
static int start_way(struct exec *e)
{
	struct exec_knobs knobs = { .max_args = e->full ? EXEC_MAX_ARGS : 1 };
	int r;

	e->skel = exec_bpf__open_opts(&e->tracer.options);
	if (!e->skel)
		return -errno;
	/* A kprobe finds the call's arguments in registers, whose places only BTF tells. */
	if (e->attach == COLLECTOR_ATTACH_KPROBE && e->tracer.btf_fd >= 0) {
		e->tracer.error = strdup("kprobes need a kernel that describes its types; attach = "
					 "auto takes another way");
		return -EOPNOTSUPP;
	}
	choose_programs(e);
	r = tracer_load(&e->tracer, e->skel->obj);
	if (r == 0)
		r = tracer_set(e->skel->maps.knobs, 0, &knobs);
	return r < 0 ? r : attach(e);
}

static int start(void *state)
{
	struct exec *e = state;
	const struct collector_settings *s = e->tracer.settings;
	int r;

	e->full = s->argv == COLLECTOR_ARGV_FULL;
	e->attach = s->attach == COLLECTOR_ATTACH_AUTO ? next_way(s, COLLECTOR_ATTACH_KPROBE)
						       : s->attach;
	r = start_way(e);
	while (r < 0 && s->attach == COLLECTOR_ATTACH_AUTO && e->attach != COLLECTOR_ATTACH_NONE) {
		exec_bpf__destroy(TAKE_PTR(e->skel));
		e->attach = next_way(s, e->attach + 1);
		r = tracer_again(&e->tracer);
		if (r == 0)
			r = start_way(e);
	}
	return r;
}

static void exec_close(void *state)
{
	struct exec *e = state;

	tracer_done(&e->tracer);
	exec_bpf__destroy(e->skel);
	buffer_done(&e->text);
	free(e);
}

static int exec_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct exec), s, start, exec_close, ret, ret_error);
}

static int exec_probe(const struct collector_settings *s, char **ret_reason)
{
	static const char *const calls[] = { "syscalls/sys_enter_execve", NULL };

	if (s->attach == COLLECTOR_ATTACH_KPROBE && !tracer_has_kprobes()) {
		*ret_reason = strdup("this kernel has no kprobes (CONFIG_KPROBES); attach = auto "
				     "takes another way");
		return -EOPNOTSUPP;
	}
	return tracer_probe(s, 0, s->attach == COLLECTOR_ATTACH_TRACEPOINT ? calls : NULL,
			    ret_reason);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static void put_argv(struct exec *e, const struct exec_record *rec, size_t size)
{
	unsigned int n;
	bool cut;

	buffer_reset(&e->text);
	n = argv_text_put(&e->text, rec->argv, size, EXEC_MAX_ARG - 1, &cut);
	rows_unsigned(e->tracer.rows, EXEC_ARGUMENTS, n);
	if (n && !e->text.error)
		rows_text(e->tracer.rows, EXEC_ARGV, (const char *)e->text.data, e->text.size);
	if (rec->flags & EXEC_ARGV_FAULT)
		rows_string(e->tracer.rows, EXEC_CUT, "fault");
	else if (e->full && (rec->flags & EXEC_MORE_ARGS))
		rows_string(e->tracer.rows, EXEC_CUT, "more");
	else if (cut)
		rows_string(e->tracer.rows, EXEC_CUT, "argument");
}

static void put_call(struct exec *e, const struct exec_record *rec)
{
	static const char *const calls[] = {
		[EXEC_EXECVE] = "execve",
		[EXEC_EXECVEAT] = "execveat",
	};
	struct rows *rows = e->tracer.rows;

	if (rec->call < ARRAY_SIZE(calls)) {
		rows_string(rows, EXEC_CALL, calls[rec->call]);
		rows_unsigned(rows, EXEC_DURATION, rec->head.time_ns - rec->start_ns);
	}
	if (!(rec->flags & EXEC_NO_RESULT))
		rows_signed(rows, EXEC_RESULT, rec->result);
	rows_text(rows, EXEC_COMMAND, rec->comm, strnlen(rec->comm, sizeof(rec->comm)));
	if (!(rec->flags & EXEC_FILE_FAULT))
		rows_text(rows, EXEC_FILE, rec->file_name,
			  strnlen(rec->file_name, sizeof(rec->file_name)));
}

static void put_event(const struct record_head *event, size_t size, void *userdata)
{
	struct exec *e = userdata;
	struct exec_record rec;

	if (size < EXEC_RECORD_MIN || size > sizeof(rec))
		return;
	memcpy(&rec, event, size);
	rows_add_at(e->tracer.rows, TABLE_CALLS, rec.head.time_ns);
	rows_unsigned(e->tracer.rows, EXEC_PID, rec.pid);
	if (rec.ppid)
		rows_unsigned(e->tracer.rows, EXEC_PPID, rec.ppid);
	rows_unsigned(e->tracer.rows, EXEC_UID, rec.uid);
	rows_unsigned(e->tracer.rows, EXEC_GID, rec.gid);
	rows_unsigned(e->tracer.rows, EXEC_CGROUP, rec.cgroup_id);
	put_call(e, &rec);
	put_argv(e, &rec, MIN((size_t)rec.argv_bytes, size - EXEC_RECORD_MIN));
}

static bool put_user(const void *key, const void *value, void *userdata)
{
	struct rows *rows = userdata;
	const struct exec_user *u = value;
	uint32_t uid;

	memcpy(&uid, key, sizeof(uid));
	rows_add(rows, TABLE_USERS);
	rows_unsigned(rows, USER_UID, uid);
	rows_unsigned(rows, USER_CALLS, u->execs);
	rows_unsigned(rows, USER_FAILURES, u->failures);
	return true;
}

static int exec_read(void *state, struct rows *rows)
{
	static const char *const ways[] = {
		[COLLECTOR_ATTACH_KPROBE] = "kprobe",
		[COLLECTOR_ATTACH_TRACEPOINT] = "tracepoint",
		[COLLECTOR_ATTACH_NONE] = "none",
	};
	struct exec *e = state;
	struct exec_counts counts = {};
	int r;

	e->tracer.rows = rows;
	r = tracer_drain(&e->tracer, put_event, e);
	if (r == 0)
		r = tracer_each(&e->tracer, e->skel->maps.users, put_user, rows);
	if (r == 0)
		r = tracer_counts(&e->tracer, e->skel->maps.counts, &counts, sizeof(counts));
	tracer_put_counts(&e->tracer, rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_CALLS, counts.no_pending);
	rows_unsigned(rows, LOSS_USERS, counts.no_user);
	rows_string(rows, LOSS_ATTACH, ways[e->attach]);
	return r;
}

const struct collector collector_exec = {
	.name = "exec",
	.summary = "every start of a program: who, what, with which result",
	.needs = "CAP_BPF, CAP_PERFMON; kprobes or tracefs for calls that fail",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_ARGV | COLLECTOR_EVENTS | COLLECTOR_ATTACH,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = exec_probe,
	.open = exec_open,
	.read = exec_read,
	.fd = tracer_fd,
	.close = exec_close,
};
