/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which kernel this really is.
 *
 * uname -r is not enough: Debian 12 says "6.1.0-42-amd64" for 6.1.159 and keeps the truth in
 * uname -v; Ubuntu keeps it in /proc/version_signature; other vendors freeze X.Y.0 and carry fixes
 * of their own, so that the patch level is unknown. Versions are only ever used to exclude known
 * dangers (host/danger.h) and to say what the bare version promises; features are found by probing.
 */
#include <stdbool.h>
#include <stddef.h>

struct host_kernel {
	unsigned int major, minor, patch;
	bool patch_known; /* false: X.Y of a vendor, patch is 0 and means nothing */
	bool realtime; /* PREEMPT_RT */
	unsigned int build; /* the number after the first '-', 0 when there is none */
	char release[65]; /* uname -r */
	char machine[65]; /* uname -m */
};

/* What the bare version promises about CO-RE. */
enum host_core_level {
	HOST_CORE_NONE, /* before 4.18 */
	HOST_CORE_PARTIAL, /* 4.18 to 5.1: BTF of types can come from outside only */
	HOST_CORE_FULL, /* from 5.2: the kernel can carry its own */
};

/*
 * `release` and `version` as in uname -r and -v, `signature` the text of /proc/version_signature
 * or NULL. 0 or -EINVAL when `release` does not begin with a version.
 */
int host_kernel_parse(const char *release, const char *version, const char *signature,
		      struct host_kernel *ret);

/* Of the running kernel. */
int host_kernel_get(struct host_kernel *ret);

enum host_core_level host_kernel_core_level(const struct host_kernel *k);
const char *host_core_level_name(enum host_core_level level);

/* "6.1.159 (6.1.0-42-amd64)"; returns out. */
char *host_kernel_name(const struct host_kernel *k, char *out, size_t size);
