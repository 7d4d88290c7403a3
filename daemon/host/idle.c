// SPDX-License-Identifier: Apache-2.0
#include "host/idle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "util/file.h"
#include "util/parse.h"

/* "cpu17 user nice system idle iowait ..." */
static void read_line(const char *line, uint64_t *idle_ns, size_t n_cpus)
{
	uint64_t ns_per_tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t idle, iowait;
	unsigned int cpu;

	if (sscanf(line, "cpu%u %*u %*u %*u %" SCNu64 " %" SCNu64, &cpu, &idle, &iowait) == 3 &&
	    cpu < n_cpus)
		idle_ns[cpu] = (idle + iowait) * ns_per_tick;
}

int host_idle_read(const char *procfs, uint64_t *idle_ns, size_t n_cpus)
{
	_cleanup_(buffer_donep) struct buffer b = { .limit = 16 << 20 };
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s/stat", procfs ? procfs : "/proc");
	r = file_read(AT_FDCWD, path, &b);
	if (r < 0)
		return r;
	memset(idle_ns, 0, n_cpus * sizeof(*idle_ns));
	for (const char *line = (const char *)b.data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "cpu", 3) != 0)
			break;
		read_line(line, idle_ns, n_cpus);
	}
	return 0;
}
