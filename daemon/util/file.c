// SPDX-License-Identifier: Apache-2.0
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/cleanup.h"

#define READ_AT_LEAST 4000 /* with its NUL below a page; /proc answers in pieces of a page or so   \
			    */

static int read_all(int dir_fd, const char *path, struct buffer *b, bool piece)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	buffer_reset(b);
	for (;;) {
		ssize_t n;

		if (b->capacity - b->size < READ_AT_LEAST && !buffer_reserve(b, READ_AT_LEAST))
			return b->error;
		n = read(fd, b->data + b->size, b->capacity - b->size - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		b->size += (size_t)n;
		if (piece && b->size < b->capacity - 1)
			break;
	}
	b->data[b->size] = '\0';
	return 0;
}

int file_read(int dir_fd, const char *path, struct buffer *b)
{
	return read_all(dir_fd, path, b, false);
}

int file_read_piece(int dir_fd, const char *path, struct buffer *b)
{
	return read_all(dir_fd, path, b, true);
}
