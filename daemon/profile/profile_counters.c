// SPDX-License-Identifier: Apache-2.0
/*
 * What a sample says about the counters that are asked for. A delta within which another task ran
 * says nothing about the sample's code, and a counter without a reading is absent, not zero.
 */
#include <string.h>
#include <strings.h>

#include "profile/profile_load.h"

#define ALL_THE_TIME 1000 /* of record_counter.running_permille */

/* The first name of a list, which then begins behind it. Commas between slashes are the name's. */
static struct record_bytes next_name(struct record_bytes *list)
{
	struct record_bytes name = { .data = list->data };
	bool in_slashes = false;

	for (; name.size < list->size; name.size++) {
		char c = list->data[name.size];

		if (c == '/')
			in_slashes = !in_slashes;
		else if (c == ',' && !in_slashes)
			break;
	}
	list->data += MIN(name.size + 1, list->size);
	list->size -= MIN(name.size + 1, list->size);
	return name;
}

/* "cycles" is meant by cycles, and by cycles:u too. */
static bool is_meant(struct record_bytes name, const char *wanted)
{
	size_t n = strlen(wanted);

	if (name.size < n || strncasecmp(name.data, wanted, n) != 0)
		return false;
	if (name.size > n && name.data[n++] != ':')
		return false;
	while (n < name.size && strchr("ukhGHIpP", name.data[n]) && name.data[n])
		n++;
	return n == name.size;
}

static uint8_t find_place(struct record_bytes list, struct record_bytes fired, const char *wanted)
{
	if (list.size == 0)
		return COUNTER_NOWHERE;
	for (uint8_t i = 0; list.size && i < RECORD_MAX_COUNTERS; i++)
		if (is_meant(next_name(&list), wanted))
			return i;
	return is_meant(fired, wanted) ? COUNTER_OWN : COUNTER_NOWHERE;
}

void counters_find(const struct load *l, const struct record_event *v, struct counter_places *ret)
{
	for (size_t i = 0; i < l->n_counters; i++)
		ret->of[i] = find_place(v->counters, v->fired, l->filter->counters[i]);
}

bool profile_event_counts(const struct profile_event *e, const char *name)
{
	return find_place(record_string(e->counters), record_string(e->fired), name) !=
	       COUNTER_NOWHERE;
}

/* The delta; false: there is none. The period is only that of a delta that covers all of it. */
static bool get_delta(const struct record_sample *s, uint8_t place, struct record_counter *ret)
{
	if (s->mixed || s->counted_ns == 0)
		return false;
	if (place == COUNTER_OWN && !s->cut)
		*ret = (struct record_counter){ s->period, ALL_THE_TIME };
	else if (place < s->n_counters && s->counters[place].running_permille)
		*ret = s->counters[place];
	else
		return false;
	return true;
}

void counters_of_sample(const struct load *l, const struct record_sample *s,
			const struct counter_places *places, struct profile_counter *ret)
{
	struct record_counter c;

	for (size_t i = 0; i < l->n_counters; i++) {
		ret[i] = (struct profile_counter){ 0 };
		if (!get_delta(s, places->of[i], &c))
			continue;
		ret[i].samples = 1;
		ret[i].sum = (double)c.delta * ALL_THE_TIME / c.running_permille;
		ret[i].counted_ns = s->counted_ns;
		/* It is a whole number of microseconds. */
		ret[i].running_ns = s->counted_ns / ALL_THE_TIME * c.running_permille;
	}
}
