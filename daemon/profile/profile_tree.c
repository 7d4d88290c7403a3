// SPDX-License-Identifier: Apache-2.0
#include "profile/profile_tree.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "profile/profile_dictionary.h"
#include "util/cleanup.h"
#include "util/prefetch.h"

#define PATH_FACTOR 0x9e3779b97f4a7c15ULL
#define LEAF_FRAME 0xd1b54a32d192ed03ULL
#define MIN_BITS 12
#define LARGE_BITS 20
#define MAX_NODES (1u << 31)
/* How far ahead of its use a line is asked for while merging. */
#define PREFETCH_SLOTS 24
#define PREFETCH_NODES 12
/* One part in this many of a table tells how much of it is new. */
#define MERGE_SAMPLE 64
/* Depths from the leaf of a new stack whose lines are asked for together. */
#define PREFETCH_DEPTHS 8

/* Zeroed memory for a table that is read all over: huge pages, if there are any, save TLB misses.
 */
static void *table_new(size_t n, size_t size)
{
	void *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, n * size, MADV_HUGEPAGE);
	return p;
}

/* The size that leaves a third free; small tables grow fourfold, for growing means moving all. */
static unsigned int table_bits(unsigned int bits, size_t need)
{
	while (need * 3 > (size_t)2 << bits)
		bits += bits < LARGE_BITS ? 2 : 1;
	return bits;
}

/* An array that grows at its end, and is read all over. */
static void *array_grow(void *array, size_t n, size_t size)
{
	const uintptr_t page = 4096, huge = 2 << 20;
	void *grown = reallocarray(array, n, size);

	if (grown && n * size >= 2 * huge)
		madvise((void *)(((uintptr_t)grown + page - 1) & -page), n * size - 2 * page,
			MADV_HUGEPAGE);
	return grown;
}

static void table_free(void *p, size_t n, size_t size)
{
	if (p)
		munmap(p, n * size);
}

int tree_init(struct tree *t, uint64_t seed, size_t n_counters)
{
	*t = (struct tree){
		.seed = seed,
		.node_bits = MIN_BITS,
		.cell_bits = MIN_BITS,
		.n_counters = n_counters,
	};
	t->nodes_capacity = 1024;
	t->nodes = malloc(t->nodes_capacity * sizeof(*t->nodes));
	t->node_slots = table_new((size_t)1 << MIN_BITS, sizeof(*t->node_slots));
	t->cells = table_new((size_t)1 << MIN_BITS, sizeof(*t->cells));
	if (!t->nodes || !t->node_slots || !t->cells) {
		tree_done(t);
		return -ENOMEM;
	}
	t->nodes[t->n_nodes++] = (struct tree_node){ .hash = mix64(seed) };
	return 0;
}

void tree_done(struct tree *t)
{
	table_free(t->node_slots, (size_t)1 << t->node_bits, sizeof(*t->node_slots));
	table_free(t->cells, (size_t)1 << t->cell_bits, sizeof(*t->cells));
	free(t->nodes);
	free(t->labels);
	free(t->counters);
	*t = (struct tree){ 0 };
}

/* --- paths -------------------------------------------------------------------------------------*/

/* The random number of a frame; made anew each time, for a table of them would not fit the cache.
 */
static inline uint64_t frame_hash(uint64_t seed, uint32_t frame)
{
	uint64_t h = (frame ^ seed) * 0xbf58476d1ce4e5b9ULL;

	return (h ^ h >> 29) * 0x94d049bb133111ebULL;
}

static int path_reserve(struct tree_path *p, uint32_t n)
{
	uint32_t capacity = MAX(n + 64, p->capacity * 2);
	uint32_t *frames, *nodes;
	uint64_t *hashes;

	frames = reallocarray(p->frames, capacity, sizeof(*frames));
	if (frames)
		p->frames = frames;
	hashes = reallocarray(p->hashes, capacity + 1, sizeof(*hashes));
	if (hashes)
		p->hashes = hashes;
	nodes = reallocarray(p->nodes, capacity + 1, sizeof(*nodes));
	if (nodes)
		p->nodes = nodes;
	if (!frames || !hashes || !nodes)
		return -ENOMEM;
	p->capacity = capacity;
	return 0;
}

/* The first frames that are the same and end no half in one of the two stacks only. */
static uint32_t path_common(const struct tree_path *p, const uint32_t *frames, uint32_t n,
			    uint32_t user)
{
	uint32_t shorter = MIN(p->n, n), common = 0;

	if (p->n != n && shorter)
		shorter--;
	if (p->user != user) {
		uint32_t same = MIN(p->user, user);

		shorter = MIN(shorter, same ? same - 1 : 0);
	}
	while (common < shorter && p->frames[common] == frames[n - 1 - common])
		common++;
	return common;
}

int tree_path_set(struct tree_path *p, const uint32_t *frames, uint32_t kernel, uint32_t user,
		  const uint32_t *frame_ids, uint64_t seed)
{
	uint32_t n = kernel + user, common;
	uint64_t h;

	if (n >= p->capacity) {
		int r = path_reserve(p, n + 1);

		if (r < 0)
			return r;
	}
	common = path_common(p, frames, n, user);
	h = common ? p->hashes[common] : 0;
	for (uint32_t i = common; i < n; i++) {
		uint32_t frame = frames[n - 1 - i];

		h = h * PATH_FACTOR + frame_hash(seed, frame_ids[frame]);
		if (i + 1 == user || i + 1 == n)
			h += LEAF_FRAME;
		p->frames[i] = frame;
		p->hashes[i + 1] = h;
		p->nodes[i + 1] = 0;
	}
	p->hashes[0] = p->nodes[0] = 0;
	p->n = n;
	p->user = user;
	return 0;
}

void tree_path_forget(struct tree_path *p)
{
	p->n = p->user = 0;
}

void tree_path_done(struct tree_path *p)
{
	free(p->frames);
	free(p->hashes);
	free(p->nodes);
	*p = (struct tree_path){ 0 };
}

/* --- nodes -------------------------------------------------------------------------------------*/

static size_t node_slot(const struct tree *t, uint64_t hash)
{
	return hash >> (64 - t->node_bits);
}

static int node_slots_grow(struct tree *t, unsigned int bits)
{
	size_t mask = ((size_t)1 << bits) - 1;
	uint64_t *slots = table_new(mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t id = 1; id < t->n_nodes; id++) {
		uint64_t hash = t->nodes[id].hash;
		size_t at = hash >> (64 - bits);

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = hash << 32 | id;
	}
	table_free(t->node_slots, (size_t)1 << t->node_bits, sizeof(*slots));
	t->node_slots = slots;
	t->node_bits = bits;
	return 0;
}

/* Room for `more` nodes: at least a third of the slots stays free. */
static int nodes_reserve(struct tree *t, size_t more)
{
	size_t need = t->n_nodes + more;
	unsigned int bits;

	if (need > MAX_NODES)
		return -E2BIG;
	if (need > t->nodes_capacity) {
		size_t capacity = MAX(need, t->nodes_capacity * 2);
		struct tree_node *nodes = array_grow(t->nodes, capacity, sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		t->nodes = nodes;
		t->nodes_capacity = capacity;
	}
	bits = table_bits(t->node_bits, need);
	return bits == t->node_bits ? 0 : node_slots_grow(t, bits);
}

static uint32_t node_find(const struct tree *t, const struct tree_node *wanted, bool with_parent)
{
	size_t mask = ((size_t)1 << t->node_bits) - 1;

	for (size_t at = node_slot(t, wanted->hash); t->node_slots[at]; at = (at + 1) & mask) {
		const struct tree_node *n;

		if (t->node_slots[at] >> 32 != (uint32_t)wanted->hash)
			continue;
		n = &t->nodes[(uint32_t)t->node_slots[at]];
		if (n->hash == wanted->hash && n->frame == wanted->frame &&
		    n->leaf_of_half == wanted->leaf_of_half &&
		    (!with_parent || n->parent == wanted->parent))
			return (uint32_t)t->node_slots[at];
	}
	return TREE_NONE;
}

/* There is room. */
static uint32_t node_add(struct tree *t, const struct tree_node *node)
{
	size_t mask = ((size_t)1 << t->node_bits) - 1, at = node_slot(t, node->hash);
	uint32_t id = (uint32_t)t->n_nodes++;

	t->nodes[id] = *node;
	while (t->node_slots[at])
		at = (at + 1) & mask;
	t->node_slots[at] = node->hash << 32 | id;
	return id;
}

static struct tree_node path_node(const struct tree_path *p, uint32_t depth,
				  const uint32_t *frame_ids)
{
	return (struct tree_node){
		.hash = p->hashes[depth],
		.frame = frame_ids[p->frames[depth - 1]],
		.leaf_of_half = depth == p->user || depth == p->n,
	};
}

/* The deepest depth of the path whose node exists; it is noted in the path. */
static uint32_t path_known(const struct tree *t, const struct tree_path *p,
			   const uint32_t *frame_ids)
{
	uint32_t depth;

	for (depth = p->n; depth && !p->nodes[depth]; depth--) {
		struct tree_node node = path_node(p, depth, frame_ids);
		uint32_t id = node_find(t, &node, false);

		if (id == TREE_NONE)
			continue;
		p->nodes[depth] = id;
		break;
	}
	return depth;
}

static int path_leaf(struct tree *t, struct tree_path *p, const uint32_t *frame_ids,
		     uint32_t *ret_node)
{
	uint32_t depth;
	int r;

	r = nodes_reserve(t, p->n);
	if (r < 0)
		return r;
	for (depth = p->n; depth + PREFETCH_DEPTHS > p->n && depth && !p->nodes[depth]; depth--)
		prefetch_to_write(&t->node_slots[node_slot(t, p->hashes[depth])]);
	for (depth = path_known(t, p, frame_ids) + 1; depth <= p->n; depth++) {
		struct tree_node node = path_node(p, depth, frame_ids);

		node.parent = p->nodes[depth - 1];
		p->nodes[depth] = node_add(t, &node);
	}
	*ret_node = p->nodes[p->n];
	return 0;
}

uint32_t tree_find(const struct tree *t, const struct tree_path *p, const uint32_t *frame_ids)
{
	return path_known(t, p, frame_ids) == p->n ? p->nodes[p->n] : TREE_NONE;
}

/* --- cells -------------------------------------------------------------------------------------*/

static uint64_t cell_key(uint64_t seed, uint64_t path_hash, const struct tree_label *l)
{
	uint64_t key = mix64(path_hash ^ (seed + l->event));

	if (l->plain)
		return key;
	key = mix64(key ^ ((uint64_t)l->thread << 32 | l->cpu));
	return mix64(key ^ ((uint64_t)l->access << 16 | l->kernel_status << 8 | l->guest << 7 |
			    l->user_status));
}

/* The cell of `key`, or the free one where it belongs. */
static struct tree_cell *cell_find(struct tree_cell *cells, unsigned int bits, uint64_t key)
{
	size_t mask = ((size_t)1 << bits) - 1, at = key >> (64 - bits);

	while (cells[at].label && cells[at].key != key)
		at = (at + 1) & mask;
	return &cells[at];
}

static int labels_grow(struct tree *t, size_t capacity)
{
	struct tree_label *labels = array_grow(t->labels, capacity, sizeof(*labels));
	struct profile_counter *counters;

	if (!labels)
		return -ENOMEM;
	t->labels = labels;
	if (t->n_counters) {
		counters = array_grow(t->counters, capacity, t->n_counters * sizeof(*counters));
		if (!counters)
			return -ENOMEM;
		t->counters = counters;
	}
	t->labels_capacity = capacity;
	return 0;
}

/* There is room. */
static void label_add(struct tree *t, struct tree_cell *cell, const struct tree_label *label)
{
	if (t->n_counters)
		memset(&t->counters[t->n_labels * t->n_counters], 0,
		       t->n_counters * sizeof(*t->counters));
	t->labels[t->n_labels++] = *label;
	cell->label = (uint32_t)t->n_labels;
}

static void counters_add(struct tree *t, const struct tree_cell *cell,
			 const struct profile_counter *more)
{
	struct profile_counter *c = &t->counters[(cell->label - 1) * t->n_counters];

	for (size_t i = 0; i < t->n_counters; i++)
		profile_counter_add(&c[i], &more[i]);
}

/* Room for `more` cells: at least a third stays free. */
static int cells_reserve(struct tree *t, size_t more)
{
	size_t need = t->n_labels + more, size = (size_t)1 << t->cell_bits;
	unsigned int bits;
	struct tree_cell *cells;

	if (need >= UINT32_MAX)
		return -E2BIG;
	if (need > t->labels_capacity &&
	    labels_grow(t, MAX(need + 1024, t->labels_capacity * 2)) < 0)
		return -ENOMEM;
	bits = table_bits(t->cell_bits, need);
	if (bits == t->cell_bits)
		return 0;
	cells = table_new((size_t)1 << bits, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		if (t->cells[i].label)
			*cell_find(cells, bits, t->cells[i].key) = t->cells[i];
	table_free(t->cells, size, sizeof(*cells));
	t->cells = cells;
	t->cell_bits = bits;
	return 0;
}

uint64_t tree_key(const struct tree *t, const struct tree_path *p, const struct tree_label *l)
{
	uint64_t key = cell_key(t->seed, p->hashes[p->n], l);

	prefetch_to_write(&t->cells[key >> (64 - t->cell_bits)]);
	return key;
}

int tree_count(struct tree *t, uint64_t key, struct tree_path *p, const uint32_t *frame_ids,
	       struct tree_label *label, uint64_t weight, const struct profile_counter *counters)
{
	struct tree_cell *cell = cell_find(t->cells, t->cell_bits, key);
	int r;

	if (!cell->label) {
		r = path_leaf(t, p, frame_ids, &label->node);
		if (r < 0)
			return r;
		r = cells_reserve(t, 1);
		if (r < 0)
			return r;
		cell = cell_find(t->cells, t->cell_bits, key);
		cell->key = key;
		label_add(t, cell, label);
	}
	cell->samples++;
	cell->weight += weight;
	if (counters)
		counters_add(t, cell, counters);
	return 0;
}

/* --- merging -----------------------------------------------------------------------------------*/

/*
 * The ids of from's nodes in `t`. Here the parents are known, so that a node is the same when hash,
 * frame and parent are.
 */
static int merge_nodes(struct tree *t, const struct tree *from, uint32_t *ids)
{
	ids[0] = 0;
	for (size_t i = 1; i < from->n_nodes; i++) {
		struct tree_node node = from->nodes[i];
		uint32_t id;

		if (i + PREFETCH_SLOTS < from->n_nodes)
			prefetch(
				&t->node_slots[node_slot(t, from->nodes[i + PREFETCH_SLOTS].hash)]);
		if (i + PREFETCH_NODES < from->n_nodes)
			prefetch(&t->nodes[(uint32_t)t->node_slots[node_slot(
				t, from->nodes[i + PREFETCH_NODES].hash)]]);
		node.parent = ids[node.parent];
		id = node_find(t, &node, true);
		if (id == TREE_NONE) {
			int r = nodes_reserve(t, 1);

			if (r < 0)
				return r;
			id = node_add(t, &node);
		}
		ids[i] = id;
	}
	return 0;
}

/* How many cells of `from` are new to `t`, about: keys are random, so that a part tells. */
static size_t count_new_cells(const struct tree *t, const struct tree *from)
{
	size_t part = ((size_t)1 << from->cell_bits) / MERGE_SAMPLE, n = 0;

	for (size_t i = 0; i < part; i++)
		if (from->cells[i].label &&
		    !cell_find(t->cells, t->cell_bits, from->cells[i].key)->label)
			n++;
	return MIN(n * MERGE_SAMPLE + n * MERGE_SAMPLE / 16, from->n_labels);
}

/* The two halves of a merge, side by side: the cells know their nodes by from's ids at first. */
struct merge {
	struct tree *tree;
	const struct tree *from;
	int error; /* of the cells */
};

/*
 * Both tables are in the order of their keys, so that this walks through memory forwards. But then
 * one end of the tree's fills up first: it must have its final size before.
 */
static void *merge_cells(void *userdata)
{
	struct merge *m = userdata;
	const struct tree *from = m->from;
	struct tree *t = m->tree;
	int r = cells_reserve(t, count_new_cells(t, from));

	for (size_t i = 0; r >= 0 && i < (size_t)1 << from->cell_bits; i++) {
		const struct tree_cell *c = &from->cells[i];
		struct tree_cell *cell;

		if (!c->label)
			continue;
		cell = cell_find(t->cells, t->cell_bits, c->key);
		if (!cell->label) {
			r = cells_reserve(t, 1);
			if (r < 0)
				break;
			cell = cell_find(t->cells, t->cell_bits, c->key);
			cell->key = c->key;
			label_add(t, cell, &from->labels[c->label - 1]);
		}
		cell->samples += c->samples;
		cell->weight += c->weight;
		if (t->n_counters)
			counters_add(t, cell, &from->counters[(c->label - 1) * t->n_counters]);
	}
	m->error = r;
	return NULL;
}

int tree_merge(struct tree *t, const struct tree *from)
{
	uint32_t *ids = malloc(from->n_nodes * sizeof(*ids));
	struct merge m = { .tree = t, .from = from };
	size_t n_labels = t->n_labels;
	pthread_t thread;
	bool parallel;
	int r;

	if (!ids)
		return -ENOMEM;
	parallel = pthread_create(&thread, NULL, merge_cells, &m) == 0;
	r = merge_nodes(t, from, ids);
	if (parallel)
		pthread_join(thread, NULL);
	else
		merge_cells(&m);
	for (size_t i = n_labels; r >= 0 && i < t->n_labels; i++)
		t->labels[i].node = ids[t->labels[i].node];
	free(ids);
	return r < 0 ? r : m.error;
}
