/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a collector is. One collector = one file, one row in collectors.c, one section in
 * docs/collectors.md.
 *
 * A collector has no global state and no thread of its own. open() makes its state; read() is
 * called with it, again and again, and puts rows (rows.h) into the batch it is given; close() frees
 * it. All three run on the collectors' worker thread, one collector at a time, under a deadline:
 * when one does not come back, its thread is given up with it, the others go on with a new one, and
 * sampling notices nothing. They may block, for instance on a slow file; they must not log.
 *
 * Law of bad input: a file that is missing, empty, cut off or nonsense makes a value absent, or its
 * row; it is counted (rows_problem(), rows_missing()), nothing aborts, nothing is invented. read()
 * returns a negative errno only when it could deliver nothing that is of use.
 *
 * The files of /proc and /sys are read through `struct roots` (roots.h), so that tests give trees
 * of their own. Numbers are read with scan.h. Counters become rates with rates.h, by declaration.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/rows.h"

enum collector_kind {
	COLLECTOR_ONCE, /* inventory: read at start, then seldom; an hour unless `interval_ns` */
	COLLECTOR_PERIODIC, /* read every interval; a second unless `interval_ns`; and whenever its
			       descriptor is readable, if it has one */
	COLLECTOR_STREAM, /* read when its descriptor is readable; and every `interval_ns`, if any
			   */
};

/* Which keys of [collector NAME] mean something to it, beside enabled, interval and the roots. */
enum collector_key {
	COLLECTOR_TOP = 1 << 0, /* top */
	COLLECTOR_RATES = 1 << 1, /* delta-min, delta-max */
	COLLECTOR_ARGV = 1 << 2, /* argv */
	COLLECTOR_EVENTS = 1 << 3, /* transport */
	COLLECTOR_ATTACH = 1 << 4, /* attach */
	COLLECTOR_LATENCY = 1 << 5, /* latency */
	COLLECTOR_COUNTING = 1 << 6, /* metrics, events, reserve-counters, guests */
	COLLECTOR_INTERFACES = 1 << 7, /* interfaces */
};

/* What read() returns when it was woken for work of its own and no rows are due. */
#define COLLECTOR_NOTHING_YET 1

enum collector_argv { COLLECTOR_ARGV_COMMAND, COLLECTOR_ARGV_FULL };

/* How events of BPF programs come to user space. */
enum collector_transport {
	COLLECTOR_TRANSPORT_AUTO, /* the BPF ring where the kernel has one */
	COLLECTOR_TRANSPORT_BPF,
	COLLECTOR_TRANSPORT_PERF,
};

/* How system calls are watched. */
enum collector_attach {
	COLLECTOR_ATTACH_AUTO, /* the first of these that works */
	COLLECTOR_ATTACH_KPROBE, /* costs nothing but in the call itself */
	COLLECTOR_ATTACH_TRACEPOINT, /* makes every system call of the host slower */
	COLLECTOR_ATTACH_NONE, /* only what happens without them */
};

/* What the configuration says, everything resolved. */
struct collector_settings {
	uint64_t interval_ns;
	char *procfs, *sysfs, *dev; /* absolute paths of directories */
	unsigned int top; /* rows of a list that is sorted by weight */
	uint64_t delta_min_ns, delta_max_ns; /* for rates_init() */
	enum collector_argv argv; /* of command lines: argv[0] alone, or all of it */
	enum collector_transport transport;
	enum collector_attach attach;
	char *interfaces; /* of the network: names, separated by commas */
	bool latency; /* measure how long calls take, too */
	char *btf; /* file or directory in BTFHub layout; NULL: search */
	char *metrics, *events; /* to be counted: names, separated by commas; NULL is not allowed */
	unsigned int reserve_counters; /* of each core, left to others */
	bool guests; /* virtual machines are counted with their host */
};

struct collector {
	const char *name; /* "disk": config section, --collector, first word of its tables */
	const char *summary; /* half a sentence for 'ebpf-profiler collectors' */
	const char *needs; /* "/proc/diskstats", "CAP_BPF, tracefs" ... */
	enum collector_kind kind;
	bool off; /* by default */
	uint64_t interval_ns; /* default; 0: as `kind` says */
	unsigned int keys; /* set of enum collector_key */
	unsigned int top; /* default of that key */
	const struct row_table *tables;
	size_t n_tables;

	/*
	 * Can it work here? 0, or a negative errno and why not, with what would help, as one
	 * sentence in *ret_reason (heap). Must be cheap and leave nothing behind. NULL: it always
	 * can.
	 */
	int (*probe)(const struct collector_settings *s, char **ret_reason);
	/* *ret is for the other calls. On failure *ret_error may be a heap sentence. */
	int (*open)(const struct collector_settings *s, void **ret, char **ret_error);
	int (*read)(void *state, struct rows *rows);
	/*
	 * Readable (poll(2), EPOLLIN) when read() has something to do; -1: there is nothing to
	 * wait for. NULL: read at its interval only.
	 */
	/* Readable (poll(2), EPOLLIN) when read() has something to do; NULL: it has none. */
	int (*fd)(void *state);
	void (*close)(void *state);
};

/* The table of all collectors, collectors.c. */
extern const struct collector *const collectors[];
extern const size_t n_collectors;

const struct collector *collector_find(const char *name); /* NULL: there is none */
uint64_t collector_interval_ns(const struct collector *c); /* the default */
/* Whether something counts for it between its reads, so that one more is due at its end. */
bool collector_counts(const struct collector *c);
const char *collector_kind_name(enum collector_kind kind);
