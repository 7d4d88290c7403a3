/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether reading a file may have to wait for another machine or another process: NFS, FUSE and
 * their like. /proc/PID/mountinfo tells, so that nothing asks the file system itself, which may be
 * the one that hangs. Answers are kept for two seconds.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/buffer.h"

#define MOUNTS_KNOWN 16

enum mount_kind {
	MOUNT_LOCAL,
	MOUNT_REMOTE,
	MOUNT_HIDDEN, /* neither the process nor we see it: detached, or the kernel's own */
};

struct mounts {
	const char *procfs; /* borrowed */
	bool patient; /* for a thread that may wait: every mount counts as local */
	struct {
		dev_t device;
		uint64_t id, checked_ns; /* checked_ns 0: free */
		enum mount_kind kind;
	} known[MOUNTS_KNOWN];
	size_t next;
	struct buffer text;
};

void mounts_init(struct mounts *m, const char *procfs);
void mounts_done(struct mounts *m);

/*
 * The mount of a file that `pid` sees (0: this process), by what mounts_stat() said of it. A disk
 * that is not listed is local: below an overlay, for example. MOUNT_REMOTE as well when mountinfo
 * cannot be read.
 */
enum mount_kind mounts_kind(struct mounts *m, pid_t pid, const struct statx *st);
/* By the device alone, as /proc/PID/maps shows it, where the file is not open yet. */
enum mount_kind mounts_kind_of_device(struct mounts *m, pid_t pid, dev_t device);

/* What the kernel knows of an O_PATH fd without asking a server; 0 or -errno. */
int mounts_stat(int path_fd, struct statx *ret);
dev_t mounts_device(const struct statx *st);
