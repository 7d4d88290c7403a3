// SPDX-License-Identifier: Apache-2.0
/*
 * Collectors run one at a time on a thread of their own: their states, their last read when they
 * are stopped, and what becomes of the others when one does not come back.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "collect/collect.h"
#include "collect_fixture.h"

#define HOUR_NS (3600 * NSEC_PER_SEC)
#define PATIENCE_MS 60000

/* What the fake collectors do, and what was done with them; written by the thread before its batch
 * is handed over. */
static struct {
	int open_result, read_result;
	bool problem;
	unsigned int opened, closed, reads;
	int gate[2]; /* a pipe: the collector that hangs waits for a byte */
} fake;

static const struct row_column columns[] = {
	{ "reads", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "so far" },
};
static const struct row_table counting_tables[] = {
	{ .name = "counting",
	  .collector = "counting",
	  .columns = columns,
	  .n_columns = 1,
	  .from_zero = true },
};
static const struct row_table plain_tables[] = {
	{ .name = "plain", .collector = "plain", .columns = columns, .n_columns = 1 },
};

static int fake_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	(void)s;
	if (fake.open_result < 0) {
		*ret_error = strdup("the fake does not open");
		return fake.open_result;
	}
	fake.opened++;
	*ret = &fake;
	return 0;
}

static int fake_read(void *state, struct rows *rows)
{
	assert_ptr_equal(state, &fake);
	rows_add(rows, 0);
	rows_unsigned(rows, 0, ++fake.reads);
	if (fake.problem)
		rows_problem(rows, "the fake has a problem");
	return fake.read_result;
}

static void fake_close(void *state)
{
	assert_ptr_equal(state, &fake);
	fake.closed++;
}

static int hang_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	(void)s;
	(void)ret_error;
	*ret = (void *)(intptr_t)dup(fake.gate[0]);
	return 0;
}

static int hang_read(void *state, struct rows *rows)
{
	char byte;

	(void)rows;
	return read((int)(intptr_t)state, &byte, 1) == 1 ? 0 : -EIO;
}

static void hang_close(void *state)
{
	close((int)(intptr_t)state);
}

static const struct collector counting = {
	.name = "counting",
	.kind = COLLECTOR_PERIODIC,
	.tables = counting_tables,
	.n_tables = 1,
	.open = fake_open,
	.read = fake_read,
	.close = fake_close,
};
static const struct collector plain = {
	.name = "plain",
	.kind = COLLECTOR_PERIODIC,
	.tables = plain_tables,
	.n_tables = 1,
	.open = fake_open,
	.read = fake_read,
	.close = fake_close,
};
static const struct collector hanging = {
	.name = "hanging",
	.kind = COLLECTOR_PERIODIC,
	.tables = plain_tables,
	.n_tables = 1,
	.open = hang_open,
	.read = hang_read,
	.close = hang_close,
};

struct fixture {
	struct tree tree;
	struct collect *collect;
};

static void begin(struct fixture *f, uint64_t deadline_ns)
{
	memset(&fake, 0, sizeof(fake));
	tree_init(&f->tree);
	f->tree.settings.interval_ns = HOUR_NS;
	assert_int_equal(collect_new(deadline_ns, &f->collect), 0);
}

static void end(struct fixture *f)
{
	collect_free(f->collect);
	tree_done(&f->tree);
}

/* The next batch, waited for. */
static struct batch *next(struct fixture *f)
{
	struct batch *b;

	while (!(b = collect_take(f->collect))) {
		struct pollfd fd = { .fd = collect_fd(f->collect), .events = POLLIN };

		assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
	}
	return b;
}

static struct collector_status status_after_read(struct fixture *f, const struct collector *c)
{
	struct collector_status s;

	batch_free(next(f));
	collect_get_status(f->collect, c, &s);
	return s;
}

static void test_states(void **state)
{
	static const struct {
		int line;
		int open_result, read_result;
		bool problem;
		enum collector_state state;
		const char *error;
	} cases[] = {
		{ __LINE__, 0, 0, false, COLLECTOR_ACTIVE, "" },
		{ __LINE__, 0, 0, true, COLLECTOR_DEGRADED, "the fake has a problem" },
		{ __LINE__, 0, -EIO, false, COLLECTOR_DEGRADED, "Input/output error" },
		{ __LINE__, -EPERM, 0, false, COLLECTOR_FAILED, "the fake does not open" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct collector_status s;
		struct fixture f;

		begin(&f, 0);
		fake.open_result = cases[i].open_result;
		fake.read_result = cases[i].read_result;
		fake.problem = cases[i].problem;
		collect_get_status(f.collect, &plain, &s);
		assert_int_equal(s.state, COLLECTOR_DISABLED);
		assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), 0);
		s = status_after_read(&f, &plain);
		if (s.state != cases[i].state || strcmp(s.error, cases[i].error) != 0)
			fail_msg("line %d: %s, '%s'", cases[i].line, collector_state_name(s.state),
				 s.error);
		collect_stop(f.collect, &plain);
		collect_get_status(f.collect, &plain, &s);
		assert_int_equal(s.state, COLLECTOR_DISABLED);
		end(&f);
		assert_int_equal(fake.opened, fake.closed);
	}
}

static void test_started_twice(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), 0);
	assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), -EALREADY);
	collect_stop(f.collect, &plain);
	collect_stop(f.collect, &plain);
	assert_null(collect_settings(f.collect, &plain));
	assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), 0);
	batch_free(next(&f));
	end(&f);
	assert_int_equal(fake.opened, fake.closed);
}

/* What counts between its reads is read once more when it is stopped, before what takes its place.
 */
static void test_last_read(void **state)
{
	static const uint64_t expected[] = { 1, 2, 3 };
	struct fixture f;

	(void)state;
	begin(&f, 0);
	assert_int_equal(collect_start(f.collect, &counting, &f.tree.settings), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct batch *b = next(&f);

		assert_int_equal(b->rows.n, 1);
		assert_int_equal(b->rows.list[0].values[0].u, expected[i]);
		batch_free(b);
		if (i > 0)
			continue;
		collect_stop(f.collect, &counting);
		assert_int_equal(collect_start(f.collect, &counting, &f.tree.settings), 0);
	}
	end(&f);
	assert_int_equal(fake.opened, 2);
	assert_int_equal(fake.closed, 2);
	assert_int_equal(fake.reads, 3);
}

/* What only looks at the moment is not. */
static void test_no_last_read(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), 0);
	batch_free(next(&f));
	collect_stop(f.collect, &plain);
	assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), 0);
	batch_free(next(&f));
	end(&f);
	assert_int_equal(fake.reads, 2);
}

static void note_failure(const struct collector *c, const char *sentence, void *userdata)
{
	assert_non_null(strstr(sentence, "did not come back within 0.05 s"));
	*(const struct collector **)userdata = c;
}

static void test_hanging(void **state)
{
	const struct collector *failed = NULL;
	struct collector_status s;
	struct fixture f;

	(void)state;
	begin(&f, 50 * NSEC_PER_MSEC);
	assert_int_equal(pipe(fake.gate), 0);
	assert_int_equal(collect_start(f.collect, &hanging, &f.tree.settings), 0);
	while (!failed) {
		collect_check(f.collect, note_failure, &failed);
		(void)poll(NULL, 0, 10);
	}
	assert_ptr_equal(failed, &hanging);
	collect_get_status(f.collect, &hanging, &s);
	assert_int_equal(s.state, COLLECTOR_FAILED);
	assert_int_equal(collect_start(f.collect, &plain, &f.tree.settings), 0);
	s = status_after_read(&f, &plain);
	assert_int_equal(s.state, COLLECTOR_ACTIVE);
	/* The thread that was given up goes when it comes back, and the collector begins anew. */
	for (int i = 0; i < 5; i++) {
		collect_check(f.collect, note_failure, &failed);
		(void)poll(NULL, 0, 10);
	}
	collect_get_status(f.collect, &hanging, &s);
	assert_int_equal(s.state, COLLECTOR_FAILED);
	assert_int_equal(write(fake.gate[1], "..", 2), 2);
	do {
		collect_check(f.collect, note_failure, &failed);
		(void)poll(NULL, 0, 10);
		collect_get_status(f.collect, &hanging, &s);
	} while (s.state != COLLECTOR_ACTIVE || s.reads == 0);
	collect_stop(f.collect, &hanging);
	end(&f);
	close(fake.gate[0]);
	close(fake.gate[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	  cmocka_unit_test(test_started_twice),
		cmocka_unit_test(test_last_read), cmocka_unit_test(test_no_last_read),
		cmocka_unit_test(test_hanging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
