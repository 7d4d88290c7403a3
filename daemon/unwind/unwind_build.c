// SPDX-License-Identifier: Apache-2.0
/*
 * The way of an unwind row: unwind_sections.c finds .eh_frame, frame_reader.c reads its entries,
 * frame_program.c executes an entry's instructions, frame.c says the state they leave as a row,
 * row_builder.c sorts and merges rows to a table.
 */
#include "unwind/unwind_build.h"

#include <errno.h>

#include "symbols/vdso.h"
#include "unwind/frame_program.h"
#include "unwind/plt_rows.h"
#include "unwind/unwind_sections.h"
#include "unwind/vdso_rows.h"

/* How far the assembler at an entry point reaches: the dynamic linker's has 0x50 bytes. */
#define ROOT_BYTES_MAX 128

static void add_function(const struct frame_machine *m, struct code_segments *code,
			 const struct frame_cie *cie, const struct frame_fde *fde,
			 struct row_builder *b, struct unwind_summary *s)
{
	uint64_t offset, left;
	uint32_t place;

	if (!code_segments_offset(code, fde->start, &offset, &left) || fde->size > left ||
	    offset - code->base + fde->size > UINT32_MAX) {
		s->outside++;
		return;
	}
	place = (uint32_t)(offset - code->base);
	row_builder_function(b, place, (uint32_t)fde->size);
	if (row_builder_error(b) == 0 && !frame_program_run(m, cie, fde, place, b))
		s->damaged++;
}

static int add_section(const struct frame_machine *m, struct code_segments *code,
		       const struct frame_section *section, struct row_builder *b,
		       struct unwind_summary *s)
{
	_cleanup_(frame_reader_freep) struct frame_reader *reader = NULL;
	const struct frame_cie *cie;
	struct frame_fde fde;
	int r = frame_reader_new(m, section, &reader);

	if (r < 0)
		return r;
	while ((r = frame_reader_next(reader, &fde, &cie)) > 0) {
		add_function(m, code, cie, &fde, b, s);
		if (row_builder_error(b) < 0)
			return row_builder_error(b);
	}
	s->damaged += frame_reader_damaged(reader);
	return r;
}

/*
 * .debug_frame serves where there is nothing else. Go's says of the frame pointer that it never
 * changes, which is wrong in every function that keeps one.
 */
static int add_sections(const struct elf_file *f, const struct frame_machine *m,
			struct code_segments *code, struct row_builder *b, struct unwind_summary *s)
{
	struct frame_section section;
	int r;

	if (unwind_section_eh_frame(f, &section)) {
		r = add_section(m, code, &section, b, s);
		if (r < 0)
			return r;
		if (row_builder_functions(b) > 0) {
			s->source = UNWIND_SOURCE_EH_FRAME;
			return 0;
		}
	}
	if (!s->go && unwind_section_debug_frame(f, &section)) {
		r = add_section(m, code, &section, b, s);
		if (r == 0 && row_builder_functions(b) > 0)
			s->source = UNWIND_SOURCE_DEBUG_FRAME;
		return r;
	}
	return 0;
}

/*
 * What begins at the entry point has no caller. Where all else is described, what is not is one
 * piece of assembler; elsewhere any function may follow it.
 */
static void add_root(const struct elf_file *f, struct code_segments *code, struct row_builder *b)
{
	uint64_t entry, offset, left;

	if (!entry_address(f, &entry) || !code_segments_offset(code, entry, &offset, &left) ||
	    offset - code->base > UINT32_MAX - ROOT_BYTES_MAX)
		return;
	row_builder_add_root(b, (uint32_t)(offset - code->base),
			     (uint32_t)MIN(left, (uint64_t)ROOT_BYTES_MAX));
}

int unwind_build(const struct elf_file *f, bool vdso, struct unwind_table **ret)
{
	_cleanup_(row_builder_freep) struct row_builder *b = NULL;
	const struct frame_machine *m = frame_machine_find(f->machine);
	struct unwind_summary s = { .machine = f->machine };
	struct code_segments code;
	struct build_id id = { 0 };
	int r;

	if (!m)
		return -EOPNOTSUPP;
	if (!code_segments_find(f, &code))
		return -ENOEXEC;
	b = row_builder_new();
	if (!b)
		return -ENOMEM;
	s.go = is_go_program(f);
	s.text_bytes = code_bytes(f, &code);
	r = add_sections(f, m, &code, b, &s);
	if (r < 0)
		return r;
	plt_rows_add(f, m, &code, b);
	if (vdso)
		vdso_rows_add(f, m, &code, b);
	if (s.source != UNWIND_SOURCE_NONE && !s.go)
		add_root(f, &code, b);
	elf_file_build_id(f, &id);
	return row_builder_finish(b, code.base, &m->entry, &s, &id, ret);
}

int unwind_table_build(const struct elf_file *f, struct unwind_table **ret)
{
	return unwind_build(f, false, ret);
}

int unwind_table_build_vdso(struct unwind_table **ret)
{
	struct elf_source source;
	struct elf_file f;
	int r = vdso_source(&source);

	if (r < 0)
		return r;
	r = elf_file_open(&source, &f);
	if (r < 0)
		return r;
	r = unwind_build(&f, true, ret);
	elf_file_done(&f);
	return r;
}
