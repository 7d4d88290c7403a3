/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What call frame information says at one place of the code: where the caller's stack pointer
 * (CFA), frame pointer and return address are. Of all other registers nothing is kept.
 *
 * References: DWARF 5, 6.4; LSB 5.0 core, 10.6 (.eh_frame); DWARF for the Arm 64-bit Architecture.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_row.h"

#define FRAME_NO_REGISTER 255 /* stands for every number that is too large, too */

/* The registers of an architecture that rows can speak of, by their DWARF numbers. */
struct frame_machine {
	uint16_t machine; /* EM_* */
	uint8_t fp, sp, ra;
	bool ra_on_stack; /* a call pushes it; else it is in a register at first */
	struct unwind_row entry; /* the rules at a function's first instruction */
};

/* NULL: none of ours. */
const struct frame_machine *frame_machine_find(uint16_t machine);

enum frame_how {
	FRAME_SAME, /* also when nothing is said */
	FRAME_UNDEFINED,
	FRAME_AT_CFA, /* *(cfa + offset) */
	FRAME_AT_REGISTER, /* *(reg + offset) */
	FRAME_OTHER, /* what no row can tell */
};

struct frame_rule {
	uint8_t how; /* enum frame_how */
	uint8_t reg;
	int64_t offset;
};

enum frame_cfa_how {
	FRAME_CFA_UNKNOWN, /* nothing is said, or an expression of no known form */
	FRAME_CFA_REGISTER, /* reg + offset */
	FRAME_CFA_DEREF, /* *(reg + offset) + add */
	FRAME_CFA_PLT, /* sp + 8, and 8 more where (pc & 15) >= add */
};

struct frame_cfa {
	uint8_t how; /* enum frame_cfa_how */
	uint8_t reg;
	int64_t offset;
	uint64_t add;
};

struct frame_state {
	struct frame_cfa cfa;
	/* The register and offset said last, which an expression hides: what changes one of them
	 * counts on the other. */
	uint8_t cfa_reg;
	bool cfa_hidden;
	int64_t cfa_offset;
	struct frame_rule fp, ra;
};

/* What a row can tell of it; the row's pc is left alone. `signal`: marked as a signal frame. */
void frame_row(const struct frame_machine *m, const struct frame_state *s, bool signal,
	       struct unwind_row *ret);
/*
 * The forms of expressions that compilers, assemblers and linkers write; anything else is
 * FRAME_CFA_UNKNOWN and FRAME_OTHER.
 */
void frame_cfa_expression(const uint8_t *code, size_t size, struct frame_cfa *ret);
void frame_rule_expression(const uint8_t *code, size_t size, struct frame_rule *ret);
