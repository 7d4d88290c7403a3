// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_plt.h"

#include <errno.h>
#include <string.h>

#define STUBS_MAX 65536
#define NAME_MAX_BYTES 512 /* a longer one is left out */

struct plt {
	const Elf64_Shdr *stubs;
	struct elf_pieces relocations, symbols, strings;
	uint64_t n, stub_size, header_size;
};

static void plt_done(struct plt *p)
{
	elf_pieces_done(&p->relocations);
	elf_pieces_done(&p->symbols);
	elf_pieces_done(&p->strings);
}

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

/* 0: there is no such table, 1: it is open. */
static int plt_open(const struct elf_file *f, struct plt *p)
{
	const Elf64_Shdr *relocations = elf_file_section(f, ".rela.plt"), *symbols, *strings;
	int r;

	p->stubs = elf_file_section(f, ".plt.sec");
	if (!p->stubs)
		p->stubs = elf_file_section(f, ".plt");
	if (!p->stubs || !relocations || relocations->sh_type != SHT_RELA)
		return 0;
	symbols = elf_file_section_at(f, relocations->sh_link);
	strings = symbols ? elf_file_section_at(f, symbols->sh_link) : NULL;
	if (!strings || symbols->sh_type != SHT_DYNSYM || strings->sh_type != SHT_STRTAB)
		return 0;
	p->n = relocations->sh_size / sizeof(Elf64_Rela);
	if (p->n == 0 || p->n > STUBS_MAX || !measure(p))
		return 0;
	r = elf_pieces_open(f, relocations, &p->relocations);
	if (r == 0)
		r = elf_pieces_open(f, symbols, &p->symbols);
	if (r == 0)
		r = elf_pieces_open(f, strings, &p->strings);
	return r < 0 ? r : 1;
}

/* The size of "NAME@plt", 0 when there is no sound name. */
static size_t read_name(const struct plt *p, uint64_t number, char *out)
{
	Elf64_Sym symbol;
	uint64_t left;
	size_t size;

	if (number == 0 ||
	    elf_pieces_read(&p->symbols, number * sizeof(symbol), &symbol, sizeof(symbol)) < 0 ||
	    symbol.st_name >= p->strings.size)
		return 0;
	left = p->strings.size - symbol.st_name;
	size = (size_t)MIN(left, (uint64_t)NAME_MAX_BYTES);
	if (elf_pieces_read(&p->strings, symbol.st_name, out, size) < 0)
		return 0;
	left = size;
	size = strnlen(out, left);
	if (size == 0 || size == left)
		return 0;
	memcpy(out + size, "@plt", 4);
	return size + 4;
}

static int add_stub(const struct elf_file *f, const struct plt *p, uint64_t number,
		    struct function_index_builder *b, uint32_t *sources)
{
	uint64_t start, end, address = p->stubs->sh_addr + p->header_size + number * p->stub_size;
	char name[NAME_MAX_BYTES + 4];
	Elf64_Rela rela;
	size_t size;
	int r = elf_pieces_read(&p->relocations, number * sizeof(rela), &rela, sizeof(rela));

	if (r < 0)
		return r;
	size = read_name(p, ELF64_R_SYM(rela.r_info), name);
	if (size == 0 || !elf_file_code_offset(f, address, &start, &end))
		return 0;
	r = function_index_builder_add(b, start, p->stub_size, end, name, size, RANK_GLOBAL);
	if (r == 0)
		*sources |= SOURCE_PLT;
	return r;
}

int elf_plt_add(const struct elf_file *f, struct function_index_builder *b, uint32_t *sources)
{
	struct plt p = {};
	int open = plt_open(f, &p), r = MIN(open, 0);

	for (uint64_t i = 0; open > 0 && r == 0 && i < p.n; i++)
		r = add_stub(f, &p, i, b, sources);
	plt_done(&p);
	return r;
}
