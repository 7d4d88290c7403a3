// SPDX-License-Identifier: Apache-2.0
#include "host/btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf_perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "host/kernel_types.h"
#include "host/text_file.h"
#include "util/buffer.h"

#define FEW_TYPES 100 /* a kernel has tens of thousands; vmlinux files without BTF give none */

const char *const host_btf_directories[] = {
	"/etc/ebpf-profiler/btf",
	"/usr/lib/ebpf-profiler/btf",
	NULL,
};

struct search {
	const char *root;
	const struct host_kernel *kernel;
	struct host_btf found;
	struct buffer tried;
};

DEFINE_CLEANUP(struct btf *, btf__free);

static void note(struct search *s, const char *path, const char *why)
{
	buffer_printf(&s->tried, "%s: %s\n", path, why);
}

/* Returns the number of types in a BTF or ELF file, or a negative errno. */
static int count_types(const char *path)
{
	_cleanup_(btf__freep) struct btf *btf = NULL;
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	int r;

	btf = btf__parse(path, NULL);
	r = btf ? (int)btf__type_cnt(btf) : -errno;
	libbpf_set_print(print);
	return r;
}

/* Takes ROOT/PATH when it holds; true when the search is over. */
static bool try(struct search *s, const char *path, enum host_btf_kind kind, unsigned int least)
{
	_cleanup_free_ char *full = NULL;
	int r;

	if (asprintf(&full, "%s%s", s->root, path) < 0) {
		s->tried.error = -ENOMEM;
		return true;
	}
	if (access(full, F_OK) < 0) {
		note(s, full, strerror(errno));
		return false;
	}
	r = count_types(full);
	if (r < 0) {
		/* Beyond the kernel's, libbpf has errors of its own. */
		note(s, full,
		     r == -ENOENT || r == -ENODATA || r <= -__LIBBPF_ERRNO__START ? "no BTF in it"
										  : strerror(-r));
		return false;
	}
	if ((unsigned int)r < least) {
		note(s, full, "too few types to be a kernel's");
		return false;
	}
	s->found.kind = kind;
	s->found.path = TAKE_PTR(full);
	s->found.types = (unsigned int)r;
	return true;
}

/* The list in libbpf's btf__load_vmlinux_btf(): FIRST release [SECOND release] LAST. */
static bool try_vmlinux(struct search *s)
{
	static const struct {
		const char *first, *second, *last;
	} places[] = {
		{ "/boot/vmlinux-", NULL, "" },
		{ "/lib/modules/", "/vmlinux-", "" },
		{ "/lib/modules/", NULL, "/build/vmlinux" },
		{ "/usr/lib/modules/", NULL, "/kernel/vmlinux" },
		{ "/usr/lib/debug/boot/vmlinux-", NULL, "" },
		{ "/usr/lib/debug/boot/vmlinux-", NULL, ".debug" },
		{ "/usr/lib/debug/lib/modules/", NULL, "/vmlinux" },
	};
	const char *release = s->kernel->release;
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *second = places[i].second;

		snprintf(path, sizeof(path), "%s%s%s%s%s", places[i].first, release,
			 second ? second : "", second ? release : "", places[i].last);
		if (try(s, path, HOST_BTF_VMLINUX, FEW_TYPES))
			return true;
	}
	return false;
}

/* os-release values become path components: letters, digits, '.', '_' and '-' only. */
static bool is_component(const char *s)
{
	if (!*s || *s == '.')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
			return false;
	return true;
}

static bool try_packed(struct search *s, const char *directory, const char *id, const char *version,
		       const char *arch)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/%s/%s/%s.btf", directory, id, version, arch,
			 s->kernel->release);

	if (n < 0 || (size_t)n + sizeof(".tar.xz") > sizeof(path))
		return false;
	if (try(s, path, HOST_BTF_EXTERNAL, 1))
		return true;
	strcat(path, ".tar.xz");
	if (text_file_exists(s->root, path))
		note(s, path, "is packed; unpack it beside itself");
	return false;
}

/* BTFHub says arm64 where uname says aarch64, and el8 8.10 may stand under "8". */
static bool try_directory(struct search *s, const char *directory, const char *id,
			  const char *version)
{
	const char *machine = s->kernel->machine;
	const char *archs[] = { machine, strcmp(machine, "aarch64") == 0 ? "arm64" : NULL };
	char major[64];

	snprintf(major, sizeof(major), "%.*s", (int)strcspn(version, "."), version);
	for (size_t i = 0; i < ARRAY_SIZE(archs) && archs[i]; i++) {
		if (try_packed(s, directory, id, version, archs[i]))
			return true;
		if (strcmp(major, version) != 0 && try_packed(s, directory, id, major, archs[i]))
			return true;
	}
	return false;
}

static bool try_external(struct search *s, const char *directory)
{
	char text[8192], id[64], version[64];

	if (text_file_read(s->root, "/etc/os-release", text, sizeof(text)) < 0 &&
	    text_file_read(s->root, "/usr/lib/os-release", text, sizeof(text)) < 0) {
		note(s, "/etc/os-release", "cannot be read, so no BTFHub path is known");
		return false;
	}
	if (text_field(text, "ID", '=', id, sizeof(id)) < 0 ||
	    text_field(text, "VERSION_ID", '=', version, sizeof(version)) < 0 ||
	    !is_component(id) || !is_component(version)) {
		note(s, "/etc/os-release", "has no usable ID and VERSION_ID");
		return false;
	}
	if (directory)
		return try_directory(s, directory, id, version);
	for (size_t i = 0; host_btf_directories[i]; i++)
		if (try_directory(s, host_btf_directories[i], id, version))
			return true;
	return false;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* 0, or -ENOENT when the operator's file does not hold. */
static int search(struct search *s, const char *option)
{
	const char *directory = NULL;

	if (option) {
		_cleanup_free_ char *full = NULL;

		if (asprintf(&full, "%s%s", s->root, option) < 0)
			return -ENOMEM;
		if (!is_directory(full))
			return try(s, option, HOST_BTF_OPTION, 1) ? 0 : -ENOENT;
		directory = option;
	}
	if (!try(s, "/sys/kernel/btf/vmlinux", HOST_BTF_KERNEL, FEW_TYPES) && !try_vmlinux(s))
		try_external(s, directory);
	return 0;
}

int host_btf_find(const char *root, const char *option, const struct host_kernel *kernel,
		  struct host_btf *ret)
{
	struct search s = { .root = root ? root : "", .kernel = kernel };
	int r;

	r = search(&s, option);
	buffer_put_byte(&s.tried, 0);
	if (s.tried.error) {
		r = s.tried.error;
		buffer_done(&s.tried);
		host_btf_done(&s.found);
		return r;
	}
	s.found.tried = (char *)s.tried.data;
	*ret = s.found;
	return r;
}

void host_btf_done(struct host_btf *btf)
{
	free(btf->path);
	free(btf->tried);
	*btf = (struct host_btf){ 0 };
}

const char *host_btf_kind_name(enum host_btf_kind kind)
{
	static const char *const names[] = {
		[HOST_BTF_NONE] = "none",	  [HOST_BTF_OPTION] = "option",
		[HOST_BTF_KERNEL] = "kernel",	  [HOST_BTF_VMLINUX] = "vmlinux",
		[HOST_BTF_EXTERNAL] = "external",
	};

	return names[kind];
}

const char *host_btf_custom_path(const struct host_btf *btf)
{
	return btf->kind == HOST_BTF_OPTION || btf->kind == HOST_BTF_EXTERNAL ? btf->path : NULL;
}

bool host_btf_describes(const char *path, const char *type, const char *field)
{
	struct kernel_struct wanted = { .name = type, .fields = { { .name = field } } };
	_cleanup_(btf__freep) struct btf *btf = path ? btf__parse(path, NULL) : NULL;
	const void *data;
	__u32 size;
	int r;

	if (!path)
		r = kernel_types_read(&wanted, 1);
	else if (!btf)
		r = -errno;
	else {
		data = btf__raw_data(btf, &size);
		r = data ? kernel_types_parse(data, size, &wanted, 1) : -ENOMEM;
	}
	return r == 0 && wanted.fields[0].bit_offset >= 0;
}

/* Only the fields the programs read; a gap before them is as good as the registers. */
static int describe_sampler_context(struct btf *btf)
{
	int u64 = btf__add_int(btf, "unsigned long long", sizeof(__u64), 0);
	int r;

	if (u64 < 0)
		return u64;
	r = btf__add_struct(btf, "bpf_perf_event_data", sizeof(struct bpf_perf_event_data));
	if (r < 0)
		return r;
	r = btf__add_field(btf, "sample_period", u64,
			   offsetof(struct bpf_perf_event_data, sample_period) * 8, 0);
	return r < 0 ? r
		     : btf__add_field(btf, "addr", u64,
				      offsetof(struct bpf_perf_event_data, addr) * 8, 0);
}

/* The field that only this architecture's registers have; the programs look at nothing else. */
static int describe_registers(struct btf *btf)
{
#ifdef __aarch64__
	const char *field = "pstate";
#else
	const char *field = "ip";
#endif
	int u64 = btf__find_by_name_kind(btf, "unsigned long long", BTF_KIND_INT);
	int r = btf__add_struct(btf, "pt_regs", sizeof(__u64));

	return r < 0 ? r : btf__add_field(btf, field, u64, 0, 0);
}

/* With the fields that the kernel has; types[i] is field i's in the BTF that is made. */
static int add_struct(struct btf *btf, const struct kernel_struct *found, const int *types)
{
	int r = 0;

	if (found->size < 0)
		return 0;
	r = btf__add_struct(btf, found->name, (__u32)found->size);
	for (size_t i = 0; r >= 0 && i < KERNEL_FIELDS_MAX && found->fields[i].name; i++)
		if (found->fields[i].bit_offset >= 0)
			r = btf__add_field(btf, found->fields[i].name, types[i],
					   (__u32)found->fields[i].bit_offset, 0);
	return r < 0 ? r : 0;
}

static int add_union(struct btf *btf, const char *name, const char *member, int u64)
{
	int id = btf__add_union(btf, name, sizeof(__u64));
	int r = id < 0 ? id : btf__add_field(btf, member, u64, 0, 0);

	return r < 0 ? r : id;
}

static bool takes_helper(int32_t helper)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3 },
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_cleanup_close_ int fd =
		bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, NULL, "GPL", code, ARRAY_SIZE(code), NULL);

	return fd >= 0;
}

/* Not under lockdown=confidentiality, where a program is refused that only might. */
static bool may_read_kernel(void)
{
	return takes_helper(BPF_FUNC_probe_read_kernel) || takes_helper(BPF_FUNC_probe_read);
}

/* Offsets of the kernel's own fields; without them the programs do without, or are refused. */
static int describe_kernel(struct btf *btf, bool stack)
{
	enum { TASK, WEIGHT, SAMPLE, CONTEXT };
	struct kernel_struct found[] = {
		[TASK] = { .name = "task_struct",
			   .fields = { { .name = "flags" },
				       { .name = "nvcsw" },
				       { .name = "nivcsw" },
				       { .name = "mm" },
				       { .name = stack ? "stack" : NULL } } },
		[WEIGHT] = { .name = "perf_sample_weight" },
		[SAMPLE] = { .name = "perf_sample_data",
			     .fields = { { .name = "sample_flags" },
					 { .name = "weight" },
					 { .name = "data_src" } } },
		[CONTEXT] = { .name = "bpf_perf_event_data_kern",
			      .fields = { { .name = "data" } } },
	};
	int pointer, u32, u64, weight, data_src, r;

	if (!may_read_kernel() || kernel_types_read(found, ARRAY_SIZE(found)) < 0)
		return 0;
	pointer = btf__add_ptr(btf, 0);
	u32 = btf__add_int(btf, "unsigned int", sizeof(__u32), 0);
	u64 = btf__find_by_name_kind(btf, "unsigned long long", BTF_KIND_INT);
	/* Since Linux 5.12 a weight is a union. */
	weight = found[WEIGHT].size >= 0 ? add_union(btf, "perf_sample_weight", "full", u64) : u64;
	data_src = add_union(btf, "perf_mem_data_src", "val", u64);
	if (pointer < 0 || u32 < 0 || weight < 0 || data_src < 0)
		return -ENOMEM;
	r = add_struct(btf, &found[TASK], (const int[]){ u32, u64, u64, pointer, pointer });
	if (r == 0)
		r = add_struct(btf, &found[SAMPLE], (const int[]){ u64, weight, data_src });
	return r < 0 ? r : add_struct(btf, &found[CONTEXT], &pointer);
}

/* What the programs do without where a kernel has not got it: whether it has. */
static int describe_helpers(struct btf *btf, bool get_current_task_btf, bool task_pt_regs)
{
	int r = 0;

	if (get_current_task_btf || task_pt_regs)
		r = btf__add_enum(btf, "bpf_func_id", sizeof(__u32));
	if (r >= 0 && get_current_task_btf)
		r = btf__add_enum_value(btf, "BPF_FUNC_get_current_task_btf",
					BPF_FUNC_get_current_task_btf);
	if (r >= 0 && task_pt_regs)
		r = btf__add_enum_value(btf, "BPF_FUNC_task_pt_regs", BPF_FUNC_task_pt_regs);
	return r;
}

static int write_memfd(const void *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("sampler.btf", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, data, size);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? TAKE_FD(fd) : -EIO;
}

static int make_btf(bool unwind, char ret_path[static HOST_BTF_PATH_MAX])
{
	_cleanup_(btf__freep) struct btf *btf = btf__new_empty();
	bool task_pt_regs = unwind && libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT,
							      BPF_FUNC_task_pt_regs, NULL) == 1;
	const void *data;
	__u32 size;
	int fd, r;

	if (!btf)
		return -errno;
	r = describe_sampler_context(btf);
	if (r >= 0 && unwind)
		r = describe_registers(btf);
	if (r >= 0)
		r = describe_helpers(btf, takes_helper(BPF_FUNC_get_current_task_btf),
				     task_pt_regs);
	/* Where there is no helper a field of the task's has to do. */
	if (r >= 0)
		r = describe_kernel(btf, unwind && !task_pt_regs);
	if (r < 0)
		return r;
	data = btf__raw_data(btf, &size);
	if (!data)
		return -ENOMEM;
	fd = write_memfd(data, size);
	if (fd >= 0)
		snprintf(ret_path, HOST_BTF_PATH_MAX, "/proc/self/fd/%d", fd);
	return fd;
}

int host_btf_for_sampler(char ret_path[static HOST_BTF_PATH_MAX])
{
	return make_btf(false, ret_path);
}

int host_btf_for_unwinder(char ret_path[static HOST_BTF_PATH_MAX])
{
	return make_btf(true, ret_path);
}
