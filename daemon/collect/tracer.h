/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The BPF side of one collector: loading its object, attaching its programs, taking its events,
 * reading its maps. A collector with BPF programs is one C file, one BPF file and one row in
 * collectors.c; its open() goes like this:
 *
 *	return tracer_open(sizeof(struct NAME), settings, start, NAME_close, ret, ret_error);
 *
 * with a start() that finds the tracer, which the state begins with, initialised:
 *
 *	x->skel = NAME_bpf__open_opts(&x->tracer.options);
 *	if (!x->skel)
 *		return -errno;
 *	... autoload, map sizes, rodata ...
 *	return tracer_start(&x->tracer, x->skel->obj);
 *
 * or tracer_load() and, when knobs are in their maps, tracer_attach() one by one; and a close()
 *that takes half-made states: tracer_done(), NAME_bpf__destroy(), free(). Every function that fails
 * leaves a sentence behind for tracer_open().
 *
 * An object that includes event.bpf.h has a ring of its own, found by the names of its maps: a BPF
 * ring, or where the kernel has none a perf ring for each CPU (settings->transport forces one).
 * Nothing wakes the reader for each event, unless wake_each says so; it comes at its interval, and
 * when the ring fills.
 */
#include <linux/types.h>

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "collect/roots.h"

struct tracer {
	const struct collector_settings *settings; /* borrowed; while it starts */
	struct roots roots;
	struct rows *rows; /* the collector's: of the read that runs */
	struct bpf_object_open_opts options; /* for the skeleton's open function */
	struct bpf_object *object; /* borrowed */
	char *log, *error;
	int btf_fd;
	char btf_path[32];
	char *btf; /* a file of the operator's, or one that was found */
	enum collector_transport transport;
	size_t ring_bytes; /* to be set before tracer_load(): of the BPF ring; half of it for each
			      CPU's perf ring */
	bool wake_each; /* to be set before tracer_load(): the reader comes for each event */
	size_t cpus; /* possible ones: elements in a per-CPU map's value */
	struct bpf_link **links;
	size_t n_links;
	struct tracer_ring *ring; /* NULL: the object has none */
	uint64_t told_lost, told_damaged; /* by the last row */
};

/* --- whether it can work --- */

enum tracer_need {
	TRACER_BTF = 1 << 0, /* fields of kernel structures */
	TRACER_NET_ADMIN = 1 << 1, /* XDP */
};

/*
 * For probe(): rights, then the needs, then tracepoints ("sched/sched_switch", ending with NULL;
 * NULL: none), which are only looked for where tracefs can be read. 0, or a negative errno and a
 * sentence that says what would help.
 */
int tracer_probe(const struct collector_settings *s, unsigned int needs,
		 const char *const *tracepoints, char **ret_reason);
/* Whether the kernel has kprobes at all. */
bool tracer_has_kprobes(void);
/* Whether tracefs is mounted and lets us read a tracepoint's number. */
bool tracer_has_tracepoint(const char *category, const char *name);
/* The probe of a collector that needs rights and BTF, nothing else. */
int tracer_probe_btf(const struct collector_settings *s, char **ret_reason);

/* --- loading and attaching --- */

/*
 * Makes a state of `size` zeroed bytes with a tracer at its beginning, and starts it; what does not
 * start is closed.
 */
int tracer_open(size_t size, const struct collector_settings *s, int (*start)(void *state),
		void (*close)(void *state), void **ret, char **ret_error);
/* For a start() that has another way to try: the tracer as it was at first. 0 or -ENOMEM. */
int tracer_again(struct tracer *t);
void tracer_done(struct tracer *t);

int tracer_load(struct tracer *t, struct bpf_object *object);
/* Loads, and attaches by their sections, in their order, all programs that are to be loaded. */
int tracer_start(struct tracer *t, struct bpf_object *object);
/* By the program's section. */
int tracer_attach(struct tracer *t, struct bpf_program *p);
int tracer_attach_tracepoint(struct tracer *t, struct bpf_program *p, const char *category,
			     const char *name);
int tracer_attach_raw_tracepoint(struct tracer *t, struct bpf_program *p, const char *name);
int tracer_attach_kprobe(struct tracer *t, struct bpf_program *p, bool at_return,
			 const char *function);
/* Takes over a link that was made otherwise; NULL: that failed, errno says why. */
int tracer_keep_link(struct tracer *t, struct bpf_program *p, struct bpf_link *link);

/* --- events --- */

/* A collector's fd(): readable when the ring fills. -1: there is no ring. */
int tracer_fd(void *state);

/*
 * Calls `each` for the events that came, in the order of their times, at most 20,000 of them. Each
 * is 8-byte aligned, holds at least `size` bytes, of which the first are a struct record_head, and
 * is valid until the next call.
 */
int tracer_drain(struct tracer *t,
		 void (*each)(const struct record_head *event, size_t size, void *userdata),
		 void *userdata);

struct tracer_counts {
	uint64_t received;
	uint64_t lost; /* that the ring, or the CPU's absence of one, cost */
	uint64_t damaged; /* of impossible size */
};
void tracer_get_counts(struct tracer *t, struct tracer_counts *ret);

/* --- maps --- */

int tracer_set(const struct bpf_map *map, uint32_t index, const void *value);
/* Of a per-CPU array of __u64 numbers, n of them in an element: the sums over all CPUs. */
int tracer_sum(const struct tracer *t, const struct bpf_map *map, uint32_t index, uint64_t *ret,
	       size_t n);
/* Of the per-CPU array of one element that a program keeps its counts in, all of them __u64. */
int tracer_counts(const struct tracer *t, const struct bpf_map *map, void *ret, size_t size);
/* The elements of a hash, each as it was when it was looked at while programs go on writing. */
struct tracer_elements {
	uint8_t *keys, *values; /* [n], of these sizes; a value as for tracer_each() */
	size_t key_size, value_size, n;
};
int tracer_elements_read(const struct tracer *t, const struct bpf_map *map,
			 struct tracer_elements *ret);
void tracer_elements_done(struct tracer_elements *e);
/*
 * Calls `each` for every element of a hash; `value` holds one value, or one for each CPU, each of
 * them rounded up to 8 bytes. When `each` returns false, the element is deleted.
 */
int tracer_each(const struct tracer *t, const struct bpf_map *map,
		bool (*each)(const void *key, const void *value, void *userdata), void *userdata);

/* Whether there is such a process; where /proc cannot tell, there is. */
bool tracer_process_alive(const struct tracer *t, uint32_t pid);

/* --- the row about all this --- */

/*
 * A table "NAME_losses" that every collector with events or bounded maps gives; the columns from
 * `TRACER_OWN` on are its own.
 */
enum { TRACER_EVENTS, TRACER_LOST, TRACER_OWN };

#define TRACER_COLUMNS                                                                             \
	[TRACER_EVENTS] = { "events",                                                              \
			    "",                                                                    \
			    ROW_COUNTER,                                                           \
			    ROW_UNSIGNED,                                                          \
			    0,                                                                     \
			    0,                                                                     \
			    "that came through the ring" },                                        \
	[TRACER_LOST] = { "lost",                                                                  \
			  "",                                                                      \
			  ROW_COUNTER,                                                             \
			  ROW_UNSIGNED,                                                            \
			  0,                                                                       \
			  0,                                                                       \
			  "events that did not, for the ring was full" }

/* Begins the row; new losses are a problem of the read that finds them. */
void tracer_put_counts(struct tracer *t, struct rows *rows, unsigned int table);
