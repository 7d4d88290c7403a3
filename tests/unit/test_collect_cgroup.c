// SPDX-License-Identifier: Apache-2.0
/*
 * The cgroup collector on trees of v1, v2 and both: what each group is, and every value; names of
 * containers where each runtime leaves them; the tree is walked seldom; hostile content costs values
 * and nothing else.
 */
#include <errno.h>

#include "collect_fixture.h"

#include "collect/cgroups.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define POD "8b6b2a0e_1c1f_4b52_9d0a_0a1b2c3d4e5f"
#define POD_UID "8b6b2a0e-1c1f-4b52-9d0a-0a1b2c3d4e5f"

static void put_group(struct tree *t, const char *group, const char *file, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "sys/fs/cgroup%s/%s", group, file);
	tree_put(t, path, text);
}

/* True when the line holds every one of the words, each as a word. */
static bool has_words(const char *line, const char *words)
{
	char copy[1024], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, " "))) {
		char padded[256];

		snprintf(padded, sizeof(padded), " %s ", word);
		if (*word && !strstr(line, padded))
			return false;
	}
	return true;
}

/* True when a row of `table` about a group with `group` in its path has all the words. */
static bool has(const char *rows, const char *table, const char *group, const char *words)
{
	char start[64], line[8192];

	snprintf(start, sizeof(start), "%s cgroup=", table);
	for (const char *at = rows; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		size_t end;

		snprintf(line, sizeof(line), "%.*s ", (int)strcspn(at, "\n"), at);
		end = strcspn(line, "=");
		end += strcspn(line + end, " ");
		if (strncmp(line, start, strlen(start)) == 0 &&
		    memmem(line, end, group, strlen(group)) && has_words(line, words))
			return true;
	}
	return false;
}

#define assert_has(rows, table, group, words)                                                      \
	do {                                                                                       \
		if (!has(rows, table, group, words))                                               \
			fail_msg("no row of %s about %s with %s in:\n%s", table, group, words,    \
				 rows);                                                            \
	} while (0)

static void put_v2(struct tree *t)
{
	put_group(t, "", "cgroup.controllers", "cpuset cpu io memory pids\n");
	put_group(t, "", "cgroup.procs", "1\n");
	put_group(t, "/system.slice/web.service", "cgroup.procs", "100\n");
}

static void put_v2_values(struct tree *t, const char *group, unsigned int step)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "usage_usec %u\nuser_usec 600000\nsystem_usec 400000\nnr_periods %u\n"
		 "nr_throttled %u\nthrottled_usec 5000\n",
		 1000000 + step * 500000, 10 + step * 10, 4 + step * 5);
	put_group(t, group, "cpu.stat", text);
	put_group(t, group, "cpu.max", "50000 100000\n");
	put_group(t, group, "cpu.weight", "200\n");
	put_group(t, group, "memory.current", "1000000\n");
	put_group(t, group, "memory.max", "4000000\n");
	put_group(t, group, "memory.high", "max\n");
	put_group(t, group, "memory.peak", "1500000\n");
	put_group(t, group, "memory.swap.current", "8192\n");
	put_group(t, group, "memory.swap.max", "max\n");
	put_group(t, group, "memory.stat",
		  "anon 300000\nfile 500000\nkernel 20000\nsock 4096\nshmem 10\nfile_mapped 11\n"
		  "active_anon 12\ninactive_anon 13\nactive_file 14\ninactive_file 15\n"
		  "pgfault 100\npgmajfault 2\nfuture_key 18446744073709551616\n");
	snprintf(text, sizeof(text), "low 0\nhigh 3\nmax 7\noom %u\noom_kill 1\n", 1 + step);
	put_group(t, group, "memory.events", text);
	snprintf(text, sizeof(text),
		 "8:0 rbytes=%u wbytes=2048 rios=3 wios=4 dbytes=0 dios=0\n"
		 "259:1 rbytes=5\n",
		 4096 + step * 1000);
	put_group(t, group, "io.stat", text);
	put_group(t, group, "pids.current", "12\n");
	put_group(t, group, "pids.max", "max\n");
	put_group(t, group, "pids.events", "max 2\n");
	snprintf(text, sizeof(text),
		 "some avg10=1.50 avg60=0.50 avg300=0.10 total=%u\n"
		 "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		 1000 + step * 250000);
	put_group(t, group, "cpu.pressure", text);
}

static void test_v2(void **state)
{
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct tree t;
	char path[256];

	(void)state;
	tree_init(&t);
	put_v2(&t);
	put_v2_values(&t, "/system.slice/web.service", 0);
	tree_put(&t, "sys/dev/block/unused", "");
	snprintf(path, sizeof(path), "%s/dev/block/8:0", t.sys);
	assert_int_equal(symlink("../../devices/pci0000:00/block/sda", path), 0);
	tree_open(&t, "cgroup");
	first = tree_read(&t);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.problems, 0);
	assert_has(first, "cgroup", "web.service",
		   "name=web.service kind=unit unit=web.service");
	assert_has(first, "cgroup_cpu", "web.service",
		   "usage=1s user=0.6s system=0.4s periods=10 throttled=4 shares=2048 "
		   "quota=50000us period=100000us");
	assert_has(first, "cgroup_memory", "web.service",
		   "current=1000000bytes peak=1500000bytes limit=4000000bytes swap=8192bytes "
		   "anon=300000bytes file=500000bytes kernel=20000bytes sockets=4096bytes "
		   "used=25% file_share=50% at_high=3 at_limit=7 ooms=1 kills=1");
	assert_null(strstr(first, "swap_limit="));
	assert_null(strstr(first, " high="));
	assert_null(strstr(first, "under_oom="));
	assert_has(first, "cgroup_io", "web.service",
		   "device=sda read=4096bytes written=2048bytes reads=3 writes=4");
	assert_has(first, "cgroup_io", "web.service", "device=259:1 read=5bytes");
	assert_has(first, "cgroup_pids", "web.service", "current=12 refused=2");
	assert_has(first, "cgroup_pressure", "web.service",
		   "resource=cpu scope=some avg10=1.5% waited=1000us");

	put_v2_values(&t, "/system.slice/web.service", 1);
	second = tree_read(&t);
	assert_has(second, "cgroup_cpu", "web.service", "cpu=50% throttled_share=50%");
	assert_has(second, "cgroup_memory", "web.service", "under_oom=1 ooms_delta=1");
	assert_has(second, "cgroup_io", "web.service", "device=sda read_rate=1000bytes/s");
	assert_has(second, "cgroup_pressure", "web.service", "scope=some waited_percent=25%");
	tree_done(&t);
}

static void put_v1_values(struct tree *t, const char *cpu, const char *group)
{
	static const struct {
		const char *file, *text;
	} cpu_files[] = {
		{ "cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 7000\n" },
		{ "cpu.shares", "512\n" },
		{ "cpu.cfs_quota_us", "-1\n" },
		{ "cpu.cfs_period_us", "100000\n" },
		{ "cpuacct.usage", "123456789\n" },
		{ "cpuacct.stat", "user 50\nsystem 25\n" },
	}, memory_files[] = {
		{ "memory.usage_in_bytes", "2000\n" },
		{ "memory.max_usage_in_bytes", "3000\n" },
		{ "memory.limit_in_bytes", "9223372036854771712\n" },
		{ "memory.failcnt", "5\n" },
		{ "memory.stat", "cache 1\nrss 2\ntotal_cache 500\ntotal_rss 1200\ntotal_swap 77\n" },
		{ "memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 4\n" },
	}, io_files[] = {
		{ "blkio.throttle.io_service_bytes",
		  "8:16 Read 100\n8:16 Write 200\n8:16 Sync 300\n8:16 Total 300\nTotal 300\n" },
		{ "blkio.throttle.io_serviced",
		  "8:16 Read 1\n8:16 Write 2\n8:16 Total 3\nTotal 3\n" },
	};
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(cpu_files); i++) {
		snprintf(path, sizeof(path), "%s%s", cpu, group);
		put_group(t, path, cpu_files[i].file, cpu_files[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(memory_files); i++) {
		snprintf(path, sizeof(path), "/memory%s", group);
		put_group(t, path, memory_files[i].file, memory_files[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(io_files); i++) {
		snprintf(path, sizeof(path), "/blkio%s", group);
		put_group(t, path, io_files[i].file, io_files[i].text);
	}
	snprintf(path, sizeof(path), "/pids%s", group);
	put_group(t, path, "pids.current", "3\n");
	put_group(t, path, "pids.max", "100\n");
}

static void put_v1_roots(struct tree *t, const char *cpu)
{
	put_group(t, cpu, "cgroup.procs", "1\n");
	put_group(t, "/memory", "cgroup.procs", "1\n");
	put_group(t, "/blkio", "cgroup.procs", "1\n");
	put_group(t, "/pids", "cgroup.procs", "1\n");
}

/* Co-mounted controllers are found by their directory's name, with no symbolic link to help. */
static void test_v1(void **state)
{
	_cleanup_free_ char *rows = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_v1_roots(&t, "/cpu,cpuacct");
	put_v1_values(&t, "/cpu,cpuacct", "/docker/" ID);
	tree_open(&t, "cgroup");
	rows = tree_read(&t);
	assert_int_equal(t.problems, 0);
	assert_has(rows, "cgroup", "/docker/" ID,
		   "name=0123456789ab kind=container container=" ID " runtime=docker");
	assert_has(rows, "cgroup_cpu", ID,
		   "usage=0.123456789s user=0.5s system=0.25s periods=9 throttled=3 shares=512 "
		   "period=100000us");
	assert_null(strstr(rows, "quota="));
	assert_has(rows, "cgroup_memory", ID,
		   "current=2000bytes peak=3000bytes swap=77bytes anon=1200bytes file=500bytes "
		   "file_share=25% under_oom=1 at_limit=5 kills=4");
	assert_null(strstr(rows, " limit=9"));
	assert_has(rows, "cgroup_io", ID,
		   "device=8:16 read=100bytes written=200bytes reads=1 writes=2");
	assert_has(rows, "cgroup_pids", ID, "current=3 limit=100");
	/* One row of each table for it: the same path in four hierarchies is one group. */
	assert_null(strstr(strstr(rows, "cgroup cgroup=/docker/" ID) + 1,
			   "cgroup cgroup=/docker/" ID));
	tree_done(&t);
}

/* Controllers on v1, and v2 beside them: pressure comes from v2, and a controller v2 has, too. */
static void test_hybrid(void **state)
{
	_cleanup_free_ char *rows = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_v1_roots(&t, "/cpu");
	put_group(&t, "/cpuacct", "cgroup.procs", "1\n");
	put_v1_values(&t, "/cpu", "/system.slice/db.service");
	put_group(&t, "/cpuacct/system.slice/db.service", "cpuacct.usage", "42\n");
	put_group(&t, "/unified", "cgroup.controllers", "pids\n");
	put_group(&t, "/unified/system.slice/db.service", "cpu.pressure",
		  "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n");
	put_group(&t, "/unified/system.slice/db.service", "pids.current", "77\n");
	put_group(&t, "/unified/only.slice/new.service", "cpu.stat", "usage_usec 1\n");
	tree_open(&t, "cgroup");
	rows = tree_read(&t);
	assert_int_equal(t.problems, 0);
	assert_has(rows, "cgroup_cpu", "db.service", "usage=4.2e-08s shares=512");
	assert_has(rows, "cgroup_memory", "db.service", "current=2000bytes");
	assert_has(rows, "cgroup_pids", "db.service", "current=77");
	assert_has(rows, "cgroup_pressure", "db.service", "resource=cpu waited=9us");
	assert_has(rows, "cgroup", "new.service", "kind=unit");
	tree_done(&t);
}

/* --- what a path is, and names --- */

static void test_kinds(void **state)
{
	static const struct {
		int line;
		const char *path, *kind, *runtime, *container, *pod;
	} rows[] = {
		{ __LINE__, "/system.slice/docker-" ID ".scope", "container", "docker", ID, "" },
		{ __LINE__, "/docker/" ID, "container", "docker", ID, "" },
		{ __LINE__, "/machine.slice/libpod-" ID ".scope", "container", "podman", ID, "" },
		{ __LINE__, "/libpod_parent/libpod-" ID, "container", "podman", ID, "" },
		{ __LINE__,
		  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD
		  ".slice/cri-containerd-" ID ".scope",
		  "container", "containerd", ID, POD_UID },
		{ __LINE__,
		  "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD
		  ".slice/crio-" ID ".scope",
		  "container", "cri-o", ID, POD_UID },
		{ __LINE__, "/kubepods/burstable/pod" POD_UID "/" ID, "container", "unknown", ID,
		  POD_UID },
		{ __LINE__, "/kubepods/burstable/pod" POD_UID, "pod", "", "", POD_UID },
		{ __LINE__, "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD
			    ".slice",
		  "pod", "", "", POD_UID },
		{ __LINE__, "/kubepods.slice/kubepods-burstable.slice", "unit", "", "", "" },
		{ __LINE__, "/lxc/box", "container", "lxc", "box", "" },
		{ __LINE__, "/machine.slice/machine-tree.scope", "container", "nspawn", "tree", "" },
		{ __LINE__, "/user.slice/user-0.slice/user@0.service/app.slice/a.service", "unit",
		  "", "", "" },
		{ __LINE__, "/slurm/uid_0/job_5/step_0", "group", "", "", "" },
		{ __LINE__, "/docker/0123456789", "group", "", "", "" }, /* too short for an id */
		{ __LINE__, "/podium", "group", "", "", "" },
	};
	struct cgroups groups;
	struct roots roots;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_group(&t, "", "cgroup.controllers", "cpu\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		put_group(&t, rows[i].path, "cpu.stat", "usage_usec 1\n");
	/* What is inside a container is its own. */
	put_group(&t, "/docker/" ID "/system.slice/inner.service", "cpu.stat", "usage_usec 1\n");
	assert_int_equal(roots_open(&t.settings, &roots), 0);
	assert_int_equal(cgroups_open(&groups, &roots, t.proc), 0);
	cgroups_renew(&groups, NSEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cgroup *g = NULL;

		for (size_t k = 0; k < groups.n; k++)
			if (strcmp(groups.list[k]->path, rows[i].path) == 0)
				g = groups.list[k];
		if (!g)
			fail_msg("line %d: %s was not found", rows[i].line, rows[i].path);
		if (strcmp(cgroup_kind_name(g->kind), rows[i].kind) != 0 ||
		    strcmp(g->runtime, rows[i].runtime) != 0 ||
		    strcmp(g->container, rows[i].container) != 0 ||
		    strcmp(g->pod, rows[i].pod) != 0)
			fail_msg("line %d: %s is %s of '%s', container '%s', pod '%s'",
				 rows[i].line, g->path, cgroup_kind_name(g->kind), g->runtime,
				 g->container, g->pod);
	}
	for (size_t k = 0; k < groups.n; k++)
		assert_null(strstr(groups.list[k]->path, "inner.service"));
	cgroups_close(&groups);
	roots_close(&roots);
	tree_done(&t);
}

static void test_names(void **state)
{
	static const struct {
		int line;
		const char *path, *file, *text, *words;
	} rows[] = {
		{ __LINE__, "/docker/" ID, "var/lib/docker/containers/" ID "/config.v2.json",
		  "{\"ID\":\"" ID "\",\"MountPoints\":{\"/data\":{\"Name\":\"volume\"}},"
		  "\"Config\":{\"Image\":\"nginx:1.25\",\"Env\":[\"A=\\\"b\\\\\"]},"
		  "\"Name\":\"/web\",\"RestartCount\":0}",
		  "name=web image=nginx:1.25 runtime=docker" },
		{ __LINE__, "/kubepods/pod" POD_UID "/" ID,
		  "run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		  "{\"ociVersion\":\"1\",\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
		  "\"io.kubernetes.cri.image-name\":\"r/app:2\","
		  "\"io.kubernetes.cri.sandbox-name\":\"app-0\","
		  "\"io.kubernetes.cri.sandbox-namespace\":\"prod\"}}",
		  "name=app image=r/app:2 pod=app-0 namespace=prod pod_uid=" POD_UID },
		{ __LINE__, "/kubepods.slice/kubepods-pod" POD ".slice/crio-" ID ".scope",
		  "run/containers/storage/overlay-containers/" ID "/userdata/config.json",
		  "{\"annotations\":{\"io.kubernetes.container.name\":\"etcd\","
		  "\"io.kubernetes.pod.name\":\"etcd-a\",\"io.kubernetes.pod.namespace\":\"kube\","
		  "\"io.kubernetes.cri-o.ImageName\":\"etcd:3\"}}",
		  "name=etcd image=etcd:3 pod=etcd-a namespace=kube runtime=cri-o" },
		{ __LINE__, "/machine.slice/libpod-" ID ".scope",
		  "var/lib/containers/storage/overlay-containers/containers.json",
		  "[{\"id\":\"" ID2 "\",\"names\":[\"other\"]},"
		  "{\"id\":\"" ID "\",\"names\":[\"cache\",\"alias\"],\"image\":\"x\"}]",
		  "name=cache runtime=podman" },
		{ __LINE__, "/kubepods/pod" POD_UID "/" ID,
		  "var/log/containers/api-7f_default_api-server-" ID ".log", "",
		  "name=api-server pod=api-7f namespace=default runtime=unknown" },
		/* Damaged, foreign, hostile: no name, and never another container's. */
		{ __LINE__, "/docker/" ID, "var/lib/docker/containers/" ID "/config.v2.json",
		  "{\"Config\":{\"Name\":\"inner\"", "name=0123456789ab" },
		{ __LINE__, "/docker/" ID, "var/lib/docker/containers/" ID "/config.v2.json", "",
		  "name=0123456789ab" },
		{ __LINE__, "/machine.slice/libpod-" ID ".scope",
		  "var/lib/containers/storage/overlay-containers/containers.json",
		  "[{\"id\":\"" ID2 "\",\"names\":[\"other\"]}]", "name=0123456789ab" },
		{ __LINE__, "/kubepods/pod" POD_UID "/" ID,
		  "var/log/containers/x_" ID ".log", "", "name=0123456789ab" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct tree t;
		char path[512];

		tree_init(&t);
		put_group(&t, "", "cgroup.controllers", "cpu\n");
		put_group(&t, rows[i].path, "cpu.stat", "usage_usec 1\n");
		snprintf(path, sizeof(path), "proc/1/root/%s", rows[i].file);
		tree_put(&t, path, rows[i].text);
		tree_open(&t, "cgroup");
		text = tree_read(&t);
		if (!has(text, "cgroup", rows[i].path, rows[i].words))
			fail_msg("line %d: no '%s' in\n%s", rows[i].line, rows[i].words, text);
		tree_done(&t);
	}
}

/* --- network --- */

static void put_process(struct tree *t, const char *pid, const char *inode, const char *rx)
{
	char path[256], target[64], text[512];

	snprintf(text, sizeof(text),
		 "Inter-|   Receive  |  Transmit\n face |bytes packets\n"
		 "    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0\n"
		 "  eth0: %s 10 1 2 0 0 0 0 300 30 3 4 0 0 0 0\n"
		 "  eth1: 1 1 1 1 0 0 0 0 1 1 1 1 0 0 0 0\n",
		 rx);
	snprintf(path, sizeof(path), "proc/%s/net/dev", pid);
	tree_put(t, path, text);
	snprintf(path, sizeof(path), "proc/%s/ns/unused", pid);
	tree_put(t, path, "");
	snprintf(path, sizeof(path), "%s/%s/ns/net", t->proc, pid);
	snprintf(target, sizeof(target), "net:[%s]", inode);
	assert_int_equal(symlink(target, path), 0);
}

static void test_network(void **state)
{
	_cleanup_free_ char *rows = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_group(&t, "", "cgroup.controllers", "cpu\n");
	put_process(&t, "1", "4026531840", "5");
	put_process(&t, "50", "4026532000", "100");
	put_process(&t, "60", "4026531840", "100");
	/* Its processes are one level down, as where systemd runs inside. */
	put_group(&t, "/docker/" ID, "cgroup.procs", "");
	put_group(&t, "/docker/" ID "/init.scope", "cgroup.procs", "50\n");
	put_group(&t, "/docker/" ID2, "cgroup.procs", "60\n"); /* --network=host */
	put_group(&t, "/system.slice/gone.service", "cgroup.procs", "70\n");
	tree_open(&t, "cgroup");
	rows = tree_read(&t);
	assert_int_equal(t.problems, 0);
	assert_has(rows, "cgroup_network", ID,
		   "network_namespace=4026532000 rx=101bytes rx_packets=11 rx_errors=2 "
		   "rx_dropped=3 tx=301bytes tx_packets=31 tx_errors=4 tx_dropped=5");
	assert_false(has(rows, "cgroup_network", ID2, "rx=101bytes"));
	assert_false(has(rows, "cgroup_network", "gone.service", ""));
	tree_done(&t);
}

/* --- the cache --- */

static void test_walks(void **state)
{
	struct cgroups groups;
	struct roots roots;
	struct tree t;
	uint64_t first;

	(void)state;
	tree_init(&t);
	put_v2(&t);
	put_group(&t, "/system.slice/other.service", "cpu.stat", "usage_usec 1\n");
	assert_int_equal(roots_open(&t.settings, &roots), 0);
	assert_int_equal(cgroups_open(&groups, &roots, t.proc), 0);
	cgroups_renew(&groups, NSEC_PER_SEC);
	first = groups.directories;
	assert_true(first > 0);
	/* A read each second for a minute lists the tree twice, and not 60 times. */
	for (unsigned int s = 2; s <= 60; s++)
		cgroups_renew(&groups, s * NSEC_PER_SEC);
	assert_int_equal(groups.directories, 2 * first);
	cgroups_close(&groups);
	roots_close(&roots);
	tree_done(&t);
}

/* Between two walks a group goes: no rows, no problem; a new one is there after the next walk. */
static void test_come_and_go(void **state)
{
	_cleanup_free_ char *gone = NULL, *again = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_v2(&t);
	put_v2_values(&t, "/system.slice/web.service", 0);
	tree_open(&t, "cgroup");
	free(tree_read(&t));
	tree_remove(&t, "sys/fs/cgroup/system.slice/web.service");
	put_v2_values(&t, "/system.slice/new.service", 0);
	gone = tree_read(&t);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.problems, 0);
	assert_int_equal(t.missing > 0, true);
	assert_null(strstr(gone, "web.service"));
	t.now_ns += CGROUPS_AGE_NS;
	again = tree_read(&t);
	assert_has(again, "cgroup_cpu", "new.service", "usage=1s");
	tree_done(&t);
}

/* --- bad input --- */

static void test_damage(void **state)
{
	static const struct {
		int line;
		const char *file, *text;
		uint64_t problems;
		const char *absent; /* what must not be in the rows */
	} rows[] = {
		{ __LINE__, "cpu.stat", "", 0, "cgroup_cpu cgroup" },
		{ __LINE__, "cpu.stat", "usage_usec\n", 1, "cgroup_cpu cgroup" },
		{ __LINE__, "cpu.stat", "usage_usec -5\n", 1, "cgroup_cpu cgroup" },
		{ __LINE__, "cpu.stat", "usage_usec 18446744073709551615\n", 1, "usage=" },
		{ __LINE__, "cpu.stat", "usage_usec 1.5\n", 1, "usage=" },
		{ __LINE__, "memory.current", "plenty\n", 1, "cgroup_memory cgroup" },
		{ __LINE__, "memory.current", "99999999999999999999\n", 1, "cgroup_memory cgroup" },
		{ __LINE__, "memory.current", "0\n", 0, "file_share=" },
		{ __LINE__, "memory.max", "0\n", 0, " used=" },
		{ __LINE__, "io.stat", "sda rbytes=1\n", 0, "cgroup_io cgroup" },
		{ __LINE__, "io.stat", "8:0 rbytes= wbytes=x rios\n", 0, "read=" },
		{ __LINE__, "io.stat", "9999999:0 rbytes=1\n", 0, "cgroup_io cgroup" },
		{ __LINE__, "pids.current", "-1\n", 0, "cgroup_pids cgroup" },
		{ __LINE__, "cpu.pressure", "some avg10=nan total=1\n", 1, "cgroup_pressure cgroup" },
		{ __LINE__, "cpu.max", "50000", 0, "period=" },
		{ __LINE__, "cpu.max", "a lot\n", 1, "quota=" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct tree t;

		tree_init(&t);
		put_v2(&t);
		put_v2_values(&t, "/system.slice/web.service", 0);
		put_group(&t, "/system.slice/web.service", rows[i].file, rows[i].text);
		tree_open(&t, "cgroup");
		text = tree_read(&t);
		if (t.result != 0 || t.problems != rows[i].problems ||
		    strstr(text, rows[i].absent))
			fail_msg("line %d: result %d, %llu problems (%s), '%s' in\n%s",
				 rows[i].line, t.result, (unsigned long long)t.problems, t.problem,
				 rows[i].absent, text);
		tree_done(&t);
	}
}

static void test_no_cgroups(void **state)
{
	_cleanup_free_ char *reason = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	assert_int_equal(collector_find("cgroup")->probe(&t.settings, &reason), -ENOENT);
	assert_non_null(strstr(reason, "no cgroup hierarchy"));
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2),	  cmocka_unit_test(test_v1),
		cmocka_unit_test(test_hybrid),	  cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_network),
		cmocka_unit_test(test_walks),	  cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_damage),	  cmocka_unit_test(test_no_cgroups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
