/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the BPF unwinder and user space share: where the rows are, which process maps what, and the
 * unwinder's scratch.
 *
 *   pid -> struct unwind_process        a slice of
 *       -> struct unwind_mapping[]      sorted, each with the number of
 *       -> struct unwind_slot           a page index and rows, in
 *       -> words                        one row of 8 byte words, in chunks
 *
 * Include after the fixed-width types, like sample.h.
 */

/*
 * Rows and page indexes lie in one row of words, in chunks that are made when they are needed: an
 * array of maps of one element each. A whole array's memory would be taken, and mapped, at once.
 */
#define UNWIND_CHUNK_SHIFT 18
#define UNWIND_CHUNK_WORDS (1 << UNWIND_CHUNK_SHIFT)

struct unwind_chunk {
	__u64 words[UNWIND_CHUNK_WORDS];
};

/*
 * The rows of one file, and for each 256 bytes of code the row in force where they begin (two
 * numbers in a word, low half first). Entry `pages` of the index is the last row.
 */
#define UNWIND_PAGE_SHIFT 8

struct unwind_slot {
	__u64 base; /* the rows' pcs are offsets in the object less this */
	__u32 index; /* word of the page index */
	__u32 pages; /* 0: the rows are not there (yet) */
	__u32 rows; /* word of the first row */
	__u32 how; /* enum unwind_how, where there is no row */
};

enum unwind_how {
	UNWIND_BY_ROWS = 0,
	UNWIND_BY_FP = 1, /* code without rows that keeps frame pointers: JIT, Go */
};

struct unwind_mapping {
	__u64 start, end; /* addresses, end exclusive */
	__u64 bias; /* address - bias = offset in the object, modulo 2^64 */
	__u32 slot;
	__u32 how; /* enum unwind_how */
};

enum unwind_process_flags {
	UNWIND_PROCESS_FP = 1 << 0, /* its stacks proved to be right by frame pointers */
};

struct unwind_process {
	__u64 generation; /* another one each time a process's list is published */
	__u32 pid; /* again: an element may be reused while it is looked at */
	__u32 first, n; /* slice of the mappings */
	__u32 space; /* number of that slice's content; processes that share it share cached rules */
	__u32 flags; /* enum unwind_process_flags */
	__u32 reserved;
};

/* A rule found for a program counter: the row's word with the space in place of the row's pc. */
struct unwind_cached {
	__u64 pc;
	__u64 word;
};

#define UNWIND_CACHE_SHIFT 12
#define UNWIND_WINDOW_WORDS 128 /* of the stack, read at once */
#define UNWIND_PCS 128

/* Of the stacks of a process that is walked by frame pointers one in so many is walked by rows. */
#define UNWIND_ROWS_EVERY 64

/* What a walk by rows saw of frame pointers. */
enum unwind_fp_seen {
	UNWIND_FP_SAME = 1 << 0, /* a caller was where the frame pointer says */
	UNWIND_FP_DIFFERS = 1 << 1, /* a caller was elsewhere */
	UNWIND_FP_SILENT = 1 << 2, /* a signal frame, of which frame pointers do not tell */
};

/* One CPU's. A perf_event program never interrupts another on its CPU. */
struct unwind_cpu {
	/* The frame that is looked at. */
	__u64 pc, sp, fp, lr;
	/* The mapping of the frame before, and its rows. */
	__u64 start, end, bias;
	struct unwind_slot slot;
	__u32 how;
	/* The process. */
	__u32 first, n, space;
	__u32 frames, limit; /* walked, at most */
	__u32 status; /* enum stack_status */
	__u32 exact; /* pc is where the code was, not a return address */
	__u32 lr_valid; /* lr still holds the return address (arm64) */
	__u32 fp_lost;
	__u32 by_fp; /* a frame was left by its frame pointer */
	__u32 arm64;
	__u32 fp_way; /* callers are found by frame pointers, all of them */
	__u32 fp_seen; /* enum unwind_fp_seen */
	__u32 fp_turn; /* stacks that might have been walked that way */
	__u32 cpu; /* its own number */
	__u64 word; /* of the row that was searched for */
	__u64 loaded; /* from the stack */
	/* Where the walk began, to begin anew. */
	__u64 first_pc, first_sp, first_fp, first_lr;
	__u64 pcs[UNWIND_PCS]; /* leaf first */
	__u64 window_base;
	__u64 window[UNWIND_WINDOW_WORDS];
	struct unwind_cached cache[1 << UNWIND_CACHE_SHIFT];
};

/* Where the kernel keeps a task's user registers, measured by a program when there is no helper. */
struct unwind_calibration {
	__u32 pid; /* whose system call is looked at */
	__u32 regs_offset; /* from task->stack; 0: not measured */
};

_Static_assert(sizeof(struct unwind_slot) == 24, "slots are shared");
_Static_assert(sizeof(struct unwind_mapping) == 32, "mappings are shared");
_Static_assert(sizeof(struct unwind_process) == 32, "processes are shared");
