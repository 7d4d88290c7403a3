// SPDX-License-Identifier: Apache-2.0
/*
 * What was read is kept by (device, inode) and holds while size and mtime do. A file looked at a
 * moment ago is not even looked at again: hundreds of processes map the same libc.
 */
#include "process/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "process/elf_build_id.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"

#define TRUST_NS (2 * NSEC_PER_SEC)
#define MAX_KNOWN 16384 /* files; about 2 MB */
#define MAX_MOUNTINFO (4 << 20)

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

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

void mapped_files_init(struct mapped_files *f, const char *procfs)
{
	*f = (struct mapped_files){ .procfs = procfs, .text.limit = MAX_MOUNTINFO };
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
	buffer_done(&f->text);
}

/* --- file systems --- */

/* File systems whose answer depends on another process or another machine. */
static bool is_remote_type(const char *type)
{
	static const char *const types[] = { "fuse", "nfs", "cifs",   "smb",  "afs",
					     "ceph", "9p",  "lustre", "gpfs", "autofs" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strncmp(type, types[i], strlen(types[i])) == 0)
			return true;
	return false;
}

/*
 * /proc/PID/mountinfo: "36 35 98:0 /root /mount options [optional fields] - TYPE source options". A
 * device that is not there is a disk's, or anonymous: a btrfs subvolume, a layer below an overlay.
 */
static bool mountinfo_says_remote(char *text, dev_t device)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		unsigned int major_id, minor_id;
		const char *type;

		if (sscanf(line, "%*u %*u %u:%u ", &major_id, &minor_id) != 2 ||
		    makedev(major_id, minor_id) != device)
			continue;
		type = strstr(line, " - ");
		return !type || is_remote_type(type + 3);
	}
	return false;
}

static bool look_at_device(struct mapped_files *f, const char *who, dev_t device)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s/mountinfo", f->procfs, who);
	if (file_read(AT_FDCWD, path, &f->text) < 0)
		return true;
	return mountinfo_says_remote((char *)f->text.data, device);
}

static bool is_remote(struct mapped_files *f, const char *who, dev_t device, uint64_t now)
{
	struct mapped_device *d;

	for (size_t i = 0; i < MAPPED_FILES_DEVICES; i++) {
		d = &f->devices[i];
		if (d->checked_ns && d->device == device && now - d->checked_ns < TRUST_NS)
			return d->remote;
	}
	d = &f->devices[f->next_device++ % MAPPED_FILES_DEVICES];
	*d = (struct mapped_device){
		.device = device,
		.checked_ns = now,
		.remote = look_at_device(f, who, device),
	};
	return d->remote;
}

/* --- opening --- */

static dev_t device_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

/*
 * maps shows the device of the inode, stat that of the view: below an overlay, and on btrfs, they
 * differ, and the one of stat is anonymous.
 */
static bool is_file(const struct statx *st, const struct mapped_file *file)
{
	return S_ISREG(st->stx_mode) && st->stx_ino == file->inode &&
	       (device_of(st) == file->device || st->stx_dev_major == 0);
}

static int check_file(int fd, const struct mapped_file *file, struct statx *ret_stat)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, ret_stat) < 0)
		return -errno;
	return is_file(ret_stat, file) ? 0 : -ESTALE;
}

/* O_PATH touches nothing: no FIFO waits, no device notices. */
static int open_link(const char *path, const struct mapped_file *file, struct statx *ret_stat)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = check_file(fd, file, ret_stat);
	return r < 0 ? r : TAKE_FD(fd);
}

/*
 * A mapped file's name and all above it are in the kernel's cache, so that the path is walked there
 * only (5.12): a file system mounted in its way cannot make us wait.
 */
static int open_below(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_CACHED,
	};
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	if (fd < 0 && (errno == EINVAL || errno == ENOSYS))
		fd = openat(root_fd, path + strspn(path, "/"), how.flags);
	return fd < 0 ? -errno : (int)fd;
}

static int open_in_root(const struct mapped_files *f, const char *who,
			const struct mapped_file *file, struct statx *ret_stat)
{
	_cleanup_close_ int root_fd = -1, fd = -1;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/%s/root", f->procfs, who);
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = open_below(root_fd, file->path);
	if (fd < 0)
		return fd;
	r = check_file(fd, file, ret_stat);
	return r < 0 ? r : TAKE_FD(fd);
}

static int find_file(struct mapped_files *f, const char *who, const struct mapped_file *file,
		     struct statx *ret_stat)
{
	char path[4096];
	int fd, exe;

	if (!f->no_map_files) {
		snprintf(path, sizeof(path), "%s/%s/map_files/%llx-%llx", f->procfs, who,
			 (unsigned long long)file->start, (unsigned long long)file->end);
		fd = open_link(path, file, ret_stat);
		if (fd >= 0)
			return fd;
		f->no_map_files = fd == -EPERM;
	}
	fd = open_in_root(f, who, file, ret_stat);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/%s/exe", f->procfs, who);
	exe = open_link(path, file, ret_stat);
	return exe >= 0 ? exe : fd;
}

/* Reads through the very file that was checked, whatever stands at its path by now. */
static int read_build_id(int path_fd, struct build_id *ret)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	return elf_build_id(fd, ret);
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
 * Whose view of the file system is used: the process's own, or ours when it is gone already, where
 * device and inode tell whether the file at that path is the one that was mapped.
 */
static void choose_view(const struct mapped_files *f, pid_t pid, char out[static 16])
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%d", f->procfs, (int)pid);
	if (access(path, F_OK) == 0)
		snprintf(out, 16, "%d", (int)pid);
	else
		snprintf(out, 16, "self");
}

static int refresh(struct mapped_files *f, const struct mapped_file *file, struct known_file *k,
		   uint64_t now)
{
	_cleanup_close_ int fd = -1;
	struct statx st;
	char who[16];

	choose_view(f, file->pid, who);
	if (is_remote(f, who, file->device, now))
		return -EREMOTE;
	fd = find_file(f, who, file, &st);
	if (fd < 0)
		return fd;
	if (device_of(&st) != file->device && is_remote(f, who, device_of(&st), now))
		return -EREMOTE;
	if (!is_unchanged(k, &st)) {
		k->result = read_build_id(fd, &k->build_id);
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
	uint64_t now = now_ns();
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
