// SPDX-License-Identifier: Apache-2.0
/*
 * Folded stacks: one line per distinct stack, "root label;outermost;...;leaf COUNT". Stacks of the
 * same functions are one, wherever in them they are: a line for each node of the flame graph that
 * has samples of its own.
 *
 * A line is cut at ';', and its count begins behind the last blank: so ';' in a name becomes \x3b,
 * like the control characters.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "export/export.h"
#include "export/flame_tree.h"
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

struct folding {
	const struct profile *p;
	const struct export_options *options;
	struct flame_names names;
	struct flame_tree tree;
	uint32_t *path; /* from a node to its root label */
	struct buffer line;
};

static void folding_done(struct folding *f)
{
	flame_names_done(&f->names);
	flame_tree_done(&f->tree);
	free(f->path);
	buffer_done(&f->line);
}

static int folding_init(struct folding *f)
{
	int r = flame_names_init(&f->names, f->p, f->options->root);

	if (r == 0)
		r = flame_tree_init(&f->tree, f->p, f->options->event, &f->names);
	if (r < 0)
		return r;
	f->path = calloc(f->tree.n_nodes, sizeof(*f->path));
	return f->path ? 0 : -ENOMEM;
}

static void put_function(struct folding *f, uint32_t function)
{
	buffer_put_byte(&f->line, ';');
	put_name(&f->line, f->p->functions[function].name);
	if (f->options->mark_kernel && function_is_kernel(f->p, function))
		buffer_put(&f->line, "_[k]", 4);
}

static void put_stack(struct folding *f, uint32_t leaf)
{
	const struct flame_node *nodes = f->tree.nodes;
	size_t n_labels = f->names.labels.n, n = 0;

	for (uint32_t node = leaf; node; node = nodes[node].parent)
		f->path[n++] = node;
	put_name(&f->line, f->names.labels.texts[nodes[f->path[--n]].name]);
	while (n-- > 0)
		put_function(f, (uint32_t)(nodes[f->path[n]].name - n_labels));
	buffer_printf(&f->line, " %" PRIu64 "\n",
		      f->options->weights ? nodes[leaf].self_weight : nodes[leaf].self_samples);
}

int export_folded(const struct profile *p, const struct export_options *options, FILE *out)
{
	_cleanup_(folding_done) struct folding f = { .p = p, .options = options };
	int r = folding_init(&f);

	for (uint32_t i = 1; r == 0 && i < f.tree.n_nodes; i++) {
		if (!f.tree.nodes[i].self_samples)
			continue;
		put_stack(&f, i);
		r = buffer_flush_to(&f.line, out, false);
	}
	return r < 0 ? r : buffer_flush_to(&f.line, out, true);
}
