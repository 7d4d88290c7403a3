// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/status.h"
#include "util/buffer.h"
#include "util/cleanup.h"
#include "util/parse.h"

static const struct status_event healthy_events[] = {
	{ .profile = "cpu", .requested = "cycles", .name = "cycles", .freq_hz = 99, .n_cpus = 64 },
	{ .profile = "misses",
	  .requested = "LLC-load-misses",
	  .name = "LLC-load-misses",
	  .period = 100003,
	  .n_cpus = 64 },
};

static const struct engine_status healthy = {
	.phase = ENGINE_RUNNING,
	.pid = 1234,
	.uptime_ns = 5400 * NSEC_PER_SEC,
	.events = healthy_events,
	.n_events = 2,
	.transport = "perf",
	.attach = "link",
	.n_cpus = 64,
	.samples = 34000000,
	.samples_per_second = 6336,
	.expected = 34000100,
	.not_delivered = 100,
	.stacks = { .unwound = true,
		    .all = 1000000,
		    .complete = 995000,
		    .early = 3000,
		    .by_fp = 250000,
		    .calls_checked = 80000,
		    .calls_right = 79996,
		    .rows_bytes = 9200000,
		    .rows_limit_bytes = 33554432,
		    .tables = 140,
		    .processes = 210,
		    .processes_by_fp = 12 },
	.directory = "/var/lib/ebpf-profiler",
	.segment = "/var/lib/ebpf-profiler/x.seg.active",
	.disk_files = 3,
	.disk_bytes = 41000000,
	.disk_limit_bytes = 2ULL << 30,
	.cpu_percent = 0.31,
	.cpu_budget_percent = 1,
	.rate_factor = 1,
	.rss_bytes = 30000000,
	.unwind_bytes = 6000000,
	.ring_bytes = 64 * 512 * 1024,
	.kernel_max_rate_hz = 100000,
};

static char *render(void (*put)(const struct engine_status *, struct buffer *),
		    const struct engine_status *s)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	put(s, &b);
	return buffer_take_string(&b);
}

static void healthy_daemon_in_all_renderings(void **state)
{
	/* The line, the text and the JSON tell the same numbers, in the words of the manual. */
	_cleanup_free_ char *line = render(status_put_line, &healthy);
	_cleanup_free_ char *text = render(status_put_text, &healthy);
	_cleanup_free_ char *json = render(status_put_json, &healthy);

	(void)state;
	assert_string_equal(line,
			    "sampling cycles at 99 Hz, LLC-load-misses every 100003 on 64 CPUs"
			    " | 6.3k samples/s, 0 lost, <0.01 % not delivered"
			    " | stacks 99.5 % complete"
			    " | disk 41 MB of 2.1 GB | own CPU 0.31 %, memory 24 MB + 34 MB rings + 6.0 MB rows");
	assert_string_equal(text,
			    "     State: running for 1 h 30 min, pid 1234\n"
			    "    Events: cycles at 99 Hz on 64 CPUs, profile cpu\n"
			    "            LLC-load-misses every 100003 on 64 CPUs, profile misses\n"
			    "   Samples: 34000000, 6.3k/s now, 0 lost, <0.01 % not delivered\n"
			    "    Stacks: 1000000 of user code, 99.5 % complete, 0.3 % before their"
			    " rows were there; of 80000 return addresses 4 follow no call\n"
			    "      Rows: 9.2 MB of 34 MB for 140 binaries; 210 processes, 12 by frame"
			    " pointers\n"
			    "      Disk: 41 MB of 2.1 GB in 3 files in /var/lib/ebpf-profiler\n"
			    "   Writing: /var/lib/ebpf-profiler/x.seg.active\n"
			    "  Own cost: 0.31 % of a CPU (budget 1 %), memory 24 MB + 34 MB rings + 6.0 MB rows\n"
			    "    Kernel: perf transport, attached by link, at most 100000 Hz\n");
	assert_non_null(strstr(json, "\"state\": \"running\""));
	assert_non_null(strstr(json, "\"samples\": 34000000"));
	assert_non_null(strstr(json, "\"complete\": 995000"));
	assert_non_null(strstr(json, "\"processes_by_frame_pointers\": 12"));
	assert_non_null(strstr(json, "\"degraded\": []"));
}

static void degraded_daemon_says_so_first(void **state)
{
	/* What is wrong stands first in the line, the worst before the rest; the text and the JSON
	 * have all of it. */
	static const struct status_event events[] = {
		{ .profile = "cpu",
		  .requested = "cycles",
		  .name = "cpu-clock",
		  .reason = "no PMU (ENOENT)\n",
		  .freq_hz = 50,
		  .n_cpus = 1 },
	};
	static const char *const more[] = { "kernel symbols are hidden (kptr_restrict = 2)",
					    "no BTF" };
	struct engine_status s = healthy;
	_cleanup_free_ char *line = NULL, *text = NULL, *json = NULL;

	(void)state;
	s.events = events;
	s.n_events = 1;
	s.n_cpus = 1;
	s.writing_suspended = true;
	s.write_error = -ENOSPC;
	s.lost = 12000;
	s.lost_recently = 12;
	s.rate_factor = 0.505;
	s.degraded = more;
	s.n_degraded = 2;
	line = render(status_put_line, &s);
	text = render(status_put_text, &s);
	json = render(status_put_json, &s);
	assert_string_equal(
		line,
		"DEGRADED: writing suspended: No space left on device; 12 samples lost recently; "
		"rates lowered to 50 % to stay within 1 % of a CPU; and 3 more"
		" | sampling cpu-clock at 50 Hz on 1 CPU | 6.3k samples/s, 12.0k lost, "
		"<0.01 % not delivered | stacks 99.5 % complete | disk 41 MB of 2.1 GB | own CPU 0.31 %, "
		"memory 24 MB + 34 MB rings + 6.0 MB rows");
	assert_non_null(strstr(text, "  Degraded: writing suspended: No space left on device\n"
				     "            12 samples lost recently\n"));
	assert_non_null(strstr(text, "cpu-clock instead of cycles: no PMU (ENOENT)\\x0a\n"
				     "            kernel symbols are hidden (kptr_restrict = 2)\n"
				     "            no BTF\n"));
	assert_non_null(strstr(json, "\"error\": \"No space left on device\""));
	assert_non_null(strstr(json, "\"event\": \"cpu-clock\""));
	assert_non_null(strstr(json, "\"no BTF\""));
	assert_null(strchr(line, '\n'));
}

static void line_stays_short(void **state)
{
	/* The line leaves out why an event was replaced, and cuts long sentences; the text does
	 * not. */
	static const struct status_event event = {
		.requested = "cycles", .name = "cpu-clock", .reason = "because", .freq_hz = 99
	};
	char sentence[301] = { 0 };
	const char *const degraded[] = { sentence };
	struct engine_status s = healthy;
	_cleanup_free_ char *line = NULL, *text = NULL;

	(void)state;
	memset(sentence, 'x', sizeof(sentence) - 1);
	s.events = &event;
	s.n_events = 1;
	s.degraded = degraded;
	s.n_degraded = 1;
	line = render(status_put_line, &s);
	text = render(status_put_text, &s);
	assert_memory_equal(line, "DEGRADED: cpu-clock instead of cycles; xxx", 42);
	assert_non_null(strstr(line, "xxx... | sampling"));
	assert_true(strlen(line) < 375);
	assert_non_null(strstr(text, "cpu-clock instead of cycles: because\n"));
	assert_non_null(strstr(text, sentence));
}

static void other_phases_are_one_word(void **state)
{
	/* Before and after running, the line is the phase, and nothing measured is told. */
	static const struct {
		int test_line;
		enum engine_phase phase;
		const char *line;
	} rows[] = {
		{ __LINE__, ENGINE_STARTING, "starting" },
		{ __LINE__, ENGINE_RELOADING, "reloading" },
		{ __LINE__, ENGINE_STOPPING, "stopping" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct engine_status s = { .phase = rows[i].phase, .rate_factor = 1 };
		_cleanup_free_ char *line = render(status_put_line, &s);

		if (strcmp(line, rows[i].line) != 0)
			fail_msg("line %d: %s", rows[i].test_line, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_daemon_in_all_renderings),
		cmocka_unit_test(degraded_daemon_says_so_first),
		cmocka_unit_test(line_stays_short),
		cmocka_unit_test(other_phases_are_one_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
