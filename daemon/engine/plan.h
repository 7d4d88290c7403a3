/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From the configured profiles to the events that will really be opened: each is tried first,
 * cycles gives way to cpu-clock where there is no PMU, and what cannot be sampled is left out with
 * its reason.
 */
#include "engine/config.h"
#include "sampler/sampler.h"

struct plan {
	struct sampler_event *events; /* filters point into the config */
	size_t n_events;
	char **notes; /* a sentence for each event that is left out, and for what the host lacks */
	size_t n_notes;
};

/*
 * strict: an event that cannot be sampled is an error (record -e); else it is left out (the
 * daemon). -EOPNOTSUPP: nothing that can be sampled remains. `cpu` is any online CPU to try on.
 * *ret_error is a heap sentence.
 */
int plan_make(const struct config *config, bool strict, int cpu, struct plan *ret,
	      char **ret_error);
void plan_done(struct plan *p);

/* What plan_make() would leave out because of its name or rate alone, as notes; opens nothing. */
int plan_check_names(const struct config *config, struct plan *ret);

/* "cpu-clock fires instead of cycles: ...", heap; NULL when the event is the one asked for. */
char *sampler_event_note(const struct sampler_event *e);

/* The event that takes the place of `e`, which opened but never fired; -EOPNOTSUPP when nothing
 * can. */
int plan_replacement(const struct sampler_event *e, const char *reason, struct sampler_event *ret);
