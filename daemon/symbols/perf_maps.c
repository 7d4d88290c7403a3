// SPDX-License-Identifier: Apache-2.0
/*
 * Perf maps of processes. /tmp belongs to everybody: a map is believed only when it lies in the
 * process's own /tmp, is a regular file with one name that belongs to the process's effective user.
 *
 * The file stays open, so that its growth is one fstat() away; what was added is read. The number
 * of processes, the bytes of one file, of one process's files over time, and of all maps in memory
 * are bounded.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/perf_map.h"
#include "symbols/symbols.h"
#include "util/buffer.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/open_file.h"
#include "util/parse.h"

#define PROCESSES_MAX 64
#define ABSENT_PLACES 1024
#define FILE_BYTES_MAX (64ULL << 20)
#define READ_BYTES_MAX (4 * FILE_BYTES_MAX) /* of one process: then its map is left as it is */
#define MEMORY_BYTES_MAX (64U << 20)
#define LOOK_AGAIN_NS NSEC_PER_SEC /* for a map that is not there, or was replaced */

struct process_map {
	pid_t pid;
	int fd;
	uint64_t used; /* counts look-ups */
	uint64_t looked_ns;
	uint64_t offset; /* what was fed */
	uint64_t bytes_read;
	struct perf_map map;
};

/* Most processes have no map: that is remembered outside of the table, which is for those that do.
 */
struct absence {
	pid_t pid;
	uint64_t looked_ns;
};

struct perf_maps {
	char *procfs;
	struct process_map *processes[PROCESSES_MAX];
	size_t n;
	struct absence absent[ABSENT_PLACES]; /* by pid */
	uint64_t lookups;
	struct mounts mounts;
	struct buffer text;
};

struct perf_maps *perf_maps_new(const char *procfs)
{
	_cleanup_(perf_maps_freep) struct perf_maps *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->procfs = strdup(procfs ? procfs : "/proc");
	m->text.limit = 65536;
	mounts_init(&m->mounts, m->procfs);
	return m->procfs ? TAKE_PTR(m) : NULL;
}

static struct process_map *process_map_free(struct process_map *p)
{
	safe_close(p->fd);
	perf_map_done(&p->map);
	free(p);
	return NULL;
}

struct perf_maps *perf_maps_free(struct perf_maps *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		process_map_free(m->processes[i]);
	mounts_done(&m->mounts);
	buffer_done(&m->text);
	free(m->procfs);
	free(m);
	return NULL;
}

static void drop(struct perf_maps *m, size_t i)
{
	process_map_free(m->processes[i]);
	m->processes[i] = m->processes[--m->n];
}

static struct absence *absence_of(struct perf_maps *m, pid_t pid)
{
	return &m->absent[(uint32_t)pid % ABSENT_PLACES];
}

void perf_maps_forget(struct perf_maps *m, pid_t pid)
{
	if (absence_of(m, pid)->pid == pid)
		*absence_of(m, pid) = (struct absence){};
	for (size_t i = 0; i < m->n; i++)
		if (m->processes[i]->pid == pid) {
			drop(m, i);
			return;
		}
}

static void drop_least_used(struct perf_maps *m)
{
	size_t oldest = 0;

	for (size_t i = 1; i < m->n; i++)
		if (m->processes[i]->used < m->processes[oldest]->used)
			oldest = i;
	drop(m, oldest);
}

struct identity {
	uid_t euid;
	pid_t namespace_pid; /* in its innermost pid namespace */
};

/* "Uid:" real effective saved fs; "NSpid:" outermost ... innermost. */
static int read_identity(struct perf_maps *m, pid_t pid, struct identity *ret)
{
	char path[PATH_MAX], *line, *last;
	unsigned int euid;
	int r;

	if (snprintf(path, sizeof(path), "%s/%d/status", m->procfs, (int)pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = file_read(AT_FDCWD, path, &m->text);
	if (r < 0)
		return r;
	/* The name of a process cannot forge a line: the kernel escapes newlines there. */
	line = strstr((const char *)m->text.data, "\nUid:");
	if (!line || sscanf(line + 5, "%*u %u", &euid) != 1)
		return -EBADMSG;
	*ret = (struct identity){ .euid = euid, .namespace_pid = pid };
	line = strstr((const char *)m->text.data, "\nNSpid:");
	if (!line)
		return 0;
	line += 7;
	line[strcspn(line, "\n")] = '\0';
	last = strrchr(line, '\t');
	if (last && atoi(last + 1) > 0)
		ret->namespace_pid = atoi(last + 1);
	return 0;
}

static int open_map(struct perf_maps *m, pid_t pid)
{
	_cleanup_close_ int root = -1, place = -1, fd = -1;
	struct identity who;
	struct statx st;
	char path[64];
	int r = read_identity(m, pid, &who);

	if (r < 0)
		return r;
	root = open_process_root(m->procfs, pid);
	if (root < 0)
		return root;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)who.namespace_pid);
	place = open_in_root(&m->mounts, pid, root, path);
	if (place < 0)
		return place;
	fd = reopen_regular(&m->mounts, pid, path, place, &st);
	if (fd < 0)
		return fd;
	return st.stx_uid == who.euid && st.stx_nlink == 1 ? TAKE_FD(fd) : -EPERM;
}

/* Looks for the one that replaced ours. What is known stays when there is none. */
static void look_again(struct perf_maps *m, struct process_map *p)
{
	uint64_t now = now_ns();
	int fd;

	if (now - p->looked_ns < LOOK_AGAIN_NS)
		return;
	p->looked_ns = now;
	fd = open_map(m, p->pid);
	if (fd < 0)
		return;
	safe_close(p->fd);
	p->fd = fd;
	p->offset = 0;
	perf_map_done(&p->map);
}

static struct process_map *add_process(struct perf_maps *m, pid_t pid, int fd)
{
	struct process_map *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (m->n == PROCESSES_MAX)
		drop_least_used(m);
	p->pid = pid;
	p->fd = fd;
	p->looked_ns = now_ns();
	perf_map_init(&p->map);
	return m->processes[m->n++] = p;
}

/* NULL: it has no map. */
static struct process_map *get_process(struct perf_maps *m, pid_t pid)
{
	struct absence *absence = absence_of(m, pid);
	_cleanup_close_ int fd = -1;
	struct process_map *p;
	uint64_t now;

	for (size_t i = 0; i < m->n; i++)
		if (m->processes[i]->pid == pid)
			return m->processes[i];
	now = now_ns();
	if (absence->pid == pid && now - absence->looked_ns < LOOK_AGAIN_NS)
		return NULL;
	fd = open_map(m, pid);
	if (fd < 0) {
		*absence = (struct absence){ pid, now };
		return NULL;
	}
	p = add_process(m, pid, fd);
	if (p)
		TAKE_FD(fd);
	return p;
}

static void read_on(struct process_map *p, uint64_t end)
{
	char chunk[16384];

	while (p->offset < end && p->bytes_read < READ_BYTES_MAX) {
		size_t want = (size_t)MIN(end - p->offset, (uint64_t)sizeof(chunk));
		ssize_t n = pread(p->fd, chunk, want, (off_t)p->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		perf_map_feed(&p->map, chunk, (size_t)n);
		p->offset += (uint64_t)n;
		p->bytes_read += (uint64_t)n;
	}
}

static void refresh(struct perf_maps *m, struct process_map *p)
{
	struct stat st;

	if (fstat(p->fd, &st) < 0 || st.st_nlink == 0) {
		look_again(m, p);
		if (fstat(p->fd, &st) < 0)
			return;
	}
	if ((uint64_t)st.st_size < p->offset) {
		p->offset = 0;
		perf_map_done(&p->map);
	}
	read_on(p, MIN((uint64_t)st.st_size, FILE_BYTES_MAX));
}

/* The least used go until the rest fits; the one at hand is the most used. */
static void limit_memory(struct perf_maps *m)
{
	for (;;) {
		size_t bytes = 0;

		for (size_t i = 0; i < m->n; i++)
			bytes += perf_map_bytes(&m->processes[i]->map);
		if (bytes <= MEMORY_BYTES_MAX || m->n <= 1)
			return;
		drop_least_used(m);
	}
}

/* The map as it is now; NULL: there is none. */
static struct process_map *get_map(struct perf_maps *m, pid_t pid)
{
	struct process_map *p = get_process(m, pid);
	size_t before;

	if (!p)
		return NULL;
	p->used = ++m->lookups;
	before = perf_map_bytes(&p->map);
	refresh(m, p);
	if (perf_map_bytes(&p->map) > before)
		limit_memory(m);
	return p;
}

bool perf_maps_find(struct perf_maps *m, pid_t pid, uint64_t address, struct function *ret)
{
	const struct process_map *p = get_map(m, pid);

	return p && perf_map_find(&p->map, address, ret);
}

uint64_t perf_maps_version(struct perf_maps *m, pid_t pid)
{
	const struct process_map *p = get_map(m, pid);

	return p ? p->bytes_read : 0;
}
