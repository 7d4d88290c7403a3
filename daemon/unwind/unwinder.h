/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The user-space half of the BPF unwinder: keeps rows and processes where its programs find them,
 * and looks at what came of it.
 *
 * One in so many stacks is checked: a return address must follow a call. What is found is counted
 * for the binary whose row led there, and reported as rows of a table of its own, so that a wrong
 * row shows as a confidence below that of its neighbours.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "process/process.h"
#include "store/row.h"
#include "symbols/symbols.h"

struct unwinder_options {
	uint64_t bytes; /* of rows, at most */
	size_t possible_cpus;
	unsigned int check_every; /* 0: no stack is checked */
	struct symbols *symbols; /* builds rows */
};

struct unwinder;

/* As unwind_maps_open(). */
int unwinder_new(const struct unwinder_options *options, struct unwinder **ret);
struct unwinder *unwinder_free(struct unwinder *u);
DEFINE_CLEANUP(struct unwinder *, unwinder_free);

const struct unwind_maps *unwinder_maps(const struct unwinder *u);

/* What the process table and the symbol workers have to tell. */
void unwinder_process_changed(struct unwinder *u, struct process *p, bool replaced);
void unwinder_process_forgotten(struct unwinder *u, struct process *p);
void unwinder_rows_built(struct unwinder *u, struct object *o);
/* Of what ran before: `pid` maps the object, whose rows are built ahead. */
void unwinder_found(struct unwinder *u, struct object *o, uint32_t pid, uint64_t start,
		    uint64_t end);
/* Rows came, or the scan is over: others may be asked for. */
void unwinder_go_on(struct unwinder *u);
/* At the end of every drain, and once a second. */
void unwinder_publish(struct unwinder *u);
void unwinder_tick(struct unwinder *u);

/*
 * The sample as it may be recorded, `s` itself or a copy valid until the next call: of a stack that
 * was unwound with what was not right any more only the leaf is left. Asks for rows that are
 * missing.
 */
const struct sample_record *unwinder_judge(struct unwinder *u, const struct sample_record *s,
					   struct process *p);

/* What was observed since the last call, a row for each binary. */
void unwinder_report(struct unwinder *u, uint64_t time_ns,
		     void (*row)(const struct row *row, void *userdata), void *userdata);

struct unwinder_status {
	uint64_t rows_bytes, rows_limit_bytes;
	size_t tables, processes;
	uint64_t evicted, refused;
	uint64_t stacks[STACK_STATUS_MAX]; /* user stacks by enum stack_status */
	uint64_t calls_checked, calls_right;
};
void unwinder_get_status(const struct unwinder *u, struct unwinder_status *ret);
