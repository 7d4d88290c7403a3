/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The trees a collector reads: /proc, /sys and /dev, or what the configuration and the environment
 * (HOST_PROC, HOST_SYS, HOST_DEV) put in their place, for a daemon inside a container or a test.
 */
#include <dirent.h>

#include "collect/collector.h"
#include "collect/scan.h"
#include "util/buffer.h"

#define ROOTS_FILE_MAX (16U << 20) /* a larger file is -E2BIG */

struct roots {
	int proc, sys; /* directories; -1: not there */
	char *dev; /* path */
	bool foreign; /* proc is not this system's own /proc, but the host's, seen from inside */
	char net[8]; /* "net/" below proc, of the host's own network namespace */
	struct buffer text; /* of the last roots_read() */
};

/* Opens what is there; a root that is missing makes roots_read() fail. 0 or -ENOMEM. */
int roots_open(const struct collector_settings *s, struct roots *ret);
void roots_close(struct roots *r);

/*
 * The host's root directory (O_PATH), or -1: a tree that is not /proc itself leads to it by its
 * process 1.
 */
int roots_open_host(const char *procfs);

/* Reads the whole of a file into r->text; `path` is relative to r->proc or r->sys (`root`). */
int roots_read(struct roots *r, int root, const char *path);
/* The same of a file in one piece (file_read_piece()), below any directory. */
int roots_read_piece(struct roots *r, int directory, const char *path);
/* As roots_read(); on failure a problem of `rows` that names the file. */
int roots_need(struct roots *r, int root, const char *path, struct rows *rows);
/* The first word of a small file as text or number; -EINVAL: it is none. */
int roots_read_unsigned(struct roots *r, int root, const char *path, uint64_t *ret);
int roots_read_string(struct roots *r, int root, const char *path, char *out, size_t size);

/*
 * Calls `each` for every line of a file of any size, without its newline, until it returns false.
 * A line of more than 64 KiB is skipped. 0 or the errno of reading.
 */
int roots_lines(int root, const char *path, bool (*each)(struct scan line, void *userdata),
		void *userdata);

/* Opens a directory below a root for readdir(). *ret is closed with closedir(). */
int roots_list(int root, const char *path, DIR **ret);

/*
 * The path of a tree: `configured` when it is not empty, else the environment's `variable`, else
 * `fallback`. -EINVAL: not absolute; the errno of stat(2), or -ENOTDIR: it is no directory; then
 * *ret_error is a heap sentence. *ret is a heap string.
 */
int roots_resolve(const char *configured, const char *variable, const char *fallback, char **ret,
		  char **ret_error);

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
