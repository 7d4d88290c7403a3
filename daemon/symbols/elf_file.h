/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reads 64-bit little-endian ELF files that anyone may have written.
 *
 * Nothing is mapped: bytes are copied out with pread(2), so that a file that shrinks while it is
 * read gives an error, not a signal. Offsets and sizes are believed only as far as the file
 * reaches. A broken section table makes a file without sections, not an error: the segments are
 * what the kernel used.
 */
#include <elf.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/build_id.h"
#include "util/cleanup.h"

/* Where the bytes come from: a file, or memory. */
struct elf_source {
	int fd; /* borrowed */
	const uint8_t *data; /* borrowed; used instead of fd when not NULL */
	uint64_t size;
	const atomic_bool *cancel; /* may be NULL; true ends every reading with -ECANCELED */
};

/* -errno when fd is not a regular file. */
int elf_source_from_fd(int fd, const atomic_bool *cancel, struct elf_source *ret);
/* All `size` bytes or -EBADMSG. */
int elf_source_read(const struct elf_source *s, uint64_t offset, void *data, size_t size);

struct elf_file {
	struct elf_source source;
	uint16_t machine;
	Elf64_Phdr *segments;
	size_t n_segments;
	Elf64_Shdr *sections; /* all within the file, except SHT_NOBITS */
	size_t n_sections;
	char *section_names; /* NUL-terminated as a whole */
	size_t section_names_size;
};

/* -ENOEXEC: not a 64-bit little-endian executable or library; -EBADMSG: damaged. */
int elf_file_open(const struct elf_source *source, struct elf_file *ret);
void elf_file_done(struct elf_file *f);
/* The first section of this name; NULL: none. */
const Elf64_Shdr *elf_file_section(const struct elf_file *f, const char *name);
const Elf64_Shdr *elf_file_section_of_type(const struct elf_file *f, uint32_t type);
/* The section of this number in the file; NULL: none. */
const Elf64_Shdr *elf_file_section_at(const struct elf_file *f, size_t number);
/*
 * A section that is read in many small pieces: a copy in memory where that is not large, so that a
 * piece is no system call; else the file itself.
 */
struct elf_pieces {
	struct elf_source source;
	uint64_t start, size;
	void *copy; /* NULL: none */
};
int elf_pieces_open(const struct elf_file *f, const Elf64_Shdr *section, struct elf_pieces *ret);
void elf_pieces_done(struct elf_pieces *p);
/* -EBADMSG beyond the section. */
int elf_pieces_read(const struct elf_pieces *p, uint64_t offset, void *data, size_t size);
/* File offset of an address in executable memory, and of the end of its segment's bytes. */
bool elf_file_code_offset(const struct elf_file *f, uint64_t address, uint64_t *ret_offset,
			  uint64_t *ret_end);
/* The same for any loaded address. */
bool elf_file_data_offset(const struct elf_file *f, uint64_t address, uint64_t *ret_offset);
/* -ENODATA: it has none. */
int elf_file_build_id(const struct elf_file *f, struct build_id *ret);

/* For those who only want the build-id of an open file. */
int elf_build_id_from_fd(int fd, struct build_id *ret);
