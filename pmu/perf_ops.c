// SPDX-License-Identifier: Apache-2.0
#include "pmu/perf_ops.h"

#include <dirent.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Left to the rest of the program beside what is open already. */
#define SPARE_FILES 64

static int kernel_open(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata)
{
	long fd = syscall(SYS_perf_event_open, attr, t->pid, t->cpu, t->group_fd,
			  t->flags | PERF_FLAG_FD_CLOEXEC);

	(void)userdata;
	return fd < 0 ? -errno : (int)fd;
}

static int kernel_ioctl(int fd, unsigned long request, unsigned long argument, void *userdata)
{
	(void)userdata;
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static ssize_t kernel_read(int fd, void *buffer, size_t size, void *userdata)
{
	ssize_t n = read(fd, buffer, size);

	(void)userdata;
	return n < 0 ? -errno : n;
}

static void kernel_close(int fd, void *userdata)
{
	(void)userdata;
	close(fd);
}

static int kernel_set_affinity(const cpu_set_t *set, size_t size, void *userdata)
{
	(void)userdata;
	return sched_setaffinity(0, size, set) < 0 ? -errno : 0;
}

static size_t count_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* Up to the hard limit anyone may; above it, who has CAP_SYS_RESOURCE. */
static int kernel_reserve_files(size_t n, void *userdata)
{
	rlim_t needed = n + count_open_files() + SPARE_FILES;
	struct rlimit limit;

	(void)userdata;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur >= needed)
		return 0;
	limit.rlim_cur = needed;
	if (limit.rlim_max < needed)
		limit.rlim_max = needed;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -EMFILE : 0;
}

static uint64_t kernel_now_ns(void *userdata)
{
	struct timespec t;

	(void)userdata;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

const struct perf_ops perf_ops_kernel = {
	.open = kernel_open,
	.ioctl = kernel_ioctl,
	.read = kernel_read,
	.close = kernel_close,
	.set_affinity = kernel_set_affinity,
	.reserve_files = kernel_reserve_files,
	.now_ns = kernel_now_ns,
};
