// SPDX-License-Identifier: Apache-2.0
#include "host/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/text_file.h"
#include "util/cleanup.h"

/* --- facts --------------------------------------------------------------------------------------
 */

static int64_t read_sysctl(const char *root, const char *name)
{
	char path[96];
	int64_t v;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	return text_file_read_int(root, path, &v) < 0 ? HOST_UNKNOWN : v;
}

static int read_status(const char *root, struct host_privilege *p)
{
	char text[8192], value[64];
	int r;

	r = text_file_read(root, "/proc/self/status", text, sizeof(text));
	if (r < 0)
		return r;
	if (text_field(text, "CapEff", ':', value, sizeof(value)) < 0)
		return -EBADMSG;
	p->effective = strtoull(value, NULL, 16);
	if (text_field(text, "Uid", ':', value, sizeof(value)) == 0)
		p->uid = (uid_t)strtoul(value, NULL, 10);
	if (text_field(text, "NoNewPrivs", ':', value, sizeof(value)) == 0)
		p->no_new_privileges = value[0] == '1';
	if (text_field(text, "Seccomp", ':', value, sizeof(value)) == 0)
		p->seccomp = atoi(value);
	return 0;
}

/* The initial namespace maps every id onto itself; a new one has no map yet. */
static bool in_user_namespace(const char *root)
{
	unsigned long inside, outside, count;
	char text[4096];

	if (text_file_read(root, "/proc/self/uid_map", text, sizeof(text)) < 0)
		return false;
	if (sscanf(text, "%lu %lu %lu", &inside, &outside, &count) != 3)
		return true;
	return inside != 0 || outside != 0 || count != UINT32_MAX;
}

/* The initial namespace has a fixed inode (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
static bool in_pid_namespace(const char *root)
{
	char path[256], link[64] = "";

	snprintf(path, sizeof(path), "%s/proc/self/ns/pid", root ? root : "");
	return readlink(path, link, sizeof(link) - 1) > 0 && strcmp(link, "pid:[4026531836]") != 0;
}

/* Any symbol with an address: without the right to see them all read as zero. */
static bool reads_kallsyms(const char *root)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char path[256];
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/proc/kallsyms", root ? root : "");
	f = fopen(path, "re");
	for (int i = 0; f && i < 64 && getline(&line, &size, f) > 0; i++)
		if (strtoull(line, NULL, 16) != 0)
			return true;
	return false;
}

/* "none [integrity] confidentiality": the one in brackets is in force. */
static enum host_lockdown read_lockdown(const char *root)
{
	char text[128];

	if (text_file_read(root, "/sys/kernel/security/lockdown", text, sizeof(text)) < 0)
		return HOST_LOCKDOWN_UNKNOWN;
	if (strstr(text, "[confidentiality]"))
		return HOST_LOCKDOWN_CONFIDENTIALITY;
	if (strstr(text, "[integrity]"))
		return HOST_LOCKDOWN_INTEGRITY;
	return strstr(text, "[none]") ? HOST_LOCKDOWN_NONE : HOST_LOCKDOWN_UNKNOWN;
}

static const char *next_word(const char *s)
{
	s += strcspn(s, " ");
	return s + strspn(s, " ");
}

struct mounts {
	bool bpf, tracefs, cgroup1_controllers, cgroup2;
};

/* One line: device, mount point, type, options. A v1 hierarchy of systemd's own has no controllers.
 */
static void note_mount(const char *line, struct mounts *m)
{
	const char *type = next_word(next_word(line)), *options = next_word(type);
	size_t n = strcspn(type, " ");

	if (n == 3 && strncmp(type, "bpf", n) == 0)
		m->bpf = true;
	else if (n == 7 && strncmp(type, "tracefs", n) == 0)
		m->tracefs = true;
	else if (n == 7 && strncmp(type, "cgroup2", n) == 0)
		m->cgroup2 = true;
	else if (n == 6 && strncmp(type, "cgroup", n) == 0)
		m->cgroup1_controllers |= !strstr(options, "name=");
}

static void read_mounts(const char *root, struct host_privilege *p)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	struct mounts m = { 0 };
	char path[256];
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/proc/self/mounts", root ? root : "");
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0)
		note_mount(line, &m);
	p->bpffs = m.bpf;
	p->tracefs = m.tracefs;
	p->cgroups = m.cgroup2 ? (m.cgroup1_controllers ? HOST_CGROUP_HYBRID : HOST_CGROUP_V2)
			       : (m.cgroup1_controllers ? HOST_CGROUP_V1 : HOST_CGROUP_NONE);
}

static uint64_t memlock_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

int host_privilege_read(const char *root, struct host_privilege *ret)
{
	struct host_privilege p = { 0 };
	int64_t last;
	int r;

	r = read_status(root, &p);
	if (r < 0)
		return r;
	last = read_sysctl(root, "cap_last_cap");
	p.last_capability = last == HOST_UNKNOWN ? CAP_LAST_CAP : (int)last;
	p.user_namespace = in_user_namespace(root);
	p.pid_namespace = in_pid_namespace(root);
	p.perf_event_paranoid = read_sysctl(root, "perf_event_paranoid");
	p.perf_event_mlock_kb = read_sysctl(root, "perf_event_mlock_kb");
	p.perf_event_max_sample_rate = read_sysctl(root, "perf_event_max_sample_rate");
	p.perf_event_max_stack = read_sysctl(root, "perf_event_max_stack");
	p.kptr_restrict = read_sysctl(root, "kptr_restrict");
	p.unprivileged_bpf_disabled = read_sysctl(root, "unprivileged_bpf_disabled");
	p.nmi_watchdog = read_sysctl(root, "nmi_watchdog");
	p.kallsyms = reads_kallsyms(root);
	p.lockdown = read_lockdown(root);
	if (text_file_read(root, "/sys/kernel/security/lsm", p.lsm, sizeof(p.lsm)) < 0)
		p.lsm[0] = 0;
	read_mounts(root, &p);
	p.memlock_bytes = memlock_limit();
	p.online_cpus = (unsigned int)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
	*ret = p;
	return 0;
}

bool host_privilege_has(const struct host_privilege *p, int capability)
{
	return p->effective & (1ULL << capability);
}

/* --- names --------------------------------------------------------------------------------------
 */

const char *host_cgroup_mode_name(enum host_cgroup_mode mode)
{
	static const char *const names[] = {
		[HOST_CGROUP_NONE] = "none",
		[HOST_CGROUP_V1] = "v1",
		[HOST_CGROUP_HYBRID] = "hybrid",
		[HOST_CGROUP_V2] = "v2",
	};

	return names[mode];
}

const char *host_lockdown_name(enum host_lockdown lockdown)
{
	static const char *const names[] = {
		[HOST_LOCKDOWN_UNKNOWN] = "unknown",
		[HOST_LOCKDOWN_NONE] = "none",
		[HOST_LOCKDOWN_INTEGRITY] = "integrity",
		[HOST_LOCKDOWN_CONFIDENTIALITY] = "confidentiality",
	};

	return names[lockdown];
}

static void list_names(uint64_t bits, char *out, size_t size)
{
	size_t used = 0;

	for (int c = 0; c < 64 && used < size; c++) {
		char *name = bits & (1ULL << c) ? cap_to_name(c) : NULL;

		if (name)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "," : "",
						 name);
		cap_free(name);
	}
}

char *host_privilege_names(const struct host_privilege *p, char *out, size_t size)
{
	uint64_t all = (2ULL << p->last_capability) - 1, absent = all & ~p->effective;
	int n;

	if (p->effective == 0 || absent == 0) {
		snprintf(out, size, "%s", p->effective ? "all" : "none");
		return out;
	}
	if (__builtin_popcountll(absent) > 8) {
		list_names(p->effective, out, size);
		return out;
	}
	n = snprintf(out, size, "all but ");
	if ((size_t)n < size)
		list_names(absent, out + n, size - (size_t)n);
	return out;
}
