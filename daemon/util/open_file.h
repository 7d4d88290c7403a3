/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Opens files of other processes, whose owners may have put anything in their place.
 *
 * A file is first found with O_PATH, which has no side effects, looked at, and only then opened: a
 * FIFO cannot block, a device is never touched, and a file system whose server may be dead is not
 * asked.
 */
#include <sys/types.h>

#include "util/mounts.h"

/*
 * `path` inside the directory tree of `root_fd`, which is the root of `pid` (0: ours): absolute
 * links begin there, none leads out, and the file itself is not a link. What is in the kernel's
 * cache, as the name of a mapped file is, is found there; else directory by directory. An O_PATH fd
 * or -errno; -EREMOTE: on the way lies another machine.
 */
int open_in_root(struct mounts *m, pid_t pid, int root_fd, const char *path);
/* The second way alone: it takes no "..". */
int open_in_root_stepwise(struct mounts *m, pid_t pid, int root_fd, const char *path);

/* O_PATH on /proc/PID/root, for 0 on our own root: fd or -errno. */
int open_process_root(const char *procfs, pid_t pid);

/*
 * Opens what an O_PATH fd stands for, for reading, after a look at it, which *ret_stat gets.
 * `mapped_as` is the path in /proc/PID/maps: a memfd is on a mount that nobody sees. -ENOEXEC: not
 * a regular file; -EREMOTE: reading it might wait for ever.
 */
int reopen_regular(struct mounts *m, pid_t pid, const char *mapped_as, int path_fd,
		   struct statx *ret_stat);
/* For a path of this process's own file system that is trusted to answer; links are followed. */
int open_regular(const char *path);
