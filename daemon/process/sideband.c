// SPDX-License-Identifier: Apache-2.0
/*
 * A dummy event counts nothing and costs nothing until a process forks, executes, maps or ends. One
 * per CPU, because the records of a CPU are then in order and its ring has one writer.
 *
 * Slot i of `rings` belongs to cpus[i]; a slot whose CPU is offline stays, with fd -1 and an
 * unmapped ring.
 */
#include "process/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>

#include "host/build_id_leak.h"

#define DEFAULT_RING_BYTES (128 << 10)
#define KSYMBOL_FIXED                                                                              \
	((size_t)24) /* bytes before the name: header, address, size, type and flags */
#define BPF_EVENT_FIXED ((size_t)24) /* header, type and flags, id, tag */

struct sideband_cpu {
	int cpu;
	int fd;
};

struct sideband {
	struct perf_event_attr attr; /* what this kernel took */
	pid_t pid;
	size_t ring_bytes;
	int epoll_fd;
	size_t n;
	struct sideband_cpu *cpus;
	struct perf_ring *rings;
};

/* The trailer of every record: what SIDEBAND_SAMPLE_TYPE puts there, in the kernel's order. */
struct sample_id {
	uint32_t pid, tid;
	uint64_t time;
	uint32_t cpu, reserved;
};

_Static_assert(sizeof(struct sample_id) == 24, "as perf_event__output_id_sample() writes it");

static void attr_init(struct perf_event_attr *attr, pid_t pid)
{
	*attr = (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(*attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = SIDEBAND_SAMPLE_TYPE,
		.sample_id_all = 1,
		.exclude_kernel = 1, /* asks for less privilege, and withholds no record */
		.exclude_hv = 1,
		.inherit = pid > 0,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.build_id = 1,
		.ksymbol = 1,
		.bpf_event = 1,
		.watermark = 1,
		.wakeup_watermark = 1, /* every record wakes */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
}

static int open_event(const struct sideband *s, const struct perf_event_attr *attr, int cpu)
{
	long fd = syscall(SYS_perf_event_open, attr, s->pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* Takes the newest attribute away; false when there is nothing left to do without. */
static bool step_down(struct perf_event_attr *attr)
{
	if (attr->build_id)
		attr->build_id = 0; /* 5.12 */
	else if (attr->bpf_event)
		attr->bpf_event = 0; /* 5.1 */
	else if (attr->ksymbol)
		attr->ksymbol = 0; /* 5.1 */
	else
		return false;
	return true;
}

/* What was found for one CPU holds for all, so that the ladder is walked once. */
static int open_event_ladder(struct sideband *s, int cpu)
{
	for (;;) {
		int fd = open_event(s, &s->attr, cpu);

		if (fd != -EINVAL || !step_down(&s->attr))
			return fd;
	}
}

static int open_slot(struct sideband *s, size_t i)
{
	struct epoll_event wake = { .events = EPOLLIN, .data.u64 = i };
	_cleanup_close_ int fd = open_event_ladder(s, s->cpus[i].cpu);
	int r;

	if (fd < 0)
		return fd;
	r = perf_ring_open(&s->rings[i], fd, s->ring_bytes);
	if (r < 0)
		return r;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &wake) < 0) {
		r = -errno;
		perf_ring_done(&s->rings[i]);
		return r;
	}
	s->cpus[i].fd = TAKE_FD(fd);
	return 0;
}

static void close_slot(struct sideband *s, size_t i)
{
	perf_ring_done(&s->rings[i]);
	s->cpus[i].fd = safe_close(s->cpus[i].fd); /* leaves the epoll set by itself */
}

static int add_slot(struct sideband *s, int cpu)
{
	struct sideband_cpu *cpus;
	struct perf_ring *rings;

	cpus = reallocarray(s->cpus, s->n + 1, sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	s->cpus = cpus;
	rings = reallocarray(s->rings, s->n + 1, sizeof(*rings));
	if (!rings)
		return -ENOMEM;
	s->rings = rings;
	s->cpus[s->n] = (struct sideband_cpu){ .cpu = cpu, .fd = -1 };
	s->rings[s->n] = (struct perf_ring){ 0 };
	s->n++;
	return 0;
}

static ssize_t find_slot(const struct sideband *s, int cpu)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->cpus[i].cpu == cpu)
			return (ssize_t)i;
	return -1;
}

/* The same errno means different things; this is the sentence for each. */
static char *explain(const struct sideband *s, int error, int cpu)
{
	char *text = NULL;
	const char *why;
	int n;

	switch (-error) {
	case EACCES:
	case EPERM:
		why = "this needs CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8), on Debian kernels "
		      "also kernel.perf_event_paranoid below 3; rings beyond "
		      "kernel.perf_event_mlock_kb need RLIMIT_MEMLOCK or CAP_IPC_LOCK";
		break;
	case EMFILE:
	case ENFILE:
		why = "one file descriptor per CPU is needed: raise LimitNOFILE=";
		break;
	case ESRCH:
		why = "the task has ended";
		break;
	case ENOENT:
	case ENOSYS:
	case EINVAL:
		why = "this kernel is older than Linux 4.1, or the ring size is no power of two";
		break;
	default:
		why = "the kernel refused it";
		break;
	}
	n = asprintf(&text, "Cannot follow processes on CPU %d with %zu bytes of ring: %s (%s)",
		     cpu, s->ring_bytes, strerror(-error), why);
	return n < 0 ? NULL : text;
}

static int open_all(struct sideband *s, const int *cpus, size_t n_cpus, char **ret_error)
{
	int r = n_cpus ? 0 : -ENODEV;

	for (size_t i = 0; i < n_cpus; i++) {
		r = add_slot(s, cpus[i]);
		if (r >= 0)
			r = open_slot(s, i);
		if (r == -ENODEV) /* went offline since it was listed */
			r = 0;
		if (r < 0) {
			*ret_error = explain(s, r, cpus[i]);
			return r;
		}
	}
	return r;
}

int sideband_open(const struct sideband_options *options, const int *cpus, size_t n_cpus,
		  struct sideband **ret, char **ret_error)
{
	_cleanup_(sideband_closep) struct sideband *s = NULL;
	int r;

	*ret_error = NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	s->pid = options->pid;
	s->ring_bytes = options->ring_bytes ?: DEFAULT_RING_BYTES;
	attr_init(&s->attr, s->pid);
	/* Where the kernel would mark everybody's records, the files are read instead. */
	if (s->attr.build_id && host_build_id_leaks() != 0)
		s->attr.build_id = 0;
	r = open_all(s, cpus, n_cpus, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct sideband *sideband_close(struct sideband *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		close_slot(s, i);
	safe_close(s->epoll_fd);
	free(s->cpus);
	free(s->rings);
	free(s);
	return NULL;
}

int sideband_fd(const struct sideband *s)
{
	return s->epoll_fd;
}

void sideband_get_features(const struct sideband *s, struct sideband_features *ret)
{
	*ret = (struct sideband_features){
		.build_id = s->attr.build_id,
		.ksymbol = s->attr.ksymbol,
		.bpf_event = s->attr.bpf_event,
	};
}

/*
 * A perf event is ready once per wake-up, but hung up for ever once its task and all descendants
 * have ended: it would keep the reader spinning.
 */
static void drop_hung_up(struct sideband *s)
{
	struct epoll_event events[16];
	int n = epoll_wait(s->epoll_fd, events, ARRAY_SIZE(events), 0);

	for (int i = 0; i < n; i++)
		if (events[i].events & (EPOLLHUP | EPOLLERR))
			epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->cpus[events[i].data.u64].fd, NULL);
}

struct perf_ring *sideband_rings(struct sideband *s, size_t *ret_n)
{
	drop_hung_up(s);
	*ret_n = s->n;
	return s->rings;
}

int sideband_output_fd(const struct sideband *s, int cpu)
{
	ssize_t i = find_slot(s, cpu);

	return i < 0 ? -1 : s->cpus[i].fd;
}

int sideband_cpu_online(struct sideband *s, int cpu)
{
	ssize_t i = find_slot(s, cpu);
	int r;

	if (i < 0) {
		r = add_slot(s, cpu);
		if (r < 0)
			return r;
		i = (ssize_t)s->n - 1;
	}
	close_slot(s, (size_t)i); /* an event that was on the CPU when it left never fires again */
	return open_slot(s, (size_t)i);
}

void sideband_cpu_offline(struct sideband *s, int cpu)
{
	ssize_t i = find_slot(s, cpu);

	if (i >= 0)
		close_slot(s, (size_t)i);
}

/* Throttling comes from the sampling event, whose trailer may differ; its time is in the body. */
static bool is_throttling(const struct perf_event_header *h)
{
	return h->type == PERF_RECORD_THROTTLE || h->type == PERF_RECORD_UNTHROTTLE;
}

/*
 * The kernel adds the size of this trailer to the record's for each listener on a CPU in turn, and
 * of these two kinds takes it away again for none (kernel/events/core.c,
 * perf_event_ksymbol_output() and perf_event_bpf_output(), up to Linux 6.18): beside another
 * profiler records are longer than what was written, and what lies behind is whatever the ring held
 * before.
 */
static size_t trailer_offset(const struct perf_event_header *h)
{
	size_t last = h->size - sizeof(struct sample_id), name;

	if (h->type == PERF_RECORD_BPF_EVENT)
		return MIN(last, BPF_EVENT_FIXED);
	if (h->type != PERF_RECORD_KSYMBOL || last < KSYMBOL_FIXED)
		return last;
	name = strnlen((const char *)h + KSYMBOL_FIXED, last - KSYMBOL_FIXED) + 1;
	return MIN(last, KSYMBOL_FIXED + (name + 7) / 8 * 8);
}

uint64_t sideband_record_time(const struct perf_event_header *h)
{
	const uint8_t *record = (const uint8_t *)h;
	const uint8_t *time;
	uint64_t v;

	if (h->size < sizeof(*h) + sizeof(struct sample_id))
		return 0;
	if (is_throttling(h))
		time = record + sizeof(*h);
	else
		time = record + trailer_offset(h) + offsetof(struct sample_id, time);
	memcpy(&v, time, sizeof(v));
	return v;
}

bool sideband_get_ksymbol(const struct perf_event_header *h, struct sideband_ksymbol *ret)
{
	const struct {
		struct perf_event_header header;
		uint64_t address;
		uint32_t size;
		uint16_t type, flags;
		char name[];
	} *k = (const void *)h;
	size_t least = sizeof(*k) + sizeof(struct sample_id);

	if (h->type != PERF_RECORD_KSYMBOL || h->size < least)
		return false;
	if (!memchr(k->name, '\0', h->size - least))
		return false;
	*ret = (struct sideband_ksymbol){
		.address = k->address,
		.size = k->size,
		.type = k->type,
		.removed = k->flags & PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER,
		.name = k->name,
	};
	return true;
}
