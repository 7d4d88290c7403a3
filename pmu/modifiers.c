// SPDX-License-Identifier: Apache-2.0
/*
 * perf's event modifiers: u, k, h choose the privilege levels that count, G and H guest and host, p
 * (up to three) asks for less skid, P for the least there is, I leaves out the idle task.
 */
#include <errno.h>
#include <string.h>

#include "pmu/internal.h"

#define MAX_PRECISE 3

struct chosen {
	bool user, kernel, hypervisor, guest, host, idle;
	unsigned int precise;
};

static int choose(struct chosen *c, char modifier)
{
	switch (modifier) {
	case 'u':
		c->user = true;
		return 0;
	case 'k':
		c->kernel = true;
		return 0;
	case 'h':
		c->hypervisor = true;
		return 0;
	case 'G':
		c->guest = true;
		return 0;
	case 'H':
		c->host = true;
		return 0;
	case 'I':
		c->idle = true;
		return 0;
	case 'p':
		return ++c->precise <= MAX_PRECISE ? 0 : -ERANGE;
	case 'P':
		c->precise = MAX_PRECISE;
		return 0;
	default:
		return -EINVAL;
	}
}

bool pmu_are_modifiers(const char *text)
{
	struct chosen c = { 0 };

	for (const char *p = text; *p; p++)
		if (*p != ':' && choose(&c, *p) < 0)
			return false;
	return *text;
}

void pmu_set_precise(struct perf_event_attr *attr, unsigned int precise)
{
	attr->precise_ip = precise & MAX_PRECISE;
	/*
	 * Attaching a BPF program that reads stacks to a precise event is EPROTO unless the kernel
	 * takes the call chain itself, at the moment the hardware recorded.
	 */
	if (precise)
		attr->sample_type |= PERF_SAMPLE_CALLCHAIN;
	else
		attr->sample_type &= ~(uint64_t)PERF_SAMPLE_CALLCHAIN;
}

static void apply(struct perf_event_attr *attr, const struct chosen *c)
{
	if (c->user || c->kernel || c->hypervisor) {
		attr->exclude_user = !c->user;
		attr->exclude_kernel = !c->kernel;
		attr->exclude_hv = !c->hypervisor;
	}
	if (c->guest || c->host) {
		attr->exclude_guest = !c->guest;
		attr->exclude_host = !c->host;
	}
	if (c->idle)
		attr->exclude_idle = 1;
	if (c->precise)
		pmu_set_precise(attr, c->precise);
}

int pmu_apply_modifiers(struct perf_event_attr *attr, const char *text, char **ret_error)
{
	struct chosen c = { 0 };

	if (!*text)
		return pmu_fail(ret_error, -EINVAL, "a ':' without a modifier behind it");
	for (const char *p = text; *p; p++) {
		int r = *p == ':' && p != text && p[1] ? 0 : choose(&c, *p);

		if (r == -ERANGE)
			return pmu_fail(ret_error, -EINVAL, "'%s' has more than three p", text);
		if (r < 0)
			return pmu_fail(ret_error, -EINVAL,
					"'%c' is no modifier; there are u k h (user, kernel, "
					"hypervisor), G H (guest, host), p pp ppp P (less skid), "
					"I (not idle)",
					*p);
	}
	apply(attr, &c);
	return 0;
}
