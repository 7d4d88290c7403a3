// SPDX-License-Identifier: Apache-2.0
/* The kernel behind the names vendors give it, its class by version, and its known dangers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/danger.h"
#include "host/kernel.h"
#include "util/cleanup.h"

static void fails_at(int line, const char *what)
{
	fail_msg("row at line %d: %s", line, what);
}

/* The real version is found behind each vendor's way of naming it; nonsense is refused. */
static void test_parse(void **state)
{
	static const struct {
		int line;
		const char *release, *version, *signature;
		int r;
		unsigned int major, minor, patch;
		bool known, realtime;
	} rows[] = {
		{ __LINE__, "6.18.44", "#1 SMP", NULL, 0, 6, 18, 44, true, false },
		{ __LINE__, "4.18.0", "#1", NULL, 0, 4, 18, 0, true, false },
		{ __LINE__, "5.2", "#1", NULL, 0, 5, 2, 0, true, false },
		{ __LINE__, "6.1.0-42-amd64",
		  "#1 SMP PREEMPT_DYNAMIC Debian 6.1.159-1 (2025-12-30)", NULL, 0, 6, 1, 159, true,
		  false },
		{ __LINE__, "6.1.0-9-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)",
		  NULL, 0, 6, 1, 27, true, false },
		{ __LINE__, "6.12.57+deb13-amd64",
		  "#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)", NULL, 0, 6, 12, 57, true,
		  false },
		{ __LINE__, "6.1.0-42-rt-amd64", "#1 SMP PREEMPT_RT Debian 6.1.159-1", NULL, 0, 6,
		  1, 159, true, true },
		{ __LINE__, "5.4.0-rt1", "#1 SMP PREEMPT RT", NULL, 0, 5, 4, 0, true, true },
		{ __LINE__, "6.8.0-51-generic", "#52-Ubuntu SMP PREEMPT_DYNAMIC",
		  "Ubuntu 6.8.0-51.52-generic 6.8.12", 0, 6, 8, 12, true, false },
		{ __LINE__, "6.8.0-51-generic", "#52-Ubuntu SMP PREEMPT_DYNAMIC", NULL, 0, 6, 8, 0,
		  false, false },
		{ __LINE__, "6.8.0-51-generic", "#52-Ubuntu", "damaged", 0, 6, 8, 0, false, false },
		{ __LINE__, "5.14.0-427.76.1.el9_4.x86_64", "#1 SMP", NULL, 0, 5, 14, 0, false,
		  false },
		{ __LINE__, "6.1.25-37.47.amzn2023.x86_64", "#1 SMP", NULL, 0, 6, 1, 25, true,
		  false },
		{ __LINE__, "6.18.0-rc3", "#1", NULL, 0, 6, 18, 0, true, false },
		{ __LINE__, "6.18.0-local", "#1", NULL, 0, 6, 18, 0, true, false },
		{ __LINE__, "", "#1", NULL, -EINVAL, 0, 0, 0, false, false },
		{ __LINE__, "6", "#1", NULL, -EINVAL, 0, 0, 0, false, false },
		{ __LINE__, "linux-6.1", "#1", NULL, -EINVAL, 0, 0, 0, false, false },
		{ __LINE__, "6.99999999999999999999", "#1", NULL, -EINVAL, 0, 0, 0, false, false },
		{ __LINE__, "-6.1", "#1", NULL, -EINVAL, 0, 0, 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_kernel k;
		int r = host_kernel_parse(rows[i].release, rows[i].version, rows[i].signature, &k);

		if (r != rows[i].r)
			fails_at(rows[i].line, "result");
		if (r < 0)
			continue;
		if (k.major != rows[i].major || k.minor != rows[i].minor ||
		    k.patch != rows[i].patch)
			fails_at(rows[i].line, "version");
		if (k.patch_known != rows[i].known)
			fails_at(rows[i].line, "patch_known");
		if (k.realtime != rows[i].realtime)
			fails_at(rows[i].line, "realtime");
	}
}

/* Exact 4.18.0 and 5.2.0 belong to the class they open, their predecessors do not. */
static void test_core_level(void **state)
{
	static const struct {
		int line;
		const char *release;
		enum host_core_level level;
	} rows[] = {
		{ __LINE__, "3.10.0-1160.el7.x86_64", HOST_CORE_NONE },
		{ __LINE__, "4.17.19", HOST_CORE_NONE },
		{ __LINE__, "4.18.0", HOST_CORE_PARTIAL },
		{ __LINE__, "4.18", HOST_CORE_PARTIAL },
		{ __LINE__, "4.18.0-147.el8.x86_64", HOST_CORE_PARTIAL },
		{ __LINE__, "4.20.17", HOST_CORE_PARTIAL },
		{ __LINE__, "5.0.0", HOST_CORE_PARTIAL },
		{ __LINE__, "5.1.21", HOST_CORE_PARTIAL },
		{ __LINE__, "5.2.0", HOST_CORE_FULL },
		{ __LINE__, "5.2", HOST_CORE_FULL },
		{ __LINE__, "5.10.0", HOST_CORE_FULL },
		{ __LINE__, "6.0.0", HOST_CORE_FULL },
		{ __LINE__, "10.1.0", HOST_CORE_FULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_kernel k;

		assert_int_equal(host_kernel_parse(rows[i].release, "#1", NULL, &k), 0);
		if (host_kernel_core_level(&k) != rows[i].level)
			fails_at(rows[i].line, host_core_level_name(host_kernel_core_level(&k)));
	}
}

/* A combination is refused exactly from the release that brought the bug to the one that fixed it.
 */
static void test_danger(void **state)
{
	const unsigned int read = HOST_PLAN_READ_USER, ring = HOST_PLAN_BPF_RING,
			   hardware = HOST_PLAN_HARDWARE_EVENT, switches = HOST_PLAN_SWITCH_USER;
	const struct {
		int line;
		const char *release, *version;
		unsigned int plan;
		bool refused;
		const char *machine;
	} rows[] = {
		{ __LINE__, "5.18.19", "#1", read, false, NULL },
		{ __LINE__, "5.19.0", "#1", read, true, NULL },
		{ __LINE__, "6.0.19", "#1", read, true, NULL },
		{ __LINE__, "6.1.35", "#1", read, true, NULL },
		{ __LINE__, "6.1.36", "#1", read, false, NULL },
		{ __LINE__, "6.2.16", "#1", read, true, NULL },
		{ __LINE__, "6.3.9", "#1", read, true, NULL },
		{ __LINE__, "6.3.10", "#1", read, false, NULL },
		{ __LINE__, "6.4.0", "#1", read, false, NULL },
		{ __LINE__, "6.1.0-9-amd64", "#1 SMP Debian 6.1.27-1", read, true, NULL },
		{ __LINE__, "6.1.0-42-amd64", "#1 SMP Debian 6.1.159-1", read, false, NULL },
		{ __LINE__, "6.1.0-1011-oem", "#11-Ubuntu", read, true, NULL },
		{ __LINE__, "5.14.0-427.76.1.el9_4.x86_64", "#1", read, false, NULL },
		{ __LINE__, "5.14.0-427.76.1.el9_4.x86_64", "#1", read | hardware, true, NULL },
		{ __LINE__, "5.14.0-503.1.el9_5.x86_64", "#1", read | hardware, false, NULL },
		{ __LINE__, "5.14.21", "#1", read | hardware, false, NULL },
		{ __LINE__, "6.14.11", "#1", ring | hardware, false, NULL },
		{ __LINE__, "6.15.0", "#1", ring | hardware, true, NULL },
		{ __LINE__, "6.17.13", "#1", ring | hardware, true, NULL },
		{ __LINE__, "6.18.9", "#1", ring | hardware, true, NULL },
		{ __LINE__, "6.18.10", "#1", ring | hardware, false, NULL },
		{ __LINE__, "6.18.0-3-generic", "#3-Ubuntu", ring | hardware, true, NULL },
		{ __LINE__, "6.19.0", "#1", ring | hardware, false, NULL },
		{ __LINE__, "6.17.4", "#1", ring, false, NULL },
		{ __LINE__, "6.17.4", "#1", hardware, false, NULL },
		{ __LINE__, "6.1.100", "#1 SMP PREEMPT_RT", ring, true, NULL },
		{ __LINE__, "6.12.0", "#1 SMP PREEMPT_RT", ring, false, NULL },
		{ __LINE__, "6.1.100", "#1 SMP PREEMPT", ring, false, NULL },
		{ __LINE__, "5.19.0", "#1", 0, false, NULL },
		{ __LINE__, "6.12.0", "#1", switches, true, "riscv64" },
		{ __LINE__, "7.3.4", "#1", switches, true, "riscv64" },
		{ __LINE__, "6.12.0", "#1", hardware, false, "riscv64" },
		{ __LINE__, "6.12.0", "#1", switches, false, "aarch64" },
		{ __LINE__, "6.12.0", "#1", switches, false, "x86_64" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_kernel k;

		assert_int_equal(host_kernel_parse(rows[i].release, rows[i].version, NULL, &k), 0);
		snprintf(k.machine, sizeof(k.machine), "%s", rows[i].machine ? rows[i].machine : "");
		if (!!host_danger_find(&k, rows[i].plan) != rows[i].refused)
			fails_at(rows[i].line, rows[i].refused ? "not refused" : "refused");
	}
}

/* The refusal names the kernel, the reason and both spellings of the override. */
static void test_sentence(void **state)
{
	static const char *const parts[] = { "6.1.27 (6.1.0-9-amd64)", "user memory", "hangs",
					     "allow-unsafe = yes in [sampler]",
					     "--allow-unsafe-kernel" };
	_cleanup_free_ char *sentence = NULL;
	struct host_kernel k;

	(void)state;
	assert_int_equal(host_kernel_parse("6.1.0-9-amd64", "#1 SMP Debian 6.1.27-1", NULL, &k), 0);
	sentence = host_danger_sentence(host_danger_find(&k, HOST_PLAN_EVERYTHING), &k);
	assert_non_null(sentence);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strstr(sentence, parts[i]))
			fail_msg("'%s' is not in: %s", parts[i], sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_core_level),
		cmocka_unit_test(test_danger),
		cmocka_unit_test(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
