// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/cmd.h"
#include "cmd/report_print.h"
#include "cmd/report_rows.h"
#include "cmd/select.h"
#include "recording.h"

static char directory[64];
static char path[96], output[96];

static int make_directory(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	snprintf(directory, sizeof(directory), "/tmp/test_report.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/0.seg", directory);
	snprintf(output, sizeof(output), "%s/output", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void record_stacks(struct recording *r, uint32_t event, uint32_t thread, uint32_t cpu,
			  unsigned int n, uint64_t period, const struct stack *s)
{
	for (unsigned int i = 0; i < n; i++)
		recording_sample(r, SECOND + r->samples, event, thread, cpu, period, s);
}

static struct report *make(const char *by, bool by_total, struct profile **ret_profile)
{
	const struct report_grouping *grouping = report_grouping_find(by);
	const char *paths[] = { path };
	struct report *r = NULL;
	char *error = NULL;

	assert_non_null(grouping);
	assert_int_equal(profile_load(paths, 1, NULL, grouping->dimensions, ret_profile, &error),
			 0);
	assert_int_equal(report_new(*ret_profile, grouping,
				    by_total ? REPORT_BY_TOTAL : REPORT_BY_SELF, NULL, &r),
			 0);
	return r;
}

static const struct report_row *row(const struct report_event *e, const char *name)
{
	for (size_t i = 0; i < e->n_rows; i++)
		if (strcmp(e->rows[i].name, name) == 0)
			return &e->rows[i];
	return NULL;
}

/* Self is where a stack ends, children counts a stack once however often a function is in it */
static void test_self_and_children(void **state)
{
	const struct {
		int line;
		const char *name, *module;
		uint64_t self, total;
	} rows[] = {
		{ __LINE__, "burn", "app", 700, 740 },
		{ __LINE__, "wait", "app", 200, 300 },
		{ __LINE__, "copy_to_user", "[kernel]", 100, 100 },
		{ __LINE__, "sys_read", "[kernel]", 0, 100 },
		{ __LINE__, "main", "app", 40, 1040 },
		{ __LINE__, "[no stack]", "", 5, 5 },
	};
	struct recording r;
	struct profile *p;
	struct report *report;
	const struct report_event *e;

	(void)state;
	recording_open(&r, path);
	recording_epoch(&r, SECOND);
	record_stacks(&r, 0, 0, 0, 70, 10, &(struct stack){ 0, 2, { BURN, MAIN_CALL } });
	record_stacks(&r, 0, 0, 0, 20, 10, &(struct stack){ 0, 2, { WAIT, MAIN_CALL } });
	record_stacks(&r, 0, 0, 0, 10, 10,
		      &(struct stack){ 2, 2, { COPY, SYS_READ, WAIT, MAIN_CALL } });
	/* main calls burn, which calls main, which calls burn, which calls main */
	record_stacks(&r, 0, 0, 0, 4, 10,
		      &(struct stack){ 0, 5, { MAIN_CALL, BURN, MAIN_CALL, BURN, MAIN_CALL } });
	record_stacks(&r, 0, 0, 0, 1, 5, &(struct stack){ 0, 0, { 0 } });
	/* another event with the same stacks does not mix in */
	record_stacks(&r, 1, 0, 0, 3, 1000, &(struct stack){ 0, 2, { BURN, MAIN_CALL } });
	recording_close(&r);

	report = make("function", false, &p);
	assert_int_equal(report->n_events, 2);
	e = &report->events[0];
	assert_string_equal(e->event->requested, "cycles");
	assert_int_equal(e->event->samples, 105);
	assert_int_equal(e->event->weight, 1045);
	assert_int_equal(e->unknown_weight, 5);
	assert_int_equal(e->n_rows, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct report_row *found = row(e, rows[i].name);

		if (!found || found->self_weight != rows[i].self ||
		    found->total_weight != rows[i].total ||
		    strcmp(found->module, rows[i].module) != 0)
			fail_msg("line %d: %s", rows[i].line, rows[i].name);
	}
	assert_string_equal(e->rows[0].name, "burn");
	assert_int_equal(report->events[1].event->weight, 3000);
	assert_int_equal(row(&report->events[1], "main")->total_weight, 3000);
	report_free(report);
	profile_free(p);

	report = make("function", true, &p);
	assert_string_equal(report->events[0].rows[0].name, "main");
	report_free(report);
	profile_free(p);
}

/* Each grouping divides the same samples, and its shares add up to the whole */
static void test_groupings(void **state)
{
	const struct {
		int line;
		const char *by, *name;
		uint64_t weight;
	} rows[] = {
		{ __LINE__, "process", "web (100)", 40 },
		{ __LINE__, "process", "db (200)", 20 },
		{ __LINE__, "thread", "worker (101), of web (100)", 30 },
		{ __LINE__, "comm", "sh", 40 },
		{ __LINE__, "unit", "web.service", 40 },
		{ __LINE__, "unit", "[no unit]", 40 },
		{ __LINE__, "container", "0123456789abcdef", 20 },
		{ __LINE__, "container", "[no container]", 80 },
		{ __LINE__, "cpu", "cpu 9", 40 },
		{ __LINE__, "node", "node 0", 40 },
		{ __LINE__, "node", "node 1", 60 },
		{ __LINE__, "kernel-user", "[kernel]", 12 },
		{ __LINE__, "kernel-user", "[guest]", 8 },
		{ __LINE__, "kernel-user", "[user]", 80 },
		{ __LINE__, "module", "app", 80 },
		{ __LINE__, "module", "[kernel]", 12 },
		{ __LINE__, "module", "[guest]", 8 },
	};
	const struct stack user = { 0, 1, { BURN } }, kernel = { 1, 1, { COPY, BURN } };
	const struct stack guest = { 2, 1, { GUEST, SYS_READ, BURN } };
	struct recording r;

	(void)state;
	recording_open(&r, path);
	recording_epoch(&r, SECOND);
	record_stacks(&r, 0, THREAD_WEB, 0, 10, 1, &user);
	record_stacks(&r, 0, THREAD_WEB_WORKER, 1, 30, 1, &user);
	record_stacks(&r, 0, THREAD_DB, 2, 12, 1, &kernel);
	record_stacks(&r, 0, THREAD_DB, 2, 8, 1, &guest);
	/* Four CPUs are online, of more. */
	record_stacks(&r, 0, THREAD_SHELL, 9, 40, 1, &user);
	recording_close(&r);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile *p;
		struct report *report = make(rows[i].by, false, &p);
		const struct report_row *found = row(&report->events[0], rows[i].name);
		uint64_t sum = 0;

		if (!found || found->self_weight != rows[i].weight)
			fail_msg("line %d: %s", rows[i].line, rows[i].name);
		for (size_t k = 0; k < report->events[0].n_rows; k++)
			sum += report->events[0].rows[k].self_weight;
		assert_int_equal(sum, 100);
		report_free(report);
		profile_free(p);
	}
	assert_null(report_grouping_find("colour"));
}

#define SOURCE(op, lvl, num, snoop, tlb)                                                           \
	(PERF_MEM_S(OP, op) | PERF_MEM_S(LVL, lvl) | PERF_MEM_S(LVLNUM, num) |                     \
	 PERF_MEM_S(SNOOP, snoop) | PERF_MEM_S(LOCK, NA) | PERF_MEM_S(TLB, tlb))

/* Samples with their memory access are told apart by each part of it, and those without are rows
 * of their own */
static void test_memory_access(void **state)
{
	const struct {
		int line;
		const char *by, *name;
		uint64_t weight;
	} rows[] = {
		{ __LINE__, "data-source", "load, L1 hit", 3 },
		{ __LINE__, "data-source", "load, L3 miss, snoop HITM", 5 },
		{ __LINE__, "data-source", "store, remote RAM, one hop hit", 7 },
		{ __LINE__, "data-source", "[no data source]", 11 },
		{ __LINE__, "tlb", "L1 hit", 3 },
		{ __LINE__, "tlb", "L2 miss", 12 },
		{ __LINE__, "latency", "4 to 7 cycles", 3 },
		{ __LINE__, "latency", "256 to 511 cycles", 5 },
		{ __LINE__, "latency", "[no latency]", 18 },
		{ __LINE__, "address", "0x7f0000001000", 3 },
		{ __LINE__, "address", "0x7f0000001040", 5 },
		{ __LINE__, "page", "0x7f0000001000", 8 },
		{ __LINE__, "page", "[no address]", 18 },
	};
	const struct {
		unsigned int n;
		struct record_access access;
	} samples[] = {
		{ 3, { 0x7f0000001001, SOURCE(LOAD, HIT, L1, NA, HIT) | PERF_MEM_S(TLB, L1), 5 } },
		{ 5,
		  { 0x7f000000107f, SOURCE(LOAD, MISS, L3, HITM, MISS) | PERF_MEM_S(TLB, L2),
		    256 } },
		/* As older kernels and CPUs write it. */
		{ 7,
		  { 0,
		    SOURCE(STORE, HIT, NA, NA, MISS) | PERF_MEM_S(LVL, REM_RAM1) |
			    PERF_MEM_S(TLB, L2),
		    0 } },
		{ 11, { 0 } },
	};
	const struct stack user = { 0, 1, { BURN } };
	struct recording r;

	(void)state;
	recording_open(&r, path);
	recording_epoch(&r, SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		r.access = samples[i].access;
		record_stacks(&r, EVENT_FAULTS, THREAD_WEB, 0, samples[i].n, 1, &user);
	}
	recording_close(&r);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile *p;
		struct report *report = make(rows[i].by, false, &p);
		const struct report_event *e = &report->events[1];
		const struct report_row *found = row(e, rows[i].name);
		uint64_t sum = 0;

		if (!found || found->self_weight != rows[i].weight)
			fail_msg("line %d: %s, %llu", rows[i].line, rows[i].name,
				 found ? (unsigned long long)found->self_weight : 0ULL);
		for (size_t k = 0; k < e->n_rows; k++)
			sum += e->rows[k].self_weight;
		assert_int_equal(sum, 26);
		assert_int_equal(e->event->accesses.addresses, 8);
		assert_int_equal(e->event->accesses.sources, 15);
		assert_int_equal(e->event->accesses.latencies, 8);
		report_free(report);
		profile_free(p);
	}
}

/* Lost and not delivered are never negative, and what the ledger does not say is not made up */
static void test_ledger_sums(void **state)
{
	const struct {
		int line;
		struct profile_ledger ledger;
		uint64_t lost, not_delivered;
	} rows[] = {
		{ __LINE__, { 0 }, 0, 0 },
		{ __LINE__, { .seen = 100, .expected = 110 }, 0, 10 },
		{ __LINE__, { .seen = 110, .expected = 100 }, 0, 0 },
		{ __LINE__, { .seen = 9, .full = 1, .fault = 2, .gaps = 3, .dropped = 4 }, 10, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (profile_lost(&rows[i].ledger) != rows[i].lost ||
		    profile_not_delivered(&rows[i].ledger) != rows[i].not_delivered)
			fail_msg("line %d", rows[i].line);
}

/* --- the command -------------------------------------------------------------------------------*/

/* Runs `report` in a child with these arguments; its output is in `text`. */
static int run(const char *const *arguments, char *text, size_t size)
{
	char *argv[16] = { (char *)"report" };
	int argc = 1, status;
	pid_t pid;
	FILE *f;
	size_t n;

	while (arguments[argc - 1]) {
		argv[argc] = (char *)arguments[argc - 1];
		argc++;
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!freopen(output, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(99);
		status = cmd_report(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	f = fopen(output, "r");
	assert_non_null(f);
	n = fread(text, 1, size - 1, f);
	text[n] = 0;
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Exit code and sentence of each way to call it */
static void test_command(void **state)
{
	static char text[65536];
	const struct {
		int line;
		const char *arguments[6];
		int code;
		const char *words;
	} rows[] = {
		{ __LINE__, { path }, EXIT_OK, "burn" },
		{ __LINE__, { "--help" }, EXIT_OK, "--since=WHEN" },
		{ __LINE__,
		  { path },
		  EXIT_OK,
		  "cycles not available here: no PMU: ENOENT; cpu-clock fired" },
		{ __LINE__,
		  { path },
		  EXIT_OK,
		  "lost 5 (5.00 %) [ring full 5], not delivered 20 (16.67 %)" },
		{ __LINE__, { path }, EXIT_OK, "2026-01-31 10:00:02 rate lowered" },
		{ __LINE__, { path, "--pid=100" }, EXIT_OK, "on the whole host" },
		{ __LINE__, { path, "--by", "unit" }, EXIT_OK, "100.00 %" },
		{ __LINE__, { path, "--by=process", "--event=page-faults" }, EXIT_OK, "web (100)" },
		{ __LINE__, { path, "--json" }, EXIT_OK, "\"not_delivered\": 20" },
		{ __LINE__, { path, "--limit=1" }, EXIT_OK, "more; --limit=0" },
		{ __LINE__, { path, "--sort=children" }, EXIT_OK, "main" },
		{ __LINE__, { path, "--since=-1h" }, EXIT_NO_DATA, "There are no samples since" },
		{ __LINE__, { path, "--since=-1h", "--json" }, EXIT_NO_DATA, "\"events\": [" },
		{ __LINE__, { "/nonexistent" }, EXIT_NO_DATA, "There is no file or directory" },
		{ __LINE__, { "/bin/sh" }, EXIT_FAILED, "/bin/sh" },
		{ __LINE__, { "--since=yesterday" }, EXIT_USAGE, "--since=yesterday is not" },
		{ __LINE__,
		  { "--since=12:00", "--until=11:00" },
		  EXIT_USAGE,
		  "not before --until" },
		{ __LINE__, { "--pid=x" }, EXIT_USAGE, "--pid=x is not process ids" },
		{ __LINE__, { "--pid=99999999999" }, EXIT_USAGE, "out of range" },
		{ __LINE__, { "--cpu=1-" }, EXIT_USAGE, "list of CPUs" },
		{ __LINE__, { "--cpu=" }, EXIT_USAGE, "list of CPUs" },
		{ __LINE__, { "--event=a", "--event=b" }, EXIT_USAGE, "'b' is the second" },
		{ __LINE__, { "--by=colour" }, EXIT_USAGE, "function, module" },
		{ __LINE__, { "--sort=size" }, EXIT_USAGE, "self, children, value" },
		{ __LINE__, { "--sort=value", path }, EXIT_USAGE, "needs a --metric" },
		{ __LINE__, { "--metric=speed" }, EXIT_USAGE, "COUNTER/COUNTER" },
		{ __LINE__, { "--metric=ipc", "--min-samples=few" }, EXIT_USAGE, "of samples" },
		{ __LINE__,
		  { "--metric=ipc", path },
		  EXIT_NO_DATA,
		  "No counters were read at the samples of cpu-clock; record with" },
		{ __LINE__, { "--metric=ipc", "--json", path }, EXIT_NO_DATA, "\"missing\": \"No" },
		{ __LINE__,
		  { "--metric=faults-per-ms", "--since=-1h", path },
		  EXIT_NO_DATA,
		  "There are no samples since" },
		{ __LINE__, { "--limit=many" }, EXIT_USAGE, "number of rows" },
		{ __LINE__, { "--colour" }, EXIT_USAGE, "colour" },
	};
	struct recording r;

	(void)state;
	recording_open(&r, path);
	recording_epoch(&r, SECOND);
	record_stacks(&r, 0, 0, 0, 95, 10, &(struct stack){ 0, 2, { BURN, MAIN_CALL } });
	record_stacks(&r, 1, 0, 0, 5, 1, &(struct stack){ 0, 2, { BURN, MAIN_CALL } });
	PUT(&r, RECORD_LEDGER, ledger, .time_ns = 2 * SECOND, .seen = 100, .sent = 95, .full = 5,
	    .received = 95, .expected = 120, .throttled = 2);
	PUT(&r, RECORD_NOTE, note, .time_ns = 2 * SECOND, .text = record_string("rate lowered"));
	recording_close(&r);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int code = run(rows[i].arguments, text, sizeof(text));

		if (code != rows[i].code || !strstr(text, rows[i].words))
			fail_msg("line %d: exit code %d, output:\n%s", rows[i].line, code, text);
	}
}

/* Names with any byte reach neither the terminal nor JSON as they are */
static void test_hostile_names(void **state)
{
	static const char evil[] = "\x1b[2J\n<script>\"\\\xff\xc2\x9b;";
	static char text[65536];
	const char *const both[][3] = { { path, NULL, NULL },
					{ path, "--json", NULL },
					{ path, "--by=comm", NULL } };
	struct recording r;

	(void)state;
	recording_open(&r, path);
	recording_epoch(&r, SECOND);
	PUT(&r, RECORD_FUNCTION, function, .object = 0, .start = 0x9000, .size = 0x10,
	    .name = record_string(evil));
	PUT(&r, RECORD_PROCESS, process, .pid = 7, .comm = record_string(evil));
	PUT(&r, RECORD_THREAD, thread, .process = 3, .tid = 7);
	PUT(&r, RECORD_NOTE, note, .time_ns = SECOND, .text = record_string(evil));
	recording_sample(&r, SECOND, 0, N_THREADS, 0, 1, &(struct stack){ 0, 1, { NOWHERE } });
	recording_close(&r);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		assert_int_equal(run(both[i], text, sizeof(text)), EXIT_OK);
		assert_non_null(strstr(text, "script"));
		for (const uint8_t *c = (const uint8_t *)text; *c; c++)
			if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f || *c == 0xff ||
			    *c == 0x9b)
				fail_msg("row %zu: byte %02x in\n%s", i, *c, text);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_self_and_children), TEST(test_groupings), TEST(test_memory_access),
		TEST(test_ledger_sums),	      TEST(test_command),   TEST(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
