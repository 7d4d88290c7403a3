// SPDX-License-Identifier: Apache-2.0
/*
 * Loading: threads take epochs from the sources, each counts into its own tree and tally, and what
 * they counted is merged and laid out as struct profile.
 */
#include "profile/profile.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "profile/memory_access.h"
#include "profile/profile_load.h"
#include "util/parse.h"

#define CELL_DIMENSIONS (PROFILE_BY_THREAD | PROFILE_BY_CPU | PROFILE_BY_STATUS | PROFILE_BY_ACCESS)

struct worker {
	struct load *load;
	struct tree tree;
	struct tally tally;
	pthread_t thread;
	struct worker *other; /* while merging: whose tree is to be added */
	int error;
};

/* --- the shared part ---------------------------------------------------------------------------*/

static void random_seeds(uint64_t *seeds, size_t n)
{
	if (getrandom(seeds, n * sizeof(*seeds), 0) == (ssize_t)(n * sizeof(*seeds)))
		return;
	for (size_t i = 0; i < n; i++)
		seeds[i] = mix64((uintptr_t)seeds + i);
}

int load_init(struct load *l, const struct profile_filter *filter, unsigned int dimensions)
{
	static const struct profile_filter everything;
	uint64_t seeds[2];

	random_seeds(seeds, ARRAY_SIZE(seeds));
	*l = (struct load){
		.filter = filter ? filter : &everything,
		.dimensions = dimensions,
		.seed = seeds[0],
	};
	while (l->filter->counters && l->n_counters < PROFILE_MAX_COUNTERS &&
	       l->filter->counters[l->n_counters])
		l->n_counters++;
	pthread_mutex_init(&l->lock, NULL);
	struct dictionary *all[] = { &l->boots,	 &l->event_names, &l->profile_names, &l->events,
				     &l->objects, &l->processes,  &l->mappings,	     &l->threads,
				     &l->frames,  &l->functions,  &l->accesses };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		dictionary_init(all[i], mix64(seeds[1] + i));
	return 0;
}

void load_close_sources(struct load *l)
{
	for (size_t i = 0; i < l->n_sources; i++) {
		segment_reader_close(l->sources[i].reader);
		free(l->sources[i].clocks);
		free(l->sources[i].path);
	}
	free(l->sources);
	l->sources = NULL;
	l->n_sources = 0;
}

void load_done(struct load *l)
{
	load_close_sources(l);
	dictionary_done(&l->boots);
	dictionary_done(&l->event_names);
	dictionary_done(&l->profile_names);
	dictionary_done(&l->events);
	dictionary_done(&l->objects);
	dictionary_done(&l->processes);
	dictionary_done(&l->mappings);
	dictionary_done(&l->threads);
	dictionary_done(&l->frames);
	dictionary_done(&l->functions);
	dictionary_done(&l->accesses);
	free(l->error_text);
	free(l->unopened_text);
	pthread_mutex_destroy(&l->lock);
}

/* --- counting ----------------------------------------------------------------------------------*/

/* A sample whose cell is on its way from memory. */
struct pending {
	struct tree_path *path; /* NULL: none */
	struct tree_label label;
	uint64_t key, weight;
	const struct profile_counter *counters;
};

static int count_pending(struct worker *w, const struct epoch *e, struct pending *p)
{
	struct tree_path *path = p->path;

	p->path = NULL;
	return path ? tree_count(&w->tree, p->key, path, e->frames.ids, &p->label, p->weight,
				 p->counters)
		    : 0;
}

static struct tree_label label_of(unsigned int dimensions, const struct profile_sample *s)
{
	struct tree_label l = {
		.event = s->event,
		.thread = dimensions & PROFILE_BY_THREAD ? s->thread : PROFILE_NONE,
		.cpu = dimensions & PROFILE_BY_CPU ? s->cpu : PROFILE_NONE,
		.plain = !(dimensions & CELL_DIMENSIONS),
	};

	if (dimensions & PROFILE_BY_STATUS) {
		l.kernel_status = s->kernel_status;
		l.user_status = s->user_status;
		l.guest = s->guest;
	}
	return l;
}

static enum memory_access_part access_part(unsigned int dimensions)
{
	static const unsigned int by[] = {
		[ACCESS_BY_SOURCE] = PROFILE_BY_SOURCE,	  [ACCESS_BY_TLB] = PROFILE_BY_TLB,
		[ACCESS_BY_LATENCY] = PROFILE_BY_LATENCY, [ACCESS_BY_ADDRESS] = PROFILE_BY_ADDRESS,
		[ACCESS_BY_PAGE] = PROFILE_BY_PAGE,
	};
	unsigned int i = 0;

	while (i + 1 < ARRAY_SIZE(by) && !(dimensions & by[i]))
		i++;
	return (enum memory_access_part)i;
}

static int find_access(struct load *l, const struct record_access *a, uint32_t *ret)
{
	uint64_t key = memory_access_key(access_part(l->dimensions), a);

	return dictionary_add(&l->accesses, &key, sizeof(key), sizeof(key), ret);
}

/*
 * Each sample is counted when the next one was read, so that its cell, which is nearly always a
 * cache miss, arrives meanwhile; earlier when the next one is of the same CPU and takes its path.
 */
static int count_sample(struct worker *w, struct epoch *e, struct pending *p,
			const struct epoch_sample *s)
{
	struct pending next = {
		.path = s->path,
		.weight = s->sample.weight,
		.counters = s->counters,
	};
	int r;

	r = tally_sample(&w->tally, &s->sample);
	if (r >= 0 && p->path == s->path)
		r = count_pending(w, e, p);
	if (r >= 0)
		r = epoch_set_path(e, s);
	if (r < 0)
		return r;
	next.label = label_of(w->load->dimensions, &s->sample);
	if (w->load->dimensions & PROFILE_BY_ACCESS)
		r = find_access(w->load, &s->sample.access, &next.label.access);
	if (r < 0)
		return r;
	next.key = tree_key(&w->tree, s->path, &next.label);
	r = count_pending(w, e, p);
	*p = next;
	return r;
}

/* Damage ends the epoch, what was read of it counts; anything that is ours ends the load. */
static int count_epoch(struct worker *w, struct epoch *e, struct source *s, size_t number)
{
	struct pending pending = { 0 };
	struct epoch_sample sample;
	int r, error = 0;

	r = epoch_begin(e, s, number);
	if (r == 0)
		return 0;
	while (r > 0 && error >= 0) {
		r = epoch_next(e, &sample);
		if (r > 0)
			error = count_sample(w, e, &pending, &sample);
	}
	if (error >= 0)
		error = count_pending(w, e, &pending);
	epoch_end(e);
	if (error < 0 || r == -ENOMEM || r == -E2BIG)
		return error < 0 ? error : r;
	w->tally.broken_epochs += r < 0;
	return 0;
}

static void *count_all(void *userdata)
{
	struct worker *w = userdata;
	struct source *source;
	struct epoch e;
	size_t number;
	int r;

	r = epoch_init(&e, w->load, &w->tally);
	while (r >= 0) {
		r = sources_next(w->load, &source, &number);
		if (r <= 0)
			break;
		r = count_epoch(w, &e, source, number);
		sources_finish(w->load, source);
	}
	epoch_done(&e);
	w->error = r;
	return NULL;
}

/* Runs `f` on n workers, the first of them here; a thread that cannot be had runs here too. */
static void run(struct worker *workers, size_t n, size_t step, void *(*f)(void *))
{
	for (size_t i = step; i < n; i += step)
		if (pthread_create(&workers[i].thread, NULL, f, &workers[i]) != 0)
			workers[i].thread = pthread_self();
	f(&workers[0]);
	for (size_t i = step; i < n; i += step) {
		if (pthread_equal(workers[i].thread, pthread_self()))
			f(&workers[i]);
		else
			pthread_join(workers[i].thread, NULL);
	}
}

static void *merge_other(void *userdata)
{
	struct worker *w = userdata;

	if (!w->other || w->error < 0)
		return NULL;
	w->error = w->other->error;
	if (w->error >= 0)
		w->error = tree_merge(&w->tree, &w->other->tree);
	if (w->error >= 0)
		w->error = tally_merge(&w->tally, &w->other->tally);
	tree_done(&w->other->tree);
	return NULL;
}

/* Pairs, then pairs of pairs, until all is in the first. */
static int merge_all(struct worker *workers, size_t n)
{
	for (size_t step = 1; step < n; step *= 2) {
		for (size_t i = 0; i < n; i += 2 * step)
			workers[i].other = i + step < n ? &workers[i + step] : NULL;
		run(workers, n, 2 * step, merge_other);
	}
	return workers[0].error;
}

static int count(struct load *l, size_t n, struct tree *ret_tree, struct tally *ret_tally)
{
	_cleanup_free_ struct worker *workers = calloc(n, sizeof(*workers));
	int r = 0;

	if (!workers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		workers[i].load = l;
		if (r >= 0)
			r = tree_init(&workers[i].tree, l->seed, l->n_counters);
	}
	if (r >= 0) {
		run(workers, n, 1, count_all);
		r = merge_all(workers, n);
	}
	if (r >= 0) {
		*ret_tree = workers[0].tree;
		*ret_tally = workers[0].tally;
		workers[0].tree = (struct tree){ 0 };
		workers[0].tally = (struct tally){ 0 };
	}
	for (size_t i = 0; i < n; i++) {
		tree_done(&workers[i].tree);
		tally_done(&workers[i].tally);
	}
	return r;
}

/* --- loading -----------------------------------------------------------------------------------*/

static size_t choose_threads(unsigned int wanted)
{
	long n = wanted ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);

	return (size_t)MIN(MAX(n, 1L), (long)PROFILE_MAX_THREADS);
}

static int load(struct profile *p, const char *const *paths, size_t n_paths, unsigned int threads)
{
	struct profile_memory *m = p->memory;
	struct load *l = &m->load;
	int r;

	r = sources_find(l, paths, n_paths);
	if (r >= 0)
		r = count(l, choose_threads(threads), &m->tree, &m->tally);
	if (r >= 0 && l->n_opened == 0) {
		r = load_fail(l, l->unopened ? l->unopened_error : -ENOENT,
			      TAKE_PTR(l->unopened_text));
	}
	if (r >= 0)
		r = profile_lay_out(p);
	return r;
}

int profile_load_all(const char *const *paths, size_t n_paths, const struct profile_filter *filter,
		     unsigned int dimensions, unsigned int threads, bool keep, struct profile **ret,
		     char **ret_error)
{
	_cleanup_(profile_freep) struct profile *p = calloc(1, sizeof(*p));
	struct load *l;
	int r;

	*ret_error = NULL;
	if (!p)
		return -ENOMEM;
	p->memory = calloc(1, sizeof(*p->memory));
	if (!p->memory)
		return -ENOMEM;
	l = &p->memory->load;
	r = load_init(l, filter, dimensions);
	l->keep_open = keep;
	if (r >= 0)
		r = load(p, paths, n_paths, threads);
	if (r < 0) {
		*ret_error = TAKE_PTR(l->error_text);
		return r;
	}
	if (!keep) {
		tree_done(&p->memory->tree);
		load_close_sources(l);
	}
	if (p->samples == 0) {
		*ret_error = profile_explain_no_samples(p);
		r = -ENODATA;
	}
	l->filter = NULL;
	*ret = TAKE_PTR(p);
	return r;
}

int profile_load_threads(const char *const *paths, size_t n_paths,
			 const struct profile_filter *filter, unsigned int dimensions,
			 unsigned int threads, struct profile **ret, char **ret_error)
{
	return profile_load_all(paths, n_paths, filter, dimensions, threads, false, ret, ret_error);
}

int profile_load(const char *const *paths, size_t n_paths, const struct profile_filter *filter,
		 unsigned int dimensions, struct profile **ret, char **ret_error)
{
	return profile_load_all(paths, n_paths, filter, dimensions, 0, false, ret, ret_error);
}

struct profile *profile_free(struct profile *p)
{
	struct profile_memory *m;

	if (!p)
		return NULL;
	m = p->memory;
	if (m) {
		load_done(&m->load);
		tree_done(&m->tree);
		tally_done(&m->tally);
		free(m->event_index);
		free(m->rates);
		free(m->mappings);
		buffer_done(&m->names);
		free(m);
	}
	free(p->host.node_of_cpu);
	for (size_t i = 0; p->events && i < p->n_events; i++)
		free(p->events[i].counters_of_all);
	free(p->events);
	free(p->ledgers);
	free(p->objects);
	free(p->functions);
	free(p->processes);
	free(p->threads);
	free(p->frames);
	free(p->nodes);
	free(p->cells);
	free(p->counters);
	free(p->accesses);
	free(p->notes);
	free(p);
	return NULL;
}
