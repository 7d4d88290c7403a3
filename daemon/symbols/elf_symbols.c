// SPDX-License-Identifier: Apache-2.0
/*
 * Two passes over each table, so that neither the table nor its strings need to fit into memory:
 * the first picks the functions, then, in the order of their names' offsets, one pass over the
 * strings picks the names up.
 */
#include "symbols/elf_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/elf_dynamic.h"

#define CHUNK_SYMBOLS 2048
#define STRINGS_WINDOW 65536
#define SYMBOLS_MAX (16U << 20) /* of all types; an object with more is not indexed */

struct picked {
	uint64_t start, size, limit; /* file offsets */
	uint32_t name;
	uint8_t rank;
};

struct picking {
	const struct elf_file *from, *program;
	struct picked *list;
	size_t n, capacity;
};

static int picking_append(struct picking *p, const struct picked *one)
{
	if (p->n == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 256;
		struct picked *list;

		if (p->n >= FUNCTIONS_MAX)
			return -E2BIG;
		list = reallocarray(p->list, capacity, sizeof(*list));
		if (!list)
			return -ENOMEM;
		p->list = list;
		p->capacity = capacity;
	}
	p->list[p->n++] = *one;
	return 0;
}

static enum function_rank rank_of(const Elf64_Sym *s)
{
	if (ELF64_ST_TYPE(s->st_info) == STT_NOTYPE)
		return RANK_LABEL;
	switch (ELF64_ST_BIND(s->st_info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		return RANK_GLOBAL;
	case STB_WEAK:
		return RANK_WEAK;
	default:
		return RANK_LOCAL;
	}
}

/* Functions, and symbols without a type in sections of code: those are the assembler's. */
static bool is_function(const Elf64_Sym *s, const Elf64_Shdr *section)
{
	if (s->st_shndx == SHN_UNDEF || s->st_name == 0)
		return false;
	switch (ELF64_ST_TYPE(s->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return true;
	case STT_NOTYPE:
		return section && (section->sh_flags & SHF_EXECINSTR);
	default:
		return false;
	}
}

static int pick(struct picking *p, const Elf64_Sym *s)
{
	const Elf64_Shdr *section =
		s->st_shndx < SHN_LORESERVE ? elf_file_section_at(p->from, s->st_shndx) : NULL;
	struct picked one = { .size = s->st_size, .name = s->st_name, .rank = rank_of(s) };
	uint64_t section_end;

	if (!is_function(s, section) ||
	    !elf_file_code_offset(p->program, s->st_value, &one.start, &one.limit))
		return 0;
	if (one.size == 0 && section) {
		section_end = section->sh_addr + section->sh_size;
		if (s->st_value >= section_end)
			return 0;
		one.limit = MIN(one.limit, one.start + (section_end - s->st_value));
	}
	return picking_append(p, &one);
}

static int pick_table(struct picking *p, const struct elf_symbol_table *t)
{
	_cleanup_free_ Elf64_Sym *chunk = malloc(CHUNK_SYMBOLS * sizeof(*chunk));
	int r;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t at = 0; at < t->n;) {
		size_t n = (size_t)MIN(t->n - at, (uint64_t)CHUNK_SYMBOLS);

		r = elf_source_read(&p->from->source, t->offset + at * sizeof(*chunk), chunk,
				    n * sizeof(*chunk));
		for (size_t i = 0; r == 0 && i < n; i++)
			r = pick(p, &chunk[i]);
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	const struct picked *a = left, *b = right;

	return a->name < b->name ? -1 : a->name > b->name;
}

/* A part of the string table. */
struct window {
	const struct elf_source *source;
	const struct elf_symbol_table *table;
	char *data;
	uint64_t start;
	size_t size;
};

/* Moves the window so that it holds FUNCTION_NAME_MAX + 1 bytes from `offset` on, or the table's
 * last. */
static int window_move(struct window *w, uint64_t offset)
{
	uint64_t left = w->table->strings_size - offset;
	int r;

	if (offset >= w->start && offset - w->start <= w->size &&
	    w->size - (offset - w->start) >= MIN(left, (uint64_t)FUNCTION_NAME_MAX + 1))
		return 0;
	w->start = offset;
	w->size = 0;
	r = elf_source_read(w->source, w->table->strings_offset + offset, w->data,
			    (size_t)MIN(left, (uint64_t)STRINGS_WINDOW));
	if (r == 0)
		w->size = (size_t)MIN(left, (uint64_t)STRINGS_WINDOW);
	return r;
}

/* Marks of the assembler (arm: $x, $d) and local labels. */
static bool is_mark(const struct picked *s, const char *name)
{
	return s->rank == RANK_LABEL && (name[0] == '$' || (name[0] == '.' && name[1] == 'L'));
}

/* GNU ld appends "@VERSION" or "@@VERSION" in .symtab. */
static size_t without_version(const char *name, size_t size)
{
	const char *at = memchr(name, '@', size);

	return at && at > name ? (size_t)(at - name) : size;
}

static int name_picked(struct picking *p, const struct elf_symbol_table *t,
		       struct function_index_builder *b)
{
	_cleanup_free_ char *data = malloc(STRINGS_WINDOW);
	struct window w = { .source = &p->from->source, .table = t, .data = data };

	if (!data)
		return -ENOMEM;
	if (p->n)
		qsort(p->list, p->n, sizeof(*p->list), compare_names);
	for (size_t i = 0; i < p->n && p->list[i].name < t->strings_size; i++) {
		const struct picked *s = &p->list[i];
		const char *name, *end;
		int r = window_move(&w, s->name);

		if (r < 0)
			return r;
		name = data + (s->name - w.start);
		end = memchr(name, '\0', w.size - (s->name - w.start));
		if (!end || end == name || is_mark(s, name))
			continue;
		r = function_index_builder_add(b, s->start, s->size, s->limit, name,
					       without_version(name, (size_t)(end - name)),
					       s->rank);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_table(const struct elf_file *from, const struct elf_file *program,
		     const struct elf_symbol_table *t, struct function_index_builder *b)
{
	struct picking p = { .from = from, .program = program };
	int r = -E2BIG;

	if (t->n <= SYMBOLS_MAX)
		r = pick_table(&p, t);
	if (r == 0)
		r = name_picked(&p, t, b);
	free(p.list);
	return r;
}

/* False when there is no such table. */
static bool table_of_section(const struct elf_file *f, uint32_t type, struct elf_symbol_table *ret)
{
	const Elf64_Shdr *s = elf_file_section_of_type(f, type);
	const Elf64_Shdr *strings = s ? elf_file_section_at(f, s->sh_link) : NULL;

	if (!strings || strings->sh_type != SHT_STRTAB || s->sh_entsize != sizeof(Elf64_Sym))
		return false;
	*ret = (struct elf_symbol_table){
		.offset = s->sh_offset,
		.n = s->sh_size / sizeof(Elf64_Sym),
		.strings_offset = strings->sh_offset,
		.strings_size = strings->sh_size,
	};
	return true;
}

int elf_symbols_add(const struct elf_file *from, const struct elf_file *program,
		    struct function_index_builder *b, uint32_t *ret_sources)
{
	struct elf_symbol_table t;
	uint32_t sources = 0;
	int r = 0;

	if (table_of_section(from, SHT_SYMTAB, &t)) {
		r = add_table(from, program, &t, b);
		sources |= SOURCE_SYMTAB;
	}
	if (r == 0 && (table_of_section(from, SHT_DYNSYM, &t) || elf_dynamic_table(from, &t))) {
		r = add_table(from, program, &t, b);
		sources |= SOURCE_DYNSYM;
	}
	if (r < 0)
		return r;
	*ret_sources = sources;
	return 0;
}
