// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults: of user space and of the kernel, with and without I/O, of the host and by process.
 * One software event of each kind on each CPU that is online when the collector begins.
 */
#include <linux/types.h>

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "bpf/faults.h"
#include "collect/histogram.h"
#include "collect/roots.h"
#include "collect/tracer.h"
#include "faults.skel.h"
#include "host/cpus.h"

enum { HOST_FAULTS };
enum { PROCESS_PID, PROCESS_COMMAND, PROCESS_FAULTS };
enum { LOSS_UNCOUNTED, LOSS_UNSEEN };
enum { TABLE_HOST, TABLE_PROCESSES, TABLE_LOSSES };

/* clang-format off */
#define FAULTS_COLUMN(first, kind, name, help) \
	[(first) + (kind)] = { name, "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, help }
#define FAULTS_COLUMNS(first) \
	FAULTS_COLUMN(first, FAULTS_USER_MINOR, "user_minor", "of user space, without I/O"), \
	FAULTS_COLUMN(first, FAULTS_USER_MAJOR, "user_major", "of user space, with I/O"), \
	FAULTS_COLUMN(first, FAULTS_KERNEL_MINOR, "kernel_minor", "of the kernel on a user's page, without I/O"), \
	FAULTS_COLUMN(first, FAULTS_KERNEL_MAJOR, "kernel_major", "of the kernel on a user's page, with I/O")

static const struct row_column host_columns[] = {
	FAULTS_COLUMNS(HOST_FAULTS),
};

static const struct row_column process_columns[] = {
	[PROCESS_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "the process" },
	[PROCESS_COMMAND] = { "command", "", ROW_WORDS, ROW_TEXT, 0, 0, "name of the thread whose fault was the last" },
	FAULTS_COLUMNS(PROCESS_FAULTS),
};

static const struct row_column loss_columns[] = {
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "faults of processes beyond the first 4,096; the host's are whole" },
	[LOSS_UNSEEN] = { "unseen", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "faults that the kernel counted, but ran no program for: another one was running" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_HOST] = { .name = "faults",
			 .collector = "faults",
			 .summary = "page faults, of all processes",
			 .columns = host_columns,
			 .n_columns = ARRAY_SIZE(host_columns),
			 .from_zero = true },
	[TABLE_PROCESSES] = { .name = "faults_processes",
			      .collector = "faults",
			      .summary = "page faults by process",
			      .columns = process_columns,
			      .n_columns = ARRAY_SIZE(process_columns),
			      .from_zero = true,
			      .no_metrics = true },
	[TABLE_LOSSES] = { .name = "faults_losses",
			   .collector = "faults",
			   .summary = "what the faults collector had no room for",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct faults {
	struct tracer tracer;
	struct faults_bpf *skel;
	struct roots roots;
	struct rows *rows; /* of the read that runs */
	int *fds; /* the links' */
	size_t n_fds;
};

static int open_event(enum faults_kind kind, int cpu)
{
	bool major = kind == FAULTS_USER_MAJOR || kind == FAULTS_KERNEL_MAJOR;
	bool user = kind == FAULTS_USER_MINOR || kind == FAULTS_USER_MAJOR;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = major ? PERF_COUNT_SW_PAGE_FAULTS_MAJ : PERF_COUNT_SW_PAGE_FAULTS_MIN,
		.sample_period = 1,
		.exclude_user = !user,
		.exclude_kernel = user,
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The link owns the event, and enables it. */
static int watch(struct faults *f, struct bpf_program *program, enum faults_kind kind, int cpu)
{
	int fd = open_event(kind, cpu), r;
	struct bpf_link *link;

	if (fd == -ENODEV)
		return 0; /* it went offline a moment ago */
	if (fd < 0)
		return fd;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link) {
		r = -errno;
		close(fd);
		errno = -r;
	}
	r = tracer_keep_link(&f->tracer, program, link);
	if (r == 0)
		f->fds[f->n_fds++] = fd;
	return r;
}

static int watch_all(struct faults *f)
{
	const struct faults_bpf *skel = f->skel;
	struct bpf_program *const programs[FAULTS_KINDS] = {
		[FAULTS_USER_MINOR] = skel->progs.user_minor,
		[FAULTS_USER_MAJOR] = skel->progs.user_major,
		[FAULTS_KERNEL_MINOR] = skel->progs.kernel_minor,
		[FAULTS_KERNEL_MAJOR] = skel->progs.kernel_major,
	};
	_cleanup_free_ int *cpus = NULL;
	size_t n = 0;
	int r = host_cpus_online(NULL, &cpus, &n);

	if (r < 0)
		return r;
	f->fds = calloc(n * FAULTS_KINDS, sizeof(*f->fds));
	if (!f->fds)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		for (int kind = 0; r == 0 && kind < FAULTS_KINDS; kind++)
			r = watch(f, programs[kind], kind, cpus[i]);
	return r;
}

static int start(struct faults *f, const struct collector_settings *s)
{
	int r;

	tracer_init(&f->tracer, s);
	f->skel = faults_bpf__open_opts(&f->tracer.options);
	if (!f->skel)
		return -errno;
	r = tracer_load(&f->tracer, f->skel->obj);
	return r < 0 ? r : watch_all(f);
}

static void faults_close(void *state)
{
	struct faults *f = state;

	tracer_done(&f->tracer);
	faults_bpf__destroy(f->skel);
	roots_close(&f->roots);
	free(f->fds);
	free(f);
}

static int faults_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct faults *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	r = roots_open(s, &f->roots);
	if (r < 0) {
		free(f);
		return r;
	}
	r = start(f, s);
	if (r < 0) {
		*ret_error = tracer_take_error(&f->tracer);
		faults_close(f);
		return r;
	}
	*ret = f;
	return 0;
}

static int faults_probe(const struct collector_settings *s, char **ret_reason)
{
	return tracer_probe(s, 0, NULL, ret_reason);
}

static void put_faults(struct rows *rows, unsigned int first, const __u64 *faults)
{
	for (unsigned int kind = 0; kind < FAULTS_KINDS; kind++)
		rows_unsigned(rows, first + kind, faults[kind]);
}

static bool put_process(const void *key, const void *value, void *userdata)
{
	struct faults *f = userdata;
	const struct faults_process *p = value;
	uint32_t pid;

	memcpy(&pid, key, sizeof(pid));
	rows_add(f->rows, TABLE_PROCESSES);
	rows_unsigned(f->rows, PROCESS_PID, pid);
	rows_text(f->rows, PROCESS_COMMAND, p->comm, strnlen(p->comm, sizeof(p->comm)));
	put_faults(f->rows, PROCESS_FAULTS, p->faults);
	return process_alive(&f->roots, pid);
}

/* What the events themselves counted. */
static uint64_t count_events(const struct faults *f)
{
	uint64_t sum = 0, value;

	for (size_t i = 0; i < f->n_fds; i++)
		if (read(f->fds[i], &value, sizeof(value)) == sizeof(value))
			sum += value;
	return sum;
}

static int faults_read(void *state, struct rows *rows)
{
	struct faults *f = state;
	struct faults_counts c = {};
	uint64_t counted = count_events(f), seen = 0;
	int r;

	f->rows = rows;
	r = tracer_each(&f->tracer, f->skel->maps.processes, put_process, f);
	if (r == 0)
		r = tracer_sum(&f->tracer, f->skel->maps.counts, 0, (uint64_t *)&c,
			       sizeof(c) / sizeof(uint64_t));
	if (r < 0)
		return r;
	rows_add(rows, TABLE_HOST);
	put_faults(rows, HOST_FAULTS, c.faults);
	for (int kind = 0; kind < FAULTS_KINDS; kind++)
		seen += c.faults[kind];
	rows_add(rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_UNCOUNTED, c.uncounted);
	rows_unsigned(rows, LOSS_UNSEEN, counted > seen ? counted - seen : 0);
	return 0;
}

const struct collector collector_faults = {
	.name = "faults",
	.summary = "page faults of user space and kernel, with and without I/O, by process",
	.needs = "CAP_BPF, CAP_PERFMON",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = faults_probe,
	.open = faults_open,
	.read = faults_read,
	.close = faults_close,
};
