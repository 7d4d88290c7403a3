// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup.h"

#include <ctype.h>
#include <string.h>

#include "util/cleanup.h"

#define ID_MIN 12
#define ID_FULL 64
#define UNIT_NAME_MAX 255 /* as systemd's */

static bool equals(struct span s, const char *text)
{
	return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

static bool starts_with(struct span s, const char *prefix)
{
	return s.size >= strlen(prefix) && memcmp(s.data, prefix, strlen(prefix)) == 0;
}

static bool ends_with(struct span s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.size >= n && memcmp(s.data + s.size - n, suffix, n) == 0;
}

static struct span without(struct span s, const char *prefix, const char *suffix)
{
	size_t head = strlen(prefix), tail = ends_with(s, suffix) ? strlen(suffix) : 0;

	return (struct span){ s.data + head, s.size - head - tail };
}

static bool is_root(struct span path)
{
	return equals(path, "/");
}

/* --- /proc/PID/cgroup --- */

struct cgroup_line {
	struct span hierarchy, controllers, path;
};

static bool next_field(struct span *rest, char end, struct span *ret)
{
	const char *p = memchr(rest->data, end, rest->size);

	if (!p)
		return false;
	*ret = (struct span){ rest->data, (size_t)(p - rest->data) };
	rest->size -= ret->size + 1;
	rest->data = p + 1;
	return true;
}

/* Takes a line off the text: "9:name=systemd:/path". */
static bool next_line(struct span *text, struct cgroup_line *ret)
{
	struct span line;

	while (next_field(text, '\n', &line)) {
		if (!next_field(&line, ':', &ret->hierarchy) ||
		    !next_field(&line, ':', &ret->controllers))
			continue;
		if (line.size == 0 || line.data[0] != '/')
			continue;
		ret->path = without(line, "", " (deleted)");
		return true;
	}
	return false;
}

static size_t depth(struct span path)
{
	size_t n = 0;

	for (size_t i = 0; i < path.size; i++)
		n += path.data[i] == '/' && i + 1 < path.size;
	return n;
}

bool cgroup_parse_file(const char *text, size_t size, struct cgroup_file *ret)
{
	struct span rest = { text, size }, unified = { 0 }, systemd = { 0 }, other = { 0 }, *best;
	struct cgroup_line line;

	while (next_line(&rest, &line)) {
		if (equals(line.hierarchy, "0") && line.controllers.size == 0)
			unified = line.path;
		else if (equals(line.controllers, "name=systemd"))
			systemd = line.path;
		else if (!other.data || depth(line.path) > depth(other))
			other = line.path;
	}
	if (systemd.data && !is_root(systemd))
		best = &systemd;
	else if (unified.data && (!is_root(unified) || !other.data || is_root(other)))
		best = &unified;
	else
		best = other.data ? &other : &systemd;
	if (!best->data)
		return false;
	ret->path = *best;
	ret->unified = unified.data && !systemd.data && !other.data;
	return true;
}

/* --- components of a path, innermost first --- */

/* Takes the last component off `path`; false when none is left. */
static bool pop_component(struct span *path, struct span *ret)
{
	while (path->size && path->data[path->size - 1] == '/')
		path->size--;
	ret->size = 0;
	while (path->size && path->data[path->size - 1] != '/') {
		path->size--;
		ret->size++;
	}
	ret->data = path->data + path->size;
	return ret->size > 0;
}

static struct span last_component(struct span path)
{
	struct span last;

	pop_component(&path, &last);
	return last;
}

/* --- units --- */

static bool is_unit(struct span s, const char *const *suffixes)
{
	for (; *suffixes; suffixes++)
		if (ends_with(s, *suffixes) && s.size > strlen(*suffixes))
			return s.size <= UNIT_NAME_MAX;
	return false;
}

/* systemd puts "_" before names the kernel could take for its own files. */
static struct span unescape(struct span s)
{
	return s.size && s.data[0] == '_' ? (struct span){ s.data + 1, s.size - 1 } : s;
}

struct span cgroup_unit(const char *path)
{
	static const char *const units[] = { ".service", ".scope", ".socket",
					     ".mount",	 ".swap",  NULL };
	static const char *const slices[] = { ".slice", NULL };
	struct span rest = { path, strlen(path) }, slice = { path, 0 }, s;

	while (pop_component(&rest, &s)) {
		s = unescape(s);
		if (is_unit(s, units))
			return s;
		if (!slice.size && is_unit(s, slices))
			slice = s;
	}
	return slice;
}

/* --- containers --- */

static bool is_id(struct span s, size_t least)
{
	if (s.size < least || s.size > UNIT_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (!isxdigit((unsigned char)s.data[i]))
			return false;
	return true;
}

static struct span id_in_scope(struct span s)
{
	static const char *const prefixes[] = { "docker-",  "cri-containerd-", "containerd-",
						"nerdctl-", "crio-",	       "libpod-payload-",
						"libpod-",  "podman-" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		struct span id;

		if (!starts_with(s, prefixes[i]))
			continue;
		id = without(s, prefixes[i], ".scope");
		if (is_id(id, ID_MIN))
			return id;
	}
	return (struct span){ 0 };
}

static struct span id_behind_colon(struct span s)
{
	static const char mark[] = ":cri-containerd:";
	const char *p = memmem(s.data, s.size, mark, sizeof(mark) - 1);
	struct span id;

	if (!p)
		return (struct span){ 0 };
	id = without(s, "", ".scope");
	id.size -= (size_t)(p - s.data) + sizeof(mark) - 1;
	id.data = p + sizeof(mark) - 1;
	return is_id(id, ID_MIN) ? id : (struct span){ 0 };
}

static bool holds_containers(struct span parent)
{
	static const char *const names[] = { "docker", "containerd",	"crio",	 "podman",
					     "libpod", "libpod_parent", "garden" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (equals(parent, names[i]))
			return true;
	return starts_with(parent, "pod") || starts_with(parent, "kubepods");
}

static struct span id_in_parent(struct span s, struct span parent)
{
	if (is_id(s, ID_FULL) && s.size == ID_FULL)
		return s;
	return is_id(s, ID_MIN) && holds_containers(parent) ? s : (struct span){ 0 };
}

/* LXC and nspawn name their containers. */
static struct span name_of_machine(struct span s, struct span parent)
{
	if (equals(parent, "lxc") || equals(parent, "lxc.payload"))
		return s;
	if (starts_with(s, "lxc.payload."))
		return without(s, "lxc.payload.", "");
	if (starts_with(s, "systemd-nspawn@") && ends_with(s, ".service"))
		return without(s, "systemd-nspawn@", ".service");
	if (starts_with(s, "machine-") && ends_with(s, ".scope") && !starts_with(s, "machine-qemu"))
		return without(s, "machine-", ".scope");
	return (struct span){ 0 };
}

struct span cgroup_container(const char *path)
{
	struct span rest = { path, strlen(path) }, s;

	while (pop_component(&rest, &s)) {
		struct span parent = last_component(rest);
		struct span found = id_in_scope(s);

		if (!found.size)
			found = id_behind_colon(s);
		if (!found.size)
			found = id_in_parent(s, parent);
		if (!found.size)
			found = name_of_machine(s, parent);
		if (found.size)
			return found;
	}
	return (struct span){ path, 0 };
}
