// SPDX-License-Identifier: Apache-2.0
/*
 * The caller's side: a queue behind one mutex that is held for a few instructions; everything slow
 * happens in the worker, in segment_sink.c. Epochs are numbered here. "The next block must begin an
 * epoch" is `ended >= current`, whatever is still queued.
 */
#include "store/segment_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "store/segment_file.h"
#include "store/segment_sink.h"
#include "util/parse.h"
#include "util/thread.h"

#define QUEUE_MAX_BYTES (16U << 20)
#define QUEUE_MAX_ENTRIES 4096

enum entry_kind {
	ENTRY_BLOCK,
	ENTRY_SKIP, /* a block that cannot be read without one that was lost */
	ENTRY_ROTATE,
	ENTRY_LIMITS,
	ENTRY_DISCARD,
	ENTRY_FINISH,
};

struct entry {
	struct entry *next;
	enum entry_kind kind;
	uint64_t number; /* of a block */
	struct buffer data;
	struct segment_block block;
	struct segment_writer_options limits;
};

struct segment_writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t queued; /* for the worker */
	pthread_cond_t finish_done; /* for segment_writer_finish() */

	/* Under the lock. */
	struct entry *head, **tail;
	size_t queued_bytes, queued_entries;
	uint64_t current; /* epoch of the last block */
	uint64_t ended; /* latest epoch that must not be continued */
	uint64_t lost; /* epoch of which a block did not get into the queue */
	uint64_t number; /* of the last block */
	uint64_t retry_at_ns; /* of a suspended sink, else 0 */
	uint64_t refused_samples; /* not even queued */
	bool finishing, finished;
	int finish_result;
	struct segment_writer_status status;

	struct segment_sink *sink; /* the worker's */
	struct entry finish; /* so that finishing needs no memory */
};

/* --- the worker ---------------------------------------------------------- */

/* The next entry; NULL when a sync is due first. */
static struct entry *next_entry(struct segment_writer *w)
{
	uint64_t sync_at_ns = segment_sink_sync_at(w->sink);
	struct timespec until = { .tv_sec = (time_t)(sync_at_ns / NSEC_PER_SEC),
				  .tv_nsec = (long)(sync_at_ns % NSEC_PER_SEC) };
	struct entry *e;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	while (!w->head && r != ETIMEDOUT)
		r = sync_at_ns ? pthread_cond_timedwait(&w->queued, &w->lock, &until)
			       : pthread_cond_wait(&w->queued, &w->lock);
	e = w->head;
	if (e) {
		w->head = e->next;
		if (!w->head)
			w->tail = &w->head;
	}
	pthread_mutex_unlock(&w->lock);
	return e;
}

static void process(struct segment_writer *w, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_BLOCK:
		segment_sink_write(w->sink, &e->block);
		break;
	case ENTRY_SKIP:
		segment_sink_skip(w->sink, &e->block);
		break;
	case ENTRY_ROTATE:
		segment_sink_rotate(w->sink, e->block.epoch);
		break;
	case ENTRY_LIMITS:
		segment_sink_set_limits(w->sink, &e->limits);
		break;
	case ENTRY_DISCARD:
		segment_sink_discard(w->sink);
		break;
	case ENTRY_FINISH:
		w->finish_result = segment_sink_finish(w->sink);
		break;
	}
}

/* Makes what the sink came to known to the caller. `e` may be NULL. */
static void publish(struct segment_writer *w, const struct entry *e)
{
	struct segment_writer_status status;

	segment_sink_get_status(w->sink, &status);
	pthread_mutex_lock(&w->lock);
	status.acknowledged = e && e->number ? e->number : w->status.acknowledged;
	w->status = status;
	w->ended = MAX(w->ended, segment_sink_ended(w->sink));
	w->retry_at_ns = segment_sink_retry_at(w->sink);
	if (e) {
		w->queued_bytes -= e->data.size;
		w->queued_entries--;
		w->finished = e->kind == ENTRY_FINISH;
		if (w->finished)
			pthread_cond_broadcast(&w->finish_done);
	}
	pthread_mutex_unlock(&w->lock);
}

static void *work(void *userdata)
{
	struct segment_writer *w = userdata;
	bool last = false;

	while (!last) {
		struct entry *e = next_entry(w);

		if (e)
			process(w, e);
		else
			segment_sink_sync(w->sink);
		publish(w, e);
		last = e == &w->finish;
		if (e && !last) {
			buffer_done(&e->data);
			free(e);
		}
	}
	return NULL;
}

/* --- the caller ---------------------------------------------------------- */

static void enqueue(struct segment_writer *w, struct entry *e)
{
	w->queued_bytes += e->data.size;
	w->queued_entries++;
	*w->tail = e;
	w->tail = &e->next;
	pthread_cond_signal(&w->queued);
}

/* May a block of this size be queued? */
static int admit(const struct segment_writer *w, const struct entry *e, const struct buffer *b)
{
	if (b->error)
		return b->error;
	if (!e)
		return -ENOMEM;
	if (w->finishing)
		return -ESHUTDOWN;
	if (w->queued_bytes + b->size > QUEUE_MAX_BYTES || w->queued_entries >= QUEUE_MAX_ENTRIES)
		return -ENOBUFS;
	return 0;
}

static void refuse(struct segment_writer *w, uint64_t samples)
{
	w->lost = w->ended = w->current;
	w->refused_samples += samples;
}

int64_t segment_writer_submit(struct segment_writer *w, struct buffer *b, bool epoch_start,
			      uint64_t first_ns, uint64_t last_ns, uint64_t samples)
{
	struct entry *e = malloc(sizeof(*e));
	int64_t number;

	pthread_mutex_lock(&w->lock);
	w->current += epoch_start;
	number = admit(w, e, b);
	if (number < 0) {
		refuse(w, samples);
		pthread_mutex_unlock(&w->lock);
		buffer_reset(b);
		free(e);
		return number;
	}
	number = (int64_t)++w->number;
	*e = (struct entry){
		.kind = w->lost == w->current ? ENTRY_SKIP : ENTRY_BLOCK,
		.number = w->number,
		.data = *b,
		.block = { .data = b->data,
			   .size = b->size,
			   .epoch = w->current,
			   .epoch_start = epoch_start,
			   .first_ns = first_ns,
			   .last_ns = last_ns,
			   .samples = samples },
	};
	*b = (struct buffer){ .limit = b->limit };
	enqueue(w, e);
	pthread_mutex_unlock(&w->lock);
	return number;
}

bool segment_writer_wants_epoch(struct segment_writer *w)
{
	bool wanted;

	pthread_mutex_lock(&w->lock);
	/* While the disk refuses, a new epoch with every block would be work for nothing. */
	wanted = w->ended >= w->current &&
		 (w->current == 0 || now_ns() >= w->retry_at_ns);
	pthread_mutex_unlock(&w->lock);
	return wanted;
}

/* What is no block; without memory for it, it does not happen. */
static void enqueue_request(struct segment_writer *w, struct entry request)
{
	struct entry *e = malloc(sizeof(*e));

	pthread_mutex_lock(&w->lock);
	if (e && !w->finishing) {
		*e = request;
		e->block.epoch = w->current;
		if (e->kind == ENTRY_ROTATE)
			w->ended = w->current;
		enqueue(w, e);
		e = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	free(e);
}

void segment_writer_rotate(struct segment_writer *w)
{
	enqueue_request(w, (struct entry){ .kind = ENTRY_ROTATE });
}

void segment_writer_discard(struct segment_writer *w)
{
	enqueue_request(w, (struct entry){ .kind = ENTRY_DISCARD });
}

void segment_writer_set_options(struct segment_writer *w,
				const struct segment_writer_options *options)
{
	struct entry request = { .kind = ENTRY_LIMITS, .limits = *options };

	request.limits.directory = request.limits.file = NULL;
	enqueue_request(w, request);
}

void segment_writer_get_status(struct segment_writer *w, struct segment_writer_status *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->status;
	ret->dropped_samples += w->refused_samples;
	pthread_mutex_unlock(&w->lock);
}

int segment_writer_finish(struct segment_writer *w)
{
	int r;

	pthread_mutex_lock(&w->lock);
	if (!w->finishing) {
		w->finishing = true;
		w->finish = (struct entry){ .kind = ENTRY_FINISH };
		enqueue(w, &w->finish);
	}
	while (!w->finished)
		pthread_cond_wait(&w->finish_done, &w->lock);
	r = w->finish_result;
	pthread_mutex_unlock(&w->lock);
	return r;
}

static struct segment_writer *writer_free(struct segment_writer *w)
{
	segment_sink_free(w->sink);
	pthread_cond_destroy(&w->finish_done);
	pthread_cond_destroy(&w->queued);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

DEFINE_CLEANUP(struct segment_writer *, writer_free);

struct segment_writer *segment_writer_close(struct segment_writer *w)
{
	if (!w)
		return NULL;
	segment_writer_finish(w);
	pthread_join(w->thread, NULL);
	return writer_free(w);
}

static struct segment_writer *writer_new(void)
{
	struct segment_writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->queued, &attr);
	pthread_cond_init(&w->finish_done, NULL);
	pthread_condattr_destroy(&attr);
	w->tail = &w->head;
	return w;
}

int segment_writer_open(const struct segment_writer_options *options, struct segment_writer **ret,
			char **ret_error)
{
	_cleanup_(writer_freep) struct segment_writer *w = writer_new();
	int r;

	*ret_error = NULL;
	if (!w)
		return -ENOMEM;
	r = segment_sink_open(options, &w->sink, ret_error);
	if (r < 0)
		return r;
	segment_sink_get_status(w->sink, &w->status);
	r = thread_start("segment-writer", 0, work, w, &w->thread);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}
