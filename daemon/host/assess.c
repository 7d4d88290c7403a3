// SPDX-License-Identifier: Apache-2.0
#include "host/assess.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/needs.h"
#include "host/text_file.h"
#include "util/cleanup.h"

/* --- gathering ----------------------------------------------------------------------------------
 */

static void read_distribution(char *out, size_t size)
{
	char text[8192];

	if ((text_file_read("", "/etc/os-release", text, sizeof(text)) < 0 &&
	     text_file_read("", "/usr/lib/os-release", text, sizeof(text)) < 0) ||
	    text_field(text, "PRETTY_NAME", '=', out, size) < 0)
		snprintf(out, size, "unknown distribution");
}

static int gather_btf(const char *option, struct host_facts *f, char **ret_error)
{
	_cleanup_close_ int fd = -1;
	char path[HOST_BTF_PATH_MAX];
	int r;

	r = host_btf_find("", option, &f->kernel, &f->btf);
	if (r < 0 && asprintf(ret_error, "the BTF named by the option cannot be used: %.*s",
			      f->btf.tried ? (int)strcspn(f->btf.tried, "\n") : 0,
			      f->btf.tried ? f->btf.tried : "") < 0)
		*ret_error = NULL;
	if (r < 0)
		return r;
	fd = host_btf_for_sampler(path);
	f->btf_for_sampler = fd >= 0;
	return 0;
}

int host_facts_gather(const char *btf, struct host_facts *ret, char **ret_error)
{
	struct host_facts f = { 0 };
	int r;

	*ret_error = NULL;
	r = host_kernel_get(&f.kernel);
	if (r < 0)
		return r;
	r = host_privilege_read("", &f.privilege);
	if (r < 0)
		return r;
	r = gather_btf(btf, &f, ret_error);
	if (r < 0) {
		host_facts_done(&f);
		return r;
	}
	host_features_probe(&f.features);
	host_virt_read("", f.kernel.machine, &f.virt);
	host_virt_core_pmus("", f.core_pmus, sizeof(f.core_pmus));
	read_distribution(f.distribution, sizeof(f.distribution));
	*ret = f;
	return 0;
}

void host_facts_done(struct host_facts *facts)
{
	host_btf_done(&facts->btf);
	free(facts->sampler_error);
	facts->sampler_error = NULL;
}

enum host_core_level host_facts_core_level(const struct host_facts *f)
{
	if (f->btf.kind != HOST_BTF_NONE)
		return HOST_CORE_FULL;
	return f->btf_for_sampler ? HOST_CORE_PARTIAL : HOST_CORE_NONE;
}

/* --- assessing ----------------------------------------------------------------------------------
 */

static _printf_(3, 4) int lose(struct host_assessment *a, enum host_loss_kind kind,
			       const char *format, ...)
{
	struct host_loss *grown = realloc(a->losses, (a->n_losses + 1) * sizeof(*grown));
	va_list arguments;
	int r;

	if (!grown)
		return -ENOMEM;
	a->losses = grown;
	va_start(arguments, format);
	r = vasprintf(&grown[a->n_losses].what, format, arguments);
	va_end(arguments);
	if (r < 0)
		return -ENOMEM;
	grown[a->n_losses++].kind = kind;
	return 0;
}

/* A mainline kernel treats every paranoid level above 2 as 2. */
static bool disproved(const struct host_facts *f, const struct host_need *need)
{
	return strcmp(need->name, "kernel.perf_event_paranoid") == 0 &&
	       host_has(&f->features, HOST_FEATURE_SOFTWARE_SAMPLING);
}

static int assess_needs(const struct host_facts *f, struct host_assessment *a)
{
	static const enum host_loss_kind kinds[] = {
		[HOST_NEED_SAMPLING] = HOST_LOSS_PRIVILEGE,
		[HOST_NEED_QUALITY] = HOST_LOSS_PART,
		[HOST_NEED_OPTION] = HOST_LOSS_OPTION,
	};
	struct host_need *needs;
	size_t n;
	int r;

	r = host_privilege_missing(&f->privilege, &needs, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!disproved(f, &needs[i]))
			r = lose(a, kinds[needs[i].weight], "%s", needs[i].sentence);
	if (r == 0)
		host_needs_free(needs, n);
	return r;
}

static bool has_loss(const struct host_assessment *a, enum host_loss_kind kind)
{
	for (size_t i = 0; i < a->n_losses; i++)
		if (a->losses[i].kind == kind)
			return true;
	return false;
}

static int assess_btf(const struct host_facts *f, struct host_assessment *a)
{
	switch (host_facts_core_level(f)) {
	case HOST_CORE_FULL:
		return 0;
	case HOST_CORE_PARTIAL:
		return lose(
			a, HOST_LOSS_PART,
			"No BTF of this kernel was found: the sampler works, collectors that read "
			"kernel structures do not load. Take a kernel with "
			"CONFIG_DEBUG_INFO_BTF=y, or put BTFHub's file for it at "
			"%s/<ID>/<VERSION_ID>/%s/%s.btf, or name it with --btf.",
			host_btf_directories[0], f->kernel.machine, f->kernel.release);
	case HOST_CORE_NONE:
		return lose(
			a, HOST_LOSS_KERNEL,
			"No BTF was found and none could be made, so that no BPF program can be "
			"fitted to this kernel.");
	}
	return 0;
}

/* Why cycles cannot be sampled, for the machine at hand. */
static const char *no_pmu_remedy(const struct host_facts *f)
{
	if (f->core_pmus[0])
		return "The PMU is there, so another user may hold it, or the hypervisor shows "
		       "only a "
		       "part of it; 'ebpf-profiler events' tells more.";
	if (f->virt.virtualised)
		return "This virtual machine shows no PMU: ask for one (vPMU, an instance of a "
		       "whole "
		       "socket, or metal).";
	return "The kernel found no PMU: look for 'Performance Events' in dmesg, and for the "
	       "firmware's "
	       "setting of performance counters.";
}

/* What the sampler's maps may need on a large machine. */
#define MAPS_MEMLOCK (64ULL << 20)

static int assess_memlock(const struct host_facts *f, struct host_assessment *a)
{
	if (f->privilege.memlock_bytes >= MAPS_MEMLOCK)
		return 0;
	return lose(a, HOST_LOSS_PART,
		    "This kernel counts BPF maps against the limit of locked memory, which is low: "
		    "maps may be refused with EPERM. LimitMEMLOCK=infinity in the unit, ulimit -l "
		    "unlimited by hand.");
}

static int assess_feature(const struct host_facts *f, enum host_feature feature,
			  struct host_assessment *a)
{
	const struct host_feature_info *info = host_feature_info(feature);
	const char *answer = strerror(-f->features.error[feature]);

	if (feature == HOST_FEATURE_MEMCG)
		return assess_memlock(f, a);
	if (feature == HOST_FEATURE_CYCLES_SAMPLING)
		return lose(a, HOST_LOSS_PART, "No %s (%s): %s. %s", info->title, answer,
			    info->without, no_pmu_remedy(f));
	if (info->weight == HOST_FEATURE_NEEDED)
		return lose(a, HOST_LOSS_KERNEL, "No %s (%s): %s. Take a newer kernel.",
			    info->title, answer, info->without);
	if (info->weight == HOST_FEATURE_QUALITY)
		return lose(a, HOST_LOSS_PART, "No %s (%s): %s. A newer kernel has it.",
			    info->title, answer, info->without);
	return 0;
}

/* Refused, and no missing right explains it: something outside the capabilities says no. */
static int assess_refusal(const struct host_facts *f, enum host_feature feature,
			  struct host_assessment *a)
{
	return lose(
		a, HOST_LOSS_PRIVILEGE,
		"The kernel refuses %s (%s) although the capabilities are there: look for seccomp "
		"(%s), an LSM (%s) and its audit log, lockdown (%s), and container limits.",
		host_feature_info(feature)->title, strerror(-f->features.error[feature]),
		f->privilege.seccomp ? "a filter is on" : "off",
		f->privilege.lsm[0] ? f->privilege.lsm : "unknown",
		host_lockdown_name(f->privilege.lockdown));
}

static int assess_features(const struct host_facts *f, struct host_assessment *a)
{
	bool explained = has_loss(a, HOST_LOSS_PRIVILEGE);
	int r = 0;

	for (size_t i = 0; i < HOST_FEATURES && r == 0; i++) {
		if (host_has(&f->features, i))
			continue;
		if (!host_feature_denied(&f->features, i)) {
			r = assess_feature(f, i, a);
		} else if (!explained && host_feature_info(i)->weight == HOST_FEATURE_NEEDED) {
			r = assess_refusal(f, i, a);
			explained = true;
		}
	}
	return r;
}

/* The proof of the pudding; of interest only where nothing before explains it. */
static int assess_sampler(const struct host_facts *f, struct host_assessment *a)
{
	if (!f->sampler_error || has_loss(a, HOST_LOSS_PRIVILEGE) || has_loss(a, HOST_LOSS_KERNEL))
		return 0;
	return lose(a, HOST_LOSS_KERNEL, "The sampler does not start: %s", f->sampler_error);
}

/* Stable, so that a table's order survives among equals. */
static void sort_losses(struct host_assessment *a)
{
	for (size_t i = 1; i < a->n_losses; i++) {
		struct host_loss moved = a->losses[i];
		size_t at = i;

		for (; at > 0 && a->losses[at - 1].kind > moved.kind; at--)
			a->losses[at] = a->losses[at - 1];
		a->losses[at] = moved;
	}
}

int host_assess(const struct host_facts *facts, struct host_assessment *ret)
{
	struct host_assessment a = { 0 };
	int r;

	r = assess_needs(facts, &a);
	if (r == 0)
		r = assess_btf(facts, &a);
	if (r == 0)
		r = assess_features(facts, &a);
	if (r == 0)
		r = assess_sampler(facts, &a);
	if (r < 0) {
		host_assessment_done(&a);
		return r;
	}
	sort_losses(&a);
	if (has_loss(&a, HOST_LOSS_PRIVILEGE) || has_loss(&a, HOST_LOSS_KERNEL))
		a.verdict = HOST_VERDICT_NONE;
	else if (has_loss(&a, HOST_LOSS_PART))
		a.verdict = HOST_VERDICT_DEGRADED;
	a.privilege = a.verdict == HOST_VERDICT_NONE && !has_loss(&a, HOST_LOSS_KERNEL);
	*ret = a;
	return 0;
}

void host_assessment_done(struct host_assessment *a)
{
	for (size_t i = 0; i < a->n_losses; i++)
		free(a->losses[i].what);
	free(a->losses);
	*a = (struct host_assessment){ 0 };
}

const char *host_verdict_name(enum host_verdict verdict)
{
	static const char *const names[] = {
		[HOST_VERDICT_FULL] = "full",
		[HOST_VERDICT_DEGRADED] = "degraded",
		[HOST_VERDICT_NONE] = "none",
	};

	return names[verdict];
}
