/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What must be settled before anything is opened: which events, whether this kernel is safe for
 * them, and where its types are described.
 */
#include "engine/config.h"
#include "engine/plan.h"
#include "host/btf.h"

struct preparation {
	struct plan plan;
	struct host_btf btf;
	int btf_fd; /* of the BTF made for the sampler alone, -1: another one is used */
	char btf_made[HOST_BTF_PATH_MAX];
};

/*
 * strict as in plan_make(). -EPERM with a sentence when the kernel is dangerous for the plan and
 * the configuration does not allow it. preparation_done() is safe after success and failure.
 */
int prepare(const struct config *config, bool strict, struct preparation *ret, char **ret_error);
void preparation_done(struct preparation *p);
/* The file for pipeline_options.btf. */
const char *preparation_btf(const struct preparation *p);
/* Refuses what is dangerous; also for a reload. */
int prepare_refuse_dangerous(const struct config *config, const struct plan *plan,
			     char **ret_error);
