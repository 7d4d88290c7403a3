/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * User stacks by rows, on the BPF side: the maps, the user registers, the loop.
 *
 * The maps are made by user space (daemon/unwind/unwind_maps.h), which replaces these templates of
 * one element each by its own; without unwinding they do not exist.
 *
 * A frame is a *global* function (Linux 5.6). Such a function is verified once, for any argument,
 * and not once per iteration of the loop that calls it: 127 frames cost the verifier what one does,
 * on every kernel, without bpf_loop and without tail calls.
 */
#include "unwind.h"

#define X86_USER32_CS 0x23
#define ARM64_MODE_MASK 0x0f
#define ARM64_MODE32 0x10

/* Words of the interrupted registers at the head of a perf_event program's context, which are ABI:
 * struct pt_regs of uapi/asm/ptrace.h, and struct user_pt_regs. */
enum context_words {
	X86_BP = 4,
	X86_IP = 16,
	X86_CS = 17,
	X86_SP = 19,
	ARM64_FP = 29,
	ARM64_LR = 30,
	ARM64_SP = 31,
	ARM64_PC = 32,
	ARM64_PSTATE = 33,
};

struct unwind_chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct unwind_chunk));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct unwind_chunk_map);
} unwind_chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_slot);
} unwind_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_mapping);
} unwind_mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_process);
} unwind_processes SEC(".maps");

/* One element per CPU: an element of a per-CPU map may have 32 KiB at most. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_cpu);
} unwind_cpus SEC(".maps");

static __always_inline struct unwind_chunk *unwind_chunk_at(__u32 i)
{
	void *chunk = bpf_map_lookup_elem(&unwind_chunks, &i);
	__u32 only = 0;

	return chunk ? bpf_map_lookup_elem(chunk, &only) : NULL;
}

static __always_inline struct unwind_slot *unwind_slot_at(__u32 i)
{
	return bpf_map_lookup_elem(&unwind_slots, &i);
}

static __always_inline struct unwind_mapping *unwind_mapping_at(__u32 i)
{
	return bpf_map_lookup_elem(&unwind_mappings, &i);
}

static __always_inline struct unwind_cpu *unwind_cpu_at(__u32 i)
{
	return bpf_map_lookup_elem(&unwind_cpus, &i);
}

static __always_inline long unwind_read(void *to, __u32 size, __u64 address)
{
	return bpf_probe_read_user(to, size, (const void *)address);
}

#include "unwind.bpf.h"

__noinline int unwind_frame(__u32 cpu)
{
	struct unwind_cpu *c = unwind_cpu_at(cpu);

	return c ? (int)unwind_step(c) : 1;
}

#define UNWIND_ROUND 16

/* A loop is verified turn by turn, this one once, and the one around it has fewer turns. */
__noinline int unwind_frames(__u32 cpu)
{
	for (int i = 0; i < UNWIND_ROUND; i++)
		if (unwind_frame(cpu))
			return 1;
	return 0;
}

/* One more than there are frames: the last one finds that there is no room. Twice, for a walk may
 * begin anew. */
static __always_inline void unwind_user(__u32 cpu)
{
	for (int i = 0; i < 2 * (SAMPLE_MAX_FRAMES + 1) / UNWIND_ROUND; i++)
		if (unwind_frames(cpu))
			break;
}

/* --- user registers --- */

/*
 * A word of the context. Its address must be the context's and a constant in the one instruction
 * that loads it; the compiler likes to compute it for both architectures at once, and the verifier
 * refuses that ("dereference of modified ctx ptr").
 */
#define CONTEXT_WORD(ctx, word)                                                                    \
	({                                                                                         \
		__u64 value;                                                                       \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                              \
			     : "=r"(value)                                                         \
			     : "r"(ctx), "i"((word) * sizeof(__u64)));                             \
		value;                                                                             \
	})

/* Constants once the program is relocated: what is not for this kernel is never looked at. */
#define ON_ARM64 bpf_core_field_exists(struct pt_regs___arm64, pstate)
#define HAS_TASK_PT_REGS bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)

enum registers {
	REGISTERS_NONE, /* a kernel thread */
	REGISTERS_FOREIGN, /* of a 32 bit program, or unknown */
	REGISTERS_READ,
};

/* By the processor's mode they are of: cs, or pstate. */
static __always_inline enum registers registers_in_mode(__u64 mode)
{
	if (ON_ARM64)
		return mode & ARM64_MODE_MASK ? REGISTERS_NONE
		       : mode & ARM64_MODE32  ? REGISTERS_FOREIGN
					      : REGISTERS_READ;
	return (mode & 3) != 3			      ? REGISTERS_NONE
	       : (mode & 0xffff) == X86_USER32_CS ? REGISTERS_FOREIGN
						  : REGISTERS_READ;
}

/* Those the event interrupted; REGISTERS_NONE: it interrupted the kernel. */
static __always_inline enum registers registers_of_context(struct unwind_cpu *c, void *ctx)
{
	if (ON_ARM64) {
		c->pc = CONTEXT_WORD(ctx, ARM64_PC);
		c->sp = CONTEXT_WORD(ctx, ARM64_SP);
		c->fp = CONTEXT_WORD(ctx, ARM64_FP);
		c->lr = CONTEXT_WORD(ctx, ARM64_LR);
		return registers_in_mode(CONTEXT_WORD(ctx, ARM64_PSTATE));
	}
	c->pc = CONTEXT_WORD(ctx, X86_IP);
	c->sp = CONTEXT_WORD(ctx, X86_SP);
	c->fp = CONTEXT_WORD(ctx, X86_BP);
	return registers_in_mode(CONTEXT_WORD(ctx, X86_CS));
}

/* A word of saved registers, which have the same layout; `cs` has two bytes beside others since
 * Linux 6.9. */
#define SAVED_WORD(regs, word) (*(volatile __u64 *)((regs) + (word) * sizeof(__u64)))
#define SAVED_HALF(regs, word) (*(volatile __u16 *)((regs) + (word) * sizeof(__u64)))

/* Of the system call, fault or interrupt in which the sample was taken. A kernel thread has none:
 * what is there does not belong to user mode. */
static __always_inline enum registers registers_of_task(struct unwind_cpu *c)
{
	void *regs = (void *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
	__u64 mode;

	if (ON_ARM64) {
		c->pc = SAVED_WORD(regs, ARM64_PC);
		c->sp = SAVED_WORD(regs, ARM64_SP);
		c->fp = SAVED_WORD(regs, ARM64_FP);
		c->lr = SAVED_WORD(regs, ARM64_LR);
		mode = SAVED_WORD(regs, ARM64_PSTATE);
	} else {
		c->pc = SAVED_WORD(regs, X86_IP);
		c->sp = SAVED_WORD(regs, X86_SP);
		c->fp = SAVED_WORD(regs, X86_BP);
		mode = SAVED_HALF(regs, X86_CS);
	}
	return registers_in_mode(mode);
}

/* The same before Linux 5.15: they lie at the end of the kernel stack, where user space found them
 * to be. */
static __always_inline enum registers registers_of_stack(struct unwind_cpu *c, __u32 offset)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 *at, mode = 0;

	if (offset == 0)
		return REGISTERS_FOREIGN;
	at = BPF_CORE_READ(task, stack) + offset;
	if (ON_ARM64) {
		bpf_probe_read_kernel(&c->pc, sizeof(c->pc), &at[ARM64_PC]);
		bpf_probe_read_kernel(&c->sp, sizeof(c->sp), &at[ARM64_SP]);
		bpf_probe_read_kernel(&c->fp, sizeof(c->fp), &at[ARM64_FP]);
		bpf_probe_read_kernel(&c->lr, sizeof(c->lr), &at[ARM64_LR]);
		bpf_probe_read_kernel(&mode, sizeof(mode), &at[ARM64_PSTATE]);
	} else {
		bpf_probe_read_kernel(&c->pc, sizeof(c->pc), &at[X86_IP]);
		bpf_probe_read_kernel(&c->sp, sizeof(c->sp), &at[X86_SP]);
		bpf_probe_read_kernel(&c->fp, sizeof(c->fp), &at[X86_BP]);
		bpf_probe_read_kernel(&mode, sizeof(mode), &at[X86_CS]);
	}
	return registers_in_mode(mode);
}

/* A task that exits has given its memory back, and then unmaps what was in it: milliseconds of a large
 * process. As a walk by the kernel it has no user stack any more. */
static __always_inline int has_memory(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return !bpf_core_field_exists(task->mm) || BPF_CORE_READ(task, mm);
}

static __always_inline enum registers saved_registers(struct unwind_cpu *c, __u32 regs_offset)
{
	if (!has_memory())
		return REGISTERS_NONE;
	return HAS_TASK_PT_REGS ? registers_of_task(c) : registers_of_stack(c, regs_offset);
}

/* --- the process --- */

/* Whom nobody has told about yet has no mappings. */
static __always_inline void find_process(struct unwind_cpu *c, struct sample_record *rec,
					 __u32 *ret_flags)
{
	__u32 pid = rec->pid;
	struct unwind_process *p = bpf_map_lookup_elem(&unwind_processes, &pid);

	c->n = c->space = 0;
	*ret_flags = 0;
	if (!p)
		return;
	rec->mappings = p->generation;
	c->first = p->first;
	c->n = p->n;
	c->space = p->space;
	*ret_flags = p->flags;
	/* Another process's by now: whoever uses the element next is published later. */
	if (p->pid != pid) {
		c->n = c->space = 0;
		*ret_flags = 0;
		rec->mappings = 0;
	}
}

/* Ready for the first frame; NULL: not by rows, and rec->user_status says what else. */
static __always_inline struct unwind_cpu *unwind_begin_user(struct unwind_cpu *c,
							    enum registers registers,
							    const struct sampler_knobs *k,
							    struct sample_record *rec)
{
	__u32 flags = 0;

	if (registers == REGISTERS_NONE || rec->pid == 0)
		rec->user_status = STACK_NONE;
	if (registers != REGISTERS_READ || rec->pid == 0)
		return 0;
	find_process(c, rec, &flags);
	c->arm64 = ON_ARM64;
	c->cpu = rec->head.cpu;
	unwind_begin(c, k->depth, flags & UNWIND_PROCESS_FP);
	return c;
}

/* From what a perf event interrupted. */
static __always_inline struct unwind_cpu *
unwind_begin_event(void *ctx, const struct sampler_knobs *k, struct sample_record *rec)
{
	struct unwind_cpu *c = unwind_cpu_at(rec->head.cpu);
	enum registers registers;

	if (!c)
		return 0;
	registers = registers_of_context(c, ctx);
	if (registers == REGISTERS_NONE)
		registers = saved_registers(c, k->regs_offset);
	return unwind_begin_user(c, registers, k, rec);
}

/* From where the task that leaves the CPU entered the kernel. */
static __always_inline struct unwind_cpu *unwind_begin_switch(const struct sampler_knobs *k,
							      struct sample_record *rec)
{
	struct unwind_cpu *c = unwind_cpu_at(rec->head.cpu);

	return c ? unwind_begin_user(c, saved_registers(c, k->regs_offset), k, rec) : 0;
}

/* --- calibration --- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_calibration);
} unwind_calibrations SEC(".maps");

/* The first argument of the tracepoint is where the caller's registers were put. */
SEC("?raw_tp/sys_enter")
int calibrate_registers(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 zero = 0;
	struct unwind_calibration *m = bpf_map_lookup_elem(&unwind_calibrations, &zero);

	if (m && m->pid == bpf_get_current_pid_tgid() >> 32)
		m->regs_offset = (__u32)(ctx->args[0] - (__u64)BPF_CORE_READ(task, stack));
	return 0;
}
