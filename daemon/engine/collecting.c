// SPDX-License-Identifier: Apache-2.0
#include "engine/collecting.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "collect/roots.h"
#include "engine/messages.h"
#include "pmu/devices.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

#define FINISH_NS (2 * NSEC_PER_SEC)
#define AWAIT_NS (10 * NSEC_PER_SEC)

/* One collector of the table. */
struct place {
	bool enabled;
	char *unavailable; /* why it cannot work here, NULL: it can */
	uint64_t devices; /* the PMUs there were when that was found */
	uint64_t interval_ns;
	enum collector_state told; /* the state that was logged last */
	struct batch *latest; /* of a collector that is no stream */
};

struct collecting {
	struct collecting_options options;
	struct collect *collect;
	struct place *places; /* [n_collectors] */
	bool yielded; /* those that count hardware are ended */
};

/* --- settings --- */

static const char *choose(const char *own, const char *common)
{
	return own && *own ? own : common;
}

static int resolve_roots(const struct config *config, const struct collector_config *own,
			 struct collector_settings *s, char **ret_error)
{
	int r = roots_resolve(choose(own ? own->procfs : NULL, config->procfs), "HOST_PROC",
			      "/proc", &s->procfs, ret_error);

	if (r == 0)
		r = roots_resolve(choose(own ? own->sysfs : NULL, config->sysfs), "HOST_SYS",
				  "/sys", &s->sysfs, ret_error);
	if (r == 0)
		r = roots_resolve(choose(own ? own->dev : NULL, config->dev), "HOST_DEV", "/dev",
				  &s->dev, ret_error);
	return r;
}

int collecting_settings(const struct config *config, const struct collector *c,
			struct collector_settings *ret, char **ret_error)
{
	const struct collector_config *own = config_find_collector(config, c->name);
	_cleanup_(config_done) struct config defaults = {};
	struct collector_settings s = {};
	int r;

	if (!own) {
		r = config_init(&defaults);
		if (r < 0)
			return r;
		own = config_add_collector(&defaults, c->name);
		if (!own)
			return -ENOMEM;
	}
	r = resolve_roots(config, own, &s, ret_error);
	if (r < 0) {
		collector_settings_done(&s);
		return r;
	}
	s.interval_ns = own->interval_ns ? own->interval_ns : collector_interval_ns(c);
	s.top = own->top ? own->top : c->top;
	s.argv = own->argv;
	s.transport = own->transport;
	s.attach = own->attach;
	s.latency = own->latency;
	s.btf = config->btf && *config->btf ? strdup(config->btf) : NULL;
	s.delta_min_ns = own->delta_min_ns;
	s.delta_max_ns = own->delta_max_ns;
	s.reserve_counters = own->reserve_counters;
	s.guests = own->guests;
	s.metrics = strdup(own->metrics);
	s.events = strdup(own->events);
	s.interfaces = strdup(own->interfaces);
	if (!s.metrics || !s.events || !s.interfaces) {
		collector_settings_done(&s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

bool collecting_enabled(const struct config *config, const struct collector *c)
{
	const struct collector_config *own = config_find_collector(config, c->name);

	if (!config->collectors_enabled || (own && own->enabled == COLLECTOR_CHOICE_NO))
		return false;
	return (own && own->enabled == COLLECTOR_CHOICE_YES) || !c->off;
}

/* --- starting --- */

static bool counts(const struct collector *c)
{
	return c->keys & COLLECTOR_COUNTING;
}

static int start(struct collecting *c, size_t i, const struct collector_settings *s,
		 char **ret_error)
{
	const struct collector *collector = collectors[i];
	struct place *p = &c->places[i];
	int r;

	if (counts(collector))
		p->devices = pmu_devices_fingerprint(s->sysfs);
	r = collector->probe ? collector->probe(s, &p->unavailable) : 0;
	if (r < 0) {
		if (!p->unavailable)
			p->unavailable = strdup(strerror(-r));
		if (c->options.strict) {
			if (asprintf(ret_error, "collector %s cannot work here: %s",
				     collector->name,
				     p->unavailable ? p->unavailable : strerror(-r)) < 0)
				*ret_error = NULL;
			return r == -ENOENT ? -EINVAL : r; /* a name nobody knows */
		}
		log_info("collector %s cannot work here: %s", collector->name,
			 p->unavailable ? p->unavailable : strerror(-r));
		return 0;
	}
	return collect_start(c->collect, collector, s);
}

static void stop(struct collecting *c, size_t i)
{
	struct place *p = &c->places[i];

	collect_stop(c->collect, collectors[i]);
	p->latest = batch_free(p->latest);
	free(p->unavailable);
	p->unavailable = NULL;
	p->told = COLLECTOR_ACTIVE;
}

static void stop_counting(struct collecting *c, size_t i)
{
	stop(c, i);
	c->places[i].unavailable = strdup("its counters are given up for someone else; "
					  "'ebpf-profiler yield --end' takes them back");
}

static int apply_one(struct collecting *c, const struct config *config, size_t i, char **ret_error)
{
	const struct collector_settings *running = collect_settings(c->collect, collectors[i]);
	struct collector_settings s = {};
	struct place *p = &c->places[i];
	int r;

	p->enabled = collecting_enabled(config, collectors[i]);
	if (!p->enabled) {
		stop(c, i);
		return 0;
	}
	if (c->yielded && counts(collectors[i])) {
		stop_counting(c, i);
		return 0;
	}
	r = collecting_settings(config, collectors[i], &s, ret_error);
	if (r < 0)
		return r;
	if (!running || !collector_settings_equal(running, &s)) {
		p->interval_ns = s.interval_ns;
		stop(c, i);
		r = start(c, i, &s, ret_error);
	}
	collector_settings_done(&s);
	return r;
}

/* All roots first, so that a wrong one changes nothing. */
static int check_all(const struct config *config, char **ret_error)
{
	int r = 0;

	for (size_t i = 0; i < n_collectors && r == 0; i++) {
		struct collector_settings s = {};

		if (!collecting_enabled(config, collectors[i]))
			continue;
		r = collecting_settings(config, collectors[i], &s, ret_error);
		if (r == 0)
			collector_settings_done(&s);
	}
	return r;
}

int collecting_reload(struct collecting *c, const struct config *config, char **ret_error)
{
	int r = check_all(config, ret_error);

	for (size_t i = 0; i < n_collectors && r == 0; i++)
		r = apply_one(c, config, i, ret_error);
	return r;
}

void collecting_yield(struct collecting *c, bool yield)
{
	if (c->yielded == yield)
		return;
	c->yielded = yield;
	for (size_t i = 0; i < n_collectors; i++) {
		_cleanup_free_ char *error = NULL;
		int r;

		if (!counts(collectors[i]))
			continue;
		r = apply_one(c, c->options.config, i, &error);
		if (r < 0)
			log_msg(LOG_WARNING, 0, MESSAGE_COLLECTOR_FAILED, "collector %s: %s",
				collectors[i]->name, error ? error : strerror(-r));
	}
}

int collecting_open(const struct collecting_options *options, struct collecting **ret,
		    char **ret_error)
{
	_cleanup_(collecting_closep) struct collecting *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->options = *options;
	c->yielded = options->yield;
	c->places = calloc(n_collectors, sizeof(*c->places));
	if (!c->places)
		return -ENOMEM;
	r = collect_new(options->config->collector_deadline_ns, &c->collect);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_collectors; i++)
		c->places[i].told = COLLECTOR_ACTIVE;
	r = collecting_reload(c, options->config, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct collecting *collecting_close(struct collecting *c)
{
	if (!c)
		return NULL;
	collect_free(c->collect);
	for (size_t i = 0; c->places && i < n_collectors; i++) {
		batch_free(c->places[i].latest);
		free(c->places[i].unavailable);
	}
	free(c->places);
	free(c);
	return NULL;
}

/* --- running --- */

int collecting_fd(const struct collecting *c)
{
	return collect_fd(c->collect);
}

static size_t place_of(const struct collector *c)
{
	size_t i = 0;

	while (i < n_collectors && collectors[i] != c)
		i++;
	return i;
}

static void take_batch(struct collecting *c, struct batch *b)
{
	size_t i = place_of(b->collector);

	for (size_t k = 0; k < b->rows.n; k++)
		c->options.row(&b->rows.list[k], c->options.userdata);
	/* One that was stopped meanwhile has no latest values any more. */
	if (b->collector->kind == COLLECTOR_STREAM || b->error < 0 ||
	    !collect_settings(c->collect, b->collector)) {
		batch_free(b);
		return;
	}
	batch_free(c->places[i].latest);
	c->places[i].latest = b;
}

void collecting_dispatch(struct collecting *c)
{
	struct batch *b;

	while ((b = collect_take(c->collect)))
		take_batch(c, b);
}

static bool all_read_since(const struct collecting *c, uint64_t since_ns)
{
	for (size_t i = 0; i < n_collectors; i++) {
		struct collector_status s;

		if (!collector_counts(collectors[i]))
			continue;
		collect_get_status(c->collect, collectors[i], &s);
		if ((s.state == COLLECTOR_ACTIVE || s.state == COLLECTOR_DEGRADED) &&
		    s.last_read_ns < since_ns)
			return false;
	}
	return true;
}

static bool all_count(const struct collecting *c)
{
	for (size_t i = 0; i < n_collectors; i++) {
		struct collector_status s;

		if (!counts(collectors[i]) || !collect_settings(c->collect, collectors[i]))
			continue;
		collect_get_status(c->collect, collectors[i], &s);
		if (!s.open && s.state != COLLECTOR_FAILED)
			return false;
	}
	return true;
}

void collecting_await(const struct collecting *c)
{
	uint64_t start_ns = now_ns();

	while (!all_count(c) && now_ns() - start_ns < AWAIT_NS)
		(void)poll(NULL, 0, 5);
}

void collecting_finish(struct collecting *c)
{
	struct pollfd fd = { .fd = collect_fd(c->collect), .events = POLLIN };
	uint64_t start_ns = now_ns();

	collect_read_now(c->collect);
	while (!all_read_since(c, start_ns) && now_ns() - start_ns < FINISH_NS) {
		(void)poll(&fd, 1, 50);
		collecting_dispatch(c);
	}
	collecting_dispatch(c);
}

static void on_failed(const struct collector *collector, const char *sentence, void *userdata)
{
	(void)userdata;
	log_msg(LOG_WARNING, 0, MESSAGE_COLLECTOR_FAILED, "collector %s failed: %s",
		collector->name, sentence);
}

/* One line for each change, not for each read. */
static void tell_change(struct collecting *c, size_t i)
{
	struct place *p = &c->places[i];
	struct collector_status s;

	collect_get_status(c->collect, collectors[i], &s);
	if (!p->enabled || s.state == p->told || s.state == COLLECTOR_DISABLED)
		return;
	if (s.state == COLLECTOR_ACTIVE)
		log_info("collector %s works again", collectors[i]->name);
	else
		log_msg(LOG_WARNING, 0, MESSAGE_COLLECTOR_FAILED, "collector %s is %s: %s",
			collectors[i]->name, collector_state_name(s.state), s.error);
	p->told = s.state;
}

/* A driver that is loaded later may bring what there was not. */
static void try_again(struct collecting *c, size_t i)
{
	struct collector_settings s = {};
	struct place *p = &c->places[i];
	_cleanup_free_ char *error = NULL;

	if (!p->enabled || !p->unavailable || c->yielded || !counts(collectors[i]) ||
	    collecting_settings(c->options.config, collectors[i], &s, &error) < 0)
		return;
	if (pmu_devices_fingerprint(s.sysfs) != p->devices) {
		free(p->unavailable);
		p->unavailable = NULL;
		if (start(c, i, &s, &error) == 0 && !p->unavailable)
			log_info("collector %s can work now", collectors[i]->name);
	}
	collector_settings_done(&s);
}

void collecting_tick(struct collecting *c)
{
	collect_check(c->collect, on_failed, c);
	collecting_dispatch(c);
	for (size_t i = 0; i < n_collectors; i++) {
		tell_change(c, i);
		try_again(c, i);
	}
}

void collecting_get(const struct collecting *c, size_t i, struct collecting_entry *ret)
{
	const struct place *p = &c->places[i];

	*ret = (struct collecting_entry){
		.collector = collectors[i],
		.enabled = p->enabled,
		.unavailable = p->unavailable,
		.interval_ns = p->interval_ns,
	};
	collect_get_status(c->collect, collectors[i], &ret->status);
}

const struct rows *collecting_latest(const struct collecting *c, size_t i)
{
	return c->places[i].latest ? &c->places[i].latest->rows : NULL;
}
