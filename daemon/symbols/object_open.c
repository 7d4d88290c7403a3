// SPDX-License-Identifier: Apache-2.0
#include "symbols/object_open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "symbols/elf_file.h"
#include "symbols/open_file.h"

/* How far a place vouches for what is found there, when the object has no build-id. */
enum trust {
	TRUST_NOTHING, /* device and inode must be the object's */
	TRUST_PATH, /* the inode must be */
	TRUST_MAPPING, /* it is the mapped file itself */
};

static bool is_object(const struct object *o, int fd, const struct stat *st, enum trust trust)
{
	if (o->build_id_size) {
		struct build_id found;

		return elf_build_id_from_fd(fd, &found) == 0 && found.size == o->build_id_size &&
		       memcmp(found.bytes, o->build_id, found.size) == 0;
	}
	if (trust == TRUST_MAPPING)
		return true;
	if (o->inode == 0)
		return trust == TRUST_PATH;
	return st->st_ino == o->inode && (trust == TRUST_PATH || st->st_dev == o->device);
}

/* Takes over `path_fd`, which may be a negative errno. */
static int accept(const struct object *o, int path_fd, enum trust trust)
{
	_cleanup_close_ int place = path_fd;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (place < 0)
		return place;
	fd = reopen_regular(place);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return is_object(o, fd, &st, trust) ? TAKE_FD(fd) : -ENOENT;
}

static int open_by_path(const struct object *o, const char *procfs, pid_t pid)
{
	_cleanup_close_ int root = -1;

	if (o->path[0] != '/')
		return -ENOENT;
	root = open_process_root(procfs, pid);
	if (root >= 0)
		return accept(o, open_in_root(root, o->path), TRUST_PATH);
	/* The process is gone: the file that we see at its path may be the one. */
	root = root == -ENOENT ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : root;
	return root < 0 ? root : accept(o, open_in_root(root, o->path), TRUST_NOTHING);
}

static int open_link(const char *procfs, pid_t pid, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%d/%s", procfs, (int)pid, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int object_open(const struct object *o, const char *procfs, pid_t pid, uint64_t start, uint64_t end)
{
	char name[64];
	int fd = open_by_path(o, procfs, pid);

	if (fd < 0)
		fd = accept(o, open_link(procfs, pid, "exe"), TRUST_NOTHING);
	if (fd < 0 && start < end) {
		snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, start, end);
		fd = accept(o, open_link(procfs, pid, name), TRUST_MAPPING);
	}
	return fd;
}
