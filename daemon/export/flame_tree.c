// SPDX-License-Identifier: Apache-2.0
#include "export/flame_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profile/id_table.h"
#include "util/cleanup.h"

struct function_key {
	const char *name, *module;
	uint32_t function;
};

static int compare_keys(const void *a, const void *b)
{
	const struct function_key *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (r == 0)
		r = strcmp(x->module, y->module);
	if (r != 0)
		return r;
	return (x->function > y->function) - (x->function < y->function);
}

static int find_same_functions(struct flame_names *names, const struct profile *p)
{
	_cleanup_free_ struct function_key *keys = calloc(p->n_functions + 1, sizeof(*keys));

	names->function = calloc(p->n_functions + 1, sizeof(*names->function));
	if (!keys || !names->function)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_functions; i++)
		keys[i] = (struct function_key){ p->functions[i].name,
						 p->objects[p->functions[i].object].name, i };
	qsort(keys, p->n_functions, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < p->n_functions; i++) {
		bool same = i > 0 && strcmp(keys[i].name, keys[i - 1].name) == 0 &&
			    strcmp(keys[i].module, keys[i - 1].module) == 0;

		names->function[keys[i].function] =
			same ? names->function[keys[i - 1].function] : keys[i].function;
	}
	return 0;
}

int flame_names_init(struct flame_names *names, const struct profile *p, enum stack_root root)
{
	_cleanup_(flame_names_donep) struct flame_names made = { 0 };
	int r;

	r = root_labels_init(&made.labels, p, root);
	if (r == 0)
		r = find_same_functions(&made, p);
	if (r < 0)
		return r;
	made.n = made.labels.n + p->n_functions;
	*names = made;
	made = (struct flame_names){ 0 };
	return 0;
}

void flame_names_done(struct flame_names *names)
{
	root_labels_done(&names->labels);
	free(names->function);
	*names = (struct flame_names){ 0 };
}

/* A stack of the event under one root label. */
struct labelled {
	uint32_t label, node;
	uint64_t samples, weight;
	const struct profile_counter *counters; /* NULL: the profile has none */
};

/* Where the profile's nodes are in the flame tree, for the label being added. */
struct memory {
	uint32_t *node, *label;
	struct id_table children; /* (parent, name) -> node */
	struct stack stack;
};

static void memory_done(struct memory *m)
{
	free(m->node);
	free(m->label);
	id_table_done(&m->children);
	stack_done(&m->stack);
}

static int compare_labelled(const void *a, const void *b)
{
	const struct labelled *x = a, *y = b;

	if (x->label != y->label)
		return x->label < y->label ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

static struct labelled *select_stacks(const struct profile *p, uint32_t event,
				      const struct root_labels *labels, size_t *ret_n)
{
	struct labelled *list = calloc(p->n_cells + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < p->n_cells && list; i++) {
		const struct profile_cell *c = &p->cells[i];

		if (c->event == event)
			list[n++] = (struct labelled){
				.label = root_label_of(labels, p, c->thread),
				.node = c->node,
				.samples = c->samples,
				.weight = c->weight,
				.counters = p->counters ? &p->counters[i * p->n_counters] : NULL,
			};
	}
	if (list)
		qsort(list, n, sizeof(*list), compare_labelled);
	*ret_n = n;
	return list;
}

static int grow(struct flame_tree *t, size_t capacity)
{
	size_t n = t->n_counters;
	struct profile_counter *counters;
	struct flame_node *nodes;

	if (capacity >= UINT32_MAX)
		return -E2BIG;
	nodes = reallocarray(t->nodes, capacity, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	t->nodes = nodes;
	if (n) {
		counters = reallocarray(t->self_counters, capacity, n * sizeof(*counters));
		if (!counters)
			return -ENOMEM;
		t->self_counters = counters;
		memset(&counters[t->n_nodes * n], 0,
		       (capacity - t->n_nodes) * n * sizeof(*counters));
	}
	t->capacity = capacity;
	return 0;
}

/* The child of `parent` with this name, new or known; 0 when out of memory. */
static uint32_t child(struct flame_tree *t, struct id_table *children, uint32_t parent,
		      uint32_t name)
{
	uint32_t *slot = id_table_slot(children, parent, name);

	if (!slot)
		return 0;
	if (*slot != ID_TABLE_NEW)
		return *slot;
	if (t->n_nodes == t->capacity && grow(t, MAX(t->capacity * 2, (size_t)1024)) < 0)
		return 0;
	t->nodes[t->n_nodes] = (struct flame_node){
		.parent = parent,
		.name = name,
		.next_sibling = t->nodes[parent].first_child,
	};
	t->nodes[parent].first_child = (uint32_t)t->n_nodes;
	*slot = (uint32_t)t->n_nodes++;
	return *slot;
}

static int add_stack(struct flame_tree *t, struct memory *m, const struct profile *p,
		     const struct labelled *s, const struct flame_names *names)
{
	uint32_t node = child(t, &m->children, 0, s->label);
	size_t known = 0;
	int r;

	r = stack_load(&m->stack, p, s->node);
	if (r < 0)
		return r;
	while (known < m->stack.n && m->label[m->stack.nodes[known]] != s->label + 1)
		known++;
	if (known < m->stack.n)
		node = m->node[m->stack.nodes[known]];
	for (size_t i = known; i-- > 0 && node != 0;) {
		uint32_t from = m->stack.nodes[i];

		node = child(t, &m->children, node,
			     (uint32_t)names->labels.n +
				     names->function[profile_node_function(p, from)]);
		m->node[from] = node;
		m->label[from] = s->label + 1;
	}
	if (node == 0)
		return -ENOMEM;
	t->nodes[node].self_samples += s->samples;
	t->nodes[node].self_weight += s->weight;
	for (size_t k = 0; k < t->n_counters; k++)
		profile_counter_add(&t->self_counters[node * t->n_counters + k], &s->counters[k]);
	return 0;
}

static int add_stacks(struct flame_tree *t, const struct profile *p, uint32_t event,
		      const struct flame_names *names)
{
	_cleanup_(memory_done) struct memory m = {
		.node = calloc(p->n_nodes + 1, sizeof(*m.node)),
		.label = calloc(p->n_nodes + 1, sizeof(*m.label)),
	};
	_cleanup_free_ struct labelled *stacks = NULL;
	size_t n;
	int r = 0;

	stacks = select_stacks(p, event, &names->labels, &n);
	if (!m.node || !m.label || !stacks)
		return -ENOMEM;
	t->n_counters = p->counters ? p->n_counters : 0;
	r = grow(t, 1024);
	if (r < 0)
		return r;
	t->nodes[0] = (struct flame_node){ 0 };
	t->n_nodes = 1;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_stack(t, &m, p, &stacks[i], names);
	return r;
}

static void sum_up(struct flame_tree *t)
{
	for (size_t i = t->n_nodes; i-- > 0;) {
		struct flame_node *n = &t->nodes[i];

		n->samples += n->self_samples;
		n->weight += n->self_weight;
		if (i > 0) {
			t->nodes[n->parent].samples += n->samples;
			t->nodes[n->parent].weight += n->weight;
		}
	}
}

static int sum_up_counters(struct flame_tree *t)
{
	size_t n = t->n_counters;

	if (n == 0)
		return 0;
	t->counters = calloc(t->n_nodes * n, sizeof(*t->counters));
	if (!t->counters)
		return -ENOMEM;
	for (size_t i = t->n_nodes; i-- > 0;)
		for (size_t k = 0; k < n; k++) {
			struct profile_counter *c = &t->counters[i * n + k];

			profile_counter_add(c, &t->self_counters[i * n + k]);
			if (i > 0)
				profile_counter_add(&t->counters[t->nodes[i].parent * n + k], c);
		}
	return 0;
}

uint32_t flame_tree_next(const struct flame_tree *t, uint32_t node, bool descend, uint32_t *depth)
{
	if (descend && t->nodes[node].first_child) {
		(*depth)++;
		return t->nodes[node].first_child;
	}
	while (node != 0 && !t->nodes[node].next_sibling) {
		node = t->nodes[node].parent;
		(*depth)--;
	}
	return t->nodes[node].next_sibling;
}

/* The nodes above the present one, by depth, and how often each name is among them. */
struct ancestors {
	uint32_t *names; /* by depth */
	uint32_t *times; /* by name */
	size_t n, capacity;
};

static void ancestors_done(struct ancestors *a)
{
	free(a->names);
	free(a->times);
}

/* Goes to a node at `depth`; true when none of its ancestors has its name. */
static int ancestors_enter(struct ancestors *a, uint32_t depth, uint32_t name, bool *ret_first)
{
	while (a->n >= depth)
		a->times[a->names[--a->n]]--;
	if (a->n == a->capacity) {
		size_t capacity = MAX(a->capacity * 2, (size_t)256);
		uint32_t *names = reallocarray(a->names, capacity, sizeof(*names));

		if (!names)
			return -ENOMEM;
		a->names = names;
		a->capacity = capacity;
	}
	a->names[a->n++] = name;
	*ret_first = a->times[name]++ == 0;
	return 0;
}

static int sum_functions(struct flame_tree *t, size_t n_names)
{
	_cleanup_(ancestors_done) struct ancestors a = {
		.times = calloc(n_names + 1, sizeof(*a.times)),
	};
	uint32_t depth = 0;

	t->functions = calloc(n_names + 1, sizeof(*t->functions));
	if (!t->functions || !a.times)
		return -ENOMEM;
	for (uint32_t i = flame_tree_next(t, 0, true, &depth); i != 0;
	     i = flame_tree_next(t, i, true, &depth)) {
		const struct flame_node *n = &t->nodes[i];
		struct flame_function *f = &t->functions[n->name];
		bool first;

		if (ancestors_enter(&a, depth, n->name, &first) < 0)
			return -ENOMEM;
		f->self_samples += n->self_samples;
		f->self_weight += n->self_weight;
		f->samples += first ? n->samples : 0;
		f->weight += first ? n->weight : 0;
	}
	return 0;
}

int flame_tree_init(struct flame_tree *t, const struct profile *p, uint32_t event,
		    const struct flame_names *names)
{
	_cleanup_(flame_tree_donep) struct flame_tree made = { 0 };
	int r;

	r = add_stacks(&made, p, event, names);
	if (r < 0)
		return r;
	sum_up(&made);
	r = sum_up_counters(&made);
	if (r == 0)
		r = sum_functions(&made, names->n);
	if (r < 0)
		return r;
	*t = made;
	made = (struct flame_tree){ 0 };
	return 0;
}

void flame_tree_done(struct flame_tree *t)
{
	free(t->nodes);
	free(t->functions);
	free(t->self_counters);
	free(t->counters);
	*t = (struct flame_tree){ 0 };
}

static size_t count_above(const struct flame_tree *t, uint64_t threshold)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t->n_nodes; i++)
		n += flame_tree_value(t, i) >= threshold;
	return n;
}

uint64_t flame_tree_threshold(const struct flame_tree *t, double min_percent, size_t max_nodes)
{
	uint64_t all = flame_tree_value(t, 0);
	uint64_t threshold = (uint64_t)((double)all * min_percent / 100);

	threshold = MAX(threshold, 1ULL);
	while (count_above(t, threshold) > max_nodes && threshold < all)
		threshold += threshold / 4 + 1;
	return threshold;
}
