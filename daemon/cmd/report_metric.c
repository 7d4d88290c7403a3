// SPDX-License-Identifier: Apache-2.0
/*
 * Sums of the metric's counters go the same way as weights: into the row of each cell, and up the
 * call tree into those of its callers.
 */
#include "cmd/report_metric.h"

#include <errno.h>
#include <stdlib.h>

struct filling {
	const struct profile *p;
	const struct sample_metric *metric;
	size_t n; /* counters of the metric */
	struct profile_counter *self, *total; /* by row */
	struct profile_counter *nodes; /* by node */
};

static void filling_done(struct filling *f)
{
	free(f->self);
	free(f->total);
	free(f->nodes);
}

static void add(struct profile_counter *to, const struct profile_counter *more, size_t n)
{
	for (size_t k = 0; k < n; k++)
		profile_counter_add(&to[k], &more[k]);
}

/* From the leaves to the root, for parents come before their children. */
static void sum_up(const struct filling *f, const struct report_nodes *nodes)
{
	size_t n = f->n;

	add(&f->total[nodes->row[0] * n], &f->nodes[0], n);
	for (size_t i = f->p->n_nodes; i-- > 1;) {
		const struct profile_counter *own = &f->nodes[i * n];

		add(&f->nodes[f->p->nodes[i].parent * n], own, n);
		if (report_bit(nodes->first, i))
			add(&f->total[nodes->row[i] * n], own, n);
	}
}

static void take_cells(const struct filling *f, const uint32_t *cell_row,
		       const struct report_event *e)
{
	struct profile_counter all[PROFILE_MAX_COUNTERS] = { 0 };

	for (size_t i = 0; i < f->p->n_cells; i++) {
		const struct profile_counter *counters = &f->p->counters[i * f->n];

		if (f->p->cells[i].event != e->number)
			continue;
		add(&f->self[cell_row[i] * f->n], counters, f->n);
		add(all, counters, f->n);
		if (f->nodes)
			add(&f->nodes[f->p->cells[i].node * f->n], counters, f->n);
	}
	sample_metric_eval(f->metric, all, &e->values->all);
}

static void evaluate(const struct filling *f, struct report_event *e)
{
	for (size_t i = 0; i < e->n_rows; i++) {
		struct report_value *v = &e->values->rows[i];

		sample_metric_eval(f->metric, &f->self[i * f->n], &v->self);
		sample_metric_eval(f->metric, &(f->total ? f->total : f->self)[i * f->n],
				   &v->total);
		e->rows[i].value = v;
	}
}

int report_metric_fill(const struct report *r, const uint32_t *cell_row,
		       const struct report_nodes *nodes, struct report_event *e)
{
	_cleanup_(filling_done) struct filling f = {
		.p = r->profile,
		.metric = r->metric,
		.n = r->profile->n_counters,
	};

	e->values = calloc(1, sizeof(*e->values) + e->n_rows * sizeof(*e->values->rows));
	f.self = calloc(e->n_rows * f.n + 1, sizeof(*f.self));
	if (nodes) {
		f.total = calloc(e->n_rows * f.n + 1, sizeof(*f.total));
		f.nodes = calloc(f.p->n_nodes * f.n + 1, sizeof(*f.nodes));
	}
	if (!e->values || !f.self || (nodes && (!f.total || !f.nodes)))
		return -ENOMEM;
	if (sample_metric_missing(r->metric, e->event)) {
		e->values->missing = sample_metric_explain(r->metric, e->event);
		return e->values->missing ? 0 : -ENOMEM;
	}
	take_cells(&f, cell_row, e);
	if (nodes)
		sum_up(&f, nodes);
	evaluate(&f, e);
	return 0;
}
