// SPDX-License-Identifier: Apache-2.0
/*
 * The page (page/, put together by scripts/embed_page.sh) with the profile in it as JSON, which the
 * browser treats as data: its content security policy allows only the script and the style whose
 * hashes it names.
 *
 * The JSON's shape is described in page/model.js, its reader.
 */
#include "export/flame.h"

#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/sample.h"
#include "export/flame_metric.h"
#include "export/flame_tree.h"
#include "export/json_trust.h"
#include "flame_page.h" /* made by the build: flame_page[] */
#include "store/stack_status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/parse.h"

#define MAX_NODES 100000
#define DATA_MARK "@DATA@"

struct page {
	const struct profile *p;
	const struct flame_options *options;
	struct frame_kinds kinds;
	struct flame_names known;
	uint32_t *name_ids; /* by name of flame_tree.h: its number in the page + 1; 0: not used */
	uint32_t *names; /* the other way round */
	size_t n_names;
	struct buffer b;
	struct json j;
};

static void page_done(struct page *page)
{
	frame_kinds_done(&page->kinds);
	flame_names_done(&page->known);
	free(page->name_ids);
	free(page->names);
	buffer_done(&page->b);
}

static uint32_t name_id(struct page *page, uint32_t name)
{
	if (page->name_ids[name] == 0) {
		page->names[page->n_names++] = name;
		page->name_ids[name] = (uint32_t)page->n_names;
	}
	return page->name_ids[name] - 1;
}

/* Share of the frames, and of the leaves, that have no name: by samples. */
static void put_unnamed(struct page *page, const struct flame_tree *t)
{
	const struct profile *p = page->p;
	uint64_t frames = 0, unnamed = 0, leaves = 0;

	for (size_t i = 1; i < t->n_nodes; i++) {
		const struct flame_node *n = &t->nodes[i];
		bool label = n->name < page->known.labels.n;

		if (label)
			continue;
		frames += n->samples;
		if (!p->functions[n->name - page->known.labels.n].known) {
			unnamed += n->samples;
			leaves += n->self_samples;
		}
	}
	json_double(&page->j, "unnamed_frames_ratio",
		    frames ? (double)unnamed / (double)frames : 0);
	json_uint(&page->j, "unnamed_leaves", leaves);
}

/* Nodes in depth-first order: "depth" and "name" tell the shape, the rest is each node's own. */
static void put_nodes(struct page *page, const struct flame_tree *t, uint64_t threshold)
{
	static const char *const columns[] = { "depth", "name", "samples", "weight" };
	struct json *j = &page->j;

	for (size_t column = 0; column < ARRAY_SIZE(columns); column++) {
		uint32_t depth = 0;
		bool kept = true;

		json_open_array(j, columns[column]);
		for (uint32_t i = flame_tree_next(t, 0, true, &depth); i != 0;
		     i = flame_tree_next(t, i, kept, &depth)) {
			const struct flame_node *n = &t->nodes[i];

			kept = flame_tree_value(t, i) >= threshold;
			if (!kept)
				continue;
			json_uint(j, NULL,
				  column == 0	? depth
				  : column == 1 ? name_id(page, n->name)
				  : column == 2 ? n->self_samples
						: n->self_weight);
		}
		json_close_array(j);
	}
}

struct left_out {
	uint64_t samples, weight;
};

/* Sums of the children of a node that are below the threshold. */
static struct left_out children_left_out(const struct flame_tree *t, uint32_t node,
					 uint64_t threshold)
{
	struct left_out sum = { 0 };

	for (uint32_t c = t->nodes[node].first_child; c != 0; c = t->nodes[c].next_sibling) {
		if (flame_tree_value(t, c) >= threshold)
			continue;
		sum.samples += t->nodes[c].samples;
		sum.weight += t->nodes[c].weight;
	}
	return sum;
}

/* What was left out: per node with such children its number in put_nodes(), samples, weight. */
static void put_pruned(struct page *page, const struct flame_tree *t, uint64_t threshold)
{
	struct left_out top = children_left_out(t, 0, threshold);
	struct json *j = &page->j;
	uint32_t depth = 0, number = 0;
	size_t nodes = 0;
	bool kept = true;

	json_open_array(j, "pruned");
	for (uint32_t i = flame_tree_next(t, 0, true, &depth); i != 0;
	     i = flame_tree_next(t, i, kept, &depth)) {
		struct left_out sum;

		kept = flame_tree_value(t, i) >= threshold;
		if (!kept)
			continue;
		sum = children_left_out(t, i, threshold);
		if (sum.samples > 0) {
			json_uint(j, NULL, number);
			json_uint(j, NULL, sum.samples);
			json_uint(j, NULL, sum.weight);
		}
		number++;
	}
	json_close_array(j);
	json_uint(j, "pruned_top_samples", top.samples);
	json_uint(j, "pruned_top_weight", top.weight);
	for (uint32_t i = 0; i < t->n_nodes; i++)
		nodes += flame_tree_value(t, i) < threshold;
	json_uint(j, "pruned_nodes", nodes);
	json_double(j, "pruned_below_percent",
		    nodes ? 100.0 * (double)threshold / (double)flame_tree_value(t, 0) : 0);
}

/* Sums of the whole tree, of the functions the page knows: five numbers each. */
static void put_functions(struct page *page, const struct flame_tree *t)
{
	struct json *j = &page->j;

	json_open_array(j, "functions");
	for (size_t name = page->known.labels.n; name < page->known.n; name++) {
		const struct flame_function *f = &t->functions[name];

		if (page->name_ids[name] == 0 || f->samples == 0)
			continue;
		json_uint(j, NULL, page->name_ids[name] - 1);
		json_uint(j, NULL, f->self_samples);
		json_uint(j, NULL, f->self_weight);
		json_uint(j, NULL, f->samples);
		json_uint(j, NULL, f->weight);
	}
	json_close_array(j);
}

static void put_event_facts(struct page *page, uint32_t event)
{
	const struct profile_event *e = &page->p->events[event];
	const struct profile_ledger *l = &page->p->ledgers[event];
	struct json *j = &page->j;
	struct trust trust;

	trust_of_event(page->p, event, &trust);
	json_string(j, "profile", e->profile);
	json_string(j, "requested", e->requested);
	json_string(j, "fired", e->fired);
	json_string(j, "reason", e->reason);
	json_string(j, "unit", event_counts_time(e) ? "ns" : e->unit);
	json_put_rates(j, e);
	json_uint(j, "seen", l->seen);
	json_uint(j, "expected", l->expected);
	json_uint(j, "lost", trust.lost);
	json_uint(j, "not_delivered", trust.not_delivered);
	json_uint(j, "throttled", l->throttled);
	json_uint(j, "truncated_kernel", e->kernel_status[STACK_TRUNCATED]);
	json_uint(j, "truncated_user", e->user_status[STACK_TRUNCATED]);
	json_open_object(j, "user_stacks");
	for (size_t i = STACK_NONE + 1; i < PROFILE_STATUSES; i++)
		if (e->user_status[i])
			json_uint(j, stack_status_words(i), e->user_status[i]);
	json_close_object(j);
	json_double(j, "running_ratio",
		    l->enabled_ns ? (double)l->running_ns / (double)l->enabled_ns : 1);
}

static int put_event(struct page *page, uint32_t event, FILE *out)
{
	_cleanup_(flame_tree_donep) struct flame_tree t = { 0 };
	const struct flame_options *o = page->options;
	uint64_t threshold;
	int r;

	r = flame_tree_init(&t, page->p, event, &page->known);
	if (r < 0)
		return r;
	threshold =
		flame_tree_threshold(&t, o->min_percent, o->max_nodes ? o->max_nodes : MAX_NODES);
	json_open_object(&page->j, NULL);
	put_event_facts(page, event);
	put_unnamed(page, &t);
	put_nodes(page, &t, threshold);
	put_pruned(page, &t, threshold);
	put_functions(page, &t);
	if (o->metric)
		flame_put_metric(&page->j, &t, o->metric, &page->p->events[event], threshold);
	json_close_object(&page->j);
	return buffer_flush_to(&page->b, out, false);
}

static void put_host(struct json *j, const struct profile *p)
{
	json_open_object(j, "host");
	json_string(j, "hostname", p->host.hostname);
	json_string(j, "kernel", p->host.kernel);
	json_string(j, "arch", p->host.arch);
	json_string(j, "cpu_model", p->host.cpu_model);
	json_string(j, "virtualization", p->host.virtualization);
	json_uint(j, "cpus", p->host.cpus);
	json_close_object(j);
}

static void put_notes(struct json *j, const struct profile *p)
{
	json_open_array(j, "notes");
	for (size_t i = 0; i < p->n_notes; i++) {
		json_open_object(j, NULL);
		json_uint(j, "time_ms", p->notes[i].realtime_ns / NSEC_PER_MSEC);
		json_string(j, "text", p->notes[i].text);
		json_close_object(j);
	}
	json_close_array(j);
}

static void put_facts(struct page *page)
{
	const struct profile *p = page->p;
	struct json *j = &page->j;

	json_uint(j, "format", 1);
	json_string(j, "generator", "ebpf-profiler " VERSION);
	json_string(j, "command", page->options->command);
	json_string(j, "title", page->options->title);
	json_bool(j, "inverted", page->options->inverted);
	json_string(j, "root", stack_root_name(page->options->root));
	put_host(j, p);
	json_uint(j, "first_ms", p->first_ns / NSEC_PER_MSEC);
	json_uint(j, "last_ms", p->last_ns / NSEC_PER_MSEC);
	json_uint(j, "samples", p->samples);
	json_uint(j, "unreadable", p->unreadable);
	json_uint(j, "segments", p->n_segments);
	put_notes(j, p);
}

/* Objects are modules of the page by the same number; one more, nameless, is that of the labels. */
static int put_names(struct page *page, FILE *out)
{
	const struct profile *p = page->p;
	size_t n_labels = page->known.labels.n;
	struct json *j = &page->j;
	int r = 0;

	json_open_array(j, "modules");
	for (size_t i = 0; i < p->n_objects; i++)
		json_string(j, NULL, p->objects[i].name);
	json_close_array(j);
	json_open_array(j, "names");
	for (size_t i = 0; i < page->n_names && r == 0; i++) {
		uint32_t name = page->names[i];

		json_string(j, NULL,
			    name < n_labels ? page->known.labels.texts[name]
					    : p->functions[name - n_labels].name);
		r = buffer_flush_to(&page->b, out, false);
	}
	json_close_array(j);
	json_open_array(j, "name_modules");
	for (size_t i = 0; i < page->n_names; i++)
		json_uint(j, NULL,
			  page->names[i] < n_labels
				  ? p->n_objects
				  : p->functions[page->names[i] - n_labels].object);
	json_close_array(j);
	json_open_array(j, "name_kinds");
	for (size_t i = 0; i < page->n_names; i++)
		json_string(
			j, NULL,
			page->names[i] < n_labels
				? "root"
				: frame_kind_name(frame_kind_of(
					  &page->kinds, p, page->names[i] - (uint32_t)n_labels)));
	json_close_array(j);
	return r;
}

static int put_data(struct page *page, FILE *out)
{
	int r = 0;

	json_init(&page->j, &page->b, false);
	json_open_object(&page->j, NULL);
	put_facts(page);
	json_open_array(&page->j, "events");
	for (uint32_t i = 0; i < page->p->n_events && r == 0; i++)
		if (page->p->events[i].samples > 0)
			r = put_event(page, i, out);
	json_close_array(&page->j);
	if (r == 0)
		r = put_names(page, out);
	json_close_object(&page->j);
	return r;
}

int export_flame(const struct profile *p, const struct flame_options *options, FILE *out)
{
	_cleanup_(page_done) struct page page = { .p = p, .options = options };
	const char *mark = memmem(flame_page, sizeof(flame_page), DATA_MARK, strlen(DATA_MARK));
	size_t before = mark ? (size_t)(mark - (const char *)flame_page) : 0;
	size_t n;
	int r;

	r = frame_kinds_init(&page.kinds, p);
	if (r == 0)
		r = flame_names_init(&page.known, p, options->root);
	if (r < 0)
		return r;
	n = page.known.n + 1;
	page.name_ids = calloc(n, sizeof(*page.name_ids));
	page.names = calloc(n, sizeof(*page.names));
	if (!page.name_ids || !page.names)
		return -ENOMEM;
	buffer_put(&page.b, flame_page, before);
	r = put_data(&page, out);
	if (r < 0)
		return r;
	before += strlen(DATA_MARK);
	buffer_put(&page.b, flame_page + before, sizeof(flame_page) - before);
	return buffer_flush_to(&page.b, out, true);
}
