/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the sampler's BPF programs and user space share: the record in the ring, the knobs, the
 * counters.
 *
 * Include after the fixed-width types: "vmlinux.h" on the BPF side, <linux/types.h> in user space.
 */
#define SAMPLE_MAX_FRAMES                                                                          \
	127 /* kernel.perf_event_max_stack's default; bpf_get_stack refuses more */
#define SAMPLE_COMM_LEN 16 /* TASK_COMM_LEN */
#define SAMPLE_MAX_COUNTERS 8
#define SAMPLE_MAX_BRANCHES 32 /* what LBRs hold, from Skylake on */
/* An address of no kernel code: as the leaf of a kernel stack, a guest ran on the CPU. */
#define SAMPLE_GUEST 1

enum record_kind {
	RECORD_KIND_SAMPLE = 1,
};

/* Every record that comes through a ring begins like this. */
struct record_head {
	__u16 kind; /* enum record_kind */
	__u16 size; /* of the whole record in bytes */
	__u32 cpu;
	__u64 seq; /* 1, 2, 3 ... on this CPU for this event: a gap is a lost record */
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* How far one half of a stack can be trusted. */
enum stack_status {
	STACK_NONE = 0, /* no such half: a user-mode sample has no kernel stack, a kernel thread no
			   user stack */
	STACK_COMPLETE = 1, /* walked to its root */
	STACK_TRUNCATED = 2, /* more frames than the configured depth */
	STACK_FAULT = 3, /* memory could not be read */
	STACK_UNVERIFIED = 4, /* by frame pointers; the root was not checked */
	STACK_NO_MAPPING = 5, /* a program counter outside every known mapping */
	STACK_NO_ROWS = 6, /* no unwind rows for the code, or not yet */
	STACK_UNSUPPORTED = 7, /* a rule that the unwinder does not know */
	STACK_JIT = 8, /* through code that has no rows, by its frame pointers */
	STACK_EARLY = 9, /* taken before the rows of its code, or its process, were there; set in
			    user space */
	STACK_STATUS_MAX,
};

/* How far a counter went since this CPU's previous sample; running_ns 0: it could not be read. */
struct sample_counter {
	__u64 delta;
	__u64 enabled_ns, running_ns;
};

/* The memory access a sample stands for, as far as the hardware tells it. */
struct sample_access {
	__u64 address; /* 0: not told */
	__u64 source; /* union perf_mem_data_src; 0 or PERF_MEM_NA: not told */
	__u64 latency; /* in cycles; 0: not told */
};

/* struct perf_branch_entry: a call that has not returned, as the processor recorded it. */
struct sample_branch {
	__u64 from, to, flags;
};

#define SAMPLE_COUNTER_WORDS 3
#define SAMPLE_ACCESS_WORDS 3
#define SAMPLE_BRANCH_WORDS 3
/* Branches come without counters and access, and take more than both. */
#define SAMPLE_MAX_WORDS (2 * SAMPLE_MAX_FRAMES + SAMPLE_MAX_BRANCHES * SAMPLE_BRANCH_WORDS)

enum sample_flags_bits {
	SAMPLE_MIXED = 1 << 0, /* other tasks ran on this CPU within the counters' deltas */
	SAMPLE_CUT = 1 << 1, /* the deltas began at a context switch, not at the previous sample */
	SAMPLE_ACCESS = 1 << 2, /* a struct sample_access is the last of the words */
	/* Of the user stack: frame pointers would have given the same from the leaf's caller to the
	 * root; would not have; did. */
	SAMPLE_FP_SAME = 1 << 3,
	SAMPLE_FP_DIFFERS = 1 << 4,
	SAMPLE_BY_FP = 1 << 5,
	SAMPLE_BRANCHES = 1 << 6, /* struct sample_branch, the newest first, are the last of the words */
};

struct sample_record {
	struct record_head head;
	__u32 pid; /* thread group id, as user space says pid */
	__u32 tid;
	__u64 cgroup_id; /* inode of the cgroup v2 directory */
	__u64 period; /* the event's count this sample stands for */
	/* This CPU's counts for this event, this sample included: seen = filtered + seq + full +
	 * fault. */
	__u64 seen;
	__u64 filtered;
	__u64 full;
	__u64 fault;
	__u16 event; /* index given in the knobs */
	__u16 kernel_frames;
	__u16 user_frames;
	__u8 kernel_status; /* enum stack_status */
	__u8 user_status;
	char comm[SAMPLE_COMM_LEN]; /* of the thread */
	__u32 counters; /* how many struct sample_counter follow the frames */
	__u32 flags; /* enum sample_flags_bits */
	__u64 mappings; /* generation of the list the user stack was unwound with; 0: none */
	/* kernel_frames addresses, leaf first, user_frames addresses, leaf first, the counters, the
	 * memory access, or the branches */
	__u64 words[SAMPLE_MAX_WORDS];
};

#define SAMPLE_RECORD_MIN (sizeof(struct sample_record) - SAMPLE_MAX_WORDS * sizeof(__u64))

enum sampler_flags {
	SAMPLER_IDLE = 1 << 0, /* keep samples of pid 0 */
	SAMPLER_KERNEL_STACK = 1 << 1,
	SAMPLER_USER_STACK = 1 << 2,
	SAMPLER_FILTER_PID = 1 << 3, /* only pids in `pids` */
	SAMPLER_FILTER_CGROUP = 1 << 4, /* only cgroups in `cgroups` */
	SAMPLER_FILTER_COMM = 1 << 5, /* only thread names in `comms` */
	SAMPLER_ACCESS = 1 << 6, /* the memory access goes into the record */
	SAMPLER_GUESTS = 1 << 7, /* the host may run guests: SAMPLE_GUEST */
};

/* One element, written by user space before the attach; `flags` may change at any time. */
struct sampler_knobs {
	__u32 flags; /* enum sampler_flags */
	__u32 event;
	__u32 depth; /* frames of each half, <= SAMPLE_MAX_FRAMES */
	__u32 exclude_pid; /* 0: none */
	__u32 wake_bytes; /* BPF ring: wake the reader when more than this waits */
	__u32 counters; /* read at each sample; the number of context switches is read behind them
			 */
	__u32 cpus; /* counter i of a CPU is at i * cpus + cpu of `counters` */
	__u32 split; /* a program at each context switch closes the deltas */
	__u32 regs_offset; /* user registers from task->stack, where no helper tells; 0: unknown */
	__u32 steady; /* bit i: nothing takes counter i off its CPU; these share their times */
};

/* Of the programs that sample time off the CPU; one element. */
struct off_cpu_knobs {
	__u64 min_ns, max_ns; /* what lasts shorter or longer is filtered */
	/* The kernel function that switches tasks; 0: unknown. */
	__u64 schedule_start, schedule_end;
	__u32 skip; /* frames above it, which are the tracing's own */
	__u32 skip_known;
	__u32 follow; /* only the process in `pids` and its descendants */
	__u32 reserved;
};

/* Per CPU: the counters as they were at the previous sample (or switch), and how far they went. */
struct counter_state {
	struct sample_counter
		last[SAMPLE_MAX_COUNTERS + 1]; /* totals; the last is what a switch changes */
	struct sample_counter since[SAMPLE_MAX_COUNTERS];
	__u64 valid; /* bit i: last[i] holds a reading */
	__u32 writing; /* a switch is being closed at this moment */
	__u32 mixed;
	__u32 switched; /* one was closed since the previous sample */
	__u32 cut; /* the same, as it was at this sample */
};

/* Per CPU: seen = filtered + sent + full + fault */
struct sampler_counts {
	__u64 seen; /* the program ran */
	__u64 filtered;
	__u64 sent;
	__u64 full; /* no room in the ring (kernels before 5.1 do not tell: there the sequence shows
		       it) */
	__u64 fault; /* the record could not be built or handed over for another reason */
	__u64 idle; /* of those seen, pid 0's */
	__u64 weight; /* sum of the periods of everything seen: the event's own count, if nothing
			 was skipped */
};

_Static_assert(sizeof(struct record_head) == 24, "head is shared");
_Static_assert(sizeof(struct sample_record) == 24 + 96 + (2 * 127 + 32 * 3) * 8,
	       "record is shared and has no padding");
_Static_assert(sizeof(struct off_cpu_knobs) == 48, "knobs are shared");
_Static_assert(sizeof(struct sampler_knobs) == 40, "knobs are shared");
