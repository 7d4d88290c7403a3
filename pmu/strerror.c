// SPDX-License-Identifier: Apache-2.0
/*
 * What a refusal of perf_event_open means on this machine, and what helps. The kernel has one errno
 * for many causes; the facts of the machine tell them apart.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pmu/internal.h"
#include "pmu/strerror.h"

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data) < 0)
		return ~0ULL;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

void pmu_machine_read(const char *sysfs, struct pmu_machine *ret)
{
	_cleanup_(pmu_freep) char *paranoid = NULL, *core = sysfs_core_pmu(sysfs);
	uint64_t caps = effective_capabilities(), v;
	struct rlimit files;

	*ret = (struct pmu_machine){ 0 };
	ret->has_core_pmu = core && *core;
	ret->paranoid_known = pmu_read_file(&paranoid, "/proc/sys/kernel/perf_event_paranoid") == 0;
	if (ret->paranoid_known)
		ret->paranoid = atoi(paranoid);
	if (pmu_read_u64(&v, "/proc/sys/kernel/nmi_watchdog") == 0)
		ret->nmi_watchdog = v;
	if (pmu_read_u64(&v, "/proc/sys/kernel/perf_event_max_sample_rate") == 0)
		ret->max_sample_rate_hz = v;
	ret->cap_perfmon = caps >> CAP_PERFMON & 1;
	ret->cap_sys_admin = caps >> CAP_SYS_ADMIN & 1;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		ret->max_files = files.rlim_cur;
}

static char *format(const char *text, ...) _printf_(1, 2);
static char *format(const char *text, ...)
{
	va_list ap;
	char *s;

	va_start(ap, text);
	if (vasprintf(&s, text, ap) < 0)
		s = NULL;
	va_end(ap);
	return s;
}

static bool is_generic(const struct pmu_event *ev)
{
	return ev->attr.type == PERF_TYPE_HARDWARE || ev->attr.type == PERF_TYPE_HW_CACHE;
}

static bool is_core(const struct pmu_event *ev)
{
	return is_generic(ev) || ev->attr.type == PERF_TYPE_RAW;
}

static bool has_exclusions(const struct perf_event_attr *attr)
{
	return attr->exclude_user || attr->exclude_kernel || attr->exclude_hv ||
	       attr->exclude_host || attr->exclude_guest || attr->exclude_idle;
}

static char *why_not_sampled(const struct pmu_event *ev)
{
	if (ev->attr.type == PERF_TYPE_SOFTWARE)
		return format("it never fires by itself, so there is nothing to sample");
	return format("the PMU %s only counts: it raises no interrupt to sample on", ev->pmu);
}

static char *why_enoent(const struct pmu_event *ev, const struct pmu_machine *m)
{
	if (is_core(ev) && !m->has_core_pmu)
		return format(
			"this machine has no hardware PMU (ENOENT): a virtual machine whose "
			"hypervisor passes none through, or one switched off in the firmware; "
			"software events such as cpu-clock work");
	if (is_generic(ev))
		return format("the kernel has no encoding of this generic event for this CPU "
			      "(ENOENT); 'ebpf-profiler events' lists the CPU's own events");
	if (ev->attr.type == PERF_TYPE_SOFTWARE)
		return format("this kernel does not know the event (ENOENT); a newer one may");
	return format("the PMU %s does not have this event, or is gone with its driver (ENOENT)",
		      *ev->pmu ? ev->pmu : "asked for");
}

static char *why_rate(const struct pmu_event *ev, const struct pmu_machine *m)
{
	return format(
		"%llu Hz is above kernel.perf_event_max_sample_rate, now %llu (EINVAL); ask "
		"for less or raise the sysctl, which the kernel lowers by itself when samples "
		"take it too long",
		(unsigned long long)ev->attr.sample_freq,
		(unsigned long long)m->max_sample_rate_hz);
}

static char *why_einval(const struct pmu_event *ev, const struct pmu_machine *m)
{
	const struct perf_event_attr *attr = &ev->attr;

	if (attr->freq && m->max_sample_rate_hz && attr->sample_freq > m->max_sample_rate_hz)
		return why_rate(ev, m);
	if (ev->countable_only && !has_exclusions(attr))
		return pmu_is_sampled(attr)
			       ? why_not_sampled(ev)
			       : format("the PMU %s refused the encoding (EINVAL)", ev->pmu);
	if (ev->countable_only)
		return format("the PMU %s cannot tell user from kernel, host from guest (EINVAL); "
			      "leave the modifiers away",
			      ev->pmu);
	if (pmu_is_sampled(attr))
		return format("the kernel refused the encoding for sampling (EINVAL): reserved "
			      "bits, a period this CPU forbids, an event that only counts%s",
			      is_core(ev) ? "" : ", or modifiers the PMU does not know");
	return format("the kernel refused the encoding (EINVAL): reserved bits, an event this CPU "
		      "does not have, or a group larger than its counters%s",
		      m->nmi_watchdog ? ", of which the NMI watchdog holds one" : "");
}

static char *why_eopnotsupp(const struct pmu_event *ev)
{
	if (ev->countable_only)
		return why_not_sampled(ev);
	return format("the PMU %s has no sampling interrupt (EOPNOTSUPP), its events only count",
		      *ev->pmu ? ev->pmu : "of this machine");
}

static char *why_eacces(const struct pmu_machine *m)
{
	if (!m->paranoid_known)
		return format("not permitted (EACCES), and kernel.perf_event_paranoid cannot be "
			      "read: /proc/sys is hidden from this process (ProcSubset=pid?)");
	if (!m->cap_perfmon && !m->cap_sys_admin && m->paranoid > 0)
		return format("not permitted (EACCES): kernel.perf_event_paranoid is %d and the "
			      "process has neither CAP_PERFMON nor CAP_SYS_ADMIN; run it as root, "
			      "give it CAP_PERFMON, or lower the sysctl",
			      m->paranoid);
	if (!m->cap_sys_admin && m->paranoid > 2)
		return format(
			"not permitted (EACCES): kernel.perf_event_paranoid is %d, and above 2 "
			"the kernels of Debian and Ubuntu want CAP_SYS_ADMIN, CAP_PERFMON is "
			"not enough; 'sysctl kernel.perf_event_paranoid=2' mends it, and "
			"loosens the whole host",
			m->paranoid);
	return format("not permitted (EACCES), although kernel.perf_event_paranoid is %d and the "
		      "capabilities suffice: a security module refuses it",
		      m->paranoid);
}

static char *why_enodev(const struct pmu_event *ev)
{
	return format("the CPU is offline, or the PMU %s does not serve it (ENODEV)",
		      *ev->pmu ? ev->pmu : "of the event");
}

static char *why_emfile(const struct pmu_machine *m)
{
	return format(
		"out of file descriptors (EMFILE): each event takes one per CPU and the limit "
		"is %llu; raise it with 'ulimit -n' or LimitNOFILE=",
		(unsigned long long)m->max_files);
}

static const struct {
	int error;
	const char *why;
} fixed[] = {
	{ EPERM, "not permitted (EPERM): a seccomp filter, as containers have one, or kernel "
		 "lockdown is in the way; allow perf_event_open in the profile, or grant "
		 "CAP_PERFMON to the container" },
	{ ENFILE, "the whole system is out of file descriptors (ENFILE); raise fs.file-max" },
	{ ENXIO, "the PMU's driver is there but its hardware is not (ENXIO)" },
	{ EBUSY,
	  "another user holds the counter exclusively (EBUSY): another profiler, a branch or "
	  "processor trace, or a hypervisor's guests; end it or try later" },
	{ E2BIG, "this kernel is older than the fields the event uses (E2BIG)" },
	{ ESRCH, "the process has ended (ESRCH)" },
	{ ENOSPC, "all counters or breakpoints are in use (ENOSPC)" },
	{ ENODATA, "the event only counts beside an auxiliary one which is not open (ENODATA)" },
	{ EPROTO,
	  "the kernel refuses to join a stack-reading BPF program with a precise event whose "
	  "call chain it does not take itself (EPROTO); write the event without p" },
	{ EOVERFLOW, "the stack depth is above kernel.perf_event_max_stack (EOVERFLOW)" },
	{ ENOSYS, "this kernel has no perf_event_open (ENOSYS)" },
	{ ENOMEM, "the kernel has no memory for it (ENOMEM)" },
	{ EINTR, "interrupted (EINTR)" },
};

char *pmu_why(const struct pmu_event *ev, int error, const struct pmu_machine *m)
{
	switch (-error) {
	case ENOENT:
		return why_enoent(ev, m);
	case EINVAL:
		return why_einval(ev, m);
	case EOPNOTSUPP:
		return why_eopnotsupp(ev);
	case EACCES:
		return why_eacces(m);
	case ENODEV:
		return why_enodev(ev);
	case EMFILE:
		return why_emfile(m);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (fixed[i].error == -error)
			return strdup(fixed[i].why);
	return format("%s (errno %d)", strerror(-error), -error);
}

char *pmu_event_strerror(const struct pmu_event *ev, int error)
{
	_cleanup_(pmu_freep) char *why = NULL;
	struct pmu_machine machine;
	char *text = NULL;
	bool sampling;

	pmu_machine_read("/sys", &machine);
	why = pmu_why(ev, error, &machine);
	if (!why)
		return NULL;
	/* Of an event that only counts, EOPNOTSUPP is what a caller says who wants samples. */
	sampling = pmu_is_sampled(&ev->attr) || error == -EOPNOTSUPP;
	pmu_fail(&text, error, "cannot %s %s: %s", sampling ? "sample" : "count", ev->name, why);
	return text;
}
