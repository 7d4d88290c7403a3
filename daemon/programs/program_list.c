// SPDX-License-Identifier: Apache-2.0
#include "programs/program_list.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define PRODUCT "ebpf-profiler"
#define MAX_PROGRAMS 4096

const char *program_type_name(uint32_t type)
{
	const char *name = libbpf_bpf_prog_type_str((enum bpf_prog_type)type);

	return name ? name : "unknown";
}

const char *program_map_type_name(uint32_t type)
{
	const char *name = libbpf_bpf_map_type_str((enum bpf_map_type)type);

	return name ? name : "unknown";
}

/* --- the list --- */

static struct program *find(const struct program_list *l, uint32_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i]->id == id)
			return l->list[i];
	return NULL;
}

static struct program *add(struct program_list *l)
{
	if (l->n == l->capacity) {
		size_t capacity = MAX(2 * l->capacity, (size_t)16);
		struct program **grown =
			l->n < MAX_PROGRAMS ? reallocarray(l->list, capacity, sizeof(*grown)) : NULL;

		if (!grown)
			return NULL;
		l->list = grown;
		l->capacity = capacity;
	}
	l->list[l->n] = calloc(1, sizeof(**l->list));
	return l->list[l->n] ? l->list[l->n++] : NULL;
}

static void attach(struct program *p, const char *kind, const char *target, const char *mode)
{
	if (p->n_attachments < PROGRAM_ATTACHMENTS)
		snprintf(p->attachments[p->n_attachments], sizeof(p->attachments[0]), "%s%s%s%s%s",
			 kind, *target ? " " : "", target, *mode ? " " : "", mode);
	p->n_attachments++;
}

/* --- maps --- */

/* The kernel tells what it charges in the fdinfo of a descriptor of ours. */
static uint64_t charged_bytes(int fd)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long bytes;
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			return bytes;
	return 0;
}

static void read_map(struct program *p, uint32_t id)
{
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
	struct program_map *m = &p->maps[p->n_maps];
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return;
	*m = (struct program_map){
		.id = id,
		.type = info.type,
		.max_entries = info.max_entries,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.bytes = charged_bytes(fd),
	};
	memcpy(m->name, info.name, sizeof(m->name));
	p->n_maps++;
}

/* --- programs --- */

static int read_program(struct program_list *l, uint32_t id, struct program **ret)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	uint32_t maps[PROGRAM_MAPS];
	struct bpf_prog_info info = { .nr_map_ids = PROGRAM_MAPS, .map_ids = (uintptr_t)maps };
	__u32 size = sizeof(info);
	struct program *p;

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	p = add(l);
	if (!p)
		return -ENOMEM;
	p->id = id;
	p->type = info.type;
	memcpy(p->name, info.name, sizeof(p->name));
	p->loaded_ns = info.load_time;
	p->runs = info.run_cnt;
	p->run_ns = info.run_time_ns;
	p->missed = info.recursion_misses;
	p->verified = info.verified_insns;
	p->translated_bytes = info.xlated_prog_len;
	p->machine_code_bytes = info.jited_prog_len;
	for (uint32_t i = 0; i < MIN(info.nr_map_ids, (uint32_t)PROGRAM_MAPS); i++)
		read_map(p, maps[i]);
	*ret = p;
	return 0;
}

/* The program with this id, read when it is new. NULL: it is gone, or that failed. */
static struct program *get(struct program_list *l, uint32_t id, pid_t pid, const char *holder,
			   int *ret_error)
{
	struct program *p = find(l, id);
	int r;

	if (p)
		return p;
	r = read_program(l, id, &p);
	if (r == -EPERM || r == -ENOMEM)
		*ret_error = r;
	if (r < 0)
		return NULL;
	p->pid = pid;
	snprintf(p->holder, sizeof(p->holder), "%s", holder);
	return p;
}

/* --- what our processes hold --- */

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == 0;
}

static bool is_ours(const char *pid)
{
	char path[320], target[512], *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	name = strrchr(target, '/');
	/* After an update the daemon's old file is "(deleted)". */
	return name && strncmp(name + 1, PRODUCT, strlen(PRODUCT)) == 0 &&
	       (name[1 + strlen(PRODUCT)] == 0 || name[1 + strlen(PRODUCT)] == ' ');
}

static bool number_in(const char *pid, const char *fd, const char *key, uint32_t *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[600], line[256];
	size_t n = strlen(key);

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return sscanf(line + n + 1, "%u", ret) == 1;
	return false;
}

/* A perf event with a program: the kernel knows what it probes. */
static void look_at_event(struct program_list *l, const char *pid, const char *fd,
			  const char *holder, int *ret_error)
{
	static const char *const kinds[] = {
		[BPF_FD_TYPE_RAW_TRACEPOINT] = "raw_tracepoint", [BPF_FD_TYPE_TRACEPOINT] = "tracepoint",
		[BPF_FD_TYPE_KPROBE] = "kprobe",		  [BPF_FD_TYPE_KRETPROBE] = "kretprobe",
		[BPF_FD_TYPE_UPROBE] = "uprobe",		  [BPF_FD_TYPE_URETPROBE] = "uretprobe",
	};
	__u32 size, id, type;
	__u64 offset, address;
	struct program *p;
	char name[64] = "";

	size = sizeof(name);
	if (bpf_task_fd_query(atoi(pid), atoi(fd), 0, name, &size, &id, &type, &offset, &address) <
		    0 ||
	    id == 0)
		return;
	p = get(l, id, atoi(pid), holder, ret_error);
	if (p)
		attach(p, type < ARRAY_SIZE(kinds) && kinds[type] ? kinds[type] : "event", name,
		       "");
}

static void look_at_fd(struct program_list *l, const char *pid, const char *fd, const char *holder,
		       int *ret_error)
{
	char path[600], target[64];
	uint32_t id;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = 0;
	if (strcmp(target, "anon_inode:[perf_event]") == 0) {
		look_at_event(l, pid, fd, holder, ret_error);
		return;
	}
	if (!strstr(target, "bpf-prog") && !strstr(target, "bpf_link") && !strstr(target, "bpf-link"))
		return;
	if (number_in(pid, fd, "prog_id", &id))
		(void)get(l, id, atoi(pid), holder, ret_error);
}

static void look_at_process(struct program_list *l, const char *pid, int *ret_error)
{
	char path[320], holder[64] = "";
	_cleanup_close_ int fd = -1;
	struct dirent *d;
	ssize_t n;
	DIR *dir;

	/* The command line says which subcommand it is. */
	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, holder, sizeof(holder) - 1);
	for (ssize_t i = 0; i + 1 < n; i++)
		if (holder[i] == 0)
			holder[i] = ' ';
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (is_number(d->d_name))
			look_at_fd(l, pid, d->d_name, holder, ret_error);
	closedir(dir);
}

static void look_at_processes(struct program_list *l, int *ret_error)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (is_number(d->d_name) && atoi(d->d_name) != getpid() && is_ours(d->d_name))
			look_at_process(l, d->d_name, ret_error);
	closedir(dir);
}

/* --- what is pinned --- */

/* It may be another namespace's, or gone. */
static void put_interface(uint32_t index, char name[static IF_NAMESIZE])
{
	if (!if_indextoname(index, name))
		snprintf(name, IF_NAMESIZE, "%u", index);
}

/* A filter of traffic control is kept as another pin of its program (program_attach.c). */
static void put_filter(struct program *p, const char *pin)
{
	char interface[IF_NAMESIZE], direction[4];
	unsigned int index;

	if (!p || sscanf(pin, "tc-%u-%3[a-z]-", &index, direction) != 2)
		return;
	put_interface(index, interface);
	attach(p, "tc", interface,
	       strcmp(direction, "out") == 0 ? "egress filter" : "ingress filter");
}

static void look_at_pins(struct program_list *l, const char *store, const char *object,
			 int *ret_error)
{
	char path[512], holder[1024];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", store, object);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (strncmp(d->d_name, "prog-", 5) != 0 && strncmp(d->d_name, "tc-", 3) != 0)
			continue;
		snprintf(holder, sizeof(holder), "%s/%s", path, d->d_name);
		fd = bpf_obj_get(holder);
		snprintf(holder, sizeof(holder), "object %s", object);
		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
			put_filter(get(l, info.id, 0, holder, ret_error), d->d_name);
	}
	closedir(dir);
}

static void look_at_store(struct program_list *l, const char *store, int *ret_error)
{
	DIR *dir = opendir(store);
	struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (is_number(d->d_name))
			look_at_pins(l, store, d->d_name, ret_error);
	closedir(dir);
}

/* --- links --- */

/* Of Linux 6.6, and what its link begins with. */
#define LINK_TYPE_TCX 11
#define ATTACH_TCX_EGRESS 47

struct tcx_info {
	__u32 interface, attach_type;
};

static const char *xdp_mode(uint32_t interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)interface, 0, &query) < 0)
		return "";
	switch (query.attach_mode) {
	case XDP_ATTACHED_DRV:
		return "native";
	case XDP_ATTACHED_SKB:
		return "generic";
	case XDP_ATTACHED_HW:
		return "offloaded";
	default:
		return "";
	}
}

static void put_link(struct program *p, const struct bpf_link_info *info, const char *name)
{
	char interface[IF_NAMESIZE] = "";
	struct tcx_info tcx;
	char id[32];

	switch (info->type) {
	case BPF_LINK_TYPE_XDP:
		put_interface(info->xdp.ifindex, interface);
		attach(p, "xdp", interface, xdp_mode(info->xdp.ifindex));
		break;
	case LINK_TYPE_TCX:
		memcpy(&tcx, &info->xdp, sizeof(tcx));
		put_interface(tcx.interface, interface);
		attach(p, "tc", interface,
		       tcx.attach_type == ATTACH_TCX_EGRESS ? "egress" : "ingress");
		break;
	case BPF_LINK_TYPE_CGROUP:
		snprintf(id, sizeof(id), "%llu", (unsigned long long)info->cgroup.cgroup_id);
		attach(p, "cgroup", id,
		       info->cgroup.attach_type == BPF_CGROUP_INET_INGRESS  ? "ingress"
		       : info->cgroup.attach_type == BPF_CGROUP_INET_EGRESS ? "egress"
									    : "");
		break;
	case BPF_LINK_TYPE_RAW_TRACEPOINT:
		attach(p, "raw_tracepoint", name, "");
		break;
	case BPF_LINK_TYPE_TRACING:
		snprintf(id, sizeof(id), "btf %u", info->tracing.target_btf_id);
		attach(p, p->type == BPF_PROG_TYPE_LSM ? "lsm" : "tracing",
		       info->tracing.target_btf_id ? id : "", "");
		break;
	case BPF_LINK_TYPE_PERF_EVENT:
		attach(p, "perf_event", "", "link");
		break;
	default:
		attach(p, libbpf_bpf_link_type_str((enum bpf_link_type)info->type) ?:
				  "link",
		       "", "");
		break;
	}
}

/* Kernels before 5.8 cannot list links. */
static void look_at_links(struct program_list *l)
{
	__u32 id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
		char name[128] = "";
		struct bpf_link_info info = {};
		__u32 size = sizeof(info);
		struct program *p;

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
			continue;
		if (info.type == BPF_LINK_TYPE_RAW_TRACEPOINT) {
			info = (struct bpf_link_info){
				.raw_tracepoint = { .tp_name = (uintptr_t)name,
						    .tp_name_len = sizeof(name) }
			};
			size = sizeof(info);
			if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
				continue;
		}
		p = find(l, info.prog_id);
		if (p)
			put_link(p, &info, name);
	}
}

/* --- all --- */

static int compare(const void *a, const void *b)
{
	const struct program *x = *(struct program *const *)a, *y = *(struct program *const *)b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (strcmp(x->holder, y->holder) != 0)
		return strcmp(x->holder, y->holder);
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool counts_runs(void)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_RDONLY | O_CLOEXEC);
	char c = '0';

	return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

int program_list_read(const char *store, struct program_list *ret)
{
	struct program_list l = { .counts_runs = counts_runs() };
	__u32 first;
	int error = 0;

	if (bpf_prog_get_next_id(0, &first) < 0 && errno == EPERM)
		return -EPERM;
	look_at_processes(&l, &error);
	look_at_store(&l, store, &error);
	if (error < 0) {
		program_list_done(&l);
		return error;
	}
	look_at_links(&l);
	if (l.n)
		qsort(l.list, l.n, sizeof(*l.list), compare);
	*ret = l;
	return 0;
}

void program_list_done(struct program_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->list[i]);
	free(l->list);
	*l = (struct program_list){};
}
