// SPDX-License-Identifier: Apache-2.0
/*
 * A finished function index: looking up, handing out its bytes, and mapping a stored one.
 *
 * A stored index is checked whole before it is used (length, CRC, order of its parts), and every
 * name offset once more when it is followed: whatever lies on disk, a look-up stays inside the
 * block.
 */
#include "symbols/function_index.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "symbols/elf_file.h"
#include "symbols/function_index_internal.h"

struct function_index *function_index_wrap(void *block, size_t size, bool mapped)
{
	struct function_index *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->header = block;
	i->entries = (const struct function_entry *)(i->header + 1);
	i->buckets = (const uint32_t *)(i->entries + i->header->n_functions);
	i->names = (const char *)(i->buckets + i->header->n_buckets + 1);
	i->size = size;
	i->mapped = mapped;
	return i;
}

struct function_index *function_index_free(struct function_index *i)
{
	if (!i)
		return NULL;
	if (i->mapped)
		munmap((void *)i->header, i->size);
	else
		free((void *)i->header);
	free(i);
	return NULL;
}

const void *function_index_data(const struct function_index *i, size_t *ret_size)
{
	*ret_size = i->size;
	return i->header;
}

uint32_t function_index_sources(const struct function_index *i)
{
	return i->header->sources;
}

size_t function_index_size(const struct function_index *i)
{
	return i->header->n_functions;
}

/* The entries among which the one of this place is, if there is one: the bucket's, and the one
 * before them. Returns their number. */
static size_t candidates(const struct function_index *i, uint32_t at,
			 const struct function_entry **ret)
{
	size_t bucket = MIN(at >> i->header->bucket_shift, i->header->n_buckets - 1);
	size_t end = MIN(i->buckets[bucket + 1], i->header->n_functions);
	size_t first = MIN(i->buckets[bucket], end);

	first -= first > 0;
	*ret = i->entries + first;
	return end - first;
}

bool function_index_find(const struct function_index *i, uint64_t offset, struct function *ret)
{
	const struct function_entry *e;
	size_t n;
	uint32_t at;

	if (offset < i->header->base || offset - i->header->base > UINT32_MAX)
		return false;
	at = (uint32_t)(offset - i->header->base);
	n = candidates(i, at, &e);
	if (n == 0)
		return false;
	/* Without branches that depend on the data: the last entry whose start is <= at. */
	while (n > 1) {
		size_t half = n / 2;

		e += e[half].start <= at ? half : 0;
		n -= half;
	}
	if (at < e->start || at - e->start >= e->size || e->name >= i->header->names_size)
		return false;
	*ret = (struct function){
		.number = (uint32_t)(e - i->entries),
		.start = i->header->base + e->start,
		.size = e->size,
		.name = i->names + e->name,
	};
	return true;
}

uint32_t function_index_crc(uint32_t crc, const void *data, size_t size)
{
	return (uint32_t)crc32_z(crc, data, size);
}

uint32_t function_index_header_crc(const struct function_index_header *h)
{
	struct function_index_header copy = *h;

	copy.crc = 0;
	return function_index_crc(0, &copy, sizeof(copy));
}

static int check_header(const struct function_index_header *h, uint64_t file_size,
			const uint8_t *build_id, size_t build_id_size)
{
	if (h->magic != FUNCTION_INDEX_MAGIC || h->version != FUNCTION_INDEX_VERSION)
		return -EBADMSG;
	if (h->build_id_size != build_id_size || build_id_size > BUILD_ID_MAX ||
	    (build_id_size && memcmp(h->build_id, build_id, build_id_size) != 0))
		return -EBADMSG;
	if (h->names_size == 0 || h->n_buckets == 0 || h->bucket_shift > 31 ||
	    file_size != sizeof(*h) + (uint64_t)h->n_functions * sizeof(struct function_entry) +
				 ((uint64_t)h->n_buckets + 1) * sizeof(uint32_t) + h->names_size)
		return -EBADMSG;
	return 0;
}

/* The CRC over the header and what follows it, and that the last name ends. */
static int check_content(const struct elf_source *file, const struct function_index_header *h)
{
	uint32_t crc = function_index_header_crc(h);
	char chunk[16384];
	char last = 0;

	for (uint64_t at = sizeof(*h); at < file->size;) {
		size_t n = (size_t)MIN(file->size - at, (uint64_t)sizeof(chunk));
		int r = elf_source_read(file, at, chunk, n);

		if (r < 0)
			return r;
		crc = function_index_crc(crc, chunk, n);
		last = chunk[n - 1];
		at += n;
	}
	return crc == h->crc && last == '\0' ? 0 : -EBADMSG;
}

int function_index_map(int fd, const uint8_t *build_id, size_t build_id_size,
		       struct function_index **ret)
{
	struct function_index_header h;
	struct elf_source file;
	void *block;
	int r = elf_source_from_fd(fd, NULL, &file);

	if (r == -ENOEXEC)
		return -EBADMSG;
	if (r == 0)
		r = elf_source_read(&file, 0, &h, sizeof(h));
	if (r == 0)
		r = check_header(&h, file.size, build_id, build_id_size);
	if (r == 0)
		r = check_content(&file, &h);
	if (r < 0)
		return r;
	block = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (block == MAP_FAILED)
		return -errno;
	*ret = function_index_wrap(block, file.size, true);
	if (*ret)
		return 0;
	munmap(block, file.size);
	return -ENOMEM;
}
