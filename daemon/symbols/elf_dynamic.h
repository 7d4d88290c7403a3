/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "symbols/elf_file.h"

struct elf_symbol_table {
	uint64_t offset, n; /* in the file; symbols of 24 bytes */
	uint64_t strings_offset, strings_size;
};

/*
 * The dynamic symbol table as the dynamic linker finds it, for files without section headers (the
 * vDSO of some kernels, packed programs). Its length is known from a hash table only. False: none.
 */
bool elf_dynamic_table(const struct elf_file *f, struct elf_symbol_table *ret);
