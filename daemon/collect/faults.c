// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults: of user space and of the kernel, with and without I/O, of the host and by process.
 * One software event of each kind on each CPU. CPUs that come and go are noticed at each read.
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

/* A CPU's events; each link owns its event, whose descriptor tells what it counted. */
struct watched {
	int cpu;
	struct bpf_link *links[FAULTS_KINDS];
	int fds[FAULTS_KINDS];
};

struct faults {
	struct tracer tracer;
	struct faults_bpf *skel;
	char *sysfs;
	struct watched *list; /* by CPU */
	size_t n;
	uint64_t counted_before; /* by events on CPUs that went */
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

static struct bpf_program *program_of(const struct faults *f, enum faults_kind kind)
{
	const struct faults_bpf *skel = f->skel;
	struct bpf_program *const programs[FAULTS_KINDS] = {
		[FAULTS_USER_MINOR] = skel->progs.user_minor,
		[FAULTS_USER_MAJOR] = skel->progs.user_major,
		[FAULTS_KERNEL_MINOR] = skel->progs.kernel_minor,
		[FAULTS_KERNEL_MAJOR] = skel->progs.kernel_major,
	};

	return programs[kind];
}

/* What its events counted, all together. */
static uint64_t count_events(const struct watched *w)
{
	uint64_t sum = 0, value;

	for (int kind = 0; kind < FAULTS_KINDS; kind++)
		if (w->links[kind] && read(w->fds[kind], &value, sizeof(value)) == sizeof(value))
			sum += value;
	return sum;
}

static void unwatch(struct faults *f, struct watched *w)
{
	f->counted_before += count_events(w);
	for (int kind = 0; kind < FAULTS_KINDS; kind++)
		bpf_link__destroy(w->links[kind]);
	memmove(w, w + 1, (size_t)(f->list + f->n-- - (w + 1)) * sizeof(*w));
}

/* The link takes the event over, and enables it. */
static int watch_kind(const struct faults *f, struct watched *w, enum faults_kind kind)
{
	int fd = open_event(kind, w->cpu), r;

	if (fd < 0)
		return fd;
	w->links[kind] = bpf_program__attach_perf_event(program_of(f, kind), fd);
	if (!w->links[kind]) {
		r = -errno;
		close(fd);
		return r;
	}
	w->fds[kind] = fd;
	return 0;
}

/* Before `place`, which is the first CPU above this one. */
static int watch(struct faults *f, size_t place, int cpu)
{
	struct watched *list = reallocarray(f->list, f->n + 1, sizeof(*list)), *w;
	int r = 0;

	if (!list)
		return -ENOMEM;
	f->list = list;
	w = list + place;
	memmove(w + 1, w, (f->n++ - place) * sizeof(*w));
	*w = (struct watched){ .cpu = cpu };
	for (int kind = 0; r == 0 && kind < FAULTS_KINDS; kind++)
		r = watch_kind(f, w, kind);
	if (r < 0)
		unwatch(f, w);
	return r == -ENODEV ? 0 : r; /* it went offline a moment ago */
}

/* Makes the list that of the CPUs that are online now. */
static int follow_cpus(struct faults *f)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n = 0, at = 0;
	int r = host_cpus_online(f->sysfs, &cpus, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		while (at < f->n && f->list[at].cpu < cpus[i])
			unwatch(f, &f->list[at]);
		if (at == f->n || f->list[at].cpu != cpus[i])
			r = watch(f, at, cpus[i]);
		at += at < f->n && f->list[at].cpu == cpus[i];
	}
	while (r == 0 && at < f->n)
		unwatch(f, &f->list[at]);
	return r;
}

static int start(void *state)
{
	struct faults *f = state;
	int r;

	f->sysfs = strdup(f->tracer.settings->sysfs);
	f->skel = f->sysfs ? faults_bpf__open_opts(&f->tracer.options) : NULL;
	if (!f->skel)
		return -errno;
	r = tracer_load(&f->tracer, f->skel->obj);
	if (r < 0)
		return r;
	r = follow_cpus(f);
	if (r < 0 &&
	    asprintf(&f->tracer.error, "page faults cannot be watched: %s", strerror(-r)) < 0)
		f->tracer.error = NULL;
	return r;
}

static void faults_close(void *state)
{
	struct faults *f = state;

	while (f->n)
		unwatch(f, &f->list[f->n - 1]);
	tracer_done(&f->tracer);
	faults_bpf__destroy(f->skel);
	free(f->list);
	free(f->sysfs);
	free(f);
}

static int faults_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct faults), s, start, faults_close, ret, ret_error);
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
	rows_add(f->tracer.rows, TABLE_PROCESSES);
	rows_unsigned(f->tracer.rows, PROCESS_PID, pid);
	rows_text(f->tracer.rows, PROCESS_COMMAND, p->comm, strnlen(p->comm, sizeof(p->comm)));
	put_faults(f->tracer.rows, PROCESS_FAULTS, p->faults);
	return tracer_process_alive(&f->tracer, pid);
}

static int faults_read(void *state, struct rows *rows)
{
	struct faults *f = state;
	struct faults_counts c = {};
	uint64_t counted, seen = 0;
	int r = follow_cpus(f);

	if (r < 0)
		rows_problem(rows, "page faults of some CPUs cannot be counted: %s", strerror(-r));
	f->tracer.rows = rows;
	counted = f->counted_before;
	for (size_t i = 0; i < f->n; i++)
		counted += count_events(&f->list[i]);
	r = tracer_each(&f->tracer, f->skel->maps.processes, put_process, f);
	if (r == 0)
		r = tracer_counts(&f->tracer, f->skel->maps.counts, &c, sizeof(c));
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
