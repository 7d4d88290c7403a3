// SPDX-License-Identifier: Apache-2.0
#include "symbols/kernel_visibility.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

static bool read_text(const char *procfs, const char *name, char *out, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", procfs, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = read(fd, out, size - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

/* INT_MIN when it cannot be read. */
static int read_sysctl(const char *procfs, const char *name)
{
	char text[32];

	return read_text(procfs, name, text, sizeof(text)) ? (int)strtol(text, NULL, 10) : INT_MIN;
}

static bool have_cap_syslog(const char *procfs)
{
	char status[8192], *line;

	if (!read_text(procfs, "self/status", status, sizeof(status)))
		return false;
	line = strstr(status, "\nCapEff:");
	return line && (strtoull(line + 8, NULL, 16) >> CAP_SYSLOG & 1);
}

void kernel_visibility_explain(const char *procfs, int error, size_t zero, char *out, size_t size)
{
	int restriction = read_sysctl(procfs, "sys/kernel/kptr_restrict");
	int paranoid = read_sysctl(procfs, "sys/kernel/perf_event_paranoid");

	if (error < 0)
		snprintf(out, size, "cannot read %s/kallsyms: %s", procfs, strerror(-error));
	else if (zero == 0)
		snprintf(
			out, size,
			"%s/kallsyms lists no code symbols (kernel built without CONFIG_KALLSYMS?)",
			procfs);
	else if (restriction >= 2)
		snprintf(
			out, size,
			"kernel.kptr_restrict=%d hides kernel addresses from everyone: set it to 1",
			restriction);
	else if (have_cap_syslog(procfs))
		snprintf(out, size,
			 "%s/kallsyms shows zeros despite CAP_SYSLOG (kernel.kptr_restrict=%d): a "
			 "security module, lockdown or the container forbids it",
			 procfs, restriction);
	else if (restriction == 0)
		snprintf(out, size,
			 "kernel addresses need CAP_SYSLOG, or kernel.perf_event_paranoid of 1 or "
			 "less (it is %d)",
			 paranoid);
	else
		snprintf(out, size, "kernel addresses need CAP_SYSLOG (kernel.kptr_restrict=%d)",
			 restriction);
}
