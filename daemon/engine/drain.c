// SPDX-License-Identifier: Apache-2.0
/*
 * One drain looks at every ring up to a horizon a moment ago: sample rings first, the sideband
 * after them, so that whatever happened to a process before a sample was taken is there when the
 * sample is looked at. Records younger than the horizon wait for the next drain: on another CPU an
 * older one may still be on its way.
 */
#include <linux/types.h>

#include "engine/pipeline_state.h"

#include <string.h>

#include "util/clock.h"
#include "util/perf_ring.h"

#define HORIZON_NS (100 * NSEC_PER_USEC) /* far longer than a program runs with interrupts off */
#define CLOCK_SLACK_NS NSEC_PER_MSEC /* between the CPUs of a host; far more than there is */

enum rank { RANK_SIDEBAND, RANK_SAMPLE };

static void on_ksymbol(struct pipeline *p, const struct perf_event_header *h)
{
	struct sideband_ksymbol k;

	if (!sideband_get_ksymbol(h, &k))
		return;
	if (k.removed)
		kernel_space_remove(p->kernel, k.address);
	else
		kernel_space_add(p->kernel, k.address, k.size, k.name);
}

/* u64 of the record's body */
static uint64_t body_word(const struct perf_event_header *h, size_t i)
{
	uint64_t word = 0;

	if (h->size >= sizeof(*h) + (i + 1) * sizeof(word))
		memcpy(&word, (const uint8_t *)(h + 1) + i * sizeof(word), sizeof(word));
	return word;
}

static void on_sideband(struct pipeline *p, const struct perf_event_header *h)
{
	switch (h->type) {
	case PERF_RECORD_KSYMBOL:
		on_ksymbol(p, h);
		break;
	case PERF_RECORD_THROTTLE: /* time, id, stream id */
		sampler_throttled(p->sampler, body_word(h, 1));
		break;
	case PERF_RECORD_LOST: /* id, lost */
		p->counters.sideband_lost += body_word(h, 1);
		(void)process_table_apply(p->processes, h);
		break;
	default:
		(void)process_table_apply(p->processes, h);
	}
}

/* When the sample's stacks were taken: off the CPU that is where its time began. */
static uint64_t stacks_ns(const struct pipeline *p, const struct sample_record *s)
{
	bool off_cpu = s->event < sampler_n_events(p->sampler) &&
		       sampler_get_event(p->sampler, s->event)->off_cpu;

	return off_cpu ? s->head.time_ns - s->period : s->head.time_ns;
}

static void on_sample(struct pipeline *p, const struct sample_record *s)
{
	struct process *process;

	sampler_received(p->sampler, s);
	process = process_table_get(p->processes, s->pid, s->cgroup_id, s->head.time_ns);
	if (s->event >= sampler_n_events(p->sampler)) {
		if (p->unwinder && process)
			unwinder_compare(p->unwinder, s, process);
		return;
	}
	if (p->unwinder && process)
		s = unwinder_judge(p->unwinder, s, process, stacks_ns(p, s));
	if (process && recorder_sample(p->recorder, s, process))
		p->counters.samples++;
	else
		p->counters.dropped++;
}

/* The ring's next record as a source; false when there is none before the horizon. */
static bool next_sample(struct ring *ring, uint64_t horizon, struct merge_source *s)
{
	const struct sample_record *rec = ring_peek(ring);

	if (!rec || rec->head.time_ns >= horizon)
		return false;
	s->time_ns = rec->head.time_ns;
	s->record = rec;
	return true;
}

/* Samples and sideband come in runs: the clock is read where one ends. */
struct run {
	uint64_t began_ns;
	uint8_t rank; /* enum rank */
};

static void change_run(struct pipeline *p, struct run *run, uint8_t rank)
{
	uint64_t now;

	if (run->rank == rank)
		return;
	now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	if (run->rank == RANK_SAMPLE)
		p->counters.samples_cpu_ns += now - run->began_ns;
	*run = (struct run){ now, rank };
}

/* What a drain looks at. */
struct sources {
	struct ring *rings;
	struct perf_ring *side;
	size_t n_rings, n_side;
	uint64_t horizon, refreshed_ns;
};

/* A record cannot be younger than the look at its ring. One that says so is taken at once: it would
 * stand in the way of all that come after it. */
static bool next_sideband(const struct sources *s, size_t i, struct merge_source *ret)
{
	struct perf_ring *ring = &s->side[i];
	const struct perf_event_header *h = ring->page ? perf_ring_peek(ring) : NULL;
	uint64_t time_ns = h ? sideband_record_time(h) : 0;

	if (time_ns > s->refreshed_ns + CLOCK_SLACK_NS)
		time_ns = 0;
	if (!h || time_ns >= s->horizon)
		return false;
	ret->time_ns = time_ns;
	ret->record = h;
	return true;
}

static void open_sources(struct pipeline *p, struct sources *s)
{
	s->rings = sampler_rings(p->sampler, &s->n_rings);
	s->side = p->sideband ? sideband_rings(p->sideband, &s->n_side) : NULL;
	for (size_t i = 0; i < s->n_rings; i++)
		ring_refresh(&s->rings[i]);
	for (size_t i = 0; i < s->n_side; i++)
		if (s->side[i].page)
			perf_ring_refresh(&s->side[i]);
	s->refreshed_ns = now_ns();
	p->merge.n = 0;
	for (size_t i = 0; i < s->n_rings; i++) {
		struct merge_source source = { .rank = RANK_SAMPLE, .index = (uint32_t)i };

		if (next_sample(&s->rings[i], s->horizon, &source))
			merge_push(&p->merge, source);
	}
	for (size_t i = 0; i < s->n_side; i++) {
		struct merge_source source = { .rank = RANK_SIDEBAND, .index = (uint32_t)i };

		if (next_sideband(s, i, &source))
			merge_push(&p->merge, source);
	}
}

size_t pipeline_drain(struct pipeline *p, bool final)
{
	uint64_t now = now_ns(), horizon = final ? UINT64_MAX : now - HORIZON_NS;
	uint64_t sideband_lost = p->counters.sideband_lost;
	struct run run = { .rank = RANK_SIDEBAND };
	struct merge_source *first;
	struct sources s = { .horizon = horizon };
	size_t samples = 0;

	open_sources(p, &s);
	while ((first = merge_first(&p->merge))) {
		bool more;

		change_run(p, &run, first->rank);
		if (first->rank == RANK_SAMPLE) {
			on_sample(p, first->record);
			samples++;
			ring_pop(&s.rings[first->index]);
			more = next_sample(&s.rings[first->index], horizon, first);
		} else {
			on_sideband(p, first->record);
			perf_ring_pop(&s.side[first->index]);
			more = next_sideband(&s, first->index, first);
		}
		if (more)
			merge_settle(&p->merge);
		else
			merge_pop(&p->merge);
	}
	change_run(p, &run, RANK_SIDEBAND);
	for (size_t i = 0; i < s.n_rings; i++)
		ring_commit(&s.rings[i]);
	for (size_t i = 0; i < s.n_side; i++)
		if (s.side[i].page)
			perf_ring_commit(&s.side[i]);
	/* Mappings went missing: /proc has them, of whoever still lives. */
	if (p->counters.sideband_lost != sideband_lost && p->options.task <= 0)
		(void)process_table_scan(p->processes);
	if (p->unwinder)
		unwinder_publish(p->unwinder);
	p->drained_ns = MIN(horizon, now);
	p->counters.drains++;
	return samples;
}
