// SPDX-License-Identifier: Apache-2.0
/* The tables of the cgroup collector. */
#include "collect/cgroup_parts.h"

/* clang-format off */
#define KEYS                                                                                       \
	[CGROUP_KEY_PATH] = { "cgroup", "", ROW_KEY, ROW_TEXT, 0, 0, "its path" },                 \
	[CGROUP_KEY_NAME] = { "name", "", ROW_KEY, ROW_TEXT, 0, 0,                                 \
			      "of the container, else the first digits of its id, else the unit's" }
#define WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }
#define GAUGE(name, unit, help) { name, unit, ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }
#define COUNTED(first, n, i, name, unit, help)                                                     \
	[(first) + (i)] = { name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help },                   \
	[(first) + (n) + (i)] = { name "_delta", unit, ROW_RATE, ROW_UNSIGNED, ROW_DELTA, (first) + (i), \
				  help ", in the interval" }

static const struct row_column identity_columns[] = {
	KEYS,
	[CGROUP_ID_KIND] = WORDS("kind", "container, pod, unit (of systemd) or group"),
	[CGROUP_ID_UNIT] = WORDS("unit", "the systemd unit it is, or is in"),
	[CGROUP_ID_CONTAINER] = WORDS("container", "id of the container"),
	[CGROUP_ID_RUNTIME] = WORDS("runtime", "docker, containerd, cri-o, podman, lxc, nspawn or unknown"),
	[CGROUP_ID_IMAGE] = WORDS("image", "that the container was made of"),
	[CGROUP_ID_POD_UID] = WORDS("pod_uid", "of the Kubernetes pod it is, or is in"),
	[CGROUP_ID_POD] = WORDS("pod", "that pod's name"),
	[CGROUP_ID_NAMESPACE] = WORDS("namespace", "that pod's namespace"),
};

#define CPU(i, name, unit, help) COUNTED(CGROUP_CPU_COUNTER, CGROUP_CPU_COUNTERS, i, name, unit, help)

static const struct row_column cpu_columns[] = {
	KEYS,
	CPU(CGROUP_CPU_USAGE, "usage", "ns", "CPU time"),
	CPU(CGROUP_CPU_USER, "user", "ns", "CPU time in user space"),
	CPU(CGROUP_CPU_SYSTEM, "system", "ns", "CPU time in the kernel"),
	CPU(CGROUP_CPU_PERIODS, "periods", "", "periods in which it wanted to run, under a quota"),
	CPU(CGROUP_CPU_THROTTLED, "throttled", "", "periods in which its quota ran out"),
	CPU(CGROUP_CPU_THROTTLED_TIME, "throttled_time", "ns", "time its CPUs were kept from it by the quota"),
	[CGROUP_CPU_PERCENT] = { "cpu", "percent", ROW_RATE, ROW_REAL, 0, 0, "of one CPU, in the interval" },
	[CGROUP_CPU_THROTTLED_PERCENT] = { "throttled_share", "percent", ROW_RATE, ROW_REAL, 0, 0,
					   "of the interval's periods, those in which its quota ran out" },
	[CGROUP_CPU_SHARES] = GAUGE("shares", "", "weight against its neighbours, 1024 being the default of v1 and weight 100 of v2"),
	[CGROUP_CPU_QUOTA] = GAUGE("quota", "us", "CPU time for each period; absent: no quota"),
	[CGROUP_CPU_PERIOD] = GAUGE("period", "us", "of the quota"),
	[CGROUP_CPU_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CGROUP_CPU_RESET] = RATES_RESET_COLUMN,
};

#define MEMORY(i, name, help) COUNTED(CGROUP_MEMORY_COUNTER, CGROUP_MEMORY_COUNTERS, i, name, "", help)

static const struct row_column memory_columns[] = {
	KEYS,
	[CGROUP_MEMORY_CURRENT] = GAUGE("current", "bytes", "charged to it, without swap"),
	[CGROUP_MEMORY_PEAK] = GAUGE("peak", "bytes", "the most that ever was (v2: Linux 5.19)"),
	[CGROUP_MEMORY_LIMIT] = GAUGE("limit", "bytes", "beyond which something is killed; absent: none"),
	[CGROUP_MEMORY_HIGH] = GAUGE("high", "bytes", "beyond which it is slowed down; absent: none (v2)"),
	[CGROUP_MEMORY_SWAP] = GAUGE("swap", "bytes", "of it in swap space"),
	[CGROUP_MEMORY_SWAP_LIMIT] = GAUGE("swap_limit", "bytes", "of swap space (v2); absent: none"),
	[CGROUP_MEMORY_ANON] = GAUGE("anon", "bytes", "of no file"),
	[CGROUP_MEMORY_FILE] = GAUGE("file", "bytes", "cache of files, shared memory included"),
	[CGROUP_MEMORY_KERNEL] = GAUGE("kernel", "bytes", "of the kernel for it"),
	[CGROUP_MEMORY_SLAB] = GAUGE("slab", "bytes", "of that, kernel objects (v2)"),
	[CGROUP_MEMORY_SOCKETS] = GAUGE("sockets", "bytes", "buffers of sockets (v2)"),
	[CGROUP_MEMORY_SHMEM] = GAUGE("shmem", "bytes", "tmpfs and shared memory"),
	[CGROUP_MEMORY_MAPPED] = GAUGE("mapped", "bytes", "files mapped by its processes"),
	[CGROUP_MEMORY_DIRTY] = GAUGE("dirty", "bytes", "waits to be written"),
	[CGROUP_MEMORY_WRITEBACK] = GAUGE("writeback", "bytes", "is being written"),
	[CGROUP_MEMORY_ACTIVE_ANON] = GAUGE("active_anon", "bytes", "of no file, used of late"),
	[CGROUP_MEMORY_INACTIVE_ANON] = GAUGE("inactive_anon", "bytes", "of no file, next to be reclaimed"),
	[CGROUP_MEMORY_ACTIVE_FILE] = GAUGE("active_file", "bytes", "of files, used of late"),
	[CGROUP_MEMORY_INACTIVE_FILE] = GAUGE("inactive_file", "bytes", "of files, next to be reclaimed"),
	[CGROUP_MEMORY_USED_PERCENT] = { "used", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "of its limit" },
	[CGROUP_MEMORY_FILE_PERCENT] = { "file_share", "percent", ROW_GAUGE, ROW_REAL, 0, 0,
					 "of what is charged to it, cache of files" },
	[CGROUP_MEMORY_UNDER_OOM] = GAUGE("under_oom", "", "1: it is out of memory (v1), or was since the read before (v2)"),
	MEMORY(CGROUP_MEMORY_FAULTS, "faults", "page faults"),
	MEMORY(CGROUP_MEMORY_MAJOR_FAULTS, "major_faults", "page faults with I/O"),
	MEMORY(CGROUP_MEMORY_AT_HIGH, "at_high", "times it was slowed down (v2)"),
	MEMORY(CGROUP_MEMORY_AT_LIMIT, "at_limit", "times its limit was in the way"),
	MEMORY(CGROUP_MEMORY_OOMS, "ooms", "times it was out of memory (v2)"),
	MEMORY(CGROUP_MEMORY_KILLS, "kills", "processes killed for that"),
	[CGROUP_MEMORY_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CGROUP_MEMORY_RESET] = RATES_RESET_COLUMN,
};

#define IO(i, name, unit, help) RATES_COLUMNS(CGROUP_IO_COUNTER, CGROUP_IO_COUNTERS, i, name, unit, help)

static const struct row_column io_columns[] = {
	KEYS,
	[CGROUP_IO_DEVICE] = { "device", "", ROW_KEY, ROW_TEXT, 0, 0, "name, or major:minor where sysfs has none" },
	IO(CGROUP_IO_READ, "read", "bytes", "read"),
	IO(CGROUP_IO_WRITTEN, "written", "bytes", "written"),
	IO(CGROUP_IO_READS, "reads", "", "reads"),
	IO(CGROUP_IO_WRITES, "writes", "", "writes"),
	IO(CGROUP_IO_DISCARDED, "discarded", "bytes", "discarded"),
	IO(CGROUP_IO_DISCARDS, "discards", "", "discards"),
	[CGROUP_IO_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CGROUP_IO_RESET] = RATES_RESET_COLUMN,
};

#define NETWORK(i, name, unit, help) RATES_COLUMNS(CGROUP_NET_COUNTER, CGROUP_NET_COUNTERS, i, name, unit, help)

static const struct row_column network_columns[] = {
	KEYS,
	[CGROUP_NET_NAMESPACE] = GAUGE("network_namespace", "id", "inode; groups that share it share what is counted"),
	NETWORK(CGROUP_NET_RX, "rx", "bytes", "received, over all interfaces but lo"),
	NETWORK(CGROUP_NET_RX_PACKETS, "rx_packets", "", "packets received"),
	NETWORK(CGROUP_NET_RX_ERRORS, "rx_errors", "", "errors at receiving"),
	NETWORK(CGROUP_NET_RX_DROPPED, "rx_dropped", "", "received, but dropped"),
	NETWORK(CGROUP_NET_TX, "tx", "bytes", "sent"),
	NETWORK(CGROUP_NET_TX_PACKETS, "tx_packets", "", "packets sent"),
	NETWORK(CGROUP_NET_TX_ERRORS, "tx_errors", "", "errors at sending"),
	NETWORK(CGROUP_NET_TX_DROPPED, "tx_dropped", "", "to be sent, but dropped"),
	[CGROUP_NET_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CGROUP_NET_RESET] = RATES_RESET_COLUMN,
};

static const struct row_column pids_columns[] = {
	KEYS,
	[CGROUP_PIDS_CURRENT] = GAUGE("current", "", "threads"),
	[CGROUP_PIDS_PEAK] = GAUGE("peak", "", "the most that ever were (Linux 6.6)"),
	[CGROUP_PIDS_LIMIT] = GAUGE("limit", "", "of threads; absent: none"),
	[CGROUP_PIDS_REFUSED] = { "refused", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "forks that failed for the limit" },
	[CGROUP_PIDS_REFUSED_DELTA] = { "refused_delta", "", ROW_RATE, ROW_UNSIGNED, ROW_DELTA, CGROUP_PIDS_REFUSED,
					"forks that failed for the limit, in the interval" },
	[CGROUP_PIDS_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CGROUP_PIDS_RESET] = RATES_RESET_COLUMN,
};

static const struct row_column pressure_columns[] = {
	KEYS,
	[CGROUP_PSI_RESOURCE] = { "resource", "", ROW_KEY, ROW_TEXT, 0, 0, "cpu, memory, io or irq" },
	[CGROUP_PSI_SCOPE] = { "scope", "", ROW_KEY, ROW_TEXT, 0, 0, "some: at least one task waited; full: all" },
	[CGROUP_PSI_AVG10] = { "avg10", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "share of time, mean of ten seconds" },
	[CGROUP_PSI_AVG60] = { "avg60", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "share of time, mean of a minute" },
	[CGROUP_PSI_AVG300] = { "avg300", "percent", ROW_GAUGE, ROW_REAL, 0, 0, "share of time, mean of five minutes" },
	[CGROUP_PSI_WAITED] = { "waited", "us", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "time of waiting" },
	[CGROUP_PSI_DELTA] = { "waited_delta", "us", ROW_RATE, ROW_UNSIGNED, ROW_DELTA, CGROUP_PSI_WAITED,
			       "time of waiting in the interval" },
	[CGROUP_PSI_PERCENT] = { "waited_percent", "percent", ROW_RATE, ROW_REAL, 0, 0, "share of the interval" },
	[CGROUP_PSI_INTERVAL] = RATES_INTERVAL_COLUMN,
	[CGROUP_PSI_RESET] = RATES_RESET_COLUMN,
};

#define TABLE(id, suffix, text, list)                                                              \
	[id] = { .name = "cgroup" suffix, .collector = "cgroup", .summary = text, .columns = list, \
		 .n_columns = ARRAY_SIZE(list) }

const struct row_table cgroup_tables[CGROUP_TABLES] = {
	TABLE(CGROUP_TABLE_IDENTITY, "", "what each control group is", identity_columns),
	TABLE(CGROUP_TABLE_CPU, "_cpu", "CPU time of control groups, and their quotas", cpu_columns),
	TABLE(CGROUP_TABLE_MEMORY, "_memory", "memory of control groups", memory_columns),
	TABLE(CGROUP_TABLE_IO, "_io", "I/O of control groups, by device", io_columns),
	TABLE(CGROUP_TABLE_NETWORK, "_network", "traffic of control groups with a network namespace of their own",
	      network_columns),
	TABLE(CGROUP_TABLE_PIDS, "_pids", "processes and threads of control groups", pids_columns),
	TABLE(CGROUP_TABLE_PRESSURE, "_pressure", "time in which a control group's tasks waited for a resource (v2)",
	      pressure_columns),
};
/* clang-format on */
