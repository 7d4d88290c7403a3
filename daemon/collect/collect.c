// SPDX-License-Identifier: Apache-2.0
#include "collect/collect.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "util/clock.h"
#include "util/parse.h"

#define DEFAULT_DEADLINE_NS (2 * NSEC_PER_SEC)
#define END_PATIENCE_NS (2 * NSEC_PER_SEC)
#define LARGE_BLOCK_BYTES (256 << 10)
/* What came back after all is started again, at first after so many deadlines. */
#define RETRY_DEADLINES 30
#define RETRY_NS_MAX (3600 * NSEC_PER_SEC)

/* One that was started: it runs, or it was given up. */
struct started {
	const struct collector *collector;
	struct collector_settings settings;
	bool given_up;
	struct collector_status status; /* as it was then */
	struct worker *stuck; /* the thread it is with */
	uint64_t retry_ns, pause_ns; /* CLOCK_MONOTONIC: not before; how long that was */
};

struct collect {
	struct worker *worker;
	int fd;
	uint64_t deadline_ns;
	struct started *list;
	size_t n;
	struct batch *batches;
};

int collect_new(uint64_t deadline_ns, struct collect **ret)
{
	_cleanup_(collect_freep) struct collect *c = calloc(1, sizeof(*c));
	int r;

	/* For each program that is loaded libbpf parses the kernel's types, and glibc would keep
	 * the blocks. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
	if (!c)
		return -ENOMEM;
	c->deadline_ns = deadline_ns ? deadline_ns : DEFAULT_DEADLINE_NS;
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0)
		return -errno;
	r = worker_new(c->fd, &c->worker);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

static void forget(struct collect *c, struct started *s)
{
	worker_forget(s->stuck);
	collector_settings_done(&s->settings);
	memmove(s, s + 1, (size_t)(c->list + c->n - (s + 1)) * sizeof(*s));
	c->n--;
}

struct collect *collect_free(struct collect *c)
{
	if (!c)
		return NULL;
	worker_end(c->worker, END_PATIENCE_NS);
	while (c->batches) {
		struct batch *next = c->batches->next;

		batch_free(c->batches);
		c->batches = next;
	}
	while (c->n > 0)
		forget(c, &c->list[c->n - 1]);
	free(c->list);
	safe_close(c->fd);
	free(c);
	return NULL;
}

static struct started *find(const struct collect *c, const struct collector *collector)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].collector == collector)
			return &c->list[i];
	return NULL;
}

static int remember(struct collect *c, const struct collector *collector,
		    const struct collector_settings *s)
{
	struct started *list = reallocarray(c->list, c->n + 1, sizeof(*list));
	struct started fresh = { .collector = collector };
	int r;

	if (!list)
		return -ENOMEM;
	c->list = list;
	r = collector_settings_copy(s, &fresh.settings);
	if (r < 0)
		return r;
	c->list[c->n++] = fresh;
	return 0;
}

static int new_instance(const struct collector *collector, const struct collector_settings *s,
			struct instance **ret)
{
	struct instance *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	i->collector = collector;
	i->status.state = COLLECTOR_ACTIVE;
	i->status.started_ns = now_ns();
	r = collector_settings_copy(s, &i->settings);
	if (r < 0)
		instance_free(i);
	else
		*ret = i;
	return r;
}

int collect_start(struct collect *c, const struct collector *collector,
		  const struct collector_settings *s)
{
	struct started *before = find(c, collector);
	struct instance *i;
	int r;

	if (before && !before->given_up)
		return -EALREADY;
	if (!c->worker)
		return -EAGAIN;
	r = new_instance(collector, s, &i);
	if (r < 0)
		return r;
	r = remember(c, collector, s);
	if (r < 0) {
		instance_free(i);
		return r;
	}
	before = find(c, collector);
	if (before->given_up)
		forget(c, before);
	worker_add(c->worker, i);
	return 0;
}

void collect_stop(struct collect *c, const struct collector *collector)
{
	struct started *s = find(c, collector);

	if (!s)
		return;
	if (c->worker && !s->given_up)
		(void)worker_remove(c->worker, collector);
	forget(c, s);
}

const struct collector_settings *collect_settings(const struct collect *c,
						  const struct collector *collector)
{
	const struct started *s = find(c, collector);

	return s ? &s->settings : NULL;
}

int collect_fd(const struct collect *c)
{
	return c->fd;
}

struct batch *collect_take(struct collect *c)
{
	struct batch *b;
	uint64_t count;

	if (!c->batches && c->worker) {
		(void)!read(c->fd, &count, sizeof(count));
		c->batches = worker_take(c->worker);
	}
	b = c->batches;
	if (b) {
		c->batches = b->next;
		b->next = NULL;
	}
	return b;
}

void collect_read_now(struct collect *c)
{
	if (c->worker)
		worker_read_now(c->worker);
}

/* The others go on with a new thread. */
static void go_on(struct collect *c, const struct worker_left *left)
{
	struct batch **end = &c->batches;

	while (*end)
		end = &(*end)->next;
	*end = left->batches;
	if (worker_new(c->fd, &c->worker) < 0)
		c->worker = NULL;
	for (struct instance *i = left->instances, *next; i; i = next) {
		next = i->next;
		if (c->worker)
			worker_add(c->worker, i);
		else
			instance_free(i);
	}
}

/* It was with something that stood still, and does no longer. */
static void try_again(struct collect *c, struct started *s)
{
	struct instance *i;

	if (!s->stuck || !c->worker || now_ns() < s->retry_ns || !worker_came_back(s->stuck) ||
	    new_instance(s->collector, &s->settings, &i) < 0)
		return;
	worker_forget(TAKE_PTR(s->stuck));
	s->given_up = false;
	worker_add(c->worker, i);
}

void collect_check(struct collect *c,
		   void (*failed)(const struct collector *collector, const char *sentence,
				  void *userdata),
		   void *userdata)
{
	struct worker_left left;
	struct started *s;

	for (size_t i = 0; i < c->n; i++)
		try_again(c, &c->list[i]);
	if (!c->worker || !worker_give_up(c->worker, c->deadline_ns, &left))
		return;
	snprintf(left.status.error, sizeof(left.status.error),
		 "it did not come back within %.3g s and was given up",
		 (double)c->deadline_ns / (double)NSEC_PER_SEC);
	left.status.state = COLLECTOR_FAILED;
	s = left.ending ? NULL : find(c, left.collector);
	if (s) {
		s->given_up = true;
		s->status = left.status;
		s->stuck = left.worker;
		s->pause_ns = s->pause_ns ? MIN(2 * s->pause_ns, RETRY_NS_MAX)
					  : RETRY_DEADLINES * c->deadline_ns;
		s->retry_ns = now_ns() + s->pause_ns;
	} else {
		worker_forget(left.worker);
	}
	go_on(c, &left);
	failed(left.collector, left.status.error, userdata);
}

void collect_get_status(const struct collect *c, const struct collector *collector,
			struct collector_status *ret)
{
	const struct started *s = find(c, collector);

	*ret = (struct collector_status){ .state = COLLECTOR_DISABLED };
	if (s && s->given_up)
		*ret = s->status;
	else if (s && c->worker)
		(void)worker_get_status(c->worker, collector, ret);
}

const char *collector_state_name(enum collector_state state)
{
	static const char *const names[] = {
		[COLLECTOR_DISABLED] = "disabled",
		[COLLECTOR_ACTIVE] = "active",
		[COLLECTOR_DEGRADED] = "degraded",
		[COLLECTOR_FAILED] = "failed",
	};

	return names[state];
}
