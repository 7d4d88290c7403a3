// SPDX-License-Identifier: Apache-2.0
/*
 * Claims: rows and lists of mappings lie where the unwinder looks for them, and a walk through what
 * was published finds the callers; what was given back rests before it is used again; when there is
 * no room, what nobody maps goes first; a list that was published before an exec or a replaced
 * mapping is known to be stale; return addresses that follow no call are seen, if the code is still what
 * it was; memory for rows is
 * taken when it is needed, and both sides of a map see the same words.
 */
#include "tests/unit/unwind_shim.h"

#include <bpf/bpf.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>

#include "process/mappings.h"
#include "unwind/call_check.h"
#include "unwind/extents.h"
#include "unwind/process_lists.h"
#include "util/parse.h"

static struct unwind_table *new_table(uint32_t n, uint64_t base)
{
	struct unwind_table *t = calloc(1, sizeof(*t));
	struct unwind_row *rows;

	assert_non_null(t);
	t->block_size = sizeof(struct unwind_summary) + n * sizeof(*rows);
	t->block = calloc(1, t->block_size);
	assert_non_null(t->block);
	t->summary = t->block;
	rows = (struct unwind_row *)((struct unwind_summary *)t->block + 1);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = (struct unwind_row){ i * 16, 1, 0, ROW_RULE(ROW_CFA_SP, 0, 0) };
	rows[n - 1].rule = ROW_NONE;
	t->rows = rows;
	t->n_rows = n;
	t->base = base;
	return t;
}

static struct object *new_object(struct object_table *objects, const char *path)
{
	struct object_key key = { .kind = OBJECT_FILE, .path = path };

	return object_table_get(objects, &key);
}

/* --- extents --- */

static void gives_and_takes_back(void **state)
{
	const uint64_t later = 1000 * NSEC_PER_MSEC;
	struct extents e;

	(void)state;
	assert_int_equal(extents_init(&e, 100), 0);
	assert_int_equal(extents_take(&e, 40, 0), 0);
	assert_int_equal(extents_take(&e, 60, 0), 40);
	assert_int_equal(extents_take(&e, 1, 0), -ENOSPC);
	assert_int_equal(extents_give(&e, 40, 60, 0), 0);
	/* A program may still be reading there. */
	assert_int_equal(extents_take(&e, 60, 1), -ENOSPC);
	assert_int_equal(extents_take(&e, 60, later), 40);
	/* Given back in pieces, in any order, it is whole again. */
	assert_int_equal(extents_give(&e, 40, 20, later), 0);
	assert_int_equal(extents_give(&e, 80, 20, later), 0);
	assert_int_equal(extents_give(&e, 60, 20, later), 0);
	assert_int_equal(extents_give(&e, 0, 40, later), 0);
	assert_int_equal(extents_take(&e, 100, 2 * later), 0);
	assert_int_equal(e.used, 100);
	extents_done(&e);
}

/* --- the store --- */

static void rests(void)
{
	usleep(20000);
}

static void evicts_what_nobody_maps(void **state)
{
	struct object_table *objects = object_table_new();
	struct object *mapped = new_object(objects, "/mapped"), *gone = new_object(objects, "/gone");
	struct object *next = new_object(objects, "/next");
	const uint32_t n = UNWIND_CHUNK_WORDS / 5 * 2;
	struct row_store_stats stats;
	struct row_store *s;

	(void)state;
	shim_init(1);
	assert_int_equal(row_store_new(&shim.maps, &s), 0);
	mapped->rows = new_table(n, 0);
	gone->rows = new_table(n, 0);
	next->rows = new_table(n, 0);
	assert_int_not_equal(row_store_slot(s, mapped), 0);
	assert_int_not_equal(row_store_slot(s, gone), 0);
	assert_int_equal(mapped->rows_state, INDEX_READY);
	assert_int_equal(gone->rows_state, INDEX_READY);
	object_unref(gone); /* left: the table's reference and the store's */
	assert_int_not_equal(row_store_slot(s, next), 0);
	row_store_get_stats(s, &stats);
	assert_int_equal(stats.evicted, 1);
	assert_int_equal(mapped->rows_state, INDEX_READY);
	assert_int_equal(gone->slot, 0);
	/* What it gave back rests; then the table that waited for it comes. */
	assert_non_null(next->rows);
	rests();
	row_store_tick(s);
	assert_null(next->rows);
	assert_int_equal(next->rows_state, INDEX_READY);
	assert_int_not_equal(shim.maps.slots[next->slot].pages, 0);
	row_store_free(s);
	object_unref(mapped);
	object_unref(next);
	object_table_free(objects);
	shim_done();
}

/* One that no eviction makes room for is refused, and said to be. */
static void refuses_what_is_too_large(void **state)
{
	struct object_table *objects = object_table_new();
	struct object *o = new_object(objects, "/large");
	struct row_store_stats stats;
	struct row_store *s;

	(void)state;
	shim_init(1);
	assert_int_equal(row_store_new(&shim.maps, &s), 0);
	o->rows = new_table(UNWIND_CHUNK_WORDS, 0);
	row_store_slot(s, o);
	row_store_get_stats(s, &stats);
	assert_int_equal(o->rows_state, INDEX_FAILED);
	assert_int_equal(o->rows_error, -ENOSPC);
	assert_int_equal(stats.refused, 1);
	row_store_free(s);
	object_unref(o);
	object_table_free(objects);
	shim_done();
}

/* --- the maps --- */

static bool chunk_of_the_kernel(const struct unwind_maps *m, uint32_t i, struct unwind_chunk *ret)
{
	uint32_t id, only = 0;
	int fd, r;

	if (bpf_map_lookup_elem(m->chunks_fd, &i, &id) < 0)
		return false;
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	r = bpf_map_lookup_elem(fd, &only, ret);
	close(fd);
	assert_int_equal(r, 0);
	return true;
}

static void takes_memory_when_it_is_needed(void **state)
{
	const uint64_t bound = 8 * sizeof(struct unwind_chunk);
	_cleanup_(unwind_maps_closep) struct unwind_maps *m = NULL;
	struct unwind_chunk *seen = calloc(1, sizeof(*seen));
	uint64_t bytes;
	int r = unwind_maps_open(bound, 1, &m);

	(void)state;
	assert_non_null(seen);
	if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS) {
		free(seen);
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(m->n_words, 8 * UNWIND_CHUNK_WORDS);
	bytes = unwind_maps_bytes(m);
	assert_false(chunk_of_the_kernel(m, 0, seen));
	/* A word into the second chunk, no third one. */
	assert_int_equal(unwind_maps_reach(m, UNWIND_CHUNK_WORDS + 1), 0);
	assert_int_equal(unwind_maps_bytes(m) - bytes, 2 * sizeof(struct unwind_chunk));
	for (uint32_t i = 0; i < 2 * UNWIND_CHUNK_WORDS; i++)
		m->words[i] = i + 7;
	for (uint32_t chunk = 0; chunk < 2; chunk++) {
		assert_true(chunk_of_the_kernel(m, chunk, seen));
		for (uint32_t i = 0; i < UNWIND_CHUNK_WORDS; i += 511)
			assert_int_equal(seen->words[i], chunk * UNWIND_CHUNK_WORDS + i + 7);
	}
	assert_false(chunk_of_the_kernel(m, 2, seen));
	/* Once the last one is half full the next one comes by itself. */
	assert_int_equal(unwind_maps_reach(m, 2 * UNWIND_CHUNK_WORDS - 1), 0);
	for (int i = 0; i < 30000 && !chunk_of_the_kernel(m, 2, seen); i++)
		usleep(1000);
	assert_true(chunk_of_the_kernel(m, 2, seen));
	/* What is there stays, to the bound. */
	assert_int_equal(unwind_maps_reach(m, 1), 0);
	assert_int_equal(unwind_maps_reach(m, m->n_words), 0);
	m->words[m->n_words - 1] = 1;
	assert_int_equal(m->words[UNWIND_CHUNK_WORDS], UNWIND_CHUNK_WORDS + 7);
	assert_true(chunk_of_the_kernel(m, 7, seen));
	free(seen);
}

/* Every row of a table that spans two chunks is found. */
static void finds_rows_across_chunks(void **state)
{
	struct object_table *objects = object_table_new();
	struct object *first = new_object(objects, "/first"), *o = new_object(objects, "/o");
	const uint32_t n = UNWIND_CHUNK_WORDS / 3 * 2;
	struct row_store *s;
	__u64 word;

	(void)state;
	shim_init(2);
	assert_int_equal(row_store_new(&shim.maps, &s), 0);
	first->rows = new_table(n, 0);
	o->rows = new_table(n, 0x5000);
	row_store_slot(s, first);
	shim.cpu.slot = shim.maps.slots[row_store_slot(s, o)];
	assert_int_equal(shim.cpu.slot.base, 0x5000);
	for (uint32_t pc = 0; pc < (n - 1) * 16; pc += 7) {
		assert_int_equal(unwind_find_row(&shim.cpu, pc, &word), 0);
		assert_int_equal(unwind_row_pc(word), pc / 16 * 16);
	}
	assert_int_equal(unwind_find_row(&shim.cpu, (uint64_t)n * 16 + 4096, &word), -1);
	row_store_free(s);
	object_unref(first);
	object_unref(o);
	object_table_free(objects);
	shim_done();
}

/* --- lists --- */

static struct mappings *one_mapping(struct object *o, uint64_t start, uint64_t version)
{
	struct mapping add = { .start = start, .end = start + 0x1000, .object = o };
	struct mappings *m = NULL;

	assert_int_equal(mappings_overlay(&m, &add), 1);
	m->version = version;
	return m;
}

static void shares_lists_and_knows_stale_ones(void **state)
{
	struct object_table *objects = object_table_new();
	struct object *o = new_object(objects, "/o");
	struct process parent = { .pid = 10 }, child = { .pid = 11 };
	struct process_lists_stats stats;
	struct process_lists *l;
	struct row_store *s;
	uint64_t generation = 1;

	(void)state;
	shim_init(1);
	assert_int_equal(row_store_new(&shim.maps, &s), 0);
	assert_int_equal(process_lists_new(&shim.maps, s, &l), 0);
	parent.mappings = one_mapping(o, 0x10000, 7);
	child.mappings = mappings_ref(parent.mappings);
	process_lists_changed(l, &parent, true);
	process_lists_changed(l, &child, true);
	process_lists_publish(l);
	process_lists_get_stats(l, &stats);
	assert_int_equal(stats.published, 2);
	assert_int_equal(stats.mappings, 1); /* shared */
	assert_int_equal(shim.maps.mappings[0].start, 0x10000);
	assert_int_equal(shim.maps.mappings[0].slot, o->slot);
	assert_false(process_lists_is_stale(&parent, generation));
	assert_false(process_lists_is_stale(&child, generation + 1));

	/* Something new beside it: what was published is short, but not wrong. */
	process_lists_changed(l, &parent, false);
	assert_false(process_lists_is_stale(&parent, generation));
	/* An exec. */
	mappings_unref(child.mappings);
	child.mappings = one_mapping(o, 0x20000, 8);
	process_lists_changed(l, &child, true);
	assert_true(process_lists_is_stale(&child, generation + 1));
	process_lists_publish(l);
	assert_false(process_lists_is_stale(&child, generation + 3));
	process_lists_get_stats(l, &stats);
	assert_int_equal(stats.published, 2);

	child.exit_ns = 1;
	process_lists_changed(l, &child, true);
	process_lists_forget(l, &parent);
	process_lists_get_stats(l, &stats);
	assert_int_equal(stats.published, 0);
	process_lists_free(l);
	row_store_free(s);
	mappings_unref(parent.mappings);
	mappings_unref(child.mappings);
	object_unref(o);
	object_table_free(objects);
	shim_done();
}

/* --- calls --- */

struct site_case {
	int line;
	uint16_t machine;
	uint8_t bytes[CALL_BYTES_BEFORE + CALL_BYTES_AFTER];
	enum call_answer answer;
};

static const struct site_case sites[] = {
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0xe8, 1, 2, 3, 4 }, CALL_RIGHT }, /* call rel32 */
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0, 0, 0, 0xff, 0xd0 }, CALL_RIGHT }, /* call *%rax */
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0, 0, 0x41, 0xff, 0xd4 }, CALL_RIGHT }, /* call *%r12 */
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0, 0, 0xff, 0x50, 8 }, CALL_RIGHT }, /* call *8(%rax) */
	{ __LINE__, EM_X86_64, { 0, 0, 0xff, 0x15, 1, 2, 3, 4 }, CALL_RIGHT }, /* call *x(%rip) */
	{ __LINE__, EM_X86_64, { 0, 0xff, 0x94, 0x24, 1, 2, 3, 4 }, CALL_RIGHT }, /* *x(%rsp) */
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0xe9, 1, 2, 3, 4 }, CALL_WRONG }, /* jmp rel32 */
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0, 0, 0, 0xff, 0xe0 }, CALL_WRONG }, /* jmp *%rax */
	{ __LINE__, EM_X86_64, { 0, 0, 0, 0, 0, 0, 0xff, 0xf0 }, CALL_WRONG }, /* push %rax */
	{ __LINE__, EM_X86_64, { 0 }, CALL_WRONG },
	{ __LINE__, EM_X86_64,
	  { 0, 0, 0, 0xe8, 1, 2, 3, 4, 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 },
	  CALL_SIGNAL },
	{ __LINE__, EM_AARCH64, { 0, 0, 0, 0, 1, 2, 3, 0x94 }, CALL_RIGHT }, /* bl */
	{ __LINE__, EM_AARCH64, { 0, 0, 0, 0, 0x20, 0, 0x3f, 0xd6 }, CALL_RIGHT }, /* blr x1 */
	{ __LINE__, EM_AARCH64, { 0, 0, 0, 0, 0x3f, 0x08, 0x3f, 0xd6 }, CALL_RIGHT }, /* blraaz */
	{ __LINE__, EM_AARCH64, { 0, 0, 0, 0, 1, 2, 3, 0x14 }, CALL_WRONG }, /* b */
	{ __LINE__, EM_AARCH64, { 0, 0, 0, 0, 0xc0, 0x03, 0x5f, 0xd6 }, CALL_WRONG }, /* ret */
	{ __LINE__, EM_AARCH64, { 0, 0, 0, 0, 0, 0, 0, 0, 0x68, 0x11, 0x80, 0xd2, 1, 0, 0, 0xd4 },
	  CALL_SIGNAL },
};

static void tells_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sites); i++) {
		struct call_site site;

		memcpy(site.bytes, sites[i].bytes, sizeof(site.bytes));
		if (call_site_judge_for(sites[i].machine, &site) != sites[i].answer)
			fail_msg("line %d", sites[i].line);
	}
}

/* The addresses of this very stack, of which all but the first follow calls. */
static __noinline void check_own_stack(void)
{
	uint64_t pcs[2] = { (uintptr_t)check_own_stack, (uintptr_t)__builtin_return_address(0) };
	enum call_answer answers[2];

	assert_true(call_check(getpid(), pcs, 2, answers));
	assert_int_equal(answers[1], CALL_RIGHT);
	pcs[1] = (uintptr_t)check_own_stack;
	assert_true(call_check(getpid(), pcs, 2, answers));
	assert_int_equal(answers[1], CALL_WRONG);
	pcs[1] = 4096;
	assert_true(call_check(getpid(), pcs, 2, answers));
	assert_int_equal(answers[1], CALL_UNKNOWN);
	assert_false(call_check(0x7fffffff, pcs, 2, answers));
}

static void reads_code_of_a_process(void **state)
{
	(void)state;
	check_own_stack();
}

/* Where the code of this program lies, as /proc/self/maps says. */
static struct mapping own_mapping(struct object_table *objects)
{
	uint64_t start, end, offset, here = (uintptr_t)own_mapping;
	char line[4096], path[4096];
	FILE *f = fopen("/proc/self/maps", "r");
	struct mapping m = {};

	assert_non_null(f);
	while (!m.object && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095[^\n]", &start, &end, &offset, path) == 4 &&
		    here >= start && here < end)
			m = (struct mapping){ start, end, offset, new_object(objects, path) };
	(void)fclose(f);
	assert_non_null(m.object);
	return m;
}

/* What the answer CALL_WRONG about code of `m` becomes. */
static enum call_answer confirmed(const struct mapping *m, pid_t pid)
{
	uint64_t pcs[2] = { 0, (uintptr_t)confirmed + 1 };
	enum call_answer answers[2] = { CALL_UNKNOWN, CALL_WRONG };
	struct mappings *list = NULL;

	assert_int_equal(mappings_overlay(&list, m), 1);
	call_check_confirm(pid, list, pcs, 2, answers);
	mappings_unref(list);
	return answers[1];
}

static void blames_no_code_that_is_gone(void **state)
{
	struct object_table *objects = object_table_new();
	struct object *another = new_object(objects, "/another/program");
	struct mapping m = own_mapping(objects), other = m;

	(void)state;
	assert_int_equal(confirmed(&m, getpid()), CALL_WRONG);
	other.object = another;
	assert_int_equal(confirmed(&other, getpid()), CALL_UNKNOWN);
	other = m;
	other.pgoff += 4096;
	assert_int_equal(confirmed(&other, getpid()), CALL_UNKNOWN);
	assert_int_equal(confirmed(&m, 0x7fffffff), CALL_UNKNOWN);
	object_unref(another);
	object_unref(m.object);
	object_table_free(objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_and_takes_back),
		cmocka_unit_test(evicts_what_nobody_maps),
		cmocka_unit_test(refuses_what_is_too_large),
		cmocka_unit_test(takes_memory_when_it_is_needed),
		cmocka_unit_test(finds_rows_across_chunks),
		cmocka_unit_test(shares_lists_and_knows_stale_ones),
		cmocka_unit_test(tells_calls),
		cmocka_unit_test(reads_code_of_a_process),
		cmocka_unit_test(blames_no_code_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
