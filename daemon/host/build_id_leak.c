// SPDX-License-Identifier: Apache-2.0
#include "host/build_id_leak.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/perf_ring.h"

/* Mappings of this thread alone. */
static int open_dummy(bool build_id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = build_id,
	};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* An executable mapping of a file that has a build-id, if anything here has one: ourselves. */
static int map_something(void)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *memory;

	if (fd < 0)
		return -errno;
	memory = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, size);
	return 0;
}

static int is_marked(struct perf_ring *ring)
{
	const struct perf_event_header *h;
	int r = -ENODATA;

	perf_ring_refresh(ring);
	while ((h = perf_ring_peek(ring))) {
		if (h->type == PERF_RECORD_MMAP2)
			r = !!(h->misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
		perf_ring_pop(ring);
	}
	perf_ring_commit(ring);
	return r;
}

/* The kernel serves a task's events newest first, so that the plain one must be the older. */
int host_build_id_leaks(void)
{
	_cleanup_close_ int plain = open_dummy(false), asking = -1;
	_cleanup_(perf_ring_done) struct perf_ring ring = { 0 }, asked = { 0 };
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int r;

	if (plain < 0)
		return plain;
	asking = open_dummy(true);
	if (asking < 0)
		return asking;
	/* Without a ring an event is passed over. */
	r = perf_ring_open(&ring, plain, size);
	if (r == 0)
		r = perf_ring_open(&asked, asking, size);
	if (r == 0)
		r = map_something();
	return r < 0 ? r : is_marked(&ring);
}
