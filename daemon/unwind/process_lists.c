// SPDX-License-Identifier: Apache-2.0
#include "unwind/process_lists.h"

#include <errno.h>
#include <string.h>

#include "unwind/extents.h"
#include "util/clock.h"
#include "util/hash_table.h"
#include "util/parse.h"

/* A list in the map, shared by the processes with the same mappings. */
struct process_list {
	struct hash_node node; /* by version */
	uint64_t version; /* of struct mappings */
	uint32_t refs, first, n, space;
};

struct process_lists {
	struct unwind_maps *maps;
	struct row_store *rows;
	struct hash_table lists;
	struct extents places;
	struct process **changed;
	size_t n_changed, changed_capacity, n_published, n_by_fp;
	uint64_t next_generation;
	uint32_t next_space;
	uint64_t refused;
};

int process_lists_new(struct unwind_maps *maps, struct row_store *rows, struct process_lists **ret)
{
	_cleanup_(process_lists_freep) struct process_lists *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->maps = maps;
	l->rows = rows;
	l->next_generation = 1;
	r = extents_init(&l->places, (uint32_t)maps->n_mappings);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

static void free_list(struct hash_node *node, void *userdata)
{
	struct process_lists *l = userdata;

	hash_table_remove(&l->lists, node);
	free(container_of(node, struct process_list, node));
}

struct process_lists *process_lists_free(struct process_lists *l)
{
	if (!l)
		return NULL;
	hash_table_each(&l->lists, free_list, l);
	hash_table_done(&l->lists);
	extents_done(&l->places);
	free(l->changed);
	free(l);
	return NULL;
}

/* --- lists --- */

static void list_unref(struct process_lists *l, struct process_list *list)
{
	if (!list || --list->refs > 0)
		return;
	(void)extents_give(&l->places, list->first, list->n, now_ns());
	free_list(&list->node, l);
}

static struct process_list *find_list(struct process_lists *l, uint64_t version)
{
	struct hash_node *node = hash_table_first(&l->lists, hash_u64(version));

	for (; node; node = hash_node_next(node)) {
		struct process_list *list = container_of(node, struct process_list, node);

		if (list->version == version)
			return list;
	}
	return NULL;
}

static void write_mapping(struct process_lists *l, const struct mapping *m,
			  struct unwind_mapping *to)
{
	bool anonymous = m->object->kind != OBJECT_FILE && m->object->kind != OBJECT_VDSO;

	*to = (struct unwind_mapping){
		.start = m->start,
		.end = m->end,
		.bias = m->start - m->pgoff,
		.slot = anonymous ? 0 : row_store_slot(l->rows, m->object),
		.how = anonymous ? UNWIND_BY_FP : UNWIND_BY_ROWS,
	};
}

/* The number of a content; 0 is nobody's. */
static uint32_t new_space(struct process_lists *l)
{
	if (++l->next_space == 0)
		l->next_space = 1;
	return l->next_space;
}

static int new_list(struct process_lists *l, const struct mappings *m, struct process_list **ret)
{
	struct process_list *list = calloc(1, sizeof(*list));
	int64_t first;
	int r;

	if (!list)
		return -ENOMEM;
	first = extents_take(&l->places, (uint32_t)m->n, now_ns());
	if (first < 0) {
		free(list);
		return (int)first;
	}
	*list = (struct process_list){
		.version = m->version,
		.first = (uint32_t)first,
		.n = (uint32_t)m->n,
		.space = new_space(l),
	};
	for (size_t i = 0; i < m->n; i++)
		write_mapping(l, &m->list[i], &l->maps->mappings[list->first + i]);
	r = hash_table_add(&l->lists, &list->node, hash_u64(list->version));
	if (r < 0) {
		(void)extents_give(&l->places, list->first, list->n, now_ns());
		free(list);
		return r;
	}
	*ret = list;
	return 0;
}

/* --- processes --- */

static void unpublish(struct process_lists *l, struct process *p)
{
	if (!p->list)
		return;
	(void)unwind_maps_drop_process(l->maps, p->pid);
	list_unref(l, p->list);
	p->list = NULL;
	l->n_published--;
}

static int publish(struct process_lists *l, struct process *p)
{
	struct process_list *list = find_list(l, p->mappings->version), *old = p->list;
	struct unwind_process element = { .pid = p->pid };
	int r = list ? 0 : new_list(l, p->mappings, &list);

	if (r < 0)
		return r;
	list->refs++;
	element.generation = l->next_generation++;
	element.first = list->first;
	element.n = list->n;
	element.space = list->space;
	element.flags = p->by_fp ? UNWIND_PROCESS_FP : 0;
	r = unwind_maps_set_process(l->maps, &element);
	if (r < 0) {
		list_unref(l, list);
		return r;
	}
	l->n_published += !old;
	list_unref(l, old);
	p->list = list;
	return 0;
}

static void change_way(struct process_lists *l, struct process *p, bool by_fp)
{
	l->n_by_fp += by_fp;
	l->n_by_fp -= p->by_fp;
	p->by_fp = by_fp;
}

void process_lists_forget(struct process_lists *l, struct process *p)
{
	unpublish(l, p);
	change_way(l, p, false);
	for (size_t i = 0; p->list_changed && i < l->n_changed; i++)
		if (l->changed[i] == p)
			l->changed[i] = l->changed[--l->n_changed];
	p->list_changed = false;
}

static void publish_later(struct process_lists *l, struct process *p)
{
	if (p->list_changed)
		return;
	if (l->n_changed == l->changed_capacity) {
		size_t capacity = MAX(l->changed_capacity * 2, (size_t)64);
		struct process **grown = reallocarray(l->changed, capacity, sizeof(*grown));

		if (!grown)
			return;
		l->changed = grown;
		l->changed_capacity = capacity;
	}
	l->changed[l->n_changed++] = p;
	p->list_changed = true;
}

void process_lists_changed(struct process_lists *l, struct process *p, bool replaced)
{
	if (replaced)
		p->list_floor = l->next_generation;
	if (p->exit_ns) {
		process_lists_forget(l, p);
		return;
	}
	change_way(l, p, false);
	publish_later(l, p);
}

void process_lists_set_fp(struct process_lists *l, struct process *p, bool by_fp)
{
	if (p->exit_ns || p->by_fp == by_fp)
		return;
	change_way(l, p, by_fp);
	publish_later(l, p);
}

void process_lists_publish(struct process_lists *l)
{
	for (size_t i = 0; i < l->n_changed; i++) {
		struct process *p = l->changed[i];

		p->list_changed = false;
		if (!p->mappings || !p->mappings->n || p->kernel) {
			unpublish(l, p);
		} else if (publish(l, p) < 0) {
			unpublish(l, p);
			l->refused++;
		}
	}
	l->n_changed = 0;
}

void process_lists_get_stats(const struct process_lists *l, struct process_lists_stats *ret)
{
	*ret = (struct process_lists_stats){
		.published = l->n_published,
		.by_fp = l->n_by_fp,
		.mappings = l->places.used,
		.refused = l->refused,
	};
}
