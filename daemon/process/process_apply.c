// SPDX-License-Identifier: Apache-2.0
/*
 * What the sideband says. A record is checked for its size first; then it is believed, since the
 * kernel wrote it, except that the strings in it are a process's.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "process/process_internal.h"
#include "process/procfs.h"
#include "process/sideband.h"

#define TRAILER_SIZE 24 /* struct sample_id of SIDEBAND_SAMPLE_TYPE */
#define NO_PID UINT32_MAX /* a task that is just ending has none any more */

struct task_record { /* PERF_RECORD_FORK, PERF_RECORD_EXIT */
	struct perf_event_header header;
	uint32_t pid, ppid, tid, ptid;
	uint64_t time;
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	char comm[];
};

struct mmap2_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, size, pgoff;
	union {
		struct {
			uint32_t major, minor;
			uint64_t inode, inode_generation;
		};
		struct { /* PERF_RECORD_MISC_MMAP_BUILD_ID */
			uint8_t build_id_size;
			uint8_t reserved1;
			uint16_t reserved2;
			uint8_t build_id[20];
		};
	};
	uint32_t prot, flags;
	char path[];
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

_Static_assert(sizeof(struct task_record) == 32, "as the kernel writes it");
_Static_assert(sizeof(struct mmap2_record) == 72, "as the kernel writes it");

/* Bytes of the string behind `fixed` bytes; -EBADMSG when it does not end inside the record. */
static int string_size(const struct perf_event_header *h, size_t fixed, size_t *ret)
{
	const char *s = (const char *)h + fixed;
	const char *nul;

	if (h->size < fixed + TRAILER_SIZE)
		return -EBADMSG;
	nul = memchr(s, '\0', h->size - fixed - TRAILER_SIZE);
	if (!nul)
		return -EBADMSG;
	*ret = (size_t)(nul - s);
	return 0;
}

/* --- fork and exit --- */

/* Found by /proc before its record came: the same process, whose start is known in ticks only. */
static bool is_announced(const struct entry *e, uint64_t fork_ns)
{
	return e->read_ns && !e->p.exit_ns && fork_ns + boot_offset_ns() >= e->start_boot_ns &&
	       fork_ns + boot_offset_ns() - e->start_boot_ns <= START_TOLERANCE_NS;
}

/* A child is its parent's copy until it executes. */
static void inherit(struct process_table *t, struct entry *child, const struct entry *parent)
{
	entry_set_comm(child, parent->p.comm, sizeof(parent->p.comm));
	child->p.kernel = parent->p.kernel;
	child->p.cgroup_id = parent->p.cgroup_id;
	child->labels_stale = parent->labels_stale;
	child->unread = parent->unread;
	if (parent->exe)
		entry_share_exe(child, parent->exe);
	if (parent->labels)
		entry_set_labels(child, labels_ref(parent->labels));
	entry_set_mappings(t, child, mappings_ref(parent->p.mappings));
}

static int apply_process_fork(struct process_table *t, const struct task_record *fork)
{
	struct entry *parent = entry_find(t, fork->ppid, fork->time);
	struct entry *e = entry_find(t, fork->pid, fork->time);

	if (e && is_announced(e, fork->time)) {
		e->p.ppid = fork->ppid;
		return 0;
	}
	if (e)
		entry_end(t, e, fork->time); /* its exit was lost */
	e = entry_new(t, fork->pid, fork->time);
	if (!e)
		return -ENOMEM;
	e->p.ppid = fork->ppid;
	e->start_boot_ns = fork->time + boot_offset_ns();
	if (parent && !parent->placeholder)
		inherit(t, e, parent);
	else
		e->unread = e->labels_stale = true;
	return 0;
}

static int apply_fork(struct process_table *t, const struct perf_event_header *h)
{
	const struct task_record *fork = (const struct task_record *)h;
	struct entry *e;

	if (h->size < sizeof(*fork))
		return -EBADMSG;
	if (fork->pid == 0 || fork->pid == NO_PID)
		return 0;
	if (fork->pid != fork->ppid)
		return apply_process_fork(t, fork);
	e = entry_find(t, fork->pid, fork->time);
	if (e && fork->time > e->read_ns)
		e->threads++;
	return 0;
}

/* A process ends with its last thread, which need not be its first. */
static int apply_exit(struct process_table *t, const struct perf_event_header *h)
{
	const struct task_record *exited = (const struct task_record *)h;
	struct entry *e;

	if (h->size < sizeof(*exited))
		return -EBADMSG;
	if (exited->pid == 0 || exited->pid == NO_PID)
		return 0;
	e = entry_find(t, exited->pid, exited->time);
	if (!e)
		return 0;
	e->last_exit_ns = exited->time;
	if (exited->tid == exited->pid)
		e->leader_exited = true;
	if (exited->time > e->read_ns && e->threads > 0)
		e->threads--;
	if (e->threads == 0 || e->placeholder)
		entry_end(t, e, exited->time);
	return 0;
}

/* --- comm and exec --- */

static struct entry *find_or_adopt(struct process_table *t, uint32_t pid, uint64_t time_ns)
{
	struct entry *e = entry_find(t, pid, time_ns);

	if (e)
		return e;
	e = entry_adopt(t, pid, time_ns);
	if (e)
		entry_update_labels(t, e, 0, 0);
	return e;
}

static void apply_exec(struct process_table *t, struct entry *e)
{
	/* A service is moved to its cgroup before it executes; its manager's children may be gone
	 * before their first sample is looked at. */
	bool service = e->p.ppid == 1;

	entry_set_mappings(t, e, NULL);
	entry_share_exe(e, NULL);
	e->exe_pending = true;
	e->unread = e->placeholder = false;
	e->purge_at = 0;
	e->p.program = ++t->next_program;
	e->p.jit = object_unref(e->p.jit);
	e->threads = 1; /* the others were ended by it */
	e->leader_exited = false;
	e->p.exit_ns = 0;
	e->p.kernel = false;
	e->labels_stale = true;
	e->labels_ns = 0;
	if (service)
		entry_update_labels(t, e, 0, 0);
	if (t->options.gone)
		t->options.gone(e->p.pid, t->options.userdata);
}

static int apply_comm(struct process_table *t, const struct perf_event_header *h)
{
	const struct comm_record *comm = (const struct comm_record *)h;
	bool exec = h->misc & PERF_RECORD_MISC_COMM_EXEC;
	struct entry *e;
	size_t size;
	int r;

	r = string_size(h, sizeof(*comm), &size);
	if (r < 0)
		return r;
	if (comm->pid == 0 || comm->pid == NO_PID || (comm->tid != comm->pid && !exec))
		return 0;
	e = find_or_adopt(t, comm->pid, sideband_record_time(h));
	if (!e)
		return -ENOMEM;
	if (exec)
		apply_exec(t, e);
	entry_set_comm(e, comm->comm, size);
	return 0;
}

/* --- mmap2 --- */

static void get_identity(const struct process_table *t, const struct mmap2_record *map,
			 struct map_source *ret)
{
	if (t->ignore_build_ids || !(map->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID)) {
		ret->device = makedev(map->major, map->minor);
		ret->inode = map->inode;
		return;
	}
	ret->build_id.size = MIN(map->build_id_size, (uint8_t)BUILD_ID_MAX);
	memcpy(ret->build_id.bytes, map->build_id, ret->build_id.size);
}

static int apply_mmap2(struct process_table *t, const struct perf_event_header *h)
{
	const struct mmap2_record *map = (const struct mmap2_record *)h;
	struct map_source source = { 0 };
	char path[4096 + 16];
	struct entry *e;
	size_t size;
	int r;

	r = string_size(h, sizeof(*map), &size);
	if (r < 0)
		return r;
	if (map->pid == 0 || map->pid == NO_PID || !(map->prot & PROT_EXEC))
		return 0;
	if (__builtin_add_overflow(map->start, map->size, &source.end))
		return -EBADMSG;
	e = find_or_adopt(t, map->pid, sideband_record_time(h));
	if (!e)
		return -ENOMEM;
	size = MIN(path_without_deleted(map->path, size), sizeof(path) - 1);
	memcpy(path, map->path, size);
	path[size] = '\0';
	source.start = map->start;
	source.pgoff = map->pgoff;
	source.path = path;
	get_identity(t, map, &source);
	r = map_add(t, e, &e->p.mappings, &source);
	return r == -ENOMEM ? r : 0;
}

static int apply_lost(struct process_table *t, const struct perf_event_header *h)
{
	const struct lost_record *lost = (const struct lost_record *)h;

	if (h->size < sizeof(*lost))
		return -EBADMSG;
	t->stats.lost += lost->lost;
	t->losses++;
	return 0;
}

void process_table_expect_build_ids(struct process_table *t, bool expected)
{
	t->ignore_build_ids = !expected;
}

int process_table_apply(struct process_table *t, const struct perf_event_header *h)
{
	switch (h->type) {
	case PERF_RECORD_FORK:
		return apply_fork(t, h);
	case PERF_RECORD_EXIT:
		return apply_exit(t, h);
	case PERF_RECORD_COMM:
		return apply_comm(t, h);
	case PERF_RECORD_MMAP2:
		return apply_mmap2(t, h);
	case PERF_RECORD_LOST:
		return apply_lost(t, h);
	default:
		return 0;
	}
}
