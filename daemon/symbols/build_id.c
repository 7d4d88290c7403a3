// SPDX-License-Identifier: Apache-2.0
#include "symbols/build_id.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define NOTES_BYTES_MAX 65536

bool build_id_from_notes(const void *notes, size_t size, struct build_id *ret)
{
	const uint8_t *p = notes;
	size_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, desc, next;

		memcpy(&note, p + at, sizeof(note));
		name = at + sizeof(note);
		desc = name + (((uint64_t)note.n_namesz + 3) & ~3ULL);
		next = desc + (((uint64_t)note.n_descsz + 3) & ~3ULL);
		if (desc + note.n_descsz > size)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp(p + name, "GNU", 4) == 0 && note.n_descsz > 0 &&
		    note.n_descsz <= BUILD_ID_MAX) {
			memset(ret, 0, sizeof(*ret));
			memcpy(ret->bytes, p + desc, note.n_descsz);
			ret->size = note.n_descsz;
			return true;
		}
		if (next >= size)
			return false;
		at = (size_t)next;
	}
	return false;
}

int build_id_from_notes_file(const char *path, struct build_id *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *notes = NULL;
	ssize_t n;

	if (fd < 0)
		return -errno;
	notes = malloc(NOTES_BYTES_MAX);
	if (!notes)
		return -ENOMEM;
	n = read(fd, notes, NOTES_BYTES_MAX);
	if (n < 0)
		return -errno;
	return build_id_from_notes(notes, (size_t)n, ret) ? 0 : -ENODATA;
}

bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

char *build_id_format(const struct build_id *id, char *out)
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	for (size_t i = 0; i < id->size; i++) {
		*p++ = digits[id->bytes[i] >> 4];
		*p++ = digits[id->bytes[i] & 15];
	}
	*p = '\0';
	return out;
}
