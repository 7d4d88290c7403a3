// SPDX-License-Identifier: Apache-2.0
#include "unwind/frame_program.h"

#include <errno.h>

#include "unwind/frame_bytes.h"

struct program {
	const struct frame_machine *machine;
	const struct frame_cie *cie;
	struct cursor code;
	uint64_t code_address; /* of code.pos[0], for pc-relative addresses: see code_begin */
	const uint8_t *code_begin;
	uint64_t start, pc, end; /* of the function; all 0 for a CIE */
	uint32_t place;
	struct row_builder *rows;
	struct frame_state state, remembered[FRAME_REMEMBERED_MAX];
	size_t n_remembered;
};

struct operands {
	uint64_t a, b; /* as they come; signed ones in two's complement */
	const uint8_t *block;
};

static void emit(struct program *p)
{
	struct unwind_row row = { .pc = p->place + (uint32_t)(p->pc - p->start) };

	frame_row(p->machine, &p->state, p->cie->signal, &row);
	row_builder_add(p->rows, &row);
}

/* What an FDE describes beyond its end is of no use; a CIE describes no place. */
static bool go_to(struct program *p, uint64_t pc)
{
	if (pc < p->pc || !p->rows)
		return false;
	if (pc == p->pc)
		return true;
	emit(p);
	p->pc = pc < p->end ? pc : p->end;
	return true;
}

static bool advance(struct program *p, uint64_t delta)
{
	uint64_t step;

	if (__builtin_mul_overflow(delta, p->cie->code_align, &step) || step > p->end - p->pc)
		step = p->end - p->pc;
	return p->rows ? go_to(p, p->pc + step) : delta == 0;
}

static int64_t scaled(const struct program *p, uint64_t factor)
{
	return (int64_t)(factor * (uint64_t)p->cie->data_align);
}

/* NULL: a register that rows do not speak of. */
static struct frame_rule *rule_of(struct program *p, struct frame_state *s, uint64_t reg)
{
	if (reg == p->machine->fp)
		return &s->fp;
	return reg == p->machine->ra && !p->cie->other_ra ? &s->ra : NULL;
}

static bool set_rule(struct program *p, uint64_t reg, enum frame_how how, int64_t offset)
{
	struct frame_rule *r = rule_of(p, &p->state, reg);

	if (r)
		*r = (struct frame_rule){ .how = (uint8_t)how, .offset = offset };
	return true;
}

static bool restore(struct program *p, uint64_t reg)
{
	struct frame_rule *r = rule_of(p, &p->state, reg);
	struct frame_state initial = p->cie->initial;

	if (r && p->rows)
		*r = *rule_of(p, &initial, reg);
	return p->rows;
}

static bool set_cfa(struct program *p, uint64_t reg, int64_t offset)
{
	struct frame_state *s = &p->state;

	s->cfa_reg = (uint8_t)(reg < FRAME_NO_REGISTER ? reg : FRAME_NO_REGISTER);
	s->cfa_offset = offset;
	s->cfa_hidden = false;
	s->cfa = (struct frame_cfa){
		.how = FRAME_CFA_REGISTER,
		.reg = s->cfa_reg,
		.offset = offset,
	};
	return true;
}

/* An expression stays in force; what was said before DW_CFA_def_cfa is of no use. */
static bool set_cfa_offset(struct program *p, int64_t offset)
{
	struct frame_state *s = &p->state;

	s->cfa_offset = offset;
	if (s->cfa.how == FRAME_CFA_UNKNOWN || s->cfa_hidden)
		return s->cfa_hidden;
	return set_cfa(p, s->cfa_reg, offset);
}

static bool op_nop(struct program *p, const struct operands *o)
{
	(void)p;
	(void)o;
	return true;
}

static bool op_set_loc(struct program *p, const struct operands *o)
{
	return go_to(p, o->a);
}

static bool op_advance(struct program *p, const struct operands *o)
{
	return advance(p, o->a);
}

static bool op_offset(struct program *p, const struct operands *o)
{
	return set_rule(p, o->a, FRAME_AT_CFA, scaled(p, o->b));
}

static bool op_negative_offset(struct program *p, const struct operands *o)
{
	return set_rule(p, o->a, FRAME_AT_CFA, scaled(p, -o->b));
}

static bool op_restore(struct program *p, const struct operands *o)
{
	return restore(p, o->a);
}

static bool op_undefined(struct program *p, const struct operands *o)
{
	return set_rule(p, o->a, FRAME_UNDEFINED, 0);
}

static bool op_same(struct program *p, const struct operands *o)
{
	return set_rule(p, o->a, FRAME_SAME, 0);
}

static bool op_other(struct program *p, const struct operands *o)
{
	return set_rule(p, o->a, FRAME_OTHER, 0);
}

/* In another register; one that it already is in counts as unchanged. */
static bool op_register(struct program *p, const struct operands *o)
{
	return set_rule(p, o->a, o->a == o->b ? FRAME_SAME : FRAME_OTHER, 0);
}

static bool op_expression(struct program *p, const struct operands *o)
{
	struct frame_rule *r = rule_of(p, &p->state, o->a);

	if (r)
		frame_rule_expression(o->block, o->b, r);
	return true;
}

static bool op_remember(struct program *p, const struct operands *o)
{
	(void)o;
	if (p->n_remembered == FRAME_REMEMBERED_MAX)
		return false;
	p->remembered[p->n_remembered++] = p->state;
	return true;
}

/* The CFA comes back too, as gcc's and LLVM's unwinders have it. */
static bool op_restore_state(struct program *p, const struct operands *o)
{
	(void)o;
	if (p->n_remembered == 0)
		return false;
	p->state = p->remembered[--p->n_remembered];
	return true;
}

static bool op_cfa(struct program *p, const struct operands *o)
{
	return set_cfa(p, o->a, (int64_t)o->b);
}

static bool op_cfa_sf(struct program *p, const struct operands *o)
{
	return set_cfa(p, o->a, scaled(p, o->b));
}

static bool op_cfa_register(struct program *p, const struct operands *o)
{
	return set_cfa(p, o->a, p->state.cfa_offset);
}

static bool op_cfa_offset(struct program *p, const struct operands *o)
{
	return set_cfa_offset(p, (int64_t)o->a);
}

static bool op_cfa_offset_sf(struct program *p, const struct operands *o)
{
	return set_cfa_offset(p, scaled(p, o->a));
}

static bool op_cfa_expression(struct program *p, const struct operands *o)
{
	frame_cfa_expression(o->block, o->a, &p->state.cfa);
	p->state.cfa_hidden = true;
	return true;
}

enum operand {
	NONE,
	U8,
	U16,
	U32,
	U64,
	ULEB,
	SLEB,
	BLOCK, /* its size is the operand's value */
	ADDRESS,
};

static const struct instruction {
	bool (*apply)(struct program *p, const struct operands *o);
	uint8_t a, b; /* enum operand */
} instructions[64] = {
	[0x00] = { op_nop, NONE, NONE },
	[0x01] = { op_set_loc, ADDRESS, NONE },
	[0x02] = { op_advance, U8, NONE },
	[0x03] = { op_advance, U16, NONE },
	[0x04] = { op_advance, U32, NONE },
	[0x05] = { op_offset, ULEB, ULEB },
	[0x06] = { op_restore, ULEB, NONE },
	[0x07] = { op_undefined, ULEB, NONE },
	[0x08] = { op_same, ULEB, NONE },
	[0x09] = { op_register, ULEB, ULEB },
	[0x0a] = { op_remember, NONE, NONE },
	[0x0b] = { op_restore_state, NONE, NONE },
	[0x0c] = { op_cfa, ULEB, ULEB },
	[0x0d] = { op_cfa_register, ULEB, NONE },
	[0x0e] = { op_cfa_offset, ULEB, NONE },
	[0x0f] = { op_cfa_expression, BLOCK, NONE },
	[0x10] = { op_expression, ULEB, BLOCK },
	[0x11] = { op_offset, ULEB, SLEB },
	[0x12] = { op_cfa_sf, ULEB, SLEB },
	[0x13] = { op_cfa_offset_sf, SLEB, NONE },
	[0x14] = { op_other, ULEB, ULEB }, /* val_offset */
	[0x15] = { op_other, ULEB, SLEB }, /* val_offset_sf */
	[0x16] = { op_other, ULEB, BLOCK }, /* val_expression */
	[0x1d] = { op_advance, U64, NONE }, /* MIPS_advance_loc8 */
	/* Whether the return address is signed: signatures are stripped always. */
	[0x2c] = { op_nop, NONE, NONE }, /* AARCH64_negate_ra_state_with_pc */
	[0x2d] = { op_nop, NONE, NONE }, /* AARCH64_negate_ra_state */
	[0x2e] = { op_nop, ULEB, NONE }, /* GNU_args_size */
	[0x2f] = { op_negative_offset, ULEB, ULEB }, /* GNU_negative_offset_extended */
};

static uint64_t get_operand(struct program *p, enum operand kind, const uint8_t **block)
{
	struct cursor *c = &p->code;
	uint64_t size;

	switch (kind) {
	case NONE:
		return 0;
	case U8:
		return cursor_get_fixed(c, 1);
	case U16:
		return cursor_get_fixed(c, 2);
	case U32:
		return cursor_get_fixed(c, 4);
	case U64:
		return cursor_get_fixed(c, 8);
	case ULEB:
		return cursor_get_varint(c);
	case SLEB:
		return (uint64_t)cursor_get_sleb(c);
	case BLOCK:
		size = cursor_get_varint(c);
		*block = c->pos;
		if (size > cursor_left(c)) {
			c->error = -EBADMSG;
			return 0;
		}
		c->pos += size;
		return size;
	case ADDRESS:
		return frame_get_address(c, p->cie,
					 p->code_address + (uint64_t)(c->pos - p->code_begin));
	}
	return 0;
}

static bool step(struct program *p)
{
	uint8_t op = *p->code.pos++;
	const struct instruction *i;
	struct operands o = { 0 };

	/* Three instructions have their operand in their low six bits. */
	switch (op & 0xc0) {
	case 0x40:
		return advance(p, op & 0x3f);
	case 0x80:
		o.b = cursor_get_varint(&p->code);
		return !p->code.error && set_rule(p, op & 0x3f, FRAME_AT_CFA, scaled(p, o.b));
	case 0xc0:
		return restore(p, op & 0x3f);
	}
	i = &instructions[op];
	if (!i->apply)
		return false;
	o.a = get_operand(p, i->a, &o.block);
	o.b = get_operand(p, i->b, &o.block);
	return !p->code.error && i->apply(p, &o);
}

static bool run(struct program *p)
{
	while (p->code.pos < p->code.end && (!p->rows || p->pc < p->end))
		if (!step(p))
			return false;
	return true;
}

int frame_program_begin(const struct frame_machine *m, struct frame_cie *cie)
{
	struct program p = {
		.machine = m,
		.cie = cie,
		.code = cie->code,
		.state = cie->initial,
	};

	if (!run(&p))
		return -EBADMSG;
	cie->initial = p.state;
	return 0;
}

bool frame_program_run(const struct frame_machine *m, const struct frame_cie *cie,
		       const struct frame_fde *fde, uint32_t place, struct row_builder *b)
{
	struct program p;
	bool whole;

	/* Not the stack of remembered states: it is large and rarely used. */
	p.machine = m;
	p.cie = cie;
	p.code = fde->code;
	p.code_address = fde->code_address;
	p.code_begin = fde->code.pos;
	p.start = p.pc = fde->start;
	p.end = fde->start + fde->size;
	p.place = place;
	p.rows = b;
	p.state = cie->initial;
	p.n_remembered = 0;
	whole = run(&p);
	if (p.pc < p.end && whole) {
		emit(&p);
	} else if (p.pc < p.end) {
		row_builder_add(b, &(struct unwind_row){
					   .pc = place + (uint32_t)(p.pc - p.start),
					   .cfa_words = ROW_WHY_DAMAGED,
					   .rule = ROW_UNSUPPORTED,
				   });
	}
	return whole;
}
