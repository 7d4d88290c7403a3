// SPDX-License-Identifier: Apache-2.0
#include "util/open_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

#define LINKS_MAX 8
#define CACHE_TRIES 3 /* a rename or mount elsewhere at the same moment looks like a miss */

/* A walk from directory to directory. */
struct walk {
	struct mounts *mounts;
	pid_t pid;
	int root_fd;
	int at; /* O_PATH */
	char rest[PATH_MAX]; /* of the path */
	unsigned int links;
};

/* Goes on with what the link at `fd` says, inside the root. */
static int follow_link(struct walk *w, int fd, const char *rest)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
	int at;

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (snprintf(path, sizeof(path), "%s/%s", target, rest) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	strcpy(w->rest, path);
	if (target[0] != '/')
		return 0;
	at = openat(w->root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -errno;
	close(w->at);
	w->at = at;
	return 0;
}

/* Only a directory that answers by itself is looked into. */
static int check_directory(struct walk *w)
{
	struct statx st;
	int r = mounts_stat(w->at, &st);

	if (r < 0 || !S_ISDIR(st.stx_mode))
		return r < 0 ? r : -ENOTDIR;
	return mounts_kind(w->mounts, w->pid, &st) == MOUNT_LOCAL ? 0 : -EREMOTE;
}

/* One part of the path; false in *ret_more at its end. */
static int step(struct walk *w, bool *ret_more)
{
	_cleanup_close_ int next = -1;
	char *name = w->rest + strspn(w->rest, "/"), *end = strchrnul(name, '/');
	char *rest = end + strspn(end, "/");
	struct statx st;
	int r = *name ? check_directory(w) : 0;

	*ret_more = *name;
	if (r < 0 || !*name)
		return r;
	*end = '\0';
	if (strcmp(name, "..") == 0)
		return -EXDEV;
	/* The link itself, if it is one. */
	next = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return -errno;
	r = mounts_stat(next, &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.stx_mode))
		return *rest ? follow_link(w, next, rest) : -ELOOP;
	memmove(w->rest, rest, strlen(rest) + 1);
	close(w->at);
	w->at = TAKE_FD(next);
	return 0;
}

int open_in_root_stepwise(struct mounts *m, pid_t pid, int root_fd, const char *path)
{
	struct walk w = { .mounts = m, .pid = pid, .root_fd = root_fd };
	bool more = true;
	int r = 0;

	if (strlen(path) >= sizeof(w.rest))
		return -ENAMETOOLONG;
	strcpy(w.rest, path);
	w.at = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.at < 0)
		return -errno;
	while (r == 0 && more)
		r = step(&w, &more);
	if (r == 0)
		return w.at;
	close(w.at);
	return r;
}

static int open_cached(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_CACHED,
	};
	int fd = -1;

	for (int i = 0; i < CACHE_TRIES && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			return -errno;
	}
	return fd < 0 ? -EAGAIN : fd;
}

/* Not cached, or a link; openat2 came with Linux 5.6, its RESOLVE_CACHED with 5.12 (before:
 * EINVAL); a system call filter that does not know it answers EPERM. */
static bool must_walk(int error)
{
	return error == -EAGAIN || error == -ELOOP || error == -EINVAL || error == -ENOSYS ||
	       error == -EPERM;
}

int open_in_root(struct mounts *m, pid_t pid, int root_fd, const char *path)
{
	_cleanup_close_ int fd = open_cached(root_fd, path);
	struct statx st;
	int r;

	if (must_walk(fd))
		return open_in_root_stepwise(m, pid, root_fd, path);
	if (fd < 0)
		return fd;
	r = mounts_stat(fd, &st);
	if (r < 0)
		return r;
	return S_ISLNK(st.stx_mode) ? -ELOOP : TAKE_FD(fd);
}

int open_process_root(const char *procfs, pid_t pid)
{
	char path[PATH_MAX] = "/";
	int fd;

	if (pid &&
	    snprintf(path, sizeof(path), "%s/%d/root", procfs, (int)pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int reopen(int path_fd)
{
	char self[64];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static bool answers(struct mounts *m, pid_t pid, const char *mapped_as, const struct statx *st)
{
	enum mount_kind kind = mounts_kind(m, pid, st);

	return kind == MOUNT_LOCAL ||
	       (kind == MOUNT_HIDDEN && strncmp(mapped_as, "/memfd:", strlen("/memfd:")) == 0);
}

int reopen_regular(struct mounts *m, pid_t pid, const char *mapped_as, int path_fd,
		   struct statx *ret_stat)
{
	struct statx st;
	int r = mounts_stat(path_fd, &st);

	if (r < 0)
		return r;
	if (!S_ISREG(st.stx_mode))
		return -ENOEXEC;
	if (!answers(m, pid, mapped_as, &st))
		return -EREMOTE;
	r = reopen(path_fd);
	if (r >= 0)
		*ret_stat = st;
	return r;
}

int open_regular(const char *path)
{
	_cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (place < 0 || fstat(place, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? reopen(place) : -ENOEXEC;
}
