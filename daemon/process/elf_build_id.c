// SPDX-License-Identifier: Apache-2.0
#include "process/elf_build_id.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define MAX_SEGMENTS 256
#define MAX_NOTES 16384

static const unsigned char native =
	__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

/* Where things are, whichever class the file has. */
struct elf_file {
	int fd;
	bool is_64;
	uint64_t phoff;
	size_t phentsize, phnum;
};

static int read_exactly(int fd, void *data, size_t size, uint64_t offset)
{
	ssize_t n;

	if (offset > INT64_MAX - size)
		return -EBADMSG;
	do
		n = pread(fd, data, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EBADMSG;
}

static int read_header(int fd, struct elf_file *ret)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
	} u = { 0 };
	int r;

	r = read_exactly(fd, &u.e32, sizeof(u.e32), 0);
	if (r < 0)
		return r == -EBADMSG ? -ENOEXEC : r;
	if (memcmp(u.ident, ELFMAG, SELFMAG) != 0 || u.ident[EI_DATA] != native)
		return -ENOEXEC;
	*ret = (struct elf_file){ .fd = fd, .is_64 = u.ident[EI_CLASS] == ELFCLASS64 };
	if (!ret->is_64) {
		ret->phoff = u.e32.e_phoff;
		ret->phentsize = u.e32.e_phentsize;
		ret->phnum = u.e32.e_phnum;
		return ret->phentsize == sizeof(Elf32_Phdr) ? 0 : -EBADMSG;
	}
	r = read_exactly(fd, &u.e64, sizeof(u.e64), 0);
	if (r < 0)
		return r;
	ret->phoff = u.e64.e_phoff;
	ret->phentsize = u.e64.e_phentsize;
	ret->phnum = u.e64.e_phnum;
	return ret->phentsize == sizeof(Elf64_Phdr) ? 0 : -EBADMSG;
}

static int read_segment(const struct elf_file *f, size_t i, Elf64_Phdr *ret)
{
	uint64_t offset;
	Elf32_Phdr p;
	int r;

	if (__builtin_add_overflow(f->phoff, i * f->phentsize, &offset))
		return -EBADMSG;
	if (f->is_64)
		return read_exactly(f->fd, ret, sizeof(*ret), offset);
	r = read_exactly(f->fd, &p, sizeof(p), offset);
	if (r < 0)
		return r;
	*ret = (Elf64_Phdr){
		.p_type = p.p_type,
		.p_offset = p.p_offset,
		.p_filesz = p.p_filesz,
		.p_align = p.p_align,
	};
	return 0;
}

static int search_segment(const struct elf_file *f, const Elf64_Phdr *p, struct build_id *ret)
{
	uint8_t notes[MAX_NOTES];
	size_t size = (size_t)MIN(p->p_filesz, (uint64_t)MAX_NOTES);
	int r;

	r = read_exactly(f->fd, notes, size, p->p_offset);
	if (r < 0)
		return r;
	return build_id_from_notes(notes, size, ret) ? 0 : -ENODATA;
}

int elf_build_id(int fd, struct build_id *ret)
{
	struct elf_file f;
	int r;

	r = read_header(fd, &f);
	if (r < 0)
		return r;
	for (size_t i = 0; i < MIN(f.phnum, (size_t)MAX_SEGMENTS); i++) {
		Elf64_Phdr p;

		r = read_segment(&f, i, &p);
		if (r < 0)
			return r;
		if (p.p_type != PT_NOTE)
			continue;
		r = search_segment(&f, &p, ret);
		if (r != -ENODATA && r != -EBADMSG)
			return r;
	}
	return -ENODATA;
}
