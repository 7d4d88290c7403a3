// SPDX-License-Identifier: Apache-2.0
/*
 * Invariant: while `epoch` is not `broken`, there is a file, and the file holds every block of the
 * epoch so far. Whatever fails makes the epoch broken; the next one starts afresh, in the same file
 * or in a new one.
 */
#include "store/segment_sink.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <zstd.h>

#include "store/frame.h"
#include "store/segment_file.h"
#include "store/segment_output.h"
#include "store/segment_store.h"
#include "util/parse.h"

#define DEFAULT_EPOCH_BYTES (4U << 20)
#define DEFAULT_RETRY_NS (5 * NSEC_PER_SEC)
/* Above 19 zstd's window outgrows what a reader allows (FRAME_WINDOW_LOG_MAX). */
#define MAX_LEVEL 19

struct segment_sink {
	struct segment_writer_options options, next_options;
	struct segment_store *store; /* NULL with a single file */
	int directory; /* of the single file */
	char *shown_directory;
	struct segment_file *file;
	ZSTD_CCtx *zstd;
	uint8_t *out; /* compressed block */
	size_t out_size;
	uint64_t epoch; /* being written */
	uint64_t epoch_bytes; /* of it, in the file */
	uint64_t broken; /* epoch whose rest is dropped */
	uint64_t ended;
	uint64_t synced_ns;
	bool dirty; /* written and not synced */
	bool rotate; /* seal before the next epoch */
	bool suspended;
	bool discard; /* at the end, in place of sealing */
	int error;
	uint64_t retry_at_ns;
	uint64_t written_bytes, dropped_samples;
};

/* --- state of the disk --------------------------------------------------- */

static void suspend(struct segment_sink *s, int error)
{
	uint64_t retry_ns = s->options.retry_ns ? s->options.retry_ns : DEFAULT_RETRY_NS;

	s->suspended = true;
	s->error = error;
	s->retry_at_ns = now_ns() + retry_ns;
}

static void resume(struct segment_sink *s)
{
	s->suspended = false;
	s->error = 0;
	s->retry_at_ns = 0;
}

static void break_epoch(struct segment_sink *s, uint64_t epoch)
{
	s->broken = epoch;
	s->ended = MAX(s->ended, epoch);
}

static bool disk_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* A full disk costs the oldest segment, unless the operator wants nothing to be kept free. */
static bool make_room_on_disk(struct segment_sink *s)
{
	return s->store && s->options.keep_free_percent && segment_store_delete_oldest(s->store);
}

/*
 * Limits that leave the retention something to delete: several segments fit into the cap, and
 * several epochs into a segment.
 */
static uint64_t max_file_bytes(const struct segment_sink *s)
{
	uint64_t limit = s->options.rotate_bytes ? s->options.rotate_bytes : UINT64_MAX;

	return s->options.retain_bytes ? MIN(limit, s->options.retain_bytes / 4) : limit;
}

static uint64_t max_epoch_bytes(const struct segment_sink *s)
{
	uint64_t limit = s->options.epoch_bytes ? s->options.epoch_bytes : DEFAULT_EPOCH_BYTES;

	return s->store ? MIN(limit, max_file_bytes(s) / 2) : limit;
}

/* --- files --------------------------------------------------------------- */

static int seal_file(struct segment_sink *s)
{
	int r;

	do
		r = s->store ? segment_store_seal(s->store, s->file)
			     : segment_file_seal(s->file, true);
	while (disk_full(r) && make_room_on_disk(s));
	/* Someone deleted the file: what was in it is gone, and what comes needs another. */
	return r == -ENOENT && s->store ? 0 : r;
}

static int seal(struct segment_sink *s)
{
	int r;

	if (!s->file)
		return 0;
	r = s->discard ? segment_file_discard(s->file) : seal_file(s);
	if (r < 0)
		return r;
	s->dirty = false;
	s->file = segment_file_free(s->file);
	return 0;
}

static int open_file(struct segment_sink *s)
{
	int r;

	segment_store_make_room(s->store, &s->options, 0);
	do
		r = segment_store_create(s->store, &s->file);
	while (disk_full(r) && make_room_on_disk(s));
	return r;
}

/* Makes sure there is a file that may take a new epoch. */
static int begin_epoch(struct segment_sink *s, uint64_t epoch)
{
	int level = s->options.compression_level ? s->options.compression_level
						 : SEGMENT_DEFAULT_LEVEL,
	    r;

	if (s->rotate) {
		r = seal(s);
		if (r < 0)
			return r;
		s->options = s->next_options;
		s->rotate = false;
	}
	if (!s->file) {
		r = open_file(s);
		if (r < 0)
			return r;
	}
	s->epoch = epoch;
	s->epoch_bytes = 0;
	ZSTD_CCtx_reset(s->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, MIN(level, MAX_LEVEL));
	return 0;
}

/* --- blocks -------------------------------------------------------------- */

static int compress(struct segment_sink *s, const struct segment_block *block, size_t *ret_size)
{
	ZSTD_inBuffer in = { .src = block->data, .size = block->size };
	size_t bound = ZSTD_compressBound(block->size) + 64, left;
	ZSTD_outBuffer out;

	if (s->out_size < bound) {
		uint8_t *p = realloc(s->out, bound);

		if (!p)
			return -ENOMEM;
		s->out = p;
		s->out_size = bound;
	}
	out = (ZSTD_outBuffer){ .dst = s->out, .size = s->out_size };
	left = ZSTD_compressStream2(s->zstd, &out, &in, ZSTD_e_flush);
	if (ZSTD_isError(left) || left > 0)
		return -ENOMEM;
	*ret_size = out.pos;
	return 0;
}

/*
 * The cap holds at every moment: room is made before a byte is written. -ENOBUFS: there is none,
 * the file itself must become one that can be deleted.
 */
static int append(struct segment_sink *s, struct frame_head *h, size_t size)
{
	uint64_t after = s->file->bytes + FRAME_HEAD_SIZE + size + segment_file_seal_bytes(s->file);
	int r;

	if (s->store && !segment_store_make_room(s->store, &s->options, after)) {
		s->rotate = true;
		return -ENOBUFS;
	}
	do
		r = segment_file_append(s->file, h, s->out, size);
	while (disk_full(r) && make_room_on_disk(s));
	return r;
}

static int write_block(struct segment_sink *s, const struct segment_block *block)
{
	struct frame_head h = {
		.type = FRAME_BLOCK,
		.flags = block->epoch_start ? FRAME_EPOCH_START : 0,
		.raw_size = (uint32_t)block->size,
		.samples = (uint32_t)block->samples,
		.first_ns = block->first_ns,
		.last_ns = block->last_ns,
	};
	size_t size;
	int r;

	if (block->size > FRAME_MAX_RAW)
		return -E2BIG;
	if (block->epoch_start) {
		r = begin_epoch(s, block->epoch);
		if (r < 0)
			return r;
	}
	r = compress(s, block, &size);
	if (r < 0)
		return r;
	r = append(s, &h, size);
	if (r < 0)
		return r;
	s->dirty = true;
	s->epoch_bytes += FRAME_HEAD_SIZE + size;
	s->written_bytes += FRAME_HEAD_SIZE + size;
	return 0;
}

/* Ends the epoch when it or the file has become large or old enough. */
static void check_limits(struct segment_sink *s)
{
	uint64_t age_ns = now_ns() - s->file->created_ns;

	if (s->store && (s->file->bytes >= max_file_bytes(s) ||
			 (s->options.rotate_ns && age_ns >= s->options.rotate_ns)))
		s->rotate = true;
	if (s->rotate || s->epoch_bytes >= max_epoch_bytes(s))
		s->ended = MAX(s->ended, s->epoch);
}

void segment_sink_skip(struct segment_sink *s, const struct segment_block *block)
{
	break_epoch(s, block->epoch);
	s->dropped_samples += block->samples;
}

void segment_sink_write(struct segment_sink *s, const struct segment_block *block)
{
	int r;

	if (block->epoch == s->broken ||
	    (s->suspended && now_ns() < s->retry_at_ns)) {
		segment_sink_skip(s, block);
		return;
	}
	r = write_block(s, block);
	if (r < 0) {
		/* The own cap, and a block that is too large, are no fault of the disk. */
		if (r != -ENOBUFS && r != -E2BIG)
			suspend(s, r);
		segment_sink_skip(s, block);
		return;
	}
	if (s->suspended)
		resume(s);
	check_limits(s);
	if (segment_sink_sync_at(s) <= now_ns())
		segment_sink_sync(s);
}

/* --- the rest ------------------------------------------------------------ */

uint64_t segment_sink_sync_at(const struct segment_sink *s)
{
	return s->dirty ? s->synced_ns + s->options.sync_interval_ns : 0;
}

void segment_sink_sync(struct segment_sink *s)
{
	struct stat st;
	int r = 0;

	if (!s->dirty)
		return;
	s->dirty = false;
	s->synced_ns = now_ns();
	if (fdatasync(s->file->fd) < 0)
		r = -errno;
	else if (fstat(s->file->fd, &st) == 0 && st.st_nlink > 0)
		return;
	/* What of it reached the disk is unknown, or someone deleted it: the next epoch gets a new
	 * file. */
	s->rotate = s->store != NULL;
	break_epoch(s, s->epoch);
	if (r < 0)
		suspend(s, r);
}

void segment_sink_rotate(struct segment_sink *s, uint64_t epoch)
{
	int r = seal(s);

	s->rotate = true;
	break_epoch(s, epoch);
	if (r < 0)
		suspend(s, r);
}

void segment_sink_discard(struct segment_sink *s)
{
	s->discard = !s->store;
}

int segment_sink_finish(struct segment_sink *s)
{
	return seal(s);
}

void segment_sink_set_limits(struct segment_sink *s, const struct segment_writer_options *limits)
{
	s->next_options = *limits;
}

void segment_sink_get_status(const struct segment_sink *s, struct segment_writer_status *ret)
{
	const struct segment_file *f = s->file;

	*ret = (struct segment_writer_status){
		.suspended = s->suspended,
		.error = s->error,
		.files = (s->store ? s->store->n : 0) + (f != NULL),
		.bytes = (s->store ? s->store->bytes : 0) + (f ? f->bytes : 0),
		.written_bytes = s->written_bytes,
		.dropped_samples = s->dropped_samples,
		.deleted_files = s->store ? s->store->deleted : 0,
	};
	if (!f || snprintf(ret->path, sizeof(ret->path), "%s/%s" SEGMENT_ACTIVE, s->shown_directory,
			   f->name) >= (int)sizeof(ret->path))
		ret->path[0] = '\0';
}

uint64_t segment_sink_ended(const struct segment_sink *s)
{
	return s->ended;
}

uint64_t segment_sink_retry_at(const struct segment_sink *s)
{
	return s->retry_at_ns;
}

struct segment_sink *segment_sink_free(struct segment_sink *s)
{
	if (s) {
		segment_file_free(s->file);
		segment_store_free(s->store);
		safe_close(s->directory);
		ZSTD_freeCCtx(s->zstd);
		free(s->shown_directory);
		free(s->out);
		free(s);
	}
	return NULL;
}

static int open_output(struct segment_sink *s, const char *path, char **ret_error)
{
	const char *slash = strrchr(path, '/');
	int r = segment_output_create(path, &s->file, &s->directory, ret_error);

	if (r < 0)
		return r;
	s->shown_directory = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	return s->shown_directory ? 0 : -ENOMEM;
}

static int open_store(struct segment_sink *s, const char *path, char **ret_error)
{
	s->shown_directory = strdup(path);
	return s->shown_directory ? segment_store_open(path, &s->store, ret_error) : -ENOMEM;
}

int segment_sink_open(const struct segment_writer_options *options, struct segment_sink **ret,
		      char **ret_error)
{
	_cleanup_(segment_sink_freep) struct segment_sink *s = NULL;
	int r;

	*ret_error = NULL;
	if (!options->directory == !options->file)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->directory = -1;
	s->options = *options;
	s->options.directory = s->options.file = NULL;
	s->next_options = s->options;
	s->zstd = ZSTD_createCCtx();
	if (!s->zstd)
		return -ENOMEM;
	r = options->file ? open_output(s, options->file, ret_error)
			  : open_store(s, options->directory, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}
