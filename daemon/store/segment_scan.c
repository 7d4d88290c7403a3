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
	segment_scan_frame each;
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

	if (h->seq != s->next_seq) {
		s->out.gaps++;
		s->in_epoch = false;
	}
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
	return r < 0 || !s->each ? r : s->each(s->userdata, offset, h);
}

static void damage(struct scan *s, uint64_t bytes)
{
	s->out.damaged_frames++;
	s->out.lost_bytes += bytes;
	s->in_epoch = false;
}

/* Skips what is not a head. */
static int resync(struct scan *s, uint64_t *offset)
{
	uint64_t limit = s->out.frames ? s->size : MIN(s->size, (uint64_t)FOREIGN_BYTES), next;
	int r = find_head(s, *offset + 1, limit, &next);

	if (r < 0)
		return r;
	if (next == limit) {
		/* A tail that was being written is no damage. */
		s->out.lost_bytes += s->size - *offset;
		*offset = s->size;
		return s->out.frames ? 0 : -EBADMSG;
	}
	damage(s, next - *offset);
	*offset = next;
	return 0;
}

static int scan_frames(struct scan *s)
{
	uint8_t raw[FRAME_HEAD_SIZE];
	struct frame_head h;
	uint64_t offset = 0;
	int r;

	while (offset + FRAME_HEAD_SIZE <= s->size) {
		r = read_fully(s->fd, offset, raw, sizeof(raw));
		if (r < 0)
			return r;
		if (frame_head_decode(raw, &h) < 0) {
			r = resync(s, &offset);
			if (r < 0)
				return r;
			continue;
		}
		r = check_payload(s, offset, &h);
		if (r == -ENODATA)
			break;
		if (r == 0)
			damage(s, FRAME_HEAD_SIZE + h.payload_size);
		else if (r > 0)
			r = take_frame(s, offset, &h);
		if (r < 0)
			return r;
		offset += FRAME_HEAD_SIZE + h.payload_size;
	}
	s->out.lost_bytes += s->size - MIN(offset, s->size);
	return s->out.frames ? 0 : -EBADMSG;
}

int segment_scan(int fd, bool check_payloads, segment_scan_frame each, void *userdata,
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
