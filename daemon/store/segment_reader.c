// SPDX-License-Identifier: Apache-2.0
/*
 * A reader knows where the epochs of a file are; a walk decompresses one of them, block by block. A
 * block holds whole records, so that one decompressed block is all that a walk keeps.
 */
#include "store/segment_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "store/frame.h"
#include "store/segment_scan.h"

struct segment_reader {
	int fd;
	char *path;
	struct epoch_list epochs;
	struct segment_info info;
};

struct epoch_walk {
	const struct segment_reader *reader;
	uint64_t offset, end;
	bool started;
	uint32_t next_seq;
	ZSTD_DCtx *zstd;
	struct record_coder *coder;
	struct buffer payload, raw;
	struct cursor records; /* in `raw` */
	int error; /* once set, the walk is over */
};

/* --- opening ------------------------------------------------------------- */

/* By the index of a sealed file; -EBADMSG: it has none that is whole. */
static int open_by_index(struct segment_reader *r, uint64_t size)
{
	struct frame_file_header header;
	uint64_t frames;
	int error = segment_read_index(r->fd, size, &r->epochs, &frames);

	if (error < 0)
		return error;
	error = segment_read_header(r->fd, &header);
	if (error < 0)
		return error;
	r->info = (struct segment_info){
		.sealed = true,
		.bytes = size,
		.realtime_ns = header.realtime_ns,
		.monotonic_ns = header.monotonic_ns,
	};
	memcpy(r->info.boot_id, header.boot_id, sizeof(r->info.boot_id));
	return 0;
}

static int open_by_scan(struct segment_reader *r)
{
	struct segment_scan scan;
	int error = segment_scan(r->fd, false, NULL, NULL, &scan);

	if (error < 0)
		return error;
	epoch_list_done(&r->epochs);
	r->epochs = scan.epochs;
	r->info = (struct segment_info){
		.sealed = scan.sealed,
		.bytes = scan.good_bytes,
		.lost_bytes = scan.lost_bytes,
		.skipped_frames = scan.skipped_frames,
		.damaged_frames = scan.damaged_frames,
		.realtime_ns = scan.header.realtime_ns,
		.monotonic_ns = scan.header.monotonic_ns,
	};
	memcpy(r->info.boot_id, scan.header.boot_id, sizeof(r->info.boot_id));
	return 0;
}

static int reader_open(struct segment_reader *r)
{
	struct stat st;
	int error;

	r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	error = open_by_index(r, (uint64_t)st.st_size);
	if (error == -EBADMSG)
		error = open_by_scan(r);
	r->info.epochs = r->epochs.items;
	r->info.n_epochs = r->epochs.n;
	return error;
}

static char *open_error(const char *path, int error)
{
	char *text;
	int n;

	if (error == -EBADMSG)
		n = asprintf(&text, "%s is not a segment file", path);
	else if (error == -EPROTONOSUPPORT)
		n = asprintf(&text,
			     "%s was written in a newer format than this ebpf-profiler can read "
			     "(%d); read it with the version that wrote it",
			     path, FORMAT_MAJOR);
	else
		n = asprintf(&text, "Cannot read %s: %s", path, strerror(-error));
	return n < 0 ? NULL : text;
}

int segment_reader_open(const char *path, struct segment_reader **ret, char **ret_error)
{
	_cleanup_(segment_reader_closep) struct segment_reader *r = calloc(1, sizeof(*r));
	int error;

	*ret_error = NULL;
	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->path = strdup(path);
	if (!r->path)
		return -ENOMEM;
	error = reader_open(r);
	if (error < 0) {
		*ret_error = open_error(path, error);
		return error;
	}
	*ret = TAKE_PTR(r);
	return 0;
}

struct segment_reader *segment_reader_close(struct segment_reader *r)
{
	if (r) {
		safe_close(r->fd);
		epoch_list_done(&r->epochs);
		free(r->path);
		free(r);
	}
	return NULL;
}

const struct segment_info *segment_reader_info(const struct segment_reader *r)
{
	return &r->info;
}

const char *segment_reader_path(const struct segment_reader *r)
{
	return r->path;
}

/* --- walking ------------------------------------------------------------- */

int epoch_walk_open(struct segment_reader *r, size_t epoch, struct epoch_walk **ret)
{
	_cleanup_(epoch_walk_closep) struct epoch_walk *w = NULL;

	if (epoch >= r->epochs.n)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->reader = r;
	w->offset = r->epochs.items[epoch].offset;
	w->end = r->epochs.items[epoch].end;
	w->coder = record_coder_new();
	w->zstd = ZSTD_createDCtx();
	if (!w->coder || !w->zstd)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(w->zstd, ZSTD_d_windowLogMax, FRAME_WINDOW_LOG_MAX);
	*ret = TAKE_PTR(w);
	return 0;
}

struct epoch_walk *epoch_walk_close(struct epoch_walk *w)
{
	if (w) {
		ZSTD_freeDCtx(w->zstd);
		record_coder_free(w->coder);
		buffer_done(&w->payload);
		buffer_done(&w->raw);
		free(w);
	}
	return NULL;
}

static int decompress(struct epoch_walk *w, size_t raw_size)
{
	ZSTD_inBuffer in = { .src = w->payload.data, .size = w->payload.size };
	ZSTD_outBuffer out;

	buffer_reset(&w->raw);
	if (!buffer_reserve(&w->raw, MAX(raw_size, (size_t)1)))
		return w->raw.error;
	out = (ZSTD_outBuffer){ .dst = w->raw.data, .size = raw_size };
	while (in.pos < in.size) {
		size_t in_before = in.pos, out_before = out.pos,
		       r = ZSTD_decompressStream(w->zstd, &out, &in);

		if (ZSTD_isError(r))
			return ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation ? -ENOMEM
										    : -EBADMSG;
		if (in.pos == in_before && out.pos == out_before)
			return -EBADMSG;
	}
	if (out.pos != raw_size)
		return -EBADMSG;
	w->records = (struct cursor){ .pos = w->raw.data, .end = w->raw.data + raw_size };
	return 0;
}

/* Makes the next block the current one. 0: there is none. */
static int next_block(struct epoch_walk *w)
{
	struct frame_head h;
	int r;

	while (w->offset < w->end) {
		r = segment_read_frame(w->reader->fd, w->offset, &h, &w->payload);
		if (r < 0)
			return r;
		if (!w->started) {
			if (h.type != FRAME_BLOCK || !(h.flags & FRAME_EPOCH_START))
				return -EBADMSG;
		} else if (h.seq != w->next_seq || (h.flags & FRAME_EPOCH_START)) {
			return -EBADMSG;
		}
		w->started = true;
		w->next_seq = h.seq + 1;
		w->offset += FRAME_HEAD_SIZE + h.payload_size;
		if (h.type == FRAME_BLOCK) {
			r = decompress(w, h.raw_size);
			return r < 0 ? r : 1;
		}
	}
	return 0;
}

int epoch_walk_next(struct epoch_walk *w, struct record *ret)
{
	int r;

	while (!w->error) {
		r = record_get(&w->records, w->coder, ret);
		if (r == 1)
			return 1;
		if (r == 0)
			r = next_block(w);
		if (r == 0)
			return 0;
		if (r < 0)
			w->error = r;
	}
	return w->error;
}
