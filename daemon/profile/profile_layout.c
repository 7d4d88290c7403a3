// SPDX-License-Identifier: Apache-2.0
/*
 * struct profile from the dictionaries, the merged tree and the merged tally, but for its events
 * (profile_events.c). Strings stay where the dictionaries keep them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "profile/profile_load.h"
#include "util/parse.h"

/* --- processes ---------------------------------------------------------------------------------*/

static int lay_out_processes(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.processes;

	p->processes = calloc(d->n + 1, sizeof(*p->processes));
	if (!p->processes)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct process_key *key = dictionary_get(d, (uint32_t)i);
		const char *at = (const char *)(key + 1);
		struct profile_process *process = &p->processes[i];

		process->pid = key->pid;
		process->start_ns = key->start_ns;
		process->comm = key_string(&at);
		process->exe = key_string(&at);
		process->cgroup = key_string(&at);
		process->unit = key_string(&at);
		process->container = key_string(&at);
		memcpy(&process->ppid, at, sizeof(process->ppid));
	}
	p->n_processes = d->n;
	return 0;
}

static int lay_out_threads(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.threads;

	p->threads = calloc(d->n + 1, sizeof(*p->threads));
	if (!p->threads)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct thread_key *key = dictionary_get(d, (uint32_t)i);

		p->threads[i] = (struct profile_thread){
			.process = key->process,
			.tid = key->tid,
			.name = (const char *)(key + 1),
		};
	}
	p->n_threads = d->n;
	return 0;
}

static int compare_mappings(const void *a, const void *b)
{
	const struct record_mapping *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->pgoff < y->pgoff ? -1 : x->pgoff > y->pgoff;
}

static int lay_out_mappings(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.mappings;
	struct record_mapping *list = calloc(d->n + 1, sizeof(*list));

	p->memory->mappings = list;
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct mapping_key *key = dictionary_get(d, (uint32_t)i);

		list[i] = (struct record_mapping){
			.process = key->process,
			.object = key->object,
			.start = key->start,
			.end = key->end,
			.pgoff = key->pgoff,
		};
	}
	qsort(list, d->n, sizeof(*list), compare_mappings);
	for (size_t i = 0; i < d->n; i++) {
		struct profile_process *process = &p->processes[list[i].process];

		if (process->n_mappings++ == 0)
			process->mappings = &list[i];
	}
	return 0;
}

uint64_t profile_frame_address(const struct profile *p, uint32_t frame, uint32_t process)
{
	const struct profile_frame *f = &p->frames[frame];
	const struct profile_object *o = &p->objects[f->object];

	switch (o->kind) {
	case OBJECT_KERNEL:
	case OBJECT_MODULE:
	case OBJECT_BPF:
		return o->base + f->offset;
	case OBJECT_ANON:
	case OBJECT_UNKNOWN:
	case OBJECT_KIND_MAX:
		return f->offset;
	case OBJECT_FILE:
	case OBJECT_VDSO:
		break;
	}
	if (process >= p->n_processes)
		return f->offset;
	for (size_t i = 0; i < p->processes[process].n_mappings; i++) {
		const struct record_mapping *m = &p->processes[process].mappings[i];

		if (m->object == f->object && f->offset >= m->pgoff &&
		    f->offset - m->pgoff < m->end - m->start)
			return m->start + (f->offset - m->pgoff);
	}
	return f->offset;
}

/* --- tree --------------------------------------------------------------------------------------*/

static int lay_out_nodes(struct profile *p)
{
	const struct tree *t = &p->memory->tree;

	p->nodes = malloc(t->n_nodes * sizeof(*p->nodes));
	if (!p->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_nodes; i++)
		p->nodes[i] = (struct profile_node){
			.parent = t->nodes[i].parent,
			.frame = t->nodes[i].frame,
			.leaf_of_half = t->nodes[i].leaf_of_half,
		};
	p->nodes[0].frame = PROFILE_NONE;
	p->n_nodes = t->n_nodes;
	return 0;
}

static int lay_out_cells(struct profile *p)
{
	struct profile_memory *m = p->memory;
	struct tree *t = &m->tree;

	p->cells = malloc((t->n_labels + 1) * sizeof(*p->cells));
	if (!p->cells)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << t->cell_bits; i++) {
		const struct tree_cell *c = &t->cells[i];
		const struct tree_label *l;

		if (!c->label)
			continue;
		l = &t->labels[c->label - 1];
		p->cells[c->label - 1] = (struct profile_cell){
			.event = m->event_index[l->event],
			.node = l->node,
			.thread = l->thread,
			.cpu = l->cpu,
			.access = l->access,
			.kernel_status = l->kernel_status,
			.user_status = l->user_status,
			.guest = l->guest,
			.samples = c->samples,
			.weight = c->weight,
		};
	}
	p->n_cells = t->n_labels;
	p->counters = TAKE_PTR(t->counters);
	p->n_counters = t->n_counters;
	return 0;
}

static int lay_out_accesses(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.accesses;

	p->accesses = calloc(d->n + 1, sizeof(*p->accesses));
	if (!p->accesses)
		return -ENOMEM;
	for (; p->n_accesses < d->n; p->n_accesses++)
		memcpy(&p->accesses[p->n_accesses], dictionary_get(d, (uint32_t)p->n_accesses),
		       sizeof(*p->accesses));
	return 0;
}

/* --- host and notes ----------------------------------------------------------------------------*/

/* "8", or a list of CPUs: how many CPU numbers there are. */
static uint32_t count_cpus(const char *text)
{
	_cleanup_free_ int *list = NULL;
	uint64_t number;
	size_t n;

	if (!text)
		return 0;
	if (parse_u64(text, &number) == 0)
		return (uint32_t)MIN(number, (uint64_t)UINT16_MAX + 1);
	if (parse_cpu_list(text, &list, &n) == 0 && n)
		return (uint32_t)list[n - 1] + 1;
	return 0;
}

/* "0-3;4-7": the CPUs of node 0, of node 1 ... */
static int lay_out_numa(struct profile *p, const char *text)
{
	_cleanup_free_ char *copy = strdup(text ? text : "");
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ";"))) {
		_cleanup_free_ int *list = NULL;
		size_t n = 0;

		if (parse_cpu_list(word, &list, &n) < 0)
			break;
		for (size_t i = 0; i < n; i++)
			if ((uint32_t)list[i] < p->host.cpu_ids)
				p->host.node_of_cpu[list[i]] = p->host.nodes;
		p->host.nodes++;
	}
	p->host.nodes = MAX(p->host.nodes, 1u);
	return 0;
}

static int lay_out_host(struct profile *p)
{
	char **values = p->memory->tally.host.values;

	p->host.hostname = values[HOST_HOSTNAME] ?: "";
	p->host.kernel = values[HOST_KERNEL] ?: "";
	p->host.arch = values[HOST_ARCH] ?: "";
	p->host.cpu_model = values[HOST_CPU_MODEL] ?: "";
	p->host.version = values[HOST_VERSION] ?: "";
	p->host.virtualization = values[HOST_VIRTUALIZATION] ?: "";
	p->host.cpus = count_cpus(values[HOST_CPUS]) ?: p->memory->tally.cpus;
	p->host.cpu_ids = MAX(p->host.cpus, p->memory->tally.cpus);
	p->host.node_of_cpu = calloc((size_t)p->host.cpu_ids + 1, sizeof(*p->host.node_of_cpu));
	return p->host.node_of_cpu ? lay_out_numa(p, values[HOST_NUMA]) : -ENOMEM;
}

static int compare_notes(const void *a, const void *b)
{
	const struct profile_note *x = a, *y = b;

	if (x->realtime_ns != y->realtime_ns)
		return x->realtime_ns < y->realtime_ns ? -1 : 1;
	return strcmp(x->text, y->text);
}

static int lay_out_notes(struct profile *p)
{
	const struct tally *t = &p->memory->tally;

	p->notes = calloc(t->n_notes + 1, sizeof(*p->notes));
	if (!p->notes)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_notes; i++)
		p->notes[i] = (struct profile_note){ t->notes[i].realtime_ns, t->notes[i].text };
	p->n_notes = t->n_notes;
	qsort(p->notes, p->n_notes, sizeof(*p->notes), compare_notes);
	return 0;
}

int profile_lay_out(struct profile *p)
{
	static int (*const parts[])(struct profile *) = {
		profile_lay_out_events, lay_out_processes, lay_out_threads,  lay_out_mappings,
		lay_out_nodes,		lay_out_cells,	   lay_out_accesses, lay_out_host,
		lay_out_notes,		profile_resolve,
	};
	const struct profile_memory *m = p->memory;

	p->first_ns = m->tally.first_ns;
	p->last_ns = m->tally.last_ns;
	p->n_segments = m->load.n_opened;
	p->unreadable = m->load.unopened + m->tally.broken_epochs;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r = parts[i](p);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- no samples --------------------------------------------------------------------------------*/

static void put_moment(struct buffer *b, uint64_t realtime_ns)
{
	time_t t = (time_t)(realtime_ns / NSEC_PER_SEC);
	char text[32];
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buffer_printf(b, "%s", text);
}

static void put_window(struct buffer *b, const struct profile_filter *f)
{
	if (f->since_ns) {
		buffer_printf(b, f->until_ns ? " between " : " since ");
		put_moment(b, f->since_ns);
	}
	if (f->until_ns) {
		buffer_printf(b, f->since_ns ? " and " : " until ");
		put_moment(b, f->until_ns);
	}
}

static void put_names(struct buffer *b, const struct dictionary *names)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *name = dictionary_get(names, (uint32_t)i);

		buffer_printf(b, "%s%s", i ? ", " : "", *name ? name : "[none]");
	}
}

static bool has_name(const struct dictionary *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(dictionary_get(names, (uint32_t)i), name) == 0)
			return true;
	return false;
}

/* Nothing has the name: which names there are. */
static bool put_wrong_name(struct buffer *b, const struct load *l)
{
	const struct profile_filter *f = l->filter;

	if (f->profile && l->profile_names.n && !has_name(&l->profile_names, f->profile)) {
		buffer_printf(
			b, "There are no samples of a profile '%s'; profiles were: ", f->profile);
		put_names(b, &l->profile_names);
	} else if (f->event && l->event_names.n) {
		buffer_printf(b, "There are no samples of '%s'; sampled were: ", f->event);
		put_names(b, &l->event_names);
	} else {
		return false;
	}
	return true;
}

/* The sentence for a profile without a sample. */
char *profile_explain_no_samples(const struct profile *p)
{
	const struct load *l = &p->memory->load;
	const struct profile_filter *f = l->filter;
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	if (l->first_ns == 0) {
		buffer_printf(&b, "The segments hold no samples");
	} else if (p->unreadable && p->n_events == 0) {
		buffer_printf(&b, "No sample of the segments could be read");
	} else if (p->n_events == 0 && put_wrong_name(&b, l)) {
		/* said */
	} else if (f->since_ns || f->until_ns) {
		buffer_printf(&b, "There are no samples");
		put_window(&b, f);
		if (f->comms || f->n_pids || f->units || f->containers || f->n_cpus)
			buffer_printf(&b, " that match");
		buffer_printf(&b, "; the segments reach from ");
		put_moment(&b, l->first_ns);
		buffer_printf(&b, " to ");
		put_moment(&b, l->last_ns);
	} else {
		buffer_printf(&b, "No sample of the segments matches");
	}
	if (p->unreadable)
		buffer_printf(&b, " (%llu damaged parts could not be read)",
			      (unsigned long long)p->unreadable);
	return buffer_take_string(&b);
}
