// SPDX-License-Identifier: Apache-2.0
#include "programs/program_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define INSTRUCTION_BYTES 8

static int _printf_(2, 3) refuse(char **ret_error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(ret_error, format, arguments) < 0)
		*ret_error = NULL;
	va_end(arguments);
	return -EINVAL;
}

struct object {
	const unsigned char *data;
	size_t size;
	Elf64_Ehdr head;
};

static bool inside(const struct object *o, uint64_t offset, uint64_t size)
{
	return offset <= o->size && size <= o->size - offset;
}

static Elf64_Shdr section(const struct object *o, unsigned int i)
{
	Elf64_Shdr s;

	memcpy(&s, o->data + o->head.e_shoff + (uint64_t)i * sizeof(s), sizeof(s));
	return s;
}

/* "" where the name is outside of the file, or does not end in it. */
static const char *section_name(const struct object *o, const Elf64_Shdr *s)
{
	Elf64_Shdr names = section(o, o->head.e_shstrndx);

	if (!inside(o, names.sh_offset, names.sh_size) || s->sh_name >= names.sh_size ||
	    !memchr(o->data + names.sh_offset + s->sh_name, 0, names.sh_size - s->sh_name))
		return "";
	return (const char *)o->data + names.sh_offset + s->sh_name;
}

static int check_head(struct object *o, char **ret_error)
{
	const unsigned char *ident = o->data;

	if (o->size == 0)
		return refuse(ret_error, "it is empty");
	if (o->size < sizeof(o->head) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return refuse(ret_error, "it is no ELF file");
	if (ident[EI_CLASS] != ELFCLASS64)
		return refuse(ret_error, "it is a 32-bit ELF file, and a BPF object has 64");
	if (ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return refuse(ret_error, "it was compiled for the other byte order (-target bpfel "
					 "or bpfeb)");
	memcpy(&o->head, o->data, sizeof(o->head));
	if (o->head.e_machine != EM_BPF)
		return refuse(ret_error,
			      "it is for machine %u, not for BPF (%u): compile it with -target bpf",
			      o->head.e_machine, EM_BPF);
	if (o->head.e_type != ET_REL)
		return refuse(ret_error, "it is no relocatable object file (compile it with -c)");
	if (o->head.e_shnum == 0 || o->head.e_shentsize != sizeof(Elf64_Shdr) ||
	    !inside(o, o->head.e_shoff, (uint64_t)o->head.e_shnum * sizeof(Elf64_Shdr)) ||
	    o->head.e_shstrndx >= o->head.e_shnum)
		return refuse(ret_error, "its table of sections is damaged");
	return 0;
}

static int check_code(const struct object *o, const Elf64_Shdr *s, char **ret_error)
{
	if (!inside(o, s->sh_offset, s->sh_size))
		return refuse(ret_error, "section '%s' is not inside the file",
			      section_name(o, s));
	if (s->sh_size % INSTRUCTION_BYTES)
		return refuse(ret_error,
			      "section '%s' has %llu bytes, which is no whole number of "
			      "instructions",
			      section_name(o, s), (unsigned long long)s->sh_size);
	if (s->sh_size / INSTRUCTION_BYTES > PROGRAM_INSTRUCTIONS_MAX)
		return refuse(ret_error, "section '%s' has %llu instructions, more than the "
					 "kernel takes (%u)",
			      section_name(o, s),
			      (unsigned long long)(s->sh_size / INSTRUCTION_BYTES),
			      PROGRAM_INSTRUCTIONS_MAX);
	return 0;
}

int program_file_check(const void *data, size_t size, char **ret_error)
{
	struct object o = { .data = data, .size = size };
	bool code = false, licence = false;
	int r = check_head(&o, ret_error);

	for (unsigned int i = 1; r == 0 && i < o.head.e_shnum; i++) {
		Elf64_Shdr s = section(&o, i);
		bool program = s.sh_type == SHT_PROGBITS && s.sh_flags & SHF_EXECINSTR &&
			       s.sh_size > 0;

		if (program)
			r = check_code(&o, &s, ret_error);
		code |= program;
		licence |= strcmp(section_name(&o, &s), "license") == 0 && s.sh_size > 0 &&
			   inside(&o, s.sh_offset, s.sh_size);
	}
	if (r < 0)
		return r;
	if (!code)
		return refuse(ret_error, "it holds no program");
	if (!licence)
		return refuse(ret_error,
			      "it has no section 'license', without which the kernel refuses most "
			      "helpers");
	return 0;
}

int program_file_read(const char *path, void **ret, size_t *ret_size, char **ret_error)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *data = NULL, *why = NULL;
	struct stat st;
	ssize_t n;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r < 0) {
		refuse(ret_error, "%s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode))
		return refuse(ret_error, "%s is no file", path);
	if (st.st_size > PROGRAM_FILE_MAX) {
		refuse(ret_error, "%s has %lld bytes, more than the %u a BPF object may have", path,
		       (long long)st.st_size, PROGRAM_FILE_MAX);
		return -E2BIG;
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	n = read(fd, data, (size_t)st.st_size);
	if (n < 0) {
		r = -errno;
		refuse(ret_error, "%s: %s", path, strerror(-r));
		return r;
	}
	r = program_file_check(data, (size_t)n, &why);
	if (r < 0)
		return refuse(ret_error, "%s is no BPF object: %s", path, why ?: "?");
	*ret = TAKE_PTR(data);
	*ret_size = (size_t)n;
	return 0;
}
