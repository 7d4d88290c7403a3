// SPDX-License-Identifier: Apache-2.0
/*
 * Sums are additive, values are not: the page has the sums, and makes values of what it shows.
 */
#include "export/flame_metric.h"

#include <stdlib.h>

#include "util/cleanup.h"

enum column { COLUMN_SUM, COLUMN_TIME, COLUMN_SAMPLES, COLUMNS };

static const char *const column_names[COLUMNS] = {
	[COLUMN_SUM] = "sum",
	[COLUMN_TIME] = "us",
	[COLUMN_SAMPLES] = "samples",
};

static void put_number(struct json *j, enum column column, const struct profile_counter *c)
{
	if (column == COLUMN_SUM)
		json_double(j, NULL, c->sum);
	else
		json_uint(j, NULL, column == COLUMN_TIME ? c->counted_ns / 1000 : c->samples);
}

/* The sums of the children that are left out; false: there are none. */
static bool add_left_out(const struct flame_tree *t, uint32_t node, uint64_t threshold, size_t k,
			 struct profile_counter *ret)
{
	bool any = false;

	*ret = (struct profile_counter){ 0 };
	for (uint32_t c = t->nodes[node].first_child; c != 0; c = t->nodes[c].next_sibling) {
		if (flame_tree_value(t, c) >= threshold)
			continue;
		profile_counter_add(ret, &t->counters[c * t->n_counters + k]);
		any |= t->nodes[c].samples > 0;
	}
	return any;
}

/* Of the boxes themselves, or of what is left out: of the whole first, then of each box with such.
 */
static void put_column(struct json *j, const struct flame_tree *t, uint64_t threshold, size_t k,
		       enum column column, bool left_out)
{
	struct profile_counter sum;
	uint32_t depth = 0;
	bool kept = true;

	json_open_array(j, column_names[column]);
	if (left_out) {
		add_left_out(t, 0, threshold, k, &sum);
		put_number(j, column, &sum);
	}
	for (uint32_t i = flame_tree_next(t, 0, true, &depth); i != 0;
	     i = flame_tree_next(t, i, kept, &depth)) {
		kept = flame_tree_value(t, i) >= threshold;
		if (!kept)
			continue;
		if (!left_out)
			put_number(j, column, &t->self_counters[i * t->n_counters + k]);
		else if (add_left_out(t, i, threshold, k, &sum))
			put_number(j, column, &sum);
	}
	json_close_array(j);
}

static void put_counters(struct json *j, const char *key, const struct flame_tree *t,
			 uint64_t threshold, bool left_out)
{
	json_open_array(j, key);
	for (size_t k = 0; k < t->n_counters; k++) {
		json_open_object(j, NULL);
		for (int column = 0; column < COLUMNS; column++)
			put_column(j, t, threshold, k, (enum column)column, left_out);
		json_close_object(j);
	}
	json_close_array(j);
}

void flame_put_metric(struct json *j, const struct flame_tree *t, const struct sample_metric *m,
		      const struct profile_event *e, uint64_t threshold)
{
	_cleanup_free_ char *missing = sample_metric_explain(m, e);

	json_open_object(j, "metric");
	json_string(j, "name", m->name);
	json_string(j, "summary", m->summary);
	json_string(j, "unit", m->unit);
	json_string(j, "over", m->over);
	json_string(j, "under", m->under);
	json_double(j, "scale", m->scale);
	json_bool(j, "low_is_bad", m->low_is_bad);
	json_uint(j, "min_samples", m->min_samples);
	json_uint(j, "mixed", e->mixed);
	json_string(j, "missing", missing);
	if (!missing) {
		put_counters(j, "counters", t, threshold, false);
		put_counters(j, "pruned", t, threshold, true);
	}
	json_close_object(j);
}
