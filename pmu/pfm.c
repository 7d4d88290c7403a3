// SPDX-License-Identifier: Apache-2.0
/*
 * libpfm4: the CPU vendors' own event names. This is the only file that knows the library.
 *
 * It is a table, not a probe: "present" means that CPUID's model matches, and an event may encode
 * for a PMU the kernel does not have. So what it gives for anything but the cores is believed only
 * when sysfs has a PMU of that type.
 */
#include <linux/perf_event.h>

#include <errno.h>
#include <perfmon/pfmlib.h>
#include <perfmon/pfmlib_perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "pmu/internal.h"
#include "pmu/sysfs.h"

#define BOTH_LEVELS (PFM_PLM3 | PFM_PLM0)

/*
 * Runs once: the library is not thread-safe before it is initialised, and reads its environment
 * then. Its perf PMU would read the id of every tracepoint, thousands of files, for names our
 * catalogue has; LIBPFM_ENCODE_INACTIVE would give encodings for other machines.
 */
static int initialised = PFM_ERR_NOINIT;

static void initialise(void)
{
	const char *disabled = getenv("LIBPFM_DISABLED_PMUS"), *inactive;
	_cleanup_(pmu_freep) char *old_disabled = disabled ? strdup(disabled) : NULL;
	_cleanup_(pmu_freep) char *old_inactive = NULL, *wanted = NULL;

	inactive = getenv("LIBPFM_ENCODE_INACTIVE");
	old_inactive = inactive ? strdup(inactive) : NULL;
	if (asprintf(&wanted, "perf,perf_raw%s%s", disabled ? "," : "", disabled ? disabled : "") <
	    0) {
		wanted = NULL;
		return;
	}
	setenv("LIBPFM_DISABLED_PMUS", wanted, 1);
	unsetenv("LIBPFM_ENCODE_INACTIVE");
	initialised = pfm_initialize();
	if (old_disabled)
		setenv("LIBPFM_DISABLED_PMUS", old_disabled, 1);
	else
		unsetenv("LIBPFM_DISABLED_PMUS");
	if (old_inactive)
		setenv("LIBPFM_ENCODE_INACTIVE", old_inactive, 1);
}

static bool ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, initialise);
	return initialised == PFM_SUCCESS;
}

static int encode(const char *name, struct perf_event_attr *ret, char **ret_full, int *ret_idx)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = {
		.attr = &attr, .fstr = ret_full, .size = sizeof(arg), .cpu = -1
	};
	int r;

	errno = 0; /* the library takes a stale ERANGE for its own */
	r = pfm_get_os_event_encoding(name, BOTH_LEVELS, PFM_OS_PERF_EVENT_EXT, &arg);
	if (r == PFM_SUCCESS) {
		*ret = attr;
		*ret_idx = arg.idx;
	}
	return r;
}

static bool pmu_info(int pmu, pfm_pmu_info_t *ret)
{
	*ret = (pfm_pmu_info_t){ .size = sizeof(*ret) };
	return pfm_get_pmu_info((pfm_pmu_t)pmu, ret) == PFM_SUCCESS;
}

static bool event_info(int idx, pfm_event_info_t *ret)
{
	*ret = (pfm_event_info_t){ .size = sizeof(*ret) };
	return pfm_get_event_info(idx, PFM_OS_NONE, ret) == PFM_SUCCESS;
}

/* The umask with this number among the event's attributes; false when it is something else. */
static bool umask_info(int idx, int attribute, pfm_event_attr_info_t *ret)
{
	*ret = (pfm_event_attr_info_t){ .size = sizeof(*ret) };
	return pfm_get_event_attr_info(idx, attribute, PFM_OS_NONE, ret) == PFM_SUCCESS &&
	       ret->type == PFM_ATTR_UMASK;
}

/* A modifier at its default, or one that the suffix, the attr or nobody shows. */
static bool is_hidden(const char *part)
{
	static const char *const elsewhere[] = { "u", "k", "mg", "mh", "period", "freq" };
	const char *value = strchr(part, '=');

	if (!value)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (strlen(elsewhere[i]) == (size_t)(value - part) &&
		    memcmp(part, elsewhere[i], (size_t)(value - part)) == 0)
			return true;
	return strcmp(value + 1, "0") == 0 || strcmp(value + 1, "0x0") == 0;
}

/* ":upp", as perf writes level and precision. */
static void append_modifiers(char *name, const struct perf_event_attr *attr)
{
	bool one_level = attr->exclude_kernel != attr->exclude_user;
	unsigned int precise = strstr(name, ":precise=") ? 0 : attr->precise_ip;

	if (one_level || precise)
		strcat(name, ":");
	if (one_level)
		strcat(name, attr->exclude_kernel ? "u" : "k");
	for (unsigned int i = 0; i < precise; i++)
		strcat(name, "p");
}

/*
 * The library's full name spells out every modifier at its default ("...:e=0:i=0:u=1:k=1:mh=1").
 * Kept are event and unit masks, and what differs from the default.
 */
static char *short_name(const char *full, const struct perf_event_attr *attr)
{
	_cleanup_(pmu_freep) char *copy = strdup(full);
	char *out = calloc(1, strlen(full) + sizeof(":uppp")), *rest = copy, *part;

	if (!copy || !out) {
		free(out);
		return NULL;
	}
	while ((part = strsep(&rest, ":"))) {
		if (is_hidden(part))
			continue;
		if (part != copy)
			strcat(out, ":");
		strcat(out, part);
	}
	append_modifiers(out, attr);
	return out;
}

/* Believes an encoding for a PMU other than the cores' only when the kernel has that PMU. */
static int check_type(const pfm_pmu_info_t *pmu, const char *sysfs, struct pmu_event *ev,
		      char **ret_error)
{
	_cleanup_(pmu_freep) char *name = NULL;
	int r;

	if (pmu->type == PFM_PMU_TYPE_CORE && ev->attr.type == PERF_TYPE_RAW) {
		ev->pmu = sysfs_core_pmu(sysfs);
		return ev->pmu ? 0 : -ENOMEM;
	}
	r = ev->attr.type == PERF_TYPE_RAW ? -ENOENT
					   : sysfs_pmu_by_type(sysfs, ev->attr.type, &name);
	if (r == -ENOENT)
		return pmu_fail(
			ret_error, -EOPNOTSUPP,
			"libpfm4 knows it for %s, but the kernel has no such PMU; its driver "
			"may not be loaded",
			pmu->name);
	if (r < 0)
		return r;
	r = sysfs_describe_pmu(sysfs, name, ev);
	ev->countable_only |= pmu->type != PFM_PMU_TYPE_CORE;
	return r;
}

static int fill(const char *full, int idx, const char *sysfs, struct pmu_event *ev,
		char **ret_error)
{
	pfm_event_info_t event;
	pfm_pmu_info_t pmu;
	int r;

	if (!event_info(idx, &event) || !pmu_info((int)event.pmu, &pmu))
		return pmu_fail(ret_error, -EOPNOTSUPP, "libpfm4 does not describe its own event");
	r = check_type(&pmu, sysfs, ev, ret_error);
	if (r < 0)
		return r;
	if (ev->attr.precise_ip)
		pmu_set_precise(&ev->attr, ev->attr.precise_ip);
	if (ev->countable_only && ev->attr.sample_period)
		return pmu_fail(ret_error, -EINVAL, ONLY_COUNTS ", so a rate has no meaning");
	if (!ev->countable_only && !ev->attr.sample_period)
		pmu_set_freq(&ev->attr, PMU_DEFAULT_HZ);
	if (pmu.type == PFM_PMU_TYPE_CORE && strstr(full, "::"))
		full = strstr(full, "::") + 2;
	ev->source = PMU_SOURCE_LIBPFM4;
	ev->name = short_name(full, &ev->attr);
	return ev->name ? 0 : -ENOMEM;
}

/* The event part of "pmu::EVENT:umask...", and what stands before it; NULL, 0: any PMU. */
struct parts {
	const char *pmu, *event;
	size_t pmu_length, event_length;
};

static struct parts split(const char *name)
{
	const char *colons = strstr(name, "::");
	struct parts p = { .event = name };

	if (colons) {
		p.pmu = name;
		p.pmu_length = (size_t)(colons - name);
		p.event = colons + 2;
	}
	p.event_length = strcspn(p.event, ":.");
	return p;
}

static bool same(const char *name, const char *text, size_t n)
{
	return strlen(name) == n && strncasecmp(name, text, n) == 0;
}

/* Looks the event up by name in the tables of present PMUs, or of all others. */
static bool find(const struct parts *p, bool present, pfm_pmu_info_t *ret_pmu, int *ret_idx)
{
	pfm_event_info_t event;

	for (int pmu = 0; pmu < PFM_PMU_MAX; pmu++) {
		if (!pmu_info(pmu, ret_pmu) || (bool)ret_pmu->is_present != present ||
		    (p->pmu && !same(ret_pmu->name, p->pmu, p->pmu_length)))
			continue;
		for (int i = ret_pmu->first_event; i >= 0; i = pfm_get_event_next(i))
			if (event_info(i, &event) && same(event.name, p->event, p->event_length)) {
				*ret_idx = i;
				return true;
			}
	}
	return false;
}

/* "A, B, C" of the event's unit masks, cut where it gets long; NULL when it has none. */
static char *list_umasks(int idx)
{
	pfm_event_attr_info_t umask;
	pfm_event_info_t event;
	char *text = NULL;

	if (!event_info(idx, &event))
		return NULL;
	for (int i = 0; i < event.nattrs; i++) {
		char *longer;

		if (!umask_info(idx, i, &umask))
			continue;
		if (text && strlen(text) > 300)
			umask.name = "...";
		if (asprintf(&longer, "%s%s%s", text ? text : "", text ? ", " : "", umask.name) < 0)
			break;
		free(text);
		text = longer;
		if (strcmp(umask.name, "...") == 0)
			break;
	}
	return text;
}

static int explain_umask(const char *name, int error, char **ret_error)
{
	_cleanup_(pmu_freep) char *umasks = NULL;
	const struct parts p = split(name);
	pfm_pmu_info_t pmu;
	int idx;

	if (find(&p, true, &pmu, &idx))
		umasks = list_umasks(idx);
	if (error == PFM_ERR_UMASK)
		return pmu_fail(ret_error, -EINVAL,
				"it needs a unit mask behind a colon, or these "
				"do not go together: %s",
				umasks ? umasks : "it has none");
	return pmu_fail(ret_error, -EINVAL, "no such unit mask or modifier; unit masks: %s",
			umasks ? umasks : "none");
}

/* An event of another CPU, or of an uncore PMU without a driver, is no typing error. */
static int explain_unknown(const char *name, char **ret_error)
{
	const struct parts p = split(name);
	pfm_pmu_info_t pmu;
	int idx;

	if (p.event_length == 0 || !find(&p, false, &pmu, &idx))
		return -ENOENT;
	return pmu_fail(ret_error, -EOPNOTSUPP,
			"libpfm4 knows it for %s (%s) and perhaps for others, but not for this "
			"machine; or that PMU's driver is not loaded",
			pmu.name, pmu.desc);
}

static int explain(const char *name, int error, char **ret_error)
{
	switch (error) {
	case PFM_ERR_NOTFOUND:
	case PFM_ERR_INVAL: /* also blanks and other shapes that no event has */
		return explain_unknown(name, ret_error);
	case PFM_ERR_UMASK:
	case PFM_ERR_ATTR:
		return explain_umask(name, error, ret_error);
	case PFM_ERR_NOMEM:
		return -ENOMEM;
	case PFM_ERR_NOTSUPP:
		return pmu_fail(ret_error, -EOPNOTSUPP,
				"libpfm4 cannot encode it here: is /proc/sys/kernel hidden from "
				"this process (ProcSubset=pid)?");
	default:
		return pmu_fail(ret_error, -EINVAL, "%s", pfm_strerror(error));
	}
}

/* perf's modifiers behind the last colon, which the library does not know in this form. */
static int encode_with_modifiers(const char *name, struct perf_event_attr *ret, char **ret_full,
				 int *ret_idx, char **ret_error)
{
	const char *colon = strrchr(name, ':');
	_cleanup_(pmu_freep) char *bare = NULL;
	int r;

	if (!colon || colon == name || colon[-1] == ':' || !pmu_are_modifiers(colon + 1))
		return PFM_ERR_ATTR;
	bare = strndup(name, (size_t)(colon - name));
	if (!bare)
		return PFM_ERR_NOMEM;
	r = encode(bare, ret, ret_full, ret_idx);
	if (r == PFM_SUCCESS && pmu_apply_modifiers(ret, colon + 1, ret_error) < 0)
		return PFM_ERR_ATTR;
	return r;
}

int pfm_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error)
{
	_cleanup_(pmu_freep) char *full = NULL;
	int r, idx = -1;

	if (strpbrk(name, "/,") || !ready())
		return -ENOENT;
	r = encode(name, &ev->attr, &full, &idx);
	if (r == PFM_ERR_ATTR)
		r = encode_with_modifiers(name, &ev->attr, &full, &idx, ret_error);
	if (r != PFM_SUCCESS)
		return *ret_error ? -EINVAL : explain(name, r, ret_error);
	return fill(full, idx, sysfs, ev, ret_error);
}

static int give(const pfm_pmu_info_t *pmu, const char *event, const char *umask,
		const char *description, pmu_known_fn each, void *userdata)
{
	bool core = pmu->type == PFM_PMU_TYPE_CORE;
	char name[256];

	snprintf(name, sizeof(name), "%s%s%s%s%s", core ? "" : pmu->name, core ? "" : "::", event,
		 umask ? ":" : "", umask ? umask : "");
	return each(&(struct pmu_known){ .name = name, .description = description }, userdata);
}

static int each_form(const pfm_pmu_info_t *pmu, int idx, pmu_known_fn each, void *userdata)
{
	pfm_event_attr_info_t umask;
	pfm_event_info_t event;
	bool plain = true;
	int r = 0;

	if (!event_info(idx, &event) || event.equiv)
		return 0;
	for (int i = 0; i < event.nattrs && !r; i++) {
		if (!umask_info(idx, i, &umask))
			continue;
		plain = false;
		if (!umask.equiv)
			r = give(pmu, event.name, umask.name, umask.desc, each, userdata);
	}
	return plain ? give(pmu, event.name, NULL, event.desc, each, userdata) : r;
}

int pfm_each(pmu_known_fn each, void *userdata)
{
	pfm_pmu_info_t pmu;
	int r = 0;

	for (int i = 0; i < PFM_PMU_MAX && ready() && !r; i++) {
		if (!pmu_info(i, &pmu) || !pmu.is_present)
			continue;
		for (int idx = pmu.first_event; idx >= 0 && !r; idx = pfm_get_event_next(idx))
			r = each_form(&pmu, idx, each, userdata);
	}
	return r;
}
