/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where else the symbols of a stripped ELF file may be: a separate debug file, found by build-id or
 * by .gnu_debuglink, or an xz-compressed ELF file in its own .gnu_debugdata.
 */
#include "symbols/elf_file.h"

/* DIRECTORY/.build-id/xx/yyyy.debug whose build-id is `id`: fd, or -errno. */
int elf_debug_open_by_build_id(const char *debug_directory, const struct build_id *id);
/*
 * The file .gnu_debuglink names, beside `path` (the program's, absolute), in .debug/ there, or in
 * the same place below debug_directory; its build-id, or else its CRC, must fit. fd, or -errno.
 */
int elf_debug_open_by_link(const struct elf_file *program, const char *debug_directory,
			   const char *path);

/* The unpacked .gnu_debugdata on the heap. -ENODATA: none; -EBADMSG: damaged; -E2BIG. */
int elf_debug_unpack(const struct elf_file *program, void **ret_data, size_t *ret_size);
