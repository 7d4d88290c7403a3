// SPDX-License-Identifier: Apache-2.0
/*
 * What was read is kept by (device, inode) and holds while size and mtime do. A file looked at a
 * moment ago is not even looked at again: hundreds of processes map the same libc.
 */
#include "process/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "process/elf_build_id.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/open_file.h"
#include "util/parse.h"

#define TRUST_NS (2 * NSEC_PER_SEC)
#define MAX_KNOWN 16384 /* files; about 2 MB */

struct known_file {
	struct hash_node node;
	dev_t device;
	ino_t inode;
	uint64_t size;
	struct statx_timestamp mtime;
	uint64_t checked_ns;
	int result; /* of elf_build_id() */
	struct build_id build_id;
};

void mapped_files_init(struct mapped_files *f, const char *procfs)
{
	*f = (struct mapped_files){ .procfs = procfs };
	mounts_init(&f->mounts, procfs);
}

static void drop_known(struct hash_node *node, void *userdata)
{
	struct mapped_files *f = userdata;

	hash_table_remove(&f->by_inode, node);
	free(container_of(node, struct known_file, node));
}

void mapped_files_done(struct mapped_files *f)
{
	hash_table_each(&f->by_inode, drop_known, f);
	hash_table_done(&f->by_inode);
	mounts_done(&f->mounts);
}

/* --- opening --- */

/*
 * maps shows the device of the inode, stat that of the view: below an overlay, and on btrfs, they
 * differ, and the one of stat is anonymous.
 */
static bool is_file(const struct statx *st, const struct mapped_file *file)
{
	return S_ISREG(st->stx_mode) && st->stx_ino == file->inode &&
	       (mounts_device(st) == file->device || st->stx_dev_major == 0);
}

/* Takes over an O_PATH fd, which may be a negative errno. */
static int check_file(int path_fd, const struct mapped_file *file)
{
	_cleanup_close_ int fd = path_fd;
	struct statx st;
	int r;

	if (fd < 0)
		return fd;
	r = mounts_stat(fd, &st);
	if (r < 0)
		return r;
	return is_file(&st, file) ? TAKE_FD(fd) : -ESTALE;
}

static int open_link(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_by_path(struct mapped_files *f, pid_t view, const struct mapped_file *file)
{
	_cleanup_close_ int root_fd = open_process_root(f->procfs, view);

	return root_fd < 0 ? root_fd : open_in_root(&f->mounts, view, root_fd, file->path);
}

/* O_PATH touches nothing: no FIFO waits, no device notices. */
static int find_file(struct mapped_files *f, pid_t view, const struct mapped_file *file)
{
	char path[4096];
	int fd, exe;

	if (!f->no_map_files && view) {
		snprintf(path, sizeof(path), "%s/%d/map_files/%llx-%llx", f->procfs, (int)view,
			 (unsigned long long)file->start, (unsigned long long)file->end);
		fd = check_file(open_link(path), file);
		if (fd >= 0)
			return fd;
		f->no_map_files = fd == -EPERM;
	}
	fd = check_file(open_by_path(f, view, file), file);
	if (fd >= 0 || !view)
		return fd;
	snprintf(path, sizeof(path), "%s/%d/exe", f->procfs, (int)view);
	exe = check_file(open_link(path), file);
	return exe >= 0 ? exe : fd;
}

/* --- what is known --- */

static uint64_t hash_inode(dev_t device, ino_t inode)
{
	return hash_u64(inode ^ hash_u64(device));
}

static struct known_file *find_known(struct mapped_files *f, const struct mapped_file *file)
{
	struct hash_node *node =
		hash_table_first(&f->by_inode, hash_inode(file->device, file->inode));

	for (; node; node = hash_node_next(node)) {
		struct known_file *k = container_of(node, struct known_file, node);

		if (k->device == file->device && k->inode == file->inode)
			return k;
	}
	return NULL;
}

static struct known_file *add_known(struct mapped_files *f, const struct mapped_file *file)
{
	struct known_file *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->device = file->device;
	k->inode = file->inode;
	if (f->by_inode.n >= MAX_KNOWN)
		hash_table_each(&f->by_inode, drop_known, f);
	if (hash_table_add(&f->by_inode, &k->node, hash_inode(k->device, k->inode)) < 0) {
		free(k);
		return NULL;
	}
	return k;
}

static bool is_unchanged(const struct known_file *k, const struct statx *st)
{
	return k->checked_ns && k->size == st->stx_size &&
	       k->mtime.tv_sec == st->stx_mtime.tv_sec && k->mtime.tv_nsec == st->stx_mtime.tv_nsec;
}

/*
 * Whose view of the file system is used: the process's own, or ours (0) when it is gone already,
 * where device and inode tell whether the file at that path is the one that was mapped.
 */
static pid_t choose_view(const struct mapped_files *f, pid_t pid)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%d", f->procfs, (int)pid);
	return access(path, F_OK) == 0 ? pid : 0;
}

/* Reads through the very file that was checked, whatever stands at its path by now. */
static int refresh(struct mapped_files *f, const struct mapped_file *file, struct known_file *k,
		   uint64_t now)
{
	_cleanup_close_ int place = -1, fd = -1;
	pid_t view = choose_view(f, file->pid);
	struct statx st;

	if (mounts_kind_of_device(&f->mounts, view, file->device) == MOUNT_REMOTE)
		return -EREMOTE;
	place = find_file(f, view, file);
	if (place < 0)
		return place;
	fd = reopen_regular(&f->mounts, view, file->path, place, &st);
	if (fd < 0)
		return fd;
	if (!is_unchanged(k, &st)) {
		k->result = elf_build_id(fd, &k->build_id);
		k->size = st.stx_size;
		k->mtime = st.stx_mtime;
	}
	k->checked_ns = now;
	return 0;
}

int mapped_files_build_id(struct mapped_files *f, const struct mapped_file *file,
			  struct build_id *ret)
{
	struct known_file *k = find_known(f, file);
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
	int r;

	if (!k)
		k = add_known(f, file);
	if (!k)
		return -ENOMEM;
	if (!k->checked_ns || now - k->checked_ns >= TRUST_NS) {
		r = refresh(f, file, k, now);
		if (r < 0)
			return r;
	}
	*ret = k->build_id;
	return k->result;
}
