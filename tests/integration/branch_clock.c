// SPDX-License-Identifier: Apache-2.0
/*
 * To be preloaded: a machine whose PMU records calls, played by a clock; the records stay empty. Without
 * a clock, ERROR when it is built, one whose PMU does not.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static int play(struct perf_event_attr *attr)
{
#ifdef ERROR
	(void)attr;
	errno = ERROR;
	return -1;
#else
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_CPU_CLOCK;
	attr->sample_freq = 97;
	attr->sample_type &= ~(__u64)PERF_SAMPLE_BRANCH_STACK;
	attr->branch_sample_type = 0;
	return 0;
#endif
}

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	struct perf_event_attr attr;
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_perf_event_open) {
		attr = *(struct perf_event_attr *)a[0];
		if (attr.sample_type & PERF_SAMPLE_BRANCH_STACK && play(&attr) < 0)
			return -1;
		a[0] = (long)&attr;
	}
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
