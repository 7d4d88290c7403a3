// SPDX-License-Identifier: Apache-2.0
// A perf ring gives every record whole and in order, wrapped or not, and survives any content.
#include "util/perf_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"

#define DATA_SIZE 4096

/* Memory that looks like a mapped ring, and the kernel's side of it. */
static void fake_init(struct perf_ring *r)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory = mmap(NULL, page_size + DATA_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	*r = (struct perf_ring){
		.page = (struct perf_event_mmap_page *)memory,
		.data = memory + page_size,
		.data_size = DATA_SIZE,
		.bounce = malloc(PERF_RING_RECORD_MAX),
	};
	assert_non_null(r->bounce);
}

static void kernel_write(struct perf_ring *r, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)r->data)[(r->page->data_head + i) % DATA_SIZE] =
			((const uint8_t *)data)[i];
	r->page->data_head += size;
}

/* A record of `size` bytes whose body counts up from `seed`. */
static void kernel_put(struct perf_ring *r, uint16_t size, uint8_t seed)
{
	struct perf_event_header h = { .type = seed, .size = size };
	uint8_t record[DATA_SIZE];

	memcpy(record, &h, sizeof(h));
	for (size_t i = sizeof(h); i < size; i++)
		record[i] = (uint8_t)(seed + i);
	kernel_write(r, record, size);
}

static void expect(struct perf_ring *r, uint16_t size, uint8_t seed)
{
	const struct perf_event_header *h = perf_ring_peek(r);

	assert_non_null(h);
	assert_int_equal((uintptr_t)h % 8, 0);
	assert_int_equal(h->type, seed);
	assert_int_equal(h->size, size);
	for (size_t i = sizeof(*h); i < size; i++)
		assert_int_equal(((const uint8_t *)h)[i], (uint8_t)(seed + i));
}

// Records of every size that fits come back equal while the ring wraps a hundred times.
static void test_wrap(void **state)
{
	_cleanup_(perf_ring_done) struct perf_ring r;
	unsigned int random = 1;

	(void)state;
	fake_init(&r);
	for (unsigned int i = 0; r.page->data_head < 100 * DATA_SIZE; i++) {
		uint16_t size[3];
		size_t n, sum = 0;

		for (n = 0; n < 3; n++) {
			random = random * 1103515245 + 12345;
			size[n] = (uint16_t)(8 + random / 65536 % (DATA_SIZE / 8) * 8);
			if (sum + size[n] > DATA_SIZE)
				break;
			sum += size[n];
			kernel_put(&r, size[n], (uint8_t)(i + n));
		}
		perf_ring_refresh(&r);
		for (size_t k = 0; k < n; k++) {
			expect(&r, size[k], (uint8_t)(i + k));
			expect(&r, size[k], (uint8_t)(i + k)); /* looking twice changes nothing */
			perf_ring_pop(&r);
		}
		assert_null(perf_ring_peek(&r));
		perf_ring_commit(&r);
		assert_int_equal(r.page->data_tail, r.page->data_head);
	}
	assert_int_equal(r.damaged, 0);
}

// What comes after a refresh is not seen, and space is given back by commit only.
static void test_positions(void **state)
{
	_cleanup_(perf_ring_done) struct perf_ring r;

	(void)state;
	fake_init(&r);
	perf_ring_refresh(&r);
	assert_null(perf_ring_peek(&r));
	kernel_put(&r, 64, 1);
	assert_null(perf_ring_peek(&r));
	perf_ring_refresh(&r);
	kernel_put(&r, 32, 2);
	expect(&r, 64, 1);
	perf_ring_pop(&r);
	perf_ring_pop(&r); /* nothing is peeked: nothing to pop */
	assert_null(perf_ring_peek(&r));
	assert_int_equal(r.page->data_tail, 0);
	perf_ring_commit(&r);
	assert_int_equal(r.page->data_tail, 64);
	perf_ring_refresh(&r);
	expect(&r, 32, 2);
	perf_ring_commit(&r);
	assert_int_equal(r.page->data_tail, 64);
}

// An impossible size skips to the head and is counted; what comes later is read again.
static void test_damage(void **state)
{
	static const struct {
		int line;
		uint16_t size;
		size_t written;
	} rows[] = {
		{ __LINE__, 0, 64 },	{ __LINE__, 1, 64 },  { __LINE__, 7, 64 },
		{ __LINE__, 12, 64 },	{ __LINE__, 72, 64 }, { __LINE__, 65528, 64 },
		{ __LINE__, 65535, 8 }, { __LINE__, 16, 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(perf_ring_done) struct perf_ring r;
		uint8_t bytes[64] = { 0 };
		struct perf_event_header h = { .size = rows[i].size };

		fake_init(&r);
		kernel_put(&r, 24, 5);
		memcpy(bytes, &h, sizeof(h));
		kernel_write(&r, bytes, rows[i].written);
		perf_ring_refresh(&r);
		expect(&r, 24, 5);
		perf_ring_pop(&r);
		if (perf_ring_peek(&r) || r.damaged != 1)
			fail_msg("row of line %d", rows[i].line);
		perf_ring_commit(&r);
		assert_int_equal(r.page->data_tail, r.page->data_head);
		kernel_put(&r, 4000, 6);
		perf_ring_refresh(&r);
		expect(&r, 4000, 6);
	}
}

// A head that is not aligned, behind the tail, or further than the ring is long is damage as well.
static void test_impossible_head(void **state)
{
	static const struct {
		int line;
		uint64_t head;
	} rows[] = {
		{ __LINE__, 1001 },
		{ __LINE__, DATA_SIZE + 1008 },
		{ __LINE__, 992 },
		{ __LINE__, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(perf_ring_done) struct perf_ring r;

		fake_init(&r);
		r.page->data_head = r.page->data_tail = r.head = r.position = 1000;
		r.page->data_head = rows[i].head;
		perf_ring_refresh(&r);
		if (perf_ring_peek(&r) || r.damaged != 1)
			fail_msg("row of line %d", rows[i].line);
	}
}

// A ring without memory is empty, and sizes the kernel cannot map are refused.
static void test_unmapped(void **state)
{
	struct perf_ring r = { 0 };

	(void)state;
	perf_ring_refresh(&r);
	assert_null(perf_ring_peek(&r));
	perf_ring_pop(&r);
	perf_ring_commit(&r);
	perf_ring_done(&r);
	assert_true(perf_ring_open(&r, -1, 0) < 0);
	assert_true(perf_ring_open(&r, -1, 1000) < 0);
	assert_true(perf_ring_open(&r, -1, 3 * 4096) < 0);
	assert_true(perf_ring_open(&r, -1, 65536) < 0);
	assert_null(r.page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),	 cmocka_unit_test(test_positions),
		cmocka_unit_test(test_damage),	 cmocka_unit_test(test_impossible_head),
		cmocka_unit_test(test_unmapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
