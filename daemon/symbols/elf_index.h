/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The function index of an ELF file, from every symbol table that can be found for it.
 */
#include "symbols/elf_file.h"
#include "symbols/function_index.h"

struct elf_index_options {
	const char *debug_directory;
	const char *path; /* of the program as seen here, for .gnu_debuglink; "" when unknown */
};

/*
 * -ENOEXEC: not a 64-bit little-endian ELF file; -EBADMSG: damaged; -ENODATA: no functions;
 * -E2BIG: more than an object may bring; -ECANCELED.
 */
int elf_index_build(const struct elf_source *source, const struct elf_index_options *options,
		    struct function_index **ret);
