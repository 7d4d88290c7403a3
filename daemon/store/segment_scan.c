// SPDX-License-Identifier: Apache-2.0
/*
 * Frames follow each other without a gap, so that a walk needs nothing but the heads. Where a head
 * is damaged, the next good one is searched byte by byte. A block belongs to the epoch before it
 * only when nothing is missing between: the frames' sequence numbers tell.
 */
#include "store/segment_scan.h"

#include <errno.h>
#include <sys/stat.h>

#include "store/crc32c.h"

#define SEARCH_BYTES 65536
/* A file whose header frame is damaged is still a segment when a good frame begins this early. */
#define FOREIGN_BYTES 65536
#define HEADER_PAYLOAD_MAX 4096

struct scan {
	int fd;
	bool check_payloads;
	uint64_t size; /* of the file */
	bool in_epoch; /* blocks continue the last epoch */
	uint32_t next_seq;
	uint64_t good_end; /* behind the last good frame */
	uint8_t last_type;
	segment_scan_part each;
	void *userdata;
	struct buffer payload;
	struct segment_scan out;
};

int read_fully(int fd, uint64_t offset, void *out, size_t size)
{
	uint8_t *p = out;

	while (size > 0) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		offset += (size_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int segment_read_frame(int fd, uint64_t offset, struct frame_head *ret, struct buffer *payload)
{
	uint8_t raw[FRAME_HEAD_SIZE];
	int r = read_fully(fd, offset, raw, sizeof(raw));

	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	r = frame_head_decode(raw, ret);
	if (r < 0)
		return r;
	buffer_reset(payload);
	if (!buffer_reserve(payload, MAX(ret->payload_size, 1U)))
		return payload->error;
	r = read_fully(fd, offset + sizeof(raw), payload->data, ret->payload_size);
	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	payload->size = ret->payload_size;
	return crc32c(0, payload->data, payload->size) == ret->payload_crc ? 0 : -EBADMSG;
}

int segment_read_header(int fd, struct frame_file_header *ret)
{
	_cleanup_(buffer_donep) struct buffer payload = { 0 };
	struct frame_head h;
	int r = segment_read_frame(fd, 0, &h, &payload);

	if (r < 0)
		return r;
	return h.type == FRAME_HEADER ? frame_file_header_decode(payload.data, payload.size, ret)
				      : -EBADMSG;
}

int segment_read_index(int fd, uint64_t size, struct epoch_list *ret, uint64_t *ret_frames)
{
	_cleanup_(buffer_donep) struct buffer payload = { 0 };
	uint64_t footer_size = FRAME_HEAD_SIZE + FOOTER_PAYLOAD_SIZE, index_offset, frames;
	struct frame_head h;
	int r;

	if (size < footer_size)
		return -EBADMSG;
	r = segment_read_frame(fd, size - footer_size, &h, &payload);
	if (r < 0)
		return r;
	if (h.type != FRAME_FOOTER || payload.size != FOOTER_PAYLOAD_SIZE)
		return -EBADMSG;
	frame_footer_decode(payload.data, &index_offset, &frames);
	if (index_offset > size)
		return -EBADMSG;
	r = segment_read_frame(fd, index_offset, &h, &payload);
	if (r < 0)
		return r;
	if (h.type != FRAME_INDEX)
		return -EBADMSG;
	r = frame_index_decode(payload.data, payload.size, index_offset, ret);
	if (r < 0)
		return r;
	*ret_frames = frames;
	return 0;
}

void segment_scan_done(struct segment_scan *s)
{
	epoch_list_done(&s->epochs);
}

/* The offset of the next good head in [from, to), or `to`. */
static int find_head(struct scan *s, uint64_t from, uint64_t to, uint64_t *ret)
{
	_cleanup_free_ uint8_t *window = malloc(SEARCH_BYTES);
	struct frame_head h;

	if (!window)
		return -ENOMEM;
	while (from + FRAME_HEAD_SIZE <= to) {
		size_t n = (size_t)MIN((uint64_t)SEARCH_BYTES, to - from), last;
		int r = read_fully(s->fd, from, window, n);

		if (r < 0)
			return r;
		last = n - FRAME_HEAD_SIZE;
		for (size_t i = 0; i <= last; i++)
			if (frame_head_decode(window + i, &h) == 0) {
				*ret = from + i;
				return 0;
			}
		from += last + 1;
	}
	*ret = to;
	return 0;
}

/* 1: good; 0: its checksum is wrong; -ENODATA: the file ends before it does. */
static int check_payload(struct scan *s, uint64_t offset, const struct frame_head *h)
{
	int r;

	if (offset + FRAME_HEAD_SIZE + h->payload_size > s->size)
		return -ENODATA;
	if (!s->check_payloads && h->type != FRAME_HEADER)
		return 1;
	buffer_reset(&s->payload);
	if (!buffer_reserve(&s->payload, h->payload_size))
		return s->payload.error;
	r = read_fully(s->fd, offset + FRAME_HEAD_SIZE, s->payload.data, h->payload_size);
	if (r < 0)
		return r;
	return crc32c(0, s->payload.data, h->payload_size) == h->payload_crc;
}

static int take_block(struct scan *s, uint64_t offset, const struct frame_head *h, uint64_t end)
{
	int r;

	if (h->flags & FRAME_EPOCH_START) {
		r = epoch_list_add(&s->out.epochs, &(struct segment_epoch){ .offset = offset });
		if (r < 0)
			return r;
		s->in_epoch = true;
	}
	if (s->in_epoch)
		epoch_list_extend(&s->out.epochs, h, end);
	else
		s->out.lost_bytes += end - offset;
	return 0;
}

static int take_frame(struct scan *s, uint64_t offset, const struct frame_head *h)
{
	uint64_t end = offset + FRAME_HEAD_SIZE + h->payload_size;
	int r;

	if (h->seq != s->next_seq)
		s->in_epoch = false;
	s->next_seq = h->seq + 1;
	s->out.frames++;
	s->good_end = end;
	s->last_type = h->type;
	if (h->type != FRAME_INDEX && h->type != FRAME_FOOTER) {
		s->out.content_end = end;
		s->out.content_seq = s->next_seq;
	}
	switch (h->type) {
	case FRAME_HEADER:
		r = frame_file_header_decode(s->payload.data, h->payload_size, &s->out.header);
		break;
	case FRAME_BLOCK:
		r = take_block(s, offset, h, end);
		break;
	case FRAME_INDEX:
	case FRAME_FOOTER:
		s->in_epoch = false;
		r = 0;
		break;
	default:
		s->out.skipped_frames++;
		r = 0;
	}
	return r < 0 || !s->each ? r : s->each(s->userdata, offset, end - offset, h);
}

static int damage(struct scan *s, uint64_t offset, uint64_t bytes)
{
	s->out.damaged_frames++;
	s->out.lost_bytes += bytes;
	s->in_epoch = false;
	return s->each ? s->each(s->userdata, offset, bytes, NULL) : 0;
}

/* What follows the last good frame: mostly a frame that was not written to its end. */
static int take_tail(struct scan *s, uint64_t offset)
{
	if (s->out.frames == 0)
		return -EBADMSG;
	if (offset == s->size)
		return 0;
	s->out.torn_bytes = s->size - offset;
	s->out.lost_bytes += s->out.torn_bytes;
	return s->each ? s->each(s->userdata, offset, s->out.torn_bytes, NULL) : 0;
}

/* Is the rest of the file zero, as a file system leaves what it had not written at a power loss? */
static int is_zero(struct scan *s, uint64_t offset)
{
	uint8_t window[4096];

	for (size_t n; offset < s->size; offset += n) {
		int r;

		n = (size_t)MIN((uint64_t)sizeof(window), s->size - offset);
		r = read_fully(s->fd, offset, window, n);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (window[i])
				return 0;
	}
	return 1;
}

/* Skips what is not a head. -ENODATA: the file ends here. */
static int resync(struct scan *s, uint64_t *offset)
{
	uint64_t limit = s->out.frames ? s->size : MIN(s->size, (uint64_t)FOREIGN_BYTES), next,
		 at = *offset;
	int r = find_head(s, at + 1, limit, &next);

	if (r < 0)
		return r;
	if (next == limit) {
		r = is_zero(s, at);
		if (r != 0)
			return r < 0 ? r : -ENODATA;
		next = s->size;
	}
	*offset = next;
	return damage(s, at, next - at);
}

/* The frame at *offset, or what is there instead. -ENODATA: nothing more. */
static int scan_one(struct scan *s, uint64_t *offset)
{
	uint8_t raw[FRAME_HEAD_SIZE];
	struct frame_head h;
	uint64_t size;
	int r;

	if (*offset + FRAME_HEAD_SIZE > s->size)
		return -ENODATA;
	r = read_fully(s->fd, *offset, raw, sizeof(raw));
	if (r < 0)
		return r;
	if (frame_head_decode(raw, &h) < 0)
		return resync(s, offset);
	size = FRAME_HEAD_SIZE + (uint64_t)h.payload_size;
	r = check_payload(s, *offset, &h);
	if (r < 0)
		return r;
	r = r ? take_frame(s, *offset, &h) : damage(s, *offset, size);
	*offset += size;
	return r;
}

static int scan_frames(struct scan *s)
{
	uint64_t offset = 0;
	int r;

	do
		r = scan_one(s, &offset);
	while (r >= 0);
	return r == -ENODATA ? take_tail(s, offset) : r;
}

int segment_scan(int fd, bool check_payloads, segment_scan_part each, void *userdata,
		 struct segment_scan *ret)
{
	struct scan s = {
		.fd = fd, .check_payloads = check_payloads, .each = each, .userdata = userdata
	};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	s.size = (uint64_t)st.st_size;
	r = scan_frames(&s);
	buffer_done(&s.payload);
	if (r < 0) {
		segment_scan_done(&s.out);
		return r;
	}
	s.out.good_bytes = s.size - s.out.lost_bytes;
	s.out.sealed = s.last_type == FRAME_FOOTER && s.good_end == s.size;
	*ret = s.out;
	return 0;
}
