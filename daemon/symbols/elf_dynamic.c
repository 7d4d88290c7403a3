// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_dynamic.h"

#define DYNAMIC_ENTRIES_MAX 1024
#define CHAIN_MAX (4U << 20)

struct dynamic {
	uint64_t symbols, strings, strings_size, hash, gnu_hash; /* addresses; 0: none */
};

static bool read_dynamic(const struct elf_file *f, struct dynamic *ret)
{
	const Elf64_Phdr *segment = NULL;

	for (size_t i = 0; i < f->n_segments && !segment; i++)
		if (f->segments[i].p_type == PT_DYNAMIC)
			segment = &f->segments[i];
	if (!segment)
		return false;
	for (uint64_t i = 0; i < segment->p_filesz / sizeof(Elf64_Dyn) && i < DYNAMIC_ENTRIES_MAX;
	     i++) {
		Elf64_Dyn d;

		if (elf_source_read(&f->source, segment->p_offset + i * sizeof(d), &d, sizeof(d)) <
		    0)
			return false;
		switch (d.d_tag) {
		case DT_NULL:
			return ret->symbols && ret->strings;
		case DT_SYMTAB:
			ret->symbols = d.d_un.d_ptr;
			break;
		case DT_STRTAB:
			ret->strings = d.d_un.d_ptr;
			break;
		case DT_STRSZ:
			ret->strings_size = d.d_un.d_val;
			break;
		case DT_HASH:
			ret->hash = d.d_un.d_ptr;
			break;
		case DT_GNU_HASH:
			ret->gnu_hash = d.d_un.d_ptr;
			break;
		}
	}
	return ret->symbols && ret->strings;
}

static bool read_u32s(const struct elf_file *f, uint64_t address, uint32_t *out, size_t n)
{
	uint64_t offset;

	return elf_file_data_offset(f, address, &offset) &&
	       elf_source_read(&f->source, offset, out, n * sizeof(*out)) == 0;
}

/* { nbucket, nchain }: one chain entry per symbol. */
static bool count_by_hash(const struct elf_file *f, uint64_t address, uint64_t *ret)
{
	uint32_t head[2];

	if (!read_u32s(f, address, head, 2))
		return false;
	*ret = head[1];
	return true;
}

/* The highest bucket begins the last chain; the chain's last entry is odd. */
static bool count_by_gnu_hash(const struct elf_file *f, uint64_t address, uint64_t *ret)
{
	uint32_t head[4]; /* nbuckets, first symbol, bloom words, shift */
	uint32_t chunk[256], highest = 0;
	uint64_t buckets, chains;

	if (!read_u32s(f, address, head, 4) || head[0] > CHAIN_MAX || head[2] > CHAIN_MAX)
		return false;
	buckets = address + sizeof(head) + (uint64_t)head[2] * 8;
	chains = buckets + (uint64_t)head[0] * 4;
	for (uint32_t i = 0; i < head[0]; i += 256) {
		uint32_t n = MIN(head[0] - i, 256U);

		if (!read_u32s(f, buckets + i * 4ULL, chunk, n))
			return false;
		for (uint32_t j = 0; j < n; j++)
			highest = MAX(highest, chunk[j]);
	}
	if (highest < head[1])
		return false;
	for (uint32_t i = highest; i - highest < CHAIN_MAX; i++) {
		if (!read_u32s(f, chains + (i - head[1]) * 4ULL, chunk, 1))
			return false;
		if (chunk[0] & 1) {
			*ret = i + 1ULL;
			return true;
		}
	}
	return false;
}

bool elf_dynamic_table(const struct elf_file *f, struct elf_symbol_table *ret)
{
	struct elf_symbol_table t = { 0 };
	struct dynamic d = { 0 };

	if (!read_dynamic(f, &d) || !elf_file_data_offset(f, d.symbols, &t.offset) ||
	    !elf_file_data_offset(f, d.strings, &t.strings_offset))
		return false;
	if (!(d.hash && count_by_hash(f, d.hash, &t.n)) &&
	    !(d.gnu_hash && count_by_gnu_hash(f, d.gnu_hash, &t.n)))
		return false;
	t.strings_size = d.strings_size;
	if (t.strings_offset > f->source.size || t.offset > f->source.size)
		return false;
	t.strings_size = MIN(t.strings_size, f->source.size - t.strings_offset);
	t.n = MIN(t.n, (f->source.size - t.offset) / sizeof(Elf64_Sym));
	*ret = t;
	return true;
}
