// SPDX-License-Identifier: Apache-2.0
/* The ledger balances at every report, whatever was lost, and in whatever order it was noticed. */
#include <linux/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profile/id_table.h"
#include "sampler/ledger.h"
#include "util/parse.h"

/* What the BPF side of one CPU does, and the ring between the two. */
struct world {
	struct sampler_counts counts;
	struct sample_record ring[64];
	size_t n;
	struct ledger ledger;
	struct record_ledger total;
};

enum fate { FILTERED, SENT, FULL, FAULT, VANISHES, N_FATES };

static void overflow(struct world *w, enum fate fate)
{
	struct sampler_counts *c = &w->counts;

	c->seen++;
	c->weight += 10;
	c->filtered += fate == FILTERED;
	c->full += fate == FULL;
	c->fault += fate == FAULT;
	if (fate != SENT && fate != VANISHES)
		return;
	c->sent++;
	if (fate == SENT)
		w->ring[w->n++] = (struct sample_record){
			.head = { .seq = c->sent },
			.seen = c->seen,
			.filtered = c->filtered,
			.full = c->full,
			.fault = c->fault,
		};
}

static void drain(struct world *w, size_t keep)
{
	size_t take = w->n > keep ? w->n - keep : 0;

	for (size_t i = 0; i < take; i++)
		ledger_receive(&w->ledger, &w->ring[i]);
	w->n -= take;
	memmove(w->ring, w->ring + take, w->n * sizeof(*w->ring));
}

static void report(struct world *w)
{
	struct record_ledger l;

	ledger_balance(&w->ledger, &w->counts);
	if (!ledger_report(&w->ledger, &l))
		return;
	assert_true(l.seen == l.filtered + l.sent + l.full + l.fault);
	assert_true(l.sent == l.received + l.gaps);
	w->total.seen += l.seen;
	w->total.received += l.received;
	w->total.gaps += l.gaps;
	w->total.full += l.full;
	w->total.filtered += l.filtered;
}

/* Random fates, drains that leave some records in the ring, and reports in between. */
static void random_histories_balance(void **state)
{
	(void)state;
	srandom(7);
	for (int history = 0; history < 500; history++) {
		struct world w = {};
		uint64_t vanished = 0;

		for (int step = 0; step < 200; step++) {
			enum fate fate = (enum fate)(random() % N_FATES);

			vanished += fate == VANISHES;
			overflow(&w, fate);
			if (w.n == ARRAY_SIZE(w.ring) || random() % 10 == 0)
				drain(&w, (size_t)random() % 3);
			if (random() % 20 == 0)
				report(&w);
		}
		overflow(&w, SENT);
		drain(&w, 0);
		report(&w);
		assert_true(w.total.seen == w.counts.seen);
		assert_true(w.total.gaps == vanished);
		assert_true(w.total.received + vanished == w.counts.sent);
	}
}

/* A CPU whose samples are all filtered sends no record; its counters tell. */
static void filtered_only(void **state)
{
	struct world w = {};

	(void)state;
	for (int i = 0; i < 100; i++)
		overflow(&w, FILTERED);
	report(&w);
	assert_int_equal(w.total.seen, 100);
	assert_int_equal(w.total.filtered, 100);
}

/* Counters read in the middle of a run do not add up: they wait. */
static void torn_counters_wait(void **state)
{
	struct world w = {};

	(void)state;
	overflow(&w, FILTERED);
	w.counts.seen++;
	report(&w);
	assert_int_equal(w.total.seen, 0);
	w.counts.filtered++;
	report(&w);
	assert_int_equal(w.total.seen, 2);
}

static void expectations(void **state)
{
	static const struct {
		int line;
		struct ledger_rate rate;
		uint64_t count, enabled_ns, weight, seen;
		uint64_t idle, idle_ns;
		uint64_t expected;
	} rows[] = {
		{ __LINE__, { .by_time = true, .hz = 99 }, 0, 10 * NSEC_PER_SEC, 0, 0, 0, 0, 990 },
		/* 9 s idle, in which 5 samples came all the same */
		{ __LINE__,
		  { .by_time = true, .hz = 100 },
		  0,
		  10 * NSEC_PER_SEC,
		  0,
		  0,
		  5,
		  9 * NSEC_PER_SEC,
		  105 },
		{ __LINE__,
		  { .by_time = true, .hz = 100 },
		  0,
		  NSEC_PER_SEC,
		  0,
		  0,
		  0,
		  2 * NSEC_PER_SEC,
		  0 },
		{ __LINE__, { .period = 1009 }, 10090, NSEC_PER_SEC, 0, 0, 0, 0, 10 },
		{ __LINE__, { .period = 1009 }, 1008, NSEC_PER_SEC, 0, 0, 0, 0, 0 },
		/* frequency mode: 90 samples stood for 900 of 1000 counts, so 100 were due */
		{ __LINE__, { .hz = 99 }, 1000, NSEC_PER_SEC, 900, 90, 0, 0, 100 },
		{ __LINE__, { .hz = 99 }, 1000, NSEC_PER_SEC, 0, 0, 0, 0, 0 },
		/* a clock of user space alone: the kernel's time is no loss */
		{ __LINE__, { .as_seen = true }, 0, NSEC_PER_SEC, 0, 37, 0, 0, 37 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value[3] = { rows[i].count, rows[i].enabled_ns, rows[i].enabled_ns };
		struct ledger l = { .weight = rows[i].weight,
				    .now.seen = rows[i].seen,
				    .idle = rows[i].idle };
		struct record_ledger report;

		ledger_read_event(&l, value, 1, rows[i].idle_ns, &rows[i].rate);
		assert_true(ledger_report(&l, &report));
		if (report.expected != rows[i].expected)
			fail_msg("row of line %d: %llu", rows[i].line,
				 (unsigned long long)report.expected);
	}
}

/* Fractions of a sample are carried over, and a CPU that comes back starts its event at zero. */
static void expectation_is_carried(void **state)
{
	const struct ledger_rate rate = { .period = 1000 };
	struct ledger l = {};
	struct record_ledger report;
	uint64_t expected = 0;

	(void)state;
	for (uint64_t i = 1; i <= 10; i++) {
		uint64_t value[3] = { i * 1500, i, i };

		ledger_read_event(&l, value, 1, 0, &rate);
		assert_true(ledger_report(&l, &report));
		expected += report.expected;
	}
	assert_int_equal(expected, 15);
	ledger_start_event(&l, 0);
	ledger_read_event(&l, (uint64_t[3]){ 2000, 1, 1 }, 1, 0, &rate);
	assert_true(ledger_report(&l, &report));
	assert_int_equal(report.expected, 2);
	assert_int_equal(report.count, 2000);
}

/* A task's event is enabled on every CPU while the task runs on one of them. */
static void enabled_time_is_shared(void **state)
{
	const struct ledger_rate rate = { .by_time = true, .hz = 1000 };
	uint64_t enabled = 0, running = 0;
	struct ledger cpus[4] = {};

	(void)state;
	for (uint64_t second = 1; second <= 3; second++)
		for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
			uint64_t all = second * NSEC_PER_SEC, here = i == 1 ? all : 0;
			struct record_ledger report;

			ledger_read_event(&cpus[i], (uint64_t[3]){ here, all, here },
					  ARRAY_SIZE(cpus), 0, &rate);
			assert_true(ledger_report(&cpus[i], &report));
			enabled += report.enabled_ns;
			running += report.running_ns;
		}
	assert_int_equal(enabled, 3 * NSEC_PER_SEC);
	assert_int_equal(running, enabled);
}

/* Idle time comes in ticks of 10 ms: what one second has too much, the next has too little. */
static void idle_ticks_are_carried(void **state)
{
	const struct ledger_rate rate = { .by_time = true, .hz = 1000 };
	struct ledger l = {};
	struct record_ledger report;
	uint64_t expected = 0;

	(void)state;
	for (uint64_t i = 1; i <= 10; i++) {
		uint64_t running = i * NSEC_PER_SEC;
		uint64_t idle = i % 2 ? running + NSEC_PER_SEC / 100 : running;

		ledger_read_event(&l, (uint64_t[3]){ running, running, running }, 1, idle, &rate);
		assert_true(ledger_report(&l, &report));
		expected += report.expected;
	}
	assert_int_equal(expected, 0);
}

/* Keys keep their ids while the table grows, and are gone after it was cleared. */
static void id_table(void **state)
{
	struct id_table t = {};

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t *id = id_table_slot(&t, i % 7, i);

			assert_int_equal(*id, ID_TABLE_NEW);
			*id = i;
		}
		for (uint32_t i = 0; i < 5000; i++)
			assert_int_equal(*id_table_slot(&t, i % 7, i), i);
		id_table_clear(&t);
	}
	id_table_done(&t);
}

static bool is_even(const struct id_table_entry *e, void *userdata)
{
	(void)userdata;
	return e->b % 2 == 0;
}

/* What nobody asks for any more gives its place to what comes: the table need not grow. */
static void id_table_gives_up(void **state)
{
	struct id_table t = { .keep = is_even };
	size_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		/* a hundred that stay, then only such that go */
		*id_table_slot(&t, 1, i < 100 ? 2 * i : 2 * i + 1) = i;
		most = MAX(most, t.size);
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(*id_table_slot(&t, 1, 2 * i), i);
	assert_true(most <= 1024);
	id_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_histories_balance),
		cmocka_unit_test(filtered_only),
		cmocka_unit_test(torn_counters_wait),
		cmocka_unit_test(expectations),
		cmocka_unit_test(expectation_is_carried),
		cmocka_unit_test(enabled_time_is_shared),
		cmocka_unit_test(idle_ticks_are_carried),
		cmocka_unit_test(id_table),
		cmocka_unit_test(id_table_gives_up),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
