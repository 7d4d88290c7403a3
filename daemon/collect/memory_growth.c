// SPDX-License-Identifier: Apache-2.0
/*
 * Processes whose memory of no file grows and grows (growth.h): resident without shared pages, as
 * statm(5) tells, for a program that reads a large file is no leak. Only processes that have 10 MiB
 * are watched, MAX_WATCHED of them; a process is known by its pid and its start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "collect/growth.h"
#include "collect/process_stat.h"
#include "collect/roots.h"
#include "util/parse.h"

#define WATCHED_BYTES (10U << 20)
#define MAX_WATCHED 2048 /* about 700 bytes each */
#define SHARES 6 /* passes in which each process is looked at once: who has grown so large? */
#define FEW 1000 /* processes are looked at in one pass, more of them in shares */
#define SHOWN 25.0 /* percent of confidence */
#define SUSPECTED 90.0

enum { TABLE_GROWTH, TABLE_COUNTS };

enum {
	GROWTH_PID,
	GROWTH_START,
	GROWTH_COMM,
	GROWTH_CONFIDENCE,
	GROWTH_MEMORY,
	GROWTH_GROWN,
	GROWTH_RATE,
	GROWTH_WATCHED,
};

enum { COUNT_WATCHED, COUNT_SUSPECTED, COUNT_LEFT_OUT };

/* clang-format off */
static const struct row_column growth_columns[] = {
	[GROWTH_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "process id" },
	[GROWTH_START] = { "start", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "when it began, in ticks since the boot" },
	[GROWTH_COMM] = { "comm", "", ROW_WORDS, ROW_TEXT, 0, 0, "name" },
	[GROWTH_CONFIDENCE] = { "confidence", "percent", ROW_GAUGE, ROW_REAL, 0, 0,
				"that its memory grows steadily; above 90: look at it" },
	[GROWTH_MEMORY] = { "memory", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "resident, of no file" },
	[GROWTH_GROWN] = { "grown", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "since it is watched" },
	[GROWTH_RATE] = { "grown_rate", "bytes/s", ROW_GAUGE, ROW_REAL, 0, 0, "the same per second" },
	[GROWTH_WATCHED] = { "watched", "ns", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "how long that is" },
};

#define COUNT(name, help) { name, "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }

static const struct row_column count_columns[] = {
	[COUNT_WATCHED] = COUNT("watched", "processes that have 10 MiB"),
	[COUNT_SUSPECTED] = COUNT("suspected", "those that grow with a confidence above 90"),
	[COUNT_LEFT_OUT] = COUNT("left_out", "those that are too many to be watched"),
};

static const struct row_table tables[] = {
	[TABLE_GROWTH] = { .name = "memory_growth", .collector = "memory_growth",
			   .summary = "processes whose memory grows", .columns = growth_columns,
			   .n_columns = ARRAY_SIZE(growth_columns), .no_metrics = true },
	[TABLE_COUNTS] = { .name = "memory_growth_counts", .collector = "memory_growth",
			   .summary = "how many processes are watched for growth", .columns = count_columns,
			   .n_columns = ARRAY_SIZE(count_columns) },
};
/* clang-format on */

struct watched {
	struct hash_node node;
	struct process_id id;
	uint64_t pass;
	struct growth growth;
	struct growth_judgement judgement;
	uint64_t bytes;
	char comm[16];
};

struct memory_growth {
	struct roots roots;
	struct hash_table known;
	unsigned int top;
	uint64_t pass, page_bytes;
	size_t processes; /* that there were */
	uint64_t left_out[SHARES]; /* of each share, when it was looked at last */
	struct watched **list; /* of this pass, MAX_WATCHED of them */
	size_t n;
};

static void free_watched(struct hash_node *node, void *userdata)
{
	(void)userdata;
	free(container_of(node, struct watched, node));
}

static void memory_growth_close(void *state)
{
	struct memory_growth *m = state;

	hash_table_each(&m->known, free_watched, NULL);
	hash_table_done(&m->known);
	free(m->list);
	roots_close(&m->roots);
	free(m);
}

static int memory_growth_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct memory_growth *m = calloc(1, sizeof(*m));
	int r = m ? roots_open(s, &m->roots) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(m);
		return r;
	}
	m->top = s->top;
	m->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	m->list = calloc(MAX_WATCHED, sizeof(*m->list));
	if (!m->list) {
		memory_growth_close(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

static struct watched *find(struct memory_growth *m, struct process_id id)
{
	struct hash_node *node = hash_table_first(&m->known, process_id_hash(id));

	for (; node; node = hash_node_next(node)) {
		struct watched *w = container_of(node, struct watched, node);

		if (w->id.pid == id.pid && w->id.start_ticks == id.start_ticks)
			return w;
	}
	return NULL;
}

static struct watched *add(struct memory_growth *m, struct process_id id)
{
	struct watched *w = m->known.n < MAX_WATCHED ? calloc(1, sizeof(*w)) : NULL;

	if (!w)
		return NULL;
	w->id = id;
	if (hash_table_add(&m->known, &w->node, process_id_hash(id)) < 0) {
		free(w);
		return NULL;
	}
	return w;
}

static ssize_t read_small(const struct memory_growth *m, const char *pid, const char *file,
			  char *text, size_t size)
{
	char path[48];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pid, file);
	fd = openat(m->roots.proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size);
	safe_close(fd);
	return n;
}

/* "size resident shared ...", in pages; what is not shared is of no file. */
static bool own_bytes(const struct memory_growth *m, const char *pid, uint64_t *ret)
{
	uint64_t size, resident, shared;
	char text[128];
	ssize_t n = read_small(m, pid, "statm", text, sizeof(text));
	struct scan s = scan_bytes(text, (size_t)(n > 0 ? n : 0));

	if (!scan_unsigned(&s, &size) || !scan_unsigned(&s, &resident) ||
	    !scan_unsigned(&s, &shared))
		return false;
	return !__builtin_mul_overflow(resident > shared ? resident - shared : 0, m->page_bytes,
				       ret);
}

static void watch(struct memory_growth *m, pid_t pid, const char *name, struct rows *rows)
{
	struct process_stat s;
	struct watched *w;
	char text[1024];
	uint64_t bytes;
	ssize_t n = read_small(m, name, "stat", text, sizeof(text));

	if (n <= 0) {
		rows_missing(rows);
		return;
	}
	if (!process_stat_parse(scan_bytes(text, (size_t)n), &s)) {
		rows_problem(rows, "/proc/%s/stat is not what a kernel writes", name);
		return;
	}
	w = find(m, (struct process_id){ pid, s.start_ticks });
	if (w && w->pass == m->pass)
		return;
	if (!w && s.resident_pages < WATCHED_BYTES / m->page_bytes)
		return;
	if (!own_bytes(m, name, &bytes)) {
		rows_missing(rows);
		return;
	}
	if (!w && bytes >= WATCHED_BYTES) {
		w = add(m, (struct process_id){ pid, s.start_ticks });
		m->left_out[(unsigned int)pid % SHARES] += !w;
	}
	if (!w || m->n == MAX_WATCHED)
		return;
	snprintf(w->comm, sizeof(w->comm), "%.*s", (int)MIN(s.comm.size, sizeof(w->comm) - 1),
		 s.comm.data);
	w->bytes = bytes;
	w->pass = m->pass;
	growth_add(&w->growth, rows->time_ns, bytes);
	growth_judge(&w->growth, &w->judgement);
	m->list[m->n++] = w;
}

static void forget_gone(struct hash_node *node, void *userdata)
{
	struct memory_growth *m = userdata;
	struct watched *w = container_of(node, struct watched, node);

	if (w->pass == m->pass)
		return;
	hash_table_remove(&m->known, node);
	free(w);
}

static int compare(const void *a, const void *b)
{
	const struct watched *x = *(struct watched *const *)a, *y = *(struct watched *const *)b;

	if (x->judgement.confidence != y->judgement.confidence)
		return x->judgement.confidence > y->judgement.confidence ? -1 : 1;
	return x->id.pid < y->id.pid ? -1 : 1;
}

static void put(const struct watched *w, struct rows *rows)
{
	rows_add(rows, TABLE_GROWTH);
	rows_unsigned(rows, GROWTH_PID, (uint64_t)w->id.pid);
	rows_unsigned(rows, GROWTH_START, w->id.start_ticks);
	rows_string(rows, GROWTH_COMM, w->comm);
	rows_real(rows, GROWTH_CONFIDENCE, w->judgement.confidence);
	rows_unsigned(rows, GROWTH_MEMORY, w->bytes);
	rows_unsigned(rows, GROWTH_GROWN, w->judgement.grown);
	rows_real(rows, GROWTH_RATE, w->judgement.per_second);
	rows_unsigned(rows, GROWTH_WATCHED, w->judgement.watched_ns);
}

/* Few processes are all looked at in one of the passes. */
static bool is_due(const struct memory_growth *m, unsigned int share)
{
	return m->pass % SHARES == (m->processes < FEW ? 1 : share);
}

static int watch_share(struct memory_growth *m, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *d;
	size_t n = 0;
	pid_t pid;
	int r;

	if (m->processes < FEW && !is_due(m, 0))
		return 0;
	r = roots_list(m->roots.proc, ".", &dir);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < SHARES; i++)
		if (is_due(m, i))
			m->left_out[i] = 0;
	while ((d = readdir(dir))) {
		if (!process_pid_parse(d->d_name, &pid))
			continue;
		n++;
		if (is_due(m, (unsigned int)pid % SHARES))
			watch(m, pid, d->d_name, rows);
	}
	m->processes = n;
	return 0;
}

/* Those of the pass before. */
static void watch_known(struct memory_growth *m, struct rows *rows)
{
	pid_t pids[MAX_WATCHED];
	size_t n = m->n;
	char name[16];

	for (size_t i = 0; i < n; i++)
		pids[i] = m->list[i]->id.pid;
	m->n = 0;
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%d", (int)pids[i]);
		watch(m, pids[i], name, rows);
	}
}

static int memory_growth_read(void *state, struct rows *rows)
{
	struct memory_growth *m = state;
	uint64_t suspected = 0, left_out = 0;
	int r;

	m->pass++;
	watch_known(m, rows);
	r = watch_share(m, rows);
	if (r < 0)
		return r;
	hash_table_each(&m->known, forget_gone, m);
	if (m->n)
		qsort(m->list, m->n, sizeof(*m->list), compare);
	for (size_t i = 0; i < m->n; i++) {
		suspected += m->list[i]->judgement.confidence > SUSPECTED;
		if (i < m->top && m->list[i]->judgement.confidence >= SHOWN)
			put(m->list[i], rows);
	}
	rows_add(rows, TABLE_COUNTS);
	rows_unsigned(rows, COUNT_WATCHED, m->n);
	rows_unsigned(rows, COUNT_SUSPECTED, suspected);
	for (unsigned int i = 0; i < SHARES; i++)
		left_out += m->left_out[i];
	rows_unsigned(rows, COUNT_LEFT_OUT, left_out);
	return 0;
}

const struct collector collector_memory_growth = {
	.name = "memory_growth",
	.summary = "processes whose memory grows steadily, as it does where it leaks",
	.needs = "/proc/PID/stat, /proc/PID/statm",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.keys = COLLECTOR_TOP,
	.top = 20,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = memory_growth_open,
	.read = memory_growth_read,
	.close = memory_growth_close,
};
