// SPDX-License-Identifier: Apache-2.0
/*
 * Both transports behind one face.
 *
 * A perf ring holds PERF_RECORD_SAMPLE {header, u32 size, bytes}, so that the bytes start at 4
 * modulo 8: they are copied once into an aligned record. A BPF ring (kernel/bpf/ringbuf.c) holds
 * {u32 length and flags, u32 page offset, bytes}, 8-byte aligned, and its data pages are mapped
 * twice in a row, so that nothing wraps.
 */
#include <linux/types.h>

#include "sampler/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include "util/cleanup.h"
#include "util/prefetch.h"

#define CACHE_LINE 64
#define EXPECTED_BYTES (8 * CACHE_LINE) /* a record with some fifty frames */

int ring_open_perf(struct ring *r, int cpu, int fd, size_t bytes)
{
	struct ring ring = { .cpu = cpu };
	int error;

	ring.record = malloc(sizeof(*ring.record));
	if (!ring.record)
		return -ENOMEM;
	error = perf_ring_open(&ring.perf, fd, bytes);
	if (error < 0) {
		free(ring.record);
		return error;
	}
	*r = ring;
	return 0;
}

int ring_open_bpf(struct ring *r, int cpu, int map_fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_ring b = { .map_fd = map_fd, .size = bytes };
	void *p;

	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	b.consumer = p;
	p = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (p == MAP_FAILED) {
		int error = -errno;

		munmap(b.consumer, page);
		return error;
	}
	b.producer = p;
	b.data = (const uint8_t *)p + page;
	*r = (struct ring){ .is_bpf = true, .cpu = cpu, .bpf = b };
	return 0;
}

void ring_done(struct ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!r->is_bpf) {
		perf_ring_done(&r->perf);
		free(r->record);
		r->record = NULL;
	} else if (r->bpf.consumer) {
		munmap(r->bpf.consumer, page);
		munmap((void *)r->bpf.producer, page + 2 * r->bpf.size);
		close(r->bpf.map_fd);
		r->bpf.consumer = NULL;
	}
}

void ring_refresh(struct ring *r)
{
	if (!r->is_bpf) {
		if (r->perf.page)
			perf_ring_refresh(&r->perf);
	} else if (r->bpf.consumer) {
		r->bpf.head = __atomic_load_n(r->bpf.producer, __ATOMIC_ACQUIRE);
	}
}

/* Copies a record of `size` bytes out of the ring; NULL when it cannot be one of ours. */
static const struct sample_record *checked(const struct sample_record *rec, size_t size)
{
	size_t words;

	if (size < SAMPLE_RECORD_MIN || rec->head.kind != RECORD_KIND_SAMPLE)
		return NULL;
	if (rec->kernel_frames > SAMPLE_MAX_FRAMES || rec->user_frames > SAMPLE_MAX_FRAMES ||
	    rec->counters > SAMPLE_MAX_COUNTERS)
		return NULL;
	words = (size_t)rec->kernel_frames + rec->user_frames +
		rec->counters * SAMPLE_COUNTER_WORDS +
		(rec->flags & SAMPLE_ACCESS ? SAMPLE_ACCESS_WORDS : 0);
	if (SAMPLE_RECORD_MIN + words * sizeof(__u64) > size)
		return NULL;
	return rec;
}

/* The next record lies behind this one; another CPU wrote it, so that nothing of it is near. */
static void expect_next(const uint8_t *next)
{
	for (size_t line = 0; line < EXPECTED_BYTES; line += CACHE_LINE)
		prefetch(next + line);
}

static const struct sample_record *perf_sample(struct ring *r, const struct perf_event_header *h)
{
	const uint8_t *body = (const uint8_t *)(h + 1);
	uint32_t size;

	if (h->size < sizeof(*h) + sizeof(size))
		return NULL;
	memcpy(&size, body, sizeof(size));
	if (size > h->size - sizeof(*h) - sizeof(size))
		return NULL;
	size = MIN(size, (uint32_t)sizeof(*r->record));
	expect_next((const uint8_t *)h + h->size);
	memcpy(r->record, body + sizeof(size), size);
	return checked(r->record, size);
}

static void count_lost(struct ring *r, const struct perf_event_header *h)
{
	uint64_t lost;

	/* PERF_RECORD_LOST: header, u64 id, u64 lost */
	if (h->size < sizeof(*h) + 2 * sizeof(uint64_t))
		return;
	memcpy(&lost, (const uint8_t *)(h + 1) + sizeof(uint64_t), sizeof(lost));
	r->lost += lost;
}

static const struct sample_record *peek_perf(struct ring *r)
{
	const struct perf_event_header *h;

	if (!r->perf.page)
		return NULL;
	while ((h = perf_ring_peek(&r->perf))) {
		if (h->type == PERF_RECORD_SAMPLE) {
			const struct sample_record *rec = perf_sample(r, h);

			if (rec)
				return rec;
			r->damaged++;
		} else if (h->type == PERF_RECORD_LOST) {
			count_lost(r, h);
		}
		perf_ring_pop(&r->perf);
	}
	return NULL;
}

/* The header word of the record at the position; BUSY while the program still writes it. */
static uint32_t bpf_record_word(const struct bpf_ring *b)
{
	const uint8_t *p = b->data + (b->position & (b->size - 1));

	return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}

static void bpf_ring_advance(struct bpf_ring *b, uint32_t word)
{
	unsigned long length = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

	b->position += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
}

static const struct sample_record *peek_bpf(struct ring *r)
{
	struct bpf_ring *b = &r->bpf;

	if (!b->consumer)
		return NULL;
	while (b->position < b->head) {
		const uint8_t *p = b->data + (b->position & (b->size - 1));
		const struct sample_record *rec;
		uint32_t word = bpf_record_word(b);

		if (word & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			rec = checked((const void *)(p + BPF_RINGBUF_HDR_SZ), word);
			expect_next(p + BPF_RINGBUF_HDR_SZ + (word & ~BPF_RINGBUF_DISCARD_BIT));
			if (rec)
				return rec;
			r->damaged++;
		}
		bpf_ring_advance(b, word);
	}
	return NULL;
}

const struct sample_record *ring_peek(struct ring *r)
{
	return r->is_bpf ? peek_bpf(r) : peek_perf(r);
}

void ring_pop(struct ring *r)
{
	if (r->is_bpf)
		bpf_ring_advance(&r->bpf, bpf_record_word(&r->bpf));
	else
		perf_ring_pop(&r->perf);
}

void ring_commit(struct ring *r)
{
	if (!r->is_bpf) {
		if (r->perf.page)
			perf_ring_commit(&r->perf);
	} else if (r->bpf.consumer) {
		__atomic_store_n(r->bpf.consumer, r->bpf.position, __ATOMIC_RELEASE);
	}
}
