// SPDX-License-Identifier: Apache-2.0
#include "host/needs.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buffer.h"
#include "util/cleanup.h"

/*
 * Rings are mapped by an ordinary user within perf_event_mlock_kb per CPU, which one default ring
 * of samples fills, plus RLIMIT_MEMLOCK for the rest.
 */
#define MEMLOCK_PER_CPU (1ULL << 20)

#define DROP_INS "/usr/share/ebpf-profiler/drop-ins/"

/* CAP_BPF, CAP_PERFMON and CAP_CHECKPOINT_RESTORE were cut out of CAP_SYS_ADMIN in 5.8 and 5.9. */
static bool granted(const struct host_privilege *p, int capability)
{
	if (host_privilege_has(p, capability))
		return true;
	return (capability == CAP_BPF || capability == CAP_PERFMON ||
		capability == CAP_CHECKPOINT_RESTORE) &&
	       host_privilege_has(p, CAP_SYS_ADMIN);
}

static bool lacks_memlock(const struct host_privilege *p)
{
	return p->memlock_bytes < MEMLOCK_PER_CPU * p->online_cpus &&
	       !host_privilege_has(p, CAP_IPC_LOCK);
}

/* Debian's and Ubuntu's own levels above 2 refuse CAP_PERFMON and accept CAP_SYS_ADMIN only. */
static bool paranoid_in_the_way(const struct host_privilege *p)
{
	return p->perf_event_paranoid > 2 && !host_privilege_has(p, CAP_SYS_ADMIN);
}

static bool kallsyms_hidden(const struct host_privilege *p)
{
	return !p->kallsyms && granted(p, CAP_SYSLOG);
}

static bool confidential(const struct host_privilege *p)
{
	return p->lockdown == HOST_LOCKDOWN_CONFIDENTIALITY;
}

static bool namespaced(const struct host_privilege *p)
{
	return p->user_namespace;
}

static bool other_pids(const struct host_privilege *p)
{
	return p->pid_namespace;
}

/*
 * A row holds when its capability is missing (capability >= 0), or when `missing` says so. The
 * sentence is "NAME is missing: LOST. ..." with the usual way of giving a capability, or
 * "LOST. MEND" where there is none.
 */
static const struct need {
	int capability;
	const char *name;
	bool (*missing)(const struct host_privilege *p);
	enum host_need_weight weight;
	const char *lost;
	const char *mend; /* for a capability: the drop-in that gives it, NULL: the unit does */
} needs[] = {
	{ -1, "user namespace", namespaced, HOST_NEED_SAMPLING,
	  "This process runs in a user namespace, where no capability counts for BPF and "
	  "perf events",
	  "Run it on the host itself; in a unit, without PrivateUsers=yes." },
	{ CAP_BPF, "CAP_BPF", NULL, HOST_NEED_SAMPLING, "BPF programs and maps cannot be created",
	  NULL },
	{ CAP_PERFMON, "CAP_PERFMON", NULL, HOST_NEED_SAMPLING,
	  "perf events of the whole host and of the kernel cannot be opened, nor sampling programs "
	  "loaded",
	  NULL },
	{ -1, "kernel.perf_event_paranoid", paranoid_in_the_way, HOST_NEED_SAMPLING,
	  "kernel.perf_event_paranoid is above 2, a level of Debian and Ubuntu that refuses "
	  "CAP_PERFMON",
	  "Set it to 2 (sysctl -w kernel.perf_event_paranoid=2, as the package's sysctl.d file "
	  "does), which loosens the whole host to the mainline default, or give CAP_SYS_ADMIN "
	  "(" DROP_INS "sys-admin.conf)." },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", NULL, HOST_NEED_QUALITY,
	  "the mappings and binaries of other users' processes cannot be read: their functions "
	  "show as [module+0xoffset]",
	  NULL },
	{ CAP_SYSLOG, "CAP_SYSLOG", NULL, HOST_NEED_QUALITY,
	  "/proc/kallsyms shows no addresses, so that kernel functions may have no names", NULL },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", NULL, HOST_NEED_QUALITY,
	  "tracefs, and binaries in directories closed to others, cannot be read", NULL },
	{ -1, HOST_NEED_PID_NAMESPACE, other_pids, HOST_NEED_QUALITY,
	  "This process runs in a pid namespace of its own, where the kernel's samples and /proc "
	  "number processes differently: user functions may have no names, and filters by pid "
	  "take the host's pids",
	  "Run it in the host's pid namespace (a container: --pid=host)." },
	{ -1, "lockdown", confidential, HOST_NEED_QUALITY,
	  "The kernel is locked down to confidentiality: BPF may not read kernel memory, so that "
	  "collectors that follow kernel structures do not run",
	  "Boot with lockdown=integrity (or none); Secure Boot may set it." },
	{ -1, "kernel.kptr_restrict", kallsyms_hidden, HOST_NEED_QUALITY,
	  "/proc/kallsyms shows no addresses although CAP_SYSLOG is there, so that kernel "
	  "functions have no names",
	  "Set kernel.kptr_restrict to 1 or 0; in a unit, drop ProtectKernelTunables= and "
	  "ProtectKernelLogs=." },
	{ -1, "RLIMIT_MEMLOCK", lacks_memlock, HOST_NEED_QUALITY,
	  "The limit of locked memory is below 1 MiB per CPU, so that the rings may be refused",
	  "LimitMEMLOCK=infinity in the unit, ulimit -l unlimited by hand, or CAP_IPC_LOCK." },
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", NULL, HOST_NEED_OPTION,
	  "/proc/PID/map_files is closed: a deleted library is named only if it was seen before",
	  DROP_INS "checkpoint-restore.conf" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", NULL, HOST_NEED_OPTION, "XDP programs cannot be attached",
	  DROP_INS "net-admin.conf" },
};

static bool is_missing(const struct need *need, const struct host_privilege *p)
{
	if (need->missing)
		return need->missing(p);
	return need->capability <= p->last_capability && !granted(p, need->capability);
}

/* Before 5.8 the kernel knows CAP_SYS_ADMIN only. */
static bool replaced_by_admin(const struct need *need, const struct host_privilege *p)
{
	return (need->capability == CAP_BPF || need->capability == CAP_PERFMON) &&
	       need->capability > p->last_capability && !host_privilege_has(p, CAP_SYS_ADMIN);
}

static char *need_sentence(const struct need *need, const char *name)
{
	char lower[64] = "", *sentence;
	int r;

	for (size_t i = 0; name[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	if (need->capability < 0)
		r = asprintf(&sentence, "%s. %s", need->lost, need->mend);
	else if (need->mend)
		r = asprintf(
			&sentence,
			"%s is missing: %s. For the service, copy the drop-in %s; by hand, sudo "
			"or 'setcap %s+ep' on the binary.",
			name, need->lost, need->mend, lower);
	else
		r = asprintf(
			&sentence,
			"%s is missing: %s. In a unit, add it to AmbientCapabilities= and "
			"CapabilityBoundingSet=; by hand, sudo or 'setcap %s+ep' on the binary.",
			name, need->lost, lower);
	return r < 0 ? NULL : sentence;
}

int host_privilege_missing(const struct host_privilege *p, struct host_need **ret, size_t *ret_n)
{
	struct host_need *list = calloc(ARRAY_SIZE(needs), sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		bool admin = replaced_by_admin(&needs[i], p);

		if (!admin && !is_missing(&needs[i], p))
			continue;
		list[n].weight = needs[i].weight;
		list[n].name = admin ? "CAP_SYS_ADMIN" : needs[i].name;
		list[n].sentence = need_sentence(&needs[i], list[n].name);
		if (!list[n++].sentence) {
			host_needs_free(list, n);
			return -ENOMEM;
		}
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

struct host_need *host_needs_free(struct host_need *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].sentence);
	free(list);
	return NULL;
}

char *host_privilege_lack(const struct host_privilege *p, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (strcmp(needs[i].name, name) == 0 && is_missing(&needs[i], p))
			return need_sentence(&needs[i], name);
	return NULL;
}

/* The paranoid level decides only on kernels with the vendors' patch: there the open itself tells.
 */
static bool is_certain(const struct host_need *need)
{
	return need->weight == HOST_NEED_SAMPLING &&
	       strcmp(need->name, "kernel.perf_event_paranoid") != 0;
}

char *host_privilege_refusal(const struct host_privilege *p)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	struct host_need *list;
	size_t n;

	if (host_privilege_missing(p, &list, &n) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (is_certain(&list[i]))
			buffer_printf(&text, "%s%s", text.size ? "\n" : "", list[i].sentence);
	host_needs_free(list, n);
	return text.size ? buffer_take_string(&text) : NULL;
}
