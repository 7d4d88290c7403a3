/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the tests of symbols share: a directory that goes away, files in it, commands that must
 * work, and an index made of a file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/elf_index.h"
#include "util/cleanup.h"

struct fixture {
	char directory[64];
};

__attribute__((format(printf, 1, 2))) static inline void run(const char *format, ...)
{
	char command[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->directory, "/tmp/ebpf-profiler-test.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	run("rm -rf '%s'", f->directory);
	free(f);
	return 0;
}

/* A path in the fixture's directory; overwritten by the fourth call after it. */
static inline const char *in(const struct fixture *f, const char *name)
{
	static char paths[4][PATH_MAX];
	static size_t next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", f->directory, name);
	return path;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static inline uint8_t *read_whole(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	uint8_t *data;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, file), st.st_size);
	fclose(file);
	*ret_size = (size_t)st.st_size;
	return data;
}

/* elf_index_build() of a file. */
static inline int index_file(const char *path, const char *debug_directory,
			     struct function_index **ret)
{
	const struct elf_index_options options = { .debug_directory = debug_directory,
						   .path = path };
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_source source;
	int r;

	assert_true(fd >= 0);
	r = elf_source_from_fd(fd, NULL, &source);
	return r < 0 ? r : elf_index_build(&source, &options, ret);
}

static inline bool has_function(const struct function_index *index, const char *name)
{
	size_t size;
	const struct function_index_header *h = function_index_data(index, &size);
	const struct function_entry *e = (const struct function_entry *)(h + 1);
	const uint32_t *buckets = (const uint32_t *)(e + h->n_functions);
	const char *names = (const char *)(buckets + h->n_buckets + 1);

	for (uint32_t i = 0; i < h->n_functions; i++)
		if (strcmp(names + e[i].name, name) == 0)
			return true;
	return false;
}
