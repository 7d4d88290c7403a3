// SPDX-License-Identifier: Apache-2.0
/* BTF is found in the stated order, named reasons are kept, and the generated one relocates right.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf_perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/btf.h"
#include "host/kernel_types.h"
#include "util/cleanup.h"

static const struct host_kernel kernel = {
	.major = 4, .minor = 18, .release = "4.18.0-147.el8.x86_64", .machine = "x86_64"
};
static const struct host_kernel arm_kernel = {
	.major = 5, .minor = 1, .release = "5.1.0-1", .machine = "aarch64"
};

#define OS_RELEASE "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=fedora\nVERSION_ID='8.10'\n"
#define EXTERNAL "/usr/lib/ebpf-profiler/btf"

enum content { TEXT, SMALL_BTF, KERNEL_BTF };

static void write_file(const char *path, const void *data, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
}

static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

/* A BTF of `n` integer types. */
static void write_btf(const char *path, int n)
{
	struct btf *btf = btf__new_empty();
	const void *data;
	__u32 size;
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "type%d", i);
		assert_true(btf__add_int(btf, name, 4, 0) > 0);
	}
	data = btf__raw_data(btf, &size);
	write_file(path, data, size);
	btf__free(btf);
}

static void put(const char *root, const char *path, enum content content, const char *text)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	make_parents(full);
	if (content == TEXT)
		write_file(full, text, strlen(text));
	else
		write_btf(full, content == SMALL_BTF ? 3 : 500);
}

struct fixture_file {
	const char *path;
	enum content content;
	const char *text;
};

static void make_root(char *root, const struct fixture_file *files, size_t n)
{
	strcpy(root, "/tmp/test_host_btf.XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < n && files[i].path; i++)
		put(root, files[i].path, files[i].content, files[i].text);
}

static void remove_root(const char *root)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	assert_int_equal(system(command), 0);
}

/* The first candidate that holds wins; what did not hold is told with its reason. */
static void test_order(void **state)
{
	static const struct {
		int line;
		const struct host_kernel *kernel;
		const char *option;
		struct fixture_file files[4];
		int r;
		enum host_btf_kind kind;
		const char *path; /* without the root */
		const char *tried; /* must be part of it */
	} rows[] = {
		{ __LINE__,
		  &kernel,
		  NULL,
		  {},
		  0,
		  HOST_BTF_NONE,
		  NULL,
		  "/sys/kernel/btf/vmlinux: No" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/sys/kernel/btf/vmlinux", KERNEL_BTF, NULL },
		    { "/boot/vmlinux-4.18.0-147.el8.x86_64", KERNEL_BTF, NULL } },
		  0,
		  HOST_BTF_KERNEL,
		  "/sys/kernel/btf/vmlinux",
		  "" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/sys/kernel/btf/vmlinux", TEXT, "damaged" },
		    { "/boot/vmlinux-4.18.0-147.el8.x86_64", KERNEL_BTF, NULL } },
		  0,
		  HOST_BTF_VMLINUX,
		  "/boot/vmlinux-4.18.0-147.el8.x86_64",
		  "/sys/kernel/btf/vmlinux: " },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/sys/kernel/btf/vmlinux", SMALL_BTF, NULL } },
		  0,
		  HOST_BTF_NONE,
		  NULL,
		  "too few types" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/lib/modules/4.18.0-147.el8.x86_64/vmlinux-4.18.0-147.el8.x86_64",
		      KERNEL_BTF, NULL } },
		  0,
		  HOST_BTF_VMLINUX,
		  "/lib/modules/4.18.0-147.el8.x86_64/vmlinux-4.18.0-147.el8.x86_64",
		  "/boot/" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/etc/os-release", TEXT, OS_RELEASE },
		    { EXTERNAL "/rocky/8.10/x86_64/4.18.0-147.el8.x86_64.btf", SMALL_BTF, NULL } },
		  0,
		  HOST_BTF_EXTERNAL,
		  EXTERNAL "/rocky/8.10/x86_64/4.18.0-147.el8.x86_64.btf",
		  "/etc/ebpf-profiler/btf/rocky/8.10/x86_64" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/usr/lib/os-release", TEXT, OS_RELEASE },
		    { EXTERNAL "/rocky/8/x86_64/4.18.0-147.el8.x86_64.btf", SMALL_BTF, NULL } },
		  0,
		  HOST_BTF_EXTERNAL,
		  EXTERNAL "/rocky/8/x86_64/4.18.0-147.el8.x86_64.btf",
		  "" },
		{ __LINE__,
		  &arm_kernel,
		  "/srv/btfhub",
		  { { "/etc/os-release", TEXT, OS_RELEASE },
		    { "/srv/btfhub/rocky/8.10/arm64/5.1.0-1.btf", SMALL_BTF, NULL } },
		  0,
		  HOST_BTF_EXTERNAL,
		  "/srv/btfhub/rocky/8.10/arm64/5.1.0-1.btf",
		  "/srv/btfhub/rocky/8.10/aarch64/5.1.0-1.btf: No" },
		{ __LINE__,
		  &arm_kernel,
		  "/srv/btfhub",
		  { { "/etc/os-release", TEXT, OS_RELEASE },
		    { "/srv/btfhub/rocky/8.10/arm64/5.1.0-1.btf.tar.xz", TEXT, "" } },
		  0,
		  HOST_BTF_NONE,
		  NULL,
		  "unpack it" },
		{ __LINE__,
		  &arm_kernel,
		  "/srv/btfhub",
		  { { "/sys/kernel/btf/vmlinux", KERNEL_BTF, NULL },
		    { "/etc/os-release", TEXT, OS_RELEASE },
		    { "/srv/btfhub/rocky/8.10/arm64/5.1.0-1.btf", SMALL_BTF, NULL } },
		  0,
		  HOST_BTF_KERNEL,
		  "/sys/kernel/btf/vmlinux",
		  "" },
		{ __LINE__,
		  &kernel,
		  "/my.btf",
		  { { "/my.btf", SMALL_BTF, NULL },
		    { "/sys/kernel/btf/vmlinux", KERNEL_BTF, NULL } },
		  0,
		  HOST_BTF_OPTION,
		  "/my.btf",
		  "" },
		{ __LINE__,
		  &kernel,
		  "/my.btf",
		  { { "/sys/kernel/btf/vmlinux", KERNEL_BTF, NULL } },
		  -ENOENT,
		  HOST_BTF_NONE,
		  NULL,
		  "/my.btf: No such file" },
		{ __LINE__,
		  &kernel,
		  "/my.btf",
		  { { "/my.btf", TEXT, "not BTF" },
		    { "/sys/kernel/btf/vmlinux", KERNEL_BTF, NULL } },
		  -ENOENT,
		  HOST_BTF_NONE,
		  NULL,
		  "/my.btf: no BTF in it" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/etc/os-release", TEXT, "ID=../../etc\nVERSION_ID=1\n" } },
		  0,
		  HOST_BTF_NONE,
		  NULL,
		  "has no usable ID" },
		{ __LINE__,
		  &kernel,
		  NULL,
		  { { "/etc/os-release", TEXT, "ID=arch\n" } },
		  0,
		  HOST_BTF_NONE,
		  NULL,
		  "has no usable ID" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_btf btf = { 0 };
		char root[64];
		int r;

		make_root(root, rows[i].files, ARRAY_SIZE(rows[i].files));
		r = host_btf_find(root, rows[i].option, rows[i].kernel, &btf);
		if (r != rows[i].r || btf.kind != rows[i].kind)
			fail_msg("row at line %d: %d, %s, tried:\n%s", rows[i].line, r,
				 host_btf_kind_name(btf.kind), btf.tried);
		if (rows[i].path && strcmp(btf.path + strlen(root), rows[i].path) != 0)
			fail_msg("row at line %d: found %s", rows[i].line, btf.path);
		if (!strstr(btf.tried, rows[i].tried))
			fail_msg("row at line %d: '%s' is not in:\n%s", rows[i].line, rows[i].tried,
				 btf.tried);
		host_btf_done(&btf);
		remove_root(root);
	}
}

/* Only BTF that libbpf would not find by itself is handed to it. */
static void test_custom_path(void **state)
{
	struct host_btf btf = { .path = (char *)"/x" };

	(void)state;
	for (enum host_btf_kind k = HOST_BTF_NONE; k <= HOST_BTF_EXTERNAL; k++) {
		btf.kind = k;
		assert_int_equal(host_btf_custom_path(&btf) != NULL,
				 k == HOST_BTF_OPTION || k == HOST_BTF_EXTERNAL);
	}
}

/* The generated BTF puts the context's fields where this build's uapi header has them. */
static void test_sampler_btf(void **state)
{
	_cleanup_close_ int fd = -1;
	char path[HOST_BTF_PATH_MAX];
	const struct btf_type *type;
	struct btf *btf;
	int id;

	(void)state;
	fd = host_btf_for_sampler(path);
	assert_true(fd >= 0);
	btf = btf__parse(path, NULL);
	assert_non_null(btf);
	id = btf__find_by_name_kind(btf, "bpf_perf_event_data", BTF_KIND_STRUCT);
	assert_true(id > 0);
	type = btf__type_by_id(btf, (__u32)id);
	assert_int_equal(btf_vlen(type), 2);
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[0].name_off),
			    "sample_period");
	assert_int_equal(btf_member_bit_offset(type, 0),
			 offsetof(struct bpf_perf_event_data, sample_period) * 8);
	assert_string_equal(btf__name_by_offset(btf, btf_members(type)[1].name_off), "addr");
	assert_int_equal(btf_member_bit_offset(type, 1),
			 offsetof(struct bpf_perf_event_data, addr) * 8);
	btf__free(btf);
}

/* sampler.bpf.o of the build this test belongs to. */
static void object_path(char *out, size_t size)
{
	char self[PATH_MAX - 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(out, size, "%s/../bpf/sampler.bpf.o", self);
}

/* The sampler with one program, relocated by a BTF file (NULL: the kernel's) and loaded. */
static struct bpf_object *load_sampler(const char *btf_path, struct bpf_program **ret_program,
				       int *ret_error)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = btf_path);
	struct bpf_object *object;
	char path[PATH_MAX];

	object_path(path, sizeof(path));
	object = bpf_object__open_file(path, &options);
	assert_non_null(object);
	*ret_program = bpf_object__find_program_by_name(object, "sample_to_perf_ring");
	assert_non_null(*ret_program);
	bpf_program__set_autoload(*ret_program, true);
	bpf_map__set_autocreate(bpf_object__find_map_by_name(object, "bpf_rings"), false);
	*ret_error = bpf_object__load(object);
	return object;
}

/* The number of the program's 64-bit loads from where its context has the period. */
static uint64_t load_and_find_context_loads(const char *btf_path, int *ret_error)
{
	struct bpf_program *program;
	struct bpf_object *object = load_sampler(btf_path, &program, ret_error);
	const struct bpf_insn *insns;
	uint64_t seen = 0;

	insns = *ret_error ? NULL : bpf_program__insns(program);
	/* Every other pointer of this program is a map value or a stack slot, whose offsets stay
	 * those of the record; only the context load moves with the architecture. */
	for (size_t i = 0; insns && i < bpf_program__insn_cnt(program); i++)
		if (insns[i].code == (BPF_LDX | BPF_MEM | BPF_DW) &&
		    insns[i].off == (short)offsetof(struct bpf_perf_event_data, sample_period))
			seen++;
	bpf_object__close(object);
	return seen;
}

/* With nothing but the generated BTF the sampler loads, and reads the period at the same offset as
 * with the kernel's own. */
static void test_sampler_loads(void **state)
{
	_cleanup_close_ int fd = -1;
	char path[HOST_BTF_PATH_MAX];
	uint64_t own, native;
	int error;

	(void)state;
	fd = host_btf_for_sampler(path);
	assert_true(fd >= 0);
	own = load_and_find_context_loads(path, &error);
	if (error == -EPERM || error == -EACCES) {
		print_message("no privilege to load BPF programs\n");
		skip();
	}
	assert_int_equal(error, 0);
	assert_true(own > 0);
	native = load_and_find_context_loads(NULL, &error);
	if (error == 0)
		assert_int_equal(own, native);
}

/* Offset of a member of a kernel structure in bytes; -1: there is none. */
static int kernel_offset(const struct btf *btf, const char *type, const char *member)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;

	for (__u32 i = 0; t && i < btf_vlen(t); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member) == 0)
			return (int)btf_member_bit_offset(t, i) / 8;
	return -1;
}

static bool has_helper(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;

	for (__u32 i = 0; t && i < btf_vlen(t); i++)
		if (strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), name) == 0)
			return true;
	return false;
}

/* The generated BTF has the kernel's own fields where the kernel's BTF has them. */
static void test_kernel_fields(void **state)
{
	static const struct {
		const char *type, *member;
	} rows[] = {
		{ "perf_sample_data", "data_src" },
		{ "perf_sample_data", "weight" },
		{ "perf_sample_data", "sample_flags" },
		{ "bpf_perf_event_data_kern", "data" },
		{ "task_struct", "flags" },
		{ "task_struct", "nvcsw" },
		{ "task_struct", "nivcsw" },
		{ "task_struct", "mm" },
	};
	struct btf *btf = btf__load_vmlinux_btf(), *made;
	_cleanup_close_ int fd = -1;
	char path[HOST_BTF_PATH_MAX];

	(void)state;
	if (!btf)
		skip();
	fd = host_btf_for_unwinder(path);
	assert_true(fd >= 0);
	made = btf__parse(path, NULL);
	assert_non_null(made);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (kernel_offset(made, rows[i].type, rows[i].member) !=
		    kernel_offset(btf, rows[i].type, rows[i].member))
			fail_msg("%s.%s is not where the kernel has it", rows[i].type,
				 rows[i].member);
	assert_true(kernel_offset(made, "task_struct", "flags") > 0);
	/* The program has another way where the kernel has no such helper. */
	if (has_helper(btf, "BPF_FUNC_get_current_task_btf"))
		assert_true(has_helper(made, "BPF_FUNC_get_current_task_btf"));
	assert_true(host_btf_describes(path, "task_struct", "nvcsw"));
	assert_false(host_btf_describes(path, "task_struct", "start_time"));
	assert_true(host_btf_describes(NULL, "task_struct", "start_time"));
	assert_false(host_btf_describes(NULL, "task_struct", "no_such_field"));
	assert_false(host_btf_describes("/dev/null", "task_struct", "nvcsw"));
	assert_false(host_btf_describes("/nowhere", "task_struct", "nvcsw"));
	btf__free(made);
	btf__free(btf);
}

/* One structure behind types of every size there is, so that a wrong step misses it. */
static struct btf *make_types(void)
{
	struct btf *btf = btf__new_empty();
	int u32 = btf__add_int(btf, "unsigned int", 4, 0);

	btf__add_ptr(btf, u32);
	btf__add_array(btf, u32, u32, 3);
	btf__add_fwd(btf, "wanted", BTF_FWD_STRUCT);
	btf__add_enum(btf, "wanted", 4);
	btf__add_enum_value(btf, "one", 1);
	btf__add_func_proto(btf, u32);
	btf__add_func_param(btf, "field", u32);
	btf__add_func(btf, "wanted", BTF_FUNC_STATIC, btf__type_cnt(btf) - 1);
	btf__add_var(btf, "wanted", BTF_VAR_STATIC, u32);
	btf__add_datasec(btf, ".data", 4);
	btf__add_datasec_var_info(btf, btf__type_cnt(btf) - 2, 0, 4);
	btf__add_float(btf, "double", 8);
	btf__add_decl_tag(btf, "tag", u32, -1);
	btf__add_struct(btf, "other", 8);
	btf__add_field(btf, "field", u32, 0, 0);
	btf__add_struct(btf, "wanted", 24);
	btf__add_field(btf, "first", u32, 0, 0);
	btf__add_field(btf, "field", u32, 96, 0);
	btf__add_struct(btf, "wanted", 48); /* the second of a name does not count */
	btf__add_field(btf, "field", u32, 128, 0);
	btf__add_union(btf, "choice", 16);
	return btf;
}

static void test_kernel_types(void **state)
{
	struct kernel_struct wanted[] = {
		{ .name = "wanted", .fields = { { .name = "field" }, { .name = "missing" } } },
		{ .name = "choice" },
		{ .name = "nowhere" },
	};
	struct btf *btf = make_types();
	const void *raw;
	uint8_t *data;
	__u32 size;

	(void)state;
	raw = btf__raw_data(btf, &size);
	assert_int_equal(kernel_types_parse(raw, size, wanted, 3), 0);
	assert_int_equal(wanted[0].size, 24);
	assert_int_equal(wanted[0].fields[0].bit_offset, 96);
	assert_int_equal(wanted[0].fields[1].bit_offset, -1);
	assert_int_equal(wanted[1].size, 16);
	assert_int_equal(wanted[2].size, -1);
	/* Cut anywhere, or with any byte changed, it is refused or read without leaving its bytes. */
	for (__u32 n = 0; n < size; n++) {
		data = malloc(n ? n : 1);
		memcpy(data, raw, n);
		assert_int_equal(kernel_types_parse(data, n, wanted, 3), -EINVAL);
		free(data);
	}
	data = malloc(size);
	for (__u32 n = 0; n < size; n++) {
		memcpy(data, raw, size);
		data[n] ^= 0xff;
		kernel_types_parse(data, size, wanted, 3);
	}
	free(data);
	btf__free(btf);
}

/* What the kernel keeps of a memory access is read from where its BTF says that it lies. */
static void test_access_offsets(void **state)
{
	static const char *const members[] = { "data_src", "weight" };
	struct btf *btf = btf__load_vmlinux_btf();
	struct bpf_program *program;
	struct bpf_object *object;
	int error;

	(void)state;
	if (!btf)
		skip();
	object = load_sampler(NULL, &program, &error);
	for (size_t m = 0; error == 0 && m < ARRAY_SIZE(members); m++) {
		int offset = kernel_offset(btf, "perf_sample_data", members[m]);
		const struct bpf_insn *insns = bpf_program__insns(program);
		size_t found = 0;

		assert_true(offset > 0);
		for (size_t i = 0; i < bpf_program__insn_cnt(program); i++)
			found += (insns[i].code == (BPF_ALU64 | BPF_ADD | BPF_K) ||
				  insns[i].code == (BPF_ALU64 | BPF_MOV | BPF_K)) &&
				 insns[i].imm == offset;
		if (found == 0)
			fail_msg("nothing is read %d bytes into perf_sample_data, where %s is",
				 offset, members[m]);
	}
	bpf_object__close(object);
	btf__free(btf);
	if (error)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	      cmocka_unit_test(test_custom_path),
		cmocka_unit_test(test_sampler_btf),   cmocka_unit_test(test_sampler_loads),
		cmocka_unit_test(test_kernel_fields),
		cmocka_unit_test(test_kernel_types), cmocka_unit_test(test_access_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
