// SPDX-License-Identifier: Apache-2.0
/*
 * A reading of arm64 code, instruction by instruction: how far the stack pointer is from the CFA,
 * and where the pair {x29, x30} is saved. Compilers build a frame in a function's first
 * instructions and take it down before each return, so that behind a return or a jump the frame is
 * what it was in the function's body. References: Arm ARM, C4.1 (encodings); AAPCS64, 6.4.6.
 */
#include "unwind/vdso_rows.h"

#include <string.h>

#include "symbols/elf_dynamic.h"
#include "unwind/frame_bytes.h"

#define FUNCTIONS_MAX 256

enum { X29 = 29, X30 = 30, SP = 31 };

struct frame {
	int64_t depth; /* CFA - sp */
	bool saved;
	int64_t pair; /* saved: where, from the CFA */
	bool by_fp;
	int64_t fp_depth; /* by_fp: CFA - x29 */
};

struct reading {
	const struct elf_file *file;
	const struct frame_machine *machine;
	struct row_builder *builder;
	uint64_t base;
	uint32_t starts[FUNCTIONS_MAX]; /* of functions */
	size_t n_starts;
	struct frame frame, body;
};

static struct unwind_row row_of(const struct reading *r, uint32_t pc)
{
	const struct frame *f = &r->frame;
	struct frame_state s = {
		.cfa = { .how = FRAME_CFA_REGISTER,
			 .reg = f->by_fp ? r->machine->fp : r->machine->sp,
			 .offset = f->by_fp ? f->fp_depth : f->depth },
	};
	struct unwind_row row = { .pc = pc };

	if (f->saved) {
		s.fp = (struct frame_rule){ .how = FRAME_AT_CFA, .offset = f->pair };
		s.ra = (struct frame_rule){ .how = FRAME_AT_CFA, .offset = f->pair + 8 };
	}
	frame_row(r->machine, &s, false, &row);
	return row;
}

static unsigned int field(uint32_t insn, unsigned int low, unsigned int bits)
{
	return insn >> low & ((1U << bits) - 1);
}

/* stp and ldp of 64-bit registers based on sp; true when it is one. */
static bool apply_pair(struct frame *f, uint32_t insn)
{
	enum { POST = 1, OFFSET = 2, PRE = 3 };
	unsigned int mode = field(insn, 23, 2);
	bool load = field(insn, 22, 1);
	bool frame_pair = field(insn, 0, 5) == X29 && field(insn, 10, 5) == X30;
	int64_t offset = sign_extend(field(insn, 15, 7), 7) * 8;

	if (field(insn, 25, 7) != 0x54 || field(insn, 5, 5) != SP || mode == 0)
		return false;
	if (mode == PRE)
		f->depth -= offset;
	if (frame_pair && load) {
		f->saved = f->by_fp = false;
	} else if (frame_pair) {
		f->saved = true;
		f->pair = (mode == OFFSET ? offset : 0) - f->depth;
	}
	if (mode == POST)
		f->depth -= offset;
	return true;
}

/* str and ldr of a 64-bit register that move sp. */
static bool apply_single(struct frame *f, uint32_t insn)
{
	int64_t offset = sign_extend(field(insn, 12, 9), 9);

	if ((insn & 0xffa00400) != 0xf8000400 || field(insn, 5, 5) != SP)
		return false;
	f->depth -= offset;
	return true;
}

/* add and sub of an immediate to sp, into sp or x29; sp set from x29. */
static void apply_sum(struct frame *f, uint32_t insn)
{
	int64_t value = (int64_t)field(insn, 10, 12) << (field(insn, 22, 1) ? 12 : 0);
	bool add = field(insn, 23, 8) == 0x22;

	if (field(insn, 31, 1) != 1)
		return;
	if (field(insn, 5, 5) == X29 && field(insn, 0, 5) == SP && add && f->by_fp)
		f->depth = f->fp_depth - value;
	if (field(insn, 5, 5) != SP)
		return;
	if (field(insn, 0, 5) == SP && (add || field(insn, 23, 8) == 0xa2)) {
		f->depth += add ? -value : value;
	} else if (field(insn, 0, 5) == X29 && add && f->saved) {
		f->by_fp = true;
		f->fp_depth = f->depth - value;
	}
}

/* Nothing follows it: ret and br, with and without authentication, b. */
static bool is_end(uint32_t insn)
{
	return (insn & 0xfebff000) == 0xd61f0000 || (insn & 0xfc000000) == 0x14000000;
}

/* Where the stack is as at the beginning of a function: bti c, paciasp, pacibsp. */
static bool is_begin(uint32_t insn)
{
	return insn == 0xd503245f || insn == 0xd503233f || insn == 0xd503237f;
}

static bool is_deeper(const struct frame *f, const struct frame *than)
{
	return f->depth > than->depth || f->by_fp > than->by_fp || f->saved > than->saved;
}

static void apply(struct reading *r, uint32_t insn)
{
	if (is_end(insn)) {
		r->frame = r->body;
		return;
	}
	if (!apply_pair(&r->frame, insn) && !apply_single(&r->frame, insn))
		apply_sum(&r->frame, insn);
	if (is_deeper(&r->frame, &r->body))
		r->body = r->frame;
}

static bool begins(const struct reading *r, uint32_t pc)
{
	for (size_t i = 0; i < r->n_starts; i++)
		if (r->starts[i] == pc)
			return true;
	return false;
}

/*
 * __kernel_rt_sigreturn: mov x8, #139; svc #0. A return address is looked up an instruction
 * earlier: the nop that the kernel puts before it belongs to it.
 */
static bool is_signal_return(const struct reading *r, uint32_t pc)
{
	static const uint32_t code[] = { 0xd503201f, 0xd2801168, 0xd4000001 };
	uint32_t found[3];

	for (uint32_t before = 0; before < sizeof(code) && before <= pc; before += 4)
		if (elf_source_read(&r->file->source, r->base + pc - before, found,
				    sizeof(found)) == 0 &&
		    memcmp(found, code, sizeof(code)) == 0)
			return true;
	return false;
}

static void read_instruction(struct reading *r, uint32_t pc, uint32_t insn)
{
	struct unwind_row row = { .pc = pc, .rule = ROW_SIGNAL };

	if (begins(r, pc) || is_begin(insn))
		r->frame = r->body = (struct frame){ 0 };
	if (!is_signal_return(r, pc))
		row = row_of(r, pc);
	row_builder_add(r->builder, &row);
	apply(r, insn);
}

static void read_stretch(void *data, uint32_t start, uint32_t end)
{
	struct reading *r = data;
	uint32_t insn;

	start = (start + 3) & ~3U;
	if (start >= end)
		return;
	row_builder_function(r->builder, start, end - start);
	r->frame = r->body = (struct frame){ 0 };
	for (uint32_t pc = start; end - pc >= 4 && row_builder_error(r->builder) == 0; pc += 4) {
		if (elf_source_read(&r->file->source, r->base + pc, &insn, sizeof(insn)) < 0)
			break;
		read_instruction(r, pc, insn);
	}
}

static void find_functions(struct reading *r, const struct code_segments *code)
{
	struct code_segments segments = *code;
	struct elf_symbol_table t;
	uint64_t offset, left;
	Elf64_Sym s;

	if (!elf_dynamic_table(r->file, &t))
		return;
	for (uint64_t i = 0; i < t.n && r->n_starts < FUNCTIONS_MAX; i++) {
		if (elf_source_read(&r->file->source, t.offset + i * sizeof(s), &s, sizeof(s)) < 0)
			break;
		if (s.st_shndx != SHN_UNDEF &&
		    code_segments_offset(&segments, s.st_value, &offset, &left) &&
		    offset - r->base < UINT32_MAX)
			r->starts[r->n_starts++] = (uint32_t)(offset - r->base);
	}
}

void vdso_rows_add(const struct elf_file *f, const struct frame_machine *m,
		   const struct code_segments *code, struct row_builder *b)
{
	struct reading r = { .file = f, .machine = m, .builder = b, .base = code->base };
	const Elf64_Shdr *text = elf_file_section(f, ".text");
	uint64_t start, size;

	if (m->ra_on_stack)
		return;
	start = text ? text->sh_offset : code->segments[0].offset;
	size = text ? text->sh_size : code->segments[0].size;
	if (start < code->base || start - code->base + size > UINT32_MAX)
		return;
	find_functions(&r, code);
	start -= code->base;
	row_builder_gaps(b, (uint32_t)start, (uint32_t)(start + size), read_stretch, &r);
}
