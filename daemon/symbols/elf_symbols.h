/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Takes the functions out of an ELF file's symbol tables.
 */
#include "symbols/elf_file.h"
#include "symbols/function_index.h"

/*
 * Adds the functions of .symtab and .dynsym of `from` to `b`, as file offsets in `program`: the two
 * are the same, or `from` is a debug file of `program`. Without sections .dynsym is found through
 * the dynamic segment. *ret_sources gets the tables that were there. Tables that are damaged give
 * what they have; -ECANCELED, -ENOMEM, -E2BIG and read errors end it.
 */
int elf_symbols_add(const struct elf_file *from, const struct elf_file *program,
		    struct function_index_builder *b, uint32_t *ret_sources);
