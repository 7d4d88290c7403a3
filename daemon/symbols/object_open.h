/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "symbols/object.h"
#include "util/mounts.h"

/*
 * Opens the file of an OBJECT_FILE that `pid` maps at [start, end): by its path below the process's
 * root, as /proc/PID/exe (which survives deletion), and through /proc/PID/map_files (deleted
 * libraries, memfds; needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN). What is opened is the object:
 * a known build-id must be the file's; without one, its device and inode. Where the two differ in
 * the device alone (btrfs, overlayfs show another one in stat than in a mapping) the path vouches.
 *
 * fd, or -ENOENT, -ESRCH, -EACCES ...: the process shows no such file; -EREMOTE: reading it might
 * wait for ever. `m` knows the mounts of the procfs that is used.
 */
int object_open(const struct object *o, struct mounts *m, pid_t pid, uint64_t start, uint64_t end);
