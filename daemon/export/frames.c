// SPDX-License-Identifier: Apache-2.0
#include "export/frames.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define FLUSH_BYTES (256 * 1024)

static const char *const kind_names[FRAME_KIND_MAX] = {
	[FRAME_KERNEL] = "kernel", [FRAME_MODULE] = "module",	[FRAME_BPF] = "bpf",
	[FRAME_GUEST] = "guest",   [FRAME_LIBRARY] = "library", [FRAME_EXECUTABLE] = "executable",
	[FRAME_JIT] = "jit",	   [FRAME_UNKNOWN] = "unknown",
};

static const char *const root_names[ROOT_MAX] = {
	[ROOT_PROCESS] = "process", [ROOT_THREAD] = "thread",	    [ROOT_PID] = "pid",
	[ROOT_UNIT] = "unit",	    [ROOT_CONTAINER] = "container", [ROOT_ALL] = "all",
};

const char *frame_kind_name(enum frame_kind kind)
{
	return kind_names[kind];
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The executables' paths, sorted: a file is a program when a process was started from it. */
static const char **executables(const struct profile *p)
{
	const char **paths = calloc(p->n_processes + 1, sizeof(*paths));

	if (!paths)
		return NULL;
	for (size_t i = 0; i < p->n_processes; i++)
		paths[i] = p->processes[i].exe ? p->processes[i].exe : "";
	qsort(paths, p->n_processes, sizeof(*paths), compare_strings);
	return paths;
}

static enum frame_kind kind_of_object(const struct profile_object *o, const char **programs,
				      size_t n)
{
	const char *path = o->path ? o->path : "";

	switch (o->kind) {
	case OBJECT_KERNEL:
		return FRAME_KERNEL;
	case OBJECT_MODULE:
		return strcmp(path, RECORD_GUEST) == 0 ? FRAME_GUEST : FRAME_MODULE;
	case OBJECT_BPF:
		return FRAME_BPF;
	case OBJECT_VDSO:
		return FRAME_LIBRARY;
	case OBJECT_ANON:
		return FRAME_JIT;
	case OBJECT_FILE:
		if (*path && bsearch(&path, programs, n, sizeof(*programs), compare_strings))
			return FRAME_EXECUTABLE;
		return strstr(path, ".so") ? FRAME_LIBRARY : FRAME_EXECUTABLE;
	default:
		return FRAME_UNKNOWN;
	}
}

int frame_kinds_init(struct frame_kinds *k, const struct profile *p)
{
	_cleanup_free_ const char **programs = executables(p);
	uint8_t *of_object = calloc(p->n_objects + 1, 1);

	if (!programs || !of_object) {
		free(of_object);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->n_objects; i++)
		of_object[i] = (uint8_t)kind_of_object(&p->objects[i], programs, p->n_processes);
	k->of_object = of_object;
	return 0;
}

void frame_kinds_done(struct frame_kinds *k)
{
	free(k->of_object);
	k->of_object = NULL;
}

enum frame_kind frame_kind_of(const struct frame_kinds *k, const struct profile *p,
			      uint32_t function)
{
	const struct profile_function *f = &p->functions[function];

	return f->known ? (enum frame_kind)k->of_object[f->object] : FRAME_UNKNOWN;
}

static bool is_kernel(const struct profile *p, uint32_t object, uint64_t offset)
{
	switch (p->objects[object].kind) {
	case OBJECT_KERNEL:
	case OBJECT_MODULE:
	case OBJECT_BPF:
		return true;
	case OBJECT_UNKNOWN:
		return offset >> 63;
	default:
		return false;
	}
}

bool frame_is_kernel(const struct profile *p, uint32_t frame)
{
	return is_kernel(p, p->frames[frame].object, p->frames[frame].offset);
}

bool function_is_kernel(const struct profile *p, uint32_t function)
{
	const struct profile_function *f = &p->functions[function];

	return is_kernel(p, f->object, f->start) &&
	       strcmp(p->objects[f->object].path, RECORD_GUEST) != 0;
}

int stack_load(struct stack *s, const struct profile *p, uint32_t leaf)
{
	size_t n = 0;

	for (uint32_t node = leaf; node != 0; node = p->nodes[node].parent) {
		if (n == s->capacity) {
			size_t capacity = MAX(s->capacity * 2, (size_t)256);
			uint32_t *nodes = reallocarray(s->nodes, capacity, sizeof(*nodes));

			if (!nodes)
				return -ENOMEM;
			s->nodes = nodes;
			s->capacity = capacity;
		}
		s->nodes[n++] = node;
	}
	s->n = n;
	return 0;
}

void stack_done(struct stack *s)
{
	free(s->nodes);
	*s = (struct stack){ 0 };
}

int stack_root_parse(const char *s, enum stack_root *ret)
{
	for (int i = 0; i < ROOT_MAX; i++)
		if (strcmp(s, root_names[i]) == 0) {
			*ret = (enum stack_root)i;
			return 0;
		}
	return -EINVAL;
}

const char *stack_root_name(enum stack_root root)
{
	return root_names[root];
}

static char *root_label(const struct profile *p, enum stack_root root, size_t thread)
{
	const struct profile_thread *t = thread < p->n_threads ? &p->threads[thread] : NULL;
	const struct profile_process *owner = t ? &p->processes[t->process] : NULL;
	const char *name = owner && owner->comm ? owner->comm : "";
	char *label = NULL;
	int r;

	if (root == ROOT_ALL || !owner)
		r = asprintf(&label, "all");
	else if (root == ROOT_UNIT)
		r = asprintf(&label, "%s", owner->unit && *owner->unit ? owner->unit : "(no unit)");
	else if (root == ROOT_CONTAINER)
		r = asprintf(&label, "%.12s",
			     owner->container && *owner->container ? owner->container : "(host)");
	else if (root == ROOT_THREAD && t->name && *t->name)
		r = asprintf(&label, "%s", t->name);
	else if (root == ROOT_PID)
		r = asprintf(&label, "%s (%u)", name, owner->pid);
	else if (*name)
		r = asprintf(&label, "%s", name);
	else
		r = asprintf(&label, "pid %u", owner->pid);
	return r < 0 ? NULL : label;
}

struct thread_label {
	char *text;
	size_t thread;
};

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct thread_label *)a)->text,
		      ((const struct thread_label *)b)->text);
}

int root_labels_init(struct root_labels *l, const struct profile *p, enum stack_root root)
{
	size_t n = p->n_threads + 1;
	_cleanup_free_ struct thread_label *all = calloc(n, sizeof(*all));
	_cleanup_(root_labels_donep) struct root_labels made = {
		.texts = calloc(n, sizeof(*made.texts)),
		.of_thread = calloc(n, sizeof(*made.of_thread)),
	};
	bool failed = !all || !made.texts || !made.of_thread;

	for (size_t i = 0; i < n && !failed; i++) {
		all[i] = (struct thread_label){ root_label(p, root, i), i };
		failed = !all[i].text;
	}
	if (!failed)
		qsort(all, n, sizeof(*all), compare_labels);
	for (size_t i = 0; i < n && all; i++) {
		bool again = !failed && i > 0 && strcmp(all[i].text, made.texts[made.n - 1]) == 0;

		if (failed || again)
			free(all[i].text);
		else
			made.texts[made.n++] = all[i].text;
		if (!failed)
			made.of_thread[all[i].thread] = (uint32_t)made.n - 1;
	}
	if (failed)
		return -ENOMEM;
	*l = made;
	made = (struct root_labels){ 0 };
	return 0;
}

void root_labels_done(struct root_labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->texts[i]);
	free(l->texts);
	free(l->of_thread);
	*l = (struct root_labels){ 0 };
}

void trust_of_event(const struct profile *p, uint32_t event, struct trust *ret)
{
	const struct profile_ledger *l = &p->ledgers[event];

	*ret = (struct trust){
		.lost = profile_lost(l),
		.not_delivered = profile_not_delivered(l),
	};
}

bool event_counts_time(const struct profile_event *e)
{
	bool clock = e->type == PERF_TYPE_SOFTWARE && (e->config == PERF_COUNT_SW_CPU_CLOCK ||
						       e->config == PERF_COUNT_SW_TASK_CLOCK);

	return clock || (e->unit && strcmp(e->unit, "ns") == 0);
}

int buffer_flush_to(struct buffer *b, FILE *out, bool all)
{
	if (b->error)
		return b->error;
	if (b->size < FLUSH_BYTES && !all)
		return 0;
	errno = 0;
	if (fwrite(b->data, 1, b->size, out) != b->size || (all && fflush(out) != 0))
		return errno > 0 ? -errno : -EIO;
	buffer_reset(b);
	return 0;
}
