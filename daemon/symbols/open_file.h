/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Opens files of other processes, whose owners may have put anything in their place.
 *
 * A file is first found with O_PATH, which has no side effects, looked at, and only then opened: a
 * FIFO cannot block, a device is never touched.
 */
#include <sys/types.h>

/* `path` inside the directory tree of `root_fd`, as a process with that root would find it: no ".."
 * or absolute link leads out, no link of /proc is followed, and the file itself is not a link.
 * Returns an O_PATH fd or -errno. */
int open_in_root(int root_fd, const char *path);
/* The same without openat2 (before Linux 5.6): no link anywhere in the path. */
int open_in_root_stepwise(int root_fd, const char *path);

/* O_PATH on /proc/PID/root: fd or -errno. */
int open_process_root(const char *procfs, pid_t pid);

/* Opens what an O_PATH fd stands for, for reading; -ENOEXEC when it is not a regular file. */
int reopen_regular(int path_fd);
/* Both for a path of this process's own file system; links are followed. */
int open_regular(const char *path);
