/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The build-id of an ELF file, as the kernel would put it into an mmap2 record: the first
 * NT_GNU_BUILD_ID note of the program headers, 1 to 20 bytes.
 */
#include "symbols/build_id.h"

/*
 * Reads with pread only, bounded whatever the file says. -ENOEXEC: not an ELF file of this byte
 * order; -ENODATA: it has no build-id; -EBADMSG: damaged; or what pread says.
 */
int elf_build_id(int fd, struct build_id *ret);
