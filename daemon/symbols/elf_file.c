// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS_MAX 1024
#define SECTIONS_MAX 65536
#define SECTION_NAMES_BYTES_MAX (4U << 20)
#define NOTES_BYTES_MAX 65536
#define PIECES_COPY_MAX (4U << 20)

int elf_source_from_fd(int fd, const atomic_bool *cancel, struct elf_source *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	*ret = (struct elf_source){ .fd = fd, .size = (uint64_t)st.st_size, .cancel = cancel };
	return 0;
}

static bool within(uint64_t offset, uint64_t size, uint64_t whole)
{
	return offset <= whole && size <= whole - offset;
}

int elf_source_read(const struct elf_source *s, uint64_t offset, void *data, size_t size)
{
	if (s->cancel && atomic_load_explicit(s->cancel, memory_order_relaxed))
		return -ECANCELED;
	if (!within(offset, size, s->size))
		return -EBADMSG;
	if (s->data) {
		memcpy(data, s->data + offset, size);
		return 0;
	}
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(s->fd, (char *)data + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

/* A heap copy of `size` bytes. */
static int read_copy(const struct elf_source *s, uint64_t offset, size_t size, void **ret)
{
	_cleanup_free_ void *copy = NULL;
	int r;

	if (!within(offset, size, s->size))
		return -EBADMSG;
	copy = malloc(size ? size : 1);
	if (!copy)
		return -ENOMEM;
	r = elf_source_read(s, offset, copy, size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(copy);
	return 0;
}

int elf_pieces_open(const struct elf_file *f, const Elf64_Shdr *section, struct elf_pieces *ret)
{
	struct elf_pieces p = { .source = f->source,
				.start = section->sh_offset,
				.size = section->sh_size };
	int r;

	if (p.size <= PIECES_COPY_MAX) {
		r = read_copy(&f->source, p.start, p.size, &p.copy);
		if (r < 0)
			return r;
		p.source.data = p.copy;
		p.source.size = p.size;
		p.start = 0;
	}
	*ret = p;
	return 0;
}

void elf_pieces_done(struct elf_pieces *p)
{
	free(p->copy);
}

int elf_pieces_read(const struct elf_pieces *p, uint64_t offset, void *data, size_t size)
{
	if (!within(offset, size, p->size))
		return -EBADMSG;
	return elf_source_read(&p->source, p->start + offset, data, size);
}

static int read_header(const struct elf_source *s, Elf64_Ehdr *ret)
{
	int r;

	if (s->size < sizeof(*ret))
		return -ENOEXEC;
	r = elf_source_read(s, 0, ret, sizeof(*ret));
	if (r < 0)
		return r;
	if (memcmp(ret->e_ident, ELFMAG, SELFMAG) != 0 || ret->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ret->e_ident[EI_DATA] != ELFDATA2LSB || ret->e_ident[EI_VERSION] != EV_CURRENT)
		return -ENOEXEC;
	if (ret->e_type != ET_EXEC && ret->e_type != ET_DYN)
		return -ENOEXEC;
	return 0;
}

static int read_segments(struct elf_file *f, const Elf64_Ehdr *h)
{
	void *segments;
	int r;

	if (h->e_phnum == 0 || h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum > SEGMENTS_MAX)
		return -EBADMSG;
	r = read_copy(&f->source, h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr), &segments);
	if (r < 0)
		return r;
	f->segments = segments;
	f->n_segments = h->e_phnum;
	return 0;
}

/* More than 65279 sections are counted in the first one. */
static int count_sections(const struct elf_file *f, const Elf64_Ehdr *h, uint64_t *ret_n,
			  uint64_t *ret_names)
{
	Elf64_Shdr first;
	int r;

	*ret_n = h->e_shnum;
	*ret_names = h->e_shstrndx;
	if (h->e_shoff == 0 || h->e_shentsize != sizeof(Elf64_Shdr))
		return -ENODATA;
	if (h->e_shnum != 0 && h->e_shstrndx != SHN_XINDEX)
		return 0;
	r = elf_source_read(&f->source, h->e_shoff, &first, sizeof(first));
	if (r < 0)
		return r;
	if (h->e_shnum == 0)
		*ret_n = first.sh_size;
	if (h->e_shstrndx == SHN_XINDEX)
		*ret_names = first.sh_link;
	return 0;
}

static int read_section_names(struct elf_file *f, uint64_t number)
{
	const Elf64_Shdr *s = elf_file_section_at(f, number);
	void *names;
	int r;

	if (!s || s->sh_type != SHT_STRTAB || s->sh_size == 0 ||
	    s->sh_size > SECTION_NAMES_BYTES_MAX)
		return -EBADMSG;
	r = read_copy(&f->source, s->sh_offset, s->sh_size, &names);
	if (r < 0)
		return r;
	f->section_names = names;
	f->section_names_size = s->sh_size;
	f->section_names[f->section_names_size - 1] = '\0';
	return 0;
}

static void clamp_sections(struct elf_file *f)
{
	for (size_t i = 0; i < f->n_sections; i++) {
		Elf64_Shdr *s = &f->sections[i];

		if (s->sh_type != SHT_NOBITS && !within(s->sh_offset, s->sh_size, f->source.size))
			s->sh_type = SHT_NULL;
		if (s->sh_size > UINT64_MAX - s->sh_addr)
			s->sh_size = UINT64_MAX - s->sh_addr;
	}
}

static int read_sections(struct elf_file *f, const Elf64_Ehdr *h)
{
	uint64_t n, names;
	void *sections;
	int r = count_sections(f, h, &n, &names);

	if (r < 0)
		return r;
	if (n == 0 || n > SECTIONS_MAX)
		return -EBADMSG;
	r = read_copy(&f->source, h->e_shoff, n * sizeof(Elf64_Shdr), &sections);
	if (r < 0)
		return r;
	f->sections = sections;
	f->n_sections = n;
	clamp_sections(f);
	return read_section_names(f, names);
}

static void forget_sections(struct elf_file *f)
{
	free(f->sections);
	free(f->section_names);
	f->sections = NULL;
	f->section_names = NULL;
	f->n_sections = f->section_names_size = 0;
}

int elf_file_open(const struct elf_source *source, struct elf_file *ret)
{
	struct elf_file f = { .source = *source };
	Elf64_Ehdr h;
	int r = read_header(source, &h);

	if (r < 0)
		return r;
	f.machine = h.e_machine;
	r = read_segments(&f, &h);
	if (r < 0)
		return r;
	r = read_sections(&f, &h);
	if (r == -ECANCELED || r == -ENOMEM) {
		elf_file_done(&f);
		return r;
	}
	if (r < 0)
		forget_sections(&f);
	*ret = f;
	return 0;
}

void elf_file_done(struct elf_file *f)
{
	forget_sections(f);
	free(f->segments);
	f->segments = NULL;
	f->n_segments = 0;
}

const Elf64_Shdr *elf_file_section(const struct elf_file *f, const char *name)
{
	for (size_t i = 0; i < f->n_sections; i++)
		if (f->sections[i].sh_type != SHT_NULL &&
		    f->sections[i].sh_name < f->section_names_size &&
		    strcmp(f->section_names + f->sections[i].sh_name, name) == 0)
			return &f->sections[i];
	return NULL;
}

const Elf64_Shdr *elf_file_section_of_type(const struct elf_file *f, uint32_t type)
{
	for (size_t i = 0; i < f->n_sections; i++)
		if (f->sections[i].sh_type == type)
			return &f->sections[i];
	return NULL;
}

const Elf64_Shdr *elf_file_section_at(const struct elf_file *f, size_t number)
{
	return number < f->n_sections ? &f->sections[number] : NULL;
}

static const Elf64_Phdr *segment_of(const struct elf_file *f, uint64_t address, uint32_t flags)
{
	for (size_t i = 0; i < f->n_segments; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_LOAD && (p->p_flags & flags) == flags &&
		    address >= p->p_vaddr && address - p->p_vaddr < p->p_filesz &&
		    p->p_offset <= UINT64_MAX - p->p_filesz)
			return p;
	}
	return NULL;
}

bool elf_file_code_offset(const struct elf_file *f, uint64_t address, uint64_t *ret_offset,
			  uint64_t *ret_end)
{
	const Elf64_Phdr *p = segment_of(f, address, PF_X);

	if (!p)
		return false;
	*ret_offset = address - p->p_vaddr + p->p_offset;
	*ret_end = p->p_offset + p->p_filesz;
	return true;
}

bool elf_file_data_offset(const struct elf_file *f, uint64_t address, uint64_t *ret_offset)
{
	const Elf64_Phdr *p = segment_of(f, address, 0);

	if (!p)
		return false;
	*ret_offset = address - p->p_vaddr + p->p_offset;
	return true;
}

static bool find_build_id(const struct elf_file *f, uint64_t offset, uint64_t size,
			  struct build_id *ret)
{
	uint8_t notes[4096];
	_cleanup_free_ void *large = NULL;

	if (size <= sizeof(notes))
		return elf_source_read(&f->source, offset, notes, size) == 0 &&
		       build_id_from_notes(notes, size, ret);
	return size <= NOTES_BYTES_MAX && read_copy(&f->source, offset, size, &large) == 0 &&
	       build_id_from_notes(large, size, ret);
}

/* In separate debug files only the sections' places are right. */
int elf_file_build_id(const struct elf_file *f, struct build_id *ret)
{
	for (size_t i = 0; i < f->n_sections; i++)
		if (f->sections[i].sh_type == SHT_NOTE &&
		    find_build_id(f, f->sections[i].sh_offset, f->sections[i].sh_size, ret))
			return 0;
	for (size_t i = 0; i < f->n_segments; i++)
		if (f->segments[i].p_type == PT_NOTE &&
		    find_build_id(f, f->segments[i].p_offset, f->segments[i].p_filesz, ret))
			return 0;
	return -ENODATA;
}

int elf_build_id_from_fd(int fd, struct build_id *ret)
{
	struct elf_file f = { 0 };
	Elf64_Ehdr h;
	int r = elf_source_from_fd(fd, NULL, &f.source);

	/* The segments alone: this runs while a process waits for nobody. */
	if (r == 0)
		r = read_header(&f.source, &h);
	if (r == 0)
		r = read_segments(&f, &h);
	if (r == 0)
		r = elf_file_build_id(&f, ret);
	elf_file_done(&f);
	return r;
}
