/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * For tests of the process table: a /proc made of plain files, and sideband records made by hand.
 */
#include <fcntl.h>
#include <ftw.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/process.h"
#include "util/cleanup.h"
#include "util/parse.h"

struct fixture {
	char procfs[64];
	struct object_table *objects;
	struct process_table *table;
	unsigned int mapped, gone;
	uint32_t last_gone;
	uint64_t now; /* CLOCK_MONOTONIC when the fixture was made */
	uint64_t boot_offset;
	union {
		struct perf_event_header header;
		uint8_t bytes[8192];
	} record;
};

static inline uint64_t fixture_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void on_mapped(struct object *o, uint32_t pid, uint64_t start, uint64_t end, void *userdata)
{
	struct fixture *f = userdata;

	(void)pid;
	assert_true(start < end);
	assert_true(o->kind == OBJECT_FILE || o->kind == OBJECT_VDSO);
	f->mapped++;
}

static void on_gone(uint32_t pid, void *userdata)
{
	struct fixture *f = userdata;

	f->gone++;
	f->last_gone = pid;
}

static inline void fixture_init(struct fixture *f)
{
	struct process_table_options options = {
		.procfs = f->procfs,
		.cgroupfs = "/nonexistent",
		.mapped = on_mapped,
		.gone = on_gone,
		.userdata = f,
	};

	*f = (struct fixture){ .procfs = "/var/tmp/ebpf-profiler-proc.XXXXXX" };
	assert_non_null(mkdtemp(f->procfs));
	f->now = fixture_clock(CLOCK_MONOTONIC);
	f->boot_offset = fixture_clock(CLOCK_BOOTTIME) - f->now;
	f->objects = object_table_new();
	assert_non_null(f->objects);
	assert_int_equal(process_table_new(f->objects, &options, &f->table), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fixture_remove_process(struct fixture *f, uint32_t pid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%u", f->procfs, pid);
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_done(struct fixture *f)
{
	process_table_free(f->table);
	/* The table gave every reference back: nothing but the object table holds any. */
	object_table_prune(f->objects);
	assert_int_equal(object_table_size(f->objects), 0);
	object_table_free(f->objects);
	nftw(f->procfs, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_file(struct fixture *f, uint32_t pid, const char *name, const char *text)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%u", f->procfs, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%u/%s", f->procfs, pid, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

struct fixture_process {
	uint32_t pid, ppid;
	const char *comm, *exe, *cgroup, *maps;
	char state;
	unsigned int threads, flags;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
};

/* What /proc shows of a process; the rest of the fields has defaults. */
static inline void fixture_process(struct fixture *f, const struct fixture_process *p)
{
	uint64_t ticks = (p->start_ns + f->boot_offset) / (10 * NSEC_PER_MSEC);
	char text[512], path[128];

	snprintf(text, sizeof(text),
		 "%u (%s) %c %u 1 1 0 -1 %u 0 0 0 0 0 0 0 0 20 0 %u 0 %llu 0 0\n", p->pid, p->comm,
		 p->state ?: 'S', p->ppid, p->flags, p->threads ?: 1, (unsigned long long)ticks);
	fixture_file(f, p->pid, "stat", text);
	fixture_file(f, p->pid, "cgroup", p->cgroup ?: "0::/\n");
	fixture_file(f, p->pid, "maps", p->maps ?: "");
	snprintf(path, sizeof(path), "%s/%u/exe", f->procfs, p->pid);
	unlink(path);
	if (p->exe)
		assert_int_equal(symlink(p->exe, path), 0);
}

/* --- records --- */

static inline void raw_begin(struct fixture *f, uint32_t type, uint16_t misc)
{
	memset(&f->record, 0, sizeof(f->record));
	f->record.header = (struct perf_event_header){ .type = type,
						       .misc = misc,
						       .size = sizeof(f->record.header) };
}

static inline void raw_put(struct fixture *f, const void *data, size_t size)
{
	memcpy(f->record.bytes + f->record.header.size, data, size);
	f->record.header.size = (uint16_t)(f->record.header.size + size);
}

static inline void raw_u32(struct fixture *f, uint32_t v)
{
	raw_put(f, &v, sizeof(v));
}

static inline void raw_u64(struct fixture *f, uint64_t v)
{
	raw_put(f, &v, sizeof(v));
}

static inline void raw_string(struct fixture *f, const char *s)
{
	static const char zeros[8];
	size_t size = strlen(s) + 1;

	raw_put(f, s, size);
	raw_put(f, zeros, (8 - size % 8) % 8);
}

/* The trailer, and then the table reads it from memory that ends where the record does. */
static inline int raw_apply(struct fixture *f, uint32_t pid, uint32_t tid, uint64_t time)
{
	_cleanup_free_ void *copy = NULL;

	raw_u32(f, pid);
	raw_u32(f, tid);
	raw_u64(f, time);
	raw_u64(f, 0);
	copy = malloc(f->record.header.size);
	assert_non_null(copy);
	memcpy(copy, &f->record, f->record.header.size);
	return process_table_apply(f->table, copy);
}

static inline void put_task(struct fixture *f, uint32_t type, uint32_t pid, uint32_t ppid,
			    uint32_t tid, uint32_t ptid, uint64_t time)
{
	raw_begin(f, type, 0);
	raw_u32(f, pid);
	raw_u32(f, ppid);
	raw_u32(f, tid);
	raw_u32(f, ptid);
	raw_u64(f, time);
	assert_int_equal(raw_apply(f, ppid, ptid, time), 0);
}

static inline void put_fork(struct fixture *f, uint32_t pid, uint32_t ppid, uint64_t time)
{
	put_task(f, PERF_RECORD_FORK, pid, ppid, pid, ppid, time);
}

static inline void put_thread(struct fixture *f, uint32_t pid, uint32_t tid, uint64_t time)
{
	put_task(f, PERF_RECORD_FORK, pid, pid, tid, pid, time);
}

static inline void put_exit(struct fixture *f, uint32_t pid, uint32_t tid, uint64_t time)
{
	put_task(f, PERF_RECORD_EXIT, pid, 1, tid, 1, time);
}

static inline void put_comm(struct fixture *f, uint32_t pid, uint32_t tid, const char *comm,
			    bool exec, uint64_t time)
{
	raw_begin(f, PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0);
	raw_u32(f, pid);
	raw_u32(f, tid);
	raw_string(f, comm);
	assert_int_equal(raw_apply(f, pid, tid, time), 0);
}

/* `id` is one byte repeated twenty times; 0: by device and inode `inode`. */
static inline void put_mmap(struct fixture *f, uint32_t pid, uint64_t start, uint64_t size,
			    const char *path, uint8_t id, uint64_t inode, uint64_t time)
{
	uint8_t identity[24] = { 20 };

	raw_begin(f, PERF_RECORD_MMAP2, id ? PERF_RECORD_MISC_MMAP_BUILD_ID : 0);
	raw_u32(f, pid);
	raw_u32(f, pid);
	raw_u64(f, start);
	raw_u64(f, size);
	raw_u64(f, 0x1000);
	if (id) {
		memset(identity + 4, id, 20);
		raw_put(f, identity, sizeof(identity));
	} else {
		raw_u32(f, 8);
		raw_u32(f, 1);
		raw_u64(f, inode);
		raw_u64(f, 0);
	}
	raw_u32(f, PROT_READ | PROT_EXEC);
	raw_u32(f, 0);
	raw_string(f, path);
	assert_int_equal(raw_apply(f, pid, pid, time), 0);
}
