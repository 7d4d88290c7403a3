/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * One row of an unwind table, as user space builds it from .eh_frame and the BPF unwinder reads it.
 *
 * A table is the rows of one file, sorted by pc. A row holds from its pc to the next row's pc; the
 * last one, and every gap between functions, is a ROW_NONE row, so that a lookup needs no end. The
 * first row may have a pc above 0: below it nothing is known.
 * Offsets count in 8 byte words: .eh_frame of both architectures knows no others that matter, and
 * a row stays 8 bytes.
 *
 * Include after the fixed-width types, like sample.h.
 */

/* How the canonical frame address (the caller's stack pointer) is found. */
enum row_cfa {
	ROW_NONE = 0, /* no rule: a gap, or nothing is known */
	ROW_CFA_SP = 1, /* sp + cfa_words * 8 */
	ROW_CFA_FP = 2, /* fp + cfa_words * 8 (rbp, x29) */
	ROW_CFA_DEREF_SP = 3, /* *(sp + ROW_DEREF_OFFSET(cfa_words)) + ROW_DEREF_ADD(cfa_words) */
	ROW_CFA_DEREF_FP = 4, /* the same with fp: gcc's realigned stacks */
	ROW_CFA_PLT = 5, /* x86-64 PLT: sp + 8 + ((pc & 15) >= cfa_words ? 8 : 0) */
	ROW_SIGNAL = 6, /* a signal frame: the registers are in the ucontext at sp */
	ROW_END = 7, /* the return address is undefined: a root (_start, clone, a thread's entry) */
	ROW_UNSUPPORTED = 8, /* a rule this table cannot express; cfa_words: enum row_unsupported */
};

/* How the caller's frame pointer is found. */
enum row_fp {
	ROW_FP_SAME = 0,
	ROW_FP_AT_CFA = 1, /* *(cfa + fp_words * 8) */
	ROW_FP_UNDEFINED = 2, /* lost: a later frame that needs it ends the walk */
	ROW_FP_AT_BASE = 3, /* *(base + fp_words * 8); base: the sp or fp the CFA is counted from.
			     * Large arm64 frames, realigned x86-64 stacks. */
};

/* How the return address is found. */
enum row_ra {
	/* x86-64: *(cfa - 8). arm64: the word after the saved fp, wherever row_fp says that is;
	 * with ROW_FP_SAME *(cfa + fp_words * 8 + 8). Never with ROW_FP_UNDEFINED. */
	ROW_RA_AT_CFA = 0,
	ROW_RA_IN_LR = 1, /* arm64, leaf frames only */
};

/* Why a row is ROW_UNSUPPORTED: for people, the unwinder need not look. */
enum row_unsupported {
	ROW_WHY_REGISTER = 1, /* the CFA is counted from another register (r10, rdx ...) */
	ROW_WHY_EXPRESSION, /* a DWARF expression of no known form */
	ROW_WHY_RETURN, /* the return address is somewhere else */
	ROW_WHY_OFFSET, /* no multiple of 8, or too large */
	ROW_WHY_DAMAGED, /* instructions that cannot be read */
};

struct unwind_row {
	__u32 pc; /* offset in the file, less the table's base */
	__s16 cfa_words;
	__s8 fp_words;
	__u8 rule; /* enum row_cfa | enum row_fp << 4 | enum row_ra << 6 */
};

#define ROW_RULE(cfa, fp, ra) ((cfa) | (fp) << 4 | (ra) << 6)
#define ROW_CFA(rule) ((rule) & 15)
#define ROW_FP(rule) ((rule) >> 4 & 3)
#define ROW_RA(rule) ((rule) >> 6 & 1)

/* The two numbers of ROW_CFA_DEREF_*, in bytes: 12 bits of signed words, 4 bits of words. */
#define ROW_DEREF_WORDS(offset, add) ((offset) * 16 + (add))
#define ROW_DEREF_OFFSET(cfa_words) (((cfa_words) >> 4) * 8)
#define ROW_DEREF_ADD(cfa_words) (((cfa_words) & 15) * 8)

_Static_assert(sizeof(struct unwind_row) == 8, "rows are shared");
