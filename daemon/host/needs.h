/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is missing, and the sentence for it: one table of capability or setting, what it is needed
 * for, what is lost without it, and how to get it.
 */
#include <stddef.h>

#include "host/privilege.h"

/* How bad it is that something is missing. */
enum host_need_weight {
	HOST_NEED_SAMPLING, /* nothing can be sampled without it */
	HOST_NEED_QUALITY, /* profiles lose names or stacks */
	HOST_NEED_OPTION, /* something that is off by default cannot be switched on */
};

#define HOST_NEED_PID_NAMESPACE "pid namespace"

struct host_need {
	enum host_need_weight weight;
	const char *name; /* "CAP_BPF", or of the setting: "kernel.kptr_restrict" */
	char *sentence; /* heap: what is missing, what is lost, how to mend it */
};

/* What is missing, most important first; *ret is a heap array of *ret_n. 0 or -ENOMEM. */
int host_privilege_missing(const struct host_privilege *p, struct host_need **ret, size_t *ret_n);
struct host_need *host_needs_free(struct host_need *needs, size_t n);

/* The sentence of what is missing under that name, heap; NULL when it is not missing. */
char *host_privilege_lack(const struct host_privilege *p, const char *name);

/*
 * Why sampling the whole host cannot work, as far as the rights alone tell: what is certainly
 * missing, a sentence a line, heap; NULL when nothing is.
 */
char *host_privilege_refusal(const struct host_privilege *p);
