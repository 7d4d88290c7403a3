// SPDX-License-Identifier: Apache-2.0
/*
 * The caller's side is a queue behind one mutex, held for a few instructions; everything slow
 * happens in the worker. Epochs are numbered by the caller's side: `ended` is the latest epoch that
 * must not be continued (it is full, broken, or its file is to be sealed), so that "the next block
 * must begin an epoch" is `ended >= current`, whatever is still queued.
 */
#include "store/segment_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <zstd.h>

#include "store/frame.h"
#include "store/segment_file.h"
#include "store/segment_output.h"
#include "store/segment_store.h"
#include "util/parse.h"

#define QUEUE_MAX_BYTES (16U << 20)
#define QUEUE_MAX_ENTRIES 4096
#define DEFAULT_EPOCH_BYTES (4U << 20)
#define DEFAULT_LEVEL 3
#define DEFAULT_RETRY_NS (5 * NSEC_PER_SEC)

enum entry_kind {
	ENTRY_BLOCK,
	ENTRY_DROPPED, /* a block that cannot be read without one that was lost */
	ENTRY_ROTATE,
	ENTRY_FINISH,
};

struct entry {
	struct entry *next;
	enum entry_kind kind;
	bool epoch_start;
	struct buffer data;
	uint64_t number, epoch;
	uint64_t first_ns, last_ns, samples;
};

struct segment_writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the worker: something is queued */
	pthread_cond_t finished_cond;

	/* Under the lock. */
	struct entry *head, **tail;
	size_t queued_bytes, queued_entries;
	uint64_t current, ended; /* epochs */
	uint64_t lost; /* epoch of which a block did not get into the queue */
	uint64_t number; /* of the last block */
	uint64_t retry_at_ns;
	bool finishing, finished;
	int finish_result;
	struct entry finish_entry;
	struct segment_writer_options limits; /* for the worker to take over */
	struct segment_writer_status status;

	/* The worker's own. */
	struct segment_writer_options options;
	struct segment_store *store; /* NULL with a single file */
	int directory; /* of the single file */
	char *shown_directory; /* for status.path */
	struct segment_file *file;
	ZSTD_CCtx *zstd;
	uint8_t *out;
	size_t out_size;
	uint64_t epoch; /* being written; then there is a file */
	uint64_t epoch_bytes; /* of it, compressed */
	uint64_t broken; /* epoch whose rest is dropped */
	uint64_t synced_ns;
	bool dirty; /* written and not synced */
	bool rotate; /* seal before the next epoch */
};

/* --- the worker ---------------------------------------------------------- */

static void end_epoch(struct segment_writer *w, uint64_t epoch)
{
	pthread_mutex_lock(&w->lock);
	w->ended = MAX(w->ended, epoch);
	pthread_mutex_unlock(&w->lock);
}

static void publish(struct segment_writer *w)
{
	struct segment_writer_status *s = &w->status;
	const struct segment_file *f = w->file;

	pthread_mutex_lock(&w->lock);
	s->files = (w->store ? w->store->n : 0) + (f != NULL);
	s->bytes = (w->store ? w->store->bytes : 0) + (f ? f->bytes : 0);
	s->deleted_files = w->store ? w->store->deleted : 0;
	if (!f || snprintf(s->path, sizeof(s->path), "%s/%s" SEGMENT_ACTIVE, w->shown_directory,
			   f->name) >= (int)sizeof(s->path))
		s->path[0] = '\0';
	pthread_mutex_unlock(&w->lock);
}

static void suspend(struct segment_writer *w, int error)
{
	pthread_mutex_lock(&w->lock);
	w->status.suspended = true;
	w->status.error = error;
	w->retry_at_ns = clock_ns(CLOCK_MONOTONIC) +
			 (w->options.retry_ns ? w->options.retry_ns : DEFAULT_RETRY_NS);
	pthread_mutex_unlock(&w->lock);
}

static void resume(struct segment_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->status.suspended = false;
	w->status.error = 0;
	w->retry_at_ns = 0;
	pthread_mutex_unlock(&w->lock);
}

/* Limits that leave the retention something to delete: several segments fit into the cap, and
 * several epochs into a segment. */
static uint64_t rotate_bytes(const struct segment_writer *w)
{
	uint64_t limit = w->options.rotate_bytes ? w->options.rotate_bytes : UINT64_MAX;

	return w->options.retain_bytes ? MIN(limit, w->options.retain_bytes / 4) : limit;
}

static uint64_t max_epoch_bytes(const struct segment_writer *w)
{
	uint64_t limit = w->options.epoch_bytes ? w->options.epoch_bytes : DEFAULT_EPOCH_BYTES;

	return w->store ? MIN(limit, rotate_bytes(w) / 2) : limit;
}

static int sync_file(struct segment_writer *w)
{
	int r;

	if (!w->dirty)
		return 0;
	w->dirty = false;
	w->synced_ns = clock_ns(CLOCK_MONOTONIC);
	if (fdatasync(w->file->fd) == 0)
		return 0;
	/* What of it reached the disk is unknown: the next epoch gets a new file. */
	r = -errno;
	w->rotate = w->store != NULL;
	w->broken = w->epoch;
	suspend(w, r);
	end_epoch(w, w->epoch);
	return r;
}

static int seal(struct segment_writer *w)
{
	int r;

	if (!w->file)
		return 0;
	r = w->store ? segment_store_seal(w->store, w->file) : segment_file_seal(w->file, true);
	if (r < 0)
		return r;
	w->dirty = false;
	w->file = segment_file_free(w->file);
	return 0;
}

static void take_new_limits(struct segment_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->options = w->limits;
	pthread_mutex_unlock(&w->lock);
}

static int open_file(struct segment_writer *w)
{
	int r;

	segment_store_make_room(w->store, &w->options, 0);
	r = segment_store_create(w->store, &w->file);
	if (r == -ENOSPC && segment_store_delete_oldest(w->store))
		r = segment_store_create(w->store, &w->file);
	return r;
}

/* Makes sure there is a file that may take a new epoch. */
static int begin_epoch(struct segment_writer *w, uint64_t epoch)
{
	int r;

	if (w->rotate) {
		r = seal(w);
		if (r < 0)
			return r;
		take_new_limits(w);
		w->rotate = false;
	}
	if (!w->file) {
		r = open_file(w);
		if (r < 0)
			return r;
	}
	w->epoch = epoch;
	w->epoch_bytes = 0;
	ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel,
			       w->options.compression_level ? w->options.compression_level
							    : DEFAULT_LEVEL);
	return 0;
}

static int compress(struct segment_writer *w, const struct buffer *data, size_t *ret_size)
{
	ZSTD_inBuffer in = { .src = data->data, .size = data->size };
	size_t bound = ZSTD_compressBound(data->size) + 64, left;
	ZSTD_outBuffer out;

	if (w->out_size < bound) {
		uint8_t *p = realloc(w->out, bound);

		if (!p)
			return -ENOMEM;
		w->out = p;
		w->out_size = bound;
	}
	out = (ZSTD_outBuffer){ .dst = w->out, .size = w->out_size };
	left = ZSTD_compressStream2(w->zstd, &out, &in, ZSTD_e_flush);
	if (ZSTD_isError(left))
		return -ENOMEM;
	if (left > 0 || in.pos < in.size)
		return -E2BIG;
	*ret_size = out.pos;
	return 0;
}

/* The cap holds at every moment: room is made before a byte is written. */
static int append(struct segment_writer *w, struct frame_head *h, size_t size)
{
	uint64_t after = w->file->bytes + FRAME_HEAD_SIZE + size + segment_file_seal_bytes(w->file);
	int r;

	if (w->store && !segment_store_make_room(w->store, &w->options, after)) {
		w->rotate = true;
		return -EDQUOT;
	}
	r = segment_file_append(w->file, h, w->out, size);
	while (r == -ENOSPC && w->store && segment_store_delete_oldest(w->store))
		r = segment_file_append(w->file, h, w->out, size);
	return r;
}

static int write_block(struct segment_writer *w, const struct entry *e)
{
	struct frame_head h = {
		.type = FRAME_BLOCK,
		.flags = e->epoch_start ? FRAME_EPOCH_START : 0,
		.raw_size = (uint32_t)e->data.size,
		.samples = (uint32_t)e->samples,
		.first_ns = e->first_ns,
		.last_ns = e->last_ns,
	};
	size_t size;
	int r;

	if (e->data.size > FRAME_MAX_RAW)
		return -E2BIG;
	if (e->epoch_start) {
		r = begin_epoch(w, e->epoch);
		if (r < 0)
			return r;
	}
	r = compress(w, &e->data, &size);
	if (r < 0)
		return r;
	r = append(w, &h, size);
	if (r < 0)
		return r;
	w->dirty = true;
	w->epoch_bytes += FRAME_HEAD_SIZE + size;
	pthread_mutex_lock(&w->lock);
	w->status.written_bytes += FRAME_HEAD_SIZE + size;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static bool waiting_for_disk(const struct segment_writer *w)
{
	return w->status.suspended && clock_ns(CLOCK_MONOTONIC) < w->retry_at_ns;
}

static void drop(struct segment_writer *w, const struct entry *e)
{
	w->broken = e->epoch;
	pthread_mutex_lock(&w->lock);
	w->ended = MAX(w->ended, e->epoch);
	w->status.dropped_samples += e->samples;
	pthread_mutex_unlock(&w->lock);
}

/* Ends the epoch when it or the file has become large or old enough. */
static void check_limits(struct segment_writer *w, uint64_t epoch)
{
	uint64_t age_ns = clock_ns(CLOCK_MONOTONIC) - w->file->created_ns;

	if (w->store && (w->file->bytes >= rotate_bytes(w) ||
			 (w->options.rotate_ns && age_ns >= w->options.rotate_ns)))
		w->rotate = true;
	if (w->rotate || w->epoch_bytes >= max_epoch_bytes(w))
		end_epoch(w, epoch);
}

static void take_block(struct segment_writer *w, const struct entry *e)
{
	int r;

	if (e->kind == ENTRY_DROPPED || e->epoch == w->broken || waiting_for_disk(w)) {
		drop(w, e);
		return;
	}
	r = write_block(w, e);
	if (r < 0) {
		/* Its own cap and a block that is too large are no fault of the disk. */
		if (r != -E2BIG && !(r == -EDQUOT && w->rotate))
			suspend(w, r);
		drop(w, e);
		return;
	}
	if (w->status.suspended)
		resume(w);
	check_limits(w, e->epoch);
	if (clock_ns(CLOCK_MONOTONIC) - w->synced_ns >= w->options.sync_interval_ns)
		sync_file(w);
}

static void take_rotate(struct segment_writer *w, const struct entry *e)
{
	int r = seal(w);

	w->rotate = true;
	w->broken = e->epoch;
	if (r < 0)
		suspend(w, r);
}

static void take_finish(struct segment_writer *w)
{
	int r = seal(w);

	pthread_mutex_lock(&w->lock);
	w->finish_result = r < 0 ? r : w->status.error;
	w->finished = true;
	pthread_cond_broadcast(&w->finished_cond);
	pthread_mutex_unlock(&w->lock);
}

static void take(struct segment_writer *w, struct entry *e)
{
	switch (e->kind) {
	case ENTRY_BLOCK:
	case ENTRY_DROPPED:
		take_block(w, e);
		break;
	case ENTRY_ROTATE:
		take_rotate(w, e);
		break;
	case ENTRY_FINISH:
		take_finish(w);
		break;
	}
	publish(w);
	pthread_mutex_lock(&w->lock);
	w->queued_bytes -= e->data.size;
	w->queued_entries--;
	if (e->number)
		w->status.acknowledged = e->number;
	pthread_mutex_unlock(&w->lock);
	buffer_done(&e->data);
	if (e != &w->finish_entry)
		free(e);
}

/* The next entry, NULL when what was written is due to be synced first. */
static struct entry *next_entry(struct segment_writer *w)
{
	uint64_t due_ns = w->synced_ns + w->options.sync_interval_ns;
	struct timespec due = { .tv_sec = (time_t)(due_ns / NSEC_PER_SEC),
				.tv_nsec = (long)(due_ns % NSEC_PER_SEC) };
	struct entry *e;

	pthread_mutex_lock(&w->lock);
	while (!w->head) {
		if (!w->dirty)
			pthread_cond_wait(&w->wake, &w->lock);
		else if (pthread_cond_timedwait(&w->wake, &w->lock, &due) == ETIMEDOUT)
			break;
	}
	e = w->head;
	if (e) {
		w->head = e->next;
		if (!w->head)
			w->tail = &w->head;
	}
	pthread_mutex_unlock(&w->lock);
	return e;
}

static void *work(void *userdata)
{
	struct segment_writer *w = userdata;

	while (!w->finished) {
		struct entry *e = next_entry(w);

		if (e)
			take(w, e);
		else
			sync_file(w);
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
	pthread_cond_signal(&w->wake);
}

/* Under the lock: may a block of this size be queued? */
static int admit(const struct segment_writer *w, const struct entry *e, size_t size)
{
	if (!e)
		return -ENOMEM;
	if (w->finishing)
		return -ESHUTDOWN;
	if (w->queued_bytes + size > QUEUE_MAX_BYTES || w->queued_entries >= QUEUE_MAX_ENTRIES)
		return -ENOBUFS;
	return 0;
}

int64_t segment_writer_submit(struct segment_writer *w, struct buffer *b, bool epoch_start,
			      uint64_t first_ns, uint64_t last_ns, uint64_t samples)
{
	struct entry *e = malloc(sizeof(*e));
	int64_t number;

	pthread_mutex_lock(&w->lock);
	w->current += epoch_start;
	number = b->error ? b->error : admit(w, e, b->size);
	if (number < 0) {
		w->lost = w->ended = w->current;
		w->status.dropped_samples += samples;
		pthread_mutex_unlock(&w->lock);
		buffer_reset(b);
		free(e);
		return number;
	}
	number = (int64_t)++w->number;
	*e = (struct entry){
		.kind = w->lost == w->current ? ENTRY_DROPPED : ENTRY_BLOCK,
		.epoch_start = epoch_start,
		.data = *b,
		.number = (uint64_t)number,
		.epoch = w->current,
		.first_ns = first_ns,
		.last_ns = last_ns,
		.samples = samples,
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
	/* While the disk refuses, a new epoch every block would be work for nothing. */
	wanted = w->ended >= w->current && (w->current == 0 || !waiting_for_disk(w));
	pthread_mutex_unlock(&w->lock);
	return wanted;
}

void segment_writer_rotate(struct segment_writer *w)
{
	struct entry *e = malloc(sizeof(*e));

	pthread_mutex_lock(&w->lock);
	if (e && w->store && !w->finishing) {
		*e = (struct entry){ .kind = ENTRY_ROTATE, .epoch = w->current };
		w->ended = w->current;
		enqueue(w, e);
		e = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	free(e);
}

void segment_writer_get_status(struct segment_writer *w, struct segment_writer_status *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->status;
	pthread_mutex_unlock(&w->lock);
}

void segment_writer_set_options(struct segment_writer *w,
				const struct segment_writer_options *options)
{
	pthread_mutex_lock(&w->lock);
	w->limits = *options;
	w->limits.directory = w->limits.file = NULL;
	pthread_mutex_unlock(&w->lock);
}

int segment_writer_finish(struct segment_writer *w)
{
	int r;

	pthread_mutex_lock(&w->lock);
	if (!w->finishing) {
		w->finishing = true;
		w->finish_entry = (struct entry){ .kind = ENTRY_FINISH };
		enqueue(w, &w->finish_entry);
	}
	while (!w->finished)
		pthread_cond_wait(&w->finished_cond, &w->lock);
	r = w->finish_result;
	pthread_mutex_unlock(&w->lock);
	return r;
}

static struct segment_writer *writer_free(struct segment_writer *w)
{
	segment_file_free(w->file);
	segment_store_free(w->store);
	safe_close(w->directory);
	ZSTD_freeCCtx(w->zstd);
	free(w->shown_directory);
	free(w->out);
	pthread_cond_destroy(&w->finished_cond);
	pthread_cond_destroy(&w->wake);
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

static struct segment_writer *writer_new(const struct segment_writer_options *options)
{
	struct segment_writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->finished_cond, NULL);
	pthread_condattr_destroy(&attr);
	w->tail = &w->head;
	w->directory = -1;
	w->options = *options;
	w->options.directory = w->options.file = NULL;
	w->limits = w->options;
	w->zstd = ZSTD_createCCtx();
	return w->zstd ? w : writer_free(w);
}

static int open_target(struct segment_writer *w, const struct segment_writer_options *options,
		       char **ret_error)
{
	char *slash;
	int r;

	if (options->directory) {
		w->shown_directory = strdup(options->directory);
		return w->shown_directory
			       ? segment_store_open(options->directory, &w->store, ret_error)
			       : -ENOMEM;
	}
	r = segment_output_create(options->file, &w->file, &w->directory, ret_error);
	if (r < 0)
		return r;
	w->shown_directory = strdup(options->file);
	if (!w->shown_directory)
		return -ENOMEM;
	slash = strrchr(w->shown_directory, '/');
	strcpy(slash ? slash : w->shown_directory, slash ? "" : ".");
	return 0;
}

/* Signals are for the thread that runs the loop. */
static int start_thread(struct segment_writer *w)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_setname_np(w->thread, "segment-writer");
	return r;
}

int segment_writer_open(const struct segment_writer_options *options, struct segment_writer **ret,
			char **ret_error)
{
	_cleanup_(writer_freep) struct segment_writer *w = NULL;
	int r;

	*ret_error = NULL;
	if (!options->directory == !options->file)
		return -EINVAL;
	w = writer_new(options);
	if (!w)
		return -ENOMEM;
	r = open_target(w, options, ret_error);
	if (r < 0)
		return r;
	publish(w);
	r = start_thread(w);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}
