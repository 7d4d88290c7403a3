// SPDX-License-Identifier: Apache-2.0
/*
 * The entries by pid. Several may have the same pid, one after the other; the start times tell them
 * apart.
 */
#include <errno.h>
#include <string.h>

#include "process/process_internal.h"

#define EXIT_GRACE_NS (100 * NSEC_PER_MSEC)

/* --- properties --- */

void entry_set_comm(struct entry *e, const char *comm, size_t size)
{
	char name[sizeof(e->p.comm)] = { 0 };

	memcpy(name, comm, strnlen(comm, MIN(size, sizeof(name) - 1)));
	if (memcmp(name, e->p.comm, sizeof(name)) == 0)
		return;
	memcpy(e->p.comm, name, sizeof(name));
	e->p.generation++;
}

static void exe_unref(struct exe *exe)
{
	if (exe && --exe->refs == 0)
		free(exe);
}

static void replace_exe(struct entry *e, struct exe *exe)
{
	exe_unref(e->exe);
	e->exe = exe;
	e->p.exe = exe ? exe->path : "";
	e->p.generation++;
}

void entry_share_exe(struct entry *e, struct exe *exe)
{
	if (exe)
		exe->refs++;
	replace_exe(e, exe);
}

int entry_set_exe(struct entry *e, const char *path)
{
	size_t size = strlen(path) + 1;
	struct exe *exe;

	if (strcmp(e->p.exe, path) == 0)
		return 0;
	exe = malloc(sizeof(*exe) + size);
	if (!exe)
		return -ENOMEM;
	exe->refs = 1;
	memcpy(exe->path, path, size);
	replace_exe(e, exe);
	return 0;
}

void entry_set_labels(struct entry *e, struct labels *l)
{
	struct labels *old = e->labels;

	if (l == old) {
		labels_unref(l);
		return;
	}
	e->labels = l;
	e->p.cgroup = l->path;
	e->p.unit = l->unit;
	e->p.container = l->container;
	e->p.generation++;
	labels_unref(old);
}

void entry_tell_change(struct process_table *t, struct entry *e, bool replaced)
{
	if (t->options.changed)
		t->options.changed(&e->p, replaced, t->options.userdata);
}

void entry_set_mappings(struct process_table *t, struct entry *e, struct mappings *m)
{
	mappings_unref(e->p.mappings);
	e->p.mappings = m;
	e->p.written_mappings = NULL;
	entry_tell_change(t, e, true);
}

/* --- entries --- */

static void entry_init(struct entry *e, uint32_t pid, uint64_t start_ns)
{
	*e = (struct entry){
		.p = {
			.pid = pid,
			.start_ns = start_ns,
			.exe = "",
			.cgroup = "",
			.unit = "",
			.container = "",
			.generation = 1,
		},
		.threads = 1,
	};
}

static void entry_done(struct entry *e)
{
	mappings_unref(e->p.mappings);
	free(e->p.mapping_written);
	object_unref(e->p.jit);
	exe_unref(e->exe);
	labels_unref(e->labels);
}

static void entry_remove(struct process_table *t, struct entry *e)
{
	hash_table_remove(&t->entries, &e->node);
	if (t->options.forgotten)
		t->options.forgotten(&e->p, t->options.userdata);
	entry_done(e);
	free(e);
}

struct entry *entry_new(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	struct entry *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	entry_init(e, pid, start_ns);
	e->p.program = ++t->next_program;
	e->losses = t->losses;
	if (hash_table_add(&t->entries, &e->node, hash_u64(pid)) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

struct entry *entry_find(struct process_table *t, uint32_t pid, uint64_t time_ns)
{
	struct hash_node *node = hash_table_first(&t->entries, hash_u64(pid));
	struct entry *best = NULL;

	/* hash_u64() is a permutation: the same hash is the same pid. */
	for (; node; node = hash_node_next(node)) {
		struct entry *e = container_of(node, struct entry, node);

		if (e->p.start_ns <= time_ns && (!best || e->p.start_ns >= best->p.start_ns))
			best = e;
	}
	return best;
}

void entry_end(struct process_table *t, struct entry *e, uint64_t time_ns)
{
	if (e->p.exit_ns && !e->placeholder)
		return;
	e->p.exit_ns = time_ns;
	entry_tell_change(t, e, true);
	if (t->options.gone)
		t->options.gone(e->p.pid, t->options.userdata);
}

/* --- the table --- */

/* The idle task of every CPU: no /proc shows it, and it never ends. */
static int add_idle(struct process_table *t)
{
	struct entry *e = entry_new(t, 0, 0);

	if (!e)
		return -ENOMEM;
	e->p.kernel = true;
	entry_set_comm(e, "swapper", sizeof("swapper"));
	return 0;
}

int process_table_new(struct object_table *objects, const struct process_table_options *options,
		      struct process_table **ret)
{
	_cleanup_(process_table_freep) struct process_table *t = calloc(1, sizeof(*t));
	long ticks = sysconf(_SC_CLK_TCK);
	int r;

	if (!t)
		return -ENOMEM;
	t->objects = objects;
	t->options = *options;
	t->ticks_per_second = ticks > 0 ? (uint64_t)ticks : 100;
	entry_init(&t->nobody, 0, 0);
	t->text.limit = 64 << 20;
	t->labels.unified_fd = -1;
	t->procfs = strdup(options->procfs ?: "/proc");
	if (!t->procfs)
		return -ENOMEM;
	mapped_files_init(&t->files, t->procfs);
	r = label_store_init(&t->labels, options->cgroupfs ?: "/sys/fs/cgroup");
	if (r < 0)
		return r;
	r = add_idle(t);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

static void free_entry(struct hash_node *node, void *userdata)
{
	entry_remove(userdata, container_of(node, struct entry, node));
}

struct process_table *process_table_free(struct process_table *t)
{
	if (!t)
		return NULL;
	hash_table_each(&t->entries, free_entry, t);
	hash_table_done(&t->entries);
	label_store_done(&t->labels);
	mapped_files_done(&t->files);
	buffer_done(&t->text);
	free(t->procfs);
	free(t);
	return NULL;
}

static void count_missed(struct process_table *t, struct entry *e)
{
	t->stats.missed += !e->counted;
	e->counted = true;
}

struct process *process_table_get(struct process_table *t, uint32_t pid, uint64_t cgroup_id,
				  uint64_t time_ns)
{
	struct entry *e = entry_find(t, pid, time_ns);

	if (e && e->losses != t->losses)
		e = entry_verify(t, e, time_ns);
	if (!e)
		e = entry_adopt(t, pid, time_ns);
	if (!e)
		return &t->nobody.p;
	if (e->placeholder || (e->unread && !entry_read_rest(t, e)))
		count_missed(t, e);
	if (e->labels_stale || (cgroup_id && cgroup_id != e->p.cgroup_id))
		entry_update_labels(t, e, cgroup_id, time_ns);
	return &e->p;
}

struct sweep {
	struct process_table *t;
	uint64_t time_ns;
	bool all; /* exits may have been lost */
};

/* An exit whose record was lost, or a leader whose last thread was counted wrongly. */
static void end_unnoticed(struct sweep *s, struct entry *e)
{
	if (e->p.exit_ns || e->p.pid == 0 || (!s->all && !e->leader_exited))
		return;
	if (!pid_exists(s->t, e->p.pid))
		entry_end(s->t, e, MAX(e->last_exit_ns, s->time_ns));
}

static void sweep_entry(struct hash_node *node, void *userdata)
{
	struct entry *e = container_of(node, struct entry, node);
	struct sweep *s = userdata;

	end_unnoticed(s, e);
	if (e->p.exit_ns && e->p.exit_ns + EXIT_GRACE_NS < s->time_ns)
		entry_remove(s->t, e);
}

void process_table_forget(struct process_table *t, uint64_t time_ns)
{
	struct sweep s = { t, time_ns, t->swept_losses != t->losses };

	t->swept_losses = t->losses;
	hash_table_each(&t->entries, sweep_entry, &s);
}

size_t process_table_size(const struct process_table *t)
{
	return t->entries.n;
}

void process_table_get_stats(const struct process_table *t, struct process_table_stats *ret)
{
	*ret = t->stats;
}

uint64_t process_table_missed(const struct process_table *t)
{
	return t->stats.missed;
}
