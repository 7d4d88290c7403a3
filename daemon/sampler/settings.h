/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What may be chosen about sampling: how samples come, and which of them are kept. The configuration
 * holds these; the sampler obeys them.
 */
#include <stdint.h>

enum transport { TRANSPORT_AUTO, TRANSPORT_PERF, TRANSPORT_BPF };
enum attach_mode { ATTACH_AUTO, ATTACH_LINK, ATTACH_IOCTL };
/* User stacks: by rows where there are rows and the kernel can, by rows or not at all, by frame
 * pointers. */
enum unwind_mode { UNWIND_AUTO, UNWIND_DWARF, UNWIND_FP };

/* Which absences from the CPU are samples of the event offcpu. */
struct off_cpu_limits {
	uint64_t min_ns, max_ns; /* max_ns 0: no limit */
	unsigned int threads; /* of which it is remembered when they left */
};

/* Which samples a named profile keeps; lists are NULL-terminated heap arrays or NULL. */
struct sample_filter {
	char **pids; /* as text; checked when the config is loaded */
	char **comms;
	char **units; /* systemd units or slices */
	char **cgroups; /* paths */
	char *cpus; /* CPU list, NULL: all */
};
