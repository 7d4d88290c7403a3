// SPDX-License-Identifier: Apache-2.0
/*
 * The collectors of /proc and /sys on trees of files: what each makes of what a kernel writes, of
 * what no kernel writes, and of the cases in which others of their kind are known to be wrong.
 */
#include <errno.h>
#include <fcntl.h>

#include "collect_fixture.h"

#include "collect/kernel_log.h"
#include "collect/scan.h"

#define assert_has(rows, words)                                                                    \
	do {                                                                                       \
		if (!strstr(rows, words))                                                          \
			fail_msg("no '%s' in:\n%s", words, rows);                                  \
	} while (0)

#define assert_has_not(rows, words)                                                                \
	do {                                                                                       \
		if (strstr(rows, words))                                                           \
			fail_msg("'%s' in:\n%s", words, rows);                                     \
	} while (0)

/* --- one row or none --- */

/* Files of a collector's tree, what its first read must and must not say, and how many problems. */
static void test_files(void **state)
{
	static const char uptime[] = "100.50 200.00\n";
	static const struct {
		int line;
		const char *collector;
		struct {
			const char *path, *text;
		} files[3];
		const char *words, *absent; /* NULL: whatever */
		int result;
		bool problem;
	} rows[] = {
		{ __LINE__, "load",
		  { { "proc/loadavg", "0.50 1.25 2.00 3/456 7890\n" },
		    { "proc/uptime", uptime },
		    { "proc/stat", "procs_blocked 2\n" } },
		  "load load1=0.5 load5=1.25 load15=2 running=3 threads=456 last_pid=7890 blocked=2 "
		  "uptime=100.5s\n",
		  NULL, 0, false },
		{ __LINE__, "load",
		  { { "proc/loadavg", "0.50\t1.25   2.00 3/456 7890" },
		    { "proc/uptime", "100.50\n" },
		    { "proc/stat", "procs_blocked 2 3\n" } },
		  "load1=0.5", NULL, 0, true },
		{ __LINE__, "load", { { "proc/uptime", uptime } }, "", NULL, -ENOENT, true },
		{ __LINE__, "load", { { "proc/loadavg", "" } }, NULL, "load1=", -EBADMSG, true },
		{ __LINE__, "load", { { "proc/loadavg", "a b c d e\n" } }, NULL, "load1=", -EBADMSG,
		  true },
		{ __LINE__, "load", { { "proc/loadavg", "1 2 3\n" } }, NULL, "threads=", -EBADMSG,
		  true },
		{ __LINE__, "memory",
		  { { "proc/meminfo",
		      "MemTotal: 1000 kB\nMemFree:  18014398509481984 kB\nDirty: -1 kB\n"
		      "Hugepagesize: 2048 kB\nHugePages_Total: 3\nNew_Field: 7 kB\nMapped:\n" },
		    { "proc/vmstat", "pswpin 5\npswpout 6\n" } },
		  "memory total=1024000bytes", " free=", 0, true },
		{ __LINE__, "memory",
		  { { "proc/meminfo", "MemTotal: 8 kB\nHugepagesize: 2048 kB\nHugePages_Total: 3\n" },
		    { "proc/vmstat", "pswpin 5\npswpout 6\n" } },
		  "huge_pages_total=6291456bytes", NULL, 0, false },
		{ __LINE__, "memory", { { "proc/vmstat", "pswpin 5\n" } }, "", NULL, -ENOENT, true },
		{ __LINE__, "cpu", { { "proc/stat", "intr 5\nctxt 6\n" } }, "", NULL, -EBADMSG, true },
		{ __LINE__, "cpu",
		  { { "proc/stat", "cpu  1 2 3 4 5 6 7\ncpu0 1 2 3 4 5 6 7\ncpu7 9 9 9 9 9 9 9 9\n" } },
		  "cpu cpu=7 user=0.09s nice=0.09s system=0.09s idle=0.09s iowait=0.09s irq=0.09s "
		  "softirq=0.09s steal=0.09s\n",
		  NULL, 0, false },
		{ __LINE__, "cpu", { { "proc/stat", "cpu 1 2 3\n" } }, NULL, "user=", -EBADMSG, true },
		{ __LINE__, "system", { { "proc/stat", "intr 5 1 2\nctxt 6\nprocesses 7\n" } },
		  "system ", NULL, 0, false },
		{ __LINE__, "disk", { { "proc/diskstats", "" } }, "", NULL, 0, false },
		{ __LINE__, "disk", { { "proc/diskstats", "8 0 sda 1 2 3\n" } }, "", NULL, 0, true },
		{ __LINE__, "disk",
		  { { "proc/diskstats", "   8       0 sda 1 2 3 4 5 6 7 8 9 10 18446744073709551615\n" } },
		  "device=sda major=8 minor=0 in_progress=9 reads=1", NULL, 0, false },
		{ __LINE__, "disk",
		  { { "proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 18446744073709551616\n" } }, "",
		  NULL, 0, true },
		{ __LINE__, "network", { { "proc/net/dev", "a\nb\n eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n" } },
		  "interface=eth0 rx=1bytes", NULL, 0, false },
		{ __LINE__, "network", { { "proc/net/dev", "a\nb\n eth0: 1 2 3\n" } }, "", NULL, 0, true },
		{ __LINE__, "network",
		  { { "proc/net/dev", "a\nb\n ../../x: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n" } }, "",
		  NULL, 0, true },
		{ __LINE__, "pressure", { { "proc/pressure/cpu", "some avg10=1 avg60=2 avg300=3 total=4\n" } },
		  "resource=cpu scope=some avg10=1% avg60=2% avg300=3% waited=4us\n", NULL, 0, false },
		{ __LINE__, "pressure", { { "proc/pressure/cpu", "some avg10=1 avg60=2\n" } }, "", NULL,
		  -ENOENT, true },
		{ __LINE__, "tcp", { { "proc/net/snmp", "Tcp: A B\nTcp: 1\n" } }, NULL, "active_opens=",
		  -EBADMSG, true },
		{ __LINE__, "tcp",
		  { { "proc/net/snmp", "Tcp: ActiveOpens CurrEstab\nTcp: 5 6\n" },
		    { "proc/net/netstat", "TcpExt: ListenDrops\nTcpExt: 7\n" },
		    { "proc/net/tcp", "sl\n 0: 0 0 0A 0\n 1: 0 0 01 0\n 2: 0 0 FF 0\n" } },
		  "active_opens=5", NULL, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct tree t;

		tree_init(&t);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].files) && rows[i].files[k].path; k++)
			tree_put(&t, rows[i].files[k].path, rows[i].files[k].text);
		tree_open(&t, rows[i].collector);
		text = tree_read(&t);
		if ((rows[i].result != 0) != (t.result != 0) ||
		    rows[i].problem != (t.problems != 0) ||
		    (rows[i].words && !(*rows[i].words ? strstr(text, rows[i].words) != NULL :
							 *text == 0)) ||
		    (rows[i].absent && strstr(text, rows[i].absent)))
			fail_msg("line %d: %s gave %d, %llu problems (%s), and\n%s", rows[i].line,
				 rows[i].collector, t.result, (unsigned long long)t.problems,
				 t.problem, text);
		tree_done(&t);
	}
}

/* --- deltas --- */

/* An interval that is too long has no rates, and is the next one's beginning all the same. */
static void test_delta_after_a_gap(void **state)
{
	static const char *const names[] = { "cpu", "memory", "system", "tcp" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *after_gap = NULL, *next = NULL;
		struct tree t;

		tree_init(&t);
		tree_put(&t, "proc/stat", "cpu 1 2 3 4 5 6 7 8 9 10\nintr 5\nctxt 6\nprocesses 7\n");
		tree_put(&t, "proc/meminfo", "MemTotal: 1 kB\n");
		tree_put(&t, "proc/vmstat", "pswpin 5\npswpout 6\n");
		tree_put(&t, "proc/net/snmp", "Tcp: ActiveOpens\nTcp: 5\n");
		tree_open(&t, names[i]);
		free(tree_read(&t));
		t.now_ns += 3600 * TEST_SECOND_NS;
		after_gap = tree_read(&t);
		next = tree_read(&t);
		assert_has_not(after_gap, "interval=");
		assert_has(next, "interval=1s");
		tree_done(&t);
	}
}

/* Guests run within user and nice: 100 ticks of which 50 are a guest's are 100, not 150. */
static void test_guests_count_once(void **state)
{
	_cleanup_free_ char *rows = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n");
	tree_open(&t, "cpu");
	free(tree_read(&t));
	tree_put(&t, "proc/stat", "cpu 50 0 0 50 0 0 0 0 50 0\n");
	rows = tree_read(&t);
	assert_has(rows, "user_percent=50%");
	assert_has(rows, "idle_percent=50%");
	tree_done(&t);
}

/* Names say nothing about partitions; sysfs does. */
static void test_whole_devices(void **state)
{
	static const char *const whole[] = { "md0",  "sr0",  "zram0",	"nbd0", "ram0",
					     "dm-0", "sda",  "nvme0n1", "mmcblk0" };
	static const char *const partitions[] = { "sda1", "nvme0n1p1", "mmcblk0p2", "md0p1" };
	char stats[2048] = "", path[128];
	_cleanup_free_ char *rows = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		snprintf(stats + strlen(stats), sizeof(stats) - strlen(stats),
			 "1 0 %s 1 2 3 4 5 6 7 8 9 10 11\n", whole[i]);
		snprintf(path, sizeof(path), "sys/class/block/%s/size", whole[i]);
		tree_put(&t, path, "100\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(partitions); i++) {
		snprintf(stats + strlen(stats), sizeof(stats) - strlen(stats),
			 "1 0 %s 1 2 3 4 5 6 7 8 9 10 11\n", partitions[i]);
		snprintf(path, sizeof(path), "sys/class/block/%s/partition", partitions[i]);
		tree_put(&t, path, "1\n");
	}
	tree_put(&t, "proc/diskstats", stats);
	tree_open(&t, "disk");
	rows = tree_read(&t);
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		snprintf(path, sizeof(path), "device=%s ", whole[i]);
		assert_has(rows, path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(partitions); i++) {
		snprintf(path, sizeof(path), "device=%s ", partitions[i]);
		assert_has_not(rows, path);
	}
	tree_done(&t);
}

/* A device that comes has no rates, one that goes and comes back neither; a counter that began again
 * has no rate, and never a huge one. */
static void test_devices_come_and_go(void **state)
{
	_cleanup_free_ char *reset = NULL, *gone = NULL, *back = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/diskstats", "8 0 sda 100 0 0 0 0 0 0 0 0 0 0\n");
	tree_open(&t, "disk");
	free(tree_read(&t));
	tree_put(&t, "proc/diskstats", "8 0 sda 40 0 0 0 0 0 0 0 0 0 0\n");
	reset = tree_read(&t);
	assert_has(reset, "reset=1");
	assert_has(reset, "reads_delta=0");
	assert_has_not(reset, "reads_rate=");
	tree_put(&t, "proc/diskstats", "");
	gone = tree_read(&t);
	assert_string_equal(gone, "");
	tree_put(&t, "proc/diskstats", "8 0 sda 90 0 0 0 0 0 0 0 0 0 0\n");
	back = tree_read(&t);
	assert_has_not(back, "reads_delta=");
	tree_done(&t);
}

/* --- processes --- */

static void put_process(struct tree *t, unsigned int pid, unsigned int ticks, unsigned int start)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "proc/%u/stat", pid);
	snprintf(text, sizeof(text),
		 "%u (x ) y) R 1 1 1 0 -1 0 0 0 0 0 %u 0 0 0 20 0 1 0 %u 1000000 10 0\n", pid, ticks,
		 start);
	tree_put(t, path, text);
}

/* Every row has the sockets by state, as they were counted last; a count that fails ends that. */
static void test_tcp_states(void **state)
{
	_cleanup_free_ char *first = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/net/snmp", "Tcp: ActiveOpens\nTcp: 5\n");
	tree_put(&t, "proc/net/tcp",
		 "  sl  local_address rem_address   st tx_queue\n"
		 "   0: 0100007F:0277 00000000:0000 0A 0\n"
		 "   1: 0100007F:0277 0100007F:8888 01 0\n"
		 "   2: 0100007F:8888 0100007F:0277 01 0\n"
		 "   3: 0100007F:8888 0100007F:0277 FF 0\n");
	tree_put(&t, "proc/net/tcp6", "  sl\n   0: 0:0016 0:0000 0A 0\n");
	tree_open(&t, "tcp");
	first = tree_read(&t);
	assert_non_null(strstr(first, "state_established=2 state_syn_sent=0 "));
	assert_non_null(strstr(first, "state_listen=2 state_closing=0 states_age="));
	tree_remove(&t, "proc/net/tcp");
	do {
		_cleanup_free_ char *text = tree_read(&t);

		usleep(1000);
		assert_true(t.problems ? !strstr(text, "state") : strstr(text, "state_established=2 ") != NULL);
	} while (!t.problems);
	assert_string_equal(t.problem, "/proc/net/tcp: No such file or directory");
	tree_done(&t);
}

/* A pid that is used again is another process: its time counts from its own beginning. */
static void test_pid_reuse(void **state)
{
	_cleanup_free_ char *same = NULL, *other = NULL, *back = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/stat", "btime 1700000000\n");
	put_process(&t, 42, 1000, 5);
	tree_open(&t, "process");
	free(tree_read(&t));
	put_process(&t, 42, 1050, 5);
	same = tree_read(&t);
	assert_has(same, "cpu=50%");
	put_process(&t, 42, 10, 77);
	other = tree_read(&t);
	assert_has(other, "comm=\"x ) y\"");
	assert_has(other, "cpu=10%");
	/* A time that went back is no share of anything. */
	put_process(&t, 42, 5, 77);
	back = tree_read(&t);
	assert_has(back, "process pid=42");
	assert_has_not(back, "cpu=");
	tree_done(&t);
}

/* Many processes: only the top ones have rows, all are counted. */
static void test_many_processes(void **state)
{
	_cleanup_free_ char *rows = NULL;
	const char *at;
	size_t n = 0;
	struct tree t;

	(void)state;
	tree_init(&t);
	t.settings.top = 3;
	tree_put(&t, "proc/stat", "btime 1700000000\n");
	for (unsigned int pid = 1; pid <= 5000; pid++)
		put_process(&t, pid, pid, 5);
	tree_open(&t, "process");
	free(tree_read(&t));
	rows = tree_read(&t);
	for (at = rows; (at = strstr(at, "process pid=")); at++)
		n++;
	assert_int_equal(n, 3);
	assert_has(rows, "process_counts processes=5000 running=5000");
	tree_done(&t);
}

/* --- NUMA --- */

static void put_node(struct tree *t, unsigned int node, const char *numastat)
{
	char path[96];

	snprintf(path, sizeof(path), "sys/devices/system/node/node%u/numastat", node);
	tree_put(t, path, numastat);
	snprintf(path, sizeof(path), "sys/devices/system/node/node%u/meminfo", node);
	tree_put(t, path, "Node 0 MemTotal: 5 kB\nNode 0 MemFree: 4 kB\nNode 0 MemUsed: 1 kB\n");
}

/* A node without memory counts nothing, which is no error; one node is data, too; balancing may be
 * 0, 1, 2 or 3. */
static void test_numa(void **state)
{
	static const char zeroes[] = "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
				     "local_node 0\nother_node 0\n";
	_cleanup_free_ char *one = NULL, *two = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_node(&t, 0, zeroes);
	tree_put(&t, "proc/sys/kernel/numa_balancing", "2\n");
	tree_open(&t, "numa_stats");
	one = tree_read(&t);
	assert_int_equal(t.problems, 0);
	assert_has(one, "node=0");
	assert_has(one, "balancing=2");
	put_node(&t, 1, "numa_hit 5\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 5\n"
			"other_node 0\n");
	two = tree_read(&t);
	assert_has(two, "node=1");
	tree_done(&t);
}

/* --- the kernel's log --- */

static void test_kernel_records(void **state)
{
	static const struct {
		int line;
		const char *record;
		bool valid;
		unsigned int facility, severity;
		const char *message, *subsystem, *device;
	} rows[] = {
		{ __LINE__, "6,339,5140900,-;NET: Registered protocol\n", true, 0, 6,
		  "NET: Registered protocol", NULL, NULL },
		/* What continues the record fills its fields, and is no part of the message. */
		{ __LINE__,
		  "30,340,5690716,-;udevd[80]: starting\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n",
		  true, 3, 6, "udevd[80]: starting", "acpi", "+acpi:PNP0A03:00" },
		{ __LINE__, "4,1,2,-,caller=T1;a\\x0ab\\x5c\n", true, 0, 4, "a\nb\\", NULL, NULL },
		{ __LINE__, "4,1,2,c;\n", true, 0, 4, "", NULL, NULL },
		{ __LINE__, "", false, 0, 0, NULL, NULL, NULL },
		{ __LINE__, "4,1;x\n", false, 0, 0, NULL, NULL, NULL },
		{ __LINE__, "-4,1,2,-;x\n", false, 0, 0, NULL, NULL, NULL },
		{ __LINE__, "4,1,2,- no semicolon\n", false, 0, 0, NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char copy[256];
		struct kernel_record r;
		bool valid;

		snprintf(copy, sizeof(copy), "%s", rows[i].record);
		valid = kernel_record_parse(copy, strlen(copy), &r);
		if (valid != rows[i].valid)
			fail_msg("line %d: valid is %d", rows[i].line, valid);
		if (!valid)
			continue;
		if (r.facility != rows[i].facility || r.severity != rows[i].severity ||
		    r.message.size != strlen(rows[i].message) ||
		    memcmp(r.message.data, rows[i].message, r.message.size) != 0)
			fail_msg("line %d: facility %u, severity %u, '%.*s'", rows[i].line,
				 r.facility, r.severity, (int)r.message.size, r.message.data);
		if (rows[i].subsystem)
			assert_true(bytes_are(r.subsystem, rows[i].subsystem));
		if (rows[i].device)
			assert_true(bytes_are(r.device, rows[i].device));
	}
}

/* The collector waits by its descriptor, and its buffer takes the longest record a kernel has: a
 * smaller one is EINVAL from /dev/kmsg. */
static void test_kernel_log(void **state)
{
	_cleanup_free_ char *error = NULL;
	const struct collector *c = collector_find("kernel");
	struct collector_settings s = { .procfs = "/proc", .sysfs = "/sys", .dev = "/dev" };
	char message[900];
	bool found = false;
	struct rows rows;
	void *kernel;
	int fd, r;

	(void)state;
	r = c->open(&s, &kernel, &error);
	if (r < 0) {
		print_message("# SKIP /dev/kmsg cannot be read here: %s\n", error ?: strerror(-r));
		skip();
	}
	assert_true(c->fd(kernel) >= 0);
	memset(message, 'x', sizeof(message));
	snprintf(message, sizeof(message), "<6>ebpf-profiler test %d ", (int)getpid());
	message[strlen(message)] = 'x';
	strcpy(message + sizeof(message) - 2, "\n"); /* else the record waits for its continuation */
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, message, strlen(message)) < 0) {
		print_message("# SKIP /dev/kmsg cannot be written here: %s\n", strerror(errno));
		c->close(kernel);
		skip();
	}
	close(fd);
	for (int tries = 0; tries < 100 && !found; tries++) {
		rows_init(&rows, c->tables, 1);
		assert_int_equal(c->read(kernel, &rows), 0);
		assert_int_equal(rows.problems, 0);
		for (size_t i = 0; i < rows.n; i++)
			for (size_t k = 0; k < rows.list[i].table->n_columns; k++) {
				const struct row_value *v = &rows.list[i].values[k];

				found |= rows.list[i].table->columns[k].type == ROW_TEXT &&
					 v->present && v->text.size > 800 &&
					 memmem(v->text.data, v->text.size, message + 3, 20);
			}
		rows_done(&rows);
	}
	assert_true(found);
	c->close(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_delta_after_a_gap),
		cmocka_unit_test(test_guests_count_once),
		cmocka_unit_test(test_whole_devices),
		cmocka_unit_test(test_devices_come_and_go),
		cmocka_unit_test(test_tcp_states),
		cmocka_unit_test(test_pid_reuse),
		cmocka_unit_test(test_many_processes),
		cmocka_unit_test(test_numa),
		cmocka_unit_test(test_kernel_records),
		cmocka_unit_test(test_kernel_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
