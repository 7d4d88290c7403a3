/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Inside the recorder:
 *
 *   recorder.c        blocks, epochs, what a record refers to, samples
 *   recorder_stack.c  addresses -> frames, stacks beside the previous one
 *   recorder_names.c  the functions that frames lie in, now or when their names come
 */
#include <linux/types.h>

#include "profile/recorder.h"

#include "profile/id_table.h"

#define MAX_FRAMES (2 * SAMPLE_MAX_FRAMES)
#define NO_ID UINT32_MAX
#define FRAME_CACHE 8192 /* places; 128 KiB, half of a small L2 */
#define WATCHED_MAX 64 /* as many perf maps as are kept */

/*
 * An address space within an epoch: one version of one process's mappings. While a process keeps
 * its token, an address keeps its frame id.
 */
#define KERNEL_SPACE 0

/* The previous sample on a CPU: addresses root first, as they came, and what they became. */
struct previous {
	uint64_t epoch;
	uint32_t space, process_id, tid, thread_id;
	char comm[SAMPLE_COMM_LEN];
	size_t n_user, n; /* user frames, all frames */
	size_t cut; /* of them, outermost ones that are no frames */
	uint64_t address[MAX_FRAMES];
	uint32_t id[MAX_FRAMES];
};

/* One place of a direct-mapped cache before the hash table of frames. */
struct cached_frame {
	uint64_t address;
	uint32_t space;
	uint32_t id; /* NO_ID: empty */
};

struct fact {
	char *key, *value;
};

/* Code without a file or a name, and how much its process's perf map told when that was noticed. */
struct watched {
	struct object *object; /* referenced; its pending offsets are the frames */
	uint32_t pid;
	uint64_t version;
};

/* The owned copy of an event's record. */
struct known_event {
	struct record_event record;
	char *strings[7];
};

struct recorder {
	struct recorder_options options;
	struct record_coder *coder;
	struct row_coder *rows;
	struct buffer block;
	/*
	 * The last sample is coded when the next one was looked at: what coding it takes from
	 * memory is on its way meanwhile.
	 */
	bool holds;
	struct record held; /* a sample */
	uint32_t held_frames[MAX_FRAMES];
	uint64_t block_first_ns, block_last_ns, block_samples;
	bool block_starts_epoch;
	uint64_t epoch; /* 0: none begun */
	uint64_t clock_ns; /* of the last clock record */
	uint32_t n_objects, n_processes, n_threads, n_frames;
	struct id_table threads, frames, functions;
	uint64_t *ended; /* bit i: nothing more comes of the process with id i */
	size_t ended_words;
	struct cached_frame *cache; /* [FRAME_CACHE] */
	uint32_t last_space;
	struct object *unknown; /* for user addresses outside every mapping */
	struct object
		*unknown_kernel; /* for kernel addresses outside image, modules and programs */
	struct object *guest; /* for SAMPLE_GUEST */
	struct previous *previous; /* [n_cpus] */
	struct watched watched[WATCHED_MAX];
	size_t n_watched;
	struct fact *facts;
	size_t n_facts;
	struct known_event *events;
	uint32_t *event_ids; /* event of the sampler -> id in this epoch */
	size_t n_events;
	uint32_t next_event_id;
	struct recorder_stats stats;
};

void recorder_put(struct recorder *r, const struct record *record);
/* Every put begins here: an empty block may be the first of a new epoch. */
void recorder_begin_block(struct recorder *r);

uint32_t recorder_put_object(struct recorder *r, struct object *o);
static inline uint32_t recorder_object_id(struct recorder *r, struct object *o)
{
	return o->epoch == r->epoch ? o->id : recorder_put_object(r, o);
}

void recorder_put_mapping(struct recorder *r, const struct process *p, const struct mapping *m);
/* A process's mappings are written the first time one of its frames lies in them. */
void recorder_need_mapping(struct recorder *r, struct process *p, const struct mapping *m);

/*
 * Fills prev with the sample's stack; false when memory ran out. `space` stands for the process's
 * mappings as they are.
 */
bool recorder_intern_stack(struct recorder *r, struct previous *prev, const struct sample_record *s,
			   struct process *p, uint32_t space);
void recorder_forget_frames(struct recorder *r); /* an epoch begins */

/* False when it is written already. */
bool recorder_put_function(struct recorder *r, struct object *o, const struct function *f);
/* The functions of a new frame: now, or when they are known. */
void recorder_need_functions(struct recorder *r, struct object *o, uint64_t offset, uint32_t pid);
/* The process may write names of the object's code down later. */
void recorder_watch(struct recorder *r, struct object *o, uint32_t pid);
void recorder_unwatch_all(struct recorder *r);
