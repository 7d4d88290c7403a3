// SPDX-License-Identifier: Apache-2.0
/*
 * pmu/event/, pmu/field=value,.../ and mixtures: an event of events/ stands for the terms in its
 * file, and terms written behind it override them. Besides the PMU's own fields there are perf's
 * config, config1, config2, name, period and freq.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/format.h"
#include "pmu/internal.h"
#include "pmu/sysfs.h"

struct terms {
	const char *sysfs, *pmu;
	const char *all; /* the user's own terms */
	struct pmu_event *ev;
	char **ret_error;
};

static bool good_file_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 256;
}

static bool user_gave(const struct terms *t, const char *field)
{
	size_t n = strlen(field);

	for (const char *p = t->all; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, field, n) == 0 && p[n] == '=')
			return true;
	return false;
}

static int set_field(struct terms *t, const char *field, uint64_t value)
{
	_cleanup_(pmu_freep) char *text = NULL;
	struct pmu_format format;
	int r;

	r = pmu_read_file(&text, "%s/" SYSFS_DEVICES "/%s/format/%s", t->sysfs, t->pmu, field);
	if (r == -ENOENT)
		return pmu_fail(t->ret_error, -ENOENT, "%s has neither an event nor a field '%s'",
				t->pmu, field);
	if (r == 0)
		r = pmu_format_parse(text, &format);
	if (r == -EOPNOTSUPP)
		return pmu_fail(t->ret_error, r, "field '%s' of %s lies in %s, which is not known",
				field, t->pmu, text);
	if (r < 0)
		return pmu_fail(t->ret_error, r, "format of field '%s' of %s cannot be read", field,
				t->pmu);
	r = pmu_format_set(&format, value, &t->ev->attr);
	if (r < 0)
		return pmu_fail(t->ret_error, -EINVAL,
				"%#llx does not fit the %d bits of field '%s' of %s",
				(unsigned long long)value, __builtin_popcountll(format.mask), field,
				t->pmu);
	return 0;
}

static int set_rate(struct terms *t, const char *field, uint64_t v)
{
	if (v == 0 || v > INT64_MAX)
		return pmu_fail(t->ret_error, -EINVAL, "%s=%llu is no rate", field,
				(unsigned long long)v);
	if (t->ev->countable_only)
		return pmu_fail(t->ret_error, -EINVAL, ONLY_COUNTS ", so '%s=' has no meaning",
				field);
	if (*field == 'p')
		pmu_set_period(&t->ev->attr, v);
	else
		pmu_set_freq(&t->ev->attr, v);
	return 0;
}

static int set_name(struct terms *t, const char *name)
{
	if (!*name)
		return pmu_fail(t->ret_error, -EINVAL, "name= is empty");
	free(t->ev->name);
	t->ev->name = strdup(name);
	return t->ev->name ? 0 : -ENOMEM;
}

static int set_pair(struct terms *t, const char *field, const char *value)
{
	struct perf_event_attr *attr = &t->ev->attr;
	uint64_t v;

	if (!good_file_name(field))
		return pmu_fail(t->ret_error, -EINVAL, "'%s' cannot be a field", field);
	if (strcmp(field, "name") == 0)
		return set_name(t, value);
	if (pmu_parse_u64(value, &v) < 0)
		return pmu_fail(t->ret_error, -EINVAL, "'%s=%s' needs a number", field, value);
	if (strcmp(field, "period") == 0 || strcmp(field, "freq") == 0)
		return set_rate(t, field, v);
	if (strcmp(field, "config") == 0)
		attr->config = v;
	else if (strcmp(field, "config1") == 0)
		attr->config1 = v;
	else if (strcmp(field, "config2") == 0)
		attr->config2 = v;
	else
		return set_field(t, field, v);
	return 0;
}

static int apply_event(struct terms *t, const char *event, const char *text);

static int apply_one(struct terms *t, char *term, bool in_event)
{
	_cleanup_(pmu_freep) char *text = NULL;
	char *value = strchr(term, '=');
	int r;

	if (value) {
		*value++ = 0;
		if (in_event && strcmp(value, "?") == 0)
			return user_gave(t, term)
				       ? 0
				       : pmu_fail(t->ret_error, -EINVAL,
						  "the event needs %s=VALUE as well", term);
		return set_pair(t, term, value);
	}
	if (!good_file_name(term))
		return pmu_fail(t->ret_error, -EINVAL, "'%s' can be neither event nor field", term);
	if (!in_event) {
		r = pmu_read_file(&text, "%s/" SYSFS_DEVICES "/%s/events/%s", t->sysfs, t->pmu,
				  term);
		if (r == 0)
			return apply_event(t, term, text);
		if (r != -ENOENT)
			return pmu_fail(t->ret_error, r, "event '%s' of %s cannot be read: %s",
					term, t->pmu, strerror(-r));
	}
	return set_field(t, term, 1);
}

static int apply(struct terms *t, const char *text, bool in_event)
{
	_cleanup_(pmu_freep) char *copy = strdup(text);
	char *rest = copy, *term;

	if (!copy)
		return -ENOMEM;
	while ((term = strsep(&rest, ","))) {
		int r = *term ? apply_one(t, term, in_event)
			      : pmu_fail(t->ret_error, -EINVAL, "an empty term between commas");

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_scale(struct terms *t, const char *event)
{
	_cleanup_(pmu_freep) char *scale = NULL;
	char *unit = NULL, *end;
	double v;
	int r;

	r = pmu_read_file(&unit, "%s/" SYSFS_DEVICES "/%s/events/%s.unit", t->sysfs, t->pmu, event);
	if (r == 0) {
		free(t->ev->unit);
		t->ev->unit = unit;
	}
	r = pmu_read_file(&scale, "%s/" SYSFS_DEVICES "/%s/events/%s.scale", t->sysfs, t->pmu,
			  event);
	if (r < 0)
		return 0;
	v = strtod(scale, &end);
	if (end == scale || *end || !(v > 0) || v > 1e300)
		return pmu_fail(t->ret_error, -EINVAL, "scale '%s' of %s/%s/ is no number", scale,
				t->pmu, event);
	t->ev->scale = v;
	return 0;
}

static int apply_event(struct terms *t, const char *event, const char *text)
{
	int r = apply(t, text, true);

	return r < 0 ? r : read_scale(t, event);
}

static int fill(const char *sysfs, const char *pmu, struct pmu_event *ev, char **ret_error)
{
	uint64_t type;
	int r;

	r = good_file_name(pmu) ? pmu_read_u64(&type, "%s/" SYSFS_DEVICES "/%s/type", sysfs, pmu)
				: -ENOENT;
	if (r == -ENOENT)
		return pmu_fail(ret_error, -ENOENT, "this machine has no PMU '%s'", pmu);
	if (r < 0 || type > UINT32_MAX)
		return pmu_fail(ret_error, r < 0 ? r : -EINVAL, "type of PMU '%s' cannot be read",
				pmu);
	ev->attr.type = (uint32_t)type;
	r = sysfs_describe_pmu(sysfs, pmu, ev);
	if (r < 0)
		return r;
	/* Uncore PMUs refuse every exclude bit. */
	ev->attr.exclude_guest = sysfs_is_core(sysfs, pmu);
	pmu_set_freq(&ev->attr, PMU_DEFAULT_HZ);
	ev->source = PMU_SOURCE_SYSFS;
	return 0;
}

#define WANTED "it takes PMU/EVENT/ or PMU/FIELD=VALUE,.../"

/* Cuts "pmu/terms/mods" in three, in place. */
static int split(char *text, char **ret_terms, char **ret_modifiers, char **ret_error)
{
	char *open = strchr(text, '/'), *close = strchr(open + 1, '/');

	if (!close)
		return pmu_fail(ret_error, -EINVAL, "the second '/' is missing");
	if (open == text)
		return pmu_fail(ret_error, -EINVAL, WANTED);
	*open = *close = 0;
	*ret_terms = open + 1;
	*ret_modifiers = close + 1;
	if (**ret_modifiers == ':')
		(*ret_modifiers)++;
	return 0;
}

int sysfs_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error)
{
	_cleanup_(pmu_freep) char *pmu = NULL;
	char *list = NULL, *modifiers = NULL;
	struct terms t;
	int r;

	if (!strchr(name, '/'))
		return -ENOENT;
	pmu = strdup(name);
	if (!pmu)
		return -ENOMEM;
	r = split(pmu, &list, &modifiers, ret_error);
	if (r < 0)
		return r;
	r = fill(sysfs, pmu, ev, ret_error);
	if (r < 0)
		return r;
	t = (struct terms){
		.sysfs = sysfs, .pmu = pmu, .all = list, .ev = ev, .ret_error = ret_error
	};
	/* "ibs_op//": a PMU without events is one itself */
	if (!*list && sysfs_has(sysfs, pmu, "events"))
		return pmu_fail(ret_error, -EINVAL, WANTED);
	r = *list ? apply(&t, list, false) : 0;
	if (r < 0)
		return r;
	if (ev->countable_only)
		pmu_set_period(&ev->attr, 0);
	if (!ev->name)
		ev->name = strdup(name);
	if (!ev->name)
		return -ENOMEM;
	return *modifiers ? pmu_apply_modifiers(&ev->attr, modifiers, ret_error) : 0;
}
