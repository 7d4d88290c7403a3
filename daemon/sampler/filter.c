// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "sampler/filter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/parse.h"

#define CGROUP2_SUPER_MAGIC 0x63677270
#define MAX_DEPTH 16

struct walk {
	const struct sample_filter *filter;
	struct program *program;
	bool v1;
	size_t entries;
	int error;
};

/* Where the unified hierarchy is (v2, or beside v1 on hybrid hosts), else systemd's v1 hierarchy.
 */
static const char *hierarchy(bool *ret_v1)
{
	static const char *const unified[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	*ret_v1 = false;
	for (size_t i = 0; i < ARRAY_SIZE(unified); i++) {
		struct statfs fs;

		if (statfs(unified[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return unified[i];
	}
	*ret_v1 = true;
	return "/sys/fs/cgroup/systemd";
}

unsigned int sample_filter_flags(const struct sample_filter *f)
{
	unsigned int flags = 0;
	bool v1;

	if (!f)
		return 0;
	hierarchy(&v1);
	if (f->pids && f->pids[0])
		flags |= SAMPLER_FILTER_PID;
	if (f->comms && f->comms[0])
		flags |= SAMPLER_FILTER_COMM;
	if ((f->units && f->units[0]) || (f->cgroups && f->cgroups[0]))
		flags |= v1 ? SAMPLER_FILTER_PID : SAMPLER_FILTER_CGROUP;
	return flags;
}

static void keep(struct walk *w, int r)
{
	if (r < 0)
		w->error = r;
	else
		w->entries++;
}

static void add_processes(struct walk *w, int dir)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned int pid;
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	f = fd < 0 ? NULL : fdopen(fd, "re");
	if (!f) {
		safe_close(fd);
		return;
	}
	while (fscanf(f, "%u", &pid) == 1)
		keep(w, program_filter_pid(w->program, pid));
}

static void add_directory(struct walk *w, int dir)
{
	struct stat st;

	if (w->v1)
		add_processes(w, dir);
	else if (fstat(dir, &st) == 0)
		keep(w, program_filter_cgroup(w->program, st.st_ino));
}

static bool names_unit(const struct sample_filter *f, const char *name)
{
	for (char **u = f->units; u && *u; u++) {
		size_t n = strlen(*u);

		if (strcmp(name, *u) == 0 ||
		    (strncmp(name, *u, n) == 0 && strcmp(name + n, ".service") == 0))
			return true;
	}
	return false;
}

static bool names_path(const struct sample_filter *f, const char *path)
{
	for (char **c = f->cgroups; c && *c; c++) {
		const char *want = *c + strspn(*c, "/");
		size_t n = strlen(want);

		while (n && want[n - 1] == '/')
			n--;
		if (strlen(path) == n && strncmp(path, want, n) == 0)
			return true;
	}
	return false;
}

/* Visits the directories below dirfd; `inside` once an ancestor was named. Takes the fd. */
static void walk_directory(struct walk *w, int dirfd, const char *path, bool inside, int depth)
{
	DIR *dir = fdopendir(dirfd);
	struct dirent *e;

	if (!dir) {
		close(dirfd);
		return;
	}
	inside = inside || names_path(w->filter, path);
	if (inside)
		add_directory(w, dirfd);
	while (depth < MAX_DEPTH && (e = readdir(dir))) {
		char child[4096];
		int fd;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s%s%s", path, *path ? "/" : "", e->d_name) >=
		    (int)sizeof(child))
			continue;
		fd = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			walk_directory(w, fd, child, inside || names_unit(w->filter, e->d_name),
				       depth + 1);
	}
	closedir(dir);
}

int sample_filter_apply(const struct sample_filter *f, struct program *p, size_t *ret_entries)
{
	struct walk w = { .filter = f, .program = p };

	*ret_entries = 0;
	if (!f)
		return 0;
	for (char **pid = f->pids; pid && *pid; pid++) {
		uint64_t v;
		int r = parse_u64(*pid, &v);

		keep(&w, r < 0 ? r : v > UINT32_MAX ? -ERANGE : program_filter_pid(p, (uint32_t)v));
	}
	for (char **comm = f->comms; comm && *comm; comm++)
		keep(&w, program_filter_comm(p, *comm));
	if ((f->units && f->units[0]) || (f->cgroups && f->cgroups[0])) {
		const char *root = hierarchy(&w.v1);
		int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		walk_directory(&w, fd, "", false, 0);
	}
	*ret_entries = w.entries;
	return w.error;
}
