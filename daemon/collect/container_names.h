/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The names of containers, where their runtimes leave them on disk; nothing is asked of a runtime:
 *
 *   docker       /var/lib/docker/containers/ID/config.v2.json
 *   containerd   /run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json
 *   cri-o        /run/containers/storage/overlay-containers/ID/userdata/config.json
 *   podman       /var/lib/containers/storage/overlay-containers/containers.json
 *   kubelet      /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log
 *
 * Directories that runtimes were told to use instead are not looked for.
 */
#include <stdbool.h>

#include "util/buffer.h"

struct container_names {
	char name[128], image[256], pod[128], namespace[64]; /* pod, namespace: Kubernetes' */
};

struct container_names_source {
	int root; /* the host's root directory; -1: cannot be opened */
	struct buffer text;
};

/* `procfs` is where the host's /proc is seen. */
void container_names_open(struct container_names_source *s, const char *procfs);
void container_names_close(struct container_names_source *s);

/* `id` has hexadecimal digits only, `runtime` is one of cgroups.h. What is not found is "". */
void container_names_find(struct container_names_source *s, const char *runtime, const char *id,
			  struct container_names *ret);

/* For docker's config.v2.json, and for an OCI runtime's config.json. */
void container_names_parse_docker(const char *data, size_t size, struct container_names *ret);
void container_names_parse_oci(const char *data, size_t size, struct container_names *ret);
/* Of the containers in the text, that with the id. */
void container_names_parse_storage(const char *data, size_t size, const char *id,
				   struct container_names *ret);
/* True when the name of a file is that of the container's log. */
bool container_names_parse_log(const char *file, const char *id, struct container_names *ret);
