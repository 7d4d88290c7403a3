// SPDX-License-Identifier: Apache-2.0
/* The client's side of control.h. */
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>

#include "engine/control.h"

#define TIMEOUT_SECONDS 30 /* a reload attaches to every CPU again */
#define MAX_REPLY_BYTES (8 * 1024 * 1024)

static int connect_to_daemon(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return TAKE_FD(fd);
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, struct buffer *b)
{
	for (;;) {
		char chunk[4096];
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return b->error;
		buffer_put(b, chunk, (size_t)n);
		if (b->error)
			return b->error;
	}
}

static bool take_first_line(struct buffer *b, const char *line)
{
	size_t n = strlen(line);

	if (b->size < n || memcmp(b->data, line, n) != 0)
		return false;
	memmove(b->data, b->data + n, b->size - n);
	b->size -= n;
	return true;
}

int control_ask(const char *path, const char *request, struct buffer *reply)
{
	_cleanup_(buffer_donep) struct buffer text = { .limit = MAX_REPLY_BYTES };
	_cleanup_close_ int fd = connect_to_daemon(path);
	bool good;
	int r;

	if (fd < 0)
		return fd;
	buffer_printf(&text, "%s\n", request);
	r = text.error ? text.error : send_all(fd, (const char *)text.data, text.size);
	if (r < 0)
		return r;
	buffer_reset(&text);
	r = receive_all(fd, &text);
	if (r < 0)
		return r;
	good = take_first_line(&text, "ok\n");
	if (!good && !take_first_line(&text, "error\n"))
		return -EBADMSG;
	buffer_put(reply, text.data, text.size);
	return reply->error ? reply->error : !good;
}
