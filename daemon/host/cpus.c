// SPDX-License-Identifier: Apache-2.0
#include "host/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"

static int read_list(const char *sysfs, const char *name, int **ret, size_t *ret_n)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/devices/system/cpu/%s", sysfs ?: "/sys", name);
	r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	return parse_cpu_list((const char *)text.data, ret, ret_n);
}

int host_cpus_online(const char *sysfs, int **ret, size_t *ret_n)
{
	return read_list(sysfs, "online", ret, ret_n);
}

int host_cpus_possible_count(const char *sysfs, size_t *ret)
{
	_cleanup_free_ int *list = NULL;
	size_t n;
	int r;

	r = read_list(sysfs, "possible", &list, &n);
	if (r < 0)
		return r;
	if (n == 0)
		return -EINVAL;
	*ret = (size_t)list[n - 1] + 1;
	return 0;
}

int host_cpu_package(const char *sysfs, int cpu)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	char path[PATH_MAX];
	uint64_t id;
	int r;

	snprintf(path, sizeof(path), "%s/devices/system/cpu/cpu%d/topology/physical_package_id",
		 sysfs ?: "/sys", cpu);
	r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	text.data[strcspn((const char *)text.data, "\n")] = '\0';
	r = parse_u64((const char *)text.data, &id);
	if (r < 0)
		return r;
	return id > INT_MAX ? -ERANGE : (int)id;
}
