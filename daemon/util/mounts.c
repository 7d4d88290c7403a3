// SPDX-License-Identifier: Apache-2.0
#include "util/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/parse.h"

#define TRUST_NS (2 * NSEC_PER_SEC)
#define MAX_MOUNTINFO (4 << 20)
#define NO_ID UINT64_MAX /* before Linux 5.8 statx does not tell */

void mounts_init(struct mounts *m, const char *procfs)
{
	*m = (struct mounts){ .procfs = procfs, .text.limit = MAX_MOUNTINFO };
}

void mounts_done(struct mounts *m)
{
	buffer_done(&m->text);
}

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
 * "36 35 98:0 /root /mount options [optional fields] - TYPE source options", where 36 is the
 * mount's id. One that is mounted elsewhere, too, is listed by its device at least.
 */
static enum mount_kind find_mount(char *text, uint64_t id, dev_t device)
{
	enum mount_kind kind = major(device) || id == NO_ID ? MOUNT_LOCAL : MOUNT_HIDDEN;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		unsigned int major_id, minor_id;
		uint64_t line_id;
		const char *type;

		if (sscanf(line, "%" SCNu64 " %*u %u:%u ", &line_id, &major_id, &minor_id) != 3 ||
		    (line_id != id && makedev(major_id, minor_id) != device))
			continue;
		type = strstr(line, " - ");
		kind = !type || is_remote_type(type + 3) ? MOUNT_REMOTE : MOUNT_LOCAL;
		if (line_id == id)
			break;
	}
	return kind;
}

static enum mount_kind read_mounts(struct mounts *m, pid_t pid, uint64_t id, dev_t device)
{
	enum mount_kind kind = MOUNT_REMOTE;
	char path[4096];

	if (pid)
		snprintf(path, sizeof(path), "%s/%d/mountinfo", m->procfs, (int)pid);
	else
		snprintf(path, sizeof(path), "%s/self/mountinfo", m->procfs);
	if (file_read(AT_FDCWD, path, &m->text) == 0)
		kind = find_mount((char *)m->text.data, id, device);
	buffer_done(&m->text);
	return kind;
}

/* What a process does not show (it changed its root) may be an ordinary file of ours. */
static enum mount_kind look(struct mounts *m, pid_t pid, uint64_t id, dev_t device)
{
	enum mount_kind kind = read_mounts(m, pid, id, device);

	return kind == MOUNT_HIDDEN && pid ? read_mounts(m, 0, id, device) : kind;
}

static enum mount_kind kind_of(struct mounts *m, pid_t pid, uint64_t id, dev_t device)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
	size_t i;

	if (m->patient)
		return MOUNT_LOCAL;
	for (i = 0; i < MOUNTS_KNOWN; i++)
		if (m->known[i].checked_ns && m->known[i].id == id &&
		    m->known[i].device == device && now - m->known[i].checked_ns < TRUST_NS)
			return m->known[i].kind;
	i = m->next++ % MOUNTS_KNOWN;
	m->known[i].id = id;
	m->known[i].device = device;
	m->known[i].checked_ns = now;
	m->known[i].kind = look(m, pid, id, device);
	return m->known[i].kind;
}

enum mount_kind mounts_kind(struct mounts *m, pid_t pid, const struct statx *st)
{
	uint64_t id = st->stx_mask & STATX_MNT_ID ? st->stx_mnt_id : NO_ID;

	return kind_of(m, pid, id, mounts_device(st));
}

enum mount_kind mounts_kind_of_device(struct mounts *m, pid_t pid, dev_t device)
{
	return kind_of(m, pid, NO_ID, device);
}

int mounts_stat(int path_fd, struct statx *ret)
{
	return statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		     STATX_BASIC_STATS | STATX_MNT_ID, ret) < 0
		       ? -errno
		       : 0;
}

dev_t mounts_device(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}
