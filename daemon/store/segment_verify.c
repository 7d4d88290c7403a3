// SPDX-License-Identifier: Apache-2.0
/*
 * Verification reads a segment twice: once frame by frame, where the checksums guard every bit, and
 * once epoch by epoch, where every record must make sense. What it says about the place of a damage
 * is for a human; -EBADMSG is for scripts.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/row.h"
#include "store/segment_file.h"
#include "store/segment_scan.h"

/* Beyond this many the findings only repeat themselves. */
#define MAX_FINDINGS 100

struct verify {
	struct buffer findings;
	uint64_t n; /* findings */
	uint32_t next_seq;
	bool in_epoch;
	bool indexed; /* behind the INDEX frame: only the footer may follow */
	uint64_t index_offset;
	uint64_t tail; /* offset of bytes that are no frame, with nothing behind them so far */
	uint64_t tail_bytes;
	struct segment_check out;
};

static void _printf_(2, 3) finding(struct verify *v, const char *format, ...)
{
	va_list ap;
	char line[512];

	if (v->n++ >= MAX_FINDINGS)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	buffer_printf(&v->findings, "%s\n", line);
}

static void flush_tail(struct verify *v)
{
	if (v->tail_bytes)
		finding(v, "at %" PRIu64 ": %" PRIu64 " bytes are damaged", v->tail, v->tail_bytes);
	v->tail_bytes = 0;
}

static void check_place(struct verify *v, uint64_t offset, const struct frame_head *h)
{
	if (h->seq > v->next_seq)
		finding(v, "at %" PRIu64 ": frame %" PRIu32 " follows frame %" PRId64, offset,
			h->seq, (int64_t)v->next_seq - 1);
	else if (h->seq < v->next_seq)
		finding(v, "at %" PRIu64 ": frame %" PRIu32 " comes again", offset, h->seq);
	if ((h->seq == 0) != (h->type == FRAME_HEADER))
		finding(v, "at %" PRIu64 ": frame %" PRIu32 " is of type %u", offset, h->seq,
			h->type);
	if (v->indexed && h->type != FRAME_FOOTER)
		finding(v, "at %" PRIu64 ": a frame behind the index", offset);
	if (h->seq != v->next_seq)
		v->in_epoch = false;
	v->next_seq = h->seq + 1;
}

static int check_part(void *userdata, uint64_t offset, uint64_t size, const struct frame_head *h)
{
	struct verify *v = userdata;

	flush_tail(v);
	if (!h) {
		v->in_epoch = false;
		v->tail = offset;
		v->tail_bytes = size;
		return 0;
	}
	check_place(v, offset, h);
	if (h->type == FRAME_INDEX) {
		v->indexed = true;
		v->index_offset = offset;
	}
	if (h->type != FRAME_BLOCK)
		return 0;
	v->in_epoch |= h->flags & FRAME_EPOCH_START;
	if (!v->in_epoch)
		finding(v,
			"at %" PRIu64 ": %" PRIu32
			" samples cannot be read: the start of their epoch is lost",
			offset, h->samples);
	return 0;
}

static bool same_epoch(const struct segment_epoch *a, const struct segment_epoch *b)
{
	return a->offset == b->offset && a->end == b->end && a->first_ns == b->first_ns &&
	       a->last_ns == b->last_ns && a->samples == b->samples;
}

/* The index must say what the scan found. */
static int check_index(struct verify *v, int fd, const struct segment_scan *scan)
{
	_cleanup_(epoch_list_done) struct epoch_list index = { 0 };
	uint64_t frames;
	int r = segment_read_index(fd, scan->good_bytes + scan->lost_bytes, &index, &frames);

	if (r == -EBADMSG) {
		finding(v, "the index or the footer is damaged");
		return 0;
	}
	if (r < 0)
		return r;
	if (frames != v->next_seq)
		finding(v, "the footer counts %" PRIu64 " frames, there are %" PRIu32, frames,
			v->next_seq);
	if (index.n != scan->epochs.n)
		finding(v, "the index lists %zu epochs, there are %zu", index.n, scan->epochs.n);
	for (size_t i = 0; i < MIN(index.n, scan->epochs.n); i++)
		if (!same_epoch(&index.items[i], &scan->epochs.items[i]))
			finding(v, "the index is wrong about epoch %zu", i);
	return 0;
}

static int scan_file(struct verify *v, int fd, bool active)
{
	struct segment_scan scan;
	int r = segment_scan(fd, true, check_part, v, &scan);

	if (r == -EBADMSG || r == -EPROTONOSUPPORT)
		finding(v, r == -EBADMSG ? "it is not a segment file"
					 : "it is in a newer format than this program reads");
	if (r < 0)
		return r;
	if (scan.torn_bytes)
		v->tail_bytes = 0;
	flush_tail(v);
	if (!scan.sealed && !active)
		finding(v, "it is cut off: there is no footer at its end");
	r = scan.sealed ? check_index(v, fd, &scan) : 0;
	v->out.sealed = scan.sealed;
	v->out.bytes = scan.good_bytes + scan.lost_bytes;
	v->out.frames = scan.frames;
	v->out.skipped_frames = scan.skipped_frames;
	v->out.torn_bytes = scan.torn_bytes;
	segment_scan_done(&scan);
	return r;
}

static int check_epoch(struct verify *v, struct segment_reader *reader, size_t epoch)
{
	const struct segment_epoch *e = &segment_reader_info(reader)->epochs[epoch];
	_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
	_cleanup_(row_coder_freep) struct row_coder *rows = row_coder_new();
	uint64_t samples = 0, records = 0;
	struct record record;
	struct row row;
	int r = epoch_walk_open(reader, epoch, &walk);

	if (r < 0 || !rows)
		return r < 0 ? r : -ENOMEM;
	while ((r = epoch_walk_next(walk, &record)) == 1) {
		records++;
		samples += record.type == RECORD_SAMPLE;
		v->out.skipped_records += record.type > RECORD_ROW;
		r = row_get(rows, &record, &row);
		if (r < 0)
			break;
		v->out.rows += r;
	}
	v->out.records += records;
	v->out.samples += samples;
	if (r == -EBADMSG)
		finding(v,
			"epoch %zu at %" PRIu64 ": damaged behind %" PRIu64 " of %" PRIu64
			" samples",
			epoch, e->offset, samples, e->samples);
	else if (r == 0 && samples != e->samples)
		finding(v, "epoch %zu at %" PRIu64 ": %" PRIu64 " samples instead of %" PRIu64,
			epoch, e->offset, samples, e->samples);
	return r == -EBADMSG ? 0 : r;
}

static int check_records(struct verify *v, const char *path)
{
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL;
	int r = segment_reader_open(path, &reader, &error);

	if (r < 0)
		return r;
	v->out.epochs = segment_reader_info(reader)->n_epochs;
	for (size_t i = 0; i < v->out.epochs; i++) {
		r = check_epoch(v, reader, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_active(const char *path)
{
	size_t n = strlen(path), suffix = strlen(SEGMENT_ACTIVE);

	return n > suffix && strcmp(path + n - suffix, SEGMENT_ACTIVE) == 0;
}

static int verify_file(struct verify *v, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = fd < 0 ? -errno : scan_file(v, fd, is_active(path));

	if (r >= 0)
		r = check_records(v, path);
	return r == -EPROTONOSUPPORT ? -EBADMSG : r;
}

int segment_verify(const char *path, struct segment_check *ret)
{
	struct verify v = { 0 };
	int r = verify_file(&v, path);

	if (r < 0 && r != -EBADMSG) {
		buffer_done(&v.findings);
		return r;
	}
	if (v.n > MAX_FINDINGS)
		buffer_printf(&v.findings, "... and %" PRIu64 " more\n", v.n - MAX_FINDINGS);
	v.out.findings = buffer_take_string(&v.findings);
	if (!v.out.findings) {
		buffer_done(&v.findings);
		return -ENOMEM;
	}
	*ret = v.out;
	return v.n ? -EBADMSG : 0;
}
