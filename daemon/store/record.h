/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The records inside a segment: what they mean, and their encoding. docs/format.md is the same in
 * prose.
 *
 * Records live in *epochs*. An epoch begins with empty dictionaries and a fresh zstd stream, so
 * that it can be read with nothing but itself: it is the unit of recovery, of seeking and of
 * parallel reading. Dictionary records (event, object, process, thread, frame, function) get ids 0,
 * 1, 2 ... per kind in order of appearance; a record refers only to what came before it in the same
 * epoch.
 *
 * On the wire: one byte < 0x80 is a record type, followed by a varint length and that many bytes,
 * so that unknown types are skipped; a byte >= 0x80 is a sample whose low bits are flags.
 */
#include <stdbool.h>
#include <stdint.h>

#include "util/buffer.h"

enum record_type {
	RECORD_SAMPLE = 0, /* in struct record only: on the wire a byte >= 0x80 */
	RECORD_HOST = 1,
	RECORD_CLOCK = 2,
	RECORD_EVENT = 3,
	RECORD_OBJECT = 4,
	RECORD_PROCESS = 5,
	RECORD_MAPPING = 6,
	RECORD_THREAD = 7,
	RECORD_FRAME = 8,
	RECORD_FUNCTION = 9,
	RECORD_LEDGER = 10,
	RECORD_NOTE = 11,
	RECORD_SCHEMA = 12, /* a collector's columns */
	RECORD_ROW = 13, /* a collector's row */
};

/* A string or bytes inside the reader's or the caller's memory; not NUL-terminated. */
struct record_bytes {
	const char *data;
	size_t size;
};

/* One fact about the host: "hostname", "machine-id", "boot-id", "kernel", "arch", "cpu-model",
 * "cpus", "numa" (cpulist of node 0;node 1;...), "virtualization", "version" ... */
struct record_host {
	struct record_bytes key, value;
};

/* Both clocks read together; at the start of every epoch and once a minute. */
struct record_clock {
	uint64_t monotonic_ns;
	uint64_t realtime_ns;
};

struct record_event {
	struct record_bytes profile; /* the named profile of the config, "" by hand */
	struct record_bytes requested; /* what was asked for */
	struct record_bytes fired; /* what really fired */
	struct record_bytes reason; /* why they differ, "" when they do not */
	struct record_bytes pmu;
	struct record_bytes unit; /* of one count: "" or "ns" ... */
	struct record_bytes counters; /* read at each sample, comma separated names; "" */
	uint32_t type; /* perf_event_attr.type, .config */
	uint64_t config;
	bool freq; /* value is Hz, else a period */
	uint64_t value;
	bool memory_access; /* asked for at each sample */
};

/* Path of the OBJECT_MODULE that stands for the virtual machines of this host. */
#define RECORD_GUEST "[guest]"

enum object_kind {
	OBJECT_FILE = 0, /* an ELF file; offsets are file offsets */
	OBJECT_KERNEL = 1, /* the kernel image; offsets are run-time addresses - base */
	OBJECT_MODULE = 2, /* a kernel module, likewise */
	OBJECT_BPF = 3, /* a BPF program's JIT image, likewise */
	OBJECT_VDSO = 4, /* offsets are from the start of the mapping */
	OBJECT_ANON = 5, /* memory of one process without a file (JIT, stack ...); offsets are
			    addresses */
	OBJECT_UNKNOWN = 6, /* no mapping known; offsets are addresses */
	OBJECT_KIND_MAX,
};

struct record_object {
	enum object_kind kind;
	struct record_bytes
		path; /* "[kernel]", "nf_tables", "bpf_prog_...", "[vdso]", "//anon", "" ... */
	struct record_bytes build_id; /* bytes */
	uint64_t base; /* OBJECT_KERNEL, MODULE, BPF: run-time start */
};

struct record_process {
	uint32_t pid;
	uint64_t start_ns; /* CLOCK_MONOTONIC, with pid the identity; 0: unknown */
	uint32_t ppid;
	struct record_bytes comm;
	struct record_bytes exe; /* path, "" for kernel threads */
	struct record_bytes cgroup; /* path below the hierarchy */
	struct record_bytes unit; /* systemd unit, "" */
	struct record_bytes container; /* container id, "" */
};

struct record_mapping {
	uint32_t process;
	uint32_t object;
	uint64_t start, end; /* addresses, end exclusive */
	uint64_t pgoff; /* bytes into the object */
};

struct record_thread {
	uint32_t process;
	uint32_t tid;
	struct record_bytes name;
};

/* A program counter: run-time address = offset + (mapping.start - mapping.pgoff), or + base, or as
 * it is. */
struct record_frame {
	uint32_t object;
	uint64_t offset;
};

/* A function some frame of this epoch lies in: [start, start + size) in the object's offsets. */
struct record_function {
	uint32_t object;
	uint64_t start, size;
	struct record_bytes name; /* demangled */
};

/* How far a counter went on the sample's CPU since the sample before it, or since a task switch. */
struct record_counter {
	uint64_t delta; /* as counted, not scaled */
	uint16_t running_permille; /* of that time it was counting; 0: there is no reading */
};

#define RECORD_MAX_COUNTERS 8

/* The memory access a sample stands for. What the hardware did not tell is 0. */
struct record_access {
	uint64_t address;
	uint64_t source; /* union perf_mem_data_src of <linux/perf_event.h> */
	uint64_t latency; /* in cycles */
};

struct record_sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC; stored in microseconds */
	uint32_t cpu;
	uint32_t event;
	uint32_t thread;
	uint64_t period; /* weight: the event's count this sample stands for */
	uint8_t kernel_status, user_status; /* enum stack_status of bpf/sample.h */
	uint16_t kernel_frames, user_frames;
	const uint32_t *frames; /* frame ids: kernel leaf first, then user leaf first */
	/* In the order of the event's `counters`; valid until the next call. */
	uint8_t n_counters;
	bool mixed; /* other tasks ran within the deltas */
	bool cut; /* they began at a context switch, later than the sample's period */
	uint64_t counted_ns; /* the time they cover; stored in microseconds */
	struct record_counter counters[RECORD_MAX_COUNTERS];
	struct record_access access;
};

/* What happened on one CPU to one event since the previous ledger record of the two. */
struct record_ledger {
	uint64_t time_ns; /* end of the interval */
	uint32_t event;
	uint32_t cpu;
	uint64_t seen, filtered, sent, full, fault; /* seen = filtered + sent + full + fault */
	uint64_t received, gaps; /* sent = received + gaps */
	uint64_t dropped; /* received, but not stored (disk) */
	uint64_t count; /* the event's own count */
	uint64_t enabled_ns, running_ns;
	uint64_t
		expected; /* samples the event should have given; expected - seen = not delivered */
	uint64_t throttled; /* THROTTLE records */
};

/* Something a reader of the profile should know: "cpu 3 offline", "rate lowered", "writing
 * suspended". */
struct record_note {
	uint64_t time_ns;
	struct record_bytes text;
};

struct record_raw {
	struct record_bytes data;
};

struct record {
	enum record_type type;
	union {
		struct record_host host;
		struct record_clock clock;
		struct record_event event;
		struct record_object object;
		struct record_process process;
		struct record_mapping mapping;
		struct record_thread thread;
		struct record_frame frame;
		struct record_function function;
		struct record_sample sample;
		struct record_ledger ledger;
		struct record_note note;
		struct record_raw raw; /* schema, row, and types this program does not know */
	};
};

/*
 * The state both sides keep within an epoch: per CPU the previous sample, per frame its last
 * caller-to-callee successor. Must be reset at the start of an epoch, on both sides.
 */
struct record_coder;
struct record_coder *record_coder_new(void);
struct record_coder *record_coder_free(struct record_coder *c);
void record_coder_reset(struct record_coder *c);
DEFINE_CLEANUP(struct record_coder *, record_coder_free);

/* Appends one record; errors are in b->error (see buffer.h). */
void record_put(struct buffer *b, struct record_coder *c, const struct record *r);

/*
 * Reads the next record. 1: *ret is set, its pointers are valid until the next call; 0: nothing
 * left; -EBADMSG: damaged, or a reference to something not defined (then the rest of the epoch is
 * lost). Unknown types come back as raw. Every id in *ret is checked against what the epoch has
 * defined.
 */
int record_get(struct cursor *in, struct record_coder *c, struct record *ret);

static inline struct record_bytes record_string(const char *s)
{
	return (struct record_bytes){ .data = s ? s : "", .size = s ? strlen(s) : 0 };
}
