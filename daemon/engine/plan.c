// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "engine/plan.h"

#include <errno.h>
#include <string.h>

#include "host/needs.h"

#define EVENTS_MAX 32
#define OFF_CPU "offcpu"

/* Takes text. Several events may lack the same counter: that is said once. */
static int add_note(struct plan *p, char *text)
{
	char **grown;

	for (size_t i = 0; text && i < p->n_notes; i++)
		if (strcmp(p->notes[i], text) == 0) {
			free(text);
			return 0;
		}
	grown = realloc(p->notes, (p->n_notes + 1) * sizeof(*grown));
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

/* Two rates of an event could not be told from one that changed. */
static bool requested_already(const struct plan *p, const char *requested, const char *profile)
{
	for (size_t i = 0; i < p->n_events; i++)
		if (strcmp(p->events[i].profile, profile) == 0 &&
		    strcmp(p->events[i].requested, requested) == 0)
			return true;
	return false;
}

static unsigned int flags_of(const struct profile_config *c, bool off_cpu)
{
	return (c->kernel_stacks ? SAMPLER_KERNEL_STACK : 0) |
	       (c->user_stacks ? SAMPLER_USER_STACK : 0) | (c->idle ? SAMPLER_IDLE : 0) |
	       (c->memory_access && !off_cpu ? SAMPLER_ACCESS : 0);
}

/* An event that cannot be had: an error when it was asked for by name, else a note. Takes text. */
static int leave_out(struct plan *p, int error, char *text, bool strict, char **ret_error)
{
	if (!strict && text)
		return add_note(p, text);
	*ret_error = text;
	return error;
}

/* Opens it as it will be used, and closes it again. */
static int try_counter(struct pmu_event *ev, int cpu)
{
	int fd;

	pmu_event_count_only(ev);
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

	if (!grown) {
		pmu_event_done(ev);
		return -ENOMEM;
	}
	e->counters = grown;
	e->counters[e->n_counters++] = *ev;
	return 0;
}

static int plan_counter(struct plan *p, const char *spec, bool strict, int cpu,
			struct sampler_event *e, char **ret_error)
{
	static const struct pmu_defaults defaults;
	struct pmu_event *ev = NULL;
	char *text = NULL;
	size_t n = 0;
	int r = pmu_events_parse(spec, &defaults, &ev, &n, &text);

	if (r < 0)
		return leave_out(p, r == -ENOENT ? -EINVAL : r, text, strict, ret_error);
	r = try_counter(ev, cpu);
	if (r < 0) {
		text = pmu_event_strerror(ev, r);
	} else if (e->n_counters == SAMPLE_MAX_COUNTERS) {
		r = -EINVAL;
		if (asprintf(&text, "counter '%s': at most %d can be read at a sample", spec,
			     SAMPLE_MAX_COUNTERS) < 0)
			text = NULL;
	} else {
		r = add_counter(e, ev);
		free(ev);
		return r;
	}
	pmu_events_free(ev, n);
	return leave_out(p, r, text, strict, ret_error);
}

/* The events counted beside `e`. */
static int plan_counters(struct plan *p, const struct profile_config *c, bool strict, int cpu,
			 struct sampler_event *e, char **ret_error)
{
	int r = 0;

	e->split = c->split;
	for (char **spec = c->counters; r == 0 && spec && *spec; spec++)
		r = plan_counter(p, *spec, strict, cpu, e, ret_error);
	return r;
}

/* Time off the CPU: no perf event, but it stands in the list of events like one. */
static int off_cpu_event(struct pmu_event *ret)
{
	struct pmu_event ev = {
		.spec = strdup(OFF_CPU),
		.name = strdup(OFF_CPU),
		.pmu = strdup("software"),
		.source = PMU_SOURCE_ALIAS,
		.attr = { .type = PERF_TYPE_SOFTWARE,
			  .size = sizeof(ev.attr),
			  .config = PERF_COUNT_SW_DUMMY },
		.unit = strdup("ns"),
		.scale = 1,
	};

	if (!ev.spec || !ev.name || !ev.pmu || !ev.unit) {
		pmu_event_done(&ev);
		return -ENOMEM;
	}
	*ret = ev;
	return 0;
}

static bool is_off_cpu(const struct pmu_event *ev)
{
	return ev->attr.config == PERF_COUNT_SW_DUMMY && strcmp(ev->name, OFF_CPU) == 0;
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
		.flags = flags_of(c, is_off_cpu(ev)),
		.filter = &c->filter,
		.off_cpu = is_off_cpu(ev),
	};

	*ev = (struct pmu_event){};
	if (!e.profile || !e.requested) {
		sampler_event_done(&e);
		return -ENOMEM;
	}
	p->events[p->n_events++] = e;
	return 0;
}

/* What stands for no access of the hardware's has none in its samples. */
static bool tells_access(const struct pmu_event *ev)
{
	const struct perf_event_attr *a = &ev->attr;

	if (a->type == PERF_TYPE_SOFTWARE)
		return a->config == PERF_COUNT_SW_PAGE_FAULTS ||
		       a->config == PERF_COUNT_SW_PAGE_FAULTS_MIN ||
		       a->config == PERF_COUNT_SW_PAGE_FAULTS_MAJ ||
		       a->config == PERF_COUNT_SW_ALIGNMENT_FAULTS;
	return a->precise_ip || strncmp(ev->pmu, "ibs_", 4) == 0 ||
	       strncmp(ev->pmu, "arm_spe", 7) == 0;
}

static int note_access(struct plan *p, const struct pmu_event *ev)
{
	char *text;

	if (asprintf(&text,
		     "%s tells no memory access of its samples: precise events (PEBS, IBS) and "
		     "page faults do",
		     ev->name) < 0)
		return -ENOMEM;
	return add_note(p, text);
}

static int plan_event(struct plan *p, struct profile_config *c, struct pmu_event *ev, bool strict,
		      int cpu, char **ret_error)
{
	_cleanup_free_ char *requested = strdup(ev->name), *reason = NULL;
	const char *profile = c->name ? c->name : "";
	char *text;
	int r = try_event(ev, cpu);

	if (r < 0)
		r = fall_back(ev, r, cpu, &reason);
	if (r < 0)
		return leave_out(p, r, pmu_event_strerror(ev, r), strict, ret_error);
	if (planned_already(p, ev, profile))
		return 0;
	if (requested_already(p, requested, profile)) {
		if (asprintf(&text, "event '%s': asked for twice, at different rates", requested) <
		    0)
			text = NULL;
		return leave_out(p, -EINVAL, text, strict, ret_error);
	}
	if (is_off_cpu(ev) && c->filter.cpus)
		return leave_out(p, -EINVAL,
				 strdup("offcpu cannot be limited to some CPUs: a thread may leave "
					"one and come back on another"),
				 strict, ret_error);
	if (p->n_events == EVENTS_MAX) {
		if (asprintf(&text, "event '%s': at most %d events are sampled at once", requested,
			     EVENTS_MAX) < 0)
			text = NULL;
		return leave_out(p, -EINVAL, text, strict, ret_error);
	}
	if (c->memory_access && !is_off_cpu(ev) && !tells_access(ev)) {
		r = note_access(p, ev);
		if (r < 0)
			return r;
	}
	return add_event(p, c, ev, TAKE_PTR(requested), TAKE_PTR(reason));
}

/* The next event of a profile's list. */
static int parse_next(const char **specs, const struct profile_config *c, struct pmu_event *ret,
		      char **ret_error)
{
	struct pmu_defaults defaults = { .freq_hz = c->freq_hz, .period = c->period };
	_cleanup_free_ char *spec = NULL;
	struct pmu_event *one = NULL;
	size_t n;
	int r = pmu_spec_next(specs, &spec, ret_error);

	if (r == 0 && strcmp(spec, OFF_CPU) == 0)
		return off_cpu_event(ret);
	if (r == 0)
		r = pmu_events_parse(spec, &defaults, &one, &n, ret_error);
	if (r < 0)
		return r == -ENOENT ? -EINVAL
				    : r; /* a name nobody knows is a mistake in the spec */
	*ret = *one;
	free(one);
	return 0;
}

static int plan_spec(struct plan *p, const char **specs, struct profile_config *c, bool strict,
		     int cpu, char **ret_error)
{
	_cleanup_free_ char *error = NULL;
	struct pmu_event ev;
	int r = parse_next(specs, c, &ev, &error);

	if (r == 0) {
		r = plan_event(p, c, &ev, strict, cpu, ret_error);
		pmu_event_done(&ev);
		return r;
	}
	return leave_out(p, r, TAKE_PTR(error), strict || r == -ENOMEM, ret_error);
}

static int plan_profile(struct plan *p, struct profile_config *c, bool strict, int cpu,
			char **ret_error)
{
	const char *specs = c->events;
	size_t first = p->n_events;
	int r = 0;

	while (specs && r == 0)
		r = plan_spec(p, &specs, c, strict, cpu, ret_error);
	for (size_t i = first; r == 0 && i < p->n_events; i++)
		if (!p->events[i].off_cpu)
			r = plan_counters(p, c, strict, cpu, &p->events[i], ret_error);
	return r;
}

/* What no event can do about. */
static int note_host(struct plan *p)
{
	struct host_privilege rights;
	char *lack;

	if (host_privilege_read(NULL, &rights) < 0)
		return 0;
	lack = host_privilege_lack(&rights, HOST_NEED_PID_NAMESPACE);
	return lack ? add_note(p, lack) : 0;
}

int plan_make(const struct config *config, bool strict, int cpu, struct plan *ret, char **ret_error)
{
	struct plan p = { .events = calloc(EVENTS_MAX, sizeof(*p.events)) };
	int r = p.events ? 0 : -ENOMEM;

	for (size_t i = 0; i < config->n_profiles && r == 0; i++)
		if (config->profiles[i].enabled)
			r = plan_profile(&p, &config->profiles[i], strict, cpu, ret_error);
	if (r == 0 && p.n_events == 0) {
		r = -EOPNOTSUPP;
		*ret_error = strdup(p.n_notes ? p.notes[0] : "no profile is enabled");
	}
	if (r == 0)
		r = note_host(&p);
	if (r < 0) {
		plan_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

/* Notes a spec that no resolver takes. */
static int check_spec(struct plan *p, const char **specs, const struct profile_config *c)
{
	_cleanup_free_ char *error = NULL;
	struct pmu_event ev;

	if (parse_next(specs, c, &ev, &error) < 0)
		return add_note(p, TAKE_PTR(error));
	pmu_event_done(&ev);
	return 0;
}

static int check_profile(struct plan *p, const struct profile_config *c)
{
	static const struct profile_config no_rate;
	const char *specs = c->events;
	int r = 0;

	while (specs && r == 0)
		r = check_spec(p, &specs, c);
	for (char **counter = c->counters; r == 0 && counter && *counter; counter++) {
		specs = *counter;
		r = check_spec(p, &specs, &no_rate);
	}
	return r;
}

int plan_check_names(const struct config *config, struct plan *ret)
{
	struct plan p = {};
	int r = 0;

	for (size_t i = 0; i < config->n_profiles && r == 0; i++)
		if (config->profiles[i].enabled)
			r = check_profile(&p, &config->profiles[i]);
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
	struct sampler_event by = { .flags = e->flags, .filter = e->filter };
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
