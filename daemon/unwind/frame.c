// SPDX-License-Identifier: Apache-2.0
#include "unwind/frame.h"

#include <elf.h>
#include <string.h>

#include "unwind/frame_bytes.h"

#define WORD 8

static const struct frame_machine machines[] = {
	{
		.machine = EM_X86_64,
		.fp = 6,
		.sp = 7,
		.ra = 16,
		.ra_on_stack = true,
		.entry = { .cfa_words = 1,
			   .rule = ROW_RULE(ROW_CFA_SP, ROW_FP_SAME, ROW_RA_AT_CFA) },
	},
	{
		.machine = EM_AARCH64,
		.fp = 29,
		.sp = 31,
		.ra = 30,
		.entry = { .rule = ROW_RULE(ROW_CFA_SP, ROW_FP_SAME, ROW_RA_IN_LR) },
	},
};

const struct frame_machine *frame_machine_find(uint16_t machine)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].machine == machine)
			return &machines[i];
	return NULL;
}

/* False: no multiple of a word, or it does not fit. */
static bool to_words(int64_t bytes, int64_t min, int64_t max, int64_t *ret)
{
	int64_t words = bytes / WORD;

	if (bytes % WORD || words < min || words > max)
		return false;
	*ret = words;
	return true;
}

static int64_t wrapping_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* 0, or enum row_unsupported. */
static unsigned int cfa_of(const struct frame_machine *m, const struct frame_cfa *c,
			   unsigned int *ret_kind, int16_t *ret_words)
{
	bool deref = c->how == FRAME_CFA_DEREF;
	int64_t words, add;

	if (c->how == FRAME_CFA_UNKNOWN)
		return ROW_WHY_EXPRESSION;
	if (c->how == FRAME_CFA_PLT) {
		*ret_kind = ROW_CFA_PLT;
		*ret_words = (int16_t)c->add;
		return m->ra_on_stack ? 0 : ROW_WHY_EXPRESSION;
	}
	if (c->reg != m->sp && c->reg != m->fp)
		return ROW_WHY_REGISTER;
	if (deref && to_words(c->offset, -2048, 2047, &words) &&
	    to_words((int64_t)c->add, 0, 15, &add))
		words = ROW_DEREF_WORDS(words, add);
	else if (deref || !to_words(c->offset, INT16_MIN, INT16_MAX, &words))
		return ROW_WHY_OFFSET;
	if (c->reg == m->sp)
		*ret_kind = deref ? ROW_CFA_DEREF_SP : ROW_CFA_SP;
	else
		*ret_kind = deref ? ROW_CFA_DEREF_FP : ROW_CFA_FP;
	*ret_words = (int16_t)words;
	return 0;
}

/* Where a saved word is, from the CFA or from the CFA's base. */
static bool place_of(const struct frame_cfa *c, const struct frame_rule *r, unsigned int *ret_how,
		     int64_t *ret_words)
{
	*ret_how = ROW_FP_AT_CFA;
	if (r->how == FRAME_AT_CFA && to_words(r->offset, INT8_MIN, INT8_MAX, ret_words))
		return true;
	*ret_how = ROW_FP_AT_BASE;
	if (r->how == FRAME_AT_CFA && c->how == FRAME_CFA_REGISTER)
		return to_words(wrapping_add(c->offset, r->offset), INT8_MIN, INT8_MAX, ret_words);
	return r->how == FRAME_AT_REGISTER && r->reg == c->reg &&
	       (c->how == FRAME_CFA_REGISTER || c->how == FRAME_CFA_DEREF) &&
	       to_words(r->offset, INT8_MIN, INT8_MAX, ret_words);
}

static unsigned int fp_of(const struct frame_state *s, int8_t *ret_words)
{
	unsigned int how;
	int64_t words;

	if (s->fp.how == FRAME_SAME)
		return ROW_FP_SAME;
	if (!place_of(&s->cfa, &s->fp, &how, &words))
		return ROW_FP_UNDEFINED;
	*ret_words = (int8_t)words;
	return how;
}

/* x86-64: the return address is where the call left it. */
static unsigned int stack_ra_of(const struct frame_state *s)
{
	return s->ra.how == FRAME_AT_CFA && s->ra.offset == -WORD ? 0 : ROW_WHY_RETURN;
}

/* arm64: in the link register, or the word after the saved frame pointer. */
static unsigned int link_ra_of(const struct frame_state *s, unsigned int fp, int8_t *fp_words,
			       unsigned int *ret_ra)
{
	struct frame_rule pair = s->fp;
	int64_t words;

	*ret_ra = ROW_RA_IN_LR;
	if (s->ra.how == FRAME_SAME)
		return 0;
	*ret_ra = ROW_RA_AT_CFA;
	if (fp == ROW_FP_SAME) {
		if (s->ra.how != FRAME_AT_CFA)
			return ROW_WHY_RETURN;
		if (!to_words(s->ra.offset, INT8_MIN + 1, INT8_MAX + 1, &words))
			return ROW_WHY_OFFSET;
		*fp_words = (int8_t)(words - 1);
		return 0;
	}
	pair.offset = wrapping_add(pair.offset, WORD);
	if (fp == ROW_FP_UNDEFINED || pair.how != s->ra.how || pair.offset != s->ra.offset ||
	    (pair.how == FRAME_AT_REGISTER && pair.reg != s->ra.reg))
		return ROW_WHY_RETURN;
	return 0;
}

/*
 * glibc's __restore_rt: the stack pointer is in the ucontext that begins at the stack pointer. On
 * arm64 only the vDSO returns from signals.
 */
static bool is_signal_return(const struct frame_machine *m, const struct frame_cfa *c)
{
	return !m->ra_on_stack ||
	       (c->how == FRAME_CFA_DEREF && c->reg == m->sp && c->offset == 160 && c->add == 0);
}

void frame_row(const struct frame_machine *m, const struct frame_state *s, bool signal,
	       struct unwind_row *ret)
{
	unsigned int kind = ROW_NONE, fp, ra = ROW_RA_AT_CFA, why;
	int16_t cfa_words = 0;
	int8_t fp_words = 0;

	if ((signal && is_signal_return(m, &s->cfa)) || s->ra.how == FRAME_UNDEFINED) {
		*ret = (struct unwind_row){
			.pc = ret->pc,
			.rule = s->ra.how == FRAME_UNDEFINED ? ROW_END : ROW_SIGNAL,
		};
		return;
	}
	why = cfa_of(m, &s->cfa, &kind, &cfa_words);
	fp = fp_of(s, &fp_words);
	if (!why)
		why = m->ra_on_stack ? stack_ra_of(s) : link_ra_of(s, fp, &fp_words, &ra);
	if (why) {
		kind = ROW_UNSUPPORTED;
		cfa_words = (int16_t)why;
		fp_words = 0;
		fp = ROW_FP_SAME;
		ra = ROW_RA_AT_CFA;
	}
	*ret = (struct unwind_row){
		.pc = ret->pc,
		.cfa_words = cfa_words,
		.fp_words = fp_words,
		.rule = (uint8_t)ROW_RULE(kind, fp, ra),
	};
}

enum {
	OP_DEREF = 0x06,
	OP_PLUS_UCONST = 0x23,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
};

/* A sum that begins with a register: "breg7 8", "breg6 -16; plus_uconst 8". */
static bool get_sum(struct cursor *c, uint8_t *ret_reg, int64_t *ret_offset)
{
	uint8_t op = (uint8_t)cursor_get_fixed(c, 1);
	uint64_t reg = FRAME_NO_REGISTER;

	if (op >= OP_BREG0 && op <= OP_BREG31)
		reg = op - OP_BREG0;
	else if (op == OP_BREGX)
		reg = cursor_get_varint(c);
	*ret_reg = (uint8_t)(reg < FRAME_NO_REGISTER ? reg : FRAME_NO_REGISTER);
	*ret_offset = cursor_get_sleb(c);
	if (c->pos < c->end && *c->pos == OP_PLUS_UCONST) {
		c->pos++;
		*ret_offset = wrapping_add(*ret_offset, (int64_t)cursor_get_varint(c));
	}
	return !c->error && *ret_reg != FRAME_NO_REGISTER;
}

/*
 * breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus: the linkers' x86-64 PLT entries. From
 * its 11th byte on an entry has pushed a word; elsewhere in the .plt of newer linkers from another.
 */
static bool is_plt(const uint8_t *code, size_t size, uint64_t *ret_threshold)
{
	static const uint8_t before[] = { 0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a },
			     after[] = { 0x2a, 0x33, 0x24, 0x22 };
	size_t n = sizeof(before);

	if (size != n + 1 + sizeof(after) || memcmp(code, before, n) != 0 ||
	    memcmp(code + n + 1, after, sizeof(after)) != 0 || code[n] < 0x30 || code[n] > 0x3f)
		return false;
	*ret_threshold = code[n] - 0x30U;
	return true;
}

void frame_cfa_expression(const uint8_t *code, size_t size, struct frame_cfa *ret)
{
	struct cursor c = { .pos = code, .end = code + size };
	struct frame_cfa cfa = { .how = FRAME_CFA_REGISTER };

	ret->how = FRAME_CFA_UNKNOWN;
	if (is_plt(code, size, &cfa.add)) {
		cfa.how = FRAME_CFA_PLT;
		*ret = cfa;
		return;
	}
	if (!get_sum(&c, &cfa.reg, &cfa.offset))
		return;
	if (c.pos < c.end && *c.pos == OP_DEREF) {
		c.pos++;
		cfa.how = FRAME_CFA_DEREF;
		if (c.pos < c.end && *c.pos == OP_PLUS_UCONST) {
			c.pos++;
			cfa.add = cursor_get_varint(&c);
		}
	}
	if (c.pos == c.end && !c.error)
		*ret = cfa;
}

void frame_rule_expression(const uint8_t *code, size_t size, struct frame_rule *ret)
{
	struct cursor c = { .pos = code, .end = code + size };
	struct frame_rule rule = { .how = FRAME_AT_REGISTER };

	*ret = get_sum(&c, &rule.reg, &rule.offset) && c.pos == c.end
		       ? rule
		       : (struct frame_rule){ .how = FRAME_OTHER };
}
