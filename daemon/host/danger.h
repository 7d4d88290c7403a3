/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Kernels that are known to freeze or crash on what we are about to attach: a table of kernel
 * range, combination, reason, and what to do instead.
 *
 * Where the real patch level of a vendor's kernel is unknown, every fix that upstream made within
 * that X.Y is assumed to be missing: a refusal costs an option, a frozen machine costs more.
 * Override: allow-unsafe in [sampler] of the configuration, --allow-unsafe-kernel on the command
 * line.
 */
#include <stddef.h>

#include "host/kernel.h"

/* What a plan does; a row applies when all of its bits are in the plan. */
enum host_plan {
	HOST_PLAN_HARDWARE_EVENT = 1 << 0, /* overflows may arrive as NMI */
	HOST_PLAN_BPF_RING = 1 << 1, /* samples go through a BPF ring buffer */
	HOST_PLAN_READ_USER = 1 << 2, /* the program reads user memory with bpf_probe_read_user */
	HOST_PLAN_SWITCH_USER = 1 << 3, /* user stacks are taken at context switches */
	HOST_PLAN_EVERYTHING = (1 << 4) - 1,
};

struct host_version {
	unsigned int major, minor, patch;
};

struct host_danger {
	unsigned int plan; /* enum host_plan */
	struct host_version from, until; /* [from, until) */
	bool realtime_only;
	const char *machine; /* as of uname -m; NULL: any */
	const char *vendor; /* must be part of uname -r; NULL: any kernel */
	unsigned int last_build; /* with `vendor`: builds above it are fine */
	const char *what; /* the combination, in words */
	const char *reason;
	const char *instead;
};

const struct host_danger *host_danger_table(size_t *ret_n);

/* Does this row speak about this kernel? */
bool host_danger_applies(const struct host_danger *d, const struct host_kernel *k);

/* The first row that forbids `plan` on this kernel, or NULL. */
const struct host_danger *host_danger_find(const struct host_kernel *k, unsigned int plan);

/* The sentence for the operator: kernel, combination, reason, way out, override. Heap, or NULL. */
char *host_danger_sentence(const struct host_danger *d, const struct host_kernel *k);
