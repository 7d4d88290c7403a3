// SPDX-License-Identifier: Apache-2.0
/*
 * The life of every process, those that live for a millisecond too, and of cgroups.
 */
#include <linux/types.h>

#include <errno.h>
#include <string.h>

#include "bpf/processes.h"
#include "collect/tracer.h"
#include "processes.skel.h"

enum {
	LIFE_EVENT,
	LIFE_PID,
	LIFE_PPID,
	LIFE_UID,
	LIFE_CGROUP,
	LIFE_COMMAND,
	LIFE_DURATION,
	LIFE_STATUS,
	LIFE_SIGNAL,
	LIFE_CORE,
};

enum { CGROUP_EVENT, CGROUP_ID, CGROUP_HIERARCHY, CGROUP_PATH };
enum { COUNT_FORKS, COUNT_THREADS, COUNT_EXECS, COUNT_EXITS, COUNT_FAILURES, COUNT_SIGNALS };
enum { TABLE_LIFE, TABLE_CGROUPS, TABLE_COUNTS, TABLE_LOSSES };

#define COUNTER(name, help)                                                                        \
	{                                                                                          \
		name, "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, help                                    \
	}

/* clang-format off */
static const struct row_column life_columns[] = {
	[LIFE_EVENT] = { "event", "", ROW_WORDS, ROW_TEXT, 0, 0, "fork, exec or exit" },
	[LIFE_PID] = { "pid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the process" },
	[LIFE_PPID] = { "ppid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its parent" },
	[LIFE_UID] = { "uid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "user" },
	[LIFE_CGROUP] = { "cgroup", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "inode of its cgroup v2 directory" },
	[LIFE_COMMAND] = { "command", "", ROW_WORDS, ROW_TEXT, 0, 0, "its name, after an exec the new one" },
	[LIFE_DURATION] = { "duration", "ns", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "exit: how long it lived" },
	[LIFE_STATUS] = { "status", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "exit: what it gave to exit(2); absent: a signal ended it" },
	[LIFE_SIGNAL] = { "signal", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "exit: number of the signal that ended it" },
	[LIFE_CORE] = { "core", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "exit: 1 when its memory was dumped" },
};

static const struct row_column cgroup_columns[] = {
	[CGROUP_EVENT] = { "event", "", ROW_WORDS, ROW_TEXT, 0, 0, "created or destroyed" },
	[CGROUP_ID] = { "cgroup", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "inode of its directory" },
	[CGROUP_HIERARCHY] = { "hierarchy", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "as in /proc/cgroups; 0: cgroup v2" },
	[CGROUP_PATH] = { "path", "", ROW_WORDS, ROW_TEXT, 0, 0, "below the hierarchy's root; at most 255 bytes" },
};

static const struct row_column count_columns[] = {
	[COUNT_FORKS] = COUNTER("forks", "processes that began, since the collector did"),
	[COUNT_THREADS] = COUNTER("threads", "threads that began beside their processes' first"),
	[COUNT_EXECS] = COUNTER("execs", "programs that began in a process"),
	[COUNT_EXITS] = COUNTER("exits", "processes that ended"),
	[COUNT_FAILURES] = COUNTER("failures", "of those, with a status that is not 0"),
	[COUNT_SIGNALS] = COUNTER("signals", "of those, by a signal"),
};

static const struct row_column loss_columns[] = {
	TRACER_COLUMNS,
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_LIFE] = { .name = "processes",
			 .collector = "processes",
			 .summary = "processes that began, changed their program, ended",
			 .columns = life_columns,
			 .n_columns = ARRAY_SIZE(life_columns),
			 .no_metrics = true },
	[TABLE_CGROUPS] = { .name = "processes_cgroups",
			    .collector = "processes",
			    .summary = "cgroups that were created and destroyed",
			    .columns = cgroup_columns,
			    .n_columns = ARRAY_SIZE(cgroup_columns),
			    .no_metrics = true },
	[TABLE_COUNTS] = { .name = "processes_counts",
			   .collector = "processes",
			   .summary = "how many of each",
			   .columns = count_columns,
			   .n_columns = ARRAY_SIZE(count_columns),
			   .from_zero = true },
	[TABLE_LOSSES] = { .name = "processes_losses",
			   .collector = "processes",
			   .summary = "what the processes collector took and lost",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct processes {
	struct tracer tracer;
	struct processes_bpf *skel;
};

static int start(void *state)
{
	struct processes *p = state;

	p->skel = processes_bpf__open_opts(&p->tracer.options);
	if (!p->skel)
		return -errno;
	return tracer_start(&p->tracer, p->skel->obj);
}

static void processes_close(void *state)
{
	struct processes *p = state;

	tracer_done(&p->tracer);
	processes_bpf__destroy(p->skel);
	free(p);
}

static int processes_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct processes), s, start, processes_close, ret, ret_error);
}

static void put_exit(struct rows *rows, const struct processes_record *rec)
{
	unsigned int signal = rec->exit_code & 127;

	rows_unsigned(rows, LIFE_DURATION, rec->life_ns);
	if (!signal) {
		rows_unsigned(rows, LIFE_STATUS, rec->exit_code >> 8 & 255);
		return;
	}
	rows_unsigned(rows, LIFE_SIGNAL, signal);
	if (rec->exit_code & 128)
		rows_unsigned(rows, LIFE_CORE, 1);
}

static void put_life(struct rows *rows, const struct processes_record *rec)
{
	static const char *const events[] = {
		[PROCESSES_FORK] = "fork",
		[PROCESSES_EXEC] = "exec",
		[PROCESSES_EXIT] = "exit",
	};

	rows_add_at(rows, TABLE_LIFE, rec->head.time_ns);
	rows_string(rows, LIFE_EVENT, events[rec->head.kind]);
	rows_unsigned(rows, LIFE_PID, rec->pid);
	rows_unsigned(rows, LIFE_PPID, rec->ppid);
	rows_unsigned(rows, LIFE_UID, rec->uid);
	rows_unsigned(rows, LIFE_CGROUP, rec->cgroup_id);
	rows_text(rows, LIFE_COMMAND, rec->comm, strnlen(rec->comm, sizeof(rec->comm)));
	if (rec->head.kind == PROCESSES_EXIT)
		put_exit(rows, rec);
}

static void put_cgroup(struct rows *rows, const struct cgroups_record *rec)
{
	rows_add_at(rows, TABLE_CGROUPS, rec->head.time_ns);
	rows_string(rows, CGROUP_EVENT,
		    rec->head.kind == PROCESSES_CGROUP_CREATED ? "created" : "destroyed");
	rows_unsigned(rows, CGROUP_ID, rec->id);
	rows_unsigned(rows, CGROUP_HIERARCHY, rec->hierarchy);
	if (rec->path_bytes)
		rows_text(rows, CGROUP_PATH, rec->path, strnlen(rec->path, sizeof(rec->path)));
}

static void put_event(const struct record_head *event, size_t size, void *userdata)
{
	struct processes *p = userdata;

	if (event->kind <= PROCESSES_EXIT && size >= sizeof(struct processes_record))
		put_life(p->tracer.rows, (const struct processes_record *)event);
	else if (event->kind > PROCESSES_EXIT && size >= sizeof(struct cgroups_record))
		put_cgroup(p->tracer.rows, (const struct cgroups_record *)event);
}

static int processes_read(void *state, struct rows *rows)
{
	struct processes *p = state;
	struct processes_counts c = {};
	int r;

	p->tracer.rows = rows;
	r = tracer_drain(&p->tracer, put_event, p);
	if (r == 0)
		r = tracer_counts(&p->tracer, p->skel->maps.counts, &c, sizeof(c));
	if (r == 0) {
		rows_add(rows, TABLE_COUNTS);
		rows_unsigned(rows, COUNT_FORKS, c.forks);
		rows_unsigned(rows, COUNT_THREADS, c.threads);
		rows_unsigned(rows, COUNT_EXECS, c.execs);
		rows_unsigned(rows, COUNT_EXITS, c.exits);
		rows_unsigned(rows, COUNT_FAILURES, c.failures);
		rows_unsigned(rows, COUNT_SIGNALS, c.signals);
	}
	tracer_put_counts(&p->tracer, rows, TABLE_LOSSES);
	return r;
}

const struct collector collector_processes = {
	.name = "processes",
	.summary = "fork, exec and exit of every process; cgroups created and destroyed",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.keys = COLLECTOR_EVENTS,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = tracer_probe_btf,
	.open = processes_open,
	.read = processes_read,
	.fd = tracer_fd,
	.close = processes_close,
};
