/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * Every kernel type and field the BPF programs depend on, and nothing else. Fields are found by
 * CO-RE relocation, so order and size here mean nothing.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

/* Whether a kernel has a helper. */
enum bpf_func_id {
	BPF_FUNC_ringbuf_output = 130,
	BPF_FUNC_get_current_task_btf = 158, /* Linux 5.11 */
	BPF_FUNC_task_pt_regs = 175, /* Linux 5.15 */
};

enum {
	BPF_F_USER_STACK = 1ULL << 8,
};

enum {
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_MMAPABLE = 1U << 10,
};

enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1ULL << 0,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

enum {
	BPF_RB_NO_WAKEUP = 1ULL << 0,
	BPF_RB_FORCE_WAKEUP = 1ULL << 1,
};

enum {
	BPF_RB_AVAIL_DATA = 0,
};

/*
 * The context of a perf_event program (uapi/linux/bpf_perf_event.h). The real one begins with the
 * user registers, whose size differs between architectures; relocating the one field that is read
 * keeps a single object right on all of them.
 */
struct bpf_perf_event_data {
	__u64 sample_period;
	__u64 addr;
} __attribute__((preserve_access_index));

/* In perf_sample_data.sample_flags (uapi/linux/perf_event.h). */
enum perf_event_sample_format {
	PERF_SAMPLE_ADDR = 1U << 3,
	PERF_SAMPLE_WEIGHT = 1U << 14,
	PERF_SAMPLE_DATA_SRC = 1U << 15,
};

struct bpf_perf_event_value {
	__u64 counter;
	__u64 enabled;
	__u64 running;
};

/* The context of a program that sees the packets of sockets (uapi/linux/bpf.h). */
struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	__u32 priority, ingress_ifindex, ifindex;
};

/* The context of an XDP program (uapi/linux/bpf.h). */
struct xdp_md {
	__u32 data, data_end, data_meta;
	__u32 ingress_ifindex, rx_queue_index, egress_ifindex;
};

enum xdp_action {
	XDP_PASS = 2,
};

/* The context of a raw tracepoint: its arguments. */
struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The caller's registers, as each architecture names them. */
struct pt_regs___x86 {
	unsigned long di, si, dx, r10, ax, orig_ax, cs;
};

struct pt_regs___arm64 {
	unsigned long long regs[31];
	unsigned long long orig_x0;
	int syscallno;
	unsigned long long pstate;
};

struct pt_regs___riscv {
	unsigned long a0, a1, a2, a3, a7, orig_a0;
};

union perf_mem_data_src {
	__u64 val;
};

union perf_sample_weight {
	__u64 full;
};

struct perf_sample_data {
	u64 sample_flags; /* 6.1 */
	union perf_sample_weight weight; /* 5.12 */
	union perf_mem_data_src data_src;
};

struct perf_sample_data___5_11 {
	u64 weight;
};

/* What is behind the context of a perf_event program. */
struct bpf_perf_event_data_kern {
	struct perf_sample_data *data;
};

struct percpu_counter {
	long long count;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long long counter;
} atomic64_t;

typedef atomic64_t atomic_long_t;

struct mm_struct {
	unsigned long arg_start, arg_end;
	unsigned long total_vm;
	atomic_long_t pgtables_bytes;
	struct percpu_counter rss_stat[4]; /* 6.2 */
};

struct mm_rss_stat {
	atomic_long_t count[4];
};

struct mm_struct___6_1 {
	struct mm_rss_stat rss_stat;
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int group_exit_code;
	short oom_score_adj;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
};

struct socket {
	short type;
	struct sock *sk;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	void *stack;
	unsigned int flags;
	unsigned long nvcsw, nivcsw;
	unsigned int __state; /* 5.14 */
	int pid, tgid;
	struct files_struct *files;
	struct task_struct *real_parent, *group_leader;
	struct mm_struct *mm;
	struct signal_struct *signal;
	int exit_code;
	u64 start_time;
	char comm[16];
};

struct task_struct___5_13 {
	long state;
};

struct gendisk {
	int major, first_minor;
	char disk_name[32];
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
};

struct request___5_16 {
	struct gendisk *rq_disk;
};

struct irqaction {
	const char *name;
};

struct kernfs_node {
	u64 id; /* 5.5 */
};

union kernfs_node_id {
	u64 id;
};

struct kernfs_node___5_4 {
	union kernfs_node_id id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

/* The event of oom:mark_victim; since 6.9 its tracepoint gets the task, before only a pid. */
struct trace_event_raw_mark_victim {
	unsigned long total_vm;
};

struct linux_binprm {
	const char *filename;
};

#pragma clang attribute pop
