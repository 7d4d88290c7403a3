// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "sampler/rings.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "util/cleanup.h"

#define MIN_RING_BYTES 16384

int rings_init(struct rings *r, bool bpf, size_t bytes)
{
	*r = (struct rings){ .bpf = bpf, .bytes = (size_t)sysconf(_SC_PAGESIZE) };
	while (r->bytes < bytes)
		r->bytes *= 2;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return r->epoll_fd < 0 ? -errno : 0;
}

static int watch(struct rings *r, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* The event a perf ring hangs on: bpf_perf_event_output() writes to it. */
static int open_output_event(int cpu, size_t bytes)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)(bytes / 2),
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * A user without CAP_IPC_LOCK gets perf_event_mlock_kb per CPU beyond the memlock limit; a smaller
 * ring then beats none, and sampler_ring_bytes() says so.
 */
static int open_perf_ring(struct rings *r, size_t i, int cpu, int map_fd)
{
	_cleanup_close_ int fd = -1;
	int error;

	for (;;) {
		safe_close(fd);
		fd = open_output_event(cpu, r->bytes);
		if (fd < 0)
			return fd;
		error = ring_open_perf(&r->list[i], cpu, fd, r->bytes);
		if (error != -EPERM || r->bytes / 2 < MIN_RING_BYTES)
			break;
		r->bytes /= 2;
	}
	if (error < 0)
		return error;
	if (bpf_map_update_elem(map_fd, &cpu, &fd, BPF_ANY) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		error = -errno;
	if (error == 0)
		error = watch(r, fd);
	if (error < 0) {
		ring_done(&r->list[i]);
		return error;
	}
	r->fds[i] = TAKE_FD(fd);
	return 0;
}

static int open_bpf_ring(struct rings *r, size_t i, int cpu, int map_fd)
{
	_cleanup_close_ int ring = -1;
	int error;

	ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, (uint32_t)r->bytes, NULL);
	if (ring < 0)
		return -errno;
	error = ring_open_bpf(&r->list[i], cpu, ring, r->bytes);
	if (error < 0)
		return error;
	if (bpf_map_update_elem(map_fd, &cpu, &ring, BPF_ANY) < 0)
		error = -errno;
	if (error == 0)
		error = watch(r, ring);
	TAKE_FD(ring);
	if (error < 0)
		ring_done(&r->list[i]);
	return error;
}

static int open_ring(struct rings *r, size_t i, int cpu, int map_fd)
{
	r->list[i] = (struct ring){ .cpu = cpu };
	r->fds[i] = -1;
	return r->bpf ? open_bpf_ring(r, i, cpu, map_fd) : open_perf_ring(r, i, cpu, map_fd);
}

static int grow(struct rings *r, size_t n)
{
	struct ring *list = realloc(r->list, n * sizeof(*list));
	int *fds;

	r->list = list ? list : r->list;
	fds = realloc(r->fds, n * sizeof(*fds));
	r->fds = fds ? fds : r->fds;
	if (!list || !fds)
		return -ENOMEM;
	for (; r->n < n; r->n++) {
		r->list[r->n] = (struct ring){};
		r->fds[r->n] = -1;
	}
	return 0;
}

int rings_open(struct rings *r, int map_fd, const int *cpus, size_t n_cpus, char **ret_error)
{
	int error = grow(r, n_cpus);

	for (size_t i = 0; error == 0 && i < n_cpus; i++) {
		error = open_ring(r, i, cpus[i], map_fd);
		if (error == -ENODEV)
			error = 0;
		if (error < 0 &&
		    asprintf(
			    ret_error,
			    "cannot make a ring of %zu bytes on CPU %d: %s (CAP_IPC_LOCK, a higher "
			    "LimitMEMLOCK or a smaller ring-size helps)",
			    r->bytes, cpus[i], strerror(-error)) < 0)
			*ret_error = NULL;
	}
	return error;
}

int rings_reopen(struct rings *r, int map_fd, int cpu)
{
	size_t i = 0;

	while (i < r->n && r->list[i].cpu != cpu)
		i++;
	if (i == r->n) {
		int error = grow(r, r->n + 1);

		if (error < 0)
			return error;
	} else if (r->bpf && r->list[i].bpf.consumer) {
		return 0; /* a BPF ring outlives its CPU's absence */
	}
	ring_done(&r->list[i]);
	safe_close(r->fds[i]);
	return open_ring(r, i, cpu, map_fd);
}

void rings_done(struct rings *r)
{
	for (size_t i = 0; i < r->n; i++) {
		ring_done(&r->list[i]);
		safe_close(r->fds[i]);
	}
	free(r->list);
	free(r->fds);
	safe_close(r->epoll_fd);
	*r = (struct rings){ .epoll_fd = -1 };
}
