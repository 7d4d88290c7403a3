/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What counting asks of the kernel, as a table, so that every answer a kernel can give is made up
 * in a test.
 */
#include <linux/perf_event.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pmu/open.h"

struct perf_ops {
	/* perf_event_open(2): an fd or a negative errno */
	int (*open)(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata);
	int (*ioctl)(int fd, unsigned long request, unsigned long argument, void *userdata);
	/* Bytes or a negative errno. */
	ssize_t (*read)(int fd, void *buffer, size_t size, void *userdata);
	void (*close)(int fd, void *userdata);
	/* CPUs the calling thread may run on. */
	int (*set_affinity)(const cpu_set_t *set, size_t size, void *userdata);
	/* Makes room for `n` more descriptors; -EMFILE when the limit cannot be raised so far. */
	int (*reserve_files)(size_t n, void *userdata);
	uint64_t (*now_ns)(void *userdata); /* CLOCK_MONOTONIC */
	void *userdata;
};

extern const struct perf_ops perf_ops_kernel;
