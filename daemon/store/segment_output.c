// SPDX-License-Identifier: Apache-2.0
/*
 * The writer of an active segment holds a lock on it (flock): a locked one is alive, an unlocked
 * one is what a crash left.
 */
#include "store/segment_output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/segment_scan.h"

/* May `name` be replaced? 0: yes, or there is none. *ret_why says why not. */
static int check_replaceable(int directory, const char *name, const char **ret_why)
{
	_cleanup_close_ int fd =
		openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct segment_scan scan;
	struct stat st;
	int r;

	if (fd < 0) {
		r = -errno;
		if (r == -ELOOP)
			*ret_why = "it is a symbolic link";
		return r == -ENOENT ? 0 : r;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		*ret_why = "it is not a regular file";
		return -EEXIST;
	}
	r = segment_lock(fd);
	if (r < 0) {
		*ret_why = r == -EBUSY ? "another ebpf-profiler is writing it" : NULL;
		return r;
	}
	if (st.st_size == 0)
		return 0;
	r = segment_scan(fd, false, NULL, NULL, &scan);
	if (r == -EBADMSG) {
		*ret_why = "it exists and is not a segment file";
		return -EEXIST;
	}
	if (r >= 0)
		segment_scan_done(&scan);
	return 0;
}

static int create(int directory, const char *name, struct segment_file **ret, const char **ret_why)
{
	char active[SEGMENT_NAME_MAX + 1];
	int r;

	if (snprintf(active, sizeof(active), "%s" SEGMENT_ACTIVE, name) >= (int)sizeof(active)) {
		*ret_why = "its name is too long";
		return -ENAMETOOLONG;
	}
	r = check_replaceable(directory, name, ret_why);
	if (r < 0)
		return r;
	r = check_replaceable(directory, active, ret_why);
	if (r < 0)
		return r;
	if (unlinkat(directory, active, 0) < 0 && errno != ENOENT)
		return -errno;
	return segment_file_create(directory, name, ret);
}

int segment_output_create(const char *path, struct segment_file **ret, int *ret_directory,
			  char **ret_error)
{
	_cleanup_free_ char *for_dirname = strdup(path), *for_basename = strdup(path);
	_cleanup_close_ int directory = -1;
	const char *why = NULL;
	int r;

	*ret_error = NULL;
	if (!for_dirname || !for_basename)
		return -ENOMEM;
	directory = open(dirname(for_dirname), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = directory < 0 ? -errno : create(directory, basename(for_basename), ret, &why);
	if (r < 0) {
		if (asprintf(ret_error, "Cannot write %s: %s", path, why ? why : strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	*ret_directory = TAKE_FD(directory);
	return 0;
}
