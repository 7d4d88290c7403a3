// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "sampler/plan.h"

#include <errno.h>
#include <string.h>

#define EVENTS_MAX 32

static int add_note(struct plan *p, char *text)
{
	char **grown = realloc(p->notes, (p->n_notes + 1) * sizeof(*grown));

	if (!grown || !text) {
		p->notes = grown ? grown : p->notes;
		free(text);
		return -ENOMEM;
	}
	p->notes = grown;
	p->notes[p->n_notes++] = text;
	return 0;
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->n_events; i++)
		sampler_event_done(&p->events[i]);
	for (size_t i = 0; i < p->n_notes; i++)
		free(p->notes[i]);
	free(p->events);
	free(p->notes);
	*p = (struct plan){};
}

/* Opens the event for sampling, as it will be used, and closes it again. */
static int try_event(struct pmu_event *ev, int cpu)
{
	int fd;

	if (ev->countable_only)
		return -EOPNOTSUPP;
	fd = pmu_event_open(ev, -1, pmu_event_cpu(ev, cpu), -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static bool is_cycles(const struct pmu_event *ev)
{
	return ev->attr.type == PERF_TYPE_HARDWARE &&
	       (uint32_t)ev->attr.config == PERF_COUNT_HW_CPU_CYCLES;
}

/* The cause alone: not what was tried, which the event's name tells, nor what to do, which is done.
 */
static char *cause(const struct pmu_event *ev, int error)
{
	_cleanup_free_ char *sentence = pmu_event_strerror(ev, error);
	const char *colon = sentence ? strstr(sentence, ": ") : NULL;

	if (!colon)
		return TAKE_PTR(sentence);
	return strndup(colon + 2, strcspn(colon + 2, ";"));
}

/* cycles gives way to cpu-clock; the sentence says why. */
static int fall_back(struct pmu_event *ev, int error, int cpu, char **ret_reason)
{
	struct pmu_event clock = {};
	char *reason;
	int r;

	if (!is_cycles(ev) || !pmu_error_means_no_pmu(error))
		return error;
	reason = cause(ev, error);
	r = pmu_event_fallback(ev, &clock);
	if (r == 0)
		r = try_event(&clock, cpu);
	if (r < 0 || !reason) {
		pmu_event_done(&clock);
		free(reason);
		return r < 0 ? error : -ENOMEM;
	}
	pmu_event_done(ev);
	*ev = clock;
	*ret_reason = reason;
	return 0;
}

static bool planned_already(const struct plan *p, const struct pmu_event *ev, const char *profile)
{
	for (size_t i = 0; i < p->n_events; i++)
		if (strcmp(p->events[i].profile, profile) == 0 &&
		    pmu_event_equal(&p->events[i].pmu, ev))
			return true;
	return false;
}

static unsigned int stacks_of(const struct profile_config *c)
{
	return (c->kernel_stacks ? SAMPLER_KERNEL_STACK : 0) |
	       (c->user_stacks ? SAMPLER_USER_STACK : 0) | (c->idle ? SAMPLER_IDLE : 0);
}

/* As an event that only counts. */
static void make_counter(struct pmu_event *ev)
{
	ev->attr.freq = 0;
	ev->attr.sample_period = 0;
	ev->attr.sample_type = 0;
	ev->attr.precise_ip = 0;
	ev->attr.disabled = 1;
}

/* Opens it as it will be used, and closes it again. */
static int try_counter(struct pmu_event *ev, int cpu)
{
	int fd;

	make_counter(ev);
	fd = pmu_event_open(ev, -1, pmu_event_cpu(ev, cpu), -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Takes what ev owns. */
static int add_counter(struct sampler_event *e, struct pmu_event *ev)
{
	struct pmu_event *grown = reallocarray(e->counters, e->n_counters + 1, sizeof(*grown));

	e->counters = grown ? grown : e->counters;
	if (!grown || e->n_counters == SAMPLE_MAX_COUNTERS) {
		pmu_event_done(ev);
		return grown ? -E2BIG : -ENOMEM;
	}
	e->counters[e->n_counters++] = *ev;
	return 0;
}

static int plan_counter(struct plan *p, const char *spec, bool strict, int cpu,
			struct sampler_event *e, char **ret_error)
{
	struct pmu_defaults defaults = {};
	struct pmu_event *ev = NULL;
	size_t n = 0;
	int r = pmu_events_parse(spec, &defaults, &ev, &n, ret_error);

	if (r < 0)
		return r == -ENOENT ? -EINVAL : r;
	r = try_counter(ev, cpu);
	if (r == 0) {
		r = add_counter(e, ev);
		free(ev);
		return r;
	}
	*ret_error = pmu_event_strerror(ev, r);
	pmu_events_free(ev, n);
	return strict ? r : add_note(p, TAKE_PTR(*ret_error));
}

/* The events counted beside `e`; what cannot be counted here is an error (strict) or a note. */
static int plan_counters(struct plan *p, const struct profile_config *c, bool strict, int cpu,
			 struct sampler_event *e, char **ret_error)
{
	int r = 0;

	e->split = c->split;
	for (char **spec = c->counters; r == 0 && spec && *spec; spec++)
		r = plan_counter(p, *spec, strict, cpu, e, ret_error);
	if (r == -E2BIG && asprintf(ret_error, "at most %d counters can be read at a sample",
				    SAMPLE_MAX_COUNTERS) < 0)
		*ret_error = NULL;
	return r;
}

/* Takes what ev and reason own. */
static int add_event(struct plan *p, struct profile_config *c, struct pmu_event *ev,
		     char *requested, char *reason)
{
	struct sampler_event e = {
		.pmu = *ev,
		.profile = strdup(c->name ? c->name : ""),
		.requested = requested,
		.reason = reason,
		.stacks = stacks_of(c),
		.filter = &c->filter,
	};

	*ev = (struct pmu_event){};
	if (!e.profile || !e.requested || p->n_events == EVENTS_MAX) {
		sampler_event_done(&e);
		return e.profile && e.requested ? -E2BIG : -ENOMEM;
	}
	p->events[p->n_events++] = e;
	return 0;
}

static int plan_event(struct plan *p, struct profile_config *c, struct pmu_event *ev, bool strict,
		      int cpu, char **ret_error)
{
	char *requested = strdup(ev->name), *reason = NULL, *text = NULL;
	int r = try_event(ev, cpu);

	if (r < 0)
		r = fall_back(ev, r, cpu, &reason);
	if (r < 0) {
		free(requested);
		text = pmu_event_strerror(ev, r);
		if (!strict)
			return add_note(p, text);
		*ret_error = text;
		return r;
	}
	if (planned_already(p, ev, c->name ? c->name : "")) {
		free(requested);
		free(reason);
		return 0;
	}
	return add_event(p, c, ev, requested, reason);
}

static int plan_profile(struct plan *p, struct profile_config *c, bool strict, int cpu,
			char **ret_error)
{
	struct pmu_defaults defaults = { .freq_hz = c->freq_hz, .period = c->period };
	struct pmu_event *events = NULL;
	size_t n = 0, first = p->n_events;
	int r;

	r = pmu_events_parse(c->events, &defaults, &events, &n, ret_error);
	if (r < 0)
		return r == -ENOENT ? -EINVAL
				    : r; /* a name nobody knows is a mistake in the spec */
	for (size_t i = 0; i < n && r == 0; i++)
		r = plan_event(p, c, &events[i], strict, cpu, ret_error);
	pmu_events_free(events, n);
	for (size_t i = first; r == 0 && i < p->n_events; i++)
		r = plan_counters(p, c, strict, cpu, &p->events[i], ret_error);
	return r;
}

int plan_make(const struct config *config, bool strict, int cpu, struct plan *ret, char **ret_error)
{
	struct plan p = { .events = calloc(EVENTS_MAX, sizeof(*p.events)) };
	int r = p.events ? 0 : -ENOMEM;

	for (size_t i = 0; i < config->n_profiles && r == 0; i++) {
		char *error = NULL;

		if (!config->profiles[i].enabled)
			continue;
		r = plan_profile(&p, &config->profiles[i], strict, cpu, &error);
		if (r < 0 && r != -ENOMEM && !strict && error)
			r = add_note(&p, TAKE_PTR(error));
		if (r < 0 && error)
			*ret_error = error;
	}
	if (r == 0 && p.n_events == 0) {
		r = -EOPNOTSUPP;
		*ret_error = strdup(p.n_notes ? p.notes[0] : "no profile is enabled");
	}
	if (r < 0) {
		plan_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

char *sampler_event_note(const struct sampler_event *e)
{
	char *text;

	if (!e->reason ||
	    asprintf(&text, "%s fires instead of %s: %s", e->pmu.name, e->requested, e->reason) < 0)
		return NULL;
	return text;
}

int plan_replacement(const struct sampler_event *e, const char *reason, struct sampler_event *ret)
{
	struct sampler_event by = { .stacks = e->stacks, .filter = e->filter };
	int r;

	if (!is_cycles(&e->pmu))
		return -EOPNOTSUPP;
	r = pmu_event_fallback(&e->pmu, &by.pmu);
	if (r < 0)
		return r;
	by.profile = strdup(e->profile);
	by.requested = strdup(e->requested);
	by.reason = strdup(reason);
	if (!by.profile || !by.requested || !by.reason) {
		sampler_event_done(&by);
		return -ENOMEM;
	}
	*ret = by;
	return 0;
}
