// SPDX-License-Identifier: Apache-2.0
#include "process/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h; in /proc since 2.6.27 */

/* --- stat --- */

/* Reads "[-]DIGITS" and the space behind it; a negative number is 0, as for -1 "none". */
static bool next_number(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	bool negative = s < end && *s == '-';
	uint64_t v = 0;

	s += negative;
	if (s >= end || !isdigit((unsigned char)*s))
		return false;
	for (; s < end && isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	while (s < end && (*s == ' ' || *s == '\n'))
		s++;
	*p = s;
	*ret = negative ? 0 : v;
	return true;
}

int proc_parse_stat(const char *text, size_t size, struct proc_stat *ret)
{
	enum { PPID = 4, FLAGS = 9, THREADS = 20, START = 22 }; /* numbered as in proc(5) */
	const char *open = memchr(text, '(', size), *close = memrchr(text, ')', size);
	const char *end = text + size, *p;
	uint64_t field[START + 1];

	if (!open || !close || close < open || end - close < 4 || close[1] != ' ')
		return -EBADMSG;
	p = close + 4;
	for (size_t i = PPID; i <= START; i++)
		if (!next_number(&p, end, &field[i]))
			return -EBADMSG;
	*ret = (struct proc_stat){
		.state = close[2],
		.ppid = (uint32_t)field[PPID],
		.kernel = field[FLAGS] & PF_KTHREAD,
		.threads = (uint32_t)field[THREADS],
		.start_ticks = field[START],
	};
	memcpy(ret->comm, open + 1, MIN((size_t)(close - open - 1), sizeof(ret->comm) - 1));
	return 0;
}

/* --- maps --- */

static bool next_hex(const char **p, const char *end, char delimiter, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	if (s >= end || !isxdigit((unsigned char)*s))
		return false;
	for (; s < end && isxdigit((unsigned char)*s); s++) {
		unsigned int digit = isdigit((unsigned char)*s)
					     ? (unsigned int)(*s - '0')
					     : (unsigned int)((*s | 32) - 'a' + 10);

		if (v >> 60)
			return false;
		v = v << 4 | digit;
	}
	if (s >= end || *s != delimiter)
		return false;
	*p = s + 1;
	*ret = v;
	return true;
}

/* "START-END PERM PGOFF MAJ:MIN INODE   PATH" */
static bool parse_map(const char *p, const char *end, struct proc_map *ret)
{
	uint64_t major, minor, inode;

	if (!next_hex(&p, end, '-', &ret->start) || !next_hex(&p, end, ' ', &ret->end))
		return false;
	if (end - p < 5 || p[4] != ' ')
		return false;
	ret->executable = p[2] == 'x';
	p += 5;
	if (!next_hex(&p, end, ' ', &ret->pgoff) || !next_hex(&p, end, ':', &major) ||
	    !next_hex(&p, end, ' ', &minor) || !next_number(&p, end, &inode))
		return false;
	ret->device = makedev((unsigned int)major, (unsigned int)minor);
	ret->inode = (ino_t)inode;
	ret->path = p;
	ret->path_size = (size_t)(end - p);
	return ret->start < ret->end;
}

bool proc_next_map(const char **text, const char *end, struct proc_map *ret)
{
	while (*text < end) {
		const char *line = *text;
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		*text = newline ? newline + 1 : end;
		if (parse_map(line, newline ?: end, ret))
			return true;
	}
	return false;
}

size_t path_without_deleted(const char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t n = sizeof(deleted) - 1;

	return size > n && memcmp(path + size - n, deleted, n) == 0 ? size - n : size;
}

void map_path_decode(const char *text, size_t text_size, char *out, size_t size)
{
	size_t written = 0;

	text_size = path_without_deleted(text, text_size);
	for (size_t i = 0; i < text_size && written + 1 < size; i++) {
		if (text_size - i >= 4 && memcmp(text + i, "\\012", 4) == 0) {
			out[written++] = '\n';
			i += 3;
		} else {
			out[written++] = text[i];
		}
	}
	if (size)
		out[written] = '\0';
}
