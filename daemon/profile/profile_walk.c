// SPDX-License-Identifier: Apache-2.0
/*
 * Every sample in the order of time: the profile is loaded first, so that all ids are known; then
 * the same epochs are read again, one segment after the other, or merged where segments overlap.
 */
#include <errno.h>

#include "profile/profile_load.h"

/* A segment being read again. */
struct strand {
	struct source *source;
	struct epoch *epoch; /* NULL: not begun, or at its end */
	size_t next_epoch;
	uint64_t first_ns; /* CLOCK_REALTIME of its first sample, about */
	struct epoch_sample sample; /* the next one */
};

static int compare_strands(const void *a, const void *b)
{
	const struct strand *x = a, *y = b;

	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

static uint64_t first_ns(const struct source *s)
{
	const struct segment_info *info = segment_reader_info(s->reader);
	int64_t offset_ns = (int64_t)(info->realtime_ns - info->monotonic_ns);

	for (size_t i = 0; i < info->n_epochs; i++) {
		if (info->epochs[i].last_ns == 0)
			continue;
		epoch_first_clock(s->reader, i, &offset_ns);
		return info->epochs[i].first_ns + (uint64_t)offset_ns;
	}
	return info->realtime_ns;
}

static struct epoch *epoch_free(struct epoch *e)
{
	if (e) {
		epoch_done(e);
		free(e);
	}
	return NULL;
}

/* Sets s->sample; 1, 0 at the end of the segment. */
static int advance(struct load *l, struct strand *s)
{
	int r;

	if (!s->epoch) {
		s->epoch = calloc(1, sizeof(*s->epoch));
		r = s->epoch ? epoch_init(s->epoch, l, NULL) : -ENOMEM;
		if (r < 0)
			return r;
	}
	for (;;) {
		r = s->epoch->walk ? epoch_next(s->epoch, &s->sample) : 0;
		if (r > 0)
			return epoch_set_path(s->epoch, &s->sample) < 0 ? -ENOMEM : 1;
		if (r == -ENOMEM)
			return r;
		/* Damage was counted when the profile was loaded. */
		epoch_end(s->epoch);
		if (s->next_epoch == s->source->n_epochs) {
			s->epoch = epoch_free(s->epoch);
			return 0;
		}
		epoch_begin(s->epoch, s->source, s->next_epoch++);
	}
}

struct walk {
	struct profile *profile;
	struct strand *strands;
	size_t n, n_begun; /* strands [0, n_begun) have begun */
	int (*each)(const struct profile *p, const struct profile_sample *s, void *userdata);
	void *userdata;
};

/* The strand with the earliest sample; later ones are begun when their time has come. */
static int earliest(struct walk *w, struct strand **ret)
{
	struct load *l = &w->profile->memory->load;
	struct strand *best = NULL;

	for (size_t i = 0; i < w->n; i++) {
		struct strand *s = &w->strands[i];

		if (i == w->n_begun) {
			int r;

			if (best && best->sample.sample.realtime_ns <= s->first_ns)
				break;
			w->n_begun++;
			r = advance(l, s);
			if (r < 0)
				return r;
		}
		if (s->epoch &&
		    (!best || s->sample.sample.realtime_ns < best->sample.sample.realtime_ns))
			best = s;
	}
	*ret = best;
	return 0;
}

static int hand_over(struct walk *w, struct strand *s)
{
	struct profile_memory *m = w->profile->memory;
	struct profile_sample sample = s->sample.sample;

	sample.event = m->event_index[sample.event];
	sample.node = tree_find(&m->tree, s->sample.path, s->epoch->frames.ids);
	if (sample.node == TREE_NONE)
		return 0;
	return w->each(w->profile, &sample, w->userdata);
}

static int walk_all(struct walk *w)
{
	for (;;) {
		struct strand *s;
		int r;

		r = earliest(w, &s);
		if (r < 0 || !s)
			return r;
		r = hand_over(w, s);
		if (r >= 0)
			r = advance(&w->profile->memory->load, s);
		if (r < 0)
			return r;
	}
}

static int walk_profile(struct walk *w)
{
	struct load *l = &w->profile->memory->load;
	int r;

	w->strands = calloc(l->n_sources + 1, sizeof(*w->strands));
	if (!w->strands)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_sources; i++)
		if (l->sources[i].reader)
			w->strands[w->n++] = (struct strand){
				.source = &l->sources[i],
				.first_ns = first_ns(&l->sources[i]),
			};
	qsort(w->strands, w->n, sizeof(*w->strands), compare_strands);
	r = walk_all(w);
	for (size_t i = 0; i < w->n; i++)
		epoch_free(w->strands[i].epoch);
	free(w->strands);
	return r;
}

int profile_walk(const char *const *paths, size_t n_paths, const struct profile_filter *filter,
		 struct profile **ret,
		 int (*each)(const struct profile *p, const struct profile_sample *s,
			     void *userdata),
		 void *userdata, char **ret_error)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	static const struct profile_filter everything;
	struct walk w = { .each = each, .userdata = userdata };
	int r;

	r = profile_load_all(paths, n_paths, filter, 0, 0, true, &p, ret_error);
	if (r >= 0) {
		w.profile = p;
		p->memory->load.filter = filter ? filter : &everything;
		r = walk_profile(&w);
		p->memory->load.filter = NULL;
	}
	if (p) {
		tree_done(&p->memory->tree);
		load_close_sources(&p->memory->load);
		*ret = TAKE_PTR(p);
	}
	return r;
}
