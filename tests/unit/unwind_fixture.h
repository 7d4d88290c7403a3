/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Call frame information put together byte by byte, in the smallest ELF file that has it: code at
 * offset 0x1000, loaded at 0x401000, and .eh_frame at 0x2000, loaded at 0x602000.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/unwind_table.h"
#include "unwind/unwind_text.h"
#include "util/buffer.h"

#define TEXT_OFFSET 0x1000ULL
#define TEXT_ADDRESS 0x401000ULL
#define TEXT_BYTES 0x1000ULL
#define PLT_START 0x400ULL
#define FRAME_OFFSET 0x2000ULL
#define FRAME_ADDRESS 0x602000ULL
#define TAIL_OFFSET 0x12000ULL /* sections, notes and the rest */
#define FRAME_BYTES_MAX (TAIL_OFFSET - FRAME_OFFSET)

struct bytes {
	const void *data;
	size_t size;
};
#define BYTES(literal) ((struct bytes){ literal, sizeof(literal) - 1 })

/* What a CIE says unless a test wants it otherwise. */
struct cie_options {
	bool wide; /* 64-bit DWARF */
	bool debug_frame;
	uint8_t version; /* 0: 1 */
	const char *augmentation; /* NULL: "zR" */
	struct bytes augmentation_data; /* NULL: pc-relative, 4 bytes signed */
	uint8_t code_align; /* 0: 1; 4 on arm64 */
	uint8_t ra; /* 0: the architecture's */
	struct bytes code; /* NULL: the rules at a function's entry */
};

struct fde_options {
	bool wide;
	bool debug_frame;
	struct bytes location; /* NULL: the code from `start` on, `size` bytes, pc-relative */
	uint32_t start, size; /* in the code; size 0: 0x100 */
	bool no_augmentation;
	struct bytes code;
};

static inline void put_int(struct buffer *b, uint64_t value, size_t size)
{
	buffer_put(b, &value, size);
}

static inline void put_literal(struct buffer *b, struct bytes bytes)
{
	buffer_put(b, bytes.data, bytes.size);
}

/* Leaves room for the length; entry_end() fills it in. */
static inline size_t entry_begin(struct buffer *b, bool wide)
{
	size_t at = b->size;

	put_int(b, UINT32_MAX, 4);
	if (wide)
		put_int(b, 0, 8);
	return at;
}

static inline void entry_end(struct buffer *b, size_t at, bool wide)
{
	size_t head = wide ? 12 : 4;
	uint64_t length;

	while ((b->size - at - head) % 4)
		buffer_put_byte(b, 0);
	length = b->size - at - head;
	memcpy(b->data + at + (wide ? 4 : 0), &length, wide ? 8 : 4);
}

/* Its place in the section. */
static inline size_t put_cie(struct buffer *b, uint16_t machine, const struct cie_options *o)
{
	const char *augmentation = o->augmentation ? o->augmentation : o->debug_frame ? "" : "zR";
	bool arm = machine == EM_AARCH64;
	size_t at = entry_begin(b, o->wide);

	put_int(b, o->debug_frame ? UINT64_MAX : 0, o->wide && o->debug_frame ? 8 : 4);
	buffer_put_byte(b, o->version ? o->version : 1);
	buffer_put(b, augmentation, strlen(augmentation) + 1);
	if (o->version == 4)
		put_int(b, 8, 2);
	buffer_put_byte(b, o->code_align ? o->code_align : arm ? 4 : 1);
	buffer_put_byte(b, 0x78); /* -8 */
	buffer_put_byte(b, o->ra ? o->ra : arm ? 30 : 16);
	if (o->augmentation_data.data)
		put_literal(b, o->augmentation_data);
	else if (augmentation[0])
		put_literal(b, BYTES("\x01\x1b"));
	if (o->code.data)
		put_literal(b, o->code);
	else
		put_literal(b, arm ? BYTES("\x0c\x1f\x00") : BYTES("\x0c\x07\x08\x90\x01"));
	entry_end(b, at, o->wide);
	return at;
}

static inline void put_fde(struct buffer *b, size_t cie_at, const struct fde_options *o)
{
	size_t at = entry_begin(b, o->wide), id_at = b->size;
	uint32_t size = o->size ? o->size : 0x100;

	put_int(b, o->debug_frame ? cie_at : id_at - cie_at, o->wide && o->debug_frame ? 8 : 4);
	if (o->location.data) {
		put_literal(b, o->location);
	} else if (o->debug_frame) {
		put_int(b, TEXT_ADDRESS + o->start, 8);
		put_int(b, size, 8);
	} else {
		put_int(b, TEXT_ADDRESS + o->start - (FRAME_ADDRESS + b->size), 4);
		put_int(b, size, 4);
	}
	if (!o->no_augmentation && !o->debug_frame)
		buffer_put_byte(b, 0);
	put_literal(b, o->code);
	entry_end(b, at, o->wide);
}

struct image_options {
	uint16_t machine; /* 0: x86-64 */
	struct bytes frame;
	bool debug_frame; /* `frame` is .debug_frame */
	bool no_sections; /* .eh_frame is found by PT_GNU_EH_FRAME */
	bool go, interpreter, needed;
	uint64_t entry, got;
	struct bytes plt; /* a section at PLT_START in the code */
};

struct image {
	uint8_t data[TAIL_OFFSET + 0x1000];
};

static inline void image_segments(struct image *i, const struct image_options *o, Elf64_Ehdr *h)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(i->data + sizeof(*h));

	*p++ = (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = PF_R | PF_X,
			     .p_offset = TEXT_OFFSET,
			     .p_vaddr = TEXT_ADDRESS,
			     .p_filesz = TEXT_BYTES };
	*p++ = (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = PF_R,
			     .p_offset = FRAME_OFFSET,
			     .p_vaddr = FRAME_ADDRESS,
			     .p_filesz = FRAME_BYTES_MAX + 0x1000 };
	*p++ = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = TAIL_OFFSET, .p_filesz = 24 };
	*p++ = (Elf64_Phdr){ .p_type = PT_DYNAMIC,
			     .p_offset = TAIL_OFFSET + 0x100,
			     .p_filesz = 48 };
	if (o->interpreter)
		*p++ = (Elf64_Phdr){ .p_type = PT_INTERP };
	if (o->no_sections)
		*p++ = (Elf64_Phdr){ .p_type = PT_GNU_EH_FRAME,
				     .p_offset = TAIL_OFFSET + 0x200,
				     .p_vaddr = FRAME_ADDRESS + FRAME_BYTES_MAX + 0x200,
				     .p_filesz = 8 };
	h->e_phnum = (uint16_t)(p - (Elf64_Phdr *)(i->data + sizeof(*h)));
}

static inline void image_tail(struct image *i, const struct image_options *o)
{
	uint8_t *tail = i->data + TAIL_OFFSET;
	Elf64_Dyn dynamic[3] = { { .d_tag = DT_DEBUG } };
	int32_t back = -(int32_t)(FRAME_BYTES_MAX + 0x204);

	memcpy(tail,
	       o->go ? "\x04\0\0\0\x04\0\0\0\x04\0\0\0Go\0\0id\0\0"
		     : "\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\x12\x34\x56\x78",
	       20);
	if (o->needed)
		dynamic[0].d_tag = DT_NEEDED;
	if (o->got)
		dynamic[1] = (Elf64_Dyn){ .d_tag = DT_PLTGOT, .d_un.d_ptr = o->got };
	memcpy(tail + 0x100, dynamic, sizeof(dynamic));
	memcpy(tail + 0x200, "\x01\x1b\xff\xff", 4);
	memcpy(tail + 0x204, &back, 4);
}

static inline void image_sections(struct image *i, const struct image_options *o, Elf64_Ehdr *h)
{
	static const char names[] = "\0.eh_frame\0.debug_frame\0.names\0.plt.got";
	Elf64_Shdr sections[] = {
		{ 0 },
		{ .sh_name = o->debug_frame ? 11 : 1,
		  .sh_type = SHT_PROGBITS,
		  .sh_flags = o->debug_frame ? 0 : SHF_ALLOC,
		  .sh_offset = FRAME_OFFSET,
		  .sh_addr = o->debug_frame ? 0 : FRAME_ADDRESS,
		  .sh_size = o->frame.size },
		{ .sh_name = 24,
		  .sh_type = SHT_STRTAB,
		  .sh_offset = TAIL_OFFSET + 0x300,
		  .sh_size = sizeof(names) },
		{ .sh_name = 31,
		  .sh_type = o->plt.size ? SHT_PROGBITS : SHT_NULL,
		  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		  .sh_offset = TEXT_OFFSET + PLT_START,
		  .sh_addr = TEXT_ADDRESS + PLT_START,
		  .sh_size = o->plt.size },
	};

	if (o->plt.size)
		memcpy(i->data + TEXT_OFFSET + PLT_START, o->plt.data, o->plt.size);

	memcpy(i->data + TAIL_OFFSET + 0x300, names, sizeof(names));
	memcpy(i->data + TAIL_OFFSET + 0x400, sections, sizeof(sections));
	h->e_shoff = TAIL_OFFSET + 0x400;
	h->e_shentsize = sizeof(sections[0]);
	h->e_shnum = sizeof(sections) / sizeof(sections[0]);
	h->e_shstrndx = 2;
}

static inline struct image *image_new(const struct image_options *o)
{
	struct image *i = calloc(1, sizeof(*i));
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = o->machine ? o->machine : EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = o->entry,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
	};

	assert_non_null(i);
	assert_true(o->frame.size <= FRAME_BYTES_MAX);
	if (o->frame.size)
		memcpy(i->data + FRAME_OFFSET, o->frame.data, o->frame.size);
	image_segments(i, o, &h);
	image_tail(i, o);
	if (!o->no_sections)
		image_sections(i, o, &h);
	memcpy(i->data, &h, sizeof(h));
	return i;
}

static inline int build_bytes(const void *data, size_t size, struct unwind_table **ret)
{
	const struct elf_source source = { .fd = -1, .data = data, .size = size };
	struct elf_file f;
	int r = elf_file_open(&source, &f);

	if (r < 0)
		return r;
	r = unwind_table_build(&f, ret);
	elf_file_done(&f);
	return r;
}

static inline struct unwind_table *build_image(const struct image_options *o)
{
	struct image *i = image_new(o);
	struct unwind_table *t;

	assert_int_equal(build_bytes(i, sizeof(*i), &t), 0);
	free(i);
	return t;
}

/* "0 rsp+8 same c-8; 4 rsp+16 c-16 c-8; 100 none": pcs in hex, relative to the code's first. */
static inline char *rows_text(const struct unwind_table *t)
{
	struct buffer b = { 0 };

	for (uint32_t i = 0; i < t->n_rows; i++) {
		buffer_printf(&b, "%s%x ", i ? "; " : "",
			      (unsigned int)(t->base + t->rows[i].pc - TEXT_OFFSET));
		unwind_text_put(&b, (uint16_t)t->summary->machine, &t->rows[i]);
	}
	return buffer_take_string(&b);
}

static inline void check_rows_text(int line, const struct unwind_table *t, const char *expected)
{
	char *text = rows_text(t);

	if (strcmp(text, expected) != 0)
		fail_msg("line %d: rows are\n  %s\nnot\n  %s", line, text, expected);
	free(text);
}
