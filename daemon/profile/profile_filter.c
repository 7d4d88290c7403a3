// SPDX-License-Identifier: Apache-2.0
/*
 * Which samples pass. What belongs to a process, thread or event is decided once, when an epoch
 * defines it; only CPU and time are looked at for each sample.
 */
#include <errno.h>
#include <string.h>

#include "profile/profile_load.h"

#define MAX_CPUS 65536

int epoch_filter_init(struct epoch_filter *e, const struct profile_filter *wanted)
{
	*e = (struct epoch_filter){ .wanted = wanted };
	if (wanted->n_cpus == 0)
		return 0;
	e->cpus = calloc(MAX_CPUS / 8, 1);
	if (!e->cpus)
		return -ENOMEM;
	for (size_t i = 0; i < wanted->n_cpus; i++)
		if (wanted->cpus[i] < MAX_CPUS)
			e->cpus[wanted->cpus[i] / 8] |= (uint8_t)(1 << wanted->cpus[i] % 8);
	return 0;
}

void epoch_filter_done(struct epoch_filter *e)
{
	free(e->cpus);
}

bool record_bytes_equal(struct record_bytes a, const char *b)
{
	return a.size == strlen(b) && memcmp(a.data, b, a.size) == 0;
}

static bool one_of(const char *const *names, struct record_bytes s)
{
	for (; *names; names++)
		if (record_bytes_equal(s, *names))
			return true;
	return false;
}

static bool unit_passes(const char *const *units, struct record_bytes s)
{
	static const char suffix[] = ".service";
	size_t n = sizeof(suffix) - 1;

	if (one_of(units, s))
		return true;
	if (s.size < n || memcmp(s.data + s.size - n, suffix, n) != 0)
		return false;
	s.size -= n;
	return one_of(units, s);
}

static bool container_passes(const char *const *ids, struct record_bytes s)
{
	for (; *ids; ids++)
		if (s.size >= strlen(*ids) && memcmp(s.data, *ids, strlen(*ids)) == 0)
			return true;
	return false;
}

static bool pid_passes(const struct profile_filter *f, uint32_t pid)
{
	for (size_t i = 0; i < f->n_pids; i++)
		if (f->pids[i] == pid)
			return true;
	return f->n_pids == 0;
}

bool filter_event(const struct epoch_filter *e, const struct record_event *v)
{
	const char *name = e->wanted->event, *profile = e->wanted->profile;

	if (profile && !record_bytes_equal(v->profile, profile))
		return false;
	return !name || record_bytes_equal(v->fired, name) ||
	       record_bytes_equal(v->requested, name);
}

bool filter_process(const struct epoch_filter *e, const struct record_process *p)
{
	const struct profile_filter *f = e->wanted;

	return pid_passes(f, p->pid) && (!f->units || unit_passes(f->units, p->unit)) &&
	       (!f->containers || container_passes(f->containers, p->container));
}

bool filter_comm(const struct epoch_filter *e, const char *process, struct record_bytes thread)
{
	const char *const *comms = e->wanted->comms;

	return !comms || one_of(comms, thread) || one_of(comms, record_string(process));
}

bool filter_cpu(const struct epoch_filter *e, uint32_t cpu)
{
	return !e->cpus || (cpu < MAX_CPUS && e->cpus[cpu / 8] >> (cpu % 8) & 1);
}

static bool in_spans(const struct profile_filter *f, uint64_t realtime_ns)
{
	size_t low = 0, high = f->n_spans;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->spans[middle].end_ns <= realtime_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->n_spans && f->spans[low].start_ns <= realtime_ns;
}

bool filter_time(const struct epoch_filter *e, uint64_t realtime_ns)
{
	const struct profile_filter *f = e->wanted;

	return realtime_ns >= f->since_ns && (!f->until_ns || realtime_ns < f->until_ns) &&
	       (!f->spans || in_spans(f, realtime_ns));
}
