// SPDX-License-Identifier: Apache-2.0
#include "host/text_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

static int join(const char *root, const char *path, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%s", root ? root : "", path);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int text_file_read(const char *root, const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = -1;
	char full[PATH_MAX];
	size_t n = 0;
	int r;

	r = join(root, path, full, sizeof(full));
	if (r < 0)
		return r;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got = read(fd, out + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n == size)
			return -EFBIG;
	}
	while (n && isspace((unsigned char)out[n - 1]))
		n--;
	out[n] = 0;
	return 0;
}

int text_file_read_int(const char *root, const char *path, int64_t *ret)
{
	char text[64], *end;
	long long v;
	int r;

	r = text_file_read(root, path, text, sizeof(text));
	if (r < 0)
		return r;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

bool text_file_exists(const char *root, const char *path)
{
	char full[PATH_MAX];

	return join(root, path, full, sizeof(full)) == 0 && access(full, F_OK) == 0;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

int text_field(const char *text, const char *name, char separator, char *out, size_t size)
{
	size_t length = strlen(name);

	for (const char *line = text; *line; line = next_line(line)) {
		const char *value = line + length, *end;

		if (strncmp(line, name, length) != 0)
			continue;
		while (*value == ' ' || *value == '\t')
			value++;
		if (*value != separator)
			continue;
		value++;
		while (*value == ' ' || *value == '\t')
			value++;
		end = value + strcspn(value, "\n");
		while (end > value && isspace((unsigned char)end[-1]))
			end--;
		if (end - value >= 2 && (*value == '"' || *value == '\'') && end[-1] == *value) {
			value++;
			end--;
		}
		snprintf(out, size, "%.*s", (int)MIN((size_t)(end - value), size - 1), value);
		return 0;
	}
	return -ENOENT;
}
