// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic of a control group. The kernel counts interfaces, not groups; but a container or a pod
 * has a network namespace of its own, and then what its interfaces carry is its traffic. A group
 * that shares the host's namespace has no row: what the host's interfaces carry is not its own.
 */
#include <stdio.h>
#include <unistd.h>

#include "collect/cgroup_parts.h"

uint64_t cgroup_network_namespace(const struct roots *roots, const char *pid)
{
	char path[48], target[64];
	struct scan s;
	uint64_t inode;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/ns/net", pid);
	n = roots->proc < 0 ? -1 : readlinkat(roots->proc, path, target, sizeof(target) - 1);
	if (n < 7 || memcmp(target, "net:[", 5) != 0 || target[n - 1] != ']')
		return 0;
	s = scan_bytes(target + 5, (size_t)n - 6);
	return scan_unsigned(&s, &inode) && scan_end(&s) ? inode : 0;
}

/* Of the 16 numbers of an interface: which one each counter is. */
static const unsigned int positions[] = {
	[CGROUP_NET_RX] = 0,	     [CGROUP_NET_RX_PACKETS] = 1, [CGROUP_NET_RX_ERRORS] = 2,
	[CGROUP_NET_RX_DROPPED] = 3, [CGROUP_NET_TX] = 8,	   [CGROUP_NET_TX_PACKETS] = 9,
	[CGROUP_NET_TX_ERRORS] = 10, [CGROUP_NET_TX_DROPPED] = 11,
};

/* "  eth0: 1 2 ..."; lo carries what never leaves. */
static bool add_interface(struct scan line, uint64_t *sums)
{
	const char *colon = memrchr(line.at, ':', (size_t)(line.end - line.at));
	struct scan name = { line.at, colon };
	struct record_bytes word;
	uint64_t numbers[12];

	if (!colon || !scan_word(&name, &word))
		return false;
	if (bytes_are(word, "lo"))
		return true;
	line.at = colon + 1;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!scan_unsigned(&line, &numbers[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(positions); i++)
		sums[i] += numbers[positions[i]];
	return true;
}

static bool read_interfaces(const struct cgroup_part *p, pid_t pid, uint64_t *sums)
{
	struct roots *roots = p->groups->roots;
	struct scan s, line;
	char path[48];

	snprintf(path, sizeof(path), "%d/net/dev", (int)pid);
	if (roots_read(roots, roots->proc, path) < 0) {
		rows_missing(p->rows);
		return false;
	}
	s = scan_buffer(&roots->text);
	for (size_t i = 0; scan_line(&s, &line); i++)
		if (i >= 2 && !add_interface(line, sums)) {
			rows_problem(p->rows, "a line of /proc/%s is no interface", path);
			return false;
		}
	return true;
}

void cgroup_network_read(const struct cgroup_part *p)
{
	uint64_t sums[CGROUP_NET_COUNTERS] = {}, inode;
	pid_t pid = p->host_netns ? cgroups_process(p->groups, p->group) : 0;
	char name[16];

	if (!pid)
		return;
	snprintf(name, sizeof(name), "%d", (int)pid);
	inode = cgroup_network_namespace(p->groups->roots, name);
	if (inode == 0 || inode == p->host_netns || !read_interfaces(p, pid, sums))
		return;
	cgroup_add_row(p, CGROUP_TABLE_NETWORK);
	rows_unsigned(p->rows, CGROUP_NET_NAMESPACE, inode);
	for (unsigned int i = 0; i < CGROUP_NET_COUNTERS; i++)
		rows_unsigned(p->rows, CGROUP_NET_COUNTER + i, sums[i]);
	rates_fill(p->rates, p->rows);
}
