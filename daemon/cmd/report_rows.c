// SPDX-License-Identifier: Apache-2.0
/*
 * Rows are made once for the whole profile: row_of[] says for every function (or thread, CPU ...)
 * which row it belongs to. Then each event fills them. With children: weights are added up from the
 * leaves to the root, for parents come before their children.
 */
#include "cmd/report_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/report_metric.h"
#include "cmd/report_nodes.h"
#include "cmd/select.h"
#include "profile/memory_access.h"
#include "profile/profile_dictionary.h"
#include "util/prefetch.h"

static const struct report_grouping groupings[] = {
	{ "function", "function", 0, true, true, NULL },
	{ "module", "module", 0, true, false, NULL },
	{ "process", "process", PROFILE_BY_THREAD | PROFILE_NO_STACK, false, false, NULL },
	{ "thread", "thread", PROFILE_BY_THREAD | PROFILE_NO_STACK, false, false, NULL },
	{ "comm", "comm", PROFILE_BY_THREAD | PROFILE_NO_STACK, false, false, NULL },
	{ "unit", "unit", PROFILE_BY_THREAD | PROFILE_NO_STACK, false, false, NULL },
	{ "container", "container", PROFILE_BY_THREAD | PROFILE_NO_STACK, false, false, NULL },
	{ "cpu", "cpu", PROFILE_BY_CPU | PROFILE_NO_STACK, false, false, NULL },
	{ "node", "numa node", PROFILE_BY_CPU | PROFILE_NO_STACK, false, false, NULL },
	{ "kernel-user", "where", PROFILE_BY_STATUS | PROFILE_NO_STACK, false, false, NULL },
	{ "data-source", "data source", PROFILE_BY_SOURCE | PROFILE_NO_STACK, false, false,
	  "data source" },
	{ "tlb", "TLB", PROFILE_BY_TLB | PROFILE_NO_STACK, false, false, "data source" },
	{ "latency", "latency", PROFILE_BY_LATENCY | PROFILE_NO_STACK, false, false, "latency" },
	{ "address", "cache line", PROFILE_BY_ADDRESS | PROFILE_NO_STACK, false, false, "address" },
	{ "page", "page", PROFILE_BY_PAGE | PROFILE_NO_STACK, false, false, "address" },
};

enum grouping {
	BY_FUNCTION,
	BY_MODULE,
	BY_PROCESS,
	BY_THREAD,
	BY_COMM,
	BY_UNIT,
	BY_CONTAINER,
	BY_CPU,
	BY_NODE,
	BY_KERNEL_USER,
	BY_ACCESS, /* and the following, in the order of enum memory_access_part */
};

enum side { SIDE_USER, SIDE_KERNEL, SIDE_GUEST };

static const char *const sides[] = {
	[SIDE_USER] = "[user]",
	[SIDE_KERNEL] = "[kernel]",
	[SIDE_GUEST] = RECORD_GUEST,
};

static enum grouping grouping_of(const struct report *r)
{
	return (enum grouping)(r->grouping - groupings);
}

const struct report_grouping *report_grouping_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groupings); i++)
		if (strcmp(groupings[i].name, name) == 0)
			return &groupings[i];
	return NULL;
}

const char *report_grouping_names(void)
{
	return "function, module, process, thread, comm, unit, container, cpu, node, kernel-user,\n"
	       "           data-source, tlb, latency, address, page";
}

int report_take_grouping(const struct selection *s, const char *value,
			 const struct report_grouping **ret)
{
	_cleanup_(buffer_donep) struct buffer wanted = { 0 };
	const struct report_grouping *found = report_grouping_find(value);

	if (found) {
		*ret = found;
		return 1;
	}
	buffer_printf(&wanted, "one of %s", groupings[0].name);
	for (size_t i = 1; i < ARRAY_SIZE(groupings); i++)
		buffer_printf(&wanted, ", %s", groupings[i].name);
	buffer_put_byte(&wanted, '\0');
	return wanted.error ? wanted.error
			    : selection_wrong(s, "by", value, (const char *)wanted.data);
}

uint64_t report_told(const struct report_grouping *g, const struct profile_accesses *a)
{
	if (g->dimensions & PROFILE_BY_LATENCY)
		return a->latencies;
	return g->dimensions & (PROFILE_BY_ADDRESS | PROFILE_BY_PAGE) ? a->addresses : a->sources;
}

/* --- rows of a profile -------------------------------------------------------------------------*/

static int add_row(struct report *report, const char *name, const char *module, uint32_t *ret_row)
{
	size_t name_size = strlen(name) + 1, module_size = strlen(module) + 1;
	_cleanup_free_ char *key = malloc(name_size + module_size);

	if (!key)
		return -ENOMEM;
	memcpy(key, name, name_size);
	memcpy(key + name_size, module, module_size);
	return dictionary_add(&report->names, key, name_size + module_size, name_size + module_size,
			      ret_row);
}

static const char *or_text(const char *s, const char *instead)
{
	return s[0] ? s : instead;
}

static const char *thread_row_name(enum grouping by, const struct profile *p, size_t i, char *text,
				   size_t size)
{
	const struct profile_thread *t = &p->threads[i];
	const struct profile_process *process = &p->processes[t->process];
	const char *comm = or_text(process->comm, "[unknown]");

	switch (by) {
	case BY_PROCESS:
		snprintf(text, size, "%s (%u)", comm, process->pid);
		return text;
	case BY_THREAD:
		snprintf(text, size, "%s (%u), of %s (%u)", or_text(t->name, comm), t->tid, comm,
			 process->pid);
		return text;
	case BY_UNIT:
		return or_text(process->unit, "[no unit]");
	case BY_CONTAINER:
		return or_text(process->container, "[no container]");
	default:
		return comm;
	}
}

static const char *row_name(enum grouping by, const struct profile *p, size_t i, char *text,
			    size_t size)
{
	switch (by) {
	case BY_FUNCTION:
		return p->functions[i].name;
	case BY_MODULE:
		return p->objects[p->functions[i].object].name;
	case BY_CPU:
		snprintf(text, size, "cpu %zu", i);
		return text;
	case BY_NODE:
		snprintf(text, size, "node %u", p->host.node_of_cpu[i]);
		return text;
	case BY_KERNEL_USER:
		return sides[i];
	default:
		if (by >= BY_ACCESS)
			return memory_access_name((enum memory_access_part)(by - BY_ACCESS),
						  p->accesses[i], text, size);
		return thread_row_name(by, p, i, text, size);
	}
}

static size_t count_keys(enum grouping by, const struct profile *p)
{
	switch (by) {
	case BY_FUNCTION:
	case BY_MODULE:
		return p->n_functions;
	case BY_CPU:
	case BY_NODE:
		return p->host.cpu_ids;
	case BY_KERNEL_USER:
		return ARRAY_SIZE(sides);
	default:
		return by >= BY_ACCESS ? p->n_accesses : p->n_threads;
	}
}

/* The row of each function, thread, CPU or status; row 0 is for samples without a stack. */
static int make_rows(struct report *r, enum grouping by, uint32_t **ret_row_of)
{
	const struct profile *p = r->profile;
	size_t n = count_keys(by, p);
	_cleanup_free_ uint32_t *row_of = calloc(n + 1, sizeof(*row_of));
	uint32_t no_stack;
	char text[512];
	int error;

	if (!row_of)
		return -ENOMEM;
	error = add_row(r, "[no stack]", "", &no_stack);
	for (size_t i = 0; error >= 0 && i < n; i++)
		error = add_row(r, row_name(by, p, i, text, sizeof(text)),
				by == BY_FUNCTION ? p->objects[p->functions[i].object].name : "",
				&row_of[i]);
	if (error >= 0)
		*ret_row_of = TAKE_PTR(row_of);
	return error;
}

/* --- one event ---------------------------------------------------------------------------------*/

static void add_self(struct report_row *row, uint64_t samples, uint64_t weight)
{
	row->self_samples += samples;
	row->self_weight += weight;
}

static void fill_by_stack(const struct profile *p, const struct report_nodes *n,
			  struct report_event *e)
{
	union report_scratch *scratch = n->scratch;

	memset(scratch, 0, p->n_nodes * sizeof(*scratch));
	for (size_t i = 0; i < p->n_cells; i++) {
		const struct profile_cell *c = &p->cells[i];

		if (c->event != e->number)
			continue;
		add_self(&e->rows[n->row[c->node]], c->samples, c->weight);
		scratch[c->node].sums.samples += c->samples;
		scratch[c->node].sums.weight += c->weight;
		if (report_bit(n->unknown, c->node))
			e->unknown_weight += c->weight;
	}
	e->rows[0].total_samples = scratch[0].sums.samples;
	e->rows[0].total_weight = scratch[0].sums.weight;
	for (size_t i = p->n_nodes; i-- > 1;) {
		struct report_row *row = &e->rows[n->row[i]];
		struct report_sums *up = &scratch[p->nodes[i].parent].sums, own = scratch[i].sums;

		if (i > REPORT_AHEAD) {
			prefetch_to_write(&scratch[p->nodes[i - REPORT_AHEAD].parent]);
			prefetch_to_write(&e->rows[n->row[i - REPORT_AHEAD]]);
		}
		up->samples += own.samples;
		up->weight += own.weight;
		if (report_bit(n->first, i)) {
			row->total_samples += own.samples;
			row->total_weight += own.weight;
		}
	}
}

static size_t cell_key(enum grouping by, const struct profile_cell *c)
{
	switch (by) {
	case BY_CPU:
	case BY_NODE:
		return c->cpu;
	case BY_KERNEL_USER:
		return c->guest ? SIDE_GUEST : c->kernel_status ? SIDE_KERNEL : SIDE_USER;
	default:
		return by >= BY_ACCESS ? c->access : c->thread;
	}
}

static uint32_t flat_row(enum grouping by, const uint32_t *row_of, const struct profile_cell *c)
{
	if (by == BY_KERNEL_USER && c->kernel_status == 0 && c->user_status == 0)
		return 0;
	return row_of[cell_key(by, c)];
}

static void fill_flat(const struct profile *p, enum grouping by, const uint32_t *row_of,
		      struct report_event *e)
{
	for (size_t i = 0; i < p->n_cells; i++) {
		const struct profile_cell *c = &p->cells[i];

		if (c->event == e->number)
			add_self(&e->rows[flat_row(by, row_of, c)], c->samples, c->weight);
	}
	for (size_t i = 0; i < e->n_rows; i++) {
		e->rows[i].total_samples = e->rows[i].self_samples;
		e->rows[i].total_weight = e->rows[i].self_weight;
	}
}

static int compare_rows(const struct report_row *x, const struct report_row *y)
{
	int r;

	if (x->self_weight != y->self_weight)
		return x->self_weight > y->self_weight ? -1 : 1;
	if (x->total_weight != y->total_weight)
		return x->total_weight > y->total_weight ? -1 : 1;
	if (x->total_samples != y->total_samples)
		return x->total_samples > y->total_samples ? -1 : 1;
	r = strcmp(x->name, y->name);
	return r ? r : strcmp(x->module, y->module);
}

static int compare_by_self(const void *a, const void *b)
{
	return compare_rows(a, b);
}

static int compare_by_total(const void *a, const void *b)
{
	const struct report_row *x = a, *y = b;

	if (x->total_weight != y->total_weight)
		return x->total_weight > y->total_weight ? -1 : 1;
	return compare_rows(a, b);
}

static int compare_by_value(const void *a, const void *b, void *metric)
{
	const struct report_row *x = a, *y = b;
	const struct sample_metric_value *v = &x->value->self, *w = &y->value->self;

	if (v->known != w->known)
		return v->known ? -1 : 1;
	if (v->known && v->value != w->value)
		return (v->value > w->value) == ((struct sample_metric *)metric)->low_is_bad ? 1
											     : -1;
	return compare_rows(x, y);
}

static void sort_rows(const struct report *r, struct report_event *e, enum report_sort sort)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n_rows; i++)
		if (e->rows[i].total_samples)
			e->rows[kept++] = e->rows[i];
	e->n_rows = kept;
	if (sort == REPORT_BY_VALUE && e->values && !e->values->missing)
		qsort_r(e->rows, kept, sizeof(*e->rows), compare_by_value, (void *)r->metric);
	else
		qsort(e->rows, kept, sizeof(*e->rows),
		      sort == REPORT_BY_TOTAL ? compare_by_total : compare_by_self);
}

static int fill_event(struct report *r, const uint32_t *row_of, const struct report_nodes *nodes,
		      struct report_event *e)
{
	e->n_rows = r->names.n;
	e->rows = calloc(e->n_rows + 1, sizeof(*e->rows));
	if (!e->rows)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_rows; i++) {
		const char *name = dictionary_get(&r->names, (uint32_t)i);

		e->rows[i].name = name;
		e->rows[i].module = name + strlen(name) + 1;
	}
	if (r->grouping->by_stack)
		fill_by_stack(r->profile, nodes, e);
	else
		fill_flat(r->profile, grouping_of(r), row_of, e);
	return 0;
}

/* --- the report --------------------------------------------------------------------------------*/

/* The row of each cell. */
static uint32_t *cell_rows_new(const struct report *r, const uint32_t *row_of,
			       const struct report_nodes *nodes)
{
	const struct profile *p = r->profile;
	uint32_t *rows = malloc((p->n_cells + 1) * sizeof(*rows));

	for (size_t i = 0; rows && i < p->n_cells; i++)
		rows[i] = r->grouping->by_stack ? nodes->row[p->cells[i].node]
						: flat_row(grouping_of(r), row_of, &p->cells[i]);
	return rows;
}

static int fill_metric(struct report *r, const uint32_t *row_of, const struct report_nodes *nodes)
{
	_cleanup_free_ uint32_t *cell_row = cell_rows_new(r, row_of, nodes);
	int error = cell_row ? 0 : -ENOMEM;

	for (size_t i = 0; error >= 0 && i < r->n_events; i++)
		error = report_metric_fill(r, cell_row, r->grouping->by_stack ? nodes : NULL,
					   &r->events[i]);
	return error;
}

static int fill(struct report *r, enum report_sort sort)
{
	_cleanup_free_ uint32_t *row_of = NULL;
	struct report_nodes nodes = { 0 };
	int error;

	error = make_rows(r, grouping_of(r), &row_of);
	if (error >= 0 && r->grouping->by_stack)
		error = report_nodes_init(&nodes, r->profile, row_of);
	for (size_t i = 0; error >= 0 && i < r->n_events; i++)
		error = fill_event(r, row_of, &nodes, &r->events[i]);
	if (error >= 0 && r->metric)
		error = fill_metric(r, row_of, &nodes);
	for (size_t i = 0; error >= 0 && i < r->n_events; i++)
		sort_rows(r, &r->events[i], sort);
	report_nodes_done(&nodes);
	return error;
}

int report_new(const struct profile *p, const struct report_grouping *grouping,
	       enum report_sort sort, const struct sample_metric *metric, struct report **ret)
{
	_cleanup_(report_freep) struct report *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	r->profile = p;
	r->grouping = grouping;
	r->metric = metric;
	dictionary_init(&r->names, (uintptr_t)r);
	r->events = calloc(p->n_events + 1, sizeof(*r->events));
	if (!r->events)
		return -ENOMEM;
	r->n_events = p->n_events;
	for (size_t i = 0; i < p->n_events; i++)
		r->events[i] = (struct report_event){ &p->events[i], &p->ledgers[i],
						      .number = (uint32_t)i };
	error = fill(r, sort);
	if (error >= 0)
		*ret = TAKE_PTR(r);
	return error;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; r->events && i < r->n_events; i++) {
		if (r->events[i].values)
			free(r->events[i].values->missing);
		free(r->events[i].values);
		free(r->events[i].rows);
	}
	free(r->events);
	dictionary_done(&r->names);
	free(r);
	return NULL;
}
