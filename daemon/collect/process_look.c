// SPDX-License-Identifier: Apache-2.0
#include "collect/process_look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define KEPT_MAX 4096 /* each takes some 5 KB of the kernel's memory */
#define CLOCK_TRIES 3

/* --- clocks --- */

/* The id is the kernel's ABI; clock_getcpuclockid() would ask whether there is such a process. */
static bool read_clock(pid_t pid, uint64_t *ret)
{
	clockid_t id = (clockid_t)(~(unsigned int)pid << 3 | 2);
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		return false;
	*ret = (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
	return true;
}

/* A scheduler that counts in ticks of the timer does not see the shortest runs. */
static bool clocks_are_fine(void)
{
	uint64_t first, second;

	for (size_t i = 0; i < CLOCK_TRIES; i++)
		if (read_clock(getpid(), &first) && read_clock(getpid(), &second) &&
		    second > first && second - first < NSEC_PER_MSEC)
			return true;
	return false;
}

/* Whether pids there are those of our own namespace. */
static bool is_own_proc(int proc)
{
	char self[16], link[16];
	struct statfs fs;
	ssize_t n;

	if (proc < 0 || fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	n = readlinkat(proc, "self", link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = 0;
	snprintf(self, sizeof(self), "%d", (int)getpid());
	return strcmp(self, link) == 0;
}

/* --- life --- */

void process_look_init(struct process_look *l, int proc)
{
	struct rlimit limit;

	*l = (struct process_look){ .clocks = is_own_proc(proc) && clocks_are_fine() };
	if (!l->clocks && getrlimit(RLIMIT_NOFILE, &limit) == 0)
		l->kept_max = (size_t)MIN(limit.rlim_cur / 4, (rlim_t)KEPT_MAX);
}

static void drop_fd(struct process_look *l, struct known_process *k)
{
	if (k->fd < 0)
		return;
	k->fd = safe_close(k->fd);
	l->kept--;
}

static void free_known(struct hash_node *node, void *userdata)
{
	struct known_process *k = container_of(node, struct known_process, node);

	drop_fd(userdata, k);
	free(k);
}

void process_look_done(struct process_look *l)
{
	hash_table_each(&l->known, free_known, l);
	hash_table_done(&l->known);
}

/* --- one process --- */

static struct known_process *find(const struct process_look *l, pid_t pid)
{
	struct hash_node *node = hash_table_first(&l->known, hash_u64((uint64_t)pid));

	/* The hash is a bijection. */
	return node ? container_of(node, struct known_process, node) : NULL;
}

static struct known_process *add(struct process_look *l, pid_t pid)
{
	struct known_process *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->id.pid = pid;
	k->fd = -1;
	if (hash_table_add(&l->known, &k->node, hash_u64((uint64_t)pid)) < 0) {
		free(k);
		return NULL;
	}
	return k;
}

/* Of one that is known already the descriptor is kept: most processes do not live that long. */
static ssize_t read_stat(struct process_look *l, int proc, const char *name,
			 struct known_process *k, char *text, size_t size)
{
	char path[32];
	ssize_t n;
	int fd;

	if (k && k->fd >= 0) {
		n = pread(k->fd, text, size, 0);
		if (n > 0)
			return n;
		drop_fd(l, k);
	}
	strcpy(stpcpy(path, name), "/stat");
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, size);
	if (n > 0 && k && l->kept < l->kept_max) {
		k->fd = fd;
		l->kept++;
	} else {
		close(fd);
	}
	return n;
}

/* NULL: it is gone, or made no sense, or there is no memory; which is told to `rows`. */
static struct known_process *read_process(struct process_look *l, int proc, pid_t pid,
					  const char *name, struct known_process *k,
					  struct rows *rows)
{
	struct process_brief brief;
	char text[1024];
	ssize_t n = read_stat(l, proc, name, k, text, sizeof(text));

	if (n <= 0) {
		rows_missing(rows);
		return NULL;
	}
	if (!process_brief_parse(scan_bytes(text, (size_t)n), &brief)) {
		rows_problem(rows, "/proc/%s/stat is not what a kernel writes", name);
		return NULL;
	}
	if (!k)
		k = add(l, pid);
	if (!k) {
		rows->dropped++;
		return NULL;
	}
	if (k->id.start_ticks != brief.id.start_ticks)
		k->ticks = k->rollup_after_ns =
			0; /* another one, with the pid of one that is gone */
	k->id.start_ticks = brief.id.start_ticks;
	k->state = brief.state;
	k->ticks_before = k->ticks;
	k->ticks = brief.ticks;
	return k;
}

static struct known_process *look_at(struct process_look *l, int proc, pid_t pid, const char *name,
				     struct rows *rows)
{
	struct known_process *k = find(l, pid);
	uint64_t cpu_ns = 0;

	/* Before its stat: what it does in between is seen at the next look. */
	if (l->clocks && !read_clock(pid, &cpu_ns)) {
		rows_missing(rows);
		return NULL;
	}
	/* No two processes ran as long to the nanosecond, so that this one is no other. */
	if (l->clocks && k && k->cpu_ns == cpu_ns)
		k->ticks_before = k->ticks;
	else
		k = read_process(l, proc, pid, name, k, rows);
	if (!k)
		return NULL;
	k->cpu_ns = cpu_ns;
	k->pass = l->pass;
	return k;
}

/* --- all of them --- */

static void forget_gone(struct hash_node *node, void *userdata)
{
	struct process_look *l = userdata;
	struct known_process *k = container_of(node, struct known_process, node);

	if (k->pass == l->pass)
		return;
	hash_table_remove(&l->known, node);
	free_known(node, l);
}

int process_look_at_all(struct process_look *l, int proc, struct rows *rows,
			void (*each)(struct known_process *k, void *userdata), void *userdata)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *d;
	int r = roots_list(proc, ".", &dir);

	if (r < 0)
		return r;
	l->pass++;
	while ((d = readdir(dir))) {
		struct known_process *k;
		pid_t pid;

		if (!process_pid_parse(d->d_name, &pid))
			continue;
		k = look_at(l, proc, pid, d->d_name, rows);
		if (k)
			each(k, userdata);
	}
	hash_table_each(&l->known, forget_gone, l);
	return 0;
}
