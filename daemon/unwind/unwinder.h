/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The user-space half of the BPF unwinder: keeps rows and processes where its programs find them,
 * and looks at what came of it.
 *
 * One in so many stacks is checked: a return address must follow a call. What is found is counted
 * for the binary whose row led there, and reported (unwind_report.h), so that a wrong row shows as
 * a confidence below that of its neighbours. Where it was asked for and the hardware can, samples
 * come that are compared with the processor's own record of calls (branch_check.h), and counted
 * likewise.
 *
 * Frame pointers are cheaper than rows and right in a process all of whose code keeps them. Each
 * walk by rows compares: the same from the leaf's caller to the root, or not. A process is walked
 * by frame pointers after UNWIND_FP_PROOFS stacks that were whole and the same, none of its stacks
 * having differed, until one does: some are still walked by rows, and a walk by frame pointers that
 * does not end in a root is walked again by rows at once.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "process/process.h"
#include "symbols/symbols.h"

#define UNWIND_FP_PROOFS 100

struct unwinder_options {
	uint64_t bytes; /* of rows, at most */
	size_t possible_cpus;
	unsigned int check_every; /* at most 32 a second; 0: no stack is checked */
	bool prefer_fp; /* where it was proved to give the same stacks */
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
bool unwinder_is_ahead(
	const struct unwinder *u); /* rows of what ran before are still being built */
/* At the end of every drain, and once a second. */
void unwinder_publish(struct unwinder *u);
void unwinder_tick(struct unwinder *u);

/*
 * The sample as it may be recorded, `s` itself or a copy valid until the next call: of a stack that
 * was unwound with what was not right any more only the leaf is left. Asks for rows that are
 * missing. `stacks_ns` is when the stacks were taken.
 */
const struct sample_record *unwinder_judge(struct unwinder *u, const struct sample_record *s,
					   struct process *p, uint64_t stacks_ns);

/* A sample that was taken for its branches alone. */
void unwinder_compare(struct unwinder *u, const struct sample_record *s, struct process *p);

/* Every object that has rows, or might. */
void unwinder_each_binary(struct unwinder *u, void (*each)(struct object *o, void *userdata),
			  void *userdata);

struct unwinder_status {
	uint64_t rows_bytes, rows_limit_bytes;
	size_t tables, processes;
	size_t processes_by_fp; /* of them, those walked by frame pointers */
	uint64_t evicted, refused;
	uint64_t stacks[STACK_STATUS_MAX]; /* user stacks by enum stack_status */
	uint64_t stacks_by_fp; /* of all of them */
	uint64_t fp_revoked; /* processes that were walked by frame pointers until a stack differed
			      */
	uint64_t calls_checked, calls_right; /* against code */
	uint64_t branch_stacks; /* taken to be compared with the processor's record */
	uint64_t branches_checked, branches_right;
};
void unwinder_get_status(const struct unwinder *u, struct unwinder_status *ret);
