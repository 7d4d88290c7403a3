// SPDX-License-Identifier: Apache-2.0
/*
 * Events of the dictionary differ in whatever a segment says of them. Those that differ in their
 * rate, their counters or the reason of a replacement alone are one event of the profile: the
 * daemon lowers a rate when it costs too much, a reload may give other counters. Profiles of a
 * configuration are never one: their filters differ, and they sample the same time twice.
 */
#include <errno.h>
#include <stdio.h>

#include "profile/profile_load.h"

struct event_place {
	uint64_t order;
	uint32_t id;
};

static int compare_places(const void *a, const void *b)
{
	const struct event_place *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

/* Events in the order of the files, whichever thread saw them first. */
static int order_events(struct profile_memory *m, struct event_place *places)
{
	for (size_t i = 0; i < m->load.events.n; i++) {
		struct event_tally *tally;
		int r = tally_event(&m->tally, (uint32_t)i, &tally);

		if (r < 0)
			return r;
		places[i] = (struct event_place){ tally->order, (uint32_t)i };
	}
	qsort(places, m->load.events.n, sizeof(*places), compare_places);
	return 0;
}

static void read_event(const struct load *l, uint32_t id, struct profile_event *ret)
{
	const struct event_key *key = dictionary_get(&l->events, id);
	const char *at = (const char *)(key + 1);

	*ret = (struct profile_event){
		.type = key->type,
		.config = key->config,
		.memory_access = key->memory_access,
	};
	ret->profile = key_string(&at);
	ret->requested = key_string(&at);
	ret->fired = key_string(&at);
	ret->reason = key_string(&at);
	ret->pmu = key_string(&at);
	ret->unit = key_string(&at);
	ret->counters = key_string(&at);
}

static bool same_event(const struct profile_event *a, const struct profile_event *b)
{
	return a->type == b->type && a->config == b->config &&
	       a->memory_access == b->memory_access && strcmp(a->profile, b->profile) == 0 &&
	       strcmp(a->requested, b->requested) == 0 && strcmp(a->fired, b->fired) == 0 &&
	       strcmp(a->pmu, b->pmu) == 0 && strcmp(a->unit, b->unit) == 0;
}

static uint32_t find_event(struct profile *p, const struct profile_event *event)
{
	uint32_t i = 0;

	while (i < p->n_events && !same_event(&p->events[i], event))
		i++;
	if (i == p->n_events)
		p->events[p->n_events++] = *event;
	return i;
}

/* True when `name`, of `size` bytes, is in a list separated by commas. */
static bool lists(const char *list, const char *name, size_t size)
{
	for (;; list++) {
		size_t n = strcspn(list, ",");

		if (n == size && memcmp(list, name, size) == 0)
			return true;
		list += n;
		if (!*list)
			return false;
	}
}

static int add_counters(struct profile_event *e, const char *more)
{
	for (; *more; more += *more == ',') {
		size_t n = strcspn(more, ",");
		char *all;

		if (!lists(e->counters, more, n)) {
			if (asprintf(&all, "%s%s%.*s", e->counters, *e->counters ? "," : "", (int)n,
				     more) < 0)
				return -ENOMEM;
			free(e->counters_of_all);
			e->counters = e->counters_of_all = all;
		}
		more += n;
	}
	return 0;
}

static void add_sums(struct profile *p, uint32_t event, const struct event_tally *tally)
{
	struct profile_event *e = &p->events[event];

	e->samples += tally->samples;
	e->weight += tally->weight;
	e->mixed += tally->mixed;
	e->cut += tally->cut;
	e->accesses.addresses += tally->accesses.addresses;
	e->accesses.sources += tally->accesses.sources;
	e->accesses.latencies += tally->accesses.latencies;
	p->samples += tally->samples;
	p->weight += tally->weight;
	for (size_t i = 0; i < PROFILE_STATUSES; i++) {
		e->kernel_status[i] += tally->kernel_status[i];
		e->user_status[i] += tally->user_status[i];
		p->kernel_status[i] += tally->kernel_status[i];
		p->user_status[i] += tally->user_status[i];
	}
	profile_ledger_add(&p->ledgers[event], &tally->ledger);
}

static int merge_events(struct profile *p, const struct event_place *places)
{
	struct profile_memory *m = p->memory;

	for (size_t i = 0; i < m->load.events.n; i++) {
		uint32_t id = places[i].id, event;
		struct profile_event *e, one;
		int r;

		read_event(&m->load, id, &one);
		event = m->event_index[id] = find_event(p, &one);
		e = &p->events[event];
		e->n_rates++;
		if (!*e->reason)
			e->reason = one.reason;
		r = add_counters(e, one.counters);
		if (r < 0)
			return r;
		add_sums(p, event, &m->tally.events[id]);
	}
	return 0;
}

static void add_rate(struct profile_event *e, struct profile_rate *rates,
		     const struct event_key *key, uint64_t samples)
{
	size_t i = 0;

	while (i < e->n_rates &&
	       (rates[i].freq != (key->freq != 0) || rates[i].value != key->value))
		i++;
	if (i == e->n_rates)
		rates[e->n_rates++] =
			(struct profile_rate){ .freq = key->freq, .value = key->value };
	rates[i].samples += samples;
}

/* n_rates of each event is as many as it can have. */
static void list_rates(struct profile *p, const struct event_place *places)
{
	struct profile_memory *m = p->memory;
	struct profile_rate *next = m->rates;

	for (size_t i = 0; i < p->n_events; i++) {
		p->events[i].rates = next;
		next += p->events[i].n_rates;
		p->events[i].n_rates = 0;
	}
	for (size_t i = 0; i < m->load.events.n; i++) {
		uint32_t id = places[i].id;
		struct profile_event *e = &p->events[m->event_index[id]];

		add_rate(e, m->rates + (e->rates - m->rates), dictionary_get(&m->load.events, id),
			 m->tally.events[id].samples);
	}
}

bool profile_event_shares_name(const struct profile *p, const struct profile_event *e)
{
	for (size_t i = 0; i < p->n_events; i++)
		if (strcmp(p->events[i].fired, e->fired) == 0 &&
		    strcmp(p->events[i].profile, e->profile) != 0)
			return true;
	return false;
}

int profile_lay_out_events(struct profile *p)
{
	struct profile_memory *m = p->memory;
	size_t n = m->load.events.n;
	_cleanup_free_ struct event_place *places = calloc(n + 1, sizeof(*places));
	int r;

	p->events = calloc(n + 1, sizeof(*p->events));
	p->ledgers = calloc(n + 1, sizeof(*p->ledgers));
	m->event_index = calloc(n + 1, sizeof(*m->event_index));
	m->rates = calloc(n + 1, sizeof(*m->rates));
	if (!places || !p->events || !p->ledgers || !m->event_index || !m->rates)
		return -ENOMEM;
	r = order_events(m, places);
	if (r == 0)
		r = merge_events(p, places);
	if (r == 0)
		list_rates(p, places);
	return r;
}
