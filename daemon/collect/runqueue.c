// SPDX-License-Identifier: Apache-2.0
/*
 * How long threads that could run waited for a CPU: of the host, and of each process.
 */
#include <linux/types.h>

#include <errno.h>
#include <string.h>

#include "bpf/runqueue.h"
#include "collect/histogram.h"
#include "collect/tracer.h"
#include "runqueue.skel.h"

enum { HOST_WAITS };
enum { PROCESS_PID, PROCESS_COMMAND, PROCESS_WAITS };
enum { LOSS_UNWATCHED, LOSS_UNCOUNTED };
enum { TABLE_HOST, TABLE_PROCESSES, TABLE_LOSSES };

/* clang-format off */
static const struct row_column host_columns[] = {
	HISTOGRAM_COLUMNS(HOST_WAITS, "waits", "that threads waited, together"),
};

static const struct row_column process_columns[] = {
	[PROCESS_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "the process" },
	[PROCESS_COMMAND] = { "command", "", ROW_WORDS, ROW_TEXT, 0, 0, "name of the thread that waited first" },
	HISTOGRAM_COLUMNS(PROCESS_WAITS, "waits", "that its threads waited, together"),
};

static const struct row_column loss_columns[] = {
	[LOSS_UNWATCHED] = { "unwatched", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "waits while more than 16,384 threads waited" },
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "waits of processes beyond the first 4,096; the host's are whole" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_HOST] = { .name = "runqueue",
			 .collector = "runqueue",
			 .summary = "waits for a CPU, of all threads",
			 .columns = host_columns,
			 .n_columns = ARRAY_SIZE(host_columns),
			 .from_zero = true },
	[TABLE_PROCESSES] = { .name = "runqueue_processes",
			      .collector = "runqueue",
			      .summary = "waits for a CPU by process",
			      .columns = process_columns,
			      .n_columns = ARRAY_SIZE(process_columns),
			      .from_zero = true,
			      .no_metrics = true },
	[TABLE_LOSSES] = { .name = "runqueue_losses",
			   .collector = "runqueue",
			   .summary = "what the runqueue collector had no room for",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct runqueue {
	struct tracer tracer;
	struct runqueue_bpf *skel;
};

static int start(void *state)
{
	struct runqueue *q = state;

	q->skel = runqueue_bpf__open_opts(&q->tracer.options);
	if (!q->skel)
		return -errno;
	return tracer_start(&q->tracer, q->skel->obj);
}

static void runqueue_close(void *state)
{
	struct runqueue *q = state;

	tracer_done(&q->tracer);
	runqueue_bpf__destroy(q->skel);
	free(q);
}

static int runqueue_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct runqueue), s, start, runqueue_close, ret, ret_error);
}

static bool put_process(const void *key, const void *value, void *userdata)
{
	struct runqueue *q = userdata;
	const struct runqueue_process *p = value;
	uint32_t pid;

	memcpy(&pid, key, sizeof(pid));
	rows_add(q->tracer.rows, TABLE_PROCESSES);
	rows_unsigned(q->tracer.rows, PROCESS_PID, pid);
	rows_text(q->tracer.rows, PROCESS_COMMAND, p->comm, strnlen(p->comm, sizeof(p->comm)));
	histogram_put(q->tracer.rows, PROCESS_WAITS, &p->waits);
	return tracer_process_alive(&q->tracer, pid);
}

static int runqueue_read(void *state, struct rows *rows)
{
	struct runqueue *q = state;
	struct histogram host = {};
	struct runqueue_counts c = {};
	int r = tracer_sum(&q->tracer, q->skel->maps.host, 0, (uint64_t *)&host, HISTOGRAM_WORDS);

	if (r < 0)
		return r;
	q->tracer.rows = rows;
	rows_add(rows, TABLE_HOST);
	histogram_put(rows, HOST_WAITS, &host);
	r = tracer_each(&q->tracer, q->skel->maps.processes, put_process, q);
	if (r == 0)
		r = tracer_counts(&q->tracer, q->skel->maps.counts, &c, sizeof(c));
	if (r < 0)
		return r;
	rows_add(rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_UNWATCHED, c.unwatched);
	rows_unsigned(rows, LOSS_UNCOUNTED, c.uncounted);
	return 0;
}

const struct collector collector_runqueue = {
	.name = "runqueue",
	.summary = "how long threads that can run wait for a CPU, by process",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = tracer_probe_btf,
	.open = runqueue_open,
	.read = runqueue_read,
	.close = runqueue_close,
};
