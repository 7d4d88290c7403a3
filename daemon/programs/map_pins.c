// SPDX-License-Identifier: Apache-2.0
#include "programs/map_pins.h"

#include <linux/types.h>

#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/cleanup.h"

#define MAX_MAPS 1024

struct held {
	uint32_t ids[MAX_MAPS];
	size_t n;
};

static bool is_held(const struct held *h, uint32_t id)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->ids[i] == id)
			return true;
	return false;
}

/* A descriptor may be another thing by now; then the kernel says so. */
static void pin(const char *directory, int fd, struct held *h)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	char path[512];
	int n;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || h->n == MAX_MAPS ||
	    is_held(h, info.id))
		return;
	h->ids[h->n++] = info.id;
	n = snprintf(path, sizeof(path), "%s/", directory);
	snprintf(path + n, sizeof(path) - (size_t)n, "%.*s-%u", BPF_OBJ_NAME_LEN, info.name,
		 info.id);
	/* Names of constants have dots (".rodata"), which such a file system has no place for. */
	for (char *c = path + n; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			*c = '_';
	(void)bpf_obj_pin(fd, path); /* it may be there */
}

static bool leads_to_map(const char *fd)
{
	char path[320], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%s", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	return strcmp(target, "anon_inode:bpf-map") == 0;
}

static int pin_all(const char *directory, struct held *h)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	if (!dir)
		return -errno;
	while ((d = readdir(dir)))
		if (leads_to_map(d->d_name))
			pin(directory, atoi(d->d_name), h);
	closedir(dir);
	return 0;
}

/* Others' pins have other names, or are other things. */
static bool is_ours(const char *path, uint32_t id)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.id == id;
}

static void remove_others(const char *directory, const struct held *h)
{
	DIR *dir = opendir(directory);
	struct dirent *d;
	char path[768];

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		const char *dash = strrchr(d->d_name, '-');
		uint32_t id = dash ? (uint32_t)strtoul(dash + 1, NULL, 10) : 0;

		snprintf(path, sizeof(path), "%s/%s", directory, d->d_name);
		if (id && !is_held(h, id) && is_ours(path, id))
			(void)unlink(path);
	}
	closedir(dir);
}

static bool is_bpffs(const char *directory)
{
	struct statfs fs;

	return statfs(directory, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

int map_pins_renew(const char *directory)
{
	_cleanup_free_ struct held *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	if (mkdir(directory, 0750) < 0 && errno != EEXIST)
		return -errno;
	if (!is_bpffs(directory)) {
		(void)rmdir(directory);
		return -ENOTSUP;
	}
	r = pin_all(directory, h);
	if (r == 0)
		remove_others(directory, h);
	return r;
}

void map_pins_remove(const char *directory)
{
	static const struct held none;

	if (!is_bpffs(directory))
		return;
	remove_others(directory, &none);
	(void)rmdir(directory);
}
