// SPDX-License-Identifier: Apache-2.0
#include "trace_calls.h"

#include <linux/types.h>

#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

typedef long (*syscall_function)(long number, ...);
typedef int (*ioctl_function)(int fd, unsigned long request, ...);

static atomic_bool tracing;

void trace_calls_begin(void)
{
	atomic_store(&tracing, true);
}

/* --- names --- */

#define COMMAND(name) [BPF_##name] = #name

static const char *const commands[] = {
	COMMAND(MAP_CREATE),
	COMMAND(MAP_LOOKUP_ELEM),
	COMMAND(MAP_UPDATE_ELEM),
	COMMAND(MAP_DELETE_ELEM),
	COMMAND(MAP_GET_NEXT_KEY),
	COMMAND(PROG_LOAD),
	COMMAND(OBJ_PIN),
	COMMAND(OBJ_GET),
	COMMAND(PROG_ATTACH),
	COMMAND(PROG_DETACH),
	COMMAND(PROG_TEST_RUN),
	COMMAND(PROG_GET_NEXT_ID),
	COMMAND(MAP_GET_NEXT_ID),
	COMMAND(PROG_GET_FD_BY_ID),
	COMMAND(MAP_GET_FD_BY_ID),
	COMMAND(OBJ_GET_INFO_BY_FD),
	COMMAND(PROG_QUERY),
	COMMAND(RAW_TRACEPOINT_OPEN),
	COMMAND(BTF_LOAD),
	COMMAND(BTF_GET_FD_BY_ID),
	COMMAND(TASK_FD_QUERY),
	COMMAND(MAP_LOOKUP_AND_DELETE_ELEM),
	COMMAND(MAP_FREEZE),
	COMMAND(BTF_GET_NEXT_ID),
	COMMAND(MAP_LOOKUP_BATCH),
	COMMAND(MAP_LOOKUP_AND_DELETE_BATCH),
	COMMAND(MAP_UPDATE_BATCH),
	COMMAND(MAP_DELETE_BATCH),
	COMMAND(LINK_CREATE),
	COMMAND(LINK_UPDATE),
	COMMAND(LINK_GET_FD_BY_ID),
	COMMAND(LINK_GET_NEXT_ID),
	COMMAND(ENABLE_STATS),
	COMMAND(ITER_CREATE),
	COMMAND(LINK_DETACH),
	COMMAND(PROG_BIND_MAP),
};

static const struct {
	unsigned long request;
	const char *name;
} requests[] = {
	{ PERF_EVENT_IOC_ENABLE, "PERF_EVENT_IOC_ENABLE" },
	{ PERF_EVENT_IOC_DISABLE, "PERF_EVENT_IOC_DISABLE" },
	{ PERF_EVENT_IOC_REFRESH, "PERF_EVENT_IOC_REFRESH" },
	{ PERF_EVENT_IOC_RESET, "PERF_EVENT_IOC_RESET" },
	{ PERF_EVENT_IOC_PERIOD, "PERF_EVENT_IOC_PERIOD" },
	{ PERF_EVENT_IOC_SET_OUTPUT, "PERF_EVENT_IOC_SET_OUTPUT" },
	{ PERF_EVENT_IOC_SET_FILTER, "PERF_EVENT_IOC_SET_FILTER" },
	{ PERF_EVENT_IOC_ID, "PERF_EVENT_IOC_ID" },
	{ PERF_EVENT_IOC_SET_BPF, "PERF_EVENT_IOC_SET_BPF" },
	{ PERF_EVENT_IOC_PAUSE_OUTPUT, "PERF_EVENT_IOC_PAUSE_OUTPUT" },
	{ PERF_EVENT_IOC_QUERY_BPF, "PERF_EVENT_IOC_QUERY_BPF" },
	{ PERF_EVENT_IOC_MODIFY_ATTRIBUTES, "PERF_EVENT_IOC_MODIFY_ATTRIBUTES" },
};

/* --- one line for each call --- */

/* What matters of the arguments; `size` is that of *attr as the caller gave it. */
static void describe_bpf(long command, const union bpf_attr *attr, unsigned int size, char *out,
			 size_t out_size)
{
	*out = 0;
	if (command == BPF_PROG_LOAD && size >= offsetof(union bpf_attr, prog_name) + 16)
		snprintf(out, out_size, ", type %u, %u instructions, \"%.16s\"", attr->prog_type,
			 attr->insn_cnt, attr->prog_name);
	else if (command == BPF_MAP_CREATE && size >= offsetof(union bpf_attr, map_name) + 16)
		snprintf(out, out_size, ", type %u, %u entries, \"%.16s\"", attr->map_type,
			 attr->max_entries, attr->map_name);
	else if (command == BPF_LINK_CREATE && size >= 12)
		snprintf(out, out_size, ", program fd %u, target %u, attach type %u",
			 attr->link_create.prog_fd, attr->link_create.target_fd,
			 attr->link_create.attach_type);
	else if (command == BPF_OBJ_PIN && size >= 12)
		snprintf(out, out_size, ", \"%s\", fd %u",
			 (const char *)(uintptr_t)attr->pathname, attr->bpf_fd);
	else if (command == BPF_OBJ_GET && size >= 8)
		snprintf(out, out_size, ", \"%s\"", (const char *)(uintptr_t)attr->pathname);
}

/* A call that returned, and what it took; times stand as strace -T has them. */
struct returned {
	long result;
	int error;
	double seconds;
};

static void tell(const char *call, const char *arguments, const struct returned *r)
{
	if (r->result < 0)
		fprintf(stderr, "trace-load: %s%s) = -1 %s <%.6f>\n", call, arguments,
			strerror(r->error), r->seconds);
	else
		fprintf(stderr, "trace-load: %s%s) = %ld <%.6f>\n", call, arguments, r->result,
			r->seconds);
}

static void tell_bpf(const long *a, const struct returned *r)
{
	const char *name = (size_t)a[0] < ARRAY_SIZE(commands) ? commands[a[0]] : NULL;
	char call[64], arguments[512];

	if (name)
		snprintf(call, sizeof(call), "bpf(%s", name);
	else
		snprintf(call, sizeof(call), "bpf(%ld", a[0]);
	describe_bpf(a[0], (const union bpf_attr *)a[1], (unsigned int)a[2], arguments,
		     sizeof(arguments));
	tell(call, arguments, r);
}

static void tell_event(const long *a, const struct returned *r)
{
	const struct perf_event_attr *attr = (const void *)a[0];
	char arguments[160];

	snprintf(arguments, sizeof(arguments), "type %u, config 0x%llx, pid %d, cpu %d, group %d",
		 attr->type, (unsigned long long)attr->config, (int)a[1], (int)a[2], (int)a[3]);
	tell("perf_event_open(", arguments, r);
}

static void tell_ioctl(int fd, unsigned long request, unsigned long value,
		       const struct returned *r)
{
	char arguments[128];

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (requests[i].request != request)
			continue;
		snprintf(arguments, sizeof(arguments), "%d, %s, %ld", fd, requests[i].name,
			 (long)value);
		tell("ioctl(", arguments, r);
	}
}

/* --- in place of the C library's --- */

static double seconds_since(uint64_t start_ns)
{
	return (double)(now_ns() - start_ns) / 1e9;
}

/* Arguments that were not given are read as well, as the C library does: the kernel ignores them. */
long syscall(long number, ...)
{
	static _Atomic(syscall_function) next;
	syscall_function f = atomic_load(&next);
	va_list list;
	struct returned r = {};
	uint64_t start_ns;
	long a[6];

	if (!f) {
		f = (syscall_function)dlsym(RTLD_NEXT, "syscall");
		atomic_store(&next, f);
	}
	va_start(list, number);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!atomic_load(&tracing))
		return f(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	start_ns = now_ns();
	r.result = f(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	r.error = errno;
	r.seconds = seconds_since(start_ns);
	if (number == __NR_bpf)
		tell_bpf(a, &r);
	else if (number == __NR_perf_event_open)
		tell_event(a, &r);
	errno = r.error;
	return r.result;
}

int ioctl(int fd, unsigned long request, ...)
{
	static _Atomic(ioctl_function) next;
	ioctl_function f = atomic_load(&next);
	struct returned r = {};
	uint64_t start_ns;
	unsigned long value;
	va_list list;

	if (!f) {
		f = (ioctl_function)dlsym(RTLD_NEXT, "ioctl");
		atomic_store(&next, f);
	}
	va_start(list, request);
	value = va_arg(list, unsigned long);
	va_end(list);
	if (!atomic_load(&tracing))
		return f(fd, request, value);
	start_ns = now_ns();
	r.result = f(fd, request, value);
	r.error = errno;
	r.seconds = seconds_since(start_ns);
	tell_ioctl(fd, request, value, &r);
	errno = r.error;
	return (int)r.result;
}
