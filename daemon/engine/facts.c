// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "engine/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "host/cpus.h"
#include "host/numa.h"
#include "host/virt.h"
#include "util/file.h"

/* The first line of a small file, "" when there is none. */
static char *first_line(const char *path)
{
	_cleanup_(buffer_donep) struct buffer b = { .limit = 4096 };

	if (file_read(AT_FDCWD, path, &b) < 0)
		return strdup("");
	return strndup((const char *)b.data, strcspn((const char *)b.data, "\n"));
}

/* "model name : ..." on x86; Arm gives only numbers, of which implementer and part name the core.
 */
static char *cpu_model(void)
{
	_cleanup_(buffer_donep) struct buffer b = { .limit = 8 << 20 };
	const char *line, *value;
	char *part = NULL;

	if (file_read(AT_FDCWD, "/proc/cpuinfo", &b) < 0)
		return strdup("");
	line = strstr((const char *)b.data, "model name");
	if (line) {
		value = line + strcspn(line, ":\n");
		value += strspn(value, ": \t");
		return strndup(value, strcspn(value, "\n"));
	}
	line = strstr((const char *)b.data, "CPU part");
	value = line ? line + strcspn(line, ":\n") : "";
	value += strspn(value, ": \t");
	if (asprintf(&part, *value ? "Arm part %.*s" : "%.*s", (int)strcspn(value, "\n"), value) <
	    0)
		return NULL;
	return part;
}

static int add(struct recorder *r, const char *key, char *value)
{
	_cleanup_free_ char *owned = value;

	return owned ? recorder_add_host(r, key, owned) : -ENOMEM;
}

/* "kvm" ..., "" on bare metal. */
static int add_virtualization(struct recorder *r, const char *machine)
{
	struct host_virt virt;

	host_virt_read(NULL, machine, &virt);
	return recorder_add_host(r, "virtualization", virt.virtualised ? virt.technology : "");
}

static int add_cpus(struct recorder *r)
{
	_cleanup_free_ int *online = NULL;
	size_t n = 0;
	char text[32], *numa = NULL;
	int error;

	if (host_cpus_online(NULL, &online, &n) < 0)
		n = 0;
	snprintf(text, sizeof(text), "%zu", n);
	error = recorder_add_host(r, "cpus", text);
	if (error < 0)
		return error;
	return host_numa_describe(NULL, &numa) < 0 ? 0 : add(r, "numa", numa);
}

int facts_add(struct recorder *r)
{
	struct utsname u;
	int error;

	if (uname(&u) < 0)
		return -errno;
	error = recorder_add_host(r, "hostname", u.nodename);
	if (error == 0)
		error = recorder_add_host(r, "kernel", u.release);
	if (error == 0)
		error = recorder_add_host(r, "arch", u.machine);
	if (error == 0)
		error = recorder_add_host(r, "version", VERSION);
	if (error == 0)
		error = add(r, "machine-id", first_line("/etc/machine-id"));
	if (error == 0)
		error = add(r, "boot-id", first_line("/proc/sys/kernel/random/boot_id"));
	if (error == 0)
		error = add(r, "cpu-model", cpu_model());
	if (error == 0)
		error = add_virtualization(r, u.machine);
	return error < 0 ? error : add_cpus(r);
}
