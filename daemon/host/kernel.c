// SPDX-License-Identifier: Apache-2.0
#include "host/kernel.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "host/text_file.h"
#include "util/cleanup.h"

#define MAX_PART 65535

struct version {
	unsigned int part[3];
	const char *rest;
};

/* "X.Y" or "X.Y.Z" at the beginning of s. */
static int parse_version(const char *s, struct version *ret)
{
	struct version v = { .rest = s };
	size_t n;

	for (n = 0; n < 3; n++) {
		unsigned long value;
		char *end;

		if (!isdigit((unsigned char)*v.rest))
			return -EINVAL;
		value = strtoul(v.rest, &end, 10);
		if (value > MAX_PART)
			return -EINVAL;
		v.part[n] = (unsigned int)value;
		v.rest = end;
		if (*v.rest != '.' || !isdigit((unsigned char)v.rest[1]) || n == 2)
			break;
		v.rest++;
	}
	if (n == 0)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* Debian ends uname -v with "Debian 6.1.159-1 (2025-12-30)". */
static int parse_debian(const char *version, struct version *ret)
{
	const char *s = strstr(version, "Debian ");

	return s ? parse_version(s + strlen("Debian "), ret) : -ENOENT;
}

/* Ubuntu's file is "Ubuntu 6.8.0-51.52-generic 6.8.12": its last word. */
static int parse_signature(const char *signature, struct version *ret)
{
	const char *s = signature ? strrchr(signature, ' ') : NULL;

	return s && strncmp(signature, "Ubuntu ", 7) == 0 ? parse_version(s + 1, ret) : -ENOENT;
}

/* A patch level of 0 that a package's number follows ("5.14.0-427.el9") is a frozen base. */
static bool patch_is_known(const struct version *v)
{
	return v->part[2] != 0 || v->rest[0] != '-' || !isdigit((unsigned char)v->rest[1]);
}

static unsigned int build_number(const struct version *v)
{
	unsigned long build = v->rest[0] == '-' ? strtoul(v->rest + 1, NULL, 10) : 0;

	return build > UINT32_MAX ? UINT32_MAX : (unsigned int)build;
}

int host_kernel_parse(const char *release, const char *version, const char *signature,
		      struct host_kernel *ret)
{
	struct host_kernel k = { .patch_known = true };
	struct version base, real;
	int r;

	r = parse_version(release, &base);
	if (r < 0)
		return r;
	real = base;
	if (parse_debian(version, &real) < 0 && parse_signature(signature, &real) < 0)
		k.patch_known = patch_is_known(&base);
	k.major = real.part[0];
	k.minor = real.part[1];
	k.patch = real.part[2];
	k.build = build_number(&base);
	k.realtime = strstr(version, "PREEMPT_RT") || strstr(version, "PREEMPT RT");
	snprintf(k.release, sizeof(k.release), "%s", release);
	*ret = k;
	return 0;
}

int host_kernel_get(struct host_kernel *ret)
{
	char signature[256];
	struct utsname uts;
	bool have_signature;
	int r;

	if (uname(&uts) < 0)
		return -errno;
	have_signature =
		text_file_read("", "/proc/version_signature", signature, sizeof(signature)) == 0;
	r = host_kernel_parse(uts.release, uts.version, have_signature ? signature : NULL, ret);
	if (r < 0)
		return r;
	snprintf(ret->machine, sizeof(ret->machine), "%s", uts.machine);
	return 0;
}

enum host_core_level host_kernel_core_level(const struct host_kernel *k)
{
	if (k->major > 5 || (k->major == 5 && k->minor >= 2))
		return HOST_CORE_FULL;
	if (k->major == 5 || (k->major == 4 && k->minor >= 18))
		return HOST_CORE_PARTIAL;
	return HOST_CORE_NONE;
}

const char *host_core_level_name(enum host_core_level level)
{
	static const char *const names[] = {
		[HOST_CORE_NONE] = "none",
		[HOST_CORE_PARTIAL] = "partial",
		[HOST_CORE_FULL] = "full",
	};

	return names[level];
}

char *host_kernel_name(const struct host_kernel *k, char *out, size_t size)
{
	if (k->patch_known)
		snprintf(out, size, "%u.%u.%u (%s)", k->major, k->minor, k->patch, k->release);
	else
		snprintf(out, size, "%u.%u, patch level unknown (%s)", k->major, k->minor,
			 k->release);
	return out;
}
