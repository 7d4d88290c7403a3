/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The collectors that run: started, stopped and watched by the thread that owns this object, read
 * by a worker thread (worker.h). What they deliver comes back as batches.
 */
#include "collect/collector.h"
#include "collect/worker.h"

struct collect;

/* A read that takes longer than `deadline_ns` is given up; 0: two seconds. */
int collect_new(uint64_t deadline_ns, struct collect **ret);
/* Stops all; a collector that hangs is left behind after a moment. */
struct collect *collect_free(struct collect *c);
DEFINE_CLEANUP(struct collect *, collect_free);

/* Settings are copied. -EALREADY: it runs. One that failed or was stopped may be started again. */
int collect_start(struct collect *c, const struct collector *collector,
		  const struct collector_settings *s);
/* Stopping what does not run is no error. */
void collect_stop(struct collect *c, const struct collector *collector);
/* The settings of a collector that was started and not stopped; NULL: there is none. */
const struct collector_settings *collect_settings(const struct collect *c,
						  const struct collector *collector);

/* Readable when there are batches. */
int collect_fd(const struct collect *c);
/* The oldest batch, which is the caller's; NULL: there is none. */
struct batch *collect_take(struct collect *c);

/* Reads at once all for which something counts between reads (collector_counts()). */
void collect_read_now(struct collect *c);

/*
 * Once a second: gives up collectors that are beyond their deadline; `failed` is called for each,
 * with a sentence. One whose thread came back after all is started again, after a pause that grows.
 */
void collect_check(struct collect *c,
		   void (*failed)(const struct collector *collector, const char *sentence,
				  void *userdata),
		   void *userdata);

/* How a collector does; COLLECTOR_DISABLED when it was never started, or stopped. */
void collect_get_status(const struct collect *c, const struct collector *collector,
			struct collector_status *ret);
const char *collector_state_name(enum collector_state state);
