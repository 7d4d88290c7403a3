// SPDX-License-Identifier: Apache-2.0
/*
 * A ring of any content, read record by record into a process table: nothing is read beyond a
 * record, no mapping list is out of order, and the ring is always emptied.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/process.h"
#include "process/sideband.h"
#include "util/cleanup.h"
#include "util/perf_ring.h"

#define RING_SIZE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_process(struct process_table *t, uint32_t pid, uint64_t time)
{
	const struct process *p = process_table_get(t, pid, time & 3, time);
	const struct mappings *m = p->mappings;

	require(p->exe && p->cgroup && p->unit && p->container);
	for (size_t i = 0; m && i < m->n; i++) {
		require(m->list[i].start < m->list[i].end && m->list[i].object);
		require(i == 0 || m->list[i - 1].end <= m->list[i].start);
		require(mappings_find(m, m->list[i].start) == &m->list[i]);
		require(mappings_find(m, m->list[i].end - 1) == &m->list[i]);
	}
}

static void apply(struct process_table *t, const struct perf_event_header *h)
{
	/* Memory that ends where the record does. */
	struct perf_event_header *copy = malloc(h->size);
	uint64_t time = sideband_record_time(h);
	struct sideband_ksymbol symbol;
	uint32_t pid = 0;

	memcpy(copy, h, h->size);
	process_table_apply(t, copy);
	if (sideband_get_ksymbol(copy, &symbol))
		require(strlen(symbol.name) < h->size);
	if (h->size >= sizeof(*h) + sizeof(pid))
		memcpy(&pid, copy + 1, sizeof(pid));
	check_process(t, pid, time);
	if (pid % 8 == 0)
		process_table_forget(t, time);
	free(copy);
}

static void read_ring(struct process_table *t, struct perf_ring *r)
{
	const struct perf_event_header *h;

	perf_ring_refresh(r);
	while ((h = perf_ring_peek(r))) {
		require((uintptr_t)h % 8 == 0);
		apply(t, h);
		perf_ring_pop(r);
	}
	require(r->position == r->head);
	perf_ring_commit(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct process_table_options options = { .procfs = "/nonexistent",
						 .cgroupfs = "/nonexistent" };
	struct object_table *objects = object_table_new();
	struct process_table *t = NULL;
	struct perf_event_mmap_page page = { .data_head = 0 };
	_Alignas(8) uint8_t memory[RING_SIZE];
	struct perf_ring r = { .page = &page, .data = memory, .data_size = RING_SIZE };

	r.bounce = malloc(PERF_RING_RECORD_MAX);
	if (process_table_new(objects, &options, &t) < 0)
		abort();
	while (size > 0) {
		size_t n = MIN(size, (size_t)RING_SIZE);

		for (size_t i = 0; i < n; i++)
			memory[(page.data_head + i) % RING_SIZE] = data[i];
		page.data_head += n;
		read_ring(t, &r);
		page.data_head = page.data_tail; /* a head in the middle of 8 bytes is damage */
		data += n;
		size -= n;
	}
	free(r.bounce);
	process_table_free(t);
	object_table_free(objects);
	return 0;
}
