/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Fills the filter maps of one event's program: pids, thread names, and the cgroups of units and
 * slices with everything below them. Where only cgroup v1 is mounted the kernel gives no usable
 * cgroup id: there the processes of the unit's directory are put into the pid filter instead.
 */
#include <stddef.h>

#include "sampler/program.h"
#include "sampler/settings.h"

/* The SAMPLER_FILTER_* flags this filter needs. */
unsigned int sample_filter_flags(const struct sample_filter *f);
/* Adds what there is now; may be called again for cgroups that came later. Gives the number of
 * entries in all maps. */
int sample_filter_apply(const struct sample_filter *f, struct program *p, size_t *ret_entries);
