/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * One row of an unwind table, as user space builds it from .eh_frame and the BPF unwinder reads it.
 *
 * A table is the rows of one file, sorted by pc. A row holds from its pc to the next row's pc; the
 * last one, and every gap between functions, is a ROW_NONE row, so that a lookup needs no end.
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
	ROW_CFA_DEREF_SP = 3, /* *(sp + cfa_words * 8) + fp_words * 8; fp unchanged */
	ROW_CFA_DEREF_FP = 4, /* *(fp + cfa_words * 8) + fp_words * 8; fp unchanged */
	ROW_CFA_PLT = 5, /* x86-64 PLT: sp + 8 + ((pc & 15) >= cfa_words ? 8 : 0) */
	ROW_SIGNAL = 6, /* a signal frame: the registers are in the ucontext at sp */
	ROW_END = 7, /* the return address is undefined: a root (_start, clone, a thread's entry) */
	ROW_UNSUPPORTED = 8, /* a rule this table cannot express */
};

/* How the caller's frame pointer is found. */
enum row_fp {
	ROW_FP_SAME = 0,
	ROW_FP_AT_CFA = 1, /* *(cfa + fp_words * 8) */
	ROW_FP_UNDEFINED = 2, /* lost: a later frame that needs it ends the walk */
};

/* How the return address is found. */
enum row_ra {
	ROW_RA_AT_CFA = 0, /* x86-64: *(cfa - 8); arm64: *(cfa + ra at fp_words * 8 + 8), the pair {fp, lr} */
	ROW_RA_IN_LR = 1, /* arm64, leaf frames only */
};

struct unwind_row {
	__u32 pc; /* virtual address in the file, less the table's base */
	__s16 cfa_words;
	__s8 fp_words;
	__u8 rule; /* enum row_cfa | enum row_fp << 4 | enum row_ra << 6 */
};

#define ROW_RULE(cfa, fp, ra) ((cfa) | (fp) << 4 | (ra) << 6)
#define ROW_CFA(rule) ((rule) & 15)
#define ROW_FP(rule) ((rule) >> 4 & 3)
#define ROW_RA(rule) ((rule) >> 6 & 1)

_Static_assert(sizeof(struct unwind_row) == 8, "rows are shared");
