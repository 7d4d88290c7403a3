// SPDX-License-Identifier: Apache-2.0
/*
 * The memory ordering is the one perf_event_open(2) and kernel/events/ring_buffer.c pair with: the
 * head is loaded with acquire before any byte of a record, the tail is stored with release after
 * the last.
 *
 * Invariant: tail <= position <= head <= tail + data_size, and all of them are multiples of 8, so
 * that a record's header never wraps, only its body does.
 */
#include "util/perf_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "util/cleanup.h"

#define RECORD_ALIGN 8

int perf_ring_open(struct perf_ring *r, int fd, size_t data_size)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_free_ uint8_t *bounce = NULL;
	void *page;

	*r = (struct perf_ring){ 0 };
	if (data_size < page_size || (data_size & (data_size - 1)))
		return -EINVAL;
	bounce = malloc(PERF_RING_RECORD_MAX);
	if (!bounce)
		return -ENOMEM;
	page = mmap(NULL, page_size + data_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*r = (struct perf_ring){
		.page = page,
		.data = (uint8_t *)page + page_size,
		.data_size = data_size,
		.bounce = TAKE_PTR(bounce),
	};
	r->head = r->position = r->page->data_tail;
	return 0;
}

void perf_ring_done(struct perf_ring *r)
{
	if (r->page)
		munmap(r->page, (size_t)(r->data - (uint8_t *)r->page) + r->data_size);
	free(r->bounce);
	*r = (struct perf_ring){ .damaged = r->damaged };
}

/* Nothing between here and the head can be told apart any more. */
static void skip_to_head(struct perf_ring *r)
{
	r->position = r->head;
	r->peeked = 0;
	r->damaged++;
}

void perf_ring_refresh(struct perf_ring *r)
{
	uint64_t head;

	if (!r->page)
		return;
	head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	r->head = head & ~(uint64_t)(RECORD_ALIGN - 1);
	if (r->head != head || r->head - r->position > r->data_size)
		skip_to_head(r);
}

static const struct perf_event_header *make_whole(struct perf_ring *r, size_t offset, size_t size)
{
	size_t first = r->data_size - offset;

	memcpy(r->bounce, r->data + offset, first);
	memcpy(r->bounce + first, r->data, size - first);
	return (const struct perf_event_header *)r->bounce;
}

const struct perf_event_header *perf_ring_peek(struct perf_ring *r)
{
	size_t offset, size;

	if (r->position == r->head)
		return NULL;
	offset = (size_t)(r->position & (r->data_size - 1));
	size = ((const struct perf_event_header *)(r->data + offset))->size;
	if (size < sizeof(struct perf_event_header) || size % RECORD_ALIGN ||
	    size > r->head - r->position) {
		skip_to_head(r);
		return NULL;
	}
	r->peeked = size;
	if (size > r->data_size - offset)
		return make_whole(r, offset, size);
	return (const struct perf_event_header *)(r->data + offset);
}

void perf_ring_pop(struct perf_ring *r)
{
	r->position += r->peeked;
	r->peeked = 0;
}

void perf_ring_commit(struct perf_ring *r)
{
	/* The page is shared with the kernel's writer: leave its cache line alone when idle. */
	if (r->page && r->page->data_tail != r->position)
		__atomic_store_n(&r->page->data_tail, r->position, __ATOMIC_RELEASE);
}
