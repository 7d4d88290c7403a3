// SPDX-License-Identifier: Apache-2.0
#include "collect/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/file.h"

#define LINE_MAX_BYTES 65536

static int open_directory(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int roots_open(const struct collector_settings *s, struct roots *ret)
{
	*ret = (struct roots){
		.proc = open_directory(s->procfs),
		.sys = open_directory(s->sysfs),
		.dev = strdup(s->dev),
		.text.limit = ROOTS_FILE_MAX + 4096,
	};
	if (!ret->dev) {
		roots_close(ret);
		return -ENOMEM;
	}
	/* "net" and "self" lead to what reads them, and so back into the container. */
	ret->foreign = strcmp(s->procfs, "/proc") != 0 && ret->proc >= 0 &&
		       faccessat(ret->proc, "1/net/dev", R_OK, 0) == 0;
	strcpy(ret->net, ret->foreign ? "1/net/" : "net/");
	return 0;
}

void roots_close(struct roots *r)
{
	r->proc = safe_close(r->proc);
	r->sys = safe_close(r->sys);
	free(r->dev);
	r->dev = NULL;
	buffer_done(&r->text);
}

int roots_open_host(const char *procfs)
{
	char path[512];

	if (strcmp(procfs, "/proc") == 0)
		return open_directory("/");
	if (snprintf(path, sizeof(path), "%s/1/root", procfs) >= (int)sizeof(path))
		return -1;
	return open_directory(path);
}

int roots_read(struct roots *r, int root, const char *path)
{
	int error = root < 0 ? -ENOENT : file_read(root, path, &r->text);

	if (error < 0)
		buffer_reset(&r->text);
	return error;
}

int roots_read_piece(struct roots *r, int directory, const char *path)
{
	int error = directory < 0 ? -ENOENT : file_read_piece(directory, path, &r->text);

	if (error < 0)
		buffer_reset(&r->text);
	return error;
}

int roots_need(struct roots *r, int root, const char *path, struct rows *rows)
{
	int error = roots_read(r, root, path);

	if (error < 0)
		rows_problem(rows, "%s%s: %s", root == r->proc ? "/proc/" : "/sys/", path,
			     strerror(-error));
	return error;
}

int roots_read_unsigned(struct roots *r, int root, const char *path, uint64_t *ret)
{
	int error = roots_read_piece(r, root, path);
	struct scan s = scan_buffer(&r->text);

	if (error < 0)
		return error;
	return scan_unsigned(&s, ret) ? 0 : -EINVAL;
}

int roots_read_string(struct roots *r, int root, const char *path, char *out, size_t size)
{
	int error = roots_read_piece(r, root, path);
	struct scan s = scan_buffer(&r->text), line;

	if (error < 0)
		return error;
	if (!scan_line(&s, &line))
		return -EINVAL;
	while (line.end > line.at && (line.end[-1] == ' ' || line.end[-1] == '\t'))
		line.end--;
	while (line.at < line.end && (*line.at == ' ' || *line.at == '\t'))
		line.at++;
	snprintf(out, size, "%.*s", (int)MIN((size_t)(line.end - line.at), size - 1), line.at);
	return 0;
}

/* Whole lines of data[0..size); returns what is left of the last one, or -1: enough. */
static ssize_t take_lines(const char *data, size_t size, bool last, bool *skip,
			  bool (*each)(struct scan line, void *userdata), void *userdata)
{
	const char *at = data, *end = data + size;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (!newline && !last)
			break;
		if (!newline)
			newline = end;
		if (!*skip && !each((struct scan){ at, newline }, userdata))
			return -1;
		*skip = false;
		at = newline < end ? newline + 1 : end;
	}
	return end - at;
}

int roots_lines(int root, const char *path, bool (*each)(struct scan line, void *userdata),
		void *userdata)
{
	_cleanup_close_ int fd = root < 0 ? -1 : openat(root, path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = malloc(LINE_MAX_BYTES);
	size_t held = 0;
	bool skip = false;

	if (fd < 0)
		return root < 0 ? -ENOENT : -errno;
	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, data + held, LINE_MAX_BYTES - held), left;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		left = take_lines(data, held + (size_t)n, n == 0, &skip, each, userdata);
		if (left < 0 || n == 0)
			return 0;
		memmove(data, data + held + n - left, (size_t)left);
		held = (size_t)left;
		if (held == LINE_MAX_BYTES) {
			skip = true;
			held = 0;
		}
	}
}

int roots_list(int root, const char *path, DIR **ret)
{
	_cleanup_close_ int fd = -1;
	DIR *dir;

	if (root < 0)
		return -ENOENT;
	fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	TAKE_FD(fd);
	*ret = dir;
	return 0;
}

int roots_resolve(const char *configured, const char *variable, const char *fallback, char **ret,
		  char **ret_error)
{
	const char *set = configured && *configured ? NULL : getenv(variable);
	const char *path = configured && *configured ? configured : set ? set : fallback;
	struct stat st;
	char *copy;
	int r = 0;

	if (*path != '/')
		r = -EINVAL;
	else if (stat(path, &st) < 0)
		r = -errno;
	else if (!S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (r < 0) {
		if (asprintf(ret_error, "%s%s'%s' cannot stand in for %s: %s", set ? variable : "",
			     set ? "=" : "", path, fallback,
			     r == -EINVAL ? "it is not an absolute path" : strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}
