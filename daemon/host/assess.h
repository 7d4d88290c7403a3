/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * All facts of this host, and what follows from them: can it be profiled, what is lost, how is that
 * mended.
 *
 * Gathering asks the system; assessing is a pure function of the facts.
 */
#include <stdbool.h>
#include <stddef.h>

#include "host/btf.h"
#include "host/features.h"
#include "host/kernel.h"
#include "host/privilege.h"
#include "host/virt.h"

struct host_facts {
	struct host_kernel kernel;
	struct host_btf btf;
	bool btf_for_sampler; /* the generated one can be made */
	struct host_features features;
	struct host_privilege privilege;
	struct host_virt virt;
	char core_pmus[256];
	char distribution[128];
	/* Of loading and attaching the real sampler, by whoever can: heap, NULL when it worked or
	 * was not tried. */
	char *sampler_error;
};

/*
 * `btf` as in host_btf_find(). 0, or a negative errno with *ret_error a heap sentence (-ENOENT: the
 * BTF named by the operator does not hold).
 */
int host_facts_gather(const char *btf, struct host_facts *ret, char **ret_error);
void host_facts_done(struct host_facts *facts);

enum host_core_level host_facts_core_level(const struct host_facts *facts);

enum host_loss_kind {
	HOST_LOSS_PRIVILEGE, /* nothing can be sampled until a right is given */
	HOST_LOSS_KERNEL, /* nothing can be sampled on this kernel */
	HOST_LOSS_PART, /* sampling works, something is missing */
	HOST_LOSS_OPTION, /* something off by default cannot be had; does not count */
};

struct host_loss {
	enum host_loss_kind kind;
	char *what; /* heap: a sentence, with how to mend it */
};

enum host_verdict { HOST_VERDICT_FULL, HOST_VERDICT_DEGRADED, HOST_VERDICT_NONE };

struct host_assessment {
	enum host_verdict verdict;
	bool privilege; /* HOST_VERDICT_NONE, and only rights are in the way */
	struct host_loss *losses; /* worst first */
	size_t n_losses;
};

int host_assess(const struct host_facts *facts, struct host_assessment *ret);
void host_assessment_done(struct host_assessment *a);
const char *host_verdict_name(enum host_verdict verdict);
