/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Build-ids: the NT_GNU_BUILD_ID note of an ELF file, of the kernel (/sys/kernel/notes) and of its
 * modules (/sys/module/NAME/notes/.note.gnu.build-id).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/object.h"

struct build_id {
	uint8_t bytes[BUILD_ID_MAX];
	size_t size; /* 0: unknown */
};

/* Finds it in a note section. Ids longer than BUILD_ID_MAX count as none. */
bool build_id_from_notes(const void *notes, size_t size, struct build_id *ret);
/* From a file that is nothing but notes, at most 64 KiB of it. -ENODATA when there is none. */
int build_id_from_notes_file(const char *path, struct build_id *ret);
bool build_id_equal(const struct build_id *a, const struct build_id *b);
/* Lower-case hex; `out` holds 2 * BUILD_ID_MAX + 1 bytes. */
char *build_id_format(const struct build_id *id, char *out);
