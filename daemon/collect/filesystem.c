// SPDX-License-Identifier: Apache-2.0
/*
 * Room in file systems: proc_pid_mountinfo(5), and statvfs(3) of each. What has no room of its own
 * (proc, sysfs, cgroup ...) is left out; so is what a server keeps (NFS, SMB, FUSE ...), since
 * asking may hang for as long as the server does. A file system that is mounted several times is
 * one row, with the first place it is mounted at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "collect/basic.h"
#include "util/parse.h"

#define MAX_FILESYSTEMS 1024

enum {
	FS_MOUNT,
	FS_DEVICE,
	FS_TYPE,
	FS_SOURCE,
	FS_READ_ONLY,
	FS_SIZE,
	FS_FREE,
	FS_AVAILABLE,
	FS_USED_PERCENT,
	FS_FILES,
	FS_FILES_FREE,
};

/* clang-format off */
static const struct row_column columns[] = {
	[FS_MOUNT] = { "mount", "", ROW_KEY, ROW_TEXT, 0, 0, "where it is mounted" },
	[FS_DEVICE] = { "device", "", ROW_KEY, ROW_TEXT, 0, 0, "major and minor number" },
	[FS_TYPE] = { "type", "", ROW_KEY, ROW_TEXT, 0, 0, "ext4, xfs ..." },
	[FS_SOURCE] = { "source", "", ROW_WORDS, ROW_TEXT, 0, 0, "what is mounted" },
	[FS_READ_ONLY] = { "read_only", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "1: cannot be written to" },
	[FS_SIZE] = { "size", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "size" },
	[FS_FREE] = { "free", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "free" },
	[FS_AVAILABLE] = { "available", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "free for others than root" },
	[FS_USED_PERCENT] = { "used", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "as df(1) computes it" },
	[FS_FILES] = { "files", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "inodes" },
	[FS_FILES_FREE] = { "files_free", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "free inodes" },
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "filesystem",
	  .collector = "filesystem",
	  .summary = "room in file systems",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

/* Without room of their own, or behind a server. */
static const char *const left_out[] = {
	"autofs", "binfmt_misc", "bpf",	       "cgroup",     "cgroup2",	  "configfs", "debugfs",
	"devpts", "devtmpfs",	 "efivarfs",   "fusectl",    "hugetlbfs", "mqueue",   "nsfs",
	"proc",	  "pstore",	 "rpc_pipefs", "securityfs", "selinuxfs", "smackfs",  "squashfs",
	"sysfs",  "tracefs",	 "ramfs",      "nfs",	     "nfs4",	  "cifs",     "smb3",
	"9p",	  "ceph",	 "afs",	       "coda",	     "glusterfs", "lustre",   "gpfs",
	"ocfs2",  "beegfs",	 "virtiofs",   "orangefs",   "davfs",	  "overlay",  "aufs",
};

struct mount {
	uint64_t id;
	struct record_bytes device, place, type, source;
	bool read_only;
};

static bool counts(struct record_bytes type)
{
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		if (bytes_are(type, left_out[i]))
			return false;
	/* fuse.sshfs and the like; fuseblk is a local disk. */
	return !bytes_are(type, "fuse") && !(type.size > 5 && memcmp(type.data, "fuse.", 5) == 0);
}

/* "36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse_mount(struct scan line, struct mount *m)
{
	struct record_bytes word, options;
	uint64_t parent;

	if (!scan_unsigned(&line, &m->id) || !scan_unsigned(&line, &parent) ||
	    !scan_word(&line, &m->device) || !scan_word(&line, &word) ||
	    !scan_word(&line, &m->place) || !scan_word(&line, &options))
		return false;
	do {
		if (!scan_word(&line, &word))
			return false;
	} while (!bytes_are(word, "-"));
	if (!scan_word(&line, &m->type) || !scan_word(&line, &m->source))
		return false;
	m->read_only = options.size >= 2 && memcmp(options.data, "ro", 2) == 0 &&
		       (options.size == 2 || options.data[2] == ',');
	return true;
}

/* Blanks and the like stand as \040. */
static size_t unescape(struct record_bytes from, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < from.size && n + 1 < size; i++) {
		const char *c = from.data + i;

		if (*c == '\\' && from.size - i > 3 && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' &&
		    c[2] <= '7' && c[3] >= '0' && c[3] <= '7') {
			out[n++] = (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0'));
			i += 3;
		} else {
			out[n++] = *c;
		}
	}
	out[n] = 0;
	return n;
}

static void put_room(const struct statvfs *v, struct rows *rows)
{
	uint64_t unit = v->f_frsize, used = v->f_blocks - MIN(v->f_bfree, v->f_blocks);

	rows_unsigned(rows, FS_SIZE, v->f_blocks * unit);
	rows_unsigned(rows, FS_FREE, v->f_bfree * unit);
	rows_unsigned(rows, FS_AVAILABLE, v->f_bavail * unit);
	if (used + v->f_bavail)
		rows_real(rows, FS_USED_PERCENT,
			  100.0 * (double)used / (double)(used + v->f_bavail));
	rows_unsigned(rows, FS_FILES, v->f_files);
	rows_unsigned(rows, FS_FILES_FREE, v->f_ffree);
}

/*
 * Whether another mount covers this one's place, or a directory above it: then the path leads there.
 * Kernels before 5.8 do not tell.
 */
static bool hidden(const char *path, const struct mount *m)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) == 0 &&
	       (st.stx_mask & STATX_MNT_ID) && st.stx_mnt_id != m->id;
}

/* False: it cannot be seen, and has no row. */
static bool read_mount(const struct roots *roots, const char *procfs, const struct mount *m,
		       struct rows *rows)
{
	char place[4096], source[512], path[8192];
	size_t n = unescape(m->place, place, sizeof(place));
	struct statvfs v;

	if (roots->foreign)
		snprintf(path, sizeof(path), "%s/1/root%s", procfs, place);
	else
		snprintf(path, sizeof(path), "%s", place);
	/* Or in a directory we may not enter. */
	if (hidden(path, m) || statvfs(path, &v) < 0) {
		rows_missing(rows);
		return false;
	}
	if (v.f_blocks == 0)
		return true;
	rows_add(rows, 0);
	rows_text(rows, FS_MOUNT, place, n);
	rows_text(rows, FS_DEVICE, m->device.data, m->device.size);
	rows_text(rows, FS_TYPE, m->type.data, m->type.size);
	rows_text(rows, FS_SOURCE, source, unescape(m->source, source, sizeof(source)));
	rows_unsigned(rows, FS_READ_ONLY, m->read_only);
	put_room(&v, rows);
	return true;
}

struct filesystem {
	struct roots roots;
	char *procfs;
};

static void filesystem_close(void *state)
{
	struct filesystem *f = state;

	roots_close(&f->roots);
	free(f->procfs);
	free(f);
}

static int filesystem_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct filesystem *f = calloc(1, sizeof(*f));
	int r = f ? roots_open(s, &f->roots) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(f);
		return r;
	}
	f->procfs = strdup(s->procfs);
	if (!f->procfs) {
		filesystem_close(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

static bool seen(const struct record_bytes *devices, size_t n, struct record_bytes device)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i].size == device.size &&
		    memcmp(devices[i].data, device.data, device.size) == 0)
			return true;
	return false;
}

static int filesystem_read(void *state, struct rows *rows)
{
	struct filesystem *f = state;
	_cleanup_free_ struct record_bytes *devices = calloc(MAX_FILESYSTEMS, sizeof(*devices));
	const char *file = f->roots.foreign ? "1/mountinfo" : "self/mountinfo";
	int r = roots_need(&f->roots, f->roots.proc, file, rows);
	struct scan s = scan_buffer(&f->roots.text), line;
	size_t n = 0;

	if (r < 0)
		return r;
	if (!devices)
		return -ENOMEM;
	while (scan_line(&s, &line) && n < MAX_FILESYSTEMS) {
		struct mount m;

		if (!parse_mount(line, &m)) {
			rows_problem(rows, "a line of /proc/%s is no mount", file);
			continue;
		}
		if (!counts(m.type) || seen(devices, n, m.device))
			continue;
		if (read_mount(&f->roots, f->procfs, &m, rows))
			devices[n++] = m.device;
	}
	return 0;
}

const struct collector collector_filesystem = {
	.name = "filesystem",
	.summary = "size, room and inodes of local file systems",
	.needs = "/proc/self/mountinfo",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = filesystem_open,
	.read = filesystem_read,
	.close = filesystem_close,
};
