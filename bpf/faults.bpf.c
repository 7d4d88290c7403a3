// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Page faults by process, counted at the kernel's software events for them, of which there is one
 * for each kind: so it is on every architecture, and the kind is the program's that runs.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "faults.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAULTS_PROCESSES);
	__type(key, __u32);
	__type(value, struct faults_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct faults_counts);
} counts SEC(".maps");

static __always_inline struct faults_process *find_process(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct faults_process fresh = {}, *p = bpf_map_lookup_elem(&processes, &pid);

	if (p)
		return p;
	bpf_map_update_elem(&processes, &pid, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&processes, &pid);
}

static __always_inline int count(enum faults_kind kind)
{
	__u32 zero = 0;
	struct faults_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct faults_process *p = find_process();

	if (!c)
		return 0;
	c->faults[kind]++;
	if (!p) {
		c->uncounted++;
		return 0;
	}
	bpf_get_current_comm(p->comm, sizeof(p->comm));
	__sync_fetch_and_add(&p->faults[kind], 1);
	return 0;
}

SEC("perf_event")
int user_minor(void *ctx)
{
	return count(FAULTS_USER_MINOR);
}

SEC("perf_event")
int user_major(void *ctx)
{
	return count(FAULTS_USER_MAJOR);
}

SEC("perf_event")
int kernel_minor(void *ctx)
{
	return count(FAULTS_KERNEL_MINOR);
}

SEC("perf_event")
int kernel_major(void *ctx)
{
	return count(FAULTS_KERNEL_MAJOR);
}

char LICENSE[] SEC("license") = "GPL";
