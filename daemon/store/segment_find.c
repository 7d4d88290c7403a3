// SPDX-License-Identifier: Apache-2.0
/*
 * Segments are put in the order in which they began, by the clock in their headers: files from
 * several hosts or boots may lie in one directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/segment_reader.h"
#include "store/segment_scan.h"

struct found {
	char *path;
	uint64_t start_ns;
};

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

static int by_start(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* When it began, by its header; 0 when that cannot be read: opening it will tell why. */
static uint64_t start_of(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct frame_file_header header;

	return fd >= 0 && segment_read_header(fd, &header) == 0 ? header.realtime_ns : 0;
}

static int add_found(struct found **list, size_t *n, const char *directory, const char *name)
{
	struct found *grown = reallocarray(*list, *n + 1, sizeof(*grown)), *f;

	if (!grown)
		return -ENOMEM;
	*list = grown;
	f = &grown[*n];
	if (asprintf(&f->path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	f->start_ns = start_of(f->path);
	(*n)++;
	return 0;
}

static int list_directory(const char *path, struct found **ret, size_t *ret_n)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0 && (entry = readdir(d)))
		if (has_suffix(entry->d_name, ".seg") || has_suffix(entry->d_name, ".seg.active"))
			r = add_found(ret, ret_n, path, entry->d_name);
	closedir(d);
	return r;
}

/* Hands the paths over from the list, and frees what is left of it. */
static int take_paths(struct found *list, size_t n, int r, char ***ret_paths, size_t *ret_n)
{
	char **paths = r < 0 ? NULL : reallocarray(NULL, n, sizeof(*paths));

	for (size_t i = 0; i < n; i++) {
		if (paths)
			paths[i] = list[i].path;
		else
			free(list[i].path);
	}
	free(list);
	if (r < 0)
		return r;
	if (!paths)
		return -ENOMEM;
	*ret_paths = paths;
	*ret_n = n;
	return 0;
}

int segment_find(const char *path, char ***ret_paths, size_t *ret_n)
{
	struct found *list = NULL;
	struct stat st;
	size_t n = 0;
	int r;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		char **paths = malloc(sizeof(*paths));

		if (!paths || !(paths[0] = strdup(path))) {
			free(paths);
			return -ENOMEM;
		}
		*ret_paths = paths;
		*ret_n = 1;
		return 0;
	}
	r = list_directory(path, &list, &n);
	if (r >= 0 && n == 0)
		r = -ENOENT;
	if (r >= 0)
		qsort(list, n, sizeof(*list), by_start);
	return take_paths(list, n, r, ret_paths, ret_n);
}

char **segment_paths_free(char **paths, size_t n)
{
	for (size_t i = 0; paths && i < n; i++)
		free(paths[i]);
	free(paths);
	return NULL;
}
