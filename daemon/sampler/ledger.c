// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "sampler/ledger.h"

void ledger_receive(struct ledger *l, const struct sample_record *rec)
{
	l->received++;
	if (rec->head.seq > l->now.sent + 1)
		l->gaps += rec->head.seq - l->now.sent - 1;
	l->now = (struct ledger_counts){
		.seen = rec->seen,
		.filtered = rec->filtered,
		.sent = rec->head.seq,
		.full = rec->full,
		.fault = rec->fault,
	};
}

void ledger_balance(struct ledger *l, const struct sampler_counts *c)
{
	l->idle = c->idle;
	/* A record is on its way, or the program runs at this moment: the next record tells. */
	if (c->sent != l->now.sent || c->seen != c->filtered + c->sent + c->full + c->fault)
		return;
	l->now = (struct ledger_counts){
		.seen = c->seen,
		.filtered = c->filtered,
		.sent = c->sent,
		.full = c->full,
		.fault = c->fault,
	};
	l->weight = c->weight;
}

static double expected(struct ledger *l, uint64_t count, uint64_t running_ns, uint64_t idle_ns,
		       const struct ledger_rate *rate)
{
	if (rate->as_seen)
		return (double)(l->now.seen - l->last_seen);
	if (rate->by_time)
		return (double)(running_ns - idle_ns) * rate->hz / 1e9 +
		       (double)(l->idle - l->last_idle);
	if (rate->period)
		return (double)count / (double)rate->period;
	return l->weight ? (double)count * (double)l->now.seen / (double)l->weight : 0;
}

void ledger_read_event(struct ledger *l, const uint64_t value[3], size_t cpus, uint64_t idle_ns,
		       const struct ledger_rate *rate)
{
	uint64_t count = value[0] - l->last_count, running = value[2] - l->last_running_ns;
	uint64_t idle = idle_ns > l->last_idle_ns ? MIN(idle_ns - l->last_idle_ns, running) : 0;

	l->count += count;
	l->enabled_ns += (value[1] - l->last_enabled_ns) / cpus;
	l->running_ns += running;
	l->expected += expected(l, count, running, idle, rate);
	l->last_count = value[0];
	l->last_enabled_ns = value[1];
	l->last_running_ns = value[2];
	l->last_idle_ns += idle;
	l->last_idle = l->idle;
	l->last_seen = l->now.seen;
}

void ledger_start_event(struct ledger *l, uint64_t idle_ns)
{
	l->last_count = l->last_enabled_ns = l->last_running_ns = 0;
	l->last_idle_ns = idle_ns;
}

bool ledger_report(struct ledger *l, struct record_ledger *ret)
{
	const struct ledger_counts *now = &l->now, *then = &l->reported;
	uint64_t whole = (uint64_t)(l->expected - l->expected_reported);

	*ret = (struct record_ledger){
		.seen = now->seen - then->seen,
		.filtered = now->filtered - then->filtered,
		.sent = now->sent - then->sent,
		.full = now->full - then->full,
		.fault = now->fault - then->fault,
		.received = l->received,
		.gaps = l->gaps,
		.count = l->count,
		.enabled_ns = l->enabled_ns,
		.running_ns = l->running_ns,
		.expected = whole,
		.throttled = l->throttled,
	};
	if (!ret->seen && !ret->received && !ret->count && !ret->enabled_ns && !ret->throttled)
		return false;
	l->expected_reported += (double)whole;
	l->reported = *now;
	l->received = l->gaps = l->throttled = 0;
	l->count = l->enabled_ns = l->running_ns = 0;
	return true;
}
