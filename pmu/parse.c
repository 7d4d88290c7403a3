// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of specs: NAME[@RATE] between commas, where commas inside a pair of slashes belong to the
 * name. Each name goes through the resolvers in turn; the rate is the one behind the @, else the
 * caller's default, else what the resolver thinks fit.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/internal.h"

#define MAX_SPEC_BYTES 1023
#define UNKNOWN "there is no such event"

typedef int (*resolve_fn)(const char *name, const char *sysfs, struct pmu_event *ev,
			  char **ret_error);

static const resolve_fn resolvers[] = {
	[PMU_SOURCE_ALIAS] = catalog_resolve,
	[PMU_SOURCE_LIBPFM4] = pfm_resolve,
	[PMU_SOURCE_SYSFS] = sysfs_resolve,
	[PMU_SOURCE_RAW] = raw_resolve,
};

int raw_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error)
{
	size_t digits;

	if (name[0] != 'r')
		return -ENOENT;
	digits = strspn(name + 1, "0123456789abcdefABCDEF");
	if (digits == 0 || (name[1 + digits] && name[1 + digits] != ':'))
		return -ENOENT;
	if (digits > 16)
		return pmu_fail(ret_error, -EINVAL, "a raw event has at most 16 hex digits");
	ev->attr.type = PERF_TYPE_RAW;
	ev->attr.config = strtoull(name + 1, NULL, 16);
	ev->attr.exclude_guest = 1;
	pmu_set_freq(&ev->attr, PMU_DEFAULT_HZ);
	ev->source = PMU_SOURCE_RAW;
	ev->name = strdup(name);
	ev->pmu = sysfs_core_pmu(sysfs);
	if (!ev->name || !ev->pmu)
		return -ENOMEM;
	return name[1 + digits] ? pmu_apply_modifiers(&ev->attr, name + 2 + digits, ret_error) : 0;
}

/* "97Hz" or "100003" */
static int apply_rate(const char *text, struct pmu_event *ev, char **ret_error)
{
	_cleanup_(pmu_freep) char *number = strdup(text);
	size_t n = strlen(text);
	uint64_t v;
	bool hz;
	int r;

	if (!number)
		return -ENOMEM;
	hz = n > 2 && strcasecmp(text + n - 2, "Hz") == 0;
	if (hz)
		number[n - 2] = 0;
	r = pmu_parse_u64(number, &v);
	if (r == -EINVAL)
		return pmu_fail(ret_error, r,
				"'@%s' is no rate: it takes @97Hz (a frequency) or @100003 (a "
				"period)",
				text);
	if (r < 0 || v == 0 || v > INT64_MAX)
		return pmu_fail(ret_error, -EINVAL, "'@%s' is out of range", text);
	if (ev->countable_only)
		return pmu_fail(ret_error, -EINVAL, ONLY_COUNTS ", so '@%s' has no meaning", text);
	if (hz)
		pmu_set_freq(&ev->attr, v);
	else
		pmu_set_period(&ev->attr, v);
	return 0;
}

static int apply_defaults(const struct pmu_defaults *d, struct pmu_event *ev, char **ret_error)
{
	if (ev->countable_only)
		return 0;
	if (d->freq_hz > INT64_MAX || d->period > INT64_MAX)
		return pmu_fail(ret_error, -EINVAL, "the default rate is out of range");
	if (d->freq_hz)
		pmu_set_freq(&ev->attr, d->freq_hz);
	else if (d->period)
		pmu_set_period(&ev->attr, d->period);
	return 0;
}

static int resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error)
{
	int r = -ENOENT;

	ev->scale = 1;
	ev->attr.size = sizeof(ev->attr);
	for (size_t i = 0; i < ARRAY_SIZE(resolvers) && r == -ENOENT && !*ret_error; i++)
		r = resolvers[i](name, sysfs, ev, ret_error);
	if (r < 0)
		return r;
	ev->spec = strdup(name);
	if (!ev->unit)
		ev->unit = strdup("");
	return ev->spec && ev->unit ? 0 : -ENOMEM;
}

int pmu_resolve(const char *name, const char *sysfs, struct pmu_event *ret, char **ret_error)
{
	struct pmu_event ev = { 0 };
	int r;

	r = resolve(name, sysfs, &ev, ret_error);
	if (r == 0) {
		*ret = ev;
		return 0;
	}
	pmu_event_done(&ev);
	/* Whatever else kept a file of sysfs from being read, this machine cannot be asked. */
	return r == -EINVAL || r == -ENOENT || r == -ENOMEM ? r : -EOPNOTSUPP;
}

static int parse_event(char *text, const struct pmu_defaults *d, struct pmu_event *ret,
		       char **ret_error)
{
	char *slash = strrchr(text, '/'), *at = strrchr(slash ? slash : text, '@');
	struct pmu_event ev;
	int r;

	if (at)
		*at++ = 0;
	if (!*text)
		return pmu_fail(ret_error, -EINVAL, "there is no name before the '@'");
	r = pmu_resolve(text, d->sysfs ? d->sysfs : "/sys", &ev, ret_error);
	if (r < 0)
		return r;
	r = at ? apply_rate(at, &ev, ret_error) : apply_defaults(d, &ev, ret_error);
	if (r < 0) {
		pmu_event_done(&ev);
		return r;
	}
	*ret = ev;
	return 0;
}

/* Makes "event 'NAME': REASON" of what a resolver said, with the names that are near. */
static int explain(const char *name, const char *sysfs, int error, char **ret_error)
{
	_cleanup_(pmu_freep) char *said = *ret_error, *near = NULL;

	*ret_error = NULL;
	if (error == -ENOENT)
		near = pmu_near_names(name, sysfs);
	if (near)
		return pmu_fail(ret_error, error, "event '%s': %s; near it: %s", name,
				said ? said : UNKNOWN, near);
	if (error == -ENOENT)
		return pmu_fail(ret_error, error,
				"event '%s': %s; 'ebpf-profiler events' lists all", name,
				said ? said : UNKNOWN);
	return pmu_fail(ret_error, error, "event '%s': %s", name, said ? said : strerror(-error));
}

/* Length of the spec at the start of `s`; -EINVAL when a slash stays open. */
static ssize_t spec_length(const char *s)
{
	bool inside = false;
	ssize_t n;

	for (n = 0; s[n] && (inside || s[n] != ','); n++)
		if (s[n] == '/')
			inside = !inside;
	return inside ? -EINVAL : n;
}

int pmu_spec_next(const char **s, char **ret, char **ret_error)
{
	const char *start = *s, *end;
	ssize_t n = spec_length(start);

	if (n < 0) {
		*s = NULL;
		return pmu_fail(ret_error, (int)n, "event '%.*s': the second '/' is missing", 80,
				start);
	}
	end = start + n;
	*s = *end ? end + 1 : NULL;
	while (start < end && isspace((unsigned char)*start))
		start++;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	if (start == end)
		return pmu_fail(ret_error, -EINVAL, "an event name is empty");
	if (end - start > MAX_SPEC_BYTES)
		return pmu_fail(ret_error, -EINVAL, "event '%.40s...' is too long", start);
	*ret = strndup(start, (size_t)(end - start));
	return *ret ? 0 : -ENOMEM;
}

static int append(struct pmu_event **events, size_t *n, const char **specs,
		  const struct pmu_defaults *d, char **ret_error)
{
	_cleanup_(pmu_freep) char *spec = NULL, *said = NULL;
	struct pmu_event *grown;
	int r;

	r = pmu_spec_next(specs, &spec, ret_error);
	if (r < 0)
		return r;
	grown = realloc(*events, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*events = grown;
	r = parse_event(spec, d, &grown[*n], &said);
	if (r < 0) {
		*ret_error = said;
		said = NULL;
		return explain(spec, d->sysfs ? d->sysfs : "/sys", r, ret_error);
	}
	(*n)++;
	return 0;
}

int pmu_events_parse(const char *specs, const struct pmu_defaults *defaults,
		     struct pmu_event **ret_events, size_t *ret_n, char **ret_error)
{
	static const struct pmu_defaults none;
	struct pmu_event *events = NULL;
	char *error = NULL;
	size_t n = 0;

	do {
		int r = append(&events, &n, &specs, defaults ? defaults : &none, &error);

		if (r < 0) {
			pmu_events_free(events, n);
			if (!error)
				pmu_fail(&error, r, "%s", strerror(-r));
			*ret_error = error;
			return r;
		}
	} while (specs);
	*ret_events = events;
	*ret_n = n;
	return 0;
}
