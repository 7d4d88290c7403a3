// SPDX-License-Identifier: Apache-2.0
/*
 * Encoding of frame heads and of the small payloads (header, index, footer).
 */
#include "store/frame.h"

#include <endian.h>
#include <errno.h>

#include "store/crc32c.h"

#define HEADER_PAYLOAD_MIN 44

static const char file_magic[8] = { 'E', 'B', 'P', 'F', 'P', 'R', 'O', 'F' };

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	v = htole16(v);
	return (uint8_t *)memcpy(p, &v, sizeof(v)) + sizeof(v);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	return (uint8_t *)memcpy(p, &v, sizeof(v)) + sizeof(v);
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	return (uint8_t *)memcpy(p, &v, sizeof(v)) + sizeof(v);
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

void frame_head_encode(const struct frame_head *h, uint8_t out[static FRAME_HEAD_SIZE])
{
	uint8_t *p = put32(out, FRAME_MAGIC);

	*p++ = h->type;
	*p++ = h->flags;
	p = put16(p, 0);
	p = put32(p, h->seq);
	p = put32(p, h->payload_size);
	p = put32(p, h->raw_size);
	p = put32(p, h->samples);
	p = put64(p, h->time_ns);
	p = put64(p, h->first_ns);
	p = put64(p, h->last_ns);
	p = put32(p, h->payload_crc);
	put32(p, crc32c(0, out, FRAME_HEAD_SIZE - 4));
}

int frame_head_decode(const uint8_t in[static FRAME_HEAD_SIZE], struct frame_head *ret)
{
	struct frame_head h;

	if (get32(in) != FRAME_MAGIC)
		return -EBADMSG;
	if (get32(in + FRAME_HEAD_SIZE - 4) != crc32c(0, in, FRAME_HEAD_SIZE - 4))
		return -EBADMSG;
	h = (struct frame_head){
		.type = in[4],
		.flags = in[5],
		.seq = get32(in + 8),
		.payload_size = get32(in + 12),
		.raw_size = get32(in + 16),
		.samples = get32(in + 20),
		.time_ns = get64(in + 24),
		.first_ns = get64(in + 32),
		.last_ns = get64(in + 40),
		.payload_crc = get32(in + 48),
	};
	if (h.payload_size > FRAME_MAX_PAYLOAD || h.raw_size > FRAME_MAX_RAW)
		return -EBADMSG;
	*ret = h;
	return 0;
}

void frame_file_header_encode(const struct frame_file_header *h, struct buffer *out)
{
	uint8_t fixed[HEADER_PAYLOAD_MIN], *p = fixed;

	p = (uint8_t *)memcpy(p, file_magic, sizeof(file_magic)) + sizeof(file_magic);
	p = put16(p, h->major);
	p = put16(p, h->minor);
	p = put64(p, h->realtime_ns);
	p = put64(p, h->monotonic_ns);
	memcpy(p, h->boot_id, sizeof(h->boot_id));
	buffer_put(out, fixed, sizeof(fixed));
	buffer_put_string(out, h->writer);
}

int frame_file_header_decode(const uint8_t *payload, size_t size, struct frame_file_header *ret)
{
	struct frame_file_header h = { 0 };

	if (size < sizeof(file_magic) + 4 || memcmp(payload, file_magic, sizeof(file_magic)) != 0)
		return -EBADMSG;
	h.major = get16(payload + 8);
	h.minor = get16(payload + 10);
	if (h.major > FORMAT_MAJOR)
		return -EPROTONOSUPPORT;
	if (h.major != FORMAT_MAJOR || size < HEADER_PAYLOAD_MIN)
		return -EBADMSG;
	h.realtime_ns = get64(payload + 12);
	h.monotonic_ns = get64(payload + 20);
	memcpy(h.boot_id, payload + 28, sizeof(h.boot_id));
	*ret = h;
	return 0;
}

int epoch_list_add(struct epoch_list *l, const struct segment_epoch *e)
{
	if (l->n == l->capacity) {
		size_t capacity = MAX(l->capacity * 2, (size_t)16);
		struct segment_epoch *items = reallocarray(l->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		l->items = items;
		l->capacity = capacity;
	}
	l->items[l->n++] = *e;
	return 0;
}

void epoch_list_extend(struct epoch_list *l, const struct frame_head *h, uint64_t end)
{
	struct segment_epoch *e = &l->items[l->n - 1];

	e->end = end;
	e->samples += h->samples;
	if (h->last_ns == 0)
		return;
	if (e->last_ns == 0 || h->first_ns < e->first_ns)
		e->first_ns = h->first_ns;
	e->last_ns = MAX(e->last_ns, h->last_ns);
}

void epoch_list_done(struct epoch_list *l)
{
	free(l->items);
	*l = (struct epoch_list){ 0 };
}

void frame_index_encode(const struct epoch_list *epochs, struct buffer *out)
{
	buffer_put_varint(out, epochs->n);
	for (size_t i = 0; i < epochs->n; i++) {
		const struct segment_epoch *e = &epochs->items[i];

		buffer_put_varint(out, e->offset);
		buffer_put_varint(out, e->end);
		buffer_put_varint(out, e->first_ns);
		buffer_put_varint(out, e->last_ns);
		buffer_put_varint(out, e->samples);
	}
}

int frame_index_decode(const uint8_t *payload, size_t size, uint64_t index_offset,
		       struct epoch_list *ret)
{
	struct cursor in = { .pos = payload, .end = payload + size };
	_cleanup_(epoch_list_done) struct epoch_list l = { 0 };
	uint64_t n = cursor_get_varint(&in), previous_end = 0;
	int r;

	for (uint64_t i = 0; i < n; i++) {
		struct segment_epoch e = { .offset = cursor_get_varint(&in) };

		e.end = cursor_get_varint(&in);
		e.first_ns = cursor_get_varint(&in);
		e.last_ns = cursor_get_varint(&in);
		e.samples = cursor_get_varint(&in);
		if (in.error || e.offset < previous_end || e.end <= e.offset ||
		    e.end > index_offset)
			return -EBADMSG;
		previous_end = e.end;
		r = epoch_list_add(&l, &e);
		if (r < 0)
			return r;
	}
	if (in.error || in.pos != in.end)
		return -EBADMSG;
	*ret = l;
	l = (struct epoch_list){ 0 };
	return 0;
}

void frame_footer_encode(uint64_t index_offset, uint64_t frames,
			 uint8_t out[static FOOTER_PAYLOAD_SIZE])
{
	put64(put64(out, index_offset), frames);
}

void frame_footer_decode(const uint8_t in[static FOOTER_PAYLOAD_SIZE], uint64_t *ret_index_offset,
			 uint64_t *ret_frames)
{
	*ret_index_offset = get64(in);
	*ret_frames = get64(in + 8);
}
