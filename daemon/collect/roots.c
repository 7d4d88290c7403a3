// SPDX-License-Identifier: Apache-2.0
#include "collect/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collect/scan.h"
#include "util/file.h"

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

int roots_read(struct roots *r, int root, const char *path)
{
	int error = root < 0 ? -ENOENT : file_read(root, path, &r->text);

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
	int error = roots_read(r, root, path);
	struct scan s = scan_buffer(&r->text);

	if (error < 0)
		return error;
	return scan_unsigned(&s, ret) ? 0 : -EINVAL;
}

int roots_read_string(struct roots *r, int root, const char *path, char *out, size_t size)
{
	int error = roots_read(r, root, path);
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
