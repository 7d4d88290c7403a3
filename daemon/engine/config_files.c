// SPDX-License-Identifier: Apache-2.0
#include "engine/config_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (1024 * 1024)
#define MAX_DROPINS 1000

/* O_NONBLOCK: a FIFO in the folder must not hold up the start. */
static int open_regular(const char *path, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > MAX_FILE_BYTES)
		return -EFBIG;
	*ret_size = (size_t)st.st_size;
	return TAKE_FD(fd);
}

int config_read_file(const char *path, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size = 0, n = 0;

	fd = open_regular(path, &size);
	if (fd < 0)
		return fd;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (n < size) {
		ssize_t got = read(fd, text + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret = TAKE_PTR(text);
	*ret_size = n;
	return 0;
}

char **paths_free(char **paths)
{
	for (char **p = paths; p && *p; p++)
		free(*p);
	free(paths);
	return NULL;
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_dropin(const struct dirent *d)
{
	return fnmatch("*.conf", d->d_name, FNM_PERIOD) == 0;
}

/* Appends the drop-ins of one folder to `paths`, which has room for MAX_DROPINS and the NULL. */
static int list_folder(const char *folder, char **paths, size_t *n)
{
	_cleanup_(closedirp) DIR *dir = opendir(folder);

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (;;) {
		struct dirent *d;

		errno = 0;
		d = readdir(dir);
		if (!d)
			return -errno;
		if (!is_dropin(d))
			continue;
		if (*n == MAX_DROPINS)
			return -E2BIG;
		if (asprintf(&paths[*n], "%s/%s", folder, d->d_name) < 0) {
			paths[*n] = NULL;
			return -ENOMEM;
		}
		paths[++*n] = NULL;
	}
}

static int compare_paths(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int r = strcmp(strrchr(x, '/'), strrchr(y, '/'));

	return r ? r : strcmp(x, y);
}

int config_list_dropins(const char *path, char ***ret)
{
	_cleanup_(paths_freep) char **paths = calloc(MAX_DROPINS + 1, sizeof(*paths));
	_cleanup_free_ char *beside = NULL, *own = NULL;
	const char *slash = strrchr(path, '/');
	size_t n = 0;
	int r;

	if (!paths || asprintf(&own, "%s.d", path) < 0)
		return -ENOMEM;
	if (asprintf(&beside, "%.*s/conf.d", slash ? (int)(slash - path) : 1, slash ? path : ".") <
	    0)
		return -ENOMEM;
	r = list_folder(beside, paths, &n);
	if (r < 0)
		return r;
	r = list_folder(own, paths, &n);
	if (r < 0)
		return r;
	qsort(paths, n, sizeof(*paths), compare_paths);
	*ret = TAKE_PTR(paths);
	return 0;
}
