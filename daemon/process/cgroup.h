/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Cgroup paths, and what they tell: the systemd unit and the container.
 *
 * Pure text; paths are bytes a container's root may have chosen.
 */
#include <stdbool.h>
#include <stddef.h>

/* A piece of somebody else's text. */
struct span {
	const char *data;
	size_t size;
};

struct cgroup_file {
	struct span path;
	bool unified; /* there is cgroup v2 alone: the path is that of the sample's cgroup id */
};

/*
 * The path that tells most in the text of /proc/PID/cgroup: with cgroup v2 alone the one there is;
 * with v1 hierarchies beside it that of name=systemd, unless it is the root; then the v2 path,
 * unless it is the root; then the deepest of the others. " (deleted)" is taken off. False: no line
 * makes sense.
 */
bool cgroup_parse_file(const char *text, size_t size, struct cgroup_file *ret);

/*
 * The systemd unit: the innermost component that is a .service, .scope, .socket, .mount or .swap,
 * else the innermost .slice, without the "_" systemd escapes names with. A service of a user
 * manager (user@1000.service/app.slice/foo.service) is therefore foo.service, and a service inside
 * a container that runs systemd is its own, not the container's scope. Empty: none.
 */
struct span cgroup_unit(const char *path);

/*
 * The container: the innermost component (or two) in which a known manager puts its id or name:
 *
 *   docker-ID.scope, cri-containerd-ID.scope, containerd-ID.scope, nerdctl-ID.scope,
 *   crio-ID.scope, libpod-ID.scope, libpod-payload-ID, podman-ID.scope       (systemd driver)
 *   docker/ID, containerd/ID, crio/ID, podman/ID, libpod/ID, libpod_parent/ID, garden/ID,
 *   pod*UID* /ID, kubepods* /ID                                              (cgroupfs driver)
 *   SLICE:cri-containerd:ID                                                  (containerd, mixed)
 *   a component of 64 hexadecimal digits, wherever it is
 *   lxc/NAME, lxc.payload/NAME, lxc.payload.NAME                             (LXC, LXD, Incus)
 *   machine-NAME.scope, systemd-nspawn@NAME.service                          (systemd-nspawn)
 *
 * ID has 12 or more hexadecimal digits; NAME may hold systemd's \xNN escapes, as it is given back.
 * Virtual machines (machine-qemu...) and a runtime's helpers (crio-conmon-ID.scope,
 * lxc.monitor.NAME) are no containers. Empty: none.
 */
struct span cgroup_container(const char *path);
