// SPDX-License-Identifier: Apache-2.0
#include "collect/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>

#include "util/clock.h"
#include "util/parse.h"
#include "util/thread.h"

#define MAX_QUEUED_BYTES (64U << 20) /* of rows that nobody took */
#define MAX_FDS 128
#define OPEN_PATIENCE 10 /* loading a BPF program may take far longer than a read */
#define RETRY_NS (60 * NSEC_PER_SEC) /* before one that could not be opened is tried again */

struct worker {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned int references; /* the owner's and the thread's */
	bool abandoned, quit, done;
	int wake_fd; /* eventfd, to the thread */
	int notify_fd; /* borrowed; not after `abandoned` */
	struct instance *instances; /* all but one that is being closed */
	struct instance *running;
	bool opening;
	uint64_t running_since_ns;
	struct batch *first, **last;
	size_t queued_bytes;
	bool untold; /* batches of which the other side was not told */
};

/* --- parts --- */

struct batch *batch_free(struct batch *b)
{
	if (b)
		rows_done(&b->rows);
	free(b);
	return NULL;
}

void instance_free(struct instance *i)
{
	if (i->open)
		i->collector->close(i->state);
	collector_settings_done(&i->settings);
	free(i);
}

static void unref(struct worker *w)
{
	bool last;

	pthread_mutex_lock(&w->lock);
	last = --w->references == 0;
	pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	while (w->first) {
		struct batch *next = w->first->next;

		batch_free(w->first);
		w->first = next;
	}
	safe_close(w->wake_fd);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void add_eventfd(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void clear_eventfd(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

/* --- the thread: one read --- */

static void fail_open(struct instance *i, int error, const char *sentence)
{
	snprintf(i->status.error, sizeof(i->status.error), "%s",
		 sentence ? sentence : strerror(-error));
}

/* Without the lock: nobody else looks at what belongs to a running instance but its status. */
static int run_collector(struct worker *w, struct instance *i, struct rows *rows,
			 char **ret_open_error)
{
	int r;

	if (!i->open) {
		r = i->collector->open(&i->settings, &i->state, ret_open_error);
		if (r < 0)
			return r;
		pthread_mutex_lock(&w->lock);
		i->open = i->status.open = true;
		w->opening = false;
		w->running_since_ns = now_ns();
		pthread_mutex_unlock(&w->lock);
	}
	return i->collector->read(i->state, rows);
}

static void take_result(struct instance *i, const struct batch *b, const char *open_error)
{
	struct collector_status *s = &i->status;
	const struct rows *rows = &b->rows;

	s->last_read_ns = rows->time_ns;
	s->reads++;
	s->failures += b->error < 0;
	s->rows += rows->n;
	s->dropped += rows->dropped;
	s->problems += rows->problems;
	s->missing += rows->missing;
	s->wall_ns += b->wall_ns;
	s->cpu_ns += b->cpu_ns;
	s->max_wall_ns = MAX(s->max_wall_ns, b->wall_ns);
	if (!i->open) {
		s->state = COLLECTOR_FAILED;
		fail_open(i, b->error, open_error);
		return;
	}
	s->state = b->error < 0 || rows->problems ? COLLECTOR_DEGRADED : COLLECTOR_ACTIVE;
	if (rows->problems)
		snprintf(s->error, sizeof(s->error), "%s", rows->problem);
	else if (b->error < 0)
		snprintf(s->error, sizeof(s->error), "%s", strerror(-b->error));
}

static void set_next(struct instance *i, uint64_t now)
{
	uint64_t interval = i->open ? i->settings.interval_ns : RETRY_NS;

	if (interval == 0)
		i->due_ns = UINT64_MAX;
	else
		/* On a grid that all share, so that one wake-up serves all that are due. */
		i->due_ns = (now / interval + 1) * interval;
}

static void queue_batch(struct worker *w, struct instance *i, struct batch *b)
{
	if (w->queued_bytes + b->rows.bytes > MAX_QUEUED_BYTES) {
		i->status.dropped += b->rows.n;
		batch_free(b);
		return;
	}
	w->queued_bytes += b->rows.bytes;
	*w->last = b;
	w->last = &b->next;
	w->untold = true;
}

/* Called, and returns, with the lock held. */
static void run_instance(struct worker *w, struct instance *i)
{
	struct batch *b = calloc(1, sizeof(*b));
	_cleanup_free_ char *open_error = NULL;
	uint64_t start = now_ns(), cpu;

	set_next(i, start);
	if (!b)
		return;
	w->running = i;
	w->opening = !i->open;
	w->running_since_ns = start;
	pthread_mutex_unlock(&w->lock);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	b->collector = i->collector;
	rows_init(&b->rows, i->collector->tables, start);
	b->rows.last = i->last;
	i->last = false;
	b->error = run_collector(w, i, &b->rows, &open_error);
	b->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	b->wall_ns = now_ns() - start;
	pthread_mutex_lock(&w->lock);
	w->running = NULL;
	if (w->abandoned) {
		batch_free(b);
		instance_free(i);
		return;
	}
	if (b->error == COLLECTOR_NOTHING_YET) {
		i->status.wall_ns += b->wall_ns;
		i->status.cpu_ns += b->cpu_ns;
		set_next(i, start);
		batch_free(b);
		return;
	}
	take_result(i, b, open_error);
	set_next(i, start);
	queue_batch(w, i, b);
}

/* Ends one that is to end, or has it read for the last time; false: there is none. */
static bool close_one(struct worker *w)
{
	struct instance **place = &w->instances, *i;

	while (*place && !(*place)->ending)
		place = &(*place)->next;
	i = *place;
	if (!i)
		return false;
	if (i->last_read) {
		i->last_read = false;
		run_instance(w, i);
		return true;
	}
	*place = i->next;
	w->running = i;
	w->opening = false;
	w->running_since_ns = now_ns();
	pthread_mutex_unlock(&w->lock);
	instance_free(i);
	pthread_mutex_lock(&w->lock);
	w->running = NULL;
	return true;
}

/* --- the thread: waiting --- */

static struct instance *find_due(const struct worker *w, uint64_t now, uint64_t *ret_next_ns)
{
	*ret_next_ns = UINT64_MAX;
	for (struct instance *i = w->instances; i; i = i->next) {
		if (i->due_ns <= now)
			return i;
		*ret_next_ns = MIN(*ret_next_ns, i->due_ns);
	}
	return NULL;
}

/* Sleeps until a collector is due, one of the descriptors is readable, or we are woken. */
static void wait_for_work(struct worker *w, uint64_t until_ns)
{
	struct pollfd fds[MAX_FDS] = { { .fd = w->wake_fd, .events = POLLIN } };
	struct instance *owners[MAX_FDS];
	uint64_t now = now_ns(), delay = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = { (time_t)(delay / NSEC_PER_SEC), (long)(delay % NSEC_PER_SEC) };
	size_t n = 1;
	int r;

	for (struct instance *i = w->instances; i && n < MAX_FDS; i = i->next) {
		int fd = i->open && i->collector->fd ? i->collector->fd(i->state) : -1;

		if (fd < 0)
			continue;
		owners[n] = i;
		fds[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	if (w->untold)
		add_eventfd(w->notify_fd);
	w->untold = false;
	pthread_mutex_unlock(&w->lock);
	r = ppoll(fds, n, until_ns == UINT64_MAX ? NULL : &timeout, NULL);
	if (r > 0 && fds[0].revents)
		clear_eventfd(w->wake_fd);
	pthread_mutex_lock(&w->lock);
	/* Only this thread frees instances, so that the owners are still there. */
	for (size_t i = 1; r > 0 && i < n; i++)
		if (fds[i].revents)
			owners[i]->due_ns = 0;
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->abandoned) {
		uint64_t next_ns;
		struct instance *due;

		if (close_one(w))
			continue;
		if (w->quit)
			break;
		due = find_due(w, now_ns(), &next_ns);
		if (due)
			run_instance(w, due);
		else
			wait_for_work(w, next_ns);
	}
	w->done = true;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
	unref(w);
	return NULL;
}

/* --- the owner's side --- */

int worker_new(int notify_fd, struct worker **ret)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (!w)
		return -ENOMEM;
	w->notify_fd = notify_fd;
	w->last = &w->first;
	w->references = 2;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->ended, &attr);
	pthread_condattr_destroy(&attr);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->wake_fd < 0 ? -errno : thread_start("collect", 512 * 1024, run, w, NULL);
	if (r < 0) {
		w->references = 1;
		unref(w);
		return r;
	}
	*ret = w;
	return 0;
}

void worker_add(struct worker *w, struct instance *i)
{
	struct instance **end;

	pthread_mutex_lock(&w->lock);
	for (end = &w->instances; *end; end = &(*end)->next)
		;
	i->next = NULL;
	*end = i;
	pthread_mutex_unlock(&w->lock);
	add_eventfd(w->wake_fd);
}

/* The one that runs the collector, and is not about to end. */
static struct instance *find_instance(const struct worker *w, const struct collector *c)
{
	struct instance *i = w->instances;

	while (i && (i->collector != c || i->ending))
		i = i->next;
	return i;
}

bool worker_remove(struct worker *w, const struct collector *c)
{
	struct instance *i;

	pthread_mutex_lock(&w->lock);
	i = find_instance(w, c);
	if (i) {
		i->ending = true;
		i->last = i->last_read = i->open && collector_counts(c);
	}
	pthread_mutex_unlock(&w->lock);
	add_eventfd(w->wake_fd);
	return i;
}

void worker_read_now(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct instance *i = w->instances; i; i = i->next)
		if (i->open && collector_counts(i->collector)) {
			i->last = true;
			i->due_ns = 0;
		}
	pthread_mutex_unlock(&w->lock);
	add_eventfd(w->wake_fd);
}

bool worker_get_status(struct worker *w, const struct collector *c, struct collector_status *ret)
{
	const struct instance *i;

	pthread_mutex_lock(&w->lock);
	i = find_instance(w, c);
	if (i)
		*ret = i->status;
	pthread_mutex_unlock(&w->lock);
	return i;
}

struct batch *worker_take(struct worker *w)
{
	struct batch *list;

	pthread_mutex_lock(&w->lock);
	list = w->first;
	w->first = NULL;
	w->last = &w->first;
	w->queued_bytes = 0;
	pthread_mutex_unlock(&w->lock);
	return list;
}

static bool overdue(const struct worker *w, uint64_t deadline_ns)
{
	uint64_t patience = w->opening ? OPEN_PATIENCE * deadline_ns : deadline_ns;

	return w->running && now_ns() - w->running_since_ns > patience;
}

static void leave(struct worker *w, struct worker_left *ret)
{
	struct instance **i = &w->instances;

	*ret = (struct worker_left){
		.collector = w->running->collector,
		.ending = w->running->ending,
		.status = w->running->status,
		.worker = w,
	};
	while (*i && *i != w->running)
		i = &(*i)->next;
	if (*i)
		*i = (*i)->next;
	ret->instances = TAKE_PTR(w->instances);
	ret->batches = TAKE_PTR(w->first);
	w->abandoned = true;
}

bool worker_give_up(struct worker *w, uint64_t deadline_ns, struct worker_left *ret)
{
	bool late;

	pthread_mutex_lock(&w->lock);
	late = overdue(w, deadline_ns);
	if (late)
		leave(w, ret);
	pthread_mutex_unlock(&w->lock);
	return late;
}

bool worker_came_back(struct worker *w)
{
	bool done;

	pthread_mutex_lock(&w->lock);
	done = w->done;
	pthread_mutex_unlock(&w->lock);
	return done;
}

void worker_forget(struct worker *w)
{
	if (w)
		unref(w);
}

void worker_end(struct worker *w, uint64_t patience_ns)
{
	uint64_t until = now_ns() + patience_ns;
	struct timespec t = { (time_t)(until / NSEC_PER_SEC), (long)(until % NSEC_PER_SEC) };

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	for (struct instance *i = w->instances; i; i = i->next) {
		i->ending = true;
		i->last_read = false;
	}
	w->quit = true;
	add_eventfd(w->wake_fd);
	while (!w->done && pthread_cond_timedwait(&w->ended, &w->lock, &t) == 0)
		;
	w->abandoned = true;
	pthread_mutex_unlock(&w->lock);
	unref(w);
}
