// SPDX-License-Identifier: Apache-2.0
/*
 * The parsers of /proc/PID/stat, maps and cgroup, of cgroup paths, and of ELF notes: nothing is
 * read beyond the input, and what they give lies inside it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/cgroup.h"
#include "process/elf_build_id.h"
#include "process/procfs.h"
#include "util/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_span(struct span s, const char *text)
{
	require(s.size == 0 || (s.data >= text && s.data + s.size <= text + strlen(text)));
}

static void check_path(const char *path)
{
	check_span(cgroup_unit(path), path);
	check_span(cgroup_container(path), path);
}

static void check_cgroup(const char *text, size_t size)
{
	struct cgroup_file file;
	char *path;

	if (!cgroup_parse_file(text, size, &file))
		return;
	require(file.path.size > 0 && file.path.data[0] == '/');
	path = strndup(file.path.data, file.path.size);
	check_path(path);
	free(path);
}

static void check_maps(const char *text, size_t size)
{
	const char *p = text;
	struct proc_map map;
	char path[64];

	while (proc_next_map(&p, text + size, &map)) {
		require(map.start < map.end);
		require(map.path >= text && map.path + map.path_size <= text + size);
		map_path_decode(map.path, map.path_size, path, sizeof(path));
		require(strlen(path) < sizeof(path));
	}
}

static void check_elf(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
	struct build_id id;

	if (write(fd, data, size) == (ssize_t)size && elf_build_id(fd, &id) == 0)
		require(id.size > 0 && id.size <= BUILD_ID_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct proc_stat stat;

	memcpy(text, data, size);
	text[size] = '\0';
	check_path(text);
	free(text);
	text = malloc(size ?: 1); /* without a NUL: the others take a size */
	memcpy(text, data, size);
	if (proc_parse_stat(text, size, &stat) == 0)
		require(strlen(stat.comm) < sizeof(stat.comm));
	check_cgroup(text, size);
	check_maps(text, size);
	if (size > 4 && data[0] == 0x7f)
		check_elf(data, size);
	free(text);
	return 0;
}
