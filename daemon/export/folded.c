// SPDX-License-Identifier: Apache-2.0
/*
 * Folded stacks: one line per distinct stack, "root label;outermost;...;leaf COUNT".
 *
 * A line is cut at ';', and its count begins behind the last blank: so ';' in a name becomes \x3b,
 * like the control characters. Lines with the same text are merged when they are neighbours, which
 * they are for threads of one process; readers of the format add up the rest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "export/export.h"
#include "util/json.h"

static void put_name(struct buffer *b, const char *name)
{
	size_t size = strlen(name), start = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && name[i] != ';')
			continue;
		text_put_safe(b, name + start, i - start);
		if (i < size)
			buffer_put(b, "\\x3b", 4);
		start = i + 1;
	}
}

static void put_stack(struct buffer *b, const struct profile *p,
		      const struct export_options *options, const struct stack *s)
{
	for (size_t i = s->n; i-- > 0;) {
		buffer_put_byte(b, ';');
		put_name(b, p->functions[profile_node_function(p, s->nodes[i])].name);
		if (options->mark_kernel && frame_is_kernel(p, p->nodes[s->nodes[i]].frame))
			buffer_put(b, "_[k]", 4);
	}
}

struct line {
	uint32_t label, node;
	uint64_t count;
};

/* The lines of one event; NULL when out of memory. */
static struct line *select_lines(const struct profile *p, const struct export_options *options,
				 const struct root_labels *labels, size_t *ret_n)
{
	struct line *lines = calloc(p->n_cells + 1, sizeof(*lines));
	size_t n = 0;

	for (size_t i = 0; i < p->n_cells && lines; i++) {
		const struct profile_cell *c = &p->cells[i];

		if (c->event != options->event)
			continue;
		lines[n++] = (struct line){
			.label = root_label_of(labels, p, c->thread),
			.node = c->node,
			.count = options->weights ? c->weight : c->samples,
		};
	}
	*ret_n = n;
	return lines;
}

static int compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->label != y->label)
		return x->label < y->label ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

int export_folded(const struct profile *p, const struct export_options *options, FILE *out)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	_cleanup_(stack_donep) struct stack s = { 0 };
	_cleanup_(root_labels_donep) struct root_labels labels = { 0 };
	_cleanup_free_ struct line *lines = NULL;
	size_t n;
	int r;

	r = root_labels_init(&labels, p, options->root);
	if (r < 0)
		return r;
	lines = select_lines(p, options, &labels, &n);
	if (!lines)
		return -ENOMEM;
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n;) {
		const struct line *first = &lines[i];
		uint64_t count = 0;

		for (; i < n && compare_lines(first, &lines[i]) == 0; i++)
			count += lines[i].count;
		r = stack_load(&s, p, first->node);
		if (r < 0)
			return r;
		put_name(&b, labels.texts[first->label]);
		put_stack(&b, p, options, &s);
		buffer_printf(&b, " %" PRIu64 "\n", count);
		r = buffer_flush_to(&b, out, false);
		if (r < 0)
			return r;
	}
	return buffer_flush_to(&b, out, true);
}
