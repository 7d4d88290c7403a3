// SPDX-License-Identifier: Apache-2.0
#include "symbols/object_open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "symbols/elf_file.h"
#include "util/open_file.h"

/* How far a place vouches for what is found there, when the object has no build-id. */
enum trust {
	TRUST_NOTHING, /* device and inode must be the object's */
	TRUST_PATH, /* the inode must be */
	TRUST_MAPPING, /* it is the mapped file itself */
};

static bool is_object(const struct object *o, int fd, const struct statx *st, enum trust trust)
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
	return st->stx_ino == o->inode && (trust == TRUST_PATH || mounts_device(st) == o->device);
}

/* Takes over `path_fd`, which may be a negative errno. */
static int accept(const struct object *o, struct mounts *m, pid_t view, int path_fd,
		  enum trust trust)
{
	_cleanup_close_ int place = path_fd;
	_cleanup_close_ int fd = -1;
	struct statx st;

	if (place < 0)
		return place;
	fd = reopen_regular(m, view, o->path, place, &st);
	if (fd < 0)
		return fd;
	return is_object(o, fd, &st, trust) ? TAKE_FD(fd) : -ENOENT;
}

static int open_by_path(const struct object *o, struct mounts *m, pid_t pid)
{
	_cleanup_close_ int root = -1;
	enum trust trust = TRUST_PATH;

	if (o->path[0] != '/')
		return -ENOENT;
	root = open_process_root(m->procfs, pid);
	if (root == -ENOENT) {
		/* The process is gone: the file that we see at its path may be the one. */
		pid = 0;
		trust = TRUST_NOTHING;
		root = open_process_root(m->procfs, pid);
	}
	return root < 0 ? root : accept(o, m, pid, open_in_root(m, pid, root, o->path), trust);
}

static int open_link(const struct mounts *m, pid_t pid, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%d/%s", m->procfs, (int)pid, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int object_open(const struct object *o, struct mounts *m, pid_t pid, uint64_t start, uint64_t end)
{
	char name[64];
	int fd = open_by_path(o, m, pid);
	bool remote = fd == -EREMOTE;

	if (fd < 0) {
		fd = accept(o, m, pid, open_link(m, pid, "exe"), TRUST_NOTHING);
		remote |= fd == -EREMOTE;
	}
	if (fd < 0 && start < end) {
		snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, start, end);
		fd = accept(o, m, pid, open_link(m, pid, name), TRUST_MAPPING);
		remote |= fd == -EREMOTE;
	}
	return fd < 0 && remote ? -EREMOTE : fd;
}
