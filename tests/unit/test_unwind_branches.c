// SPDX-License-Identifier: Apache-2.0
/*
 * Claims: a caller that the processor recorded is right, one that it recorded and the stack lacks makes
 * the row wrong that passed it over, and what the record cannot know is neither; a wrong row lowers the
 * confidence of its binary; the event asks for a stack of calls of user code, seldom, and its absence
 * is a sentence.
 */
#include <linux/types.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "perf_fake.h"
#include "process/mappings.h"
#include "sampler/branch_event.h"
#include "unwind/branch_check.h"
#include "unwind/unwinder.h"
#include "util/parse.h"

/* --- the comparison --- */

#define FRAMES 8

/*
 * A frame is a letter, the return address in its function: 0x1000 for 'a', 0x2000 for 'b' and so on.
 * An entry of the record is the letter of the function that called; '-' is an empty one, '^' one of the
 * kernel. Answers, from the leaf's caller on: '+' right, '!' wrong, '?' unknown.
 */
struct row {
	int line;
	const char *stack; /* leaf first */
	bool whole;
	const char *record; /* the newest call first */
	const char *answers;
	uint64_t leaf; /* address; 0: that of its letter */
	uint64_t call_bytes; /* 0: 5 */
};

static const struct row rows[] = {
	/* Exact, longer than what is recorded, shorter. */
	{ __LINE__, "abcd", true, "bcd", "+++", 0, 0 },
	{ __LINE__, "abcdef", true, "bc", "++???", 0, 0 },
	{ __LINE__, "abc", true, "bcdef", "++", 0, 0 },
	{ __LINE__, "abcd", false, "bcdef", "+++", 0, 0 },
	/* Calls of two bytes and with prefixes; what lies farther off, or behind, is no call of it. */
	{ __LINE__, "abc", true, "bc", "++", 0, 2 },
	{ __LINE__, "abc", true, "bc", "++", 0, 15 },
	{ __LINE__, "abc", false, "bc", "!?", 0, 16 },
	{ __LINE__, "abc", false, "bc", "!?", 0, (uint64_t)-1 },
	/* Recursion. */
	{ __LINE__, "aaaab", true, "aaab", "++++", 0, 0 },
	/* Nothing recorded: cleared at a switch, or never. */
	{ __LINE__, "abcd", true, "", "???", 0, 0 },
	{ __LINE__, "abcd", true, "---", "???", 0, 0 },
	{ __LINE__, "abcd", true, "-b-c^", "++?", 0, 0 },
	{ __LINE__, "a", true, "bcd", "", 0, 0 },
	{ __LINE__, "", false, "bcd", "", 0, 0 },
	/* The record lacks callers: the leaf was called while it was frozen; a signal came (b and c are
	 * its return and what it interrupted). */
	{ __LINE__, "abcd", true, "cd", "?++", 0, 0 },
	{ __LINE__, "aibcde", true, "ide", "+??++", 0, 0 },
	/* The leaf returned while it was frozen, and lies behind the call. */
	{ __LINE__, "abc", true, "abc", "++", 0x1010, 0 },
	{ __LINE__, "abc", true, "eabc", "++", 0x1010, 0 },
	/* Rows passed over callers: of the leaf, two of it, in the middle. */
	{ __LINE__, "acd", true, "bcd", "!+", 0, 0 },
	{ __LINE__, "ade", true, "bcde", "!+", 0, 0 },
	{ __LINE__, "abde", true, "bcde", "+!+", 0, 0 },
	/* A row led somewhere else, and back; the frame that is none is not judged. */
	{ __LINE__, "axcd", true, "bcd", "!++", 0, 0 },
	{ __LINE__, "abxyde", true, "bcde", "+!?++", 0, 0 },
	/* And did not come back; only a stack that did not end well was wrong. */
	{ __LINE__, "axy", false, "bcde", "!?", 0, 0 },
	{ __LINE__, "abxyz", false, "bcde", "+!??", 0, 0 },
	{ __LINE__, "abxyz", true, "bcde", "+???", 0, 0 },
};

static uint64_t address_of(char letter)
{
	return (uint64_t)(letter - 'a' + 1) << 12;
}

static size_t make_record(const struct row *row, struct sample_branch *record)
{
	size_t m = strlen(row->record);

	for (size_t j = 0; j < m; j++) {
		uint64_t to = address_of(row->record[j]);
		uint64_t from = to - (row->call_bytes ? row->call_bytes : 5);

		if (row->record[j] == '-')
			from = 0;
		if (row->record[j] == '^')
			from = 0xffffffff81000000;
		record[j] = (struct sample_branch){ .from = from, .to = 0x100 };
	}
	return m;
}

static void judges_callers(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		const struct row *row = &rows[k];
		static const char letters[] = { [CALL_UNKNOWN] = '?', [CALL_RIGHT] = '+', [CALL_WRONG] = '!' };
		struct sample_branch record[SAMPLE_MAX_BRANCHES];
		enum call_answer answers[FRAMES];
		size_t n = strlen(row->stack), m = make_record(row, record);
		uint64_t pcs[FRAMES];

		for (size_t i = 0; i < n; i++)
			pcs[i] = address_of(row->stack[i]);
		if (row->leaf)
			pcs[0] = row->leaf;
		branch_check(pcs, n, row->whole, record, m, answers);
		for (size_t i = 1; i < n; i++)
			if (letters[answers[i]] != row->answers[i - 1])
				fail_msg("line %d: frame %zu is '%c'", row->line, i, letters[answers[i]]);
	}
}

/* As many as there can be, none of which is known: it ends. */
static void ends_at_the_longest(void **state)
{
	struct sample_branch record[SAMPLE_MAX_BRANCHES + 8];
	enum call_answer answers[SAMPLE_MAX_FRAMES];
	uint64_t pcs[SAMPLE_MAX_FRAMES];

	(void)state;
	for (size_t i = 0; i < SAMPLE_MAX_FRAMES; i++)
		pcs[i] = 0x1000 * (i + 1);
	for (size_t i = 0; i < ARRAY_SIZE(record); i++)
		record[i] = (struct sample_branch){ .from = 0x1000000 + i };
	branch_check(pcs, SAMPLE_MAX_FRAMES, true, record, ARRAY_SIZE(record), answers);
	for (size_t i = 0; i < SAMPLE_MAX_FRAMES; i++)
		assert_int_equal(answers[i], CALL_UNKNOWN);
}

/* --- confidence --- */

#define CODE 0x1000

static struct object *map_file(struct object_table *objects, struct process *p, const char *path,
			       uint64_t start)
{
	struct object_key key = { .kind = OBJECT_FILE, .path = path };
	struct object *o = object_table_get(objects, &key);
	struct mapping m = { .start = start, .end = start + 0x1000, .object = o };

	assert_int_equal(mappings_overlay(&p->mappings, &m), 1);
	return o;
}

/* The leaf in one binary, its caller in another, by rows; the calls as the processor says. */
static void compare(struct unwinder *u, struct process *p, uint64_t first, uint64_t second)
{
	struct sample_record s = {
		.head = { .kind = RECORD_KIND_SAMPLE,
			  .size = SAMPLE_RECORD_MIN + (3 + 2 * SAMPLE_BRANCH_WORDS) * sizeof(__u64) },
		.user_frames = 3,
		.user_status = STACK_COMPLETE,
		.flags = SAMPLE_BRANCHES,
		.mappings = 1,
		.words = { CODE + 0x10, 2 * CODE + 0x20, 2 * CODE + 0x80, first, 0, 0, second },
	};

	unwinder_compare(u, &s, p);
}

static void wrong_rows_lower_confidence(void **state)
{
	struct unwinder_options o = { .bytes = 2 << 20, .possible_cpus = 1 };
	struct object_table *objects = object_table_new();
	struct process p = { .pid = 10 };
	struct object *leaf = map_file(objects, &p, "/leaf", CODE);
	struct object *caller = map_file(objects, &p, "/caller", 2 * CODE);
	struct unwinder_status status;
	struct unwinder *u = NULL;
	int r = unwinder_new(&o, &u);

	(void)state;
	if (r == 0) {
		compare(u, &p, 2 * CODE + 0x1b, 2 * CODE + 0x7b);
		compare(u, &p, 2 * CODE + 0x30, 2 * CODE + 0x7b);
		compare(u, &p, 0, 0);
		assert_int_equal(leaf->calls_checked, 2);
		assert_int_equal(leaf->calls_right, 1);
		assert_int_equal(caller->calls_checked, 2);
		assert_int_equal(caller->calls_right, 2);
		unwinder_get_status(u, &status);
		assert_int_equal(status.branch_stacks, 3);
		assert_int_equal(status.branches_checked, 4);
		assert_int_equal(status.branches_right, 3);
		assert_int_equal(status.calls_checked, 0);
	}
	unwinder_free(u);
	mappings_unref(p.mappings);
	object_unref(leaf);
	object_unref(caller);
	object_table_free(objects);
	if (r == -EPERM || r == -EOPNOTSUPP)
		skip();
	assert_int_equal(r, 0);
}

/* --- the event --- */

static void asks_for_calls_of_user_code(void **state)
{
	const struct perf_event_attr *attr;
	struct pmu_event ev = {};
	struct fake *f = fake_new();
	char *error = NULL;

	(void)state;
	assert_int_equal(branch_event_make(&ev), 0);
	assert_int_equal(branch_event_try(&f->ops, "/nowhere", &ev, 3, &error), 0);
	assert_null(error);
	assert_int_equal(f->opened, 1);
	attr = &f->events[0].attr;
	assert_int_equal(attr->type, PERF_TYPE_HARDWARE);
	assert_int_equal(attr->config, PERF_COUNT_HW_CPU_CYCLES);
	assert_true(attr->freq && attr->disabled && attr->exclude_kernel && !attr->exclude_user);
	assert_int_equal(attr->sample_freq, BRANCH_EVENT_HZ);
	assert_int_equal(attr->precise_ip, 0);
	assert_true(attr->sample_type & PERF_SAMPLE_BRANCH_STACK);
	assert_int_equal(attr->branch_sample_type,
			 PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_CALL_STACK);
	assert_int_equal(f->events[0].cpu, 3);
	pmu_event_done(&ev);
	fake_free(f);
}

static void says_why_there_are_none(void **state)
{
	static const struct {
		int line, error;
		const char *sentence;
	} refusals[] = {
		{ __LINE__, -ENOENT, "no PMU" },
		{ __LINE__, -EOPNOTSUPP, "no record of calls" },
		{ __LINE__, -EINVAL, "no record of calls" },
		{ __LINE__, -EBUSY, "EBUSY" },
		{ __LINE__, -EMFILE, "EMFILE" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct pmu_event ev = {};
		struct fake *f = fake_new();
		char *error = NULL;

		fake_rule_add(f, (struct fake_rule){ .type = FAKE_ANY_TYPE,
						     .config = FAKE_NONE,
						     .cpu = -1,
						     .open_error = refusals[i].error });
		assert_int_equal(branch_event_make(&ev), 0);
		assert_int_equal(branch_event_try(&f->ops, "/nowhere", &ev, 0, &error), refusals[i].error);
		if (!error || !strstr(error, refusals[i].sentence))
			fail_msg("line %d: %s", refusals[i].line, error ? error : "nothing is said");
		free(error);
		pmu_event_done(&ev);
		fake_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_callers),
		cmocka_unit_test(ends_at_the_longest),
		cmocka_unit_test(wrong_rows_lower_confidence),
		cmocka_unit_test(asks_for_calls_of_user_code),
		cmocka_unit_test(says_why_there_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
