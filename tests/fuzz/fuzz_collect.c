// SPDX-License-Identifier: Apache-2.0
/*
 * Collectors on trees of files in which one file is the input: nothing is read beyond it, every
 * value that comes out is of its column's type and prints. The first byte chooses the file, so that
 * every parser of /proc, /sys and cgroup files has its turn; records of the kernel's log, and names
 * of containers, which are parsed from memory, come last.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/row_print.h"
#include "collect/collector.h"
#include "collect/container_names.h"
#include "collect/exposition.h"
#include "collect/kernel_log.h"
#include "util/cleanup.h"
#include "util/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GROUP "sys/fs/cgroup/system.slice/a.service/"

static const struct {
	const char *collector, *path;
} targets[] = {
	{ "load", "proc/loadavg" },
	{ "load", "proc/uptime" },
	{ "load", "proc/stat" },
	{ "memory", "proc/meminfo" },
	{ "memory", "proc/vmstat" },
	{ "cpu", "proc/stat" },
	{ "process", "proc/42/stat" },
	{ "process", "proc/42/status" },
	{ "process", "proc/42/smaps_rollup" },
	{ "memory_growth", "proc/42/stat" },
	{ "memory_growth", "proc/42/statm" },
	{ "disk", "proc/diskstats" },
	{ "filesystem", "proc/self/mountinfo" },
	{ "network", "proc/net/dev" },
	{ "tcp", "proc/net/snmp" },
	{ "tcp", "proc/net/netstat" },
	{ "tcp", "proc/net/tcp" },
	{ "system", "proc/stat" },
	{ "interrupts", "proc/interrupts" },
	{ "softirqs", "proc/softirqs" },
	{ "machine_check", "proc/interrupts" },
	{ "pressure", "proc/pressure/cpu" },
	{ "numa_stats", "sys/devices/system/node/node0/numastat" },
	{ "numa_stats", "sys/devices/system/node/node0/meminfo" },
	{ "cpu_info", "proc/cpuinfo" },
	{ "cpu_info", "sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list" },
	{ "memory_info", "sys/devices/system/node/node0/distance" },
	{ "disk_info", "sys/block/sda/queue/scheduler" },
	{ "host_info", "proc/1/root/etc/os-release" },
	{ "hardware", "proc/cpuinfo" },
	{ "hardware", "sys/devices/system/node/node0/distance" },
	{ "cgroup", GROUP "cpu.stat" },
	{ "cgroup", GROUP "cpu.max" },
	{ "cgroup", GROUP "memory.stat" },
	{ "cgroup", GROUP "memory.current" },
	{ "cgroup", GROUP "io.stat" },
	{ "cgroup", GROUP "cpu.pressure" },
	{ "cgroup", GROUP "cgroup.procs" },
	{ "memory_info", "sys/firmware/dmi/tables/DMI" },
	{ "memory_info", "sys/devices/system/edac/mc/mc0/dimm0/size" },
};

/* What the collectors need beside the one file. */
static const char *const others[][2] = {
	{ "proc/loadavg", "1 2 3 4/5 6\n" },
	{ "proc/uptime", "1 2\n" },
	{ "proc/stat", "cpu 1 2 3 4 5 6 7\nbtime 5\n" },
	{ "proc/meminfo", "MemTotal: 5 kB\n" },
	{ "proc/cpuinfo", "processor: 0\n" },
	{ "proc/net/snmp", "Tcp: ActiveOpens\nTcp: 5\n" },
	{ "proc/42/stat", "42 (x) S 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 5 9999999 9999999 0\n" },
	{ "proc/42/statm", "9999999 9999999 5 0 0 0 0\n" },
	{ "proc/1/ns/unused", "" },
	{ "sys/devices/system/node/node0/numastat", "numa_hit 5\n" },
	{ "sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 5 kB\n" },
	{ "sys/devices/system/cpu/cpu0/cache/index0/level", "1\n" },
	{ "sys/devices/system/cpu/cpu0/cache/index0/type", "Data\n" },
	{ "sys/block/sda/size", "5\n" },
	{ "sys/class/net/eth0/type", "1\n" },
	{ "sys/fs/cgroup/cgroup.controllers", "cpu memory io pids\n" },
	{ GROUP "memory.current", "5\n" },
};

static char root[64];
static struct collector_settings settings;
static char proc[80], sys[80];

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void put(const char *path, const void *data, size_t size)
{
	char full[512];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void drop(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	(void)unlink(full);
}

static void remove_tree(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	require(system(command) == 0);
}

static void make_tree(void)
{
	strcpy(root, "/dev/shm/fuzz_collect.XXXXXX");
	require(mkdtemp(root) != NULL);
	atexit(remove_tree);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(sys, sizeof(sys), "%s/sys", root);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		put(others[i][0], others[i][1], strlen(others[i][1]));
	settings = (struct collector_settings){
		.interval_ns = NSEC_PER_SEC,
		.procfs = proc,
		.sysfs = sys,
		.dev = root,
		.top = 5,
		.delta_min_ns = NSEC_PER_MSEC,
		.delta_max_ns = 300 * NSEC_PER_SEC,
	};
}

static void print_all(const struct collector *c, const struct rows *rows)
{
	_cleanup_(buffer_donep) struct buffer out = {};

	for (size_t i = 0; i < rows->n; i++) {
		row_print(&out, ROW_FORMAT_TEXT, &rows->list[i], 0);
		row_print(&out, ROW_FORMAT_JSON, &rows->list[i], 0);
		row_print(&out, ROW_FORMAT_CSV, &rows->list[i], 0);
	}
	exposition_put_rows(&out, c, rows);
	require(!out.error);
}

static void collect(const char *name)
{
	const struct collector *c = collector_find(name);
	_cleanup_free_ char *error = NULL;
	void *state;

	require(c != NULL);
	if (c->open(&settings, &state, &error) < 0)
		return;
	/* Twice, for what follows from a change. */
	for (uint64_t now = 1; now <= 2; now++) {
		struct rows rows;

		rows_init(&rows, c->tables, now * NSEC_PER_SEC);
		(void)c->read(state, &rows);
		print_all(c, &rows);
		rows_done(&rows);
	}
	c->close(state);
}

static void parse_record(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ?: 1);
	struct kernel_record r;

	memcpy(copy, data, size);
	if (kernel_record_parse(copy, size, &r)) {
		require(r.severity < 8);
		require(r.message.size == 0 ||
			(r.message.data >= copy && r.message.data + r.message.size <= copy + size));
	}
	free(copy);
}

static void parse_names(const uint8_t *data, size_t size)
{
	struct container_names names = {};
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	container_names_parse_docker(text, size, &names);
	container_names_parse_oci(text, size, &names);
	container_names_parse_storage(text, size, "0123456789ab", &names);
	text[size] = 0;
	(void)container_names_parse_log(text, "0123456789ab", &names);
	require(strnlen(names.name, sizeof(names.name)) < sizeof(names.name));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = NULL;
	size_t choice;

	if (!*root)
		make_tree();
	if (size == 0)
		return 0;
	choice = *data++ % (ARRAY_SIZE(targets) + 2);
	size--;
	if (choice == ARRAY_SIZE(targets)) {
		parse_record(data, size);
		return 0;
	}
	if (choice > ARRAY_SIZE(targets)) {
		parse_names(data, size);
		return 0;
	}
	path = targets[choice].path;
	put(path, data, size);
	collect(targets[choice].collector);
	drop(path);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i][0], path) == 0)
			put(path, others[i][1], strlen(others[i][1]));
	return 0;
}
