/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The thread on which collectors run, one at a time. What it hands over are batches; what it is
 * told are instances to run and to end.
 *
 * A thread that does not come back from a collector cannot be stopped. worker_give_up() takes
 * everything else from it; the thread keeps that one instance, and when it ever returns it frees
 * the instance and itself, touching nothing that is not its own. That is why an instance and its
 * batch belong to the thread while it runs, and all else is under the worker's lock.
 */
#include "collect/collector.h"
#include "collect/settings.h"

enum collector_state {
	COLLECTOR_DISABLED, /* by the configuration, or it cannot work here */
	COLLECTOR_ACTIVE,
	COLLECTOR_DEGRADED, /* the last read failed, or left something out that should be there */
	COLLECTOR_FAILED, /* it could not be opened, or did not come back */
};

struct collector_status {
	bool open; /* counts, or watches, by now */
	enum collector_state state;
	char error[256]; /* the last one; "" when there was none */
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t last_read_ns; /* CLOCK_MONOTONIC; 0: none yet */
	uint64_t reads, failures; /* failures: reads that returned an error */
	uint64_t rows, dropped; /* dropped: by bounds of memory */
	uint64_t problems, missing; /* as in struct rows */
	uint64_t wall_ns, cpu_ns; /* of all reads */
	uint64_t max_wall_ns;
};

struct instance {
	const struct collector *collector;
	struct collector_settings settings;
	void *state;
	bool open;
	bool ending; /* to be closed and freed, by the thread */
	bool last_read; /* before that: it holds what nobody has read yet */
	bool last; /* the next read may be the last one */
	uint64_t due_ns; /* UINT64_MAX: by its descriptor only */
	struct collector_status status;
	struct instance *next;
};

struct batch {
	struct batch *next;
	const struct collector *collector;
	struct rows rows;
	uint64_t wall_ns, cpu_ns; /* what the read cost */
	int error; /* 0, or what read() or open() returned */
};

struct batch *batch_free(struct batch *b);
DEFINE_CLEANUP(struct batch *, batch_free);

struct worker;

/* `notify_fd` is an eventfd that is written to when there are batches. */
int worker_new(int notify_fd, struct worker **ret);
/* Ends all instances; waits for that, but not beyond `patience_ns`. */
void worker_end(struct worker *w, uint64_t patience_ns);

/* Takes over the instance, which runs at once and then by its interval. */
void worker_add(struct worker *w, struct instance *i);
/*
 * Ends the collector's instance, after a last read of what it counted or keeps in a ring
 * (collector_counts()); false: there is none.
 */
bool worker_remove(struct worker *w, const struct collector *c);
bool worker_get_status(struct worker *w, const struct collector *c, struct collector_status *ret);
/* Reads at once all for which something counts between reads (collector_counts()). */
void worker_read_now(struct worker *w);
/* Everything finished since the last call, the oldest first; NULL: nothing. */
struct batch *worker_take(struct worker *w);

/* What a thread that was given up left to others. */
struct worker_left {
	const struct collector *collector; /* the one that did not come back */
	bool ending; /* while it was being closed */
	struct collector_status status; /* of it */
	struct instance *instances; /* the others, those about to end as well */
	struct batch *batches;
	struct worker *worker; /* for worker_came_back() and worker_forget() alone */
};

/*
 * Gives up the thread when it has been with one collector for longer than `deadline_ns`, or ten
 * times that while it opens it: true, and the worker takes nothing more. False: all is well.
 */
bool worker_give_up(struct worker *w, uint64_t deadline_ns, struct worker_left *ret);
/* Whether the thread that was given up has ended. */
bool worker_came_back(struct worker *w);
/* Nobody asks for it any more; NULL is accepted. */
void worker_forget(struct worker *w);

void instance_free(struct instance *i);
