// SPDX-License-Identifier: Apache-2.0
/*
 * From the configured profiles to what is opened: what cannot be had is left out with its reason,
 * or refused when it was asked for by name. Software events only, which every machine has.
 */
#include <linux/types.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/config.h"
#include "engine/plan.h"

#define PROFILES 2

struct row {
	int line;
	const char *events[PROFILES]; /* of each profile; NULL: there is none */
	bool strict;
	int r;
	size_t n_events;
	const char *notes[3]; /* a part of each, in order */
};

static const char many[] =
	"cpu-clock,task-clock,page-faults,minor-faults,major-faults,context-switches,"
	"cpu-migrations,alignment-faults,emulation-faults,"
	"cpu-clock:u,task-clock:u,page-faults:u,minor-faults:u,major-faults:u,"
	"context-switches:u,cpu-migrations:u,alignment-faults:u";

static struct config make_config(const struct row *row, struct profile_config *profiles)
{
	static char names[PROFILES][2] = { "a", "b" };
	struct config c = { .profiles = profiles };

	for (; c.n_profiles < PROFILES && row->events[c.n_profiles]; c.n_profiles++)
		profiles[c.n_profiles] = (struct profile_config){
			.name = names[c.n_profiles],
			.events = (char *)row->events[c.n_profiles],
			.enabled = true,
			.user_stacks = true,
		};
	return c;
}

static void check_notes(const struct row *row, const struct plan *p)
{
	size_t n = 0;

	for (; n < 3 && row->notes[n]; n++)
		if (n >= p->n_notes || !strstr(p->notes[n], row->notes[n]))
			fail_msg("row of line %d: note %zu is '%s'", row->line, n,
				 n < p->n_notes ? p->notes[n] : "missing");
	if (p->n_notes != n)
		fail_msg("row of line %d: %zu notes", row->line, p->n_notes);
}

static void check_plan(const struct row *row)
{
	struct profile_config profiles[PROFILES];
	const struct config c = make_config(row, profiles);
	struct plan p = {};
	char *error = NULL;
	int r = plan_make(&c, row->strict, 0, &p, &error);

	if (r != row->r || p.n_events != row->n_events)
		fail_msg("row of line %d: %d, %zu events, %s", row->line, r, p.n_events,
			 error ? error : "no sentence");
	if (r < 0) {
		assert_non_null(error);
		assert_non_null(strstr(error, row->notes[0]));
	} else {
		check_notes(row, &p);
	}
	free(error);
	plan_done(&p);
}

/* What one spec has wrong costs that spec only, unless it was asked for by name. */
static void bad_specs(void **state)
{
	static const struct row rows[] = {
		{ __LINE__, { "cpu-clock" }, true, 0, 1, {} },
		{ __LINE__, { "cpu-clock, page-faults" }, true, 0, 2, {} },
		{ __LINE__, { "cpu-clock,cpu-clock" }, true, 0, 1, {} },
		{ __LINE__, { "cpu-clock", "cpu-clock" }, true, 0, 2, {} },
		{ __LINE__, { "cpu-clock", "cpu-clock@7" }, true, 0, 2, {} },
		{ __LINE__,
		  { "cpu-clock@5Hz,cpu-clock@7" },
		  true,
		  -EINVAL,
		  0,
		  { "asked for twice" } },
		{ __LINE__, { "cpu-clock@5Hz,cpu-clock@7" }, false, 0, 1, { "asked for twice" } },
		{ __LINE__, { "cpu-clok,page-faults" }, false, 0, 1, { "near it: cpu-clock" } },
		{ __LINE__,
		  { "cpu-clok,page-faults" },
		  true,
		  -EINVAL,
		  0,
		  { "near it: cpu-clock" } },
		{ __LINE__, { "page-faults,cpu-clok" }, false, 0, 1, { "near it: cpu-clock" } },
		{ __LINE__,
		  { "nonsense_x,page-faults,cpu-clock@0", "cpu-clock" },
		  false,
		  0,
		  2,
		  { "'nonsense_x'", "out of range" } },
		{ __LINE__, { "nowhere/x", "cpu-clock" }, false, 0, 1, { "second '/'" } },
		{ __LINE__, { "nowhere/x", "cpu-clock" }, true, -EINVAL, 0, { "second '/'" } },
		{ __LINE__, { "dummy,cpu-clock" }, false, 0, 1, { "dummy" } },
		{ __LINE__, { "nonsense_x" }, false, -EOPNOTSUPP, 0, { "nonsense_x" } },
		{ __LINE__, { NULL }, false, -EOPNOTSUPP, 0, { "no profile" } },
		{ __LINE__, { many, many }, true, -EINVAL, 0, { "at most 32 events" } },
		{ __LINE__,
		  { many, many },
		  false,
		  0,
		  32,
		  { "cpu-migrations:u': at most 32", "at most 32 events" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_plan(&rows[i]);
}

/* A counter beside the samples that cannot be had is left out once, however many events lack it. */
static void bad_counters(void **state)
{
	static char *counters[] = { "nonsense_x", "page-faults", NULL };
	struct profile_config profile = { .name = "a",
					  .events = "cpu-clock,context-switches",
					  .counters = counters,
					  .enabled = true };
	const struct config c = { .profiles = &profile, .n_profiles = 1 };
	struct plan p = {};
	char *error = NULL;

	(void)state;
	assert_int_equal(plan_make(&c, false, 0, &p, &error), 0);
	assert_int_equal(p.n_events, 2);
	for (size_t i = 0; i < p.n_events; i++)
		assert_int_equal(p.events[i].n_counters, 1);
	assert_int_equal(p.n_notes, 1);
	assert_non_null(strstr(p.notes[0], "nonsense_x"));
	plan_done(&p);
	assert_int_equal(plan_make(&c, true, 0, &p, &error), -EINVAL);
	assert_non_null(strstr(error, "nonsense_x"));
	free(error);
}

/* Events whose samples never tell a memory access say so, each; it is asked for all the same. */
static void memory_access(void **state)
{
	struct profile_config profile = { .name = "a",
					  .events = "cpu-clock,page-faults,minor-faults",
					  .memory_access = true,
					  .enabled = true };
	const struct config c = { .profiles = &profile, .n_profiles = 1 };
	struct plan p = {};
	char *error = NULL;

	(void)state;
	assert_int_equal(plan_make(&c, true, 0, &p, &error), 0);
	assert_int_equal(p.n_events, 3);
	for (size_t i = 0; i < p.n_events; i++)
		assert_true(p.events[i].flags & SAMPLER_ACCESS);
	assert_int_equal(p.n_notes, 1);
	assert_non_null(strstr(p.notes[0], "cpu-clock tells no memory access"));
	plan_done(&p);
	profile.memory_access = false;
	assert_int_equal(plan_make(&c, true, 0, &p, &error), 0);
	for (size_t i = 0; i < p.n_events; i++)
		assert_false(p.events[i].flags & SAMPLER_ACCESS);
	assert_int_equal(p.n_notes, 0);
	plan_done(&p);
}

/* Names are checked without opening anything: what a file for many machines has wrong here. */
static void names_alone(void **state)
{
	static const struct row rows[] = {
		{ __LINE__, { "cpu-clock,page-faults" }, false, 0, 0, {} },
		{ __LINE__,
		  { "cpu-clok,cycles@0Hz", "page-faults,nonsense_x" },
		  false,
		  0,
		  0,
		  { "near it: cpu-clock", "out of range", "nonsense_x" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile_config profiles[PROFILES];
		const struct config c = make_config(&rows[i], profiles);
		struct plan p = {};

		assert_int_equal(plan_check_names(&c, &p), 0);
		check_notes(&rows[i], &p);
		plan_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_specs),
		cmocka_unit_test(bad_counters),
		cmocka_unit_test(names_alone),
		cmocka_unit_test(memory_access),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
