// SPDX-License-Identifier: Apache-2.0
#include "programs/program_attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "programs/clsact.h"
#include "util/cleanup.h"

/* Of Linux 6.6. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47

static int _printf_(3, 4) fail(int error, char **ret_error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(ret_error, format, arguments) < 0)
		*ret_error = NULL;
	va_end(arguments);
	return error;
}

static bool begins(const char *section, const char *with)
{
	return strncmp(section, with, strlen(with)) == 0;
}

bool program_attach_supports(const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);

	switch (bpf_program__type(program)) {
	case BPF_PROG_TYPE_XDP:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		return true;
	case BPF_PROG_TYPE_LSM:
		return bpf_program__expected_attach_type(program) == BPF_LSM_MAC;
	case BPF_PROG_TYPE_TRACING:
		return bpf_program__expected_attach_type(program) != BPF_TRACE_ITER;
	case BPF_PROG_TYPE_KPROBE: /* and not a function of user space, or many at once */
		return !begins(section, "uprobe") && !begins(section, "uretprobe") &&
		       !begins(section, "usdt") && !begins(section, "ksyscall") &&
		       !begins(section, "kretsyscall") && !begins(section, "kprobe.multi") &&
		       !begins(section, "kretprobe.multi");
	default:
		return false;
	}
}

struct attachment {
	int fd; /* of the program */
	const char *directory, *program, *section;
	const struct program_attach *where;
	struct buffer *done;
	char **ret_error;
};

/* Takes the descriptor of a link. */
static int pin(const struct attachment *a, int link, const char *what)
{
	_cleanup_close_ int fd = link;
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/link-%s", a->directory, a->program);
	r = bpf_obj_pin(fd, path);
	if (r < 0)
		return fail(r, a->ret_error, "cannot keep the attachment of '%s' at %s: %s",
			    a->program, path, strerror(-r));
	buffer_printf(a->done, "%s: %s\n", a->program, what);
	return 0;
}

static int find_interface(const struct attachment *a, unsigned int *ret)
{
	if (!a->where->target)
		return fail(-EINVAL, a->ret_error,
			    "say which interface program '%s' is for: --to INTERFACE", a->program);
	*ret = if_nametoindex(a->where->target);
	if (*ret == 0)
		return fail(-ENODEV, a->ret_error, "there is no network interface '%s'",
			    a->where->target);
	return 0;
}

static int check_mode(const struct attachment *a, const char *one, const char *other)
{
	const char *mode = a->where->mode;

	if (!mode || strcmp(mode, one) == 0 || strcmp(mode, other) == 0)
		return 0;
	return fail(-EINVAL, a->ret_error, "program '%s' is attached as %s or %s, not as '%s'",
		    a->program, one, other, mode);
}

/* --- XDP --- */

static int link_xdp(const struct attachment *a, unsigned int interface, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	int fd = bpf_link_create(a->fd, (int)interface, BPF_XDP, &options);

	return fd < 0 ? -errno : fd;
}

static int attach_xdp(const struct attachment *a)
{
	const char *mode = a->where->mode;
	unsigned int interface;
	char what[64];
	int r = check_mode(a, "native", "generic");

	if (r == 0)
		r = find_interface(a, &interface);
	if (r < 0)
		return r;
	r = mode && strcmp(mode, "generic") == 0 ? -EOPNOTSUPP :
						   link_xdp(a, interface, XDP_FLAGS_DRV_MODE);
	snprintf(what, sizeof(what), "xdp %s native", a->where->target);
	if (r < 0 && r != -EBUSY && !(mode && strcmp(mode, "native") == 0)) {
		r = link_xdp(a, interface, XDP_FLAGS_SKB_MODE);
		snprintf(what, sizeof(what), "xdp %s generic", a->where->target);
	}
	if (r == -EBUSY)
		return fail(r, a->ret_error, "%s has an XDP program already", a->where->target);
	if (r == -EINVAL)
		return fail(r, a->ret_error,
			    "this kernel cannot attach XDP by a link (Linux 5.9), or %s cannot run it",
			    a->where->target);
	if (r < 0)
		return fail(r, a->ret_error, "cannot attach '%s' to %s: %s", a->program,
			    a->where->target, strerror(-r));
	return pin(a, r, what);
}

/* --- traffic control --- */

/* A filter stays by itself; what says that it is ours is a second pin of its program. */
static int attach_filter(const struct attachment *a, unsigned int interface)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface,
		    .attach_point = a->where->egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = a->fd);
	char path[512];
	int r = clsact_take(a->directory, interface);

	if (r < 0)
		return fail(r, a->ret_error, "%s takes no traffic control programs: %s",
			    a->where->target, strerror(-r));
	r = bpf_tc_attach(&hook, &filter);
	if (r < 0) {
		clsact_leave(a->directory, interface);
		return fail(r, a->ret_error, "cannot attach '%s' to %s: %s", a->program,
			    a->where->target, strerror(-r));
	}
	snprintf(path, sizeof(path), "%s/tc-%u-%s-%u-%u-%s", a->directory, interface,
		 a->where->egress ? "out" : "in", filter.handle, filter.priority, a->program);
	r = bpf_obj_pin(a->fd, path);
	if (r < 0) {
		filter.prog_fd = 0;
		filter.prog_id = 0;
		filter.flags = 0;
		(void)bpf_tc_detach(&hook, &filter);
		clsact_leave(a->directory, interface);
		return fail(r, a->ret_error, "cannot keep %s: %s", path, strerror(-r));
	}
	buffer_printf(a->done, "%s: tc %s %s filter\n", a->program, a->where->target,
		      a->where->egress ? "egress" : "ingress");
	return 0;
}

static int attach_tc(const struct attachment *a)
{
	const char *mode = a->where->mode;
	unsigned int interface;
	char what[64];
	int r = check_mode(a, "link", "filter"), fd;

	if (r == 0)
		r = find_interface(a, &interface);
	if (r < 0)
		return r;
	if (mode && strcmp(mode, "filter") == 0)
		return attach_filter(a, interface);
	fd = bpf_link_create(a->fd, (int)interface,
			     (enum bpf_attach_type)(a->where->egress ? ATTACH_TCX_EGRESS :
									ATTACH_TCX_INGRESS),
			     NULL);
	if (fd < 0 && mode) {
		r = -errno;
		return fail(r, a->ret_error, "cannot attach '%s' to %s by a link (Linux 6.6): %s",
			    a->program, a->where->target, strerror(-r));
	}
	if (fd < 0)
		return attach_filter(a, interface);
	snprintf(what, sizeof(what), "tc %s %s link", a->where->target,
		 a->where->egress ? "egress" : "ingress");
	return pin(a, fd, what);
}

/* --- events --- */

/* Takes the descriptor of a perf event. */
static int link_event(const struct attachment *a, int event, const char *what)
{
	_cleanup_close_ int fd = event;
	int link = bpf_link_create(a->fd, fd, BPF_PERF_EVENT, NULL);

	if (link < 0) {
		int r = -errno;

		return fail(r, a->ret_error,
			    r == -EINVAL ? "this kernel cannot keep '%s' attached to %s once we "
					   "end (Linux 5.15)" :
					   "cannot attach '%s' to %s",
			    a->program, what);
	}
	return pin(a, link, what);
}

static int open_event(struct perf_event_attr *attr)
{
	int fd;

	attr->size = sizeof(*attr);
	attr->sample_period = 1;
	attr->wakeup_events = 1;
	fd = (int)syscall(__NR_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool read_number(const char *path, unsigned long long *ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	return f && fscanf(f, "%llu", ret) == 1;
}

/* "sched/sched_switch"; of the section, behind "tracepoint/" or "tp/". */
static int attach_tracepoint(const struct attachment *a)
{
	const char *slash = strchr(a->section, '/');
	const char *target = a->where->target ?: slash ? slash + 1 : "";
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	char path[512], what[160];
	unsigned long long id;
	int fd;

	if (!strchr(target, '/') || strstr(target, ".."))
		return fail(-EINVAL, a->ret_error,
			    "'%s' is no tracepoint for program '%s': --to CATEGORY/NAME", target,
			    a->program);
	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", target);
	if (!read_number(path, &id)) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/tracing/events/%s/id", target);
		if (!read_number(path, &id))
			return fail(-ENOENT, a->ret_error,
				    "there is no tracepoint %s, or tracefs is not to be read "
				    "(mount -t tracefs tracefs /sys/kernel/tracing)",
				    target);
	}
	attr.config = id;
	fd = open_event(&attr);
	if (fd < 0)
		return fail(fd, a->ret_error, "cannot open tracepoint %s: %s", target,
			    strerror(-fd));
	snprintf(what, sizeof(what), "tracepoint %s", target);
	return link_event(a, fd, what);
}

static int attach_kprobe(const struct attachment *a)
{
	const char *slash = strchr(a->section, '/');
	const char *target = a->where->target ?: slash ? slash + 1 : "";
	bool at_return = strncmp(a->section, "kretprobe", 9) == 0;
	struct perf_event_attr attr = { .config1 = (uintptr_t)target };
	unsigned long long type, bit = 0;
	char what[160], format[64] = "";
	int fd;

	if (!*target)
		return fail(-EINVAL, a->ret_error,
			    "say which kernel function program '%s' is for: --to FUNCTION",
			    a->program);
	if (!read_number("/sys/bus/event_source/devices/kprobe/type", &type))
		return fail(-EOPNOTSUPP, a->ret_error,
			    "this kernel has no kprobes (CONFIG_KPROBES), or is older than 4.17");
	if (at_return) {
		_cleanup_fclose_ FILE *f =
			fopen("/sys/bus/event_source/devices/kprobe/format/retprobe", "re");

		if (f && fgets(format, sizeof(format), f))
			sscanf(format, "config:%llu", &bit);
		attr.config = 1ULL << bit;
	}
	attr.type = (__u32)type;
	fd = open_event(&attr);
	if (fd < 0)
		return fail(fd, a->ret_error, "cannot probe %s: %s", target,
			    fd == -ENOENT ? "there is no such function, or it cannot be probed" :
					    strerror(-fd));
	snprintf(what, sizeof(what), "%s %s", at_return ? "kretprobe" : "kprobe", target);
	return link_event(a, fd, what);
}

/* A kernel may have the hooks of BPF programs, and not call them. */
static bool calls_lsm(void)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lsm", "re");
	char list[512] = "", *rest = list, *name;

	if (!f || !fgets(list, sizeof(list), f))
		return true; /* nobody says that it does not */
	list[strcspn(list, "\n")] = 0;
	while ((name = strsep(&rest, ",")))
		if (strcmp(name, "bpf") == 0)
			return true;
	return false;
}

/* The kernel knows what a tracing or LSM program is for since it was loaded. */
static int attach_raw(const struct attachment *a, bool named)
{
	const char *slash = strchr(a->section, '/');
	const char *target = a->where->target ?: slash ? slash + 1 : "";
	char what[256];
	int fd;

	fd = bpf_raw_tracepoint_open(named ? target : NULL, a->fd);
	if (fd < 0) {
		int r = -errno;

		return fail(r, a->ret_error, "cannot attach '%s' to %s: %s", a->program,
			    *target ? target : "what it was made for",
			    r == -ENOENT ? "there is no such tracepoint" : strerror(-r));
	}
	snprintf(what, sizeof(what), "%.*s %.100s%s",
		 (int)(slash ? (size_t)(slash - a->section) : strlen(a->section)), a->section,
		 target,
		 begins(a->section, "lsm") && !calls_lsm()
			 ? " (never called: the kernel was booted without 'bpf' in lsm=)"
			 : "");
	return pin(a, fd, what);
}

/* --- all --- */

int program_attach(int fd, const char *directory, const char *program, const char *section,
		   const struct program_attach *where, struct buffer *done, char **ret_error)
{
	struct attachment a = { fd, directory, program, section, where, done, ret_error };
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int r;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0) {
		r = -errno;
		return fail(r, ret_error, "the kernel does not tell of '%s': %s", program,
			    strerror(-r));
	}
	switch (info.type) {
	case BPF_PROG_TYPE_XDP:
		return attach_xdp(&a);
	case BPF_PROG_TYPE_SCHED_CLS:
		return attach_tc(&a);
	case BPF_PROG_TYPE_TRACEPOINT:
		return attach_tracepoint(&a);
	case BPF_PROG_TYPE_KPROBE:
		return attach_kprobe(&a);
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		return attach_raw(&a, true);
	default:
		return attach_raw(&a, false);
	}
}

/* Whether the filter runs the program of the pin: what stands there may be another's by now. */
static bool is_our_filter(const char *pin, const struct bpf_tc_hook *hook,
			  const struct bpf_tc_opts *filter)
{
	LIBBPF_OPTS(bpf_tc_opts, found, .handle = filter->handle, .priority = filter->priority);
	_cleanup_close_ int fd = bpf_obj_get(pin);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
	       bpf_tc_query(hook, &found) == 0 && found.prog_id == info.id;
}

int program_detach(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	LIBBPF_OPTS(bpf_tc_hook, hook);
	LIBBPF_OPTS(bpf_tc_opts, filter);
	char direction[4], object[512];
	int r;

	if (sscanf(name, "tc-%d-%3[a-z]-%u-%u-", &hook.ifindex, direction, &filter.handle,
		   &filter.priority) != 4)
		return unlink(path) < 0 ? -errno : 0;
	hook.attach_point = strcmp(direction, "out") == 0 ? BPF_TC_EGRESS : BPF_TC_INGRESS;
	r = is_our_filter(path, &hook, &filter) ? bpf_tc_detach(&hook, &filter) : 0;
	/* The interface, or the filter, may be gone by now. */
	if (r < 0 && r != -ENOENT && r != -ENODEV && r != -EINVAL)
		return r;
	if (unlink(path) < 0)
		return -errno;
	snprintf(object, sizeof(object), "%.*s", (int)(name - 1 - path), path);
	clsact_leave(object, (unsigned int)hook.ifindex);
	return 0;
}
