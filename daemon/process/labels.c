// SPDX-License-Identifier: Apache-2.0
#include "process/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "process/cgroup.h"

#define FILEID_KERNFS 0xfe /* a cgroup's file handle is its id, 8 bytes: fs/kernfs/mount.c */

int label_store_init(struct label_store *s, const char *cgroupfs)
{
	_cleanup_close_ int fd = open(cgroupfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	*s = (struct label_store){ .unified_fd = -1, .unified = strdup(cgroupfs) };
	if (!s->unified)
		return -ENOMEM;
	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		s->unified_fd = TAKE_FD(fd);
	return 0;
}

void label_store_done(struct label_store *s)
{
	hash_table_done(&s->by_path);
	hash_table_done(&s->by_id);
	s->unified_fd = safe_close(s->unified_fd);
	free(s->unified);
}

struct labels *labels_ref(struct labels *l)
{
	l->refs++;
	return l;
}

struct labels *labels_unref(struct labels *l)
{
	if (!l || --l->refs > 0)
		return NULL;
	hash_table_remove(&l->store->by_path, &l->by_path);
	if (l->cgroup_id)
		hash_table_remove(&l->store->by_id, &l->by_id);
	free(l);
	return NULL;
}

static const char *put_string(char **at, struct span s)
{
	char *start = *at;

	memcpy(start, s.data, s.size);
	start[s.size] = '\0';
	*at += s.size + 1;
	return start;
}

/* One block: the struct, the path, the unit, the container. */
static struct labels *labels_new(struct label_store *s, const char *path)
{
	struct span unit = cgroup_unit(path), container = cgroup_container(path);
	struct span whole = { path, strlen(path) };
	struct labels *l = malloc(sizeof(*l) + whole.size + unit.size + container.size + 3);
	char *at;

	if (!l)
		return NULL;
	*l = (struct labels){ .store = s, .refs = 1 };
	at = l->path;
	put_string(&at, whole);
	l->unit = put_string(&at, unit);
	l->container = put_string(&at, container);
	if (hash_table_add(&s->by_path, &l->by_path, hash_string(path)) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

static struct labels *find_path(struct label_store *s, const char *path)
{
	struct hash_node *node = hash_table_first(&s->by_path, hash_string(path));

	for (; node; node = hash_node_next(node)) {
		struct labels *l = container_of(node, struct labels, by_path);

		if (strcmp(l->path, path) == 0)
			return labels_ref(l);
	}
	return NULL;
}

/* Before 5.5 the id has a generation in its upper half, which stat does not tell. */
static bool has_id(const struct label_store *s, const char *path, uint64_t cgroup_id)
{
	struct stat st;

	if (s->unified_fd < 0 || fstatat(s->unified_fd, path + 1, &st, AT_EMPTY_PATH) < 0)
		return false;
	return st.st_ino == cgroup_id || st.st_ino == (uint32_t)cgroup_id;
}

/* A path that was removed and made again has a new id. */
static void remember_id(struct label_store *s, struct labels *l, uint64_t cgroup_id)
{
	if (l->cgroup_id)
		hash_table_remove(&s->by_id, &l->by_id);
	l->cgroup_id = cgroup_id;
	if (hash_table_add(&s->by_id, &l->by_id, hash_u64(cgroup_id)) < 0)
		l->cgroup_id = 0;
}

struct labels *labels_by_path(struct label_store *s, const char *path, size_t size,
			      uint64_t cgroup_id)
{
	_cleanup_free_ char *copy = strndup(path, size);
	struct labels *l;

	if (!copy || copy[0] != '/')
		return NULL;
	l = find_path(s, copy);
	if (!l)
		l = labels_new(s, copy);
	if (l && cgroup_id && l->cgroup_id != cgroup_id && has_id(s, copy, cgroup_id))
		remember_id(s, l, cgroup_id);
	return l;
}

struct labels *labels_by_id(struct label_store *s, uint64_t cgroup_id)
{
	struct hash_node *node = hash_table_first(&s->by_id, hash_u64(cgroup_id));

	for (; node; node = hash_node_next(node)) {
		struct labels *l = container_of(node, struct labels, by_id);

		if (l->cgroup_id == cgroup_id)
			return labels_ref(l);
	}
	return NULL;
}

static int open_by_id(const struct label_store *s, uint64_t cgroup_id)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(cgroup_id)];
	} u = { .handle = { .handle_bytes = sizeof(cgroup_id), .handle_type = FILEID_KERNFS } };

	memcpy(u.handle.f_handle, &cgroup_id, sizeof(cgroup_id));
	return open_by_handle_at(s->unified_fd, &u.handle, O_PATH | O_CLOEXEC);
}

struct labels *labels_by_handle(struct label_store *s, uint64_t cgroup_id)
{
	_cleanup_close_ int fd = -1;
	char link[64], path[8192];
	size_t prefix = strlen(s->unified);
	ssize_t n;

	if (s->unified_fd < 0)
		return NULL;
	fd = open_by_id(s, cgroup_id);
	if (fd < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || (size_t)n < prefix || memcmp(path, s->unified, prefix) != 0)
		return NULL;
	path[n] = '\0';
	if ((size_t)n == prefix)
		return labels_by_path(s, "/", 1, cgroup_id);
	return labels_by_path(s, path + prefix, (size_t)n - prefix, cgroup_id);
}
