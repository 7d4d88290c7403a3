// SPDX-License-Identifier: Apache-2.0
/*
 * Text in and out: sentences on the heap, numbers as people write them, and the small files of
 * sysfs and /proc.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmu/internal.h"

#define MAX_FILE_BYTES 4096

int pmu_fail(char **ret_error, int error, const char *format, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	free(*ret_error);
	*ret_error = text;
	return error;
}

int pmu_parse_u64(const char *s, uint64_t *ret)
{
	bool hex = s[0] == '0' && (s[1] | 0x20) == 'x';
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*s) || (hex && !isxdigit((unsigned char)s[2])))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, hex ? 16 : 10);
	if (errno)
		return -errno;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int read_path(const char *path, char **ret)
{
	char *text;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	text = malloc(MAX_FILE_BYTES);
	n = text ? read(fd, text, MAX_FILE_BYTES - 1) : -1;
	if (n < 0) {
		int r = text ? -errno : -ENOMEM;

		free(text);
		close(fd);
		return r;
	}
	close(fd);
	text[n] = 0;
	n = (ssize_t)strlen(text);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = 0;
	*ret = text;
	return 0;
}

static int __attribute__((format(printf, 2, 0)))
read_formatted(char **ret, const char *format, va_list ap)
{
	_cleanup_(pmu_freep) char *path = NULL;

	if (vasprintf(&path, format, ap) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return read_path(path, ret);
}

int pmu_read_file(char **ret, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = read_formatted(ret, format, ap);
	va_end(ap);
	return r;
}

int pmu_read_u64(uint64_t *ret, const char *format, ...)
{
	_cleanup_(pmu_freep) char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	r = read_formatted(&text, format, ap);
	va_end(ap);
	return r < 0 ? r : pmu_parse_u64(text, ret);
}
