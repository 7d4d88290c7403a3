// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "perf_fake.h"
#include "pmu/pmu.h"
#include "sysfs_fixture.h"

#define MEM_LOADS 0x1cd
#define MEM_LOADS_AUX 0x8203
#define MEM_STORES 0x2cd
#define CORE_TYPE 4 /* of every fixture here */

/* A machine, and what its kernel says of loads that are opened alone, and of the event in front. */
struct row {
	int line;
	const char *machine, *spec;
	int alone, aux; /* errors */
	pid_t task;
	int r; /* 0: it is opened */
	bool led;
};

/* As the kernel does it: ENODATA for loads that stand behind anything else. */
static struct fake *kernel_of(const struct row *row)
{
	struct fake *f = fake_new();

	if (row->alone)
		fake_rule_add(f, (struct fake_rule){ .type = CORE_TYPE,
						     .config = MEM_LOADS,
						     .cpu = -1,
						     .leader = MEM_LOADS_AUX,
						     .leader_error = row->alone });
	if (row->aux)
		fake_rule_add(f, (struct fake_rule){ .type = CORE_TYPE,
						     .config = MEM_LOADS_AUX,
						     .cpu = -1,
						     .open_error = row->aux });
	return f;
}

static void check_led(const struct row *row, struct fake *f, int fd, int leader)
{
	const struct fake_event *aux = &f->events[leader - FAKE_FIRST_FD];
	const struct fake_event *loads = &f->events[fd - FAKE_FIRST_FD];

	if (loads->leader != leader - FAKE_FIRST_FD || aux->attr.config != MEM_LOADS_AUX)
		fail_msg("line %d: it is not behind mem-loads-aux", row->line);
	/* it counts and never samples; the group begins with it, where and with whom the loads are
	 */
	assert_true(aux->attr.sample_period == 0 && !aux->attr.freq && !aux->attr.precise_ip);
	assert_true(aux->attr.disabled && !loads->attr.disabled);
	assert_true(loads->attr.sample_period && loads->attr.precise_ip);
	assert_int_equal(aux->cpu, loads->cpu);
	assert_int_equal(aux->pid, loads->pid);
	assert_int_equal(aux->attr.inherit, loads->attr.inherit);
	assert_int_equal(aux->attr.enable_on_exec, loads->attr.enable_on_exec);
}

static void check_row(const struct row *row)
{
	char *root = fixture_new(row->machine), *error = NULL;
	const struct pmu_defaults defaults = { .sysfs = root };
	const struct pmu_target t = { .pid = row->task, .cpu = 1, .group_fd = -1 };
	struct fake *f = kernel_of(row);
	struct pmu_event *ev;
	int fd, leader;
	size_t n;

	if (pmu_events_parse(row->spec, &defaults, &ev, &n, &error) < 0)
		fail_msg("line %d: %s", row->line, error);
	ev->attr.sample_type |= PERF_SAMPLE_DATA_SRC;
	ev->attr.inherit = ev->attr.enable_on_exec = row->task > 0;
	fd = pmu_event_open_led(&f->ops, root, ev, &t, &leader);
	if ((row->r ? fd != row->r : fd < 0) || (leader >= 0) != row->led)
		fail_msg("line %d: %d, leader %d", row->line, fd, leader);
	assert_int_equal(f->open, (fd >= 0) + (leader >= 0));
	if (leader >= 0)
		check_led(row, f, fd, leader);
	f->at_cpu = 1;
	if (fd >= 0)
		f->ops.close(fd, f);
	if (leader >= 0)
		f->ops.close(leader, f);
	fake_free(f);
	pmu_events_free(ev, n);
	tree_free(root);
}

/*
 * Loads that have a data source behind mem-loads-aux only get it in front of them; nothing else
 * does, and what cannot be had is closed again and told.
 */
static void test_aux(void **state)
{
	static const struct row rows[] = {
		{ __LINE__, "spr", "cpu/mem-loads,ldlat=30/P", -ENODATA, 0, -1, 0, true },
		{ __LINE__, "spr", "cpu/mem-loads,ldlat=30/P@10007", -ENODATA, 0, 77, 0, true },
		/* without a data source it may stand alone, and other events may with one */
		{ __LINE__, "spr", "cpu/mem-loads/P", 0, 0, -1, 0, false },
		{ __LINE__, "spr", "cpu/mem-stores/P", -ENODATA, 0, -1, 0, false },
		/* refused for another reason: no attempt behind another event */
		{ __LINE__, "spr", "cpu/mem-loads/P", -EACCES, 0, -1, -EACCES, false },
		/* the event in front cannot be had, or is not there */
		{ __LINE__, "spr", "cpu/mem-loads/P", -ENODATA, -EBUSY, -1, -EBUSY, false },
		{ __LINE__, "icx", "cpu/event=0xcd,umask=0x01/P", -ENODATA, 0, -1, -ENODATA,
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_aux) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
