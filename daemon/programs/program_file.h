/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether a user's file is a BPF object that may go to the kernel: everything that can be said
 * without asking it, in words that help.
 */
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_FILE_MAX (16U << 20) /* bytes */
#define PROGRAM_INSTRUCTIONS_MAX 1000000U /* the verifier's limit, of one section */

/*
 * 0; -EINVAL: it is none, *ret_error (heap) says why: no ELF, another machine, no program, a section
 * of impossible length, no licence. The content is hostile: nothing outside of it is read.
 */
int program_file_check(const void *data, size_t size, char **ret_error);
/* Reads and checks; *ret is heap. -EINVAL as above, -E2BIG, or the errno of reading, all with a
 * sentence. */
int program_file_read(const char *path, void **ret, size_t *ret_size, char **ret_error);
