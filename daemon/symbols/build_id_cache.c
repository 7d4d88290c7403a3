// SPDX-License-Identifier: Apache-2.0
#include "symbols/build_id_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY ".new"
#define NAME_BYTES (2 * BUILD_ID_MAX + 48)
#define FILES_MAX 65536 /* more are not looked at in one round */

struct build_id_cache {
	int directory_fd;
	const char *suffix;
	uint64_t limit, bytes;
};

struct cached_file {
	char name[NAME_BYTES];
	struct timespec used;
	uint64_t bytes;
};

struct listing {
	struct cached_file *files;
	size_t n, capacity;
	uint64_t bytes;
};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && n < NAME_BYTES && strcmp(name + n - m, suffix) == 0;
}

static int listing_add(struct listing *l, const char *name, const struct stat *st)
{
	struct cached_file *f;

	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 256;

		if (capacity > FILES_MAX)
			return -E2BIG;
		f = reallocarray(l->files, capacity, sizeof(*f));
		if (!f)
			return -ENOMEM;
		l->files = f;
		l->capacity = capacity;
	}
	f = &l->files[l->n++];
	strcpy(f->name, name);
	f->used = st->st_mtim;
	f->bytes = (uint64_t)st->st_blocks * 512;
	l->bytes += f->bytes;
	return 0;
}

/* Our files, by their names; files half written by one who died count too. */
static int list(const struct build_id_cache *c, struct listing *ret)
{
	int fd = openat(c->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;
	int r = 0;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		struct stat st;

		if (!has_suffix(e->d_name, c->suffix) && !has_suffix(e->d_name, TEMPORARY))
			continue;
		if (fstatat(c->directory_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			r = listing_add(ret, e->d_name, &st);
	}
	closedir(d);
	return r == -E2BIG ? 0 : r;
}

static int compare_use(const void *left, const void *right)
{
	const struct cached_file *a = left, *b = right;

	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
	if (a->used.tv_nsec != b->used.tv_nsec)
		return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Counts anew, and when that is too much makes it a tenth less than the limit. */
static int evict(struct build_id_cache *c)
{
	struct listing l = { 0 };
	int r = list(c, &l);

	c->bytes = l.bytes;
	if (r == 0 && c->bytes > c->limit) {
		qsort(l.files, l.n, sizeof(*l.files), compare_use);
		for (size_t i = 0; i < l.n && c->bytes > c->limit / 10 * 9; i++)
			if (unlinkat(c->directory_fd, l.files[i].name, 0) == 0)
				c->bytes -= l.files[i].bytes;
	}
	free(l.files);
	return r;
}

int build_id_cache_open(const char *directory, const char *suffix, uint64_t limit_bytes,
			struct build_id_cache **ret)
{
	_cleanup_(build_id_cache_closep) struct build_id_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->suffix = suffix;
	c->limit = limit_bytes;
	if (mkdir(directory, 0750) < 0 && errno != EEXIST) {
		c->directory_fd = -1;
		return -errno;
	}
	c->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->directory_fd < 0)
		return -errno;
	r = evict(c);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct build_id_cache *build_id_cache_close(struct build_id_cache *c)
{
	if (!c)
		return NULL;
	safe_close(c->directory_fd);
	free(c);
	return NULL;
}

uint64_t build_id_cache_bytes(const struct build_id_cache *c)
{
	return c->bytes;
}

static void file_name(const struct build_id *id, uid_t owner, const char *suffix, char *out)
{
	char hex[2 * BUILD_ID_MAX + 1];

	build_id_format(id, hex);
	if (owner == 0)
		snprintf(out, NAME_BYTES, "%s%s", hex, suffix);
	else
		snprintf(out, NAME_BYTES, "%s-%u%s", hex, (unsigned int)owner, suffix);
}

int build_id_cache_get(struct build_id_cache *c, const struct build_id *id, uid_t owner)
{
	char name[NAME_BYTES];
	int fd;

	file_name(id, owner, c->suffix, name);
	fd = openat(c->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	futimens(fd, NULL);
	return fd;
}

void build_id_cache_drop(struct build_id_cache *c, const struct build_id *id, uid_t owner)
{
	char name[NAME_BYTES];

	file_name(id, owner, c->suffix, name);
	unlinkat(c->directory_fd, name, 0);
}

static int write_full(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int create(const struct build_id_cache *c, const char *name)
{
	int fd = -1;

	/* One left by a process that died is in nobody's way. */
	for (int attempt = 0; attempt < 2 && fd < 0; attempt++) {
		fd = openat(c->directory_fd, name,
			    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
		if (fd < 0 && (errno != EEXIST || unlinkat(c->directory_fd, name, 0) < 0))
			return -errno;
	}
	return fd < 0 ? -EEXIST : fd;
}

int build_id_cache_put(struct build_id_cache *c, const struct build_id *id, uid_t owner,
		       const void *data, size_t size)
{
	char name[NAME_BYTES], temporary[NAME_BYTES], suffix[32];
	_cleanup_close_ int fd = -1;
	int r;

	if (size > c->limit)
		return -E2BIG;
	file_name(id, owner, c->suffix, name);
	/* Another cache in the same directory may write of the same binary. */
	snprintf(suffix, sizeof(suffix), "%s.%d" TEMPORARY, c->suffix, (int)getpid());
	file_name(id, owner, suffix, temporary);
	fd = create(c, temporary);
	if (fd < 0)
		return fd;
	r = write_full(fd, data, size);
	if (r == 0 && id->size == 0) {
		unlinkat(c->directory_fd, temporary, 0);
		return TAKE_FD(fd);
	}
	if (r == 0 && renameat(c->directory_fd, temporary, c->directory_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(c->directory_fd, temporary, 0);
		return r;
	}
	c->bytes += size;
	if (c->bytes > c->limit)
		evict(c);
	return TAKE_FD(fd);
}
