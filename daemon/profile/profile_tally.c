// SPDX-License-Identifier: Apache-2.0
/*
 * What a thread counts beside its tree: sums by event, ledgers, notes, facts of the host.
 */
#include <errno.h>
#include <string.h>

#include "profile/profile_load.h"

void tally_facts_done(struct tally_facts *h)
{
	for (size_t i = 0; i < HOST_FACTS; i++)
		free(h->values[i]);
	*h = (struct tally_facts){ 0 };
}

void tally_done(struct tally *t)
{
	for (size_t i = 0; i < t->n_notes; i++)
		free(t->notes[i].text);
	free(t->notes);
	free(t->events);
	tally_facts_done(&t->host);
	*t = (struct tally){ 0 };
}

int tally_event(struct tally *t, uint32_t event, struct event_tally **ret)
{
	if (event >= t->n_events) {
		size_t n = (size_t)event + 1;
		struct event_tally *grown = reallocarray(t->events, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		for (size_t i = t->n_events; i < n; i++)
			grown[i] = (struct event_tally){ .order = UINT64_MAX };
		t->events = grown;
		t->n_events = n;
	}
	*ret = &t->events[event];
	return 0;
}

int tally_sample(struct tally *t, const struct profile_sample *s)
{
	struct event_tally *e;
	int r;

	r = tally_event(t, s->event, &e);
	if (r < 0)
		return r;
	e->samples++;
	e->weight += s->weight;
	e->mixed += s->mixed;
	e->cut += s->cut;
	e->accesses.addresses += s->access.address != 0;
	e->accesses.sources += s->access.source != 0;
	e->accesses.latencies += s->access.latency != 0;
	e->kernel_status[s->kernel_status]++;
	e->user_status[s->user_status]++;
	if (t->first_ns == 0 || s->realtime_ns < t->first_ns)
		t->first_ns = s->realtime_ns;
	t->last_ns = MAX(t->last_ns, s->realtime_ns);
	t->cpus = MAX(t->cpus, s->cpu + 1);
	return 0;
}

void profile_ledger_add(struct profile_ledger *l, const struct profile_ledger *more)
{
	l->seen += more->seen;
	l->filtered += more->filtered;
	l->sent += more->sent;
	l->full += more->full;
	l->fault += more->fault;
	l->received += more->received;
	l->gaps += more->gaps;
	l->dropped += more->dropped;
	l->count += more->count;
	l->enabled_ns += more->enabled_ns;
	l->running_ns += more->running_ns;
	l->expected += more->expected;
	l->throttled += more->throttled;
}

static int merge_events(struct tally *t, const struct tally *from)
{
	for (size_t i = 0; i < from->n_events; i++) {
		const struct event_tally *more = &from->events[i];
		struct event_tally *e;
		int r;

		r = tally_event(t, (uint32_t)i, &e);
		if (r < 0)
			return r;
		e->order = MIN(e->order, more->order);
		e->samples += more->samples;
		e->weight += more->weight;
		e->mixed += more->mixed;
		e->cut += more->cut;
		e->accesses.addresses += more->accesses.addresses;
		e->accesses.sources += more->accesses.sources;
		e->accesses.latencies += more->accesses.latencies;
		for (size_t k = 0; k < PROFILE_STATUSES; k++) {
			e->kernel_status[k] += more->kernel_status[k];
			e->user_status[k] += more->user_status[k];
		}
		profile_ledger_add(&e->ledger, &more->ledger);
	}
	return 0;
}

static int merge_notes(struct tally *t, struct tally *from)
{
	struct note *grown;

	if (from->n_notes == 0)
		return 0;
	grown = reallocarray(t->notes, t->n_notes + from->n_notes, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->notes = grown;
	memcpy(t->notes + t->n_notes, from->notes, from->n_notes * sizeof(*grown));
	t->n_notes += from->n_notes;
	from->n_notes = 0;
	return 0;
}

int tally_merge(struct tally *t, struct tally *from)
{
	int r;

	r = merge_events(t, from);
	if (r >= 0)
		r = merge_notes(t, from);
	if (r < 0)
		return r;
	if (from->host.realtime_ns > t->host.realtime_ns) {
		tally_facts_done(&t->host);
		t->host = from->host;
		from->host = (struct tally_facts){ 0 };
	}
	if (from->first_ns && (t->first_ns == 0 || from->first_ns < t->first_ns))
		t->first_ns = from->first_ns;
	t->last_ns = MAX(t->last_ns, from->last_ns);
	t->cpus = MAX(t->cpus, from->cpus);
	t->broken_epochs += from->broken_epochs;
	return 0;
}
