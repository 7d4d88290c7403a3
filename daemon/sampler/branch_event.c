// SPDX-License-Identifier: Apache-2.0
#include "sampler/branch_event.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "pmu/open.h"
#include "pmu/perf_ops.h"
#include "util/cleanup.h"

int branch_event_make(struct pmu_event *ret)
{
	const struct pmu_defaults rate = { .freq_hz = BRANCH_EVENT_HZ };
	_cleanup_free_ char *error = NULL;
	struct pmu_event *ev = NULL;
	size_t n;
	int r = pmu_events_parse("cycles:u", &rate, &ev, &n, &error);

	if (r < 0)
		return r;
	ev->attr.sample_type |= PERF_SAMPLE_BRANCH_STACK;
	ev->attr.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_CALL_STACK;
	*ret = *ev;
	free(ev);
	return 0;
}

/* NULL: as of any other event. */
static const char *why(int error)
{
	switch (-error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return "there is no PMU";
	case EOPNOTSUPP:
	case EINVAL:
		return "the PMU keeps no record of calls that have not returned, as Intel's do from "
		       "Haswell on";
	default:
		return NULL;
	}
}

int branch_event_try(const struct perf_ops *ops, const char *sysfs, struct pmu_event *ev, int cpu,
		     char **ret_error)
{
	const struct pmu_kernel kernel = { ops->open, ops->userdata, sysfs };
	const struct pmu_target target = { .pid = -1,
					   .cpu = cpu,
					   .group_fd = -1,
					   .flags = PERF_FLAG_FD_CLOEXEC };
	int fd = pmu_event_open_by(&kernel, ev, &target);

	if (fd >= 0) {
		ops->close(fd, ops->userdata);
		return 0;
	}
	*ret_error = why(fd) ? strdup(why(fd)) : pmu_event_strerror(ev, fd);
	return fd;
}
