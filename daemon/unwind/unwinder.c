// SPDX-License-Identifier: Apache-2.0
#include "unwind/unwinder.h"

#include <errno.h>
#include <string.h>

#include "symbols/build_id.h"
#include "unwind/branch_check.h"
#include "unwind/call_check.h"
#include "unwind/process_lists.h"
#include "unwind/row_store.h"
#include "unwind/rows_ahead.h"
#include "util/clock.h"

#define CHECKS_PER_SECOND 32 /* each reads memory of the process; at high rates more tell no more  \
			      */

/* Rows that nobody has needed yet may take a quarter of the room. */
#define AHEAD_PART 4

struct unwinder {
	struct unwinder_options options;
	struct unwind_maps *maps;
	struct row_store *rows;
	struct process_lists *lists;
	struct rows_ahead *ahead; /* NULL: there is nothing to be done */
	struct sample_record copy;
	unsigned int until_check;
	uint64_t check_second; /* that of the last check, and how many it had */
	unsigned int checks;
	uint64_t stacks[STACK_STATUS_MAX];
	uint64_t stacks_by_fp, fp_revoked;
	uint64_t calls_checked, calls_right;
	uint64_t branch_stacks, branches_checked, branches_right;
};

int unwinder_new(const struct unwinder_options *options, struct unwinder **ret)
{
	_cleanup_(unwinder_freep) struct unwinder *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->options = *options;
	u->until_check = options->check_every;
	r = unwind_maps_open(options->bytes, options->possible_cpus, &u->maps);
	if (r == 0)
		r = row_store_new(u->maps, &u->rows);
	if (r == 0)
		r = process_lists_new(u->maps, u->rows, &u->lists);
	if (r < 0)
		return r;
	u->ahead = rows_ahead_new(options->symbols);
	if (!u->ahead)
		return -ENOMEM;
	*ret = TAKE_PTR(u);
	return 0;
}

struct unwinder *unwinder_free(struct unwinder *u)
{
	if (!u)
		return NULL;
	rows_ahead_free(u->ahead);
	process_lists_free(u->lists);
	row_store_free(u->rows);
	unwind_maps_close(u->maps);
	free(u);
	return NULL;
}

const struct unwind_maps *unwinder_maps(const struct unwinder *u)
{
	return u->maps;
}

void unwinder_process_changed(struct unwinder *u, struct process *p, bool replaced)
{
	p->fp_proofs = 0; /* new code has to prove itself */
	process_lists_changed(u->lists, p, replaced);
}

void unwinder_process_forgotten(struct unwinder *u, struct process *p)
{
	process_lists_forget(u->lists, p);
}

void unwinder_rows_built(struct unwinder *u, struct object *o)
{
	row_store_put(u->rows, o);
}

void unwinder_found(struct unwinder *u, struct object *o, uint32_t pid, uint64_t start,
		    uint64_t end)
{
	if (u->ahead)
		rows_ahead_note(u->ahead, o, pid, start, end);
}

void unwinder_go_on(struct unwinder *u)
{
	struct row_store_stats rows;

	if (!u->ahead)
		return;
	row_store_get_stats(u->rows, &rows);
	if (rows.bytes > rows.limit_bytes / AHEAD_PART || !rows_ahead_go_on(u->ahead))
		u->ahead = rows_ahead_free(u->ahead);
}

bool unwinder_is_ahead(const struct unwinder *u)
{
	return u->ahead;
}

void unwinder_publish(struct unwinder *u)
{
	process_lists_publish(u->lists);
}

void unwinder_tick(struct unwinder *u)
{
	row_store_tick(u->rows);
}

/* --- stacks --- */

static const uint64_t *user_frames(const struct sample_record *s)
{
	return (const uint64_t *)s->words + s->kernel_frames;
}

/* What a frame was looked up by: a return address may be the first byte of something else. */
static uint64_t lookup_address(const uint64_t *pcs, size_t i)
{
	return i ? pcs[i] - 1 : pcs[i];
}

/* Of a process that is sampled all binaries are wanted: the walk would find them missing one by
 * one. */
static void want_rows(struct unwinder *u, const struct process *p)
{
	for (size_t i = 0; p->mappings && i < p->mappings->n; i++) {
		const struct mapping *m = &p->mappings->list[i];

		if (m->object->rows_state == INDEX_NONE)
			symbols_request(u->options.symbols, m->object, (pid_t)p->pid, m->start,
					m->end);
	}
}

/* Why there was no mapping, or there were no rows, for the last frame. */
static enum stack_status explain(struct unwinder *u, const struct sample_record *s,
				 const struct process *p, uint64_t stacks_ns)
{
	const uint64_t *pcs = user_frames(s);
	const struct mapping *m =
		mappings_find(p->mappings, lookup_address(pcs, s->user_frames - 1));
	bool listed = s->mappings != 0;

	if (!m)
		return listed ? STACK_NO_MAPPING : STACK_EARLY;
	if (m->object->kind != OBJECT_FILE && m->object->kind != OBJECT_VDSO)
		return STACK_EARLY; /* by frame pointers, once it is listed */
	if (m->object->rows_state == INDEX_NONE || m->object->rows_state == INDEX_PENDING) {
		want_rows(u, p);
		symbols_hurry(u->options.symbols, m->object);
		return STACK_EARLY;
	}
	if (s->user_status == STACK_NO_MAPPING || m->object->rows_ns > stacks_ns)
		return STACK_EARLY;
	return STACK_NO_ROWS;
}

/* Of the user stack only the leaf, which is always right. */
static void cut_to_leaf(struct sample_record *s)
{
	size_t from = (size_t)s->kernel_frames + s->user_frames, to = (size_t)s->kernel_frames + 1;
	size_t n = (s->head.size - SAMPLE_RECORD_MIN) / sizeof(s->words[0]);

	memmove(&s->words[to], &s->words[from], (n - from) * sizeof(s->words[0]));
	s->user_frames = 1;
}

static const struct sample_record *restate(struct unwinder *u, const struct sample_record *s,
					   enum stack_status status, bool cut)
{
	memcpy(&u->copy, s, s->head.size);
	u->copy.user_status = (uint8_t)status;
	if (cut)
		cut_to_leaf(&u->copy);
	return &u->copy;
}

/* --- frame pointers --- */

static void refute(struct unwinder *u, struct process *p)
{
	u->fp_revoked += p->by_fp;
	p->fp_refuted = true;
	process_lists_set_fp(u->lists, p, false);
}

/* What a stack says of its process's frame pointers. */
static void learn(struct unwinder *u, const struct sample_record *s, struct process *p)
{
	if (p->fp_program != p->program) {
		p->fp_program = p->program;
		p->fp_refuted = false;
	}
	if (s->flags & SAMPLE_FP_DIFFERS)
		refute(u, p);
	else if (s->flags & SAMPLE_FP_SAME && !p->fp_refuted && p->fp_proofs < UNWIND_FP_PROOFS &&
		 ++p->fp_proofs == UNWIND_FP_PROOFS)
		process_lists_set_fp(u->lists, p, true);
}

/* --- checks --- */

static bool is_due(struct unwinder *u, uint64_t second)
{
	if (!u->options.check_every || --u->until_check)
		return false;
	u->until_check = u->options.check_every;
	if (second != u->check_second)
		u->checks = 0;
	u->check_second = second;
	return u->checks++ < CHECKS_PER_SECOND;
}

/* The row of frame i led to the return address of frame i + 1. */
static bool blame(const struct process *p, const uint64_t *pcs, size_t i, enum call_answer answer)
{
	const struct mapping *m = mappings_find(p->mappings, lookup_address(pcs, i));

	if (!m)
		return false;
	m->object->calls_checked++;
	m->object->calls_right += answer == CALL_RIGHT;
	return true;
}

static void check(struct unwinder *u, const struct sample_record *s, struct process *p)
{
	enum call_answer answers[SAMPLE_MAX_FRAMES];
	const uint64_t *pcs = user_frames(s);
	bool interrupted = false, alive;

	alive = call_check((pid_t)p->pid, pcs, s->user_frames, answers);
	call_check_confirm((pid_t)p->pid, p->mappings, pcs, s->user_frames, answers);
	for (size_t i = 1; i < s->user_frames; i++) {
		/* Where no code is no call was. */
		if (alive && answers[i] == CALL_UNKNOWN &&
		    !mappings_find(p->mappings, lookup_address(pcs, i)))
			answers[i] = CALL_WRONG;
		/* What a signal interrupted had called nothing. */
		if (!interrupted && (answers[i] == CALL_RIGHT || answers[i] == CALL_WRONG) &&
		    blame(p, pcs, i - 1, answers[i])) {
			u->calls_checked++;
			u->calls_right += answers[i] == CALL_RIGHT;
		}
		interrupted = answers[i] == CALL_SIGNAL;
		if (s->flags & SAMPLE_BY_FP && answers[i] == CALL_WRONG)
			refute(u, p);
	}
}

static size_t branches_of(const struct sample_record *s, const struct sample_branch **ret)
{
	size_t words = (s->head.size - SAMPLE_RECORD_MIN) / sizeof(s->words[0]);
	size_t before = (size_t)s->kernel_frames + s->user_frames;

	*ret = (const struct sample_branch *)(s->words + before);
	return s->flags & SAMPLE_BRANCHES ? (words - before) / SAMPLE_BRANCH_WORDS : 0;
}

void unwinder_compare(struct unwinder *u, const struct sample_record *s, struct process *p)
{
	bool whole = s->user_status == STACK_COMPLETE || s->user_status == STACK_TRUNCATED;
	enum call_answer answers[SAMPLE_MAX_FRAMES];
	const uint64_t *pcs = user_frames(s);
	const struct sample_branch *branches;
	size_t n = branches_of(s, &branches);

	if (!s->mappings || p->kernel || process_lists_is_stale(p, s->mappings))
		return;
	u->branch_stacks++;
	branch_check(pcs, s->user_frames, whole, branches, n, answers);
	for (size_t i = 1; i < s->user_frames; i++) {
		if (answers[i] == CALL_UNKNOWN || !blame(p, pcs, i - 1, answers[i]))
			continue;
		u->branches_checked++;
		u->branches_right += answers[i] == CALL_RIGHT;
		if (s->flags & SAMPLE_BY_FP && answers[i] == CALL_WRONG)
			refute(u, p);
	}
}

/* Where a walk came to an end that is not the stack's. */
static void count_stop(const struct sample_record *s, const struct process *p)
{
	const struct mapping *m =
		mappings_find(p->mappings, lookup_address(user_frames(s), s->user_frames - 1));

	if (m)
		m->object->stops++;
}

static enum stack_status judge(struct unwinder *u, const struct sample_record *s,
			       const struct process *p, uint64_t stacks_ns, bool stale)
{
	if (stale)
		return STACK_EARLY;
	if (s->user_status == STACK_NO_MAPPING || s->user_status == STACK_NO_ROWS)
		return explain(u, s, p, stacks_ns);
	return s->user_status;
}

const struct sample_record *unwinder_judge(struct unwinder *u, const struct sample_record *s,
					   struct process *p, uint64_t stacks_ns)
{
	enum stack_status status = s->user_status;
	bool stale;

	if (s->user_frames == 0 || p->kernel)
		return s;
	stale = s->mappings && process_lists_is_stale(p, s->mappings);
	status = judge(u, s, p, stacks_ns, stale);
	if (status < STACK_STATUS_MAX)
		u->stacks[status]++;
	u->stacks_by_fp += (s->flags & SAMPLE_BY_FP) != 0;
	if (u->options.prefer_fp && !stale)
		learn(u, s, p);
	if (status != STACK_COMPLETE && status != STACK_EARLY && status != STACK_TRUNCATED)
		count_stop(s, p);
	if (s->mappings && status != STACK_EARLY && is_due(u, s->head.time_ns / NSEC_PER_SEC))
		check(u, s, p);
	return status == s->user_status && !stale ? s : restate(u, s, status, stale);
}

/* --- what came of it --- */

void unwinder_each_binary(struct unwinder *u, void (*each)(struct object *o, void *userdata),
			  void *userdata)
{
	row_store_each(u->rows, each, userdata);
}

void unwinder_get_status(const struct unwinder *u, struct unwinder_status *ret)
{
	struct process_lists_stats lists;
	struct row_store_stats rows;

	row_store_get_stats(u->rows, &rows);
	process_lists_get_stats(u->lists, &lists);
	*ret = (struct unwinder_status){
		.rows_bytes = rows.bytes,
		.rows_limit_bytes = rows.limit_bytes,
		.tables = rows.tables,
		.processes = lists.published,
		.processes_by_fp = lists.by_fp,
		.evicted = rows.evicted,
		.refused = rows.refused + lists.refused,
		.calls_checked = u->calls_checked,
		.calls_right = u->calls_right,
		.branch_stacks = u->branch_stacks,
		.branches_checked = u->branches_checked,
		.branches_right = u->branches_right,
		.stacks_by_fp = u->stacks_by_fp,
		.fp_revoked = u->fp_revoked,
	};
	memcpy(ret->stacks, u->stacks, sizeof(ret->stacks));
}
