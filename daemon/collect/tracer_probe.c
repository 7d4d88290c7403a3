// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a collector's programs can work here, as far as can be told without loading them.
 */
#include <linux/types.h>

#include "collect/tracer.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/btf.h"
#include "host/kernel.h"
#include "host/needs.h"

static const char *const tracefs[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

static _printf_(3, 4) int refuse(char **ret_reason, int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(ret_reason, format, ap) < 0)
		*ret_reason = NULL;
	va_end(ap);
	return error;
}

/* 0, or the errno of reading the tracepoint's number; -ENODEV: there is no tracefs. */
static int look_for(const char *category, const char *name)
{
	char path[256];
	int error = -ENODEV;

	for (size_t i = 0; i < ARRAY_SIZE(tracefs); i++) {
		snprintf(path, sizeof(path), "%s/events", tracefs[i]);
		if (access(path, X_OK) < 0) {
			if (errno == EACCES)
				error = -EACCES;
			continue;
		}
		snprintf(path, sizeof(path), "%s/events/%s/%s/id", tracefs[i], category, name);
		return access(path, R_OK) == 0 ? 0 : -errno;
	}
	return error;
}

bool tracer_has_tracepoint(const char *category, const char *name)
{
	return look_for(category, name) == 0;
}

bool tracer_has_kprobes(void)
{
	return access("/sys/bus/event_source/devices/kprobe/type", R_OK) == 0;
}

/* BPF and perf events at all; the first sentence of what is missing. */
static int check_rights(unsigned int needs, char **ret_reason)
{
	struct host_privilege p;
	char *refusal;
	int r = host_privilege_read(NULL, &p);

	if (r < 0)
		return 0; /* nothing is known: trying tells */
	refusal = host_privilege_refusal(&p);
	if (refusal) {
		refusal[strcspn(refusal, "\n")] = 0;
		*ret_reason = refusal;
		return -EPERM;
	}
	if ((needs & TRACER_NET_ADMIN) && !host_privilege_has(&p, CAP_NET_ADMIN))
		return refuse(ret_reason, -EPERM,
			      "CAP_NET_ADMIN is missing; the drop-in net-admin.conf gives it");
	if ((needs & TRACER_BTF) && p.lockdown == HOST_LOCKDOWN_CONFIDENTIALITY)
		return refuse(ret_reason, -EPERM,
			      "the kernel is locked down to confidentiality, so that BPF may not "
			      "read its memory; boot with lockdown=integrity");
	return 0;
}

static int check_btf(const struct collector_settings *s, char **ret_reason)
{
	struct host_kernel kernel;
	struct host_btf btf = {};
	int r;

	if (!s->btf && access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return 0;
	r = host_kernel_get(&kernel);
	if (r == 0)
		r = host_btf_find(NULL, s->btf, &kernel, &btf);
	if (r == 0 && btf.kind == HOST_BTF_NONE)
		r = -ENOENT;
	host_btf_done(&btf);
	if (r < 0)
		return refuse(
			ret_reason, -EOPNOTSUPP,
			"this kernel does not describe its types (CONFIG_DEBUG_INFO_BTF), and "
			"no BTF file was found; btf in [sampler] names one, and for one in /boot "
			"there is the drop-in boot.conf");
	return 0;
}

static int check_tracepoint(const char *tracepoint, char **ret_reason)
{
	const char *slash = strchr(tracepoint, '/');
	char category[64];
	int r;

	snprintf(category, sizeof(category), "%.*s", (int)(slash - tracepoint), tracepoint);
	r = look_for(category, slash + 1);
	if (r == -ENOENT)
		return refuse(ret_reason, -EOPNOTSUPP, "this kernel has no tracepoint %s",
			      tracepoint);
	return 0;
}

int tracer_probe(const struct collector_settings *s, unsigned int needs,
		 const char *const *tracepoints, char **ret_reason)
{
	int r = check_rights(needs, ret_reason);

	if (r == 0 && (needs & TRACER_BTF))
		r = check_btf(s, ret_reason);
	for (; r == 0 && tracepoints && *tracepoints; tracepoints++)
		r = check_tracepoint(*tracepoints, ret_reason);
	return r;
}

int tracer_probe_btf(const struct collector_settings *s, char **ret_reason)
{
	return tracer_probe(s, TRACER_BTF, NULL, ret_reason);
}
