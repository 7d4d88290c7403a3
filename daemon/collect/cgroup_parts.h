/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The parts of the cgroup collector: each reads one resource of one group and puts its rows. A part
 * puts nothing where its files are not there. The columns of all tables: cgroup_tables.c.
 */
#include "collect/cgroups.h"
#include "collect/rates.h"

enum cgroup_table {
	CGROUP_TABLE_IDENTITY,
	CGROUP_TABLE_CPU,
	CGROUP_TABLE_MEMORY,
	CGROUP_TABLE_IO,
	CGROUP_TABLE_NETWORK,
	CGROUP_TABLE_PIDS,
	CGROUP_TABLE_PRESSURE,
	CGROUP_TABLES,
};

/* The first columns of each table. */
enum { CGROUP_KEY_PATH, CGROUP_KEY_NAME, CGROUP_OWN };

enum {
	CGROUP_ID_KIND = CGROUP_OWN,
	CGROUP_ID_UNIT,
	CGROUP_ID_CONTAINER,
	CGROUP_ID_RUNTIME,
	CGROUP_ID_IMAGE,
	CGROUP_ID_POD_UID,
	CGROUP_ID_POD,
	CGROUP_ID_NAMESPACE,
};

enum cgroup_cpu_counter {
	CGROUP_CPU_USAGE,
	CGROUP_CPU_USER,
	CGROUP_CPU_SYSTEM,
	CGROUP_CPU_PERIODS,
	CGROUP_CPU_THROTTLED,
	CGROUP_CPU_THROTTLED_TIME,
	CGROUP_CPU_COUNTERS,
};

enum {
	CGROUP_CPU_COUNTER = CGROUP_OWN,
	CGROUP_CPU_DELTA = CGROUP_CPU_COUNTER + CGROUP_CPU_COUNTERS,
	CGROUP_CPU_PERCENT = CGROUP_CPU_DELTA + CGROUP_CPU_COUNTERS,
	CGROUP_CPU_THROTTLED_PERCENT,
	CGROUP_CPU_SHARES,
	CGROUP_CPU_QUOTA,
	CGROUP_CPU_PERIOD,
	CGROUP_CPU_INTERVAL,
	CGROUP_CPU_RESET,
};

enum cgroup_memory_counter {
	CGROUP_MEMORY_FAULTS,
	CGROUP_MEMORY_MAJOR_FAULTS,
	CGROUP_MEMORY_AT_HIGH,
	CGROUP_MEMORY_AT_LIMIT,
	CGROUP_MEMORY_OOMS,
	CGROUP_MEMORY_KILLS,
	CGROUP_MEMORY_COUNTERS,
};

enum {
	CGROUP_MEMORY_CURRENT = CGROUP_OWN,
	CGROUP_MEMORY_PEAK,
	CGROUP_MEMORY_LIMIT,
	CGROUP_MEMORY_HIGH,
	CGROUP_MEMORY_SWAP,
	CGROUP_MEMORY_SWAP_LIMIT,
	CGROUP_MEMORY_ANON,
	CGROUP_MEMORY_FILE,
	CGROUP_MEMORY_KERNEL,
	CGROUP_MEMORY_SLAB,
	CGROUP_MEMORY_SOCKETS,
	CGROUP_MEMORY_SHMEM,
	CGROUP_MEMORY_MAPPED,
	CGROUP_MEMORY_DIRTY,
	CGROUP_MEMORY_WRITEBACK,
	CGROUP_MEMORY_ACTIVE_ANON,
	CGROUP_MEMORY_INACTIVE_ANON,
	CGROUP_MEMORY_ACTIVE_FILE,
	CGROUP_MEMORY_INACTIVE_FILE,
	CGROUP_MEMORY_USED_PERCENT,
	CGROUP_MEMORY_FILE_PERCENT,
	CGROUP_MEMORY_UNDER_OOM,
	CGROUP_MEMORY_COUNTER,
	CGROUP_MEMORY_DELTA = CGROUP_MEMORY_COUNTER + CGROUP_MEMORY_COUNTERS,
	CGROUP_MEMORY_INTERVAL = CGROUP_MEMORY_DELTA + CGROUP_MEMORY_COUNTERS,
	CGROUP_MEMORY_RESET,
};

enum cgroup_io_counter {
	CGROUP_IO_READ,
	CGROUP_IO_WRITTEN,
	CGROUP_IO_READS,
	CGROUP_IO_WRITES,
	CGROUP_IO_DISCARDED,
	CGROUP_IO_DISCARDS,
	CGROUP_IO_COUNTERS,
};

enum {
	CGROUP_IO_DEVICE = CGROUP_OWN,
	CGROUP_IO_COUNTER,
	CGROUP_IO_DELTA = CGROUP_IO_COUNTER + CGROUP_IO_COUNTERS,
	CGROUP_IO_RATE = CGROUP_IO_DELTA + CGROUP_IO_COUNTERS,
	CGROUP_IO_INTERVAL = CGROUP_IO_RATE + CGROUP_IO_COUNTERS,
	CGROUP_IO_RESET,
};

enum cgroup_network_counter {
	CGROUP_NET_RX,
	CGROUP_NET_RX_PACKETS,
	CGROUP_NET_RX_ERRORS,
	CGROUP_NET_RX_DROPPED,
	CGROUP_NET_TX,
	CGROUP_NET_TX_PACKETS,
	CGROUP_NET_TX_ERRORS,
	CGROUP_NET_TX_DROPPED,
	CGROUP_NET_COUNTERS,
};

enum {
	CGROUP_NET_NAMESPACE = CGROUP_OWN,
	CGROUP_NET_COUNTER,
	CGROUP_NET_DELTA = CGROUP_NET_COUNTER + CGROUP_NET_COUNTERS,
	CGROUP_NET_RATE = CGROUP_NET_DELTA + CGROUP_NET_COUNTERS,
	CGROUP_NET_INTERVAL = CGROUP_NET_RATE + CGROUP_NET_COUNTERS,
	CGROUP_NET_RESET,
};

enum {
	CGROUP_PIDS_CURRENT = CGROUP_OWN,
	CGROUP_PIDS_PEAK,
	CGROUP_PIDS_LIMIT,
	CGROUP_PIDS_REFUSED,
	CGROUP_PIDS_REFUSED_DELTA,
	CGROUP_PIDS_INTERVAL,
	CGROUP_PIDS_RESET,
};

enum {
	CGROUP_PSI_RESOURCE = CGROUP_OWN,
	CGROUP_PSI_SCOPE,
	CGROUP_PSI_AVG10,
	CGROUP_PSI_AVG60,
	CGROUP_PSI_AVG300,
	CGROUP_PSI_WAITED,
	CGROUP_PSI_DELTA,
	CGROUP_PSI_PERCENT,
	CGROUP_PSI_INTERVAL,
	CGROUP_PSI_RESET,
};

extern const struct row_table cgroup_tables[CGROUP_TABLES];

struct cgroup_part {
	struct cgroups *groups;
	struct rates *rates;
	struct rows *rows;
	const struct cgroup *group;
	uint64_t host_netns; /* 0: unknown */
	uint64_t hz; /* USER_HZ */
};

void cgroup_cpu_read(const struct cgroup_part *p);
void cgroup_memory_read(const struct cgroup_part *p);
void cgroup_io_read(const struct cgroup_part *p);
void cgroup_network_read(const struct cgroup_part *p);
void cgroup_pids_read(const struct cgroup_part *p);
void cgroup_pressure_read(const struct cgroup_part *p);

/* Begins a row and sets its keys. */
void cgroup_add_row(const struct cgroup_part *p, enum cgroup_table table);
/* Inode of the network namespace of a process; 0: cannot be read. */
uint64_t cgroup_network_namespace(const struct roots *roots, const char *pid);

/* A file of "key value" lines, as memory.stat: columns to be set when the key is there. */
struct cgroup_keyed {
	const char *key;
	unsigned int column;
	uint64_t scale; /* the value is multiplied */
};

/* False: the file is not there, or nothing in it was wanted. */
bool cgroup_read_keyed(const struct cgroup_part *p, enum cgroup_resource resource, const char *file,
		       const struct cgroup_keyed *keys, size_t n);
/*
 * A file of one number. False: not there, no number, "max", or not below `unlimited`, which is what
 * v1 says instead of "max".
 */
bool cgroup_read_number(const struct cgroup_part *p, enum cgroup_resource resource,
			const char *file, uint64_t unlimited, uint64_t *ret);
/* The same into a column, times `scale`. */
bool cgroup_put_number(const struct cgroup_part *p, enum cgroup_resource resource, const char *file,
		       uint64_t unlimited, uint64_t scale, unsigned int column);
