// SPDX-License-Identifier: Apache-2.0
/*
 * Packets that interfaces receive, by protocol, counted before the network stack. The program hangs
 * on a link that this process holds: when it ends, however it ends, the interface is as before. In
 * the driver where it can, else behind it.
 */
#include <linux/types.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bpf/xdp.h"
#include "collect/tracer.h"
#include "xdp.skel.h"

enum {
	XDP_INTERFACE,
	XDP_MODE,
	XDP_IPV4_PACKETS,
	XDP_IPV4_BYTES,
	XDP_IPV6_PACKETS,
	XDP_IPV6_BYTES,
	XDP_OTHER_PACKETS,
	XDP_OTHER_BYTES,
};

/* clang-format off */
#define COUNTER(name, unit, help) { name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help }

static const struct row_column columns[] = {
	[XDP_INTERFACE] = { "interface", "", ROW_KEY, ROW_TEXT, 0, 0, "its name" },
	[XDP_MODE] = { "mode", "", ROW_WORDS, ROW_TEXT, 0, 0, "native: in the driver; generic: behind it" },
	[XDP_IPV4_PACKETS] = COUNTER("ipv4_packets", "", "received since the collector began, in VLANs too"),
	[XDP_IPV4_BYTES] = COUNTER("ipv4_bytes", "bytes", "of whole frames, without what the wire adds"),
	[XDP_IPV6_PACKETS] = COUNTER("ipv6_packets", "", "received"),
	[XDP_IPV6_BYTES] = COUNTER("ipv6_bytes", "bytes", "of whole frames"),
	[XDP_OTHER_PACKETS] = COUNTER("other_packets", "", "received: ARP and so on"),
	[XDP_OTHER_BYTES] = COUNTER("other_bytes", "bytes", "of whole frames"),
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "xdp",
	  .collector = "xdp",
	  .summary = "packets received, by interface and protocol",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns),
	  .from_zero = true },
};

struct interface {
	char name[IF_NAMESIZE];
	uint32_t index;
	int link; /* -1: not attached */
	bool native;
};

struct xdp {
	struct tracer tracer;
	struct xdp_bpf *skel;
	struct interface list[XDP_INTERFACES];
	size_t n;
};

/* --- attaching ----------------------------------------------------------------------------------
 */

static int create_link(struct xdp *x, uint32_t index, uint32_t mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
	int fd = bpf_link_create(bpf_program__fd(x->skel->progs.count_packet), (int)index, BPF_XDP,
				 &options);

	return fd < 0 ? -errno : fd;
}

/* Whether the other mode may do what this one did not. */
static bool may_work_otherwise(int error)
{
	return error != -EBUSY && error != -EEXIST && error != -EPERM && error != -ENODEV;
}

static int attach(struct xdp *x, struct interface *i)
{
	_cleanup_free_ struct xdp_counts *counts = calloc(x->tracer.cpus, sizeof(*counts));
	int fd;

	i->index = if_nametoindex(i->name);
	if (!i->index)
		return -errno;
	if (!counts)
		return -ENOMEM;
	if (bpf_map_update_elem(bpf_map__fd(x->skel->maps.interfaces), &i->index, counts,
				BPF_NOEXIST) < 0 &&
	    errno != EEXIST)
		return -errno;
	fd = create_link(x, i->index, XDP_FLAGS_DRV_MODE);
	i->native = fd >= 0;
	if (fd < 0 && may_work_otherwise(fd))
		fd = create_link(x, i->index, XDP_FLAGS_SKB_MODE);
	if (fd < 0)
		return fd;
	i->link = fd;
	return 0;
}

static const char *attach_error(int error)
{
	switch (error) {
	case -EBUSY:
	case -EEXIST:
		return "another XDP program is there";
	case -EINVAL:
		return "this kernel has no links for XDP (Linux 5.9)";
	case -EPERM:
		return "CAP_NET_ADMIN is missing; the drop-in net-admin.conf gives it";
	case -ENODEV:
		return "there is no such interface";
	default:
		return strerror(-error);
	}
}

/* An interface that was deleted took its link's other end along. */
static void check_link(struct interface *i)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (i->link >= 0 && bpf_obj_get_info_by_fd(i->link, &info, &size) == 0 &&
	    info.xdp.ifindex == 0)
		i->link = safe_close(i->link);
}

/* --- opening ------------------------------------------------------------------------------------
 */

static _printf_(2, 3) int fail(char **ret_error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(ret_error, format, ap) < 0)
		*ret_error = NULL;
	va_end(ap);
	return -EINVAL;
}

static int take_name(struct xdp *x, const char *name, size_t size, char **ret_error)
{
	if (size >= IF_NAMESIZE)
		return fail(ret_error, "'%.*s' is too long for an interface's name", (int)size,
			    name);
	if (x->n == XDP_INTERFACES)
		return fail(ret_error, "at most %d interfaces can be watched", XDP_INTERFACES);
	for (size_t i = 0; i < x->n; i++)
		if (strlen(x->list[i].name) == size && memcmp(x->list[i].name, name, size) == 0)
			return 0;
	memcpy(x->list[x->n].name, name, size);
	x->list[x->n++].link = -1;
	return 0;
}

/* "eth0, eth1" */
static int take_names(struct xdp *x, const char *names, char **ret_error)
{
	static const char between[] = ", \t";
	int r = 0;

	while (r == 0 && *(names += strspn(names, between))) {
		size_t size = strcspn(names, between);

		r = take_name(x, names, size, ret_error);
		names += size;
	}
	return r;
}

/* One that works is enough: the others are problems of each read. */
static int attach_all(struct xdp *x, char **ret_error)
{
	size_t attached = 0;
	int r = 0, error = 0;
	const char *name = "";

	for (size_t i = 0; i < x->n; i++) {
		r = attach(x, &x->list[i]);
		if (r == 0) {
			attached++;
			continue;
		}
		error = error ? error : r;
		name = *name ? name : x->list[i].name;
	}
	if (attached)
		return 0;
	(void)fail(ret_error, "cannot attach to %s: %s", name, attach_error(error));
	return error;
}

static void xdp_close(void *state)
{
	struct xdp *x = state;

	for (size_t i = 0; i < x->n; i++)
		safe_close(x->list[i].link);
	tracer_done(&x->tracer);
	xdp_bpf__destroy(x->skel);
	free(x);
}

static int start(void *state)
{
	struct xdp *x = state;
	int r = take_names(x, x->tracer.settings->interfaces, &x->tracer.error);

	if (r < 0)
		return r;
	x->skel = xdp_bpf__open_opts(&x->tracer.options);
	if (!x->skel)
		return -errno;
	r = tracer_load(&x->tracer, x->skel->obj);
	return r < 0 ? r : attach_all(x, &x->tracer.error);
}

static int xdp_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct xdp), s, start, xdp_close, ret, ret_error);
}

static int xdp_probe(const struct collector_settings *s, char **ret_reason)
{
	int r = tracer_probe(s, TRACER_NET_ADMIN, NULL, ret_reason);

	if (r == 0 && !s->interfaces[strspn(s->interfaces, ", \t")])
		return fail(ret_reason,
			    "no interface is named: interfaces = eth0, eth1 in [collector "
			    "xdp] does");
	return r;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static int read_counts(const struct xdp *x, const struct interface *i, struct xdp_counts *ret)
{
	_cleanup_free_ struct xdp_counts *counts = calloc(x->tracer.cpus, sizeof(*counts));

	*ret = (struct xdp_counts){};
	if (!counts)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(x->skel->maps.interfaces), &i->index, counts) < 0)
		return -errno;
	for (size_t cpu = 0; cpu < x->tracer.cpus; cpu++) {
		ret->ipv4_packets += counts[cpu].ipv4_packets;
		ret->ipv4_bytes += counts[cpu].ipv4_bytes;
		ret->ipv6_packets += counts[cpu].ipv6_packets;
		ret->ipv6_bytes += counts[cpu].ipv6_bytes;
		ret->other_packets += counts[cpu].other_packets;
		ret->other_bytes += counts[cpu].other_bytes;
	}
	return 0;
}

static void put_interface(struct rows *rows, const struct interface *i, const struct xdp_counts *c)
{
	rows_add(rows, 0);
	rows_string(rows, XDP_INTERFACE, i->name);
	rows_string(rows, XDP_MODE, i->native ? "native" : "generic");
	rows_unsigned(rows, XDP_IPV4_PACKETS, c->ipv4_packets);
	rows_unsigned(rows, XDP_IPV4_BYTES, c->ipv4_bytes);
	rows_unsigned(rows, XDP_IPV6_PACKETS, c->ipv6_packets);
	rows_unsigned(rows, XDP_IPV6_BYTES, c->ipv6_bytes);
	rows_unsigned(rows, XDP_OTHER_PACKETS, c->other_packets);
	rows_unsigned(rows, XDP_OTHER_BYTES, c->other_bytes);
}

static int xdp_read(void *state, struct rows *rows)
{
	struct xdp *x = state;

	for (size_t n = 0; n < x->n; n++) {
		struct interface *i = &x->list[n];
		struct xdp_counts counts;
		int r;

		check_link(i);
		r = i->link >= 0 ? 0 : attach(x, i);
		if (r == 0)
			r = read_counts(x, i, &counts);
		if (r == 0)
			put_interface(rows, i, &counts);
		else
			rows_problem(rows, "interface %s: %s", i->name, attach_error(r));
	}
	return 0;
}

const struct collector collector_xdp = {
	.name = "xdp",
	.summary = "packets received, by interface and protocol, before the network stack",
	.needs = "CAP_BPF, CAP_NET_ADMIN, Linux 5.9",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.keys = COLLECTOR_INTERFACES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = xdp_probe,
	.open = xdp_open,
	.read = xdp_read,
	.close = xdp_close,
};
