// SPDX-License-Identifier: Apache-2.0
/*
 * Reads in blocks and parses in place: the file is 5 MB long and is read again whenever a module
 * comes.
 */
#include "symbols/kallsyms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define BLOCK_BYTES 65536
#define MODULES_MAX 16384

/* Calls `line` with each line of fd, NUL-terminated, without its newline; lines longer than a block
 * are passed over. */
static int read_lines(int fd, int (*line)(char *start, char *end, void *userdata), void *userdata)
{
	_cleanup_free_ char *block = malloc(BLOCK_BYTES + 1);
	size_t used = 0;
	bool skipping = false;

	if (!block)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, block + used, BLOCK_BYTES - used);
		char *start = block, *newline;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (n == 0 && used > 0)
			block[used++] = '\n'; /* there is room: a full block is never kept */
		while ((newline = memchr(start, '\n', used - (size_t)(start - block)))) {
			int r = 0;

			*newline = '\0';
			if (!skipping)
				r = line(start, newline, userdata);
			if (r < 0)
				return r;
			skipping = false;
			start = newline + 1;
		}
		if (n == 0)
			return 0;
		used -= (size_t)(start - block);
		memmove(block, start, used);
		if (used == BLOCK_BYTES) {
			skipping = true;
			used = 0;
		}
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to 16 digits; NULL when there is none or one too many. */
static const char *parse_hex(const char *s, uint64_t *ret)
{
	const char *start = s;
	uint64_t v = 0;
	int digit;

	for (; (digit = hex_digit(*s)) >= 0; s++)
		v = v << 4 | (uint64_t)digit;
	if (s == start || s - start > 16)
		return NULL;
	*ret = v;
	return s;
}

struct kallsyms_reader {
	int (*symbol)(const struct kallsyms_symbol *s, void *userdata);
	void *userdata;
	size_t zero;
};

/* Marks of the assembler (arm: $x, $d) and local labels, which older kernels list as code. */
static bool is_mark(const char *name)
{
	return name[0] == '$' || (name[0] == '.' && name[1] == 'L');
}

static int kallsyms_line(char *line, char *end, void *userdata)
{
	struct kallsyms_reader *reader = userdata;
	struct kallsyms_symbol s = { .module = "" };
	const char *p = parse_hex(line, &s.address);
	char *tab;

	if (!p || p[0] != ' ' || !p[1] || p[2] != ' ' || !p[3])
		return 0;
	if ((p[1] | 0x20) != 't' && (p[1] | 0x20) != 'w')
		return 0;
	if (s.address == 0) {
		reader->zero++;
		return 0;
	}
	s.global = p[1] == 'T';
	s.weak = (p[1] | 0x20) == 'w';
	s.name = p + 3;
	tab = memchr(s.name, '\t', (size_t)(end - s.name));
	if (tab && tab[1] == '[' && end[-1] == ']' && end - tab > 3) {
		*tab = '\0';
		end[-1] = '\0';
		s.module = tab + 2;
		end = tab;
	}
	s.name_size = (size_t)(end - s.name);
	if (s.name_size == 0 || memchr(s.name, '\0', s.name_size) || is_mark(s.name))
		return 0;
	return reader->symbol(&s, reader->userdata);
}

int kallsyms_read(int fd, int (*symbol)(const struct kallsyms_symbol *s, void *userdata),
		  void *userdata, size_t *ret_zero)
{
	struct kallsyms_reader reader = { .symbol = symbol, .userdata = userdata };
	int r = read_lines(fd, kallsyms_line, &reader);

	if (r < 0)
		return r;
	*ret_zero = reader.zero;
	return 0;
}

struct module_list {
	struct kernel_module *list;
	size_t n, capacity;
};

static int module_list_add(struct module_list *l, const struct kernel_module *m)
{
	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		struct kernel_module *list;

		if (capacity > MODULES_MAX)
			return -E2BIG;
		list = reallocarray(l->list, capacity, sizeof(*list));
		if (!list)
			return -ENOMEM;
		l->list = list;
		l->capacity = capacity;
	}
	l->list[l->n++] = *m;
	return 0;
}

/* "nf_tables 311296 0 - Live 0xffffffffc0a00000 (OE)" */
static int module_line(char *line, char *end, void *userdata)
{
	struct kernel_module m = { 0 };
	char *fields[6], *save = NULL;
	size_t n = 0;

	if (memchr(line, '\0', (size_t)(end - line)))
		return 0;
	for (char *f = strtok_r(line, " ", &save); f && n < 6; f = strtok_r(NULL, " ", &save))
		fields[n++] = f;
	if (n < 6 || strlen(fields[0]) >= sizeof(m.name) || strncmp(fields[5], "0x", 2) != 0 ||
	    !parse_hex(fields[5] + 2, &m.base) || m.base == 0)
		return 0;
	m.size = strtoull(fields[1], NULL, 10);
	m.size = MIN(m.size, UINT64_MAX - m.base);
	strcpy(m.name, fields[0]);
	return module_list_add(userdata, &m);
}

static int compare_modules(const void *left, const void *right)
{
	const struct kernel_module *a = left, *b = right;

	if (a->base != b->base)
		return a->base < b->base ? -1 : 1;
	return strcmp(a->name, b->name);
}

int kernel_modules_read(int fd, struct kernel_module **ret, size_t *ret_n)
{
	struct module_list l = { 0 };
	int r = read_lines(fd, module_line, &l);

	if (r < 0) {
		free(l.list);
		return r;
	}
	if (l.n)
		qsort(l.list, l.n, sizeof(*l.list), compare_modules);
	*ret = l.list;
	*ret_n = l.n;
	return 0;
}
