// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_debug.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "util/open_file.h"

#define PACKED_BYTES_MAX (16U << 20)
#define UNPACKED_BYTES_MAX (64U << 20)
#define UNPACK_MEMORY_MAX (64U << 20)
#define LINK_BYTES_MAX 512
#define CRC_BYTES_MAX (1ULL << 30) /* a second or so of reading */

static bool has_build_id(int fd, const struct build_id *id)
{
	struct elf_source source;
	struct elf_file f;
	struct build_id found;
	bool same;

	if (elf_source_from_fd(fd, NULL, &source) < 0 || elf_file_open(&source, &f) < 0)
		return false;
	same = elf_file_build_id(&f, &found) == 0 && build_id_equal(&found, id);
	elf_file_done(&f);
	return same;
}

int elf_debug_open_by_build_id(const char *debug_directory, const struct build_id *id)
{
	_cleanup_close_ int fd = -1;
	char hex[2 * BUILD_ID_MAX + 1], path[PATH_MAX];

	if (id->size < 2)
		return -ENODATA;
	build_id_format(id, hex);
	if (snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", debug_directory, hex,
		     hex + 2) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open_regular(path);
	if (fd < 0)
		return fd;
	return has_build_id(fd, id) ? TAKE_FD(fd) : -ENOENT;
}

struct link {
	char name[LINK_BYTES_MAX];
	uint32_t crc;
};

/* A file name, NUL, padding to 4 bytes, CRC-32. */
static int read_link(const struct elf_file *f, struct link *ret)
{
	const Elf64_Shdr *s = elf_file_section(f, ".gnu_debuglink");
	size_t name_size;
	int r;

	if (!s || s->sh_type == SHT_NOBITS || s->sh_size > sizeof(ret->name) || s->sh_size < 8)
		return -ENODATA;
	r = elf_source_read(&f->source, s->sh_offset, ret->name, s->sh_size);
	if (r < 0)
		return r;
	name_size = strnlen(ret->name, s->sh_size);
	if (name_size == 0 || ((name_size + 4) & ~3UL) + 4 > s->sh_size || strchr(ret->name, '/'))
		return -EBADMSG;
	memcpy(&ret->crc, ret->name + ((name_size + 4) & ~3UL), sizeof(ret->crc));
	return 0;
}

static bool has_crc(int fd, uint32_t crc, const atomic_bool *cancel)
{
	_cleanup_free_ uint8_t *chunk = malloc(65536);
	struct elf_source source;
	uint32_t found = 0;

	if (!chunk || elf_source_from_fd(fd, cancel, &source) < 0 || source.size > CRC_BYTES_MAX)
		return false;
	for (uint64_t at = 0; at < source.size;) {
		size_t n = (size_t)MIN(source.size - at, (uint64_t)65536);

		if (elf_source_read(&source, at, chunk, n) < 0)
			return false;
		found = (uint32_t)crc32_z(found, chunk, n);
		at += n;
	}
	return found == crc;
}

/* A program is not its own debug file. */
static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

int elf_debug_open_by_link(const struct elf_file *program, const char *debug_directory,
			   const char *path)
{
	const char *slash = strrchr(path, '/');
	struct build_id id = { 0 };
	struct link link;
	int r = read_link(program, &link);

	if (r < 0)
		return r;
	if (path[0] != '/')
		return -ENOENT;
	elf_file_build_id(program, &id);
	for (int place = 0; place < 3; place++) {
		_cleanup_close_ int fd = -1;
		char candidate[PATH_MAX];

		if (snprintf(candidate, sizeof(candidate), "%s%.*s/%s%s",
			     place == 2 ? debug_directory : "", (int)(slash - path), path,
			     place == 1 ? ".debug/" : "", link.name) >= (int)sizeof(candidate))
			continue;
		fd = open_regular(candidate);
		if (fd < 0 || (!program->source.data && same_file(fd, program->source.fd)))
			continue;
		if ((id.size && has_build_id(fd, &id)) ||
		    has_crc(fd, link.crc, program->source.cancel))
			return TAKE_FD(fd);
	}
	return -ENOENT;
}

static int unpack(const uint8_t *packed, size_t packed_size, void **ret_data, size_t *ret_size)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	_cleanup_free_ uint8_t *data = NULL;
	size_t capacity = MIN(packed_size * 4 + 4096, (size_t)UNPACKED_BYTES_MAX);
	lzma_ret z = lzma_stream_decoder(&stream, UNPACK_MEMORY_MAX, 0);

	stream.next_in = packed;
	stream.avail_in = packed_size;
	while (z == LZMA_OK) {
		uint8_t *grown;

		if (stream.total_out == capacity) {
			if (capacity >= UNPACKED_BYTES_MAX)
				break;
			capacity = MIN(capacity * 2, (size_t)UNPACKED_BYTES_MAX);
		}
		grown = realloc(data, capacity);
		if (!grown) {
			z = LZMA_MEM_ERROR;
			break;
		}
		data = grown;
		stream.next_out = data + stream.total_out;
		stream.avail_out = capacity - stream.total_out;
		z = lzma_code(&stream, LZMA_FINISH);
	}
	*ret_size = stream.total_out;
	lzma_end(&stream);
	if (z != LZMA_STREAM_END)
		return z == LZMA_MEM_ERROR ? -ENOMEM : z == LZMA_OK ? -E2BIG : -EBADMSG;
	*ret_data = TAKE_PTR(data);
	return 0;
}

int elf_debug_unpack(const struct elf_file *program, void **ret_data, size_t *ret_size)
{
	const Elf64_Shdr *s = elf_file_section(program, ".gnu_debugdata");
	_cleanup_free_ uint8_t *packed = NULL;
	int r;

	if (!s || s->sh_type == SHT_NOBITS || s->sh_size == 0)
		return -ENODATA;
	if (s->sh_size > PACKED_BYTES_MAX)
		return -E2BIG;
	packed = malloc(s->sh_size);
	if (!packed)
		return -ENOMEM;
	r = elf_source_read(&program->source, s->sh_offset, packed, s->sh_size);
	if (r < 0)
		return r;
	return unpack(packed, s->sh_size, ret_data, ret_size);
}
