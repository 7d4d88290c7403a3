// SPDX-License-Identifier: Apache-2.0
// Any text in the place of /proc/kallsyms, /proc/modules and a note file gives a kernel space.
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols/build_id.h"
#include "symbols/function_index.h"
#include "symbols/symbols.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/tmp/ebpf-profiler-fuzz.XXXXXX";

static void remove_directory(void)
{
	static const char *const names[] = { "/kallsyms", "/modules", "" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s%s", directory, names[i]);
		remove(path);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(mkdtemp(directory));
	atexit(remove_directory);
	return 0;
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
}

/* The input is the two files, with a NUL between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size);
	size_t first = nul ? (size_t)(nul - data) : size;
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
	struct kernel_space_status status;
	struct build_id id;

	if (size == 0)
		return 0;
	put("kallsyms", data, first);
	put("modules", data + first, size - first);
	build_id_from_notes(data, size, &id);
	assert(kernel_space_new(t, directory, directory, &k) == 0);
	kernel_space_get_status(k, &status);
	kernel_space_add(k, 0xffffffffc0000000 + data[0], (uint32_t)size, "bpf_prog_x");
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t address = 0xffffffffc0000000 + i * 128;
		struct object *o = kernel_space_find(k, address);
		struct function f;

		if (o && o->index && function_index_find(o->index, address - o->base, &f))
			assert(f.name[0] && address - o->base - f.start < f.size);
	}
	kernel_space_remove(k, 0xffffffffc0000000 + data[0]);
	return 0;
}
