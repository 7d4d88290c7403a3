// SPDX-License-Identifier: Apache-2.0
/*
 * The processes that use most CPU. First every process is looked at (process_look.h), for its CPU time
 * since the read before; then all else is read, of the top ones only. A process is known by its pid and
 * its start: a pid that is used again is another process, whose CPU time counts from its own start.
 *
 * Adding up a process's pages (smaps_rollup) takes milliseconds for each GiB, and holds the lock of
 * its memory meanwhile. So all sums together may take one part in ROLLUP_SHARE of the time, with a
 * burst after a pause, and each process its part of that; until then its pss and uss are absent.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "collect/basic.h"
#include "collect/process_look.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/parse.h"

#define ROLLUP_SHARE 2000 /* a twentieth of a percent of a CPU */
#define ROLLUP_BURST_NS (10 * NSEC_PER_SEC) /* worth five milliseconds of sums */
#define ROLLUP_PAUSE_NS (10 * NSEC_PER_SEC) /* between two of a process, at least */
#define MAX_COMMAND 1024

enum {
	PROCESS_PID,
	PROCESS_START,
	PROCESS_PPID,
	PROCESS_PGID,
	PROCESS_SID,
	PROCESS_COMM,
	PROCESS_COMMAND,
	PROCESS_STATE,
	PROCESS_CPU_PERCENT,
	PROCESS_USER_TIME,
	PROCESS_SYSTEM_TIME,
	PROCESS_MINOR_FAULTS,
	PROCESS_MAJOR_FAULTS,
	PROCESS_PRIORITY,
	PROCESS_NICE,
	PROCESS_THREADS,
	PROCESS_VIRTUAL,
	PROCESS_RESIDENT,
	PROCESS_PSS,
	PROCESS_USS,
	PROCESS_FDS,
	PROCESS_VOLUNTARY,
	PROCESS_INVOLUNTARY,
};

enum { COUNT_TOTAL, COUNT_RUNNING, COUNT_SLEEPING, COUNT_BLOCKED, COUNT_STOPPED, COUNT_ZOMBIES };
enum { TABLE_TOP, TABLE_COUNTS };

#define GAUGE(name, unit, help)                                                                    \
	{                                                                                          \
		name, unit, ROW_GAUGE, ROW_UNSIGNED, 0, 0, help                                    \
	}
#define SIGNED(name, unit, help)                                                                   \
	{                                                                                          \
		name, unit, ROW_GAUGE, ROW_SIGNED, 0, 0, help                                      \
	}
#define COUNTER(name, unit, help)                                                                  \
	{                                                                                          \
		name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help                                  \
	}
#define WORDS(name, help)                                                                          \
	{                                                                                          \
		name, "", ROW_WORDS, ROW_TEXT, 0, 0, help                                          \
	}

/* clang-format off */
static const struct row_column top_columns[] = {
	[PROCESS_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "process id" },
	[PROCESS_START] = { "start", "time", ROW_KEY, ROW_UNSIGNED, 0, 0, "when it began, since the epoch" },
	[PROCESS_PPID] = SIGNED("ppid", "id", "its parent"),
	[PROCESS_PGID] = SIGNED("pgid", "id", "process group"),
	[PROCESS_SID] = SIGNED("sid", "id", "session"),
	[PROCESS_COMM] = WORDS("comm", "name"),
	[PROCESS_COMMAND] = WORDS("command", "command line: its first word, or all of it with argv = full"),
	[PROCESS_STATE] = WORDS("state", "R, S, D, Z, T ..."),
	[PROCESS_CPU_PERCENT] = { "cpu", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "of one CPU, since the read before" },
	[PROCESS_USER_TIME] = COUNTER("user_time", "ns", "CPU time in user space"),
	[PROCESS_SYSTEM_TIME] = COUNTER("system_time", "ns", "CPU time in the kernel"),
	[PROCESS_MINOR_FAULTS] = COUNTER("minor_faults", "", "page faults without I/O"),
	[PROCESS_MAJOR_FAULTS] = COUNTER("major_faults", "", "page faults with I/O"),
	[PROCESS_PRIORITY] = SIGNED("priority", "", "as the kernel counts it"),
	[PROCESS_NICE] = SIGNED("nice", "", "-20 to 19"),
	[PROCESS_THREADS] = GAUGE("threads", "", "threads"),
	[PROCESS_VIRTUAL] = GAUGE("virtual", "bytes", "address space"),
	[PROCESS_RESIDENT] = GAUGE("resident", "bytes", "memory in use, shared pages in full"),
	[PROCESS_PSS] = GAUGE("pss", "bytes", "the same, shared pages divided; absent: not read this time"),
	[PROCESS_USS] = GAUGE("uss", "bytes", "pages of its own; absent: not read this time"),
	[PROCESS_FDS] = GAUGE("fds", "", "open file descriptors"),
	[PROCESS_VOLUNTARY] = COUNTER("voluntary_switches", "", "times it gave up its CPU"),
	[PROCESS_INVOLUNTARY] = COUNTER("involuntary_switches", "", "times it was taken off its CPU"),
};

static const struct row_column count_columns[] = {
	[COUNT_TOTAL] = GAUGE("processes", "", "all"),
	[COUNT_RUNNING] = GAUGE("running", "", "state R"),
	[COUNT_SLEEPING] = GAUGE("sleeping", "", "state S or I"),
	[COUNT_BLOCKED] = GAUGE("blocked", "", "state D"),
	[COUNT_STOPPED] = GAUGE("stopped", "", "state T or t"),
	[COUNT_ZOMBIES] = GAUGE("zombies", "", "state Z"),
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_TOP] = { .name = "process",
			.collector = "process",
			.summary = "the processes that use most CPU",
			.columns = top_columns,
			.n_columns = ARRAY_SIZE(top_columns),
			.no_metrics = true },
	[TABLE_COUNTS] = { .name = "process_counts",
			   .collector = "process",
			   .summary = "processes by state",
			   .columns = count_columns,
			   .n_columns = ARRAY_SIZE(count_columns) },
};

struct candidate {
	struct known_process *known;
	double cpu_percent; /* negative: unknown */
};

/* What a process alone changes, and only while it runs: as the row of a read before had it. */
static const unsigned int own_columns[] = { PROCESS_COMMAND, PROCESS_FDS, PROCESS_VOLUNTARY,
					    PROCESS_INVOLUNTARY };

struct told {
	struct process_id id; /* pid 0: none */
	uint64_t cpu_ns;
	struct row_value values[ARRAY_SIZE(own_columns)];
	char *command; /* the text of the first of these */
};

struct process_collector {
	struct roots roots;
	struct buffer text;
	struct process_look look;
	struct candidate *candidates; /* [2 * top]; the first `kept` are the best so far, in order */
	size_t n, kept, top;
	struct told *told, *told_before; /* [top], of this read and of the one before */
	bool full_command;
	bool counts_fds; /* the size of a directory fd is the number of its entries (Linux 6.2) */
	uint64_t rollups_ns; /* the time for which those that were taken stand */
	uint64_t now_ns, last_ns; /* of this read, and of the one before */
	uint64_t boot_ns; /* since the epoch; 0: unknown */
	uint64_t hz; /* USER_HZ */
	uint64_t counts[ARRAY_SIZE(count_columns)];
};

/* --- life --- */

static void forget_told(const struct process_collector *p, struct told *told)
{
	for (size_t i = 0; told && i < p->top; i++) {
		free(told[i].command);
		told[i] = (struct told){};
	}
}

static void process_close(void *state)
{
	struct process_collector *p = state;

	process_look_done(&p->look);
	forget_told(p, p->told);
	forget_told(p, p->told_before);
	free(p->told);
	free(p->told_before);
	free(p->candidates);
	buffer_done(&p->text);
	roots_close(&p->roots);
	free(p);
}

static int process_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct process_collector *p = calloc(1, sizeof(*p));
	int r = p ? roots_open(s, &p->roots) : -ENOMEM;
	struct statfs fs;
	struct stat st;

	(void)ret_error;
	if (r < 0) {
		free(p);
		return r;
	}
	process_look_init(&p->look, p->roots.proc);
	p->top = s->top;
	p->full_command = s->argv == COLLECTOR_ARGV_FULL;
	p->candidates = calloc(2 * p->top, sizeof(*p->candidates));
	p->told = calloc(p->top, sizeof(*p->told));
	p->told_before = calloc(p->top, sizeof(*p->told_before));
	if (!p->candidates || !p->told || !p->told_before) {
		process_close(p);
		return -ENOMEM;
	}
	/* This process has some. */
	p->counts_fds = fstatfs(p->roots.proc, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
			fstatat(p->roots.proc, "self/fd", &st, 0) == 0 && st.st_size > 0;
	p->hz = (uint64_t)sysconf(_SC_CLK_TCK);
	p->text.limit = 1U << 20;
	*ret = p;
	return 0;
}

/* --- all processes --- */

static int compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->cpu_percent != y->cpu_percent)
		return x->cpu_percent > y->cpu_percent ? -1 : 1;
	/* Before there is a percentage, its whole life decides. */
	if (x->known->ticks != y->known->ticks)
		return x->known->ticks > y->known->ticks ? -1 : 1;
	return x->known->id.pid < y->known->id.pid ? -1 : 1;
}

static void keep_best(struct process_collector *p)
{
	if (p->n)
		qsort(p->candidates, p->n, sizeof(*p->candidates), compare);
	p->kept = p->n = MIN(p->n, p->top);
}

static void add_candidate(struct process_collector *p, struct candidate c)
{
	if (p->kept == p->top && compare(&c, &p->candidates[p->kept - 1]) > 0)
		return;
	p->candidates[p->n++] = c;
	if (p->n == 2 * p->top)
		keep_best(p);
}

static void count_state(struct process_collector *p, char state)
{
	static const char states[] = { [COUNT_RUNNING] = 'R',
				       [COUNT_SLEEPING] = 'S',
				       [COUNT_BLOCKED] = 'D',
				       [COUNT_STOPPED] = 'T',
				       [COUNT_ZOMBIES] = 'Z' };

	p->counts[COUNT_TOTAL]++;
	state = state == 'I' ? 'S' : state == 't' ? 'T' : state;
	for (size_t i = COUNT_RUNNING; i < ARRAY_SIZE(states); i++)
		p->counts[i] += states[i] == state;
}

/* Its share since the last read; of one that began since then, all it ever used. */
static double cpu_percent(const struct process_collector *p, const struct known_process *k)
{
	if (p->last_ns == 0 || p->now_ns <= p->last_ns || k->ticks < k->ticks_before)
		return -1;
	return 100.0 * (double)(k->ticks - k->ticks_before) / (double)p->hz /
	       ((double)(p->now_ns - p->last_ns) / 1e9);
}

static void take_process(struct known_process *k, void *userdata)
{
	struct process_collector *p = userdata;

	count_state(p, k->state);
	add_candidate(p, (struct candidate){ k, cpu_percent(p, k) });
}

/* --- the top ones --- */

static int read_of(struct process_collector *p, pid_t pid, const char *file)
{
	char path[48];

	snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	return file_read_piece(p->roots.proc, path, &p->text);
}

static void put_stat(const struct process_collector *p, const struct process_stat *s,
		     struct rows *rows)
{
	uint64_t tick = NSEC_PER_SEC / p->hz, ns;

	rows_unsigned(rows, PROCESS_PID, (uint64_t)s->pid);
	if (p->boot_ns && !__builtin_mul_overflow(s->start_ticks, tick, &ns))
		rows_unsigned(rows, PROCESS_START, p->boot_ns + ns);
	rows_signed(rows, PROCESS_PPID, s->ppid);
	rows_signed(rows, PROCESS_PGID, s->pgid);
	rows_signed(rows, PROCESS_SID, s->sid);
	rows_text(rows, PROCESS_COMM, s->comm.data, s->comm.size);
	rows_text(rows, PROCESS_STATE, &s->state, 1);
	rows_unsigned(rows, PROCESS_MINOR_FAULTS, s->minor_faults);
	rows_unsigned(rows, PROCESS_MAJOR_FAULTS, s->major_faults);
	if (!__builtin_mul_overflow(s->user_ticks, tick, &ns))
		rows_unsigned(rows, PROCESS_USER_TIME, ns);
	if (!__builtin_mul_overflow(s->system_ticks, tick, &ns))
		rows_unsigned(rows, PROCESS_SYSTEM_TIME, ns);
	rows_signed(rows, PROCESS_PRIORITY, s->priority);
	rows_signed(rows, PROCESS_NICE, s->nice);
	rows_unsigned(rows, PROCESS_THREADS, s->threads);
	rows_unsigned(rows, PROCESS_VIRTUAL, s->virtual_bytes);
	if (!__builtin_mul_overflow(s->resident_pages, (uint64_t)sysconf(_SC_PAGESIZE), &ns))
		rows_unsigned(rows, PROCESS_RESIDENT, ns);
}

static void read_status(struct process_collector *p, pid_t pid, struct rows *rows)
{
	struct scan s, line;
	uint64_t v;

	if (read_of(p, pid, "status") < 0) {
		rows_missing(rows);
		return;
	}
	s = scan_buffer(&p->text);
	while (scan_line(&s, &line))
		if (scan_literal(&line, "voluntary_ctxt_switches:") && scan_unsigned(&line, &v))
			rows_unsigned(rows, PROCESS_VOLUNTARY, v);
		else if (scan_literal(&line, "nonvoluntary_ctxt_switches:") &&
			 scan_unsigned(&line, &v))
			rows_unsigned(rows, PROCESS_INVOLUNTARY, v);
}

/* Arguments are separated by NULs. A kernel thread has none. */
static void read_command(struct process_collector *p, pid_t pid, struct rows *rows)
{
	char path[32], text[MAX_COMMAND];
	ssize_t got;
	size_t n;
	int fd;

	snprintf(path, sizeof(path), "%d/cmdline", (int)pid);
	fd = openat(p->roots.proc, path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	if (got < 0) {
		rows_missing(rows);
		return;
	}
	n = (size_t)got;
	if (!p->full_command)
		n = strnlen(text, n);
	while (n && text[n - 1] == 0)
		n--;
	for (size_t i = 0; i < n; i++)
		if (text[i] == 0)
			text[i] = ' ';
	if (n)
		rows_text(rows, PROCESS_COMMAND, text, n);
}

static void read_fds(struct process_collector *p, pid_t pid, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[32];
	struct stat st;
	uint64_t n = 0;
	struct dirent *d;

	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	if (p->counts_fds && fstatat(p->roots.proc, path, &st, 0) == 0) {
		rows_unsigned(rows, PROCESS_FDS, (uint64_t)st.st_size);
		return;
	}
	if (roots_list(p->roots.proc, path, &dir) < 0) {
		rows_missing(rows);
		return;
	}
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	rows_unsigned(rows, PROCESS_FDS, n);
}

static void read_rollup(struct process_collector *p, struct known_process *k, struct rows *rows)
{
	struct process_memory m;
	uint64_t start = now_ns(), cost;

	if (start < k->rollup_after_ns || p->rollups_ns > start + ROLLUP_BURST_NS)
		return;
	if (read_of(p, k->id.pid, "smaps_rollup") < 0) {
		k->rollup_after_ns = start + ROLLUP_PAUSE_NS;
		rows_missing(rows);
		return;
	}
	cost = ROLLUP_SHARE * (now_ns() - start);
	p->rollups_ns = MAX(p->rollups_ns, start) + cost;
	k->rollup_after_ns = start + MAX(p->top * cost, ROLLUP_PAUSE_NS);
	if (!process_memory_parse(scan_buffer(&p->text), &m))
		return; /* a kernel thread's is empty */
	rows_unsigned(rows, PROCESS_PSS, m.pss_bytes);
	rows_unsigned(rows, PROCESS_USS, m.uss_bytes);
}

/* Of one that has not run since; false: it has, or had no row. */
static bool put_again(const struct process_collector *p, const struct known_process *k,
		      struct rows *rows)
{
	const struct told *t = k->row ? &p->told_before[k->row - 1] : NULL;

	if (!p->look.clocks || !t || t->id.pid != k->id.pid ||
	    t->id.start_ticks != k->id.start_ticks || t->cpu_ns != k->cpu_ns)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own_columns); i++) {
		const struct row_value *v = &t->values[i];

		if (v->present && own_columns[i] == PROCESS_COMMAND)
			rows_text(rows, PROCESS_COMMAND, v->text.data, v->text.size);
		else if (v->present)
			rows_unsigned(rows, own_columns[i], v->u);
	}
	return true;
}

static void remember(struct process_collector *p, size_t i, struct known_process *k,
		     const struct row *row)
{
	struct told *t = &p->told[i];

	if (!row)
		return;
	for (size_t c = 0; c < ARRAY_SIZE(own_columns); c++)
		t->values[c] = row->values[own_columns[c]];
	if (t->values[0].present) {
		t->command = malloc(t->values[0].text.size);
		if (!t->command)
			return;
		memcpy(t->command, t->values[0].text.data, t->values[0].text.size);
		t->values[0].text.data = t->command;
	}
	t->id = k->id;
	t->cpu_ns = k->cpu_ns;
	k->row = i + 1;
}

static void put_process(struct process_collector *p, size_t i, struct rows *rows)
{
	const struct candidate *c = &p->candidates[i];
	pid_t pid = c->known->id.pid;
	struct process_stat s;

	if (read_of(p, pid, "stat") < 0) {
		rows_missing(rows);
		return;
	}
	/* Another process may have the pid by now. */
	if (!process_stat_parse(scan_buffer(&p->text), &s) ||
	    s.start_ticks != c->known->id.start_ticks) {
		rows_missing(rows);
		return;
	}
	rows_add(rows, TABLE_TOP);
	put_stat(p, &s, rows);
	rows_unsigned(rows, PROCESS_PID, (uint64_t)pid);
	if (c->cpu_percent >= 0)
		rows_real(rows, PROCESS_CPU_PERCENT, c->cpu_percent);
	if (!put_again(p, c->known, rows)) {
		read_status(p, pid, rows);
		read_command(p, pid, rows);
		read_fds(p, pid, rows);
	}
	remember(p, i, c->known, rows_current(rows));
	read_rollup(p, c->known, rows);
}

/* btime has whole seconds; it is read once, so that starts do not waver. */
static void find_boot(struct process_collector *p, struct rows *rows)
{
	struct scan s, line;
	uint64_t seconds;

	if (p->boot_ns || roots_need(&p->roots, p->roots.proc, "stat", rows) < 0)
		return;
	s = scan_buffer(&p->roots.text);
	while (scan_line(&s, &line))
		if (scan_literal(&line, "btime") && scan_unsigned(&line, &seconds) &&
		    seconds < UINT32_MAX)
			p->boot_ns = seconds * NSEC_PER_SEC;
}

static int process_read(void *state, struct rows *rows)
{
	struct process_collector *p = state;
	struct told *told;
	int r;

	find_boot(p, rows);
	p->now_ns = rows->time_ns;
	p->n = p->kept = 0;
	memset(p->counts, 0, sizeof(p->counts));
	r = process_look_at_all(&p->look, p->roots.proc, rows, take_process, p);
	if (r < 0)
		return r;
	keep_best(p);
	for (size_t i = 0; i < p->n; i++)
		put_process(p, i, rows);
	forget_told(p, p->told_before);
	told = p->told;
	p->told = p->told_before;
	p->told_before = told;
	rows_add(rows, TABLE_COUNTS);
	for (unsigned int i = 0; i < ARRAY_SIZE(p->counts); i++)
		rows_unsigned(rows, i, p->counts[i]);
	p->last_ns = rows->time_ns;
	return 0;
}

const struct collector collector_process = {
	.name = "process",
	.summary = "the processes that use most CPU, and how many there are in which state",
	.needs = "/proc/PID; CAP_SYS_PTRACE for pss, uss and, before Linux 6.2, fds of others",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_TOP | COLLECTOR_ARGV,
	.top = 20,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = process_open,
	.read = process_read,
	.close = process_close,
};
