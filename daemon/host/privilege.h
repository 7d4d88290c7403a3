/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What this process may do and what the host forbids: facts from /proc and /sys below a root. What
 * follows from them is said in host/needs.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_UNKNOWN (-1000) /* a number that could not be read */

enum host_cgroup_mode { HOST_CGROUP_NONE, HOST_CGROUP_V1, HOST_CGROUP_HYBRID, HOST_CGROUP_V2 };
enum host_lockdown {
	HOST_LOCKDOWN_UNKNOWN, /* no securityfs, or no lockdown LSM */
	HOST_LOCKDOWN_NONE,
	HOST_LOCKDOWN_INTEGRITY,
	HOST_LOCKDOWN_CONFIDENTIALITY, /* no BPF reads of kernel memory, no perf of the kernel */
};

struct host_privilege {
	uint64_t effective; /* capability bits in effect */
	int last_capability; /* highest the kernel knows */
	uid_t uid;
	bool user_namespace; /* not the initial one: capabilities mean nothing to BPF and perf */
	bool pid_namespace; /* not the initial one: samples and mappings count pids differently */
	bool no_new_privileges;
	int seccomp; /* 0 off, 1 strict, 2 filter */
	int64_t perf_event_paranoid, perf_event_mlock_kb, perf_event_max_sample_rate;
	int64_t perf_event_max_stack, kptr_restrict, unprivileged_bpf_disabled, nmi_watchdog;
	bool kallsyms; /* kernel addresses are shown to us */
	enum host_lockdown lockdown;
	char lsm[128]; /* comma separated, "" when unknown */
	bool bpffs, tracefs;
	enum host_cgroup_mode cgroups;
	uint64_t memlock_bytes; /* soft limit, UINT64_MAX: none */
	unsigned int online_cpus;
};

/* `root` as in host/text_file.h; limits are the calling process's. 0 or negative errno. */
int host_privilege_read(const char *root, struct host_privilege *ret);

bool host_privilege_has(const struct host_privilege *p, int capability);

const char *host_cgroup_mode_name(enum host_cgroup_mode mode);
const char *host_lockdown_name(enum host_lockdown lockdown);
/* "cap_bpf,cap_perfmon", "all", "all but cap_sys_resource", "none"; returns out. */
char *host_privilege_names(const struct host_privilege *p, char *out, size_t size);
