// SPDX-License-Identifier: Apache-2.0
/*
 * A reader knows where the epochs of a file are; a walk decompresses one of them, block by block. A
 * block holds whole records, so that one decompressed block is all that a walk keeps.
 */
#include "store/segment_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "store/crc32c.h"
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

static int read_frame(int fd, uint64_t offset, struct frame_head *h, struct buffer *payload)
{
	uint8_t raw[FRAME_HEAD_SIZE];
	int r = read_fully(fd, offset, raw, sizeof(raw));

	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	r = frame_head_decode(raw, h);
	if (r < 0)
		return r;
	buffer_reset(payload);
	if (!buffer_reserve(payload, MAX(h->payload_size, 1U)))
		return payload->error;
	r = read_fully(fd, offset + sizeof(raw), payload->data, h->payload_size);
	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	payload->size = h->payload_size;
	return crc32c(0, payload->data, payload->size) == h->payload_crc ? 0 : -EBADMSG;
}

static int read_header(struct segment_reader *r, struct buffer *payload)
{
	struct frame_file_header header;
	struct frame_head h;
	int error = read_frame(r->fd, 0, &h, payload);

	if (error < 0)
		return error;
	error = h.type == FRAME_HEADER
			? frame_file_header_decode(payload->data, payload->size, &header)
			: -EBADMSG;
	if (error < 0)
		return error;
	r->info.realtime_ns = header.realtime_ns;
	r->info.monotonic_ns = header.monotonic_ns;
	memcpy(r->info.boot_id, header.boot_id, sizeof(header.boot_id));
	return 0;
}

/* By the index of a sealed file; -EBADMSG: it has none that is whole. */
static int open_by_index(struct segment_reader *r, uint64_t size)
{
	_cleanup_(buffer_donep) struct buffer payload = { 0 };
	uint64_t footer_size = FRAME_HEAD_SIZE + FOOTER_PAYLOAD_SIZE, index_offset, frames;
	struct frame_head h;
	int error;

	if (size < footer_size)
		return -EBADMSG;
	error = read_frame(r->fd, size - footer_size, &h, &payload);
	if (error < 0)
		return error;
	if (h.type != FRAME_FOOTER || payload.size != FOOTER_PAYLOAD_SIZE)
		return -EBADMSG;
	frame_footer_decode(payload.data, &index_offset, &frames);
	if (index_offset > size)
		return -EBADMSG;
	error = read_frame(r->fd, index_offset, &h, &payload);
	if (error < 0)
		return error;
	if (h.type != FRAME_INDEX)
		return -EBADMSG;
	error = frame_index_decode(payload.data, payload.size, index_offset, &r->epochs);
	if (error < 0)
		return error;
	r->info.sealed = true;
	r->info.bytes = size;
	return read_header(r, &payload);
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
		r = read_frame(w->reader->fd, w->offset, &h, &w->payload);
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

/* --- finding ------------------------------------------------------------- */

struct found {
	char *path;
	uint64_t start_ns;
};

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

static int by_start(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* When it began, by its header; 0 when that cannot be read: opening it will tell why. */
static uint64_t start_of(const char *path)
{
	_cleanup_(buffer_donep) struct buffer payload = { 0 };
	struct segment_reader r = { .fd = -1 };

	r.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (r.fd < 0)
		return 0;
	if (read_header(&r, &payload) < 0)
		r.info.realtime_ns = 0;
	safe_close(r.fd);
	return r.info.realtime_ns;
}

static int add_found(struct found **list, size_t *n, const char *directory, const char *name)
{
	struct found *grown = reallocarray(*list, *n + 1, sizeof(*grown)), *f;

	if (!grown)
		return -ENOMEM;
	*list = grown;
	f = &grown[*n];
	if (asprintf(&f->path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	f->start_ns = start_of(f->path);
	(*n)++;
	return 0;
}

static int list_directory(const char *path, struct found **ret, size_t *ret_n)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0 && (entry = readdir(d)))
		if (has_suffix(entry->d_name, ".seg") || has_suffix(entry->d_name, ".seg.active"))
			r = add_found(ret, ret_n, path, entry->d_name);
	closedir(d);
	return r;
}

/* Hands the paths over from the list, and frees what is left of it. */
static int take_paths(struct found *list, size_t n, int r, char ***ret_paths, size_t *ret_n)
{
	char **paths = r < 0 ? NULL : reallocarray(NULL, n, sizeof(*paths));

	for (size_t i = 0; i < n; i++) {
		if (paths)
			paths[i] = list[i].path;
		else
			free(list[i].path);
	}
	free(list);
	if (r < 0)
		return r;
	if (!paths)
		return -ENOMEM;
	*ret_paths = paths;
	*ret_n = n;
	return 0;
}

int segment_find(const char *path, char ***ret_paths, size_t *ret_n)
{
	struct found *list = NULL;
	struct stat st;
	size_t n = 0;
	int r;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		char **paths = malloc(sizeof(*paths));

		if (!paths || !(paths[0] = strdup(path))) {
			free(paths);
			return -ENOMEM;
		}
		*ret_paths = paths;
		*ret_n = 1;
		return 0;
	}
	r = list_directory(path, &list, &n);
	if (r >= 0 && n == 0)
		r = -ENOENT;
	if (r >= 0)
		qsort(list, n, sizeof(*list), by_start);
	return take_paths(list, n, r, ret_paths, ret_n);
}

char **segment_paths_free(char **paths, size_t n)
{
	for (size_t i = 0; paths && i < n; i++)
		free(paths[i]);
	free(paths);
	return NULL;
}
