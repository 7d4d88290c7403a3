/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How long each CPU has been idle, as /proc/stat tells it (idle and iowait, in ticks of USER_HZ).
 */
#include <stddef.h>
#include <stdint.h>

/* Fills idle_ns[0 .. n_cpus - 1], time since boot; 0 for CPUs that are not listed. `procfs`: NULL
 * is /proc. */
int host_idle_read(const char *procfs, uint64_t *idle_ns, size_t n_cpus);
