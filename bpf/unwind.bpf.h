/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * The unwinder: from a frame's registers and the row of its program counter to the caller's
 * registers, until a row says that there is no caller.
 *
 * The same C is compiled for BPF and, for tests, for user space. Whoever includes it provides:
 *
 *   struct unwind_chunk *unwind_chunk_at(__u32 i);
 *   struct unwind_mapping *unwind_mapping_at(__u32 i);
 *   struct unwind_slot *unwind_slot_at(__u32 i);
 *   struct unwind_cpu *unwind_cpu_at(__u32 i);        each NULL beyond the end
 *   long unwind_read(void *to, __u32 size, __u64 address);   the process's memory; 0 or an error
 *
 * Searches are written without branches. A branch per halving doubles what the verifier must
 * follow, for it keeps the two positions apart as soon as they are used as an index (more than a
 * million instructions since Linux 6.8); `position += smaller << k`, with `smaller` made by
 * arithmetic, is one path.
 */
#include "unwind_row.h"

#ifdef __bpf__
#define UNWIND_UNROLL _Pragma("unroll")
#else
#define UNWIND_UNROLL
#endif

/* A rule that no file has: by frame pointer, as the mapping says. */
#define UNWIND_RULE_FP 15
/* Signs, words and addresses of processes are below this. */
#define UNWIND_ADDRESS_LIMIT (1ULL << 56)
/* arm64 signs return addresses in the bits above the address. */
#define UNWIND_ARM64_ADDRESS ((1ULL << 48) - 1)
/* What a signal interrupted has its frame beyond the saved registers: at least that far away. */
#define UNWIND_SIGNAL_BYTES 512

/* 1 when a <= b, for a, b < 2^63. */
static __always_inline __u64 unwind_at_most(__u64 a, __u64 b)
{
	return (a - b - 1) >> 63;
}

static __always_inline int unwind_word(__u32 i, __u64 *ret)
{
	struct unwind_chunk *chunk = unwind_chunk_at(i >> UNWIND_CHUNK_SHIFT);

	if (!chunk)
		return -1;
	*ret = chunk->words[i & (UNWIND_CHUNK_WORDS - 1)];
	return 0;
}

/* Words of a row. */
static __always_inline __u32 unwind_row_pc(__u64 word)
{
	return (__u32)word;
}

static __always_inline __s64 unwind_row_cfa_words(__u64 word)
{
	return (__s16)(word >> 32);
}

static __always_inline __s64 unwind_row_fp_words(__u64 word)
{
	return (__s8)(word >> 48);
}

static __always_inline __u32 unwind_row_rule(__u64 word)
{
	return word >> 56;
}

/* --- from an address to its mapping --- */

static __always_inline int unwind_halve_mappings(const struct unwind_cpu *c, __u64 pc, int k,
						 __u64 *position)
{
	__u64 next = *position + (1ULL << k);
	struct unwind_mapping *m = unwind_mapping_at(c->first + (__u32)next);

	/* Beyond the slice is another one, beyond the array nothing: neither counts. */
	if (m)
		*position += (unwind_at_most(m->start, pc) & unwind_at_most(next + 1, c->n)) << k;
	return 0;
}

/* The mapping that `pc` lies in becomes c's; -1: there is none. */
static __always_inline int unwind_find_mapping(struct unwind_cpu *c, __u64 pc)
{
	struct unwind_mapping *m;
	struct unwind_slot *slot;
	__u64 position = 0;

	if (c->n > 64) {
		UNWIND_UNROLL
		for (int k = 15; k >= 6; k--)
			unwind_halve_mappings(c, pc, k, &position);
	}
	UNWIND_UNROLL
	for (int k = 5; k >= 0; k--)
		unwind_halve_mappings(c, pc, k, &position);
	m = unwind_mapping_at(c->first + (__u32)position);
	if (!m || c->n == 0 || pc < m->start || pc >= m->end)
		return -1;
	slot = unwind_slot_at(m->slot);
	if (!slot)
		return -1;
	c->start = m->start;
	c->end = m->end;
	c->bias = m->bias;
	c->how = m->how;
	c->slot = *slot;
	return 0;
}

/* --- from a mapped address to its row --- */

static __always_inline int unwind_page(const struct unwind_cpu *c, __u32 page, __u32 *ret)
{
	__u64 word;

	if (unwind_word(c->slot.index + page / 2, &word))
		return -1;
	*ret = page & 1 ? (__u32)(word >> 32) : (__u32)word;
	return 0;
}

static __always_inline int unwind_halve_rows(const struct unwind_cpu *c, __u32 low, __u64 span,
					     __u64 pc, int k, __u64 *position)
{
	__u64 next = *position + (1ULL << k), word;

	if (unwind_word(c->slot.rows + low + (__u32)next, &word))
		return -1;
	*position += (unwind_at_most(unwind_row_pc(word), pc) & unwind_at_most(next, span)) << k;
	return 0;
}

/* A page holds six rows in the mean, 256 at most. */
static __always_inline int unwind_find_row(const struct unwind_cpu *c, __u64 pc, __u64 *ret_word)
{
	__u32 page = (__u32)(pc >> UNWIND_PAGE_SHIFT), low, high;
	__u64 position = 0, span, word;

	if (pc >> 32 || page >= c->slot.pages)
		return -1;
	if (unwind_page(c, page, &low) || unwind_page(c, page + 1, &high))
		return -1;
	span = (__u64)high - low;
	if (span > 256)
		return -1;
	if (span > 15) {
		UNWIND_UNROLL
		for (int k = 8; k >= 4; k--)
			if (unwind_halve_rows(c, low, span, pc, k, &position))
				return -1;
	}
	if (span) {
		UNWIND_UNROLL
		for (int k = 3; k >= 0; k--)
			if (unwind_halve_rows(c, low, span, pc, k, &position))
				return -1;
	}
	if (unwind_word(c->slot.rows + low + (__u32)position, &word) || unwind_row_pc(word) > pc)
		return -1;
	*ret_word = word;
	return 0;
}

/* The rule for `pc`, or a status that says why there is none. */
static __always_inline __u32 unwind_search(struct unwind_cpu *c, __u64 pc, __u64 *ret_word)
{
	if ((pc < c->start || pc >= c->end) && unwind_find_mapping(c, pc))
		return STACK_NO_MAPPING;
	if (c->how == UNWIND_BY_FP) {
		*ret_word = (__u64)UNWIND_RULE_FP << 56;
		return 0;
	}
	if (c->slot.pages && unwind_find_row(c, pc - c->bias - c->slot.base, ret_word) == 0 &&
	    ROW_CFA(unwind_row_rule(*ret_word)) != ROW_NONE)
		return 0;
	if (c->slot.how != UNWIND_BY_FP)
		return STACK_NO_ROWS;
	*ret_word = (__u64)UNWIND_RULE_FP << 56;
	return 0;
}

/* A global function, which is verified once and not at each place where a rule is wanted. */
int unwind_search_at(__u32 cpu, __u64 pc);
__noinline int unwind_search_at(__u32 cpu, __u64 pc)
{
	struct unwind_cpu *c = unwind_cpu_at(cpu);

	return c ? (int)unwind_search(c, pc, &c->word) : STACK_NO_ROWS;
}

/* The same through the cache, in which nine of ten program counters are found. */
static __always_inline __u32 unwind_rule(struct unwind_cpu *c, __u64 pc, __u64 *ret_word)
{
	__u64 slot = pc * 0x9e3779b97f4a7c15ULL >> (64 - UNWIND_CACHE_SHIFT);
	struct unwind_cached *cached = &c->cache[slot & ((1 << UNWIND_CACHE_SHIFT) - 1)];
	__u32 status;

	if (cached->pc == pc && (__u32)cached->word == c->space) {
		*ret_word = cached->word;
		return 0;
	}
	status = (__u32)unwind_search_at(c->cpu, pc);
	*ret_word = c->word;
	if (status == 0) {
		cached->pc = pc;
		cached->word = (*ret_word >> 32 << 32) | c->space;
	}
	return status;
}

/* --- memory --- */

static __always_inline int unwind_load_word(struct unwind_cpu *c, __u64 address)
{
	__u64 at = address - c->window_base;

	if (at > (UNWIND_WINDOW_WORDS - 1) * 8 || at & 7) {
		/* A frame's saved registers are below its return address, which is read first. */
		c->window_base = address - 64;
		at = 64;
		if (unwind_read(c->window, sizeof(c->window), address - 64)) {
			/* The end of the stack is near, or unmapped memory. */
			c->window_base = ~0ULL;
			return unwind_read(&c->loaded, sizeof(c->loaded), address) ? -1 : 0;
		}
	}
	c->loaded = c->window[at >> 3 & (UNWIND_WINDOW_WORDS - 1)];
	return 0;
}

/* A global function, like unwind_search_at(). */
int unwind_load_at(__u32 cpu, __u64 address);
__noinline int unwind_load_at(__u32 cpu, __u64 address)
{
	struct unwind_cpu *c = unwind_cpu_at(cpu);

	return c ? unwind_load_word(c, address) : -1;
}

/* A word of the stack: from the window, which moves to where it is needed. */
static __always_inline int unwind_load(struct unwind_cpu *c, __u64 address, __u64 *ret)
{
	int r = unwind_load_at(c->cpu, address);

	if (r == 0)
		*ret = c->loaded;
	return r;
}

/* --- from a frame to its caller --- */

static __always_inline __u32 unwind_stop(struct unwind_cpu *c, __u32 status)
{
	c->status = status;
	return 1;
}

/* The registers that a signal interrupted, in the ucontext that the kernel put on the stack. */
static __always_inline __u32 unwind_signal(struct unwind_cpu *c)
{
	/* x86-64: uc_mcontext at 40; arm64: siginfo of 128 bytes, uc_mcontext.regs at 184. */
	__u64 fp = c->sp + (c->arm64 ? 312 + 29 * 8 : 120);
	__u64 sp = c->sp + (c->arm64 ? 312 + 31 * 8 : 160);
	__u64 lr = c->sp + 312 + 30 * 8, old = c->sp;

	if (unwind_load(c, fp, &c->fp) || unwind_load(c, sp, &c->sp) ||
	    unwind_load(c, sp + 8, &c->pc))
		return unwind_stop(c, STACK_FAULT);
	if (c->arm64 && unwind_load(c, lr, &c->lr))
		return unwind_stop(c, STACK_FAULT);
	if (c->sp == old)
		return unwind_stop(c, STACK_UNSUPPORTED);
	c->fp_seen |= UNWIND_FP_SILENT;
	c->exact = 1;
	c->lr_valid = 1;
	c->fp_lost = 0;
	return 0;
}

/* By frame pointer: {caller's frame pointer, return address} at it. */
static __always_inline __u32 unwind_by_fp(struct unwind_cpu *c)
{
	__u64 fp = c->fp;

	c->by_fp = 1;
	if (fp == 0)
		return unwind_stop(c, STACK_UNVERIFIED);
	if (c->fp_lost || fp & 7 || fp < c->sp)
		return unwind_stop(c, STACK_JIT);
	if (unwind_load(c, fp + 8, &c->pc) || unwind_load(c, fp, &c->fp))
		return unwind_stop(c, STACK_FAULT);
	c->sp = fp + 16;
	c->exact = 0;
	c->lr_valid = 0;
	return 0;
}

/* The canonical frame address, the caller's stack pointer, and the register it is counted from. */
static __always_inline __u32 unwind_cfa(struct unwind_cpu *c, __u64 word, __u64 *ret_base,
					__u64 *ret_cfa)
{
	__u32 how = ROW_CFA(unwind_row_rule(word));
	__s64 words = unwind_row_cfa_words(word);
	__u32 by_fp = how == ROW_CFA_FP || how == ROW_CFA_DEREF_FP;

	if (by_fp && c->fp_lost)
		return STACK_UNSUPPORTED;
	*ret_base = by_fp ? c->fp : c->sp;
	if (how == ROW_CFA_SP || how == ROW_CFA_FP) {
		*ret_cfa = *ret_base + words * 8;
		return 0;
	}
	if (how == ROW_CFA_PLT) {
		*ret_cfa = c->sp + 8 + ((c->pc & 15) >= (__u64)words ? 8 : 0);
		return 0;
	}
	if (how != ROW_CFA_DEREF_SP && how != ROW_CFA_DEREF_FP)
		return STACK_UNSUPPORTED;
	if (unwind_load(c, *ret_base + ROW_DEREF_OFFSET(words), ret_cfa))
		return STACK_FAULT;
	*ret_cfa += ROW_DEREF_ADD(words);
	return 0;
}

/* Whether the frame pointer, too, leads to where a row found a caller to be. */
static __always_inline __u32 unwind_compare(const struct unwind_cpu *c, __u32 how, __u64 saved,
					    __u64 cfa)
{
	if (how != ROW_FP_AT_CFA && how != ROW_FP_AT_BASE)
		return UNWIND_FP_DIFFERS;
	return saved == c->fp && (c->arm64 || cfa == c->fp + 16) ? UNWIND_FP_SAME
								  : UNWIND_FP_DIFFERS;
}

static __always_inline __u32 unwind_by_row(struct unwind_cpu *c, __u64 word)
{
	__u32 rule = unwind_row_rule(word), how = ROW_FP(rule), status;
	__u64 base = 0, cfa = 0, saved, fp = c->fp, pc = c->lr;

	status = unwind_cfa(c, word, &base, &cfa);
	if (status)
		return unwind_stop(c, status);
	/* Only a leaf of arm64 need not have a frame; a stack that does not shrink never ends. */
	if (cfa < c->sp || (cfa == c->sp && !c->lr_valid) || cfa & 7)
		return unwind_stop(c, STACK_UNSUPPORTED);
	saved = (how == ROW_FP_AT_BASE ? base : cfa) + unwind_row_fp_words(word) * 8;
	if (ROW_RA(rule) == ROW_RA_IN_LR) {
		if (!c->lr_valid)
			return unwind_stop(c, STACK_UNSUPPORTED);
	} else if (unwind_load(c, c->arm64 ? saved + 8 : cfa - 8, &pc)) {
		return unwind_stop(c, STACK_FAULT);
	}
	if (how == ROW_FP_AT_CFA || how == ROW_FP_AT_BASE) {
		if (unwind_load(c, saved, &fp))
			return unwind_stop(c, STACK_FAULT);
		c->fp_lost = 0;
	}
	if (how == ROW_FP_UNDEFINED)
		c->fp_lost = 1;
	if (!c->exact)
		c->fp_seen |= unwind_compare(c, how, saved, cfa);
	c->fp = fp;
	c->pc = c->arm64 ? pc & UNWIND_ARM64_ADDRESS : pc;
	c->sp = cfa;
	c->exact = 0;
	c->lr_valid = 0;
	return 0;
}

/* --- a process that keeps frame pointers --- */

/* By rows this time: something is not as it was when the process was found to keep them. */
static __always_inline __u32 unwind_anew(struct unwind_cpu *c)
{
	c->pc = c->first_pc;
	c->sp = c->first_sp;
	c->fp = c->first_fp;
	c->lr = c->first_lr;
	c->frames = 0;
	c->exact = 1;
	c->lr_valid = c->arm64;
	c->fp_lost = 0;
	c->fp_way = 0;
	return 0;
}

/*
 * From a return address to the next one, without a look at rows: they found the leaf's caller, and
 * tell at the end whether it is a root. Frames of signals would be passed over; they are far apart.
 */
static __always_inline __u32 unwind_follow(struct unwind_cpu *c)
{
	__u64 fp = c->fp, pc = 0, next = 0, word = 0;

	if (fp == 0) {
		if (unwind_rule(c, c->pc - 1, &word) ||
		    ROW_CFA(unwind_row_rule(word)) != ROW_END)
			return unwind_anew(c);
		return unwind_stop(c, STACK_COMPLETE);
	}
	if (fp & 7 || fp < c->sp || unwind_load(c, fp + 8, &pc) || unwind_load(c, fp, &next))
		return unwind_anew(c);
	if (c->arm64)
		pc &= UNWIND_ARM64_ADDRESS;
	if (next && next - fp > UNWIND_SIGNAL_BYTES &&
	    (unwind_rule(c, pc - 1, &word) || ROW_CFA(unwind_row_rule(word)) == ROW_SIGNAL))
		return unwind_anew(c);
	c->pc = pc;
	c->fp = next;
	c->sp = fp + 16;
	return 0;
}

/* Takes down the frame and goes to its caller. 1: it was the last one, and c->status says why. */
static __always_inline __u32 unwind_step(struct unwind_cpu *c)
{
	__u64 word = 0, pc = c->pc;
	__u32 status, rule;

	if (c->frames >= c->limit)
		return unwind_stop(c, STACK_TRUNCATED);
	if (pc == 0 || pc >= UNWIND_ADDRESS_LIMIT) {
		if (c->fp_way)
			return unwind_anew(c);
		return unwind_stop(c, c->by_fp ? STACK_UNVERIFIED : STACK_NO_MAPPING);
	}
	c->pcs[c->frames & (UNWIND_PCS - 1)] = pc;
	c->frames++;
	if (c->fp_way && !c->exact)
		return unwind_follow(c);
	/* What a call returns to may be the first instruction of something else. */
	status = unwind_rule(c, c->exact ? pc : pc - 1, &word);
	if (status)
		return unwind_stop(c, status);
	rule = ROW_CFA(unwind_row_rule(word));
	if (rule == ROW_END) {
		if (c->fp)
			c->fp_seen |= UNWIND_FP_DIFFERS;
		return unwind_stop(c, c->by_fp ? STACK_JIT : STACK_COMPLETE);
	}
	if (rule == ROW_SIGNAL)
		return unwind_signal(c);
	if (rule == UNWIND_RULE_FP)
		return unwind_by_fp(c);
	return unwind_by_row(c, word);
}

/* Before the first step: c's registers and process are set. `keeps_fp`: its stacks proved so. */
static __always_inline void unwind_begin(struct unwind_cpu *c, __u32 limit, __u32 keeps_fp)
{
	c->limit = limit;
	c->frames = 0;
	c->status = STACK_TRUNCATED;
	c->start = c->end = 0;
	c->exact = 1;
	c->lr_valid = c->arm64;
	c->fp_lost = 0;
	c->by_fp = 0;
	c->fp_seen = 0;
	c->fp_way = keeps_fp && ++c->fp_turn % UNWIND_ROWS_EVERY;
	c->first_pc = c->pc;
	c->first_sp = c->sp;
	c->first_fp = c->fp;
	c->first_lr = c->lr;
	c->window_base = ~0ULL;
}

/* enum sample_flags_bits of the stack that was walked. */
static __always_inline __u32 unwind_flags(const struct unwind_cpu *c)
{
	if (c->fp_way)
		return SAMPLE_BY_FP;
	if (c->fp_seen & UNWIND_FP_DIFFERS)
		return SAMPLE_FP_DIFFERS;
	return c->fp_seen == UNWIND_FP_SAME && c->status == STACK_COMPLETE ? SAMPLE_FP_SAME : 0;
}
