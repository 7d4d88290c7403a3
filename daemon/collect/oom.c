// SPDX-License-Identifier: Apache-2.0
/*
 * Processes killed because memory ran out, of the whole host or within a cgroup's limit. Before
 * Linux 6.9 the kernel tells the victim's pid alone; then its name is read from /proc while it
 * dies.
 */
#include <linux/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/oom.h"
#include "collect/roots.h"
#include "collect/tracer.h"
#include "oom.skel.h"

enum {
	OOM_PID,
	OOM_COMMAND,
	OOM_VIRTUAL,
	OOM_ANON,
	OOM_FILE,
	OOM_SHMEM,
	OOM_PAGE_TABLES,
	OOM_SCORE,
	OOM_BY_PID,
	OOM_BY_COMMAND,
	OOM_BY_CGROUP,
};

enum { TABLE_KILLS, TABLE_LOSSES };

/* clang-format off */
static const struct row_column kill_columns[] = {
	[OOM_PID] = { "pid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the process that was killed" },
	[OOM_COMMAND] = { "command", "", ROW_WORDS, ROW_TEXT, 0, 0, "its name" },
	[OOM_VIRTUAL] = { "virtual", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its address space" },
	[OOM_ANON] = { "anon", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its memory of no file" },
	[OOM_FILE] = { "file", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its memory of files" },
	[OOM_SHMEM] = { "shmem", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its shared memory" },
	[OOM_PAGE_TABLES] = { "page_tables", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "of it" },
	[OOM_SCORE] = { "score_adj", "id", ROW_GAUGE, ROW_SIGNED, 0, 0, "its oom_score_adj" },
	[OOM_BY_PID] = { "by_pid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the process that asked for memory" },
	[OOM_BY_COMMAND] = { "by_command", "", ROW_WORDS, ROW_TEXT, 0, 0, "its name" },
	[OOM_BY_CGROUP] = { "by_cgroup", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "inode of its cgroup v2 directory" },
};

static const struct row_column loss_columns[] = {
	TRACER_COLUMNS,
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_KILLS] = { .name = "oom",
			  .collector = "oom",
			  .summary = "processes that were killed because memory ran out",
			  .columns = kill_columns,
			  .n_columns = ARRAY_SIZE(kill_columns),
			  .no_metrics = true },
	[TABLE_LOSSES] = { .name = "oom_losses",
			   .collector = "oom",
			   .summary = "what the oom collector took and lost",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct oom {
	struct tracer tracer;
	struct oom_bpf *skel;
	uint64_t page_bytes;
};

static int start(void *state)
{
	struct oom *o = state;
	int r;

	o->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	o->tracer.ring_bytes = 65536;
	o->tracer.wake_each = true; /* the victim is soon gone */
	o->skel = oom_bpf__open_opts(&o->tracer.options);
	if (!o->skel)
		return -errno;
	r = tracer_load(&o->tracer, o->skel->obj);
	return r < 0 ? r : tracer_attach(&o->tracer, o->skel->progs.killed);
}

static void oom_close(void *state)
{
	struct oom *o = state;

	tracer_done(&o->tracer);
	oom_bpf__destroy(o->skel);
	free(o);
}

static int oom_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct oom), s, start, oom_close, ret, ret_error);
}

static void put_memory(struct oom *o, const struct oom_record *rec)
{
	rows_text(o->tracer.rows, OOM_COMMAND, rec->comm, strnlen(rec->comm, sizeof(rec->comm)));
	rows_unsigned(o->tracer.rows, OOM_VIRTUAL, rec->virtual_pages * o->page_bytes);
	rows_unsigned(o->tracer.rows, OOM_ANON, rec->anon_pages * o->page_bytes);
	rows_unsigned(o->tracer.rows, OOM_FILE, rec->file_pages * o->page_bytes);
	rows_unsigned(o->tracer.rows, OOM_SHMEM, rec->shmem_pages * o->page_bytes);
	rows_unsigned(o->tracer.rows, OOM_PAGE_TABLES, rec->page_table_bytes);
	rows_signed(o->tracer.rows, OOM_SCORE, rec->score_adj);
}

static void find_name(struct oom *o, uint32_t pid)
{
	char path[32], name[SAMPLE_COMM_LEN + 1];

	snprintf(path, sizeof(path), "%u/comm", pid);
	if (roots_read_string(&o->tracer.roots, o->tracer.roots.proc, path, name, sizeof(name)) ==
	    0)
		rows_string(o->tracer.rows, OOM_COMMAND, name);
	else
		rows_missing(o->tracer.rows);
}

static void put_event(const struct record_head *event, size_t size, void *userdata)
{
	const struct oom_record *rec = (const struct oom_record *)event;
	struct oom *o = userdata;

	if (size < sizeof(*rec))
		return;
	rows_add_at(o->tracer.rows, TABLE_KILLS, rec->head.time_ns);
	rows_unsigned(o->tracer.rows, OOM_PID, rec->pid);
	if (rec->known)
		put_memory(o, rec);
	else
		find_name(o, rec->pid);
	rows_unsigned(o->tracer.rows, OOM_BY_PID, rec->by_pid);
	rows_text(o->tracer.rows, OOM_BY_COMMAND, rec->by_comm,
		  strnlen(rec->by_comm, sizeof(rec->by_comm)));
	rows_unsigned(o->tracer.rows, OOM_BY_CGROUP, rec->cgroup_id);
}

static int oom_read(void *state, struct rows *rows)
{
	struct oom *o = state;
	int r;

	o->tracer.rows = rows;
	r = tracer_drain(&o->tracer, put_event, o);
	tracer_put_counts(&o->tracer, rows, TABLE_LOSSES);
	return r;
}

const struct collector collector_oom = {
	.name = "oom",
	.summary = "processes killed because memory ran out",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_EVENTS,
	.interval_ns = 10000000000,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = tracer_probe_btf,
	.open = oom_open,
	.read = oom_read,
	.fd = tracer_fd,
	.close = oom_close,
};
