/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A sysfs of our own in a temporary directory: machines this test does not run on.
 */
#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree_file {
	const char *path; /* below bus/event_source/devices */
	const char *text;
};

#define TREE_DEVICES "/bus/event_source/devices/"

static void tree_make_directories(const char *root, char *path)
{
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(path, 0755);
		*p = '/';
	}
}

static void tree_write(const char *root, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s%s", root, TREE_DEVICES, path);
	f = fopen(full, "we");
	if (!f) {
		tree_make_directories(root, full);
		f = fopen(full, "we");
	}
	assert(f);
	fputs(text, f);
	fclose(f);
}

/* Returns the root, to be given to tree_free. */
static char *tree_new(const struct tree_file *files, size_t n)
{
	/* a large machine is 2,000 files */
	const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *root = malloc(64);

	assert(root);
	snprintf(root, 64, "%s/ebpf-profiler-sysfs.XXXXXX", where);
	assert(mkdtemp(root));
	for (size_t i = 0; i < n; i++)
		tree_write(root, files[i].path, files[i].text);
	return root;
}

static int tree_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tree_free(char *root)
{
	nftw(root, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(root);
}
