/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Every process's executable mappings, where the BPF unwinder finds them.
 *
 * The list of a process is published whole: written to fresh memory, then its element in the map of
 * processes is replaced. Forked children share their parent's memory.
 *
 * A list is always a moment old. So each publication has a generation, which every sample carries
 * that was unwound with it, and a process knows the first generation that can be right: when it
 * executed, or mapped something in another thing's place, all lists published up to then are wrong.
 * A sample that was taken later with one of those is known to be (process_lists_is_stale()). What
 * is merely new is missing in an old list, and the unwinder says so itself.
 */
#include <stdbool.h>
#include <stdint.h>

#include "process/process.h"
#include "unwind/row_store.h"

struct process_lists;

/* Both are borrowed. */
int process_lists_new(struct unwind_maps *maps, struct row_store *rows, struct process_lists **ret);
struct process_lists *process_lists_free(struct process_lists *l);
DEFINE_CLEANUP(struct process_lists *, process_lists_free);

/* The process's mappings changed, or it ended; `replaced`: what was published is wrong by now. */
void process_lists_changed(struct process_lists *l, struct process *p, bool replaced);
/*
 * From the next publication on the process's callers are found by frame pointers, or by rows again.
 * New code ends it: nobody knows whether that keeps them.
 */
void process_lists_set_fp(struct process_lists *l, struct process *p, bool by_fp);
/* The process is about to be forgotten. */
void process_lists_forget(struct process_lists *l, struct process *p);
/* Publishes what changed since the last call; to be called at the end of every drain. */
void process_lists_publish(struct process_lists *l);

/* For a sample of `p`, in time order with process_lists_changed(). */
static inline bool process_lists_is_stale(const struct process *p, uint64_t generation)
{
	return generation < p->list_floor;
}

struct process_lists_stats {
	size_t published; /* processes */
	size_t by_fp; /* of them, those walked by frame pointers */
	size_t mappings; /* places taken */
	uint64_t refused; /* lists that found no room, or that the kernel did not take */
};
void process_lists_get_stats(const struct process_lists *l, struct process_lists_stats *ret);
