// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <linux/perf_event.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/perf_data.h"
#include "profile_fixture.h"
#include "util/parse.h"

/* The header and its sections as tools/perf/Documentation/perf.data-file-format.txt gives them. */
struct section {
	uint64_t offset, size;
};

struct file_header {
	char magic[8];
	uint64_t size, attr_size;
	struct section attrs, data, event_types;
	uint64_t flags[4];
};

struct recording {
	uint8_t *bytes;
	size_t size;
	struct file_header header;
};

/* One sample per cell, `step_ns` apart. */
static void record_cells(struct recording *ret, struct fixture *f, uint64_t first_ns,
			 int64_t step_ns)
{
	_cleanup_(perf_data_freep) struct perf_data *d = NULL;
	_cleanup_fclose_ FILE *out = tmpfile();

	assert_non_null(out);
	assert_int_equal(perf_data_new(out, &d), 0);
	for (size_t i = 0; i < f->p.n_cells; i++) {
		uint64_t time_ns = first_ns + i * (uint64_t)step_ns;
		struct profile_sample s = {
			.realtime_ns = 1700000000000000000 + time_ns,
			.monotonic_ns = time_ns,
			.event = f->cells[i].event,
			.thread = f->cells[i].thread,
			.cpu = 1,
			.node = f->cells[i].node,
			.weight = 1000 + i,
			.access = { 0x1000 + i, i % 2 ? 0x268801042 : 0, i },
		};

		assert_int_equal(perf_data_sample(&f->p, &s, d), 0);
	}
	assert_int_equal(perf_data_finish(d, &f->p), 0);
	fseek(out, 0, SEEK_END);
	ret->size = (size_t)ftell(out);
	ret->bytes = malloc(ret->size);
	rewind(out);
	assert_int_equal(fread(ret->bytes, 1, ret->size, out), ret->size);
	memcpy(&ret->header, ret->bytes, sizeof(ret->header));
}

static void recording_done(struct recording *r)
{
	free(r->bytes);
}

/* The record behind `h`, the first one for NULL; NULL at the end. */
static const struct perf_event_header *next_record(const struct recording *r,
						   const struct perf_event_header *h)
{
	const uint8_t *at = h ? (const uint8_t *)h + h->size : r->bytes + r->header.data.offset;
	const uint8_t *end = r->bytes + r->header.data.offset + r->header.data.size;

	if (at == end)
		return NULL;
	h = (const struct perf_event_header *)at;
	assert_true(at + sizeof(*h) <= end);
	assert_true(h->size >= sizeof(*h) && h->size % 8 == 0 && at + h->size <= end);
	return h;
}

static uint64_t word(const struct perf_event_header *h, size_t i)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)h + 8 + 8 * i, sizeof(v));
	return v;
}

/* The n-th record of a type. */
static const struct perf_event_header *nth(const struct recording *r, uint32_t type, size_t n)
{
	for (const struct perf_event_header *h = next_record(r, NULL); h; h = next_record(r, h))
		if (h->type == type && n-- == 0)
			return h;
	return NULL;
}

/* Header, attributes and ids are where they say, and describe the events that fired. */
static void test_header(void **state)
{
	_cleanup_(recording_done) struct recording r = { 0 };
	struct perf_event_attr attr;
	struct section ids;
	struct fixture f;
	uint64_t id;

	(void)state;
	fixture_init(&f);
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	assert_memory_equal(r.header.magic, "PERFILE2", 8);
	assert_int_equal(r.header.size, sizeof(r.header));
	assert_int_equal(r.header.attr_size, sizeof(attr) + sizeof(ids));
	assert_int_equal(r.header.attrs.size, 2 * r.header.attr_size);
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *at = r.bytes + r.header.attrs.offset + i * r.header.attr_size;

		memcpy(&attr, at, sizeof(attr));
		memcpy(&ids, at + sizeof(attr), sizeof(ids));
		memcpy(&id, r.bytes + ids.offset, sizeof(id));
		assert_int_equal(ids.size, sizeof(id));
		assert_int_equal(id, i + 1);
		assert_int_equal(attr.size, sizeof(attr));
		assert_int_equal(attr.config, f.events[i].config);
		assert_int_equal(attr.freq, f.events[i].rates[0].freq);
		assert_int_equal(attr.sample_period, f.events[i].rates[0].value);
	}
	assert_int_equal(ids.offset + ids.size, r.size);
}

/* The feature table stands behind the data, one entry per bit, and its parts do not overlap. */
static void test_features(void **state)
{
	_cleanup_(recording_done) struct recording r = { 0 };
	struct fixture f;
	const uint8_t *table;
	size_t n;
	uint64_t end;

	(void)state;
	fixture_init(&f);
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	n = (size_t)__builtin_popcountll(r.header.flags[0]);
	end = r.header.data.offset + r.header.data.size;
	table = r.bytes + end;
	end += n * sizeof(struct section);
	for (size_t i = 0; i < n; i++) {
		struct section s;

		memcpy(&s, table + i * sizeof(s), sizeof(s));
		assert_int_equal(s.offset, end);
		end += s.size;
	}
	assert_int_equal(end, r.header.attrs.offset);
	assert_non_null(memmem(table, (size_t)(r.bytes + r.size - table), "box<1>", 7));
	assert_non_null(memmem(table, (size_t)(r.bytes + r.size - table), "page-faults", 12));
}

/* Every sample is there with its id, time, cpu, period, and its chain, kernel half first. */
static void test_samples(void **state)
{
	_cleanup_(recording_done) struct recording r = { 0 };
	static const uint64_t chain[] = {
		7,
		PERF_CONTEXT_KERNEL,
		0xffffffffc0200010,
		0xffffffffc0100310,
		0xffffffff81002010,
		0xffffffff81001010,
		PERF_CONTEXT_USER,
		0x560000001110,
	};
	const struct perf_event_header *h;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	for (size_t i = 0; i < f.p.n_cells; i++) {
		const struct profile_thread *t = &f.threads[f.cells[i].thread];

		h = nth(&r, PERF_RECORD_SAMPLE, i);
		assert_int_equal(word(h, 0), f.cells[i].event + 1);
		assert_int_equal(word(h, 2), f.processes[t->process].pid | (uint64_t)t->tid << 32);
		assert_int_equal(word(h, 3), 10 * NSEC_PER_SEC + i * 1000);
		assert_int_equal(word(h, 4), 1);
		assert_int_equal(word(h, 5), 1000 + i);
		assert_int_equal(8 + 8 * (7 + word(h, 6)), h->size);
	}
	assert_null(nth(&r, PERF_RECORD_SAMPLE, f.p.n_cells));
	h = nth(&r, PERF_RECORD_SAMPLE, 2);
	assert_int_equal(h->misc, PERF_RECORD_MISC_KERNEL);
	assert_int_equal(word(h, 1), chain[2]);
	assert_memory_equal((const uint8_t *)h + 8 + 6 * 8, chain, sizeof(chain));
	/* The second process maps the same file elsewhere. */
	h = nth(&r, PERF_RECORD_SAMPLE, 3);
	assert_int_equal(h->misc, PERF_RECORD_MISC_USER);
	assert_int_equal(word(h, 1), 0x560100001210);
	/* A sample without a stack. */
	h = nth(&r, PERF_RECORD_SAMPLE, 5);
	assert_int_equal(h->misc, PERF_RECORD_MISC_CPUMODE_UNKNOWN);
	assert_int_equal(word(h, 6), 0);
}

/* An event with memory accesses has three more words in its samples, and only that one. */
static void test_memory_access(void **state)
{
	_cleanup_(recording_done) struct recording r = { 0 };
	struct perf_event_attr attrs[2];
	struct fixture f;
	size_t sources = 0;

	(void)state;
	fixture_init(&f);
	f.events[0].memory_access = true;
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	for (size_t i = 0; i < 2; i++)
		memcpy(&attrs[i], r.bytes + r.header.attrs.offset + i * r.header.attr_size,
		       sizeof(attrs[i]));
	assert_int_equal(attrs[0].sample_type ^ attrs[1].sample_type,
			 PERF_SAMPLE_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC);
	for (size_t i = 0; i < f.p.n_cells; i++) {
		const struct perf_event_header *h = nth(&r, PERF_RECORD_SAMPLE, i);
		uint64_t chain = word(h, f.cells[i].event == 0 ? 7 : 6);
		union perf_mem_data_src source;

		if (f.cells[i].event != 0) {
			assert_int_equal(8 + 8 * (7 + chain), h->size);
			continue;
		}
		assert_int_equal(8 + 8 * (10 + chain), h->size);
		assert_int_equal(word(h, 3), 10 * NSEC_PER_SEC + i * 1000);
		assert_int_equal(word(h, 4), 0x1000 + i);
		assert_int_equal(word(h, 5), 1); /* the CPU */
		assert_int_equal(word(h, 8 + chain), i);
		source.val = word(h, 9 + chain);
		assert_int_equal(source.mem_op, i % 2 ? PERF_MEM_OP_LOAD : PERF_MEM_OP_NA);
		sources += source.mem_op != PERF_MEM_OP_NA;
	}
	assert_true(sources > 0);
}

/* What a sample needs stands before it: names, mappings, the kernel's objects; each once. */
static void test_introductions(void **state)
{
	static const struct {
		uint32_t type;
		size_t times;
	} rows[] = {
		{ PERF_RECORD_MMAP, 2 }, /* image, module */
		{ PERF_RECORD_KSYMBOL, 1 },
		{ PERF_RECORD_FORK, 3 }, /* two processes, one more thread */
		{ PERF_RECORD_COMM, 5 },
		{ PERF_RECORD_MMAP2, 6 },
	};
	_cleanup_(recording_done) struct recording r = { 0 };
	const struct perf_event_header *h;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_non_null(nth(&r, rows[i].type, rows[i].times - 1));
		assert_null(nth(&r, rows[i].type, rows[i].times));
	}
	h = nth(&r, PERF_RECORD_MMAP, 0);
	assert_int_equal(word(h, 1), 0xffffffff81000000);
	assert_string_equal((const char *)h + 40, "[kernel.kallsyms]_text");
	h = nth(&r, PERF_RECORD_KSYMBOL, 0);
	assert_int_equal(word(h, 0), 0xffffffffc0200000);
	assert_string_equal((const char *)h + 24, "bpf_prog_0123_x");
	h = nth(&r, PERF_RECORD_MMAP2, 0);
	assert_int_equal(word(h, 1), 0x560000001000);
	assert_int_equal(word(h, 2), 0x2000);
	assert_int_equal(word(h, 3), 0x1000);
	assert_true(h->misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
	assert_int_equal(word(h, 4), 20 | (uint64_t)0x3412 << 32);
	assert_string_equal((const char *)h + 72, "/opt/demo");
	/* The hostile name arrives without control characters, cut to what a comm can hold. */
	h = nth(&r, PERF_RECORD_COMM, 4);
	assert_string_equal((const char *)h + 16, "a;b\\x0a\\x1b[2J");
}

/* An address that means a change of context to perf is not handed to it. */
static void test_context_address(void **state)
{
	static const struct {
		int line;
		uint64_t offset, want;
	} rows[] = {
		{ __LINE__, 0xffffffffffffffff, 0xfffffffffffff000 },
		{ __LINE__, PERF_CONTEXT_USER, 0xfffffffffffff000 },
		{ __LINE__, PERF_CONTEXT_MAX, 0xfffffffffffff000 },
		{ __LINE__, 0xfffffffffffff000, 0xfffffffffffff000 },
		{ __LINE__, 0xffffffffffffefff, 0xffffffffffffefff },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(recording_done) struct recording r = { 0 };
		const struct perf_event_header *h;
		struct fixture f;

		fixture_init(&f);
		f.frames[MAIN] = (struct profile_frame){ NOWHERE, rows[i].offset, { MAIN, MAIN } };
		record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
		h = nth(&r, PERF_RECORD_SAMPLE, 0);
		if (word(h, h->size / 8 - 2) != rows[i].want)
			fail_msg("row at line %d: %" PRIx64, rows[i].line,
				 word(h, h->size / 8 - 2));
	}
}

/* A pid that comes again as another process is introduced again, at its own time. */
static void test_pid_again(void **state)
{
	_cleanup_(recording_done) struct recording r = { 0 };
	const struct perf_event_header *h;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.processes[1].pid = 100;
	f.threads[2].tid = 100;
	f.threads[1] = (struct profile_thread){ 1, 103, "late" };
	f.cells[1].thread = 0;
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	h = nth(&r, PERF_RECORD_FORK, 1);
	assert_int_equal(word(h, 0), 100 | 1ULL << 32);
	assert_int_equal(word(h, 2), 10 * NSEC_PER_SEC + 3 * 1000);
	/* A thread of the second process is introduced behind it, not before. */
	h = nth(&r, PERF_RECORD_FORK, 2);
	assert_int_equal(word(h, 1), 103 | 100ULL << 32);
	assert_true(word(h, 2) >= 10 * NSEC_PER_SEC + 3 * 1000);
}

/* What took the place of another mapping is told anew before a sample in it. */
static void test_mapping_again(void **state)
{
	_cleanup_(recording_done) struct recording r = { 0 };
	static const struct {
		uint32_t type;
		const char *path; /* of a mapping */
	} wanted[] = {
		/* both mappings are told with the process; the one of the sample is the latest */
		{ PERF_RECORD_MMAP2, "/opt/demo" }, { PERF_RECORD_MMAP2, "/lib/libc.so.6" },
		{ PERF_RECORD_MMAP2, "/opt/demo" }, { PERF_RECORD_SAMPLE, NULL },
		{ PERF_RECORD_SAMPLE, NULL },	    { PERF_RECORD_MMAP2, "/lib/libc.so.6" },
		{ PERF_RECORD_SAMPLE, NULL },	    { PERF_RECORD_MMAP2, "/opt/demo" },
		{ PERF_RECORD_SAMPLE, NULL },
	};
	const struct perf_event_header *h = NULL;
	struct fixture f;
	uint32_t program, libc;

	(void)state;
	fixture_init(&f);
	f.mappings[0][0] = (struct record_mapping){ 0, PROGRAM, 0x10000, 0x20000, 0 };
	f.mappings[0][1] = (struct record_mapping){ 0, LIBC, 0x18000, 0x20000, 0x4000 };
	f.processes[0].n_mappings = 2;
	f.frames[MAIN].offset = 0x9000; /* both at 0x19000 */
	f.frames[LIBC_5000].offset = 0x5000;
	program = fixture_node(&f, 0, MAIN, true);
	libc = fixture_node(&f, 0, LIBC_5000, true);
	f.p.n_cells = 0;
	fixture_cell(&f, 0, program, 0, 1, 1);
	fixture_cell(&f, 0, program, 0, 1, 1);
	fixture_cell(&f, 0, libc, 0, 1, 1);
	fixture_cell(&f, 0, program, 0, 1, 1);
	record_cells(&r, &f, 10 * NSEC_PER_SEC, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		do
			h = next_record(&r, h);
		while (h && h->type != PERF_RECORD_MMAP2 && h->type != PERF_RECORD_SAMPLE);
		assert_non_null(h);
		assert_int_equal(h->type, wanted[i].type);
		if (wanted[i].path)
			assert_string_equal((const char *)h + 72, wanted[i].path);
	}
}

/* Time never starts again, and rounds promise no more than holds. */
static void test_times(void **state)
{
	static const struct {
		int line;
		uint64_t first_ns;
		int64_t step_ns;
	} rows[] = {
		{ __LINE__, 1000 * NSEC_PER_SEC, 30 * (int64_t)NSEC_PER_SEC }, /* rounds */
		{ __LINE__, 1000 * NSEC_PER_SEC, -100 * (int64_t)NSEC_PER_SEC }, /* reboots */
		{ __LINE__, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(recording_done) struct recording r = { 0 };
		uint64_t newest = 0, round = 0, allowed = 0;
		struct fixture f;

		fixture_init(&f);
		record_cells(&r, &f, rows[i].first_ns, rows[i].step_ns);
		for (const struct perf_event_header *h = next_record(&r, NULL); h;
		     h = next_record(&r, h)) {
			uint64_t time_ns = h->type == PERF_RECORD_SAMPLE ? word(h, 3)
									 : word(h, h->size / 8 - 4);

			if (h->type == 68) { /* a finished round */
				allowed = round;
				round = newest;
				continue;
			}
			if (time_ns < allowed ||
			    (h->type == PERF_RECORD_SAMPLE && time_ns < newest))
				fail_msg("row at line %d: %" PRIu64 " after %" PRIu64, rows[i].line,
					 time_ns, newest);
			newest = MAX(newest, time_ns);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),	      cmocka_unit_test(test_features),
		cmocka_unit_test(test_samples),	      cmocka_unit_test(test_introductions),
		cmocka_unit_test(test_pid_again),     cmocka_unit_test(test_context_address),
		cmocka_unit_test(test_mapping_again), cmocka_unit_test(test_times),
		cmocka_unit_test(test_memory_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
