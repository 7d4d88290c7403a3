// SPDX-License-Identifier: Apache-2.0
/*
 * A finished table: making one of its block, looking up, and mapping a stored one, which is checked
 * whole before it is used. Whatever lies on disk, the unwinder gets sorted rows of known kinds.
 */
#include "unwind/unwind_table.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "store/crc32c.h"
#include "unwind/unwind_block.h"

#define CHUNK_ROWS 4096

static struct unwind_table *wrap(struct unwind_header *h, bool mapped)
{
	struct unwind_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct unwind_table){
		.base = h->base,
		.rows = (const struct unwind_row *)(h + 1),
		.n_rows = h->n_rows,
		.summary = &h->summary,
		.block = h,
		.block_size = sizeof(*h) + h->n_rows * sizeof(struct unwind_row),
		.mapped = mapped,
	};
	return t;
}

struct unwind_table *unwind_table_free(struct unwind_table *t)
{
	if (!t)
		return NULL;
	if (t->mapped)
		munmap(t->block, t->block_size);
	else
		free(t->block);
	free(t);
	return NULL;
}

struct unwind_header *unwind_block_new(size_t n_rows, struct unwind_row **ret_rows)
{
	struct unwind_header *h = malloc(sizeof(*h) + n_rows * sizeof(struct unwind_row));

	if (!h)
		return NULL;
	memset(h, 0, sizeof(*h));
	*ret_rows = (struct unwind_row *)(h + 1);
	return h;
}

static uint32_t header_crc(const struct unwind_header *h)
{
	struct unwind_header copy = *h;

	copy.crc = 0;
	return crc32c(0, &copy, sizeof(copy));
}

struct unwind_table *unwind_block_finish(struct unwind_header *h, uint32_t n_rows,
					 const struct build_id *id)
{
	size_t size = sizeof(*h) + n_rows * sizeof(struct unwind_row);
	struct unwind_header *small = realloc(h, size);
	struct unwind_table *t;

	if (small)
		h = small;
	h->magic = UNWIND_BLOCK_MAGIC;
	h->version = UNWIND_BLOCK_VERSION;
	h->n_rows = n_rows;
	h->build_id_size = (uint32_t)id->size;
	memcpy(h->build_id, id->bytes, id->size);
	h->crc = crc32c(header_crc(h), h + 1, size - sizeof(*h));
	t = wrap(h, false);
	if (!t)
		free(h);
	return t;
}

const struct unwind_row *unwind_table_find(const struct unwind_table *t, uint64_t offset)
{
	const struct unwind_row *row = t->rows;
	size_t n = t->n_rows;
	uint32_t pc;

	if (n == 0 || offset < t->base || offset - t->base > UINT32_MAX)
		return NULL;
	pc = (uint32_t)(offset - t->base);
	/* Without branches that depend on the data: the last row whose pc is not larger. */
	while (n > 1) {
		size_t half = n / 2;

		row += row[half].pc <= pc ? half : 0;
		n -= half;
	}
	return row->pc <= pc && ROW_CFA(row->rule) != ROW_NONE ? row : NULL;
}

static int check_header(const struct unwind_header *h, uint64_t file_size,
			const struct build_id *id)
{
	if (h->magic != UNWIND_BLOCK_MAGIC || h->version != UNWIND_BLOCK_VERSION)
		return -EBADMSG;
	if (h->build_id_size != id->size || memcmp(h->build_id, id->bytes, id->size) != 0)
		return -EBADMSG;
	if (h->n_rows > 2 * UNWIND_ROWS_MAX + 1 || h->base % 4096 ||
	    file_size != sizeof(*h) + (uint64_t)h->n_rows * sizeof(struct unwind_row))
		return -EBADMSG;
	return 0;
}

/* `previous` is the row before them. */
static bool check_rows(const struct unwind_row *rows, size_t n, bool first,
		       struct unwind_row *previous)
{
	for (size_t i = 0; i < n; i++) {
		if (ROW_CFA(rows[i].rule) >= UNWIND_KINDS || rows[i].rule >> 7 ||
		    ((i || !first) && rows[i].pc <= previous->pc))
			return false;
		*previous = rows[i];
	}
	return true;
}

static int check_content(const struct elf_source *file, const struct unwind_header *h)
{
	uint32_t crc = header_crc(h);
	struct unwind_row rows[CHUNK_ROWS], previous = { 0 };

	for (uint32_t i = 0; i < h->n_rows;) {
		uint32_t n = MIN(h->n_rows - i, (uint32_t)CHUNK_ROWS);
		int r = elf_source_read(file, sizeof(*h) + (uint64_t)i * sizeof(rows[0]), rows,
					n * sizeof(rows[0]));

		if (r < 0)
			return r;
		crc = crc32c(crc, rows, n * sizeof(rows[0]));
		if (!check_rows(rows, n, i == 0, &previous))
			return -EBADMSG;
		i += n;
	}
	return crc == h->crc && ROW_CFA(previous.rule) == ROW_NONE ? 0 : -EBADMSG;
}

int unwind_block_map(int fd, const struct build_id *id, struct unwind_table **ret)
{
	struct elf_source file;
	struct unwind_header h;
	void *block;
	int r = elf_source_from_fd(fd, NULL, &file);

	if (r == -ENOEXEC)
		return -EBADMSG;
	if (r == 0)
		r = elf_source_read(&file, 0, &h, sizeof(h));
	if (r == 0)
		r = check_header(&h, file.size, id);
	if (r == 0)
		r = check_content(&file, &h);
	if (r < 0)
		return r;
	block = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (block == MAP_FAILED)
		return -errno;
	*ret = wrap(block, true);
	if (*ret)
		return 0;
	munmap(block, file.size);
	return -ENOMEM;
}

const char *unwind_source_name(enum unwind_source source)
{
	static const char *const names[] = {
		[UNWIND_SOURCE_NONE] = "none",
		[UNWIND_SOURCE_EH_FRAME] = "eh_frame",
		[UNWIND_SOURCE_DEBUG_FRAME] = "debug_frame",
	};

	return source < ARRAY_SIZE(names) ? names[source] : "unknown";
}

const char *unwind_kind_name(unsigned int kind)
{
	static const char *const names[UNWIND_KINDS] = {
		[ROW_NONE] = "none",
		[ROW_CFA_SP] = "sp",
		[ROW_CFA_FP] = "fp",
		[ROW_CFA_DEREF_SP] = "deref_sp",
		[ROW_CFA_DEREF_FP] = "deref_fp",
		[ROW_CFA_PLT] = "plt",
		[ROW_SIGNAL] = "signal",
		[ROW_END] = "end",
		[ROW_UNSUPPORTED] = "unsupported",
	};

	return kind < UNWIND_KINDS && names[kind] ? names[kind] : "unknown";
}
