/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * For tests of collectors: trees of files that stand in for /proc, /sys and /dev, and the rows of a
 * collector as text, one line each, without their times.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/row_print.h"
#include "collect/collector.h"
#include "util/cleanup.h"
#include "util/parse.h"

#define TEST_SECOND_NS NSEC_PER_SEC

struct tree {
	char path[64];
	char proc[80], sys[80], dev[80];
	struct collector_settings settings;
	const struct collector *collector;
	void *state; /* NULL: not open */
	uint64_t now_ns; /* of the next read */
	uint64_t problems, missing; /* of the last one */
	char problem[256];
	int result;
};

static inline void tree_init(struct tree *t)
{
	*t = (struct tree){ .now_ns = 1000 * TEST_SECOND_NS };
	strcpy(t->path, "/dev/shm/test_collect.XXXXXX");
	assert_non_null(mkdtemp(t->path));
	snprintf(t->proc, sizeof(t->proc), "%s/proc", t->path);
	snprintf(t->sys, sizeof(t->sys), "%s/sys", t->path);
	snprintf(t->dev, sizeof(t->dev), "%s/dev", t->path);
	assert_int_equal(mkdir(t->proc, 0755) | mkdir(t->sys, 0755) | mkdir(t->dev, 0755), 0);
	t->settings = (struct collector_settings){
		.interval_ns = TEST_SECOND_NS,
		.procfs = t->proc,
		.sysfs = t->sys,
		.dev = t->dev,
		.top = 20,
		.delta_min_ns = 100 * NSEC_PER_MSEC,
		.delta_max_ns = 300 * TEST_SECOND_NS,
	};
}

static inline int tree_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_close(struct tree *t)
{
	if (t->state)
		t->collector->close(t->state);
	t->state = NULL;
}

static inline void tree_done(struct tree *t)
{
	tree_close(t);
	assert_int_equal(nftw(t->path, tree_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes a file, and the directories it is in; `path` begins with proc/, sys/ or dev/. */
static inline void tree_put_bytes(struct tree *t, const char *path, const void *data, size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	char full[1024];

	snprintf(full, sizeof(full), "%s/%s", t->path, path);
	for (char *slash = strchr(full + strlen(t->path) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
}

static inline void tree_put(struct tree *t, const char *path, const char *text)
{
	tree_put_bytes(t, path, text, strlen(text));
}

static inline void tree_remove(struct tree *t, const char *path)
{
	char full[1024];

	snprintf(full, sizeof(full), "%s/%s", t->path, path);
	(void)nftw(full, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void tree_open(struct tree *t, const char *collector)
{
	_cleanup_free_ char *error = NULL;

	tree_close(t);
	t->collector = collector_find(collector);
	assert_non_null(t->collector);
	assert_int_equal(t->collector->open(&t->settings, &t->state, &error), 0);
}

/* One read, at t->now_ns, which then is a second later; its rows as text, heap. */
static inline char *tree_read(struct tree *t)
{
	_cleanup_(buffer_donep) struct buffer out = {}, line = {};
	struct rows rows;

	rows_init(&rows, t->collector->tables, t->now_ns);
	t->result = t->collector->read(t->state, &rows);
	t->now_ns += TEST_SECOND_NS;
	t->problems = rows.problems;
	t->missing = rows.missing;
	snprintf(t->problem, sizeof(t->problem), "%s", rows.problem);
	for (size_t i = 0; i < rows.n; i++) {
		const char *text;

		buffer_reset(&line);
		row_print(&line, ROW_FORMAT_TEXT, &rows.list[i], 0);
		buffer_put_byte(&line, 0);
		text = strchr((char *)line.data, ' ') + 1;
		buffer_put(&out, text, strlen(text));
	}
	rows_done(&rows);
	return buffer_take_string(&out);
}
