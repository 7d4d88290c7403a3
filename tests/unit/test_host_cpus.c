// SPDX-License-Identifier: Apache-2.0
// CPU, package and node lists are read from any sysfs, and damage in them is an error.
#include "host/cpus.h"
#include "host/numa.h"

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"

static char sysfs[] = "/var/tmp/ebpf-profiler-sysfs.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	for (char *p = path + strlen(sysfs) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int begin(void **state)
{
	(void)state;
	strcpy(sysfs + sizeof(sysfs) - 7, "XXXXXX");
	return mkdtemp(sysfs) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return nftw(sysfs, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

// Lists with holes give their ids; the count goes to the highest possible id.
static void test_lists(void **state)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n;

	(void)state;
	assert_int_equal(host_cpus_online(sysfs, &cpus, &n), -ENOENT);
	put("devices/system/cpu/online", "0,2-3\n");
	put("devices/system/cpu/possible", "0-7\n");
	put("devices/system/cpu/cpu2/topology/physical_package_id", "1\n");
	put("devices/system/cpu/cpu3/topology/physical_package_id", "-1\n");
	assert_int_equal(host_cpus_online(sysfs, &cpus, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(cpus[0], 0);
	assert_int_equal(cpus[1], 2);
	assert_int_equal(cpus[2], 3);
	assert_int_equal(host_cpus_possible_count(sysfs, &n), 0);
	assert_int_equal(n, 8);
	assert_int_equal(host_cpu_package(sysfs, 2), 1);
	assert_int_equal(host_cpu_package(sysfs, 3), -EINVAL);
	assert_int_equal(host_cpu_package(sysfs, 4), -ENOENT);
	put("devices/system/cpu/possible", "\n");
	assert_int_equal(host_cpus_possible_count(sysfs, &n), -EINVAL);
	put("devices/system/cpu/possible", "0-x\n");
	assert_int_equal(host_cpus_possible_count(sysfs, &n), -EINVAL);
}

// Nodes may have holes, and memory without CPUs; without NUMA there is one.
static void test_nodes(void **state)
{
	_cleanup_free_ char *text = NULL, *single = NULL;
	_cleanup_free_ int *node = NULL, *flat = NULL;

	(void)state;
	put("devices/system/cpu/online", "0-3\n");
	assert_int_equal(host_numa_describe(sysfs, &single), 0);
	assert_string_equal(single, "0-3");
	assert_int_equal(host_numa_nodes(sysfs, 5, &flat), 0);
	assert_int_equal(flat[3], 0);
	assert_int_equal(flat[4], -1);
	put("devices/system/node/online", "0,2-3\n");
	put("devices/system/node/node0/cpulist", "0,2\n");
	put("devices/system/node/node2/cpulist", "\n");
	put("devices/system/node/node3/cpulist", "1,3,9\n");
	assert_int_equal(host_numa_describe(sysfs, &text), 0);
	assert_string_equal(text, "0,2;;;1,3,9");
	assert_int_equal(host_numa_nodes(sysfs, 5, &node), 0);
	assert_int_equal(node[0], 0);
	assert_int_equal(node[1], 3);
	assert_int_equal(node[2], 0);
	assert_int_equal(node[3], 3);
	assert_int_equal(node[4], -1);
	put("devices/system/node/node3/cpulist", "x\n");
	free(TAKE_PTR(node));
	assert_int_equal(host_numa_nodes(sysfs, 5, &node), -EINVAL);
}

// On this host the CPUs we may run on are among those online, and each has a node.
static void test_this_host(void **state)
{
	_cleanup_free_ int *cpus = NULL, *node = NULL;
	size_t n, possible;
	cpu_set_t set;

	(void)state;
	assert_int_equal(host_cpus_online(NULL, &cpus, &n), 0);
	assert_int_equal(n, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(host_cpus_possible_count(NULL, &possible), 0);
	assert_true(possible >= n);
	assert_int_equal(host_numa_nodes(NULL, possible, &node), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (size_t i = 0; i < n; i++) {
		CPU_CLR((size_t)cpus[i], &set);
		assert_true(node[cpus[i]] >= 0);
	}
	assert_int_equal(CPU_COUNT(&set), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lists, begin, end),
		cmocka_unit_test_setup_teardown(test_nodes, begin, end),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
