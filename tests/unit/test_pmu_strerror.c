// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmu/strerror.h"
#include "util/cleanup.h"

/* A bare-metal server as root. */
#define SERVER                                                                                     \
	.has_core_pmu = true, .paranoid_known = true, .paranoid = 2, .cap_perfmon = true,          \
	.cap_sys_admin = true, .max_sample_rate_hz = 100000, .max_files = 1024

static const struct pmu_machine server = { SERVER };
static const struct pmu_machine watched = { SERVER, .nmi_watchdog = true };
static const struct pmu_machine guest = { .paranoid_known = true, .paranoid = 2 };
static const struct pmu_machine user = { .has_core_pmu = true,
					 .paranoid_known = true,
					 .paranoid = 2 };
static const struct pmu_machine open_user = { .has_core_pmu = true,
					      .paranoid_known = true,
					      .paranoid = -1 };
static const struct pmu_machine debian = {
	.has_core_pmu = true, .paranoid_known = true, .paranoid = 3, .cap_perfmon = true
};
static const struct pmu_machine hidden = { .has_core_pmu = true };
static const struct pmu_machine slowed = { .has_core_pmu = true, .max_sample_rate_hz = 500 };

static struct pmu_event sampling(uint32_t type, bool countable_only)
{
	return (struct pmu_event){
		.name = (char *)"EVENT",
		.pmu = (char *)"some_pmu",
		.countable_only = countable_only,
		.attr = { .type = type,
			  .freq = !countable_only,
			  .sample_freq = countable_only ? 0 : 999 },
	};
}

/* Each errno, on each kind of machine that gives it, names the cause and a remedy. */
static void test_reasons(void **state)
{
	static const struct {
		int line;
		int error;
		uint32_t type;
		bool countable_only;
		const struct pmu_machine *machine;
		const char *says[2];
	} rows[] = {
		{ __LINE__,
		  ENOENT,
		  PERF_TYPE_HARDWARE,
		  false,
		  &guest,
		  { "no hardware PMU", "cpu-clock" } },
		{ __LINE__,
		  ENOENT,
		  PERF_TYPE_RAW,
		  false,
		  &guest,
		  { "no hardware PMU", "virtual" } },
		{ __LINE__,
		  ENOENT,
		  PERF_TYPE_HW_CACHE,
		  false,
		  &server,
		  { "no encoding of this generic event", "events" } },
		{ __LINE__, ENOENT, PERF_TYPE_SOFTWARE, false, &server, { "newer", "" } },
		{ __LINE__, ENOENT, 21, true, &server, { "some_pmu", "driver" } },
		{ __LINE__,
		  EINVAL,
		  PERF_TYPE_HARDWARE,
		  false,
		  &slowed,
		  { "999 Hz is above", "perf_event_max_sample_rate, now 500" } },
		{ __LINE__,
		  EINVAL,
		  PERF_TYPE_RAW,
		  false,
		  &server,
		  { "reserved bits", "for sampling" } },
		{ __LINE__, EINVAL, 21, true, &server, { "some_pmu", "refused the encoding" } },
		{ __LINE__, EOPNOTSUPP, 21, true, &server, { "some_pmu", "only counts" } },
		{ __LINE__, EOPNOTSUPP, PERF_TYPE_SOFTWARE, true, &server, { "never fires", "" } },
		{ __LINE__,
		  EOPNOTSUPP,
		  30,
		  false,
		  &server,
		  { "some_pmu", "no sampling interrupt" } },
		{ __LINE__,
		  EACCES,
		  PERF_TYPE_HARDWARE,
		  false,
		  &user,
		  { "perf_event_paranoid is 2", "CAP_PERFMON" } },
		{ __LINE__,
		  EACCES,
		  PERF_TYPE_HARDWARE,
		  false,
		  &debian,
		  { "perf_event_paranoid is 3", "CAP_PERFMON is not enough" } },
		{ __LINE__,
		  EACCES,
		  PERF_TYPE_HARDWARE,
		  false,
		  &open_user,
		  { "is -1", "security module" } },
		{ __LINE__,
		  EACCES,
		  PERF_TYPE_HARDWARE,
		  false,
		  &server,
		  { "is 2", "security module" } },
		{ __LINE__,
		  EACCES,
		  PERF_TYPE_HARDWARE,
		  false,
		  &hidden,
		  { "cannot be read", "ProcSubset" } },
		{ __LINE__, EPERM, PERF_TYPE_HARDWARE, false, &server, { "seccomp", "EPERM" } },
		{ __LINE__, ENODEV, PERF_TYPE_HARDWARE, false, &server, { "offline", "ENODEV" } },
		{ __LINE__, ENXIO, PERF_TYPE_HARDWARE, false, &server, { "hardware", "ENXIO" } },
		{ __LINE__, EBUSY, PERF_TYPE_HARDWARE, false, &server, { "exclusively", "EBUSY" } },
		{ __LINE__, EMFILE, PERF_TYPE_HARDWARE, false, &server, { "1024", "LimitNOFILE" } },
		{ __LINE__,
		  ENFILE,
		  PERF_TYPE_HARDWARE,
		  false,
		  &server,
		  { "fs.file-max", "ENFILE" } },
		{ __LINE__, E2BIG, PERF_TYPE_HARDWARE, false, &server, { "older", "E2BIG" } },
		{ __LINE__, ESRCH, PERF_TYPE_HARDWARE, false, &server, { "ended", "ESRCH" } },
		{ __LINE__, ENOSPC, PERF_TYPE_HARDWARE, false, &server, { "in use", "ENOSPC" } },
		{ __LINE__, ENODATA, PERF_TYPE_RAW, false, &server, { "auxiliary", "ENODATA" } },
		{ __LINE__, EPROTO, PERF_TYPE_RAW, false, &server, { "call chain", "without p" } },
		{ __LINE__,
		  EOVERFLOW,
		  PERF_TYPE_RAW,
		  false,
		  &server,
		  { "perf_event_max_stack", "EOVERFLOW" } },
		{ __LINE__, ENOSYS, PERF_TYPE_RAW, false, &server, { "no perf_event_open", "" } },
		{ __LINE__, ENOMEM, PERF_TYPE_RAW, false, &server, { "memory", "ENOMEM" } },
		{ __LINE__, EINTR, PERF_TYPE_RAW, false, &server, { "interrupted", "EINTR" } },
		{ __LINE__, EXDEV, PERF_TYPE_RAW, false, &server, { "errno 18", "" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pmu_event ev = sampling(rows[i].type, rows[i].countable_only);
		_cleanup_free_ char *why = pmu_why(&ev, -rows[i].error, rows[i].machine);

		for (size_t k = 0; k < 2; k++)
			if (!strstr(why, rows[i].says[k]))
				fail_msg("line %d: %s", rows[i].line, why);
	}
}

/* Exclude bits on a PMU that knows none, and a group too large, are told apart from bad bits. */
static void test_einval(void **state)
{
	struct pmu_event ev = sampling(21, true);
	char *why;

	(void)state;
	ev.attr.exclude_kernel = 1;
	why = pmu_why(&ev, -EINVAL, &server);
	assert_non_null(strstr(why, "leave the modifiers away"));
	free(why);

	ev = sampling(PERF_TYPE_RAW, false);
	ev.attr.freq = 0;
	ev.attr.sample_period = 0;
	why = pmu_why(&ev, -EINVAL, &watched);
	assert_non_null(strstr(why, "NMI watchdog"));
	free(why);
	why = pmu_why(&ev, -EINVAL, &server);
	assert_null(strstr(why, "NMI watchdog"));
	free(why);
}

/* The whole sentence says what was tried and on which event. */
static void test_sentence(void **state)
{
	struct pmu_event ev = sampling(PERF_TYPE_HARDWARE, false);
	char *text = pmu_event_strerror(&ev, -EBUSY);

	(void)state;
	assert_non_null(strstr(text, "cannot sample EVENT: another user"));
	free(text);
	ev = sampling(21, true);
	text = pmu_event_strerror(&ev, -ENOENT);
	assert_non_null(strstr(text, "cannot count EVENT: "));
	free(text);
	text = pmu_event_strerror(&ev, -EOPNOTSUPP);
	assert_non_null(strstr(text, "cannot sample EVENT: the PMU some_pmu only counts"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_einval),
		cmocka_unit_test(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
