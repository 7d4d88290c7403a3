// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_plt.h"

#include <errno.h>
#include <string.h>

#define STUBS_MAX 65536
#define NAME_MAX_BYTES 512 /* a longer one is left out */

struct plt {
	const Elf64_Shdr *stubs, *relocations, *symbols, *strings;
	uint64_t n, stub_size, header_size;
};

/* The size of a stub is not told: it is what leaves a plausible header. */
static bool measure(struct plt *p)
{
	static const struct {
		uint8_t stub, header;
	} shapes[] = { { 16, 16 }, { 16, 0 }, { 16, 32 }, { 24, 32 }, { 24, 24 } };

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (p->stubs->sh_size == p->n * shapes[i].stub + shapes[i].header) {
			p->stub_size = shapes[i].stub;
			p->header_size = shapes[i].header;
			return true;
		}
	return false;
}

static bool find(const struct elf_file *f, struct plt *p)
{
	p->relocations = elf_file_section(f, ".rela.plt");
	p->stubs = elf_file_section(f, ".plt.sec");
	if (!p->stubs)
		p->stubs = elf_file_section(f, ".plt");
	if (!p->stubs || !p->relocations || p->relocations->sh_type != SHT_RELA)
		return false;
	p->symbols = elf_file_section_at(f, p->relocations->sh_link);
	p->strings = p->symbols ? elf_file_section_at(f, p->symbols->sh_link) : NULL;
	if (!p->strings || p->symbols->sh_type != SHT_DYNSYM || p->strings->sh_type != SHT_STRTAB)
		return false;
	p->n = p->relocations->sh_size / sizeof(Elf64_Rela);
	return p->n > 0 && p->n <= STUBS_MAX && measure(p);
}

/* The size of "NAME@plt", 0 when there is no sound name. */
static size_t read_name(const struct elf_file *f, const struct plt *p, uint64_t number, char *out)
{
	Elf64_Sym symbol;
	uint64_t left;
	size_t size;

	if (number == 0 || number >= p->symbols->sh_size / sizeof(symbol) ||
	    elf_source_read(&f->source, p->symbols->sh_offset + number * sizeof(symbol), &symbol,
			    sizeof(symbol)) < 0 ||
	    symbol.st_name >= p->strings->sh_size)
		return 0;
	left = p->strings->sh_size - symbol.st_name;
	size = (size_t)MIN(left, (uint64_t)NAME_MAX_BYTES);
	if (elf_source_read(&f->source, p->strings->sh_offset + symbol.st_name, out, size) < 0)
		return 0;
	left = size;
	size = strnlen(out, left);
	if (size == 0 || size == left)
		return 0;
	memcpy(out + size, "@plt", 4);
	return size + 4;
}

int elf_plt_add(const struct elf_file *f, struct function_index_builder *b, uint32_t *sources)
{
	struct plt p;

	if (!find(f, &p))
		return 0;
	for (uint64_t i = 0; i < p.n; i++) {
		uint64_t start, end;
		uint64_t address = p.stubs->sh_addr + p.header_size + i * p.stub_size;
		char name[NAME_MAX_BYTES + 4];
		Elf64_Rela rela;
		size_t size;
		int r = elf_source_read(&f->source, p.relocations->sh_offset + i * sizeof(rela),
					&rela, sizeof(rela));

		if (r < 0)
			return r;
		size = read_name(f, &p, ELF64_R_SYM(rela.r_info), name);
		if (size == 0 || !elf_file_code_offset(f, address, &start, &end))
			continue;
		r = function_index_builder_add(b, start, p.stub_size, end, name, size, RANK_GLOBAL);
		if (r < 0)
			return r;
		*sources |= SOURCE_PLT;
	}
	return 0;
}
