// SPDX-License-Identifier: Apache-2.0
#include "collect/container_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "collect/roots.h"
#include "util/file.h"
#include "util/json_strings.h"

#define MAX_FILE (8U << 20)
#define MAX_LOGS 20000 /* entries of /var/log/containers */

void container_names_open(struct container_names_source *s, const char *procfs)
{
	*s = (struct container_names_source){
		.root = roots_open_host(procfs),
		.text.limit = MAX_FILE,
	};
}

void container_names_close(struct container_names_source *s)
{
	s->root = safe_close(s->root);
	buffer_done(&s->text);
}

static void keep(char *out, size_t size, const char *value)
{
	snprintf(out, size, "%s", value);
}

#define KEEP(array, value) keep(array, sizeof(array), value)

/* --- what the files say --- */

static bool docker_string(const char *path, const char *value, void *userdata)
{
	struct container_names *n = userdata;

	if (strcmp(path, "Name") == 0)
		KEEP(n->name, value + (*value == '/'));
	else if (strcmp(path, "Config/Image") == 0)
		KEEP(n->image, value);
	else if (strcmp(path, "Config/Labels/io.kubernetes.container.name") == 0)
		KEEP(n->name, value);
	else if (strcmp(path, "Config/Labels/io.kubernetes.pod.name") == 0)
		KEEP(n->pod, value);
	else if (strcmp(path, "Config/Labels/io.kubernetes.pod.namespace") == 0)
		KEEP(n->namespace, value);
	return true;
}

void container_names_parse_docker(const char *data, size_t size, struct container_names *ret)
{
	(void)json_strings(data, size, docker_string, ret);
}

static bool oci_string(const char *path, const char *value, void *userdata)
{
	static const struct {
		const char *key;
		size_t offset, size;
	} keys[] = {
#define FIELD(key, field)                                                                          \
	{                                                                                          \
		key, offsetof(struct container_names, field),                                      \
			sizeof(((struct container_names *)NULL)->field)                            \
	}
		FIELD("io.kubernetes.cri.container-name", name),
		FIELD("io.kubernetes.cri.image-name", image),
		FIELD("io.kubernetes.cri.sandbox-name", pod),
		FIELD("io.kubernetes.cri.sandbox-namespace", namespace),
		FIELD("io.kubernetes.container.name", name),
		FIELD("io.kubernetes.cri-o.ImageName", image),
		FIELD("io.kubernetes.pod.name", pod),
		FIELD("io.kubernetes.pod.namespace", namespace),
		FIELD("nerdctl/name", name),
#undef FIELD
	};
	static const char prefix[] = "annotations/";

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(path + sizeof(prefix) - 1, keys[i].key) == 0)
			keep((char *)userdata + keys[i].offset, keys[i].size, value);
	return true;
}

void container_names_parse_oci(const char *data, size_t size, struct container_names *ret)
{
	(void)json_strings(data, size, oci_string, ret);
}

struct storage_search {
	const char *id;
	bool here; /* in the entry with the id, which comes before its names */
	struct container_names *ret;
};

static bool storage_string(const char *path, const char *value, void *userdata)
{
	struct storage_search *s = userdata;

	if (strcmp(path, "#/id") == 0)
		s->here = strncmp(value, s->id, strlen(s->id)) == 0;
	if (!s->here || strcmp(path, "#/names/#") != 0)
		return true;
	KEEP(s->ret->name, value);
	return false;
}

void container_names_parse_storage(const char *data, size_t size, const char *id,
				   struct container_names *ret)
{
	struct storage_search s = { .id = id, .ret = ret };

	(void)json_strings(data, size, storage_string, &s);
}

/* Takes what stands before the separator. */
static bool part(const char **at, char separator, char *out, size_t size)
{
	const char *end = strchr(*at, separator);

	if (!end || end == *at || (size_t)(end - *at) >= size)
		return false;
	memcpy(out, *at, (size_t)(end - *at));
	out[end - *at] = 0;
	*at = end + 1;
	return true;
}

/* Names of Kubernetes have no underscore, and an id has no hyphen. */
bool container_names_parse_log(const char *file, const char *id, struct container_names *ret)
{
	const char *dash = strrchr(file, '-'), *at = file;
	struct container_names n = *ret;
	size_t size;

	if (!dash || strncmp(dash + 1, id, strlen(id)) != 0)
		return false;
	if (!part(&at, '_', n.pod, sizeof(n.pod)) ||
	    !part(&at, '_', n.namespace, sizeof(n.namespace)) || at >= dash)
		return false;
	size = (size_t)(dash - at);
	if (size >= sizeof(n.name))
		return false;
	memcpy(n.name, at, size);
	n.name[size] = 0;
	*ret = n;
	return true;
}

/* --- where the files are --- */

static bool read_file(struct container_names_source *s, const char *path)
{
	return s->root >= 0 && file_read(s->root, path, &s->text) == 0;
}

static void find_docker(struct container_names_source *s, const char *id,
			struct container_names *ret)
{
	char path[512];

	snprintf(path, sizeof(path), "var/lib/docker/containers/%s/config.v2.json", id);
	if (read_file(s, path))
		container_names_parse_docker((const char *)s->text.data, s->text.size, ret);
}

/* "k8s.io", "moby", "default" ... */
static void find_containerd(struct container_names_source *s, const char *id,
			    struct container_names *ret)
{
	static const char tasks[] = "run/containerd/io.containerd.runtime.v2.task";
	int fd = s->root < 0 ? -1 : openat(s->root, tasks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	char path[1024];

	if (!dir) {
		safe_close(fd);
		return;
	}
	while (!*ret->name && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s/config.json", tasks, d->d_name, id);
		if (read_file(s, path))
			container_names_parse_oci((const char *)s->text.data, s->text.size, ret);
	}
	closedir(dir);
}

static void find_storage(struct container_names_source *s, const char *id,
			 struct container_names *ret)
{
	char path[512];

	snprintf(path, sizeof(path), "run/containers/storage/overlay-containers/%s/userdata/config.json",
		 id);
	if (read_file(s, path))
		container_names_parse_oci((const char *)s->text.data, s->text.size, ret);
	if (!*ret->name &&
	    read_file(s, "var/lib/containers/storage/overlay-containers/containers.json"))
		container_names_parse_storage((const char *)s->text.data, s->text.size, id, ret);
}

static void find_kubelet(struct container_names_source *s, const char *id,
			 struct container_names *ret)
{
	int fd = s->root < 0 ? -1 :
			       openat(s->root, "var/log/containers",
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned int looked = 0;
	struct dirent *d;

	if (!dir) {
		safe_close(fd);
		return;
	}
	while ((d = readdir(dir)) && looked++ < MAX_LOGS)
		if (container_names_parse_log(d->d_name, id, ret))
			break;
	closedir(dir);
}

void container_names_find(struct container_names_source *s, const char *runtime, const char *id,
			  struct container_names *ret)
{
	static const struct {
		const char *runtime;
		void (*find)(struct container_names_source *s, const char *id,
			     struct container_names *ret);
	} places[] = {
		{ "docker", find_docker },
		{ "containerd", find_containerd },
		{ "cri-o", find_storage },
		{ "podman", find_storage },
		{ NULL, find_kubelet },
	};
	bool unknown = strcmp(runtime, "unknown") == 0;

	*ret = (struct container_names){};
	for (size_t i = 0; i < ARRAY_SIZE(places) && !*ret->name; i++)
		if (unknown || !places[i].runtime || strcmp(places[i].runtime, runtime) == 0)
			places[i].find(s, id, ret);
}
