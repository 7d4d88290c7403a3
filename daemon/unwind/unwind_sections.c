// SPDX-License-Identifier: Apache-2.0
#include "unwind/unwind_sections.h"

#include <string.h>

#define PAGE_BYTES 4096
#define DYNAMIC_BYTES_MAX 65536

/* The part of a segment that the file has. */
static bool code_segment_of(const struct elf_file *f, const Elf64_Phdr *p, struct code_segment *ret)
{
	uint64_t left;

	if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_offset >= f->source.size)
		return false;
	left = f->source.size - p->p_offset;
	*ret = (struct code_segment){
		.address = p->p_vaddr,
		.size = MIN(p->p_filesz, left),
		.offset = p->p_offset,
	};
	return ret->size > 0 && ret->address <= UINT64_MAX - ret->size;
}

bool code_segments_find(const struct elf_file *f, struct code_segments *ret)
{
	struct code_segments c = { .base = UINT64_MAX };

	for (size_t i = 0; i < f->n_segments && c.n < CODE_SEGMENTS_MAX; i++) {
		struct code_segment *s = &c.segments[c.n];

		if (!code_segment_of(f, &f->segments[i], s))
			continue;
		c.base = MIN(c.base, s->offset / PAGE_BYTES * PAGE_BYTES);
		c.n++;
	}
	*ret = c;
	return c.n > 0;
}

bool code_segments_offset(struct code_segments *c, uint64_t address, uint64_t *ret_offset,
			  uint64_t *ret_left)
{
	/* Most often in the one where the last was. */
	for (size_t i = 0; i < c->n; i++) {
		size_t at = (c->last + i) % c->n;
		const struct code_segment *s = &c->segments[at];

		if (address < s->address || address - s->address >= s->size)
			continue;
		*ret_offset = address - s->address + s->offset;
		*ret_left = s->size - (address - s->address);
		c->last = at;
		return true;
	}
	return false;
}

bool code_segments_address(const struct code_segments *c, uint64_t offset, uint64_t *ret_address)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct code_segment *s = &c->segments[i];

		/* Its end, too: the last row of a table is there. */
		if (offset < s->offset || offset - s->offset > s->size)
			continue;
		*ret_address = offset - s->offset + s->address;
		return true;
	}
	return false;
}

uint64_t code_bytes(const struct elf_file *f, const struct code_segments *c)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < f->n_sections; i++)
		if (f->sections[i].sh_type == SHT_PROGBITS &&
		    (f->sections[i].sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) ==
			    (SHF_ALLOC | SHF_EXECINSTR))
			bytes += f->sections[i].sh_size;
	if (bytes == 0)
		for (size_t i = 0; i < c->n; i++)
			bytes += c->segments[i].size;
	return bytes;
}

/* The first entry of this tag in the dynamic segment. */
static bool dynamic_value(const struct elf_file *f, int64_t tag, uint64_t *ret)
{
	for (size_t i = 0; i < f->n_segments; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		uint64_t end = MIN(p->p_filesz, (uint64_t)DYNAMIC_BYTES_MAX);
		Elf64_Dyn d;

		if (p->p_type != PT_DYNAMIC || p->p_offset > UINT64_MAX - end)
			continue;
		for (uint64_t at = 0; at + sizeof(d) <= end; at += sizeof(d)) {
			if (elf_source_read(&f->source, p->p_offset + at, &d, sizeof(d)) < 0 ||
			    d.d_tag == DT_NULL)
				break;
			if (d.d_tag != tag)
				continue;
			*ret = d.d_un.d_val;
			return true;
		}
	}
	return false;
}

/* A library that needs others is begun by none of them; linkers of 2018 gave it an entry yet. */
bool entry_address(const struct elf_file *f, uint64_t *ret)
{
	bool program = false;
	uint64_t needed;
	Elf64_Ehdr h;

	if (elf_source_read(&f->source, 0, &h, sizeof(h)) < 0 || h.e_entry == 0)
		return false;
	for (size_t i = 0; i < f->n_segments; i++)
		program |= f->segments[i].p_type == PT_INTERP;
	if (h.e_type != ET_EXEC && !program && dynamic_value(f, DT_NEEDED, &needed))
		return false;
	*ret = h.e_entry;
	return true;
}

static bool named_section(const struct elf_file *f, const char *name, struct frame_section *ret)
{
	const Elf64_Shdr *s = elf_file_section(f, name);

	if (!s || s->sh_type == SHT_NOBITS || s->sh_size == 0 || s->sh_flags & SHF_COMPRESSED)
		return false;
	*ret = (struct frame_section){
		.source = &f->source,
		.offset = s->sh_offset,
		.size = s->sh_size,
		.address = s->sh_addr,
	};
	return true;
}

static bool segment_bytes_after(const struct elf_file *f, uint64_t address, uint64_t *ret_offset,
				uint64_t *ret_left)
{
	for (size_t i = 0; i < f->n_segments; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type != PT_LOAD || address < p->p_vaddr ||
		    address - p->p_vaddr >= p->p_filesz ||
		    p->p_offset > UINT64_MAX - (address - p->p_vaddr))
			continue;
		*ret_offset = p->p_offset + (address - p->p_vaddr);
		if (*ret_offset >= f->source.size)
			return false;
		*ret_left = MIN(p->p_filesz - (address - p->p_vaddr), f->source.size - *ret_offset);
		return true;
	}
	return false;
}

/*
 * For files without sections. The header's table of functions is not used, only its word on where
 * .eh_frame begins: a 4 byte pc-relative pointer, as every linker writes it.
 */
static bool section_from_header(const struct elf_file *f, struct frame_section *ret)
{
	enum { PCREL_SDATA4 = 0x1b, POINTER_AT = 4 };
	uint8_t header[8];
	uint64_t offset, left;
	int32_t distance;

	for (size_t i = 0; i < f->n_segments; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type != PT_GNU_EH_FRAME ||
		    elf_source_read(&f->source, p->p_offset, header, sizeof(header)) < 0 ||
		    header[0] != 1 || header[1] != PCREL_SDATA4)
			continue;
		memcpy(&distance, header + POINTER_AT, sizeof(distance));
		ret->address = p->p_vaddr + POINTER_AT + (uint64_t)(int64_t)distance;
		if (!segment_bytes_after(f, ret->address, &offset, &left))
			continue;
		*ret = (struct frame_section){
			.source = &f->source,
			.offset = offset,
			.size = MIN(left, (uint64_t)FRAME_SECTION_BYTES_MAX),
			.address = ret->address,
			.terminated = true,
		};
		return true;
	}
	return false;
}

bool unwind_section_eh_frame(const struct elf_file *f, struct frame_section *ret)
{
	struct frame_section s;

	if (!named_section(f, ".eh_frame", &s) && !section_from_header(f, &s))
		return false;
	/* What data-relative pointers are counted from, on both architectures. */
	if (!dynamic_value(f, DT_PLTGOT, &s.data_address))
		s.data_address = 0;
	*ret = s;
	return true;
}

bool unwind_section_debug_frame(const struct elf_file *f, struct frame_section *ret)
{
	if (!named_section(f, ".debug_frame", ret))
		return false;
	ret->debug_frame = true;
	return true;
}

/* Stripped ones keep the note of their build-id. */
static bool has_go_note(const struct elf_file *f)
{
	static const uint8_t go_build_id[] = { 4, 0, 0, 0 }, name[] = "Go\0";
	uint8_t note[16];

	for (size_t i = 0; i < f->n_segments; i++)
		if (f->segments[i].p_type == PT_NOTE &&
		    elf_source_read(&f->source, f->segments[i].p_offset, note, sizeof(note)) == 0 &&
		    memcmp(note, go_build_id, 4) == 0 && memcmp(note + 8, go_build_id, 4) == 0 &&
		    memcmp(note + 12, name, 4) == 0)
			return true;
	return false;
}

bool is_go_program(const struct elf_file *f)
{
	return elf_file_section(f, ".gopclntab") || elf_file_section(f, ".data.rel.ro.gopclntab") ||
	       has_go_note(f);
}
