/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The build-id of an ELF file, as the kernel would put it into an mmap2 record: the first
 * NT_GNU_BUILD_ID note of the program headers, 1 to 20 bytes.
 */
#include <stddef.h>
#include <stdint.h>

#include "symbols/object.h" /* BUILD_ID_MAX */

/*
 * Reads with pread only, bounded whatever the file says. -ENOEXEC: not an ELF file of this byte
 * order; -ENODATA: it has no build-id; -EBADMSG: damaged; or what pread says.
 */
int build_id_read(int fd, uint8_t ret[BUILD_ID_MAX], size_t *ret_size);
