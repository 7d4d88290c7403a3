/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The collectors of the daemon: started as the configuration says, their rows handed on, their
 * latest values kept for the exposition.
 */
#include "collect/collect.h"
#include "engine/config.h"

/*
 * What the configuration says of one collector, with every default filled in. On failure
 * *ret_error is a heap sentence.
 */
int collecting_settings(const struct config *config, const struct collector *c,
			struct collector_settings *ret, char **ret_error);
/* Shall it run? */
bool collecting_enabled(const struct config *config, const struct collector *c);

struct collecting;

struct collecting_options {
	const struct config *config;
	bool yield; /* as after collecting_yield(c, true) */
	bool strict; /* one that cannot work here is an error, not left out */
	/* Called for each row, on the thread of collecting_dispatch(). */
	void (*row)(const struct row *row, void *userdata);
	void *userdata;
};

int collecting_open(const struct collecting_options *options, struct collecting **ret,
		    char **ret_error);
struct collecting *collecting_close(struct collecting *c);
DEFINE_CLEANUP(struct collecting *, collecting_close);

/* Starts, stops and restarts what another configuration changes; the rest runs on undisturbed. */
int collecting_reload(struct collecting *c, const struct config *config, char **ret_error);

/*
 * Ends those that count hardware, so that their counters are free; false: begins them again. A
 * reload begins none of them meanwhile.
 */
void collecting_yield(struct collecting *c, bool yield);

/* Until those that count hardware do, or fail; ten seconds at most, on a host that is busy. */
void collecting_await(const struct collecting *c);

/* Readable when there are rows. */
int collecting_fd(const struct collecting *c);
void collecting_dispatch(struct collecting *c);
/* Before the end: takes what rings and maps of BPF collectors hold, within two seconds. */
void collecting_finish(struct collecting *c);
void collecting_tick(struct collecting *c); /* once a second */

/* What stands in the list of collectors. */
struct collecting_entry {
	const struct collector *collector;
	bool enabled;
	struct collector_status status;
	const char *unavailable; /* why it cannot work here; NULL: it can */
	uint64_t interval_ns;
};

/* One of the table, by its place. */
void collecting_get(const struct collecting *c, size_t i, struct collecting_entry *ret);
/* The rows of its latest read, NULL: there are none, or it gives events. */
const struct rows *collecting_latest(const struct collecting *c, size_t i);
