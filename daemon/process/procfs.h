/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The text of /proc/PID/stat and /proc/PID/maps (proc(5)). Names in them are bytes a process chose:
 * a comm may hold ")", newlines and escapes, a path anything but NUL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char comm[16];
	char state; /* 'R', 'S', 'Z' ... */
	uint32_t ppid;
	bool kernel; /* a kernel thread */
	uint32_t threads;
	uint64_t start_ticks; /* of sysconf(_SC_CLK_TCK) since boot */
};

/* The comm ends at the last ")" of the text. -EBADMSG: not the text of a stat file. */
int proc_parse_stat(const char *text, size_t size, struct proc_stat *ret);

struct proc_map {
	uint64_t start, end;
	uint64_t pgoff;
	bool executable;
	dev_t device;
	ino_t inode;
	const char *path; /* as it is in the text, not NUL-terminated; see map_path_decode() */
	size_t path_size;
};

/*
 * Takes the next line off the text [*text, end) and moves *text behind it; lines that make no sense
 * are passed over. False: no line is left.
 */
bool proc_next_map(const char **text, const char *end, struct proc_map *ret);

/* The size of a path without the " (deleted)" the kernel puts behind it. */
size_t path_without_deleted(const char *path, size_t size);

/*
 * The path as the process sees it: "\012" of the maps file is a newline again, and " (deleted)" is
 * taken off. Writes at most `size` bytes with the NUL, cutting what is longer.
 */
void map_path_decode(const char *text, size_t text_size, char *out, size_t size);
