// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "pmu/devices.h"
#include "pmu/topology.h"
#include "sysfs_fixture.h"
#include "util/cleanup.h"

/* Lists of CPUs with gaps and ranges are read whole, and what is no list is refused. */
static void test_cpu_list(void **state)
{
	static const struct {
		int line;
		const char *text;
		int r;
		size_t n;
		int first, last;
	} rows[] = {
		{ __LINE__, "", 0, 0, 0, 0 },
		{ __LINE__, "0", 0, 1, 0, 0 },
		{ __LINE__, "0-3", 0, 4, 0, 3 },
		{ __LINE__, "0,18", 0, 2, 0, 18 },
		{ __LINE__, "0-4,8-12,16-20,24-26", 0, 18, 0, 26 },
		{ __LINE__, "36-53,0-17", 0, 36, 0, 53 },
		{ __LINE__, "1,1,1-2", 0, 2, 1, 2 },
		{ __LINE__, "65535", 0, 1, 65535, 65535 },
		{ __LINE__, "65536", -ERANGE, 0, 0, 0 },
		{ __LINE__, "99999999999999999999", -ERANGE, 0, 0, 0 },
		{ __LINE__, "3-1", -EINVAL, 0, 0, 0 },
		{ __LINE__, "0,", -EINVAL, 0, 0, 0 },
		{ __LINE__, ",0", -EINVAL, 0, 0, 0 },
		{ __LINE__, "0-", -EINVAL, 0, 0, 0 },
		{ __LINE__, "-1", -EINVAL, 0, 0, 0 },
		{ __LINE__, "0 1", -EINVAL, 0, 0, 0 },
		{ __LINE__, "all", -EINVAL, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0;
		int *cpus = NULL, r = pmu_cpu_list_parse(rows[i].text, &cpus, &n);

		if (r != rows[i].r || n != rows[i].n ||
		    (n && (cpus[0] != rows[i].first || cpus[n - 1] != rows[i].last)))
			fail_msg("line %d: %d, %zu CPUs", rows[i].line, r, n);
		free(cpus);
	}
}

static size_t count_sockets(const struct pmu_topology *t)
{
	int highest = 0;

	for (size_t i = 0; i < t->n; i++)
		highest = MAX(highest, t->cpus[i].socket);
	return (size_t)highest + 1;
}

/* Each machine's CPUs are placed; a socket the firmware does not number is 0. */
static void test_topology(void **state)
{
	static const struct {
		int line;
		const char *machine;
		size_t cpus, sockets;
		struct pmu_place some;
	} rows[] = {
		{ __LINE__, "ax41", 12, 1, { 9, 0, 0, 4 } },
		{ __LINE__, "i3.metal", 72, 2, { 71, 1, 0, 26 } },
		{ __LINE__, "i3.metal", 72, 2, { 41, 0, 0, 8 } },
		{ __LINE__, "skx", 96, 2, { 24, 1, 0, 0 } },
		{ __LINE__, "icx", 128, 2, { 95, 0, 0, 31 } },
		{ __LINE__, "spr", 192, 2, { 191, 1, 0, 47 } },
		{ __LINE__, "zen4", 384, 2, { 96, 1, 0, 0 } },
		{ __LINE__, "graviton2", 64, 1, { 63, 0, 0, 63 } },
	};

	const char *machine = NULL;
	char *root = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pmu_place *p;
		struct pmu_topology t;

		root = fixture_next(root, &machine, rows[i].machine);
		assert_int_equal(pmu_topology_read(root, &t), 0);
		p = pmu_topology_find(&t, rows[i].some.cpu);
		if (t.n != rows[i].cpus || count_sockets(&t) != rows[i].sockets || !p ||
		    memcmp(p, &rows[i].some, sizeof(*p)) != 0)
			fail_msg("line %d: %zu CPUs, %zu sockets", rows[i].line, t.n,
				 count_sockets(&t));
		assert_null(pmu_topology_find(&t, (int)t.n));
		assert_null(pmu_topology_find(&t, -1));
		pmu_topology_done(&t);
	}
	fixture_next(root, &machine, NULL);
}

/* Boxes of what a name means: instances x CPUs of their masks; 0 where there is no mask. */
static void count_named(const struct pmu_devices *d, const char *name, size_t *ret_instances,
			size_t *ret_boxes, enum pmu_kind *ret_kind)
{
	*ret_instances = *ret_boxes = 0;
	for (size_t i = 0; i < d->n; i++)
		if (pmu_device_is_named(&d->list[i], name)) {
			(*ret_instances)++;
			*ret_boxes += d->list[i].n_cpus;
			*ret_kind = d->list[i].kind;
		}
}

/* A name stands for all instances of its family, whatever the gaps in their numbers. */
static void test_names(void **state)
{
	static const struct {
		int line;
		const char *machine, *name;
		size_t instances, boxes;
		enum pmu_kind kind;
	} rows[] = {
		{ __LINE__, "ax41", "cpu", 1, 0, PMU_KIND_CORE },
		{ __LINE__, "ax41", "amd_df", 1, 1, PMU_KIND_UNCORE },
		{ __LINE__, "ax41", "amd_l3", 1, 2, PMU_KIND_UNCORE },
		{ __LINE__, "ax41", "power", 1, 1, PMU_KIND_ENERGY },
		{ __LINE__, "ax41", "msr", 1, 0, PMU_KIND_MSR },
		{ __LINE__, "ax41", "ibs_op", 1, 0, PMU_KIND_OTHER },
		{ __LINE__, "i3.metal", "uncore_imc", 4, 8, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "imc", 4, 8, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "uncore_imc_4", 1, 2, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "imc_4", 1, 2, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "uncore_imc_2", 0, 0, PMU_KIND_OTHER },
		{ __LINE__, "i3.metal", "uncore_cbox", 18, 36, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "uncore_ha", 2, 4, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "uncore_qpi", 2, 4, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "qpi", 2, 4, PMU_KIND_UNCORE },
		{ __LINE__, "i3.metal", "cstate_core", 1, 36, PMU_KIND_CSTATE },
		{ __LINE__, "i3.metal", "power", 1, 2, PMU_KIND_ENERGY },
		{ __LINE__, "i3.metal", "uncore", 0, 0, PMU_KIND_OTHER },
		{ __LINE__, "i3.metal", "", 0, 0, PMU_KIND_OTHER },
		{ __LINE__, "skx", "uncore_cha", 24, 48, PMU_KIND_UNCORE },
		{ __LINE__, "skx", "uncore_upi", 3, 6, PMU_KIND_UNCORE },
		{ __LINE__, "skx", "uncore_iio", 6, 12, PMU_KIND_UNCORE },
		{ __LINE__, "skx", "uncore_iio_free_running", 6, 12, PMU_KIND_UNCORE },
		{ __LINE__, "icx", "uncore_imc", 8, 16, PMU_KIND_UNCORE },
		{ __LINE__, "icx", "uncore_imc_free_running", 4, 8, PMU_KIND_UNCORE },
		{ __LINE__, "spr", "uncore_cha", 48, 96, PMU_KIND_UNCORE },
		{ __LINE__, "zen4", "amd_umc", 24, 24, PMU_KIND_UNCORE },
		{ __LINE__, "zen4", "amd_l3", 1, 24, PMU_KIND_UNCORE },
		{ __LINE__, "zen4", "amd_df", 1, 2, PMU_KIND_UNCORE },
		{ __LINE__, "graviton2", "armv8_pmuv3_0", 1, 64, PMU_KIND_CORE },
		{ __LINE__, "graviton2", "armv8_pmuv3", 1, 64, PMU_KIND_CORE },
		{ __LINE__, "graviton2", "arm_cmn", 1, 1, PMU_KIND_UNCORE },
		{ __LINE__, "graviton2", "arm_dsu", 32, 32, PMU_KIND_UNCORE },
		{ __LINE__, "graviton2", "arm_spe", 1, 64, PMU_KIND_OTHER },
		{ __LINE__, "hybrid", "cpu_core", 1, 2, PMU_KIND_CORE },
		{ __LINE__, "hybrid", "cpu_atom", 1, 2, PMU_KIND_CORE },
	};

	const char *machine = NULL;
	char *root = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum pmu_kind kind = PMU_KIND_OTHER;
		size_t instances, boxes;
		struct pmu_devices d;

		root = fixture_next(root, &machine, rows[i].machine);
		assert_int_equal(pmu_devices_read(root, &d), 0);
		count_named(&d, rows[i].name, &instances, &boxes, &kind);
		if (instances != rows[i].instances || boxes != rows[i].boxes ||
		    kind != rows[i].kind)
			fail_msg("line %d: %zu instances, %zu boxes, %s", rows[i].line, instances,
				 boxes, pmu_kind_name(kind));
		pmu_devices_done(&d);
	}
	fixture_next(root, &machine, NULL);
}

/* A PMU whose driver comes later is seen, one that is broken does not hide the others. */
static void test_late(void **state)
{
	char *root = fixture_new("ax41");
	uint64_t before = pmu_devices_fingerprint(root);
	struct pmu_devices d;

	(void)state;
	assert_int_equal(pmu_devices_fingerprint(root), before);
	tree_write(root, "uncore_imc_0/type", "99\n");
	tree_write(root, "uncore_imc_0/cpumask", "0\n");
	tree_write(root, "broken_type/type", "many\n");
	tree_write(root, "broken_mask/type", "77\n");
	tree_write(root, "broken_mask/cpumask", "zero\n");
	tree_write(root, "typeless/cpumask", "0\n");
	assert_int_not_equal(pmu_devices_fingerprint(root), before);
	assert_int_equal(pmu_devices_read(root, &d), 0);
	assert_non_null(pmu_devices_find(&d, "uncore_imc_0"));
	assert_non_null(pmu_devices_find(&d, "amd_df"));
	assert_null(pmu_devices_find(&d, "broken_type"));
	assert_null(pmu_devices_find(&d, "broken_mask"));
	assert_null(pmu_devices_find(&d, "typeless"));
	pmu_devices_done(&d);
	tree_free(root);
	assert_int_equal(pmu_devices_read("/nonexistent", &d), -ENOENT);
	assert_int_equal(pmu_devices_fingerprint("/nonexistent"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_list),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
