// SPDX-License-Identifier: Apache-2.0
/*
 * A stub jumps, and moves nothing; only the lazy ones of .plt push their number first, on x86-64,
 * and the header behind which they stand pushes two words. References: System V ABI, AMD64
 * supplement, 5.2; binutils' elf64-x86-64.c and lld's X86_64.cpp, AArch64.cpp for the variants.
 */
#include "unwind/plt_rows.h"

#include <string.h>

#define HEAD_BYTES 32 /* what is looked at */
#define X86_HEADER_BYTES 16
#define ARM_HEADER_BYTES 32

struct plt {
	const struct frame_machine *machine;
	struct row_builder *builder;
	uint32_t start, end; /* of the section, relative to the table's base */
	uint8_t head[HEAD_BYTES];
};

static void add(const struct plt *p, uint32_t pc, struct unwind_row row)
{
	if (pc >= p->end || row_builder_error(p->builder) < 0)
		return;
	row.pc = pc;
	row_builder_add(p->builder, &row);
}

static struct unwind_row sp_row(int16_t words)
{
	return (struct unwind_row){ .cfa_words = words,
				    .rule = ROW_RULE(ROW_CFA_SP, ROW_FP_SAME, ROW_RA_AT_CFA) };
}

/* How many bytes of an endbr64 come before what a stub does. */
static size_t after_mark(const uint8_t *code)
{
	return memcmp(code, "\xf3\x0f\x1e\xfa", 4) == 0 ? 4 : 0;
}

static bool is_indirect_jump(const uint8_t *code)
{
	code += *code == 0xf2;
	return code[0] == 0xff && code[1] == 0x25;
}

/* From which byte on a lazy stub has pushed its number; 0: it is none. */
static int16_t pushed_at(const uint8_t *stub)
{
	size_t mark = after_mark(stub);

	if (mark == 0 && is_indirect_jump(stub) && stub[6] == 0x68)
		return 11;
	return stub[mark] == 0x68 ? (int16_t)(mark + 5) : 0;
}

static void add_x86(const struct plt *p)
{
	const uint8_t *stub = p->head + X86_HEADER_BYTES;
	bool header = p->head[0] == 0xff && p->head[1] == 0x35 && is_indirect_jump(p->head + 6);
	int16_t pushed = pushed_at(stub);

	if (is_indirect_jump(p->head + after_mark(p->head))) {
		row_builder_function(p->builder, p->start, p->end - p->start);
		add(p, p->start, p->machine->entry);
		return;
	}
	if (!header || !pushed || p->start % 16)
		return;
	row_builder_function(p->builder, p->start, p->end - p->start);
	add(p, p->start, sp_row(2));
	add(p, p->start + 6, sp_row(3));
	add(p, p->start + X86_HEADER_BYTES,
	    (struct unwind_row){ .cfa_words = pushed,
				 .rule = ROW_RULE(ROW_CFA_PLT, ROW_FP_SAME, ROW_RA_AT_CFA) });
}

static void add_arm(const struct plt *p)
{
	enum { BTI_C = 0xd503245f, STP_X16_X30 = 0xa9bf7bf0, ADRP_X16 = 0x90000010 };
	uint32_t code[2];
	bool mark;

	memcpy(code, p->head, sizeof(code));
	mark = code[0] == BTI_C;
	if (code[mark] == STP_X16_X30) {
		/* The link register is in the upper one of two words; x29 is as it was. */
		struct unwind_row pushed = sp_row(2);

		pushed.fp_words = -2;
		row_builder_function(p->builder, p->start, p->end - p->start);
		add(p, p->start, p->machine->entry);
		add(p, p->start + 4 + 4 * mark, pushed);
		add(p, p->start + ARM_HEADER_BYTES, p->machine->entry);
		return;
	}
	if ((code[mark] & 0x9f00001f) != ADRP_X16)
		return;
	row_builder_function(p->builder, p->start, p->end - p->start);
	add(p, p->start, p->machine->entry);
}

static void add_in_gap(void *data, uint32_t start, uint32_t end)
{
	struct plt *p = data;

	if (start != p->start || end != p->end)
		return;
	if (p->machine->ra_on_stack)
		add_x86(p);
	else
		add_arm(p);
}

static bool is_plt(const struct elf_file *f, const Elf64_Shdr *s)
{
	const char *name;

	if (s->sh_type != SHT_PROGBITS || !(s->sh_flags & SHF_EXECINSTR) ||
	    s->sh_name >= f->section_names_size || s->sh_size < HEAD_BYTES)
		return false;
	name = f->section_names + s->sh_name;
	return strncmp(name, ".plt", 4) == 0 || strcmp(name, ".iplt") == 0;
}

void plt_rows_add(const struct elf_file *f, const struct frame_machine *m,
		  const struct code_segments *code, struct row_builder *b)
{
	struct code_segments segments = *code;
	struct plt p = { .machine = m, .builder = b };
	uint64_t offset, left;

	for (size_t i = 0; i < f->n_sections; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (!is_plt(f, s) || !code_segments_offset(&segments, s->sh_addr, &offset, &left) ||
		    s->sh_size > left || offset - code->base + s->sh_size > UINT32_MAX ||
		    elf_source_read(&f->source, offset, p.head, sizeof(p.head)) < 0)
			continue;
		p.start = (uint32_t)(offset - code->base);
		p.end = p.start + (uint32_t)s->sh_size;
		row_builder_gaps(b, p.start, p.end, add_in_gap, &p);
	}
}
