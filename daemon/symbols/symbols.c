// SPDX-License-Identifier: Apache-2.0
/*
 * The symbol workers: threads that turn files into function indexes, one after the other, so that a
 * malicious or enormous file delays the names of others at most.
 *
 * The main thread opens the file and queues a request; the worker owns the request until it is in
 * the list of the finished ones. A worker never touches a struct object: a request carries what it
 * needs. Files that another machine or process has to answer for are opened by a worker of their
 * own, which may hang without anybody waiting for it, in the end neither.
 */
#include "symbols/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/elf_debug.h"
#include "symbols/elf_index.h"
#include "symbols/index_cache.h"
#include "symbols/object_open.h"
#include "symbols/vdso.h"
#include "unwind/unwind_cache.h"
#include "unwind/unwind_table.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/thread.h"

#define DEFAULT_CACHE_BYTES (256ULL << 20)
#define WORKER_NICE 10
#define LARGE_BLOCK_BYTES (256 << 10)
#define REMOTE_PENDING_MAX                                                                         \
	(SYMBOLS_PENDING_MAX / 2) /* leaves room for the others when it hangs                      \
				   */

struct request {
	struct request *next;
	struct object *object; /* referenced; the main thread's */
	int fd; /* -1: only the cache may help, or it is for the remote worker to open */
	bool vdso, remote;
	bool wants_index, wants_rows;
	char *path;
	struct build_id build_id;
	/* remote: who maps what, and where */
	pid_t pid;
	dev_t device;
	ino_t inode;
	uint64_t start, end;
	/* The worker's answer. */
	int error, rows_error;
	struct function_index *index;
	struct unwind_table *rows;
};

struct queue {
	struct request *first, **last;
};

struct worker {
	struct symbols *symbols;
	pthread_t thread;
	pthread_cond_t wake;
	bool started; /* the main thread's */
	struct queue todo; /* under the lock, like what follows */
	struct request *current; /* NULL: idle */
	bool orphaned; /* it frees everything when it comes back */
};

struct symbols {
	char *procfs, *debug_directory;
	struct mounts mounts; /* the main thread's */
	struct mounts patient_mounts; /* the remote worker's */
	struct index_cache *cache; /* the local worker's */
	struct unwind_cache *row_cache; /* the rows' worker's */
	bool wants_rows;
	size_t n_pending, n_remote; /* the main thread's */
	int event_fd;
	atomic_bool stop;
	pthread_mutex_t lock;
	struct worker local, rows, remote;
	struct queue done; /* under the lock */
};

static void queue_put(struct queue *q, struct request *r)
{
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
}

static struct request *queue_take(struct queue *q)
{
	struct request *r = q->first;

	if (!r)
		return NULL;
	q->first = r->next;
	if (!q->first)
		q->last = &q->first;
	return r;
}

static struct request *request_free(struct request *r)
{
	if (!r)
		return NULL;
	object_unref(r->object);
	safe_close(r->fd);
	function_index_free(r->index);
	unwind_table_free(r->rows);
	free(r->path);
	free(r);
	return NULL;
}

/* A cached index of a stripped file is worth building anew once its debug file is installed. */
static bool has_better_source(const struct symbols *s, const struct request *r,
			      const struct function_index *index)
{
	_cleanup_close_ int fd = -1;

	if (r->fd < 0 || (function_index_sources(index) & (SOURCE_SYMTAB | SOURCE_DEBUG_FILE)))
		return false;
	fd = elf_debug_open_by_build_id(s->debug_directory, &r->build_id);
	return fd >= 0;
}

static int build(const struct symbols *s, struct request *r)
{
	const struct elf_index_options options = { .debug_directory = s->debug_directory,
						   .path = r->path };
	struct elf_source source;
	int error;

	if (r->vdso)
		error = vdso_source(&source);
	else if (r->fd < 0)
		error = -ESRCH;
	else
		error = elf_source_from_fd(r->fd, &s->stop, &source);
	return error < 0 ? error : elf_index_build(&source, &options, &r->index);
}

static int load_or_build(struct symbols *s, struct request *r)
{
	bool cached = s->cache && r->build_id.size > 0 && !r->remote;
	struct stat st = { 0 };
	int error;

	if (r->fd >= 0 && fstat(r->fd, &st) < 0)
		return -errno;
	if (cached && index_cache_load(s->cache, &r->build_id, st.st_uid, &r->index) == 0) {
		if (!has_better_source(s, r, r->index))
			return 0;
		r->index = function_index_free(r->index);
	}
	error = build(s, r);
	if (error == 0 && cached)
		index_cache_store(s->cache, &r->build_id, st.st_uid, &r->index);
	else if (error == 0 && s->cache)
		index_cache_keep(s->cache, &r->index);
	malloc_trim(0); /* building takes several times what the index needs */
	return error;
}

static int build_rows(const struct symbols *s, struct request *r)
{
	struct elf_source source;
	struct elf_file file;
	int error;

	if (r->vdso)
		return unwind_table_build_vdso(&r->rows);
	if (r->fd < 0)
		return -ESRCH;
	error = elf_source_from_fd(r->fd, &s->stop, &source);
	if (error == 0)
		error = elf_file_open(&source, &file);
	if (error < 0)
		return error;
	error = unwind_table_build(&file, &r->rows);
	elf_file_done(&file);
	return error;
}

static int load_or_build_rows(struct symbols *s, struct request *r)
{
	bool cached = s->row_cache && r->build_id.size > 0 && !r->remote && !r->vdso;
	struct stat st = { 0 };
	int error;

	if (r->fd >= 0 && fstat(r->fd, &st) < 0)
		return -errno;
	if (cached && unwind_cache_load(s->row_cache, &r->build_id, st.st_uid, &r->rows) == 0)
		return 0;
	error = build_rows(s, r);
	if (error == 0 && cached)
		unwind_cache_store(s->row_cache, &r->build_id, st.st_uid, &r->rows);
	return error;
}

static int open_remote(struct symbols *s, struct request *r)
{
	struct object o = {
		.kind = OBJECT_FILE,
		.path = r->path,
		.build_id_size = r->build_id.size,
		.device = r->device,
		.inode = r->inode,
	};

	memcpy(o.build_id, r->build_id.bytes, sizeof(o.build_id));
	r->fd = object_open(&o, &s->patient_mounts, r->pid, r->start, r->end);
	return r->fd < 0 ? -ESRCH : 0;
}

static void answer(struct symbols *s, struct request *r)
{
	r->error = r->remote ? open_remote(s, r) : 0;
	if (r->fd >= 0 && r->build_id.size == 0)
		elf_build_id_from_fd(r->fd, &r->build_id);
	r->rows_error = r->error;
	if (r->wants_rows && r->rows_error == 0)
		r->rows_error = load_or_build_rows(s, r);
	if (r->wants_index && r->error == 0)
		r->error = load_or_build(s, r);
	r->fd = safe_close(r->fd);
}

static void destroy(struct symbols *s);

/* Answers one request after the other until it is told to stop; with the lock. */
static void answer_all(struct worker *w)
{
	struct symbols *s = w->symbols;
	const uint64_t one = 1;

	while (!atomic_load(&s->stop)) {
		w->current = queue_take(&w->todo);
		if (!w->current) {
			pthread_cond_wait(&w->wake, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		answer(s, w->current);
		pthread_mutex_lock(&s->lock);
		queue_put(&s->done, TAKE_PTR(w->current));
		/* The counter cannot overflow, so that this cannot fail. */
		(void)!write(s->event_fd, &one, sizeof(one));
	}
}

static void *work(void *userdata)
{
	struct worker *w = userdata;
	struct symbols *s = w->symbols;
	bool orphaned;

	if (w != &s->rows)
		setpriority(PRIO_PROCESS, 0, WORKER_NICE); /* on Linux: of this thread */
	pthread_mutex_lock(&s->lock);
	answer_all(w);
	orphaned = w->orphaned;
	pthread_mutex_unlock(&s->lock);
	if (orphaned)
		destroy(s);
	return NULL;
}

static void worker_init(struct worker *w, struct symbols *s)
{
	w->symbols = s;
	w->todo.last = &w->todo.first;
	pthread_cond_init(&w->wake, NULL);
}

static int worker_start(struct worker *w)
{
	const struct symbols *s = w->symbols;
	const char *name = w == &s->local  ? "symbols"
			   : w == &s->rows ? "rows"
					   : "remote-symbols";
	int r;

	if (w->started)
		return 0;
	r = thread_start(name, 0, work, w, &w->thread);
	w->started = r == 0;
	return r;
}

int symbols_new(const struct symbols_options *options, struct symbols **ret)
{
	_cleanup_(symbols_freep) struct symbols *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	worker_init(&s->local, s);
	worker_init(&s->rows, s);
	worker_init(&s->remote, s);
	s->done.last = &s->done.first;
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd < 0)
		return -errno;
	s->procfs = strdup(options->procfs ? options->procfs : "/proc");
	s->debug_directory =
		strdup(options->debug_directory ? options->debug_directory : "/usr/lib/debug");
	if (!s->procfs || !s->debug_directory)
		return -ENOMEM;
	mounts_init(&s->mounts, s->procfs);
	mounts_init(&s->patient_mounts, s->procfs);
	s->patient_mounts.patient = true;
	s->wants_rows = options->rows;
	if (options->cache_directory && options->rows) {
		r = unwind_cache_open(options->cache_directory,
				      options->cache_bytes ? options->cache_bytes
							   : DEFAULT_CACHE_BYTES,
				      &s->row_cache);
		if (r < 0)
			log_warning_errno(r, "No cache of unwind rows in %s",
					  options->cache_directory);
	}
	if (options->cache_directory) {
		r = index_cache_open(options->cache_directory,
				     options->cache_bytes ? options->cache_bytes
							  : DEFAULT_CACHE_BYTES,
				     &s->cache);
		if (r < 0)
			log_warning_errno(r, "No symbol cache in %s", options->cache_directory);
	}
	/* By default glibc learns from large blocks to keep them, up to 64 MB per thread: an index
	 * takes a few such blocks, once. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
	r = worker_start(&s->local);
	if (r == 0 && options->rows)
		r = worker_start(&s->rows);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

static void queue_clear(struct queue *q)
{
	struct request *r;

	while ((r = queue_take(q)))
		request_free(r);
}

static void destroy(struct symbols *s)
{
	queue_clear(&s->local.todo);
	queue_clear(&s->rows.todo);
	queue_clear(&s->remote.todo);
	queue_clear(&s->done);
	index_cache_close(s->cache);
	unwind_cache_close(s->row_cache);
	safe_close(s->event_fd);
	pthread_cond_destroy(&s->local.wake);
	pthread_cond_destroy(&s->rows.wake);
	pthread_cond_destroy(&s->remote.wake);
	pthread_mutex_destroy(&s->lock);
	mounts_done(&s->mounts);
	free(s->procfs);
	free(s->debug_directory);
	free(s);
}

/* Leaves everything to a thread that waits for another machine, except the objects, which are ours.
 * False when it does not wait. */
static bool abandon(struct worker *w)
{
	struct symbols *s = w->symbols;
	bool waits;

	pthread_mutex_lock(&s->lock);
	waits = w->current;
	if (waits) {
		queue_clear(&s->local.todo);
		queue_clear(&s->rows.todo);
		queue_clear(&s->remote.todo);
		queue_clear(&s->done);
		w->current->object = object_unref(w->current->object);
		w->orphaned = true;
		pthread_detach(w->thread);
	}
	pthread_mutex_unlock(&s->lock); /* from here on it may all be gone */
	return waits;
}

static void worker_stop(struct worker *w)
{
	if (!w->started)
		return;
	pthread_mutex_lock(&w->symbols->lock);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->symbols->lock);
	pthread_join(w->thread, NULL);
}

struct symbols *symbols_free(struct symbols *s)
{
	if (!s)
		return NULL;
	atomic_store(&s->stop, true);
	worker_stop(&s->local);
	worker_stop(&s->rows);
	if (s->remote.started && abandon(&s->remote))
		return NULL;
	worker_stop(&s->remote);
	destroy(s);
	return NULL;
}

/* The worker has nothing to look at but, perhaps, the cache. */
static bool worth_asking(const struct symbols *s, const struct request *r)
{
	return r->vdso || r->remote || r->fd >= 0 || (s->cache && r->build_id.size > 0);
}

static struct request *request_new(const struct object *o, pid_t pid, uint64_t start, uint64_t end)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct request){
		.fd = -1,
		.vdso = o->kind == OBJECT_VDSO,
		.path = strdup(o->path),
		.build_id.size = o->build_id_size,
		.pid = pid,
		.device = o->device,
		.inode = o->inode,
		.start = start,
		.end = end,
	};
	memcpy(r->build_id.bytes, o->build_id, sizeof(o->build_id));
	return r->path ? r : request_free(r);
}

/* Finds out whose request it is: opens what can be opened without waiting for anybody. */
static void prepare(struct symbols *s, struct request *r, const struct object *o)
{
	if (!r->vdso)
		r->fd = object_open(o, &s->mounts, r->pid, r->start, r->end);
	if (r->fd == -EREMOTE)
		r->remote = s->n_remote < REMOTE_PENDING_MAX && worker_start(&s->remote) == 0;
	r->fd = MAX(r->fd, -1);
}

static void submit(struct symbols *s, struct request *r)
{
	struct worker *w = r->remote ? &s->remote : r->wants_rows ? &s->rows : &s->local;

	s->n_pending++;
	s->n_remote += r->remote;
	pthread_mutex_lock(&s->lock);
	queue_put(&w->todo, r);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&s->lock);
}

/* Rows come from a worker of their own, which does not wait its turn: while they are missing stacks
 * are cut short; names can come later. */
static void submit_rows(struct symbols *s, struct request *r, struct object *o)
{
	struct request *rows;

	if (!r->wants_rows || !r->wants_index || r->remote)
		return;
	rows = request_new(o, r->pid, r->start, r->end);
	if (!rows)
		return;
	if (r->fd >= 0)
		rows->fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	rows->object = object_ref(o);
	rows->wants_rows = true;
	r->wants_rows = false;
	submit(s, rows);
}

/* What is wanted of a file that `pid` shows; false: it cannot be asked for now. */
static bool request_parts(struct symbols *s, struct object *o, pid_t pid, uint64_t start,
			  uint64_t end, bool index, bool rows)
{
	size_t limit = s->wants_rows ? 2 * SYMBOLS_PENDING_MAX : SYMBOLS_PENDING_MAX;
	struct request *r;

	if ((!index && !rows) || s->n_pending >= limit)
		return false;
	if (o->kind != OBJECT_FILE && o->kind != OBJECT_VDSO)
		return false;
	r = request_new(o, pid, start, end);
	if (!r)
		return false;
	r->wants_index = index;
	r->wants_rows = rows;
	prepare(s, r, o);
	if (!worth_asking(s, r)) {
		request_free(r);
		return true;
	}
	r->object = object_ref(o);
	if (index)
		o->index_state = INDEX_PENDING;
	if (rows)
		o->rows_state = INDEX_PENDING;
	submit_rows(s, r, o);
	submit(s, r);
	return true;
}

static bool lacks_rows(const struct symbols *s, const struct object *o)
{
	return s->wants_rows && o->rows_state == INDEX_NONE;
}

void symbols_request(struct symbols *s, struct object *o, pid_t pid, uint64_t start, uint64_t end)
{
	if (o->asked_pid != pid && request_parts(s, o, pid, start, end,
						 o->index_state == INDEX_NONE, lacks_rows(s, o)))
		o->asked_pid = pid;
}

void symbols_request_rows(struct symbols *s, struct object *o, pid_t pid, uint64_t start,
			  uint64_t end)
{
	(void)request_parts(s, o, pid, start, end, false, lacks_rows(s, o));
}

void symbols_hurry(struct symbols *s, const struct object *o)
{
	struct queue *q = &s->rows.todo;

	pthread_mutex_lock(&s->lock);
	for (struct request **at = &q->first; *at; at = &(*at)->next) {
		struct request *r = *at;

		if (r->object != o)
			continue;
		*at = r->next;
		if (q->last == &r->next)
			q->last = at;
		r->next = q->first;
		if (!q->first)
			q->last = &r->next;
		q->first = r;
		break;
	}
	pthread_mutex_unlock(&s->lock);
}

void symbols_leave_rows_out(struct symbols *s)
{
	s->wants_rows = false;
}

int symbols_fd(const struct symbols *s)
{
	return s->event_fd;
}

size_t symbols_pending(const struct symbols *s)
{
	return s->n_pending;
}

static enum index_state state_of(int error)
{
	return error == 0 ? INDEX_READY : error == -ESRCH ? INDEX_NONE : INDEX_FAILED;
}

/* False when nobody has seen the file: somebody else may. */
static bool settle(struct object *o, struct request *r)
{
	if (r->wants_index) {
		o->index_error = r->error;
		o->index_state = state_of(r->error);
		o->index = TAKE_PTR(r->index);
	}
	if (r->wants_rows) {
		o->rows_error = r->rows_error;
		o->rows_state = r->rows_error == 0 ? INDEX_PENDING : state_of(r->rows_error);
		o->rows = TAKE_PTR(r->rows);
	}
	return (r->wants_index && r->error != -ESRCH) || (r->wants_rows && r->rows_error != -ESRCH);
}

void symbols_poll(struct symbols *s, void (*done)(struct object *o, void *userdata), void *userdata)
{
	struct queue finished = { .last = &finished.first };
	struct request *r;
	uint64_t count;

	(void)!read(s->event_fd, &count, sizeof(count));
	pthread_mutex_lock(&s->lock);
	while ((r = queue_take(&s->done)))
		queue_put(&finished, r);
	pthread_mutex_unlock(&s->lock);
	while ((r = queue_take(&finished))) {
		s->n_pending--;
		s->n_remote -= r->remote;
		if (settle(r->object, r) && done)
			done(r->object, userdata);
		request_free(r);
	}
}

void symbols_wait(struct symbols *s, int timeout_ms, void (*done)(struct object *o, void *userdata),
		  void *userdata)
{
	uint64_t end = now_ns() / NSEC_PER_MSEC + (uint64_t)MAX(timeout_ms, 0);

	for (;;) {
		struct pollfd p = { .fd = s->event_fd, .events = POLLIN };
		uint64_t now = now_ns() / NSEC_PER_MSEC;

		symbols_poll(s, done, userdata);
		if (s->n_pending == 0 || now >= end)
			return;
		poll(&p, 1, (int)(end - now));
	}
}
