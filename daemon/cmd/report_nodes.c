// SPDX-License-Identifier: Apache-2.0
/*
 * A small Bloom filter of the rows above each node tells for nine of ten nodes that no ancestor is
 * of the same row; the rest walk up.
 */
#include "cmd/report_nodes.h"

#include <errno.h>
#include <stdlib.h>

#include "profile/profile_dictionary.h"
#include "util/prefetch.h"

static void set_bit(uint8_t *map, size_t i)
{
	map[i / 8] |= (uint8_t)(1 << i % 8);
}

static struct report_path path_of(uint32_t row)
{
	uint64_t h = mix64(row);

	return (struct report_path){ { 1ULL << (h & 63) | 1ULL << (h >> 6 & 63),
				       1ULL << (h >> 12 & 63) | 1ULL << (h >> 18 & 63) } };
}

static bool may_have(struct report_path path, struct report_path row)
{
	return (path.half[0] & row.half[0]) == row.half[0] &&
	       (path.half[1] & row.half[1]) == row.half[1];
}

static bool path_has_row(const struct profile *p, const struct report_nodes *n, uint32_t node,
			 uint32_t row, struct report_path bits)
{
	for (; may_have(n->scratch[node].path, bits); node = p->nodes[node].parent)
		if (n->row[node] == row)
			return true;
	return false;
}

/* Row and known or not, for both look-ups of every frame. */
struct frame_rows {
	uint32_t row[2];
	bool known[2];
};

static struct frame_rows *frame_rows_new(const struct profile *p, const uint32_t *row_of)
{
	struct frame_rows *frames = malloc((p->n_frames + 1) * sizeof(*frames));

	for (size_t i = 0; frames && i < p->n_frames; i++)
		for (size_t k = 0; k < 2; k++) {
			uint32_t function = p->frames[i].function[k];

			frames[i].row[k] = row_of[function];
			frames[i].known[k] = p->functions[function].known;
		}
	return frames;
}

int report_nodes_init(struct report_nodes *n, const struct profile *p, const uint32_t *row_of)
{
	_cleanup_free_ struct frame_rows *frames = frame_rows_new(p, row_of);

	n->row = malloc(p->n_nodes * sizeof(*n->row));
	n->first = calloc(p->n_nodes / 8 + 1, 1);
	n->unknown = calloc(p->n_nodes / 8 + 1, 1);
	n->scratch = malloc(p->n_nodes * sizeof(*n->scratch));
	if (!frames || !n->row || !n->first || !n->unknown || !n->scratch)
		return -ENOMEM;
	n->row[0] = 0;
	n->scratch[0].path = (struct report_path){ { 0, 0 } };
	set_bit(n->unknown, 0);
	for (uint32_t i = 1; i < p->n_nodes; i++) {
		const struct profile_node *node = &p->nodes[i];
		const struct frame_rows *f = &frames[node->frame];
		uint32_t row = f->row[!node->leaf_of_half];
		struct report_path path = n->scratch[node->parent].path, own = path_of(row);

		if (i + REPORT_AHEAD < p->n_nodes) {
			prefetch(&frames[node[REPORT_AHEAD].frame]);
			prefetch(&n->scratch[node[REPORT_AHEAD].parent]);
		}
		n->row[i] = row;
		if (!path_has_row(p, n, node->parent, row, own))
			set_bit(n->first, i);
		if (!f->known[!node->leaf_of_half])
			set_bit(n->unknown, i);
		n->scratch[i].path = (struct report_path){ { path.half[0] | own.half[0],
							     path.half[1] | own.half[1] } };
	}
	return 0;
}

void report_nodes_done(struct report_nodes *n)
{
	free(n->row);
	free(n->first);
	free(n->unknown);
	free(n->scratch);
}
