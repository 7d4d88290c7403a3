// SPDX-License-Identifier: Apache-2.0
/*
 * The inventory: cores of machines that describe themselves in every known way, memory with and
 * without NUMA, disks, interfaces, ids; and the tree that is made of them.
 */
#include <errno.h>

#include "collect_fixture.h"

#include "collect/hardware_tree.h"

static void put_topology(struct tree *t, unsigned int cpu, unsigned int package, unsigned int core)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/physical_package_id",
		 cpu);
	snprintf(text, sizeof(text), "%u\n", package);
	tree_put(t, path, text);
	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/core_id", cpu);
	snprintf(text, sizeof(text), "%u\n", core);
	tree_put(t, path, text);
}

static void test_cpus(void **state)
{
	static const struct {
		int line;
		const char *cpuinfo, *words[6];
	} rows[] = {
		/* two sockets, one core each, two threads a core */
		{ __LINE__,
		  "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
		  "model name\t: Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz\nstepping\t: 7\n"
		  "microcode\t: 0x5003604\ncpu MHz\t\t: 2499.998\ncache size\t: 36608 KB\n"
		  "physical id\t: 0\nsiblings\t: 2\ncore id\t\t: 0\nflags\t\t: fpu vme\n"
		  "bogomips\t: 5000.00\ncache_alignment\t: 64\n\n"
		  "processor\t: 1\nphysical id\t: 1\nsiblings\t: 2\ncore id\t\t: 0\n\n"
		  "processor\t: 2\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: 0\n\n"
		  "processor\t: 3\nphysical id\t: 1\nsiblings\t: 2\ncore id\t\t: 0\n",
		  { "cpu_info logical=4 cores=2 packages=2 nodes=1 model_name=\"Intel(R) Xeon(R) "
		    "Platinum 8259CL CPU @ 2.50GHz\" vendor=GenuineIntel family=6 model=85 "
		    "stepping=7 microcode=0x5003604 mhz=2499.998MHz cache=37486592bytes "
		    "cache_alignment=64bytes bogomips=5000 flags=\"fpu vme\"",
		    "cpu_info_cpu cpu=2 package=0 core=0 siblings=2" } },
		/* a virtual machine without physical id: each CPU is a core */
		{ __LINE__,
		  "processor: 0\nmodel name: QEMU Virtual CPU\nprocessor: 1\n",
		  { "cpu_info logical=2 cores=2 packages=1", "cpu_info_cpu cpu=1\n" } },
		{ __LINE__,
		  "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\n"
		  "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\n"
		  "CPU part\t: 0xd0c\nCPU revision\t: 1\n",
		  { "cpu_info logical=1 cores=1 packages=1 nodes=1 vendor=0x41 family=8 "
		    "model=0xd0c stepping=1 bogomips=243.75 flags=\"fp asimd\"" } },
		/* old Arm: "Processor" is a name, and comes before the processors */
		{ __LINE__,
		  "Processor\t: ARMv7 Processor rev 3 (v7l)\nprocessor\t: 0\nBogoMIPS\t: 1.00\n"
		  "processor\t: 1\nBogoMIPS\t: 2.00\n",
		  { "cpu_info logical=2 cores=2 packages=1 nodes=1 "
		    "model_name=\"ARMv7 Processor rev 3 (v7l)\" bogomips=1" } },
		{ __LINE__,
		  "processor\t: 0\ncpu\t\t: POWER8E (raw), altivec supported\n"
		  "clock\t\t: 3425.000000MHz\nrevision\t: 2.1 (pvr 004b 0201)\n",
		  { "cpu_info logical=1 cores=1 packages=1 nodes=1 model_name=\"POWER8E (raw), "
		    "altivec supported\" stepping=\"2.1 (pvr 004b 0201)\" mhz=3425MHz" } },
		/* nonsense costs its value */
		{ __LINE__,
		  "processor\t: 0\ncpu MHz\t: fast\ncache size\t: 99999999999999999999 KB\n"
		  "physical id\t: -1\ncore id\t: x\n: no key\nno colon\nbogomips\t:\n",
		  { "cpu_info logical=1 cores=1 packages=1 nodes=1\n" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct tree t;

		tree_init(&t);
		tree_put(&t, "proc/cpuinfo", rows[i].cpuinfo);
		tree_open(&t, "cpu_info");
		text = tree_read(&t);
		assert_int_equal(t.result, 0);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].words) && rows[i].words[k]; k++)
			if (!strstr(text, rows[i].words[k]))
				fail_msg("line %d: no '%s' in\n%s", rows[i].line, rows[i].words[k],
					 text);
		tree_done(&t);
	}
}

/* What sysfs says goes before what is printed for people. */
static void test_topology(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/cpuinfo",
		 "processor: 0\nphysical id: 7\ncore id: 7\nprocessor: 1\nprocessor: 2\n"
		 "processor: 3\n");
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		put_topology(&t, cpu, cpu / 2, cpu % 2);
	tree_put(&t, "sys/devices/system/cpu/cpu0/cache/index0/level", "3\n");
	tree_put(&t, "sys/devices/system/cpu/cpu0/cache/index0/type", "Unified\n");
	tree_put(&t, "sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list", "0-1\n");
	tree_put(&t, "sys/devices/system/cpu/cpu0/cache/index0/size", "32768K\n");
	tree_put(&t, "sys/devices/system/cpu/cpu1/cache/index0/level", "3\n");
	tree_put(&t, "sys/devices/system/cpu/cpu1/cache/index0/type", "Unified\n");
	tree_put(&t, "sys/devices/system/cpu/cpu1/cache/index0/shared_cpu_list", "0-1\n");
	tree_put(&t, "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3500000\n");
	tree_put(&t, "sys/devices/system/cpu/cpu3/node1/unused", "");
	tree_put(&t, "sys/devices/system/node/node0/unused", "");
	tree_put(&t, "sys/devices/system/node/node1/unused", "");
	tree_open(&t, "cpu_info");
	text = tree_read(&t);
	assert_non_null(strstr(text, "cpu_info logical=4 cores=4 packages=2 nodes=2 "
				     "max_mhz=3500MHz"));
	assert_non_null(strstr(text, "cpu_info_cpu cpu=3 package=1 core=1 node=1\n"));
	assert_non_null(strstr(text, "cpu_info_cache level=3 type=Unified cpus=0-1 "
				     "size=33554432bytes\n"));
	/* One row for one cache. */
	assert_null(strstr(strstr(text, "cpu_info_cache") + 1, "cpu_info_cache"));
	tree_done(&t);
}

/* One structure: its bytes behind type, length and handle, then its strings. */
static size_t put_structure(uint8_t *out, uint8_t type, const uint8_t *body, size_t size,
			    const char *strings, size_t strings_size)
{
	uint8_t head[4] = { type, (uint8_t)(4 + size), 1, 0 };

	memcpy(out, head, sizeof(head));
	memcpy(out + 4, body, size);
	memcpy(out + 4 + size, strings, strings_size);
	return 4 + size + strings_size;
}

/* Beginning with the fifth byte: the arrays' handles, then as DSP0134 numbers the fields. */
#define DEVICE(total, data, size_lo, size_hi, form, type, speed, attributes, extended, configured, \
	       voltage)                                                                            \
	{                                                                                          \
		0, 0, 0xfe, 0xff, total, 0, data, 0, size_lo, size_hi, form, 0, 1, 2, type, 0, 0,  \
			(speed)&255, (speed) >> 8, 3, 4, 0, 5, attributes, (extended)&255,         \
			(extended) >> 8 & 255, (extended) >> 16, 0, (configured)&255,              \
			(configured) >> 8, 0, 0, 0, 0, (voltage)&255, (voltage) >> 8               \
	}

static void test_memory_modules(void **state)
{
	static const uint8_t ddr5[] =
		DEVICE(80, 64, 0xff, 0x7f, 9, 0x22, 4800, 2, 65536, 4400, 1100);
	static const uint8_t ddr4[] = DEVICE(64, 64, 0x00, 0x40, 13, 0x1a, 3200, 1, 0, 3200, 1200);
	static const uint8_t empty[] = DEVICE(0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 0);
	static const uint8_t kib[] = DEVICE(8, 8, 0x00, 0x82, 5, 1, 0, 0, 0, 0, 0);
	static const uint8_t old[] = {
		0, 0, 0, 0, 72, 0, 64, 0, 0x00, 0x04, 9, 0, 1, 0, 0x13, 0, 0
	};
	static const char strings[] = "DIMM A1\0BANK 0\0Maker\0 S123\0Part-7  \0";
	static const char *const unchanged = "memory_info total=1024000bytes";
	static const struct {
		int line;
		const uint8_t *body;
		size_t size;
		const char *strings;
		size_t strings_size;
		const char *row;
	} cases[] = {
		{ __LINE__, ddr5, sizeof(ddr5), strings, sizeof(strings),
		  "memory_info_module module=0 locator=\"DIMM A1\" bank=\"BANK 0\" "
		  "size=68719476736bytes type=DDR5 "
		  "form=DIMM speed=4800MT/s configured_speed=4400MT/s data_width=64bits "
		  "total_width=80bits ranks=2 "
		  "voltage=1100mV manufacturer=Maker part=Part-7 serial=\" S123\" "
		  "source=smbios\n" },
		{ __LINE__, ddr4, sizeof(ddr4), strings, sizeof(strings),
		  "size=17179869184bytes type=DDR4 form=SODIMM speed=3200MT/s" },
		{ __LINE__, empty, sizeof(empty), strings, sizeof(strings),
		  "memory_info_module module=0 locator=\"DIMM A1\" bank=\"BANK 0\" size=0bytes "
		  "source=smbios\n" },
		{ __LINE__, kib, sizeof(kib), "\0\0", 2,
		  "memory_info_module module=0 size=524288bytes form=chip data_width=8bits "
		  "total_width=8bits source=smbios\n" },
		/* SMBIOS 2.1 ended there; a string that is not there is no string. */
		{ __LINE__, old, sizeof(old), "\0\0", 2,
		  "memory_info_module module=0 size=1073741824bytes type=DDR2 form=DIMM "
		  "data_width=64bits "
		  "total_width=72bits source=smbios\n" },
	};
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/meminfo", "MemTotal:       1000 kB\n");
	tree_open(&t, "memory_info");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL, *cut = NULL;
		uint8_t table[512];
		size_t n = put_structure(table, 0, (const uint8_t[]){ 9, 9 }, 2, "x\0", 3);

		n += put_structure(table + n, 17, cases[i].body, cases[i].size, cases[i].strings,
				   cases[i].strings_size);
		n += put_structure(table + n, 127, ddr4, 0, "\0\0", 2);
		n += put_structure(table + n, 17, ddr4, sizeof(ddr4), "\0\0", 2);
		tree_put_bytes(&t, "sys/firmware/dmi/tables/DMI", table, n);
		text = tree_read(&t);
		if (!strstr(text, cases[i].row) || strstr(text, "module=1") ||
		    !strstr(text, unchanged) || t.problems)
			fail_msg("line %d: %s", cases[i].line, text);
		assert_int_equal(strstr(text, "modules=1") != NULL, cases[i].body != empty);
		/* Cut off anywhere it is a problem, and nothing is read beyond the end. */
		for (size_t size = 1; size < 9; size++) {
			free(cut);
			tree_put_bytes(&t, "sys/firmware/dmi/tables/DMI", table, size);
			cut = tree_read(&t);
			assert_non_null(strstr(cut, unchanged));
			assert_int_equal(t.problems, 1);
		}
	}
	tree_done(&t);
}

/* Without the firmware's table, what the memory controllers' drivers say. */
static void test_memory_modules_edac(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/meminfo", "MemTotal:       1000 kB\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm0/size", "16384\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm0/dimm_label",
		 "CPU_SrcID#0_MC#0_Chan#0_DIMM#0\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm0/dimm_location", "channel 0 slot 0 \n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm0/dimm_mem_type", "Registered-DDR4\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm9/dimm_label", "without a size\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc/dimm0/size", "1\n");
	tree_open(&t, "memory_info");
	text = tree_read(&t);
	assert_non_null(strstr(text, " locator=CPU_SrcID#0_MC#0_Chan#0_DIMM#0 bank=\"channel 0 "
				     "slot 0\" size=17179869184bytes "
				     "type=Registered-DDR4 source=edac\n"));
	assert_non_null(strstr(text, " modules=1\n"));
	assert_int_equal(t.problems, 0);
	assert_int_equal(t.missing, 1);
	tree_done(&t);
}

static void test_memory(void **state)
{
	_cleanup_free_ char *flat = NULL, *numa = NULL, *bad = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/meminfo", "MemTotal:       1000 kB\nMemFree: 5 kB\n");
	tree_put(&t, "sys/devices/system/cpu/online", "0-3\n");
	tree_open(&t, "memory_info");
	flat = tree_read(&t);
	assert_string_equal(flat,
			    "memory_info_node node=0 total=1024000bytes cpus=0-3 distances=10\n"
			    "memory_info total=1024000bytes nodes=1 numa=0 balancing=0\n");
	tree_put(&t, "sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 600 kB\n");
	tree_put(&t, "sys/devices/system/node/node0/cpulist", "0-3\n");
	tree_put(&t, "sys/devices/system/node/node0/distance", "10 21\n");
	/* A node of CPUs, or memory, only is none the less a node. */
	tree_put(&t, "sys/devices/system/node/node2/meminfo", "Node 2 MemTotal: 0 kB\n");
	tree_put(&t, "sys/devices/system/node/node2/cpulist", "\n");
	tree_put(&t, "sys/devices/system/node/node2/distance", "21 10\n");
	tree_put(&t, "sys/devices/system/node/nodes", "");
	tree_put(&t, "proc/sys/kernel/numa_balancing", "2\n");
	numa = tree_read(&t);
	assert_non_null(strstr(numa, "memory_info_node node=0 total=614400bytes cpus=0-3 "
				     "distances=\"10 21\"\n"));
	assert_non_null(strstr(numa, "memory_info_node node=2 total=0bytes distances=\"21 10\"\n"));
	assert_non_null(
		strstr(numa, "memory_info total=1024000bytes nodes=2 numa=1 balancing=1\n"));
	tree_put(&t, "proc/meminfo", "MemTotal: lots kB\n");
	bad = tree_read(&t);
	assert_int_equal(t.result, -EBADMSG);
	assert_string_equal(bad, "");
	assert_int_equal(t.problems, 1);
	tree_done(&t);
}

static void test_disks(void **state)
{
	_cleanup_free_ char *text = NULL;
	char path[256];
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/size", "2000\n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/nvme0n1p1/partition",
		 "1\n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/nvme0n1p1/size",
		 "100\n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/nvme0n1p1/start",
		 "8\n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/queue/scheduler",
		 "none [mq-deadline] kyber\n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/queue/rotational",
		 "0\n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/device/model",
		 "  SAMSUNG MZVL2512   \n");
	tree_put(&t, "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/device/numa_node",
		 "-1\n");
	tree_put(&t, "sys/block/loop0/size", "0\n"); /* nobody set it up */
	tree_put(&t, "sys/block/md0/size", "99999999999999999999\n");
	snprintf(path, sizeof(path), "%s/block/nvme0n1", t.sys);
	assert_int_equal(symlink("../devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1", path), 0);
	tree_open(&t, "disk_info");
	text = tree_read(&t);
	assert_string_equal(text, "disk_info device=nvme0n1 size=1024000bytes bus=nvme "
				  "model=\"SAMSUNG MZVL2512\" rotational=0 scheduler=mq-deadline\n"
				  "disk_info_partition partition=nvme0n1p1 device=nvme0n1 "
				  "size=51200bytes start=4096bytes\n");
	assert_int_equal(t.problems, 1); /* md0 */
	tree_done(&t);
}

static void test_interfaces(void **state)
{
	_cleanup_free_ char *text = NULL;
	char path[256];
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "sys/class/net/bonding_masters", "bond0\n");
	tree_put(&t, "sys/class/net/eth0/type", "1\n");
	tree_put(&t, "sys/class/net/eth0/speed", "25000\n");
	tree_put(&t, "sys/class/net/eth0/duplex", "full\n");
	tree_put(&t, "sys/class/net/eth0/mtu", "1500\n");
	tree_put(&t, "sys/class/net/eth0/operstate", "up\n");
	tree_put(&t, "sys/class/net/eth0/carrier", "1\n");
	tree_put(&t, "sys/class/net/eth0/address", "02:00:00:00:00:01\n");
	tree_put(&t, "sys/class/net/eth0/device/numa_node", "1\n");
	tree_put(&t, "sys/class/net/eth0/queues/rx-0/unused", "");
	tree_put(&t, "sys/class/net/eth0/queues/rx-1/unused", "");
	tree_put(&t, "sys/class/net/eth0/queues/tx-0/unused", "");
	snprintf(path, sizeof(path), "%s/class/net/eth0/device/driver", t.sys);
	assert_int_equal(symlink("../../../bus/pci/drivers/mlx5_core", path), 0);
	tree_open(&t, "network_info");
	text = tree_read(&t);
	assert_string_equal(text, "network_info interface=eth0 type=ethernet "
				  "address=02:00:00:00:00:01 driver=mlx5_core speed=25000Mbit/s "
				  "duplex=full mtu=1500bytes state=up carrier=1 rx_queues=2 "
				  "tx_queues=1 node=1\n");
	tree_done(&t);
}

static void test_types(void **state)
{
	static const struct {
		int line;
		const char *number, *also, *type;
	} rows[] = {
		{ __LINE__, "1", "device/unused", "ethernet" },
		{ __LINE__, "1", "unused", "virtual" },
		{ __LINE__, "1", "wireless/unused", "wireless" },
		{ __LINE__, "1", "bridge/unused", "bridge" },
		{ __LINE__, "1", "bonding/unused", "bond" },
		{ __LINE__, "772", "unused", "loopback" },
		{ __LINE__, "32", "device/unused", "infiniband" },
		{ __LINE__, "776", "unused", "tunnel" },
		{ __LINE__, "65534", "unused", "tunnel" },
		{ __LINE__, "what", "unused", "virtual" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		char path[128], words[64];
		struct tree t;

		tree_init(&t);
		tree_put(&t, "sys/class/net/x0/type", rows[i].number);
		tree_put(&t, "sys/class/net/x0/speed", "-1\n");
		snprintf(path, sizeof(path), "sys/class/net/x0/%s", rows[i].also);
		tree_put(&t, path, "");
		tree_open(&t, "network_info");
		text = tree_read(&t);
		snprintf(words, sizeof(words), "network_info interface=x0 type=%s\n", rows[i].type);
		if (strcmp(text, words) != 0)
			fail_msg("line %d: %s", rows[i].line, text);
		tree_done(&t);
	}
}

static void put_host(struct tree *t)
{
	tree_put(t, "proc/sys/kernel/hostname", "db7\n");
	tree_put(t, "proc/sys/kernel/random/boot_id", "252b9213-ab4f-4316-b706-452df41e3191\n");
	tree_put(t, "proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	tree_put(t, "proc/stat", "cpu 1 2 3 4\nbtime 1700000000\n");
	tree_put(t, "proc/1/root/var/lib/dbus/machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4\n");
	tree_put(t, "proc/1/root/usr/lib/os-release",
		 "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\n");
	tree_put(t, "proc/1/root/etc/machine-info", "CHASSIS=server\nLOCATION=\"Rack 5\"\n");
	tree_put(t, "sys/class/dmi/id/product_uuid", "4c4c4544-0051-3610-8051-b4c04f4d4c32\n");
	tree_put(t, "sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
}

static void test_host(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_host(&t);
	tree_open(&t, "host_info");
	text = tree_read(&t);
	assert_string_equal(text,
			    "host_info hostname=db7 machine_id=3d1219c7c4c5404aaa1f6d2a48adfda4 "
			    "boot_id=252b9213-ab4f-4316-b706-452df41e3191 "
			    "system_uuid=4c4c4544-0051-3610-8051-b4c04f4d4c32 vendor=\"Dell Inc.\" "
			    "os=\"Debian GNU/Linux 12 (bookworm)\" os_id=debian os_version=12 "
			    "kernel=6.1.0-18-amd64 boot_time=2023-11-14T22:13:20.000000Z "
			    "chassis=server location=\"Rack 5\"\n");
	tree_done(&t);
}

/* --- the tree --- */

static size_t node(const struct hardware_tree *h, const char *id)
{
	for (size_t i = 0; i < h->n_nodes; i++)
		if (strcmp(h->nodes[i].id, id) == 0)
			return i;
	fail_msg("there is no node %s", id);
	return 0;
}

static bool related(const struct hardware_tree *h, const char *kind, const char *from,
		    const char *to, uint64_t value)
{
	for (size_t i = 0; i < h->n_relations; i++) {
		const struct hardware_relation *r = &h->relations[i];

		if (strcmp(r->kind, kind) == 0 && r->from == node(h, from) &&
		    r->to == node(h, to) && r->value == value)
			return true;
	}
	return false;
}

static void test_tree(void **state)
{
	struct hardware_tree h;
	struct tree t;

	(void)state;
	tree_init(&t);
	put_host(&t);
	tree_put(&t, "proc/cpuinfo",
		 "processor: 0\nmodel name: X\nprocessor: 1\nprocessor: 2\nprocessor: 3\n");
	tree_put(&t, "proc/meminfo", "MemTotal: 1000 kB\n");
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		char path[128];

		put_topology(&t, cpu, cpu / 2, 0);
		snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/node%u/unused", cpu,
			 cpu / 2);
		tree_put(&t, path, "");
	}
	tree_put(&t, "sys/devices/system/cpu/cpu2/cache/index3/level", "3\n");
	tree_put(&t, "sys/devices/system/cpu/cpu2/cache/index0/level", "1\n");
	tree_put(&t, "sys/devices/system/cpu/cpu2/cache/index0/type", "Data\n");
	tree_put(&t, "sys/devices/system/cpu/cpu2/cache/index0/shared_cpu_list", "2-3\n");
	for (unsigned int n = 0; n < 2; n++) {
		char path[128];

		snprintf(path, sizeof(path), "sys/devices/system/node/node%u/meminfo", n);
		tree_put(&t, path, "Node 0 MemTotal: 500 kB\n");
		snprintf(path, sizeof(path), "sys/devices/system/node/node%u/distance", n);
		tree_put(&t, path, n ? "21 10\n" : "10 21\n");
	}
	tree_put(&t, "sys/block/sda/size", "100\n");
	tree_put(&t, "sys/block/sda/sda1/partition", "1\n");
	tree_put(&t, "sys/class/net/eth0/type", "1\n");
	tree_put(&t, "sys/class/net/eth0/device/numa_node", "1\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm0/size", "16384\n");
	tree_put(&t, "sys/devices/system/edac/mc/mc0/dimm0/dimm_label", "DIMM_A1\n");
	assert_int_equal(hardware_tree_read(&t.settings, 1, &h), 0);

	assert_int_equal(node(&h, "system"), 0);
	assert_int_equal(h.nodes[node(&h, "module0")].parent, node(&h, "memory"));
	assert_string_equal(h.nodes[node(&h, "module0")].name, "DIMM_A1");
	assert_string_equal(h.nodes[0].name, "db7");
	assert_int_equal(h.nodes[0].parent, HARDWARE_NO_PARENT);
	assert_int_equal(h.nodes[node(&h, "cpu3")].parent, node(&h, "package1/core0"));
	assert_int_equal(h.nodes[node(&h, "package1/core0")].parent, node(&h, "package1"));
	assert_int_equal(h.nodes[node(&h, "package1")].parent, 0);
	assert_string_equal(h.nodes[node(&h, "package1")].name, "X");
	assert_int_equal(h.nodes[node(&h, "partition-sda1")].parent, node(&h, "disk-sda"));
	assert_true(related(&h, "numa", "node1", "cpu3", 0));
	assert_false(related(&h, "numa", "node0", "cpu3", 0));
	assert_true(related(&h, "numa", "node1", "interface-eth0", 0));
	assert_true(related(&h, "distance", "node0", "node1", 21));
	assert_true(related(&h, "distance", "node1", "node1", 10));
	assert_true(related(&h, "cache", "cache-l1d-2-3", "cpu3", 0));
	for (size_t i = 1; i < h.n_nodes; i++)
		assert_true(h.nodes[i].parent < i);
	hardware_tree_done(&h);

	tree_remove(&t, "proc/cpuinfo");
	assert_int_equal(hardware_tree_read(&t.settings, 1, &h), -ENOENT);
	tree_done(&t);
}

/* As rows, with the attributes as JSON. */
static void test_rows(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/cpuinfo", "processor: 0\nmodel name: A \"B\"\n");
	tree_put(&t, "proc/meminfo", "MemTotal: 1 kB\n");
	tree_open(&t, "hardware");
	text = tree_read(&t);
	assert_int_equal(t.result, 0);
	assert_non_null(strstr(text, "hardware_node id=package0 kind=package name=\"A \\\"B\\\"\" "
				     "parent=system attributes=\"{"));
	assert_non_null(strstr(text, "hardware_node id=cpu0 kind=cpu name=cpu0 "
				     "parent=package0/core0"));
	assert_non_null(strstr(text, "hardware_relation from=node0 to=node0 kind=distance "
				     "value=10\n"));
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_modules),
		cmocka_unit_test(test_memory_modules_edac),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
