// SPDX-License-Identifier: Apache-2.0
/*
 * What /proc tells about a process: everything of what runs at start, and later of what nobody
 * announced.
 *
 * /proc shows the present, a sample asks about the past. Start times decide whether the two mean
 * the same process; they are in ticks here and in nanoseconds in the sideband, so that they are
 * compared with a tolerance that no reuse of a pid can be as quick as.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "process/cgroup.h"
#include "process/process_internal.h"
#include "process/procfs.h"
#include "util/clock.h"
#include "util/file.h"

#define LABELS_HOLD_NS NSEC_PER_SEC /* threads of one process may be in different cgroups */
#define VERIFY_INTERVAL_NS NSEC_PER_SEC /* under steady loss, as often as this */
#define MAX_KEPT_TEXT (1 << 20)

uint64_t boot_offset_ns(void)
{
	uint64_t monotonic = now_ns(), boot = clock_ns(CLOCK_BOOTTIME);

	return boot > monotonic ? boot - monotonic : 0;
}

static bool close_to(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= START_TOLERANCE_NS;
}

/* --- files --- */

static int open_process(const struct process_table *t, uint32_t pid)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%u", t->procfs, pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool pid_exists(const struct process_table *t, uint32_t pid)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%u", t->procfs, pid);
	return access(path, F_OK) == 0 || errno != ENOENT;
}

static int read_stat(struct process_table *t, int dir_fd, struct proc_stat *ret)
{
	int r = file_read(dir_fd, "stat", &t->text);

	if (r < 0)
		return r;
	return proc_parse_stat((const char *)t->text.data, t->text.size, ret);
}

static uint64_t start_boot_ns(const struct process_table *t, const struct proc_stat *s)
{
	return (uint64_t)((__uint128_t)s->start_ticks * NSEC_PER_SEC / t->ticks_per_second);
}

/* A zombie whose threads are gone too has nothing left but its name. */
static bool is_dead(const struct proc_stat *s)
{
	return (s->state == 'Z' || s->state == 'X') && s->threads <= 1;
}

/* The memory of a process whose first thread has ended is seen through another one. */
static int open_other_thread(int dir_fd, uint32_t pid)
{
	int fd = openat(dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int other = -ENOENT;

	if (!tasks) {
		safe_close(fd);
		return other;
	}
	while (other < 0 && (d = readdir(tasks)))
		if (isdigit((unsigned char)d->d_name[0]) && strtoul(d->d_name, NULL, 10) != pid)
			other = openat(fd, d->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	closedir(tasks);
	return other;
}

static void read_exe(struct entry *e, int dir_fd)
{
	char path[4096];
	ssize_t n = readlinkat(dir_fd, "exe", path, sizeof(path) - 1);

	if (n < 0)
		return;
	path[path_without_deleted(path, (size_t)n)] = '\0';
	entry_set_exe(e, path);
	e->exe_pending = false;
}

/* --- maps --- */

static int add_map(struct process_table *t, struct entry *e, struct mappings **list,
		   const struct proc_map *map)
{
	char path[4096];
	struct map_source source = {
		.start = map->start,
		.end = map->end,
		.pgoff = map->pgoff,
		.device = map->device,
		.inode = map->inode,
		.path = path,
	};

	map_path_decode(map->path, map->path_size, path, sizeof(path));
	return map_add(t, e, list, &source);
}

/* The page of old system calls lies in the kernel's half and belongs to nobody. */
static bool is_code(const struct proc_map *map)
{
	return map->executable && map->start >> 63 == 0;
}

static int read_maps(struct process_table *t, struct entry *e, int dir_fd)
{
	_cleanup_(mappings_unrefp) struct mappings *list = NULL;
	const char *text, *end;
	struct proc_map map;
	int r;

	r = file_read(dir_fd, "maps", &t->text);
	if (r < 0)
		return r;
	text = (const char *)t->text.data;
	end = text + t->text.size;
	while (proc_next_map(&text, end, &map)) {
		if (!is_code(&map))
			continue;
		r = add_map(t, e, &list, &map);
		if (r == -ENOMEM)
			return r;
	}
	entry_set_mappings(t, e, TAKE_PTR(list));
	if (t->text.capacity > MAX_KEPT_TEXT)
		buffer_done(&t->text);
	return 0;
}

/* exe and maps, from the task that still has memory. */
static int read_memory(struct process_table *t, struct entry *e, int dir_fd)
{
	_cleanup_close_ int other_fd = -1;
	int r;

	if (e->p.kernel)
		return 0;
	if (e->leader_exited) {
		other_fd = open_other_thread(dir_fd, e->p.pid);
		if (other_fd < 0)
			return other_fd;
		dir_fd = other_fd;
	}
	read_exe(e, dir_fd);
	r = read_maps(t, e, dir_fd);
	if (r == -EACCES || r == -EPERM)
		t->stats.unreadable++;
	return r;
}

int entry_read_mappings(struct process_table *t, struct entry *e)
{
	_cleanup_close_ int dir_fd = open_process(t, e->p.pid);
	struct proc_stat stat;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	r = read_stat(t, dir_fd, &stat);
	if (r < 0)
		return r;
	if (e->start_boot_ns && !close_to(start_boot_ns(t, &stat), e->start_boot_ns))
		return -ESRCH;
	return read_memory(t, e, dir_fd);
}

/* --- labels --- */

static struct labels *read_labels(struct process_table *t, const struct entry *e,
				  uint64_t cgroup_id)
{
	_cleanup_close_ int dir_fd = open_process(t, e->p.pid);
	struct cgroup_file file;

	if (dir_fd < 0 || file_read(dir_fd, "cgroup", &t->text) < 0)
		return NULL;
	if (!cgroup_parse_file((const char *)t->text.data, t->text.size, &file))
		return NULL;
	return labels_by_path(&t->labels, file.path.data, file.path.size,
			      file.unified ? cgroup_id : 0);
}

/* The cgroup of the sample counts; /proc may show a later one. */
static struct labels *find_labels(struct process_table *t, const struct entry *e,
				  uint64_t cgroup_id)
{
	struct labels *l = cgroup_id ? labels_by_id(&t->labels, cgroup_id) : NULL, *exact;

	if (!l && !e->p.exit_ns)
		l = read_labels(t, e, cgroup_id);
	if (!cgroup_id || (l && l->cgroup_id == cgroup_id))
		return l;
	exact = labels_by_handle(&t->labels, cgroup_id);
	if (!exact)
		return l;
	labels_unref(l);
	return exact;
}

void entry_update_labels(struct process_table *t, struct entry *e, uint64_t cgroup_id,
			 uint64_t time_ns)
{
	struct labels *l;

	if (!e->labels_stale && e->labels_ns && time_ns < e->labels_ns + LABELS_HOLD_NS)
		return;
	l = e->p.kernel ? NULL : find_labels(t, e, cgroup_id);
	if (l)
		entry_set_labels(e, l);
	e->p.cgroup_id = cgroup_id;
	e->labels_ns = time_ns;
	e->labels_stale = false;
}

/* --- entries --- */

static struct entry *new_placeholder(struct process_table *t, uint32_t pid, uint64_t time_ns)
{
	struct entry *e = entry_new(t, pid, 0);

	if (!e)
		return NULL;
	e->placeholder = true;
	e->p.exit_ns = time_ns;
	return e;
}

static void fill(struct process_table *t, struct entry *e, int dir_fd, const struct proc_stat *s)
{
	e->p.ppid = s->ppid;
	e->p.kernel = s->kernel;
	e->threads = MAX(s->threads, 1U);
	e->leader_exited = s->state == 'Z';
	entry_set_comm(e, s->comm, sizeof(s->comm));
	read_memory(t, e, dir_fd);
	e->labels_stale = true;
}

static struct entry *read_new(struct process_table *t, uint32_t pid, int dir_fd,
			      const struct proc_stat *s, uint64_t read_ns)
{
	uint64_t boot = start_boot_ns(t, s), offset = boot_offset_ns();
	struct entry *e = entry_new(t, pid, boot > offset ? boot - offset : 1);

	if (!e)
		return NULL;
	e->start_boot_ns = boot;
	e->read_ns = read_ns;
	fill(t, e, dir_fd, s);
	return e;
}

struct entry *entry_adopt(struct process_table *t, uint32_t pid, uint64_t time_ns)
{
	_cleanup_close_ int dir_fd = open_process(t, pid);
	uint64_t read_ns = now_ns();
	struct proc_stat stat;

	if (dir_fd < 0 || read_stat(t, dir_fd, &stat) < 0 || is_dead(&stat))
		return new_placeholder(t, pid, time_ns);
	/* Whoever has the pid now may have started after the sample. */
	if (start_boot_ns(t, &stat) > time_ns + boot_offset_ns())
		return new_placeholder(t, pid, time_ns);
	return read_new(t, pid, dir_fd, &stat, read_ns);
}

bool entry_read_rest(struct process_table *t, struct entry *e)
{
	_cleanup_close_ int dir_fd = open_process(t, e->p.pid);
	struct proc_stat stat;

	e->unread = false;
	if (dir_fd < 0 || read_stat(t, dir_fd, &stat) < 0 || is_dead(&stat) ||
	    !close_to(start_boot_ns(t, &stat), e->start_boot_ns))
		return false;
	e->read_ns = now_ns();
	fill(t, e, dir_fd, &stat);
	return true;
}

struct entry *entry_verify(struct process_table *t, struct entry *e, uint64_t time_ns)
{
	_cleanup_close_ int dir_fd = -1;
	uint64_t read_ns = now_ns();
	struct proc_stat stat;

	if (e->p.pid == 0 || e->placeholder || e->p.exit_ns)
		return e;
	if (e->read_ns && read_ns - e->read_ns < VERIFY_INTERVAL_NS)
		return e;
	e->losses = t->losses;
	dir_fd = open_process(t, e->p.pid);
	if (dir_fd < 0 || read_stat(t, dir_fd, &stat) < 0 || is_dead(&stat)) {
		entry_end(t, e, time_ns);
		return e;
	}
	if (e->start_boot_ns && !close_to(start_boot_ns(t, &stat), e->start_boot_ns)) {
		entry_end(t, e, time_ns);
		return start_boot_ns(t, &stat) > time_ns + boot_offset_ns()
			       ? e
			       : read_new(t, e->p.pid, dir_fd, &stat, read_ns);
	}
	e->read_ns = read_ns;
	fill(t, e, dir_fd, &stat);
	return e;
}

/* --- the start --- */

static int scan_pid(struct process_table *t, uint32_t pid)
{
	_cleanup_close_ int dir_fd = -1;
	uint64_t read_ns = now_ns();
	struct proc_stat stat;
	struct entry *e;

	if (entry_find(t, pid, UINT64_MAX))
		return 0;
	dir_fd = open_process(t, pid);
	if (dir_fd < 0 || read_stat(t, dir_fd, &stat) < 0 || is_dead(&stat))
		return 0;
	e = read_new(t, pid, dir_fd, &stat, read_ns);
	if (!e)
		return -ENOMEM;
	/* Not left to the first sample: children that are gone by then inherit them. */
	entry_update_labels(t, e, 0, 0);
	return 0;
}

int process_table_scan(struct process_table *t)
{
	DIR *proc = opendir(t->procfs);
	struct dirent *d;
	int r = 0;

	if (!proc)
		return -errno;
	while (r >= 0 && (d = readdir(proc))) {
		unsigned long pid = strtoul(d->d_name, NULL, 10);

		if (isdigit((unsigned char)d->d_name[0]) && pid > 0 && pid <= INT32_MAX)
			r = scan_pid(t, (uint32_t)pid);
	}
	closedir(proc);
	return r;
}
