// SPDX-License-Identifier: Apache-2.0
#include "pmu/group.h"

#include <errno.h>

#include "pmu/internal.h"

#define READ_FORMAT                                                                                \
	(PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING)

/* perf_event_open(2), "Reading results", for READ_FORMAT */
struct answer {
	uint64_t n, enabled_ns, running_ns;
	uint64_t counts[COUNTER_GROUP_MAX];
};

struct counter_group *counter_group_close(const struct perf_ops *ops, struct counter_group *g)
{
	/* The leader last: closed before its siblings, it would leave each of them alone. */
	for (size_t i = g ? g->n : 0; i-- > 0;)
		ops->close(g->members[i].fd, ops->userdata);
	free(g);
	return NULL;
}

static int open_member(const struct perf_ops *ops, const char *sysfs, struct pmu_event *ev,
		       const struct pmu_target *t, struct counter_group *g)
{
	const struct pmu_kernel kernel = { ops->open, ops->userdata, sysfs };
	struct pmu_target target = *t;
	int fd;

	target.group_fd = g->n ? g->members[0].fd : -1;
	ev->attr.read_format = READ_FORMAT;
	fd = pmu_event_open_by(&kernel, ev, &target);
	if (fd < 0)
		return fd;
	g->members[g->n++] = (struct counter_member){ .fd = fd };
	return 0;
}

int counter_group_open(const struct perf_ops *ops, const char *sysfs,
		       struct pmu_event *const *events, size_t n, const struct pmu_target *t,
		       struct counter_group **ret)
{
	struct counter_group *g;
	int r = 0;

	if (n > COUNTER_GROUP_MAX)
		return -E2BIG;
	g = calloc(1, sizeof(*g) + n * sizeof(*g->members));
	if (!g)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = open_member(ops, sysfs, events[i], t, g);
	if (r < 0) {
		counter_group_close(ops, g);
		return r;
	}
	*ret = g;
	return 0;
}

/* The members follow their leader. */
static int control(const struct perf_ops *ops, struct counter_group *g, unsigned long request)
{
	return ops->ioctl(g->members[0].fd, request, 0, ops->userdata);
}

int counter_group_enable(const struct perf_ops *ops, struct counter_group *g)
{
	int r = control(ops, g, PERF_EVENT_IOC_ENABLE);

	g->enabled |= r == 0;
	return r;
}

int counter_group_disable(const struct perf_ops *ops, struct counter_group *g)
{
	g->enabled = false;
	return control(ops, g, PERF_EVENT_IOC_DISABLE);
}

int counter_group_read(const struct perf_ops *ops, struct counter_group *g,
		       struct counter_step *ret)
{
	size_t size = offsetof(struct answer, counts) + g->n * sizeof(uint64_t);
	struct answer a;
	ssize_t n = ops->read(g->members[0].fd, &a, size, ops->userdata);

	if (n <= 0)
		return n < 0 ? (int)n : -ENODATA;
	if ((size_t)n != size || a.n != g->n)
		return -EIO;
	ret->enabled_ns = a.enabled_ns - g->enabled_ns;
	ret->running_ns = a.running_ns - g->running_ns;
	g->enabled_ns = a.enabled_ns;
	g->running_ns = a.running_ns;
	for (size_t i = 0; i < g->n; i++) {
		ret->deltas[i] = a.counts[i] - g->members[i].count;
		g->members[i].count = a.counts[i];
	}
	return 0;
}
