// SPDX-License-Identifier: Apache-2.0
#include "host/numa.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host/cpus.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"

/* The ids of the nodes; -ENOENT where the kernel knows no NUMA. */
static int online_nodes(const char *sysfs, int **ret, size_t *ret_n)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/devices/system/node/online", sysfs ?: "/sys");
	r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	return parse_cpu_list((const char *)text.data, ret, ret_n);
}

/* The CPU list of a node as the kernel writes it, without the newline. */
static int read_node(const char *sysfs, int node, struct buffer *ret)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/devices/system/node/node%d/cpulist", sysfs ?: "/sys",
		 node);
	r = file_read(AT_FDCWD, path, ret);
	if (r < 0)
		return r;
	ret->size = strcspn((const char *)ret->data, "\n");
	ret->data[ret->size] = '\0';
	return 0;
}

static void assign(int *node_of_cpu, size_t n_cpus, const int *cpus, size_t n, int node)
{
	for (size_t i = 0; i < n; i++)
		if ((size_t)cpus[i] < n_cpus)
			node_of_cpu[cpus[i]] = node;
}

static int assign_single_node(const char *sysfs, int *node_of_cpu, size_t n_cpus)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n;
	int r;

	r = host_cpus_online(sysfs, &cpus, &n);
	if (r < 0)
		return r;
	assign(node_of_cpu, n_cpus, cpus, n, 0);
	return 0;
}

static int assign_node(const char *sysfs, int *node_of_cpu, size_t n_cpus, int node)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	_cleanup_free_ int *cpus = NULL;
	size_t n;
	int r;

	r = read_node(sysfs, node, &text);
	if (r < 0)
		return r;
	r = parse_cpu_list((const char *)text.data, &cpus, &n);
	if (r < 0)
		return r;
	assign(node_of_cpu, n_cpus, cpus, n, node);
	return 0;
}

int host_numa_nodes(const char *sysfs, size_t n_cpus, int **ret_node_of_cpu)
{
	_cleanup_free_ int *nodes = NULL, *node_of_cpu = NULL;
	size_t n_nodes = 0;
	int r;

	node_of_cpu = malloc(MAX(n_cpus, (size_t)1) * sizeof(*node_of_cpu));
	if (!node_of_cpu)
		return -ENOMEM;
	for (size_t i = 0; i < n_cpus; i++)
		node_of_cpu[i] = -1;
	r = online_nodes(sysfs, &nodes, &n_nodes);
	if (r == -ENOENT)
		r = assign_single_node(sysfs, node_of_cpu, n_cpus);
	for (size_t i = 0; r >= 0 && i < n_nodes; i++)
		r = assign_node(sysfs, node_of_cpu, n_cpus, nodes[i]);
	if (r < 0)
		return r;
	*ret_node_of_cpu = TAKE_PTR(node_of_cpu);
	return 0;
}

static int describe_single_node(const char *sysfs, struct buffer *out)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/devices/system/cpu/online", sysfs ?: "/sys");
	r = file_read(AT_FDCWD, path, out);
	if (r < 0)
		return r;
	out->size = strcspn((const char *)out->data, "\n");
	return 0;
}

static int describe_nodes(const char *sysfs, const int *nodes, size_t n, struct buffer *out)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	int next = 0;

	for (size_t i = 0; i < n; i++) {
		int r = read_node(sysfs, nodes[i], &text);

		if (r < 0)
			return r;
		for (; next < nodes[i]; next++)
			buffer_put_byte(out, ';');
		buffer_put(out, text.data, text.size);
	}
	return 0;
}

int host_numa_describe(const char *sysfs, char **ret)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	_cleanup_free_ int *nodes = NULL;
	size_t n;
	int r;

	r = online_nodes(sysfs, &nodes, &n);
	if (r == -ENOENT)
		r = describe_single_node(sysfs, &out);
	else if (r >= 0)
		r = describe_nodes(sysfs, nodes, n, &out);
	if (r < 0)
		return r;
	*ret = buffer_take_string(&out);
	return *ret ? 0 : -ENOMEM;
}
