// SPDX-License-Identifier: Apache-2.0
// Any bytes, as an ELF file or as .eh_frame, give a sorted table that can be told, or an error.
#include <assert.h>
#include <elf.h>
#include <string.h>

#include "unwind/unwind_build.h"
#include "unwind/unwind_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct unwind_table *t)
{
	for (uint32_t i = 0; i < t->n_rows; i++) {
		struct unwind_words w;
		const struct unwind_row *row = &t->rows[i];

		assert(i == 0 || row->pc > t->rows[i - 1].pc);
		assert(ROW_CFA(row->rule) < UNWIND_KINDS && row->rule < 0x80);
		assert(unwind_table_find(t, t->base + row->pc) ==
		       (ROW_CFA(row->rule) == ROW_NONE ? NULL : row));
		unwind_text_words((uint16_t)t->summary->machine, row, &w);
		assert(w.cfa[0]);
	}
	assert(t->n_rows == 0 || ROW_CFA(t->rows[t->n_rows - 1].rule) == ROW_NONE);
}

static void build(const uint8_t *data, size_t size)
{
	const struct elf_source source = { .fd = -1, .data = data, .size = size };
	struct elf_file f;

	if (elf_file_open(&source, &f) < 0)
		return;
	for (int vdso = 0; vdso < 2; vdso++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;

		if (unwind_build(&f, vdso, &t) == 0)
			check(t);
	}
	elf_file_done(&f);
}

/* A file whose whole content but the header is code, and .eh_frame found by its header's word. */
static void build_around(const uint8_t *frame, size_t size, uint16_t machine)
{
	enum { HEAD = 4096, FRAME = 8192 };
	const Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_entry = 0x1800,
		.e_phoff = sizeof(h),
		.e_phnum = 2,
		.e_phentsize = sizeof(Elf64_Phdr),
	};
	const Elf64_Phdr segments[] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = FRAME + size },
		{ .p_type = PT_GNU_EH_FRAME, .p_offset = HEAD, .p_vaddr = HEAD, .p_filesz = 8 },
	};
	const int32_t distance = FRAME - HEAD - 4;
	uint8_t *file = calloc(1, FRAME + size);

	assert(file);
	memcpy(file, &h, sizeof(h));
	memcpy(file + sizeof(h), segments, sizeof(segments));
	memcpy(file + HEAD, "\x01\x1b", 2);
	memcpy(file + HEAD + 4, &distance, sizeof(distance));
	memcpy(file + FRAME, frame, size);
	build(file, FRAME + size);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0) {
		build(data, size);
		return 0;
	}
	build_around(data, size, EM_X86_64);
	build_around(data, size, EM_AARCH64);
	return 0;
}
