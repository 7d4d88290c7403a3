/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The build-ids of files that processes map, for mappings whose record does not bring one: those in
 * /proc/PID/maps, and those of kernels before 5.12. So a file is one object whichever way it was
 * seen first.
 *
 * The paths are other people's: nothing but a regular file with the mapping's inode is ever opened
 * for reading, and nothing on a file system whose server may keep us waiting.
 */
#include <stdint.h>
#include <sys/types.h>

#include "symbols/build_id.h"
#include "util/hash_table.h"
#include "util/mounts.h"

struct mapped_files {
	const char *procfs;
	struct hash_table by_inode;
	struct mounts mounts;
	bool no_map_files; /* CAP_CHECKPOINT_RESTORE is missing */
};

/* Who maps what, and where. */
struct mapped_file {
	pid_t pid;
	uint64_t start, end;
	dev_t device;
	ino_t inode;
	const char *path; /* in the root directory of pid */
};

void mapped_files_init(struct mapped_files *f, const char *procfs);
void mapped_files_done(struct mapped_files *f);
/*
 * -ENODATA, -ENOEXEC, -EBADMSG: the file has no build-id (see elf_build_id.h); -EREMOTE: it is not
 * safe to look; -ESTALE: the path leads to another file by now; else why it cannot be opened.
 */
int mapped_files_build_id(struct mapped_files *f, const struct mapped_file *file,
			  struct build_id *ret);
