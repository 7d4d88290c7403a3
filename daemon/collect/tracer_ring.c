// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "collect/tracer_ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

#include "util/buffer.h"

#define MAX_EVENTS 20000 /* of one drain: then others have their turn */
#define MAX_BYTES (16U << 20) /* of one drain */

/* An event of the batch, by its place in the bytes. */
struct place {
	uint64_t time_ns;
	size_t offset, size;
};

struct tracer_ring {
	struct ring_buffer *bpf;
	struct perf_buffer *perf;
	struct buffer bytes; /* of one drain, each event at a multiple of 8 */
	struct place *places;
	size_t n;
	bool enough; /* the drain took what it may */
	uint64_t *seq; /* the last one of each CPU */
	size_t cpus;
	uint64_t received, damaged;
	int64_t gaps; /* an event that overtook another is a gap until the other comes */
};

static void follow_sequence(struct tracer_ring *r, const struct record_head *h)
{
	uint64_t *last;

	if (h->cpu >= r->cpus)
		return;
	last = &r->seq[h->cpu];
	if (h->seq > *last) {
		r->gaps += (int64_t)(h->seq - *last - 1);
		*last = h->seq;
	} else {
		r->gaps--;
	}
}

/* Negative: this one was kept, but no more are to come. */
static int keep(struct tracer_ring *r, const void *data, size_t size)
{
	struct record_head head;
	size_t offset = r->bytes.size, padded = (size + 7) & ~(size_t)7;

	if (size < sizeof(head)) {
		r->damaged++;
		return 0;
	}
	memcpy(&head, data, sizeof(head));
	if (head.size < sizeof(head) || head.size > size || !buffer_reserve(&r->bytes, padded)) {
		r->damaged++;
		return 0;
	}
	follow_sequence(r, &head);
	memcpy(r->bytes.data + offset, data, size);
	r->bytes.size += padded;
	r->places[r->n++] =
		(struct place){ .time_ns = head.time_ns, .offset = offset, .size = head.size };
	r->enough = r->n == MAX_EVENTS || r->bytes.size > MAX_BYTES;
	return r->enough ? -ENOBUFS : 0;
}

static int take_bpf_event(void *userdata, void *data, size_t size)
{
	return keep(userdata, data, size);
}

static enum bpf_perf_event_ret take_perf_event(void *userdata, int cpu, struct perf_event_header *h)
{
	const uint8_t *body = (const uint8_t *)(h + 1);
	uint32_t size;

	(void)cpu;
	if (h->type != PERF_RECORD_SAMPLE || h->size < sizeof(*h) + sizeof(size))
		return LIBBPF_PERF_EVENT_CONT;
	memcpy(&size, body, sizeof(size));
	if (size > h->size - sizeof(*h) - sizeof(size))
		return LIBBPF_PERF_EVENT_CONT;
	/* An error ends the whole round; "done" would only end this CPU's. */
	return keep(userdata, body + sizeof(size), size) < 0 ? LIBBPF_PERF_EVENT_ERROR
							     : LIBBPF_PERF_EVENT_CONT;
}

static size_t power_of_two(size_t bytes)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	while (size < bytes)
		size *= 2;
	return size;
}

static int map_fd(struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static int open_perf(struct tracer_ring *r, const struct tracer *t)
{
	size_t bytes = power_of_two(t->ring_bytes / 2);
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = t->wake_each ? 1 : (uint32_t)(bytes / 4),
	};
	size_t pages = bytes / (size_t)sysconf(_SC_PAGESIZE);

	/* Without CAP_IPC_LOCK, perf_event_mlock_kb may be used up: a smaller ring beats none. */
	do {
		r->perf = perf_buffer__new_raw(map_fd(t->object, "event_perf_rings"), pages, &attr,
					       take_perf_event, r, NULL);
		if (r->perf || errno != EPERM)
			break;
		attr.wakeup_watermark = MAX(attr.wakeup_watermark / 2, 1U);
		pages /= 2;
	} while (pages >= 4);
	return r->perf ? 0 : -errno;
}

static int open_bpf(struct tracer_ring *r, struct bpf_object *object)
{
	r->bpf = ring_buffer__new(map_fd(object, "event_bpf_ring"), take_bpf_event, r, NULL);
	return r->bpf ? 0 : -errno;
}

int tracer_ring_open(const struct tracer *t, bool bpf, struct tracer_ring **ret)
{
	struct event_knobs knobs = {
		.bpf_ring = bpf,
		.wake_bytes = t->wake_each ? 0 : (uint32_t)(t->ring_bytes / 4),
	};
	struct tracer_ring *r = calloc(1, sizeof(*r));
	uint32_t zero = 0;
	int error;

	if (!r)
		return -ENOMEM;
	r->cpus = t->cpus;
	r->seq = calloc(t->cpus, sizeof(*r->seq));
	r->places = calloc(MAX_EVENTS, sizeof(*r->places));
	error = !r->seq || !r->places ? -ENOMEM : bpf ? open_bpf(r, t->object) : open_perf(r, t);
	if (error == 0)
		error = bpf_map_update_elem(map_fd(t->object, "event_knobs"), &zero, &knobs,
					    BPF_ANY);
	if (error < 0) {
		tracer_ring_close(r);
		return error;
	}
	*ret = r;
	return 0;
}

struct tracer_ring *tracer_ring_close(struct tracer_ring *r)
{
	if (!r)
		return NULL;
	ring_buffer__free(r->bpf);
	perf_buffer__free(r->perf);
	buffer_done(&r->bytes);
	free(r->places);
	free(r->seq);
	free(r);
	return NULL;
}

int tracer_ring_fd(const struct tracer_ring *r)
{
	return r->bpf ? ring_buffer__epoll_fd(r->bpf) : perf_buffer__epoll_fd(r->perf);
}

static int by_time(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int tracer_ring_drain(struct tracer_ring *r,
		      void (*each)(const struct record_head *event, size_t size, void *userdata),
		      void *userdata)
{
	int error;

	r->n = 0;
	r->enough = false;
	buffer_reset(&r->bytes);
	error = r->bpf ? ring_buffer__consume(r->bpf) : perf_buffer__consume(r->perf);
	if (r->n)
		qsort(r->places, r->n, sizeof(*r->places), by_time);
	for (size_t i = 0; i < r->n; i++)
		each((const struct record_head *)(r->bytes.data + r->places[i].offset),
		     r->places[i].size, userdata);
	r->received += r->n;
	/* What one storm took is not held for ever. */
	if (r->bytes.capacity > MAX_BYTES / 16)
		buffer_done(&r->bytes);
	return error < 0 && !r->enough ? error : 0;
}

void tracer_ring_get_counts(const struct tracer_ring *r, uint64_t *ret_received, uint64_t *ret_gaps,
			    uint64_t *ret_damaged)
{
	*ret_received = r->received;
	*ret_gaps = r->bpf || r->gaps < 0 ? 0 : (uint64_t)r->gaps;
	*ret_damaged = r->damaged;
}
