// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "engine/prepare.h"

#include <errno.h>
#include <string.h>

#include "host/cpus.h"
#include "host/danger.h"
#include "host/kernel.h"
#include "host/needs.h"

int prepare_refuse_dangerous(const struct config *config, const struct plan *plan, char **ret_error)
{
	const struct host_danger *danger;
	struct host_kernel kernel;
	unsigned int bits = config->transport == TRANSPORT_BPF ? HOST_PLAN_BPF_RING : 0;

	if (config->allow_unsafe || host_kernel_get(&kernel) < 0)
		return 0;
	for (size_t i = 0; i < plan->n_events; i++) {
		if (plan->events[i].pmu.attr.type != PERF_TYPE_SOFTWARE)
			bits |= HOST_PLAN_HARDWARE_EVENT;
		if (plan->events[i].off_cpu && plan->events[i].flags & SAMPLER_USER_STACK)
			bits |= HOST_PLAN_SWITCH_USER;
	}
	danger = host_danger_find(&kernel, bits);
	if (!danger)
		return 0;
	*ret_error = host_danger_sentence(danger, &kernel);
	return -EPERM;
}

/* Before anything is opened, so that one answer names every right that is missing. */
static int refuse_without_rights(char **ret_error)
{
	struct host_privilege rights;

	if (host_privilege_read(NULL, &rights) < 0)
		return 0;
	*ret_error = host_privilege_refusal(&rights);
	return *ret_error ? -EPERM : 0;
}

/*
 * The sampler relocates against next to nothing, whose description is made on the spot, once: libbpf
 * would parse the whole kernel's BTF, some ten milliseconds, for every event.
 */
static int make_btf(const struct config *config, struct preparation *p)
{
	p->btf_fd = config->unwind == UNWIND_FP ? host_btf_for_sampler(p->btf_made)
						: host_btf_for_unwinder(p->btf_made);
	return p->btf_fd < 0 ? p->btf_fd : 0;
}

/* The lines of what was tried as one sentence. */
static char *unusable_btf(const struct host_btf *btf, int error)
{
	char *text;

	if (asprintf(&text, "cannot use the BTF that was asked for: %s",
		     btf->tried && *btf->tried ? btf->tried : strerror(-error)) < 0)
		return NULL;
	for (char *p = text; (p = strchr(p, '\n'));)
		*p = p[1] ? ';' : '\0';
	return text;
}

static int find_btf(const struct config *config, struct preparation *p, char **ret_error)
{
	struct host_kernel kernel;
	int r;

	if (!config->btf)
		return make_btf(config, p);
	r = host_kernel_get(&kernel);
	if (r == 0)
		r = host_btf_find(NULL, config->btf, &kernel, &p->btf);
	if (r < 0) {
		*ret_error = unusable_btf(&p->btf, r);
		return r == -ENOENT ? -EINVAL : r;
	}
	if (p->btf.kind != HOST_BTF_NONE)
		return 0;
	return make_btf(config, p);
}

int prepare(const struct config *config, bool strict, struct preparation *ret, char **ret_error)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n_cpus;
	int r;

	*ret = (struct preparation){ .btf_fd = -1 };
	r = refuse_without_rights(ret_error);
	if (r == 0)
		r = host_cpus_online(NULL, &cpus, &n_cpus);
	if (r == 0)
		r = plan_make(config, strict, cpus[0], &ret->plan, ret_error);
	if (r == 0)
		r = prepare_refuse_dangerous(config, &ret->plan, ret_error);
	return r < 0 ? r : find_btf(config, ret, ret_error);
}

void preparation_done(struct preparation *p)
{
	plan_done(&p->plan);
	host_btf_done(&p->btf);
	p->btf_fd = safe_close(p->btf_fd);
}

const char *preparation_btf(const struct preparation *p)
{
	return p->btf_fd >= 0 ? p->btf_made : host_btf_custom_path(&p->btf);
}
