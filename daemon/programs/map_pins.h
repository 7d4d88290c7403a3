/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The BPF maps of this process, pinned for tools that want to read them: NAME-ID in a directory of a
 * BPF file system. Which maps there are is what the process has descriptors of, so that whoever
 * makes one need not know of this.
 */

/*
 * Pins what is not yet, and removes what is no longer held; others' pins stay. Makes the directory,
 * not what it lies in. -ENOTSUP: it is on no BPF file system; or a negative errno.
 */
int map_pins_renew(const char *directory);
/* Removes all, and the directory when nothing else is in it. */
void map_pins_remove(const char *directory);
