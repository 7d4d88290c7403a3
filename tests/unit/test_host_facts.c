// SPDX-License-Identifier: Apache-2.0
/* Rights, virtualisation and the verdict, read from built roots and made-up facts. */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
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

#include "host/assess.h"
#include "host/needs.h"
#include "host/text_file.h"
#include "util/cleanup.h"

#define BIT(c) (1ULL << (c))
#define FIVE                                                                                       \
	(BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) |        \
	 BIT(CAP_SYSLOG))

struct file {
	const char *path, *text;
};

static void put(const char *root, const struct file *file)
{
	_cleanup_fclose_ FILE *f = NULL;
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, file->path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(file->text, f);
}

static void make_root(char *root, const struct file *files, size_t n)
{
	strcpy(root, "/tmp/test_host_facts.XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < n && files[i].path; i++)
		put(root, &files[i]);
}

static void remove_root(const char *root)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	assert_int_equal(system(command), 0);
}

/* Fields are found by their whole name, quotes and blanks are taken off, what is absent is said. */
static void test_field(void **state)
{
	static const struct {
		int line;
		const char *text, *name;
		char separator;
		const char *value; /* NULL: -ENOENT */
	} rows[] = {
		{ __LINE__, "A=1\nID=debian\n", "ID", '=', "debian" },
		{ __LINE__, "VERSION_ID=\"12\"\n", "VERSION_ID", '=', "12" },
		{ __LINE__, "VERSION_ID='8.10'", "VERSION_ID", '=', "8.10" },
		{ __LINE__, "VERSION_ID=12\n", "ID", '=', NULL },
		{ __LINE__, "IDX=1\nID = x y \n", "ID", '=', "x y" },
		{ __LINE__, "CapEff:\t000001ff\n", "CapEff", ':', "000001ff" },
		{ __LINE__, "ID=\n", "ID", '=', "" },
		{ __LINE__, "ID=\"\n", "ID", '=', "\"" },
		{ __LINE__, "", "ID", '=', NULL },
		{ __LINE__, "ID", "ID", '=', NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[32] = "untouched";
		int r = text_field(rows[i].text, rows[i].name, rows[i].separator, out, sizeof(out));

		if (r != (rows[i].value ? 0 : -ENOENT) ||
		    strcmp(out, rows[i].value ? rows[i].value : "untouched") != 0)
			fail_msg("row at line %d: %d, '%s'", rows[i].line, r, out);
	}
}

/* Files longer than the caller's space, directories and absent ones are errors, not half truths. */
static void test_read(void **state)
{
	static const struct file files[] = { { "/short", "12\n" },
					     { "/exact", "1234567" },
					     { "/long", "12345678" },
					     { "/text", "12x" },
					     { "/dir/x", "" } };
	char root[64], out[8];
	int64_t v = -7;

	(void)state;
	make_root(root, files, ARRAY_SIZE(files));
	assert_int_equal(text_file_read(root, "/short", out, sizeof(out)), 0);
	assert_string_equal(out, "12");
	assert_int_equal(text_file_read(root, "/exact", out, sizeof(out)), 0);
	assert_int_equal(text_file_read(root, "/long", out, sizeof(out)), -EFBIG);
	assert_int_equal(text_file_read(root, "/none", out, sizeof(out)), -ENOENT);
	assert_int_equal(text_file_read(root, "/dir", out, sizeof(out)), -EISDIR);
	assert_int_equal(text_file_read_int(root, "/text", &v), -EINVAL);
	assert_int_equal(text_file_read_int(root, "/dir/x", &v), -EINVAL);
	assert_true(v == -7);
	assert_int_equal(text_file_read_int(root, "/short", &v), 0);
	assert_true(v == 12);
	remove_root(root);
}

/* Every fact about rights comes from its file; what a kernel does not have stays unknown. */
static void test_privilege(void **state)
{
	static const struct file files[] = {
		{ "/proc/self/status",
		  "Name:\tx\nUid:\t998\t998\t998\t998\nNoNewPrivs:\t1\nSeccomp:\t2\n"
		  "CapPrm:\t0000000000000000\nCapEff:\t000000c400080004\n" },
		{ "/proc/self/uid_map", "         0          0 4294967295\n" },
		{ "/proc/sys/kernel/cap_last_cap", "40\n" },
		{ "/proc/sys/kernel/perf_event_paranoid", "3\n" },
		{ "/proc/sys/kernel/kptr_restrict", "1\n" },
		{ "/proc/kallsyms", "0000000000000000 A fixed\nffffffff81000000 T _text\n" },
		{ "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n" },
		{ "/sys/kernel/security/lsm", "lockdown,capability,bpf\n" },
		{ "/proc/self/mounts",
		  "bpf /sys/fs/bpf bpf rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
		  "systemd /x cgroup rw,name=systemd 0 0\n" },
	};
	struct host_privilege p;
	char root[64], names[256];

	(void)state;
	make_root(root, files, ARRAY_SIZE(files));
	assert_int_equal(host_privilege_read(root, &p), 0);
	assert_int_equal(p.uid, 998);
	assert_true(p.no_new_privileges);
	assert_int_equal(p.seccomp, 2);
	assert_false(p.user_namespace);
	assert_true(host_privilege_has(&p, CAP_PERFMON));
	assert_false(host_privilege_has(&p, CAP_SYS_ADMIN));
	assert_string_equal(host_privilege_names(&p, names, sizeof(names)),
			    "cap_dac_read_search,cap_sys_ptrace,cap_syslog,cap_perfmon,cap_bpf");
	assert_true(p.perf_event_paranoid == 3);
	assert_true(p.nmi_watchdog == HOST_UNKNOWN);
	assert_true(p.kallsyms);
	assert_int_equal(p.lockdown, HOST_LOCKDOWN_INTEGRITY);
	assert_string_equal(p.lsm, "lockdown,capability,bpf");
	assert_true(p.bpffs);
	assert_false(p.tracefs);
	assert_int_equal(p.cgroups, HOST_CGROUP_V2);
	remove_root(root);
}

/* The cgroup mode follows from the mounts; systemd's own v1 hierarchy has no controllers. */
static void test_cgroups(void **state)
{
	static const struct {
		int line;
		const char *mounts;
		enum host_cgroup_mode mode;
	} rows[] = {
		{ __LINE__, "", HOST_CGROUP_NONE },
		{ __LINE__, "c /a cgroup2 rw 0 0\n", HOST_CGROUP_V2 },
		{ __LINE__, "c /a cgroup rw,memory 0 0\n", HOST_CGROUP_V1 },
		{ __LINE__, "c /a cgroup rw,cpu 0 0\nc /b cgroup2 rw 0 0\n", HOST_CGROUP_HYBRID },
		{ __LINE__, "c /a cgroup rw,name=systemd 0 0\nc /b cgroup2 rw 0 0\n",
		  HOST_CGROUP_V2 },
		{ __LINE__, "cgroup\nbroken line\n\n", HOST_CGROUP_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct file files[] = { { "/proc/self/status", "CapEff:\t0\n" },
					{ "/proc/self/mounts", rows[i].mounts } };
		struct host_privilege p;
		char root[64];

		make_root(root, files, ARRAY_SIZE(files));
		assert_int_equal(host_privilege_read(root, &p), 0);
		if (p.cgroups != rows[i].mode)
			fail_msg("row at line %d: %s", rows[i].line,
				 host_cgroup_mode_name(p.cgroups));
		remove_root(root);
	}
}

/* Any map of users but the whole identity is a user namespace, and so is none at all. */
static void test_user_namespace(void **state)
{
	static const struct {
		int line;
		const char *map;
		bool namespaced;
	} rows[] = {
		{ __LINE__, "0 0 4294967295\n", false },
		{ __LINE__, "0 0 1\n", true },
		{ __LINE__, "0 100000 65536\n", true },
		{ __LINE__, "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct file files[] = { { "/proc/self/status", "CapEff:\t0\n" },
					{ "/proc/self/uid_map", rows[i].map } };
		struct host_privilege p;
		char root[64];

		make_root(root, files, ARRAY_SIZE(files));
		assert_int_equal(host_privilege_read(root, &p), 0);
		if (p.user_namespace != rows[i].namespaced)
			fail_msg("row at line %d", rows[i].line);
		remove_root(root);
	}
}

/* Only the first pid namespace of the kernel numbers processes as its samples do. */
static void test_pid_namespace(void **state)
{
	static const struct {
		int line;
		const char *link;
		bool namespaced;
	} rows[] = {
		{ __LINE__, "pid:[4026531836]", false },
		{ __LINE__, "pid:[4026532741]", true },
		{ __LINE__, NULL, false }, /* it cannot be told */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct file files[] = { { "/proc/self/status", "CapEff:\t0\n" },
					{ "/proc/self/ns/other", "" } };
		_cleanup_free_ char *lack = NULL;
		struct host_privilege p;
		char root[64], path[128];

		make_root(root, files, ARRAY_SIZE(files));
		snprintf(path, sizeof(path), "%s/proc/self/ns/pid", root);
		if (rows[i].link)
			assert_int_equal(symlink(rows[i].link, path), 0);
		assert_int_equal(host_privilege_read(root, &p), 0);
		lack = host_privilege_lack(&p, HOST_NEED_PID_NAMESPACE);
		if (p.pid_namespace != rows[i].namespaced || (lack != NULL) != rows[i].namespaced)
			fail_msg("row at line %d", rows[i].line);
		remove_root(root);
	}
}

/* A process that sees neither status nor capabilities is an error, never "all is well". */
static void test_privilege_unreadable(void **state)
{
	static const struct file files[] = { { "/proc/self/status", "Name:\tx\n" } };
	struct host_privilege p;
	char root[64];

	(void)state;
	make_root(root, files, 0);
	assert_int_equal(host_privilege_read(root, &p), -ENOENT);
	remove_root(root);
	make_root(root, files, 1);
	assert_int_equal(host_privilege_read(root, &p), -EBADMSG);
	remove_root(root);
}

/* Facts of a healthy service: five capabilities, mainline sysctls. */
static struct host_privilege healthy(void)
{
	return (struct host_privilege){
		.effective = FIVE,
		.last_capability = CAP_CHECKPOINT_RESTORE,
		.perf_event_paranoid = 2,
		.kallsyms = true,
		.memlock_bytes = UINT64_MAX,
		.online_cpus = 2,
	};
}

static const struct host_need *find_need(const struct host_need *needs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(needs[i].name, name) == 0)
			return &needs[i];
	return NULL;
}

/* Each missing thing alone gives the one sentence that names it, with the right weight. */
static void test_needs(void **state)
{
	struct host_privilege base = healthy(), p;
	static const struct {
		int line;
		uint64_t drop, add;
		int paranoid, last;
		bool kallsyms, userns, confidential;
		uint64_t memlock;
		const char *name; /* NULL: nothing beyond the options */
		enum host_need_weight weight;
		const char *part;
	} rows[] = {
		{ __LINE__, 0, 0, 2, 40, true, false, false, UINT64_MAX, NULL, 0, "" },
		{ __LINE__, BIT(CAP_BPF), 0, 2, 40, true, false, false, UINT64_MAX, "CAP_BPF",
		  HOST_NEED_SAMPLING, "CAP_BPF is missing: BPF programs" },
		{ __LINE__, BIT(CAP_PERFMON), 0, 2, 40, true, false, false, UINT64_MAX,
		  "CAP_PERFMON", HOST_NEED_SAMPLING, "setcap cap_perfmon+ep" },
		{ __LINE__, BIT(CAP_BPF) | BIT(CAP_PERFMON), BIT(CAP_SYS_ADMIN), 2, 40, true, false,
		  false, UINT64_MAX, NULL, 0, "" },
		{ __LINE__, BIT(CAP_BPF) | BIT(CAP_PERFMON), 0, 2, 37, true, false, false,
		  UINT64_MAX, "CAP_SYS_ADMIN", HOST_NEED_SAMPLING, "CAP_SYS_ADMIN is missing" },
		{ __LINE__, 0, 0, 3, 40, true, false, false, UINT64_MAX,
		  "kernel.perf_event_paranoid", HOST_NEED_SAMPLING, "sysctl" },
		{ __LINE__, 0, BIT(CAP_SYS_ADMIN), 4, 40, true, false, false, UINT64_MAX, NULL, 0,
		  "" },
		{ __LINE__, BIT(CAP_SYS_PTRACE), 0, 2, 40, true, false, false, UINT64_MAX,
		  "CAP_SYS_PTRACE", HOST_NEED_QUALITY, "CAP_SYS_PTRACE is missing" },
		{ __LINE__, BIT(CAP_SYSLOG), 0, 2, 40, false, false, false, UINT64_MAX,
		  "CAP_SYSLOG", HOST_NEED_QUALITY, "kallsyms" },
		{ __LINE__, 0, 0, 2, 40, false, false, false, UINT64_MAX, "kernel.kptr_restrict",
		  HOST_NEED_QUALITY, "ProtectKernelTunables" },
		{ __LINE__, BIT(CAP_DAC_READ_SEARCH), 0, 2, 40, true, false, false, UINT64_MAX,
		  "CAP_DAC_READ_SEARCH", HOST_NEED_QUALITY, "tracefs" },
		{ __LINE__, 0, 0, 2, 40, true, true, false, UINT64_MAX, "user namespace",
		  HOST_NEED_SAMPLING, "PrivateUsers" },
		{ __LINE__, 0, 0, 2, 40, true, false, true, UINT64_MAX, "lockdown",
		  HOST_NEED_QUALITY, "lockdown=integrity" },
		{ __LINE__, 0, 0, 2, 40, true, false, false, (2 << 20) - 1, "RLIMIT_MEMLOCK",
		  HOST_NEED_QUALITY, "LimitMEMLOCK" },
		{ __LINE__, 0, 0, 2, 40, true, false, false, 2 << 20, NULL, 0, "" },
		{ __LINE__, 0, BIT(CAP_IPC_LOCK), 2, 40, true, false, false, 0, NULL, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *refusal = NULL;
		const struct host_need *need;
		struct host_need *needs;
		size_t n, real = 0;

		p = base;
		p.effective = (p.effective & ~rows[i].drop) | rows[i].add;
		p.perf_event_paranoid = rows[i].paranoid;
		p.last_capability = rows[i].last;
		p.kallsyms = rows[i].kallsyms;
		p.user_namespace = rows[i].userns;
		p.lockdown =
			rows[i].confidential ? HOST_LOCKDOWN_CONFIDENTIALITY : HOST_LOCKDOWN_NONE;
		p.memlock_bytes = rows[i].memlock;
		assert_int_equal(host_privilege_missing(&p, &needs, &n), 0);
		for (size_t k = 0; k < n; k++)
			real += needs[k].weight != HOST_NEED_OPTION;
		need = rows[i].name ? find_need(needs, n, rows[i].name) : NULL;
		if (rows[i].name && (!need || need->weight != rows[i].weight ||
				     !strstr(need->sentence, rows[i].part)))
			fail_msg("row at line %d: %s", rows[i].line,
				 need ? need->sentence : "not missing");
		if (!rows[i].name && real)
			fail_msg("row at line %d: %s", rows[i].line, needs[0].sentence);
		refusal = host_privilege_refusal(&p);
		if ((refusal != NULL) !=
		    (need && need->weight == HOST_NEED_SAMPLING && rows[i].paranoid <= 2))
			fail_msg("row at line %d: refusal %s", rows[i].line, refusal);
		host_needs_free(needs, n);
	}
}

/* A vendor's name is no hypervisor; metal and virtual machines of one cloud are told apart. */
static void test_virt(void **state)
{
#define DMI "/sys/class/dmi/id/"
	static const struct {
		int line;
		const char *machine;
		struct file files[4];
		const char *technology; /* NULL: bare metal */
	} rows[] = {
		{ __LINE__, "x86_64", {}, NULL },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "processor: 0\nflags\t\t: fpu vme\n" } },
		  NULL },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm\n" } },
		  "unknown" },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "flags\t\t: fpu hypervisor\n" } },
		  "unknown" },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "flags\t\t: nohypervisor x\n" } },
		  NULL },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "flags\t\t: fpu hypervisor lm\n" },
		    { DMI "sys_vendor", "QEMU\n" } },
		  "qemu" },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "flags\t\t: fpu\n" },
		    { DMI "sys_vendor", "Amazon EC2\n" },
		    { DMI "product_name", "i3.metal\n" } },
		  NULL },
		{ __LINE__,
		  "x86_64",
		  { { "/proc/cpuinfo", "flags\t\t: fpu hypervisor x\n" },
		    { DMI "sys_vendor", "Amazon EC2\n" },
		    { DMI "product_name", "m5.large\n" } },
		  "amazon" },
		{ __LINE__,
		  "aarch64",
		  { { DMI "sys_vendor", "Amazon EC2\n" }, { DMI "product_name", "c7g.metal\n" } },
		  NULL },
		{ __LINE__,
		  "aarch64",
		  { { DMI "sys_vendor", "Amazon EC2\n" }, { DMI "product_name", "c7g.large\n" } },
		  "amazon" },
		{ __LINE__, "x86_64", { { DMI "sys_vendor", "Hetzner\n" } }, NULL },
		{ __LINE__, "x86_64", { { DMI "product_name", "VirtualBox\n" } }, "virtualbox" },
		{ __LINE__,
		  "x86_64",
		  { { DMI "sys_vendor", "Microsoft Corporation\n" },
		    { DMI "product_name", "Surface\n" } },
		  NULL },
		{ __LINE__, "x86_64", { { DMI "product_name", "Virtual Machine\n" } }, "hyper-v" },
		{ __LINE__, "x86_64", { { "/sys/hypervisor/type", "xen\n" } }, "xen" },
		{ __LINE__,
		  "x86_64",
		  { { "/sys/hypervisor/type", "xen\n" },
		    { "/proc/xen/capabilities", "control_d\n" } },
		  "xen dom0" },
		{ __LINE__,
		  "aarch64",
		  { { "/proc/device-tree/compatible", "linux,dummy-virt" } },
		  "qemu" },
		{ __LINE__,
		  "aarch64",
		  { { "/proc/device-tree/compatible", "raspberrypi,4-model-b" } },
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_virt v;
		char root[64];

		make_root(root, rows[i].files, ARRAY_SIZE(rows[i].files));
		host_virt_read(root, rows[i].machine, &v);
		if (v.virtualised != (rows[i].technology != NULL) ||
		    strcmp(v.technology, rows[i].technology ? rows[i].technology : "") != 0)
			fail_msg("row at line %d: '%s' by %s", rows[i].line, v.technology,
				 v.evidence);
		remove_root(root);
	}
}

/* Core PMUs are known by what they are, not by one name; uncore ones are left out. */
static void test_core_pmus(void **state)
{
#define PMU "/sys/bus/event_source/devices/"
	static const struct {
		int line;
		struct file files[5];
		const char *pmus;
	} rows[] = {
		{ __LINE__, {}, "" },
		{ __LINE__, { { PMU "software/type", "1" }, { PMU "msr/type", "9" } }, "" },
		{ __LINE__,
		  { { PMU "cpu/type", "4" }, { PMU "uncore_imc_0/cpumask", "0" } },
		  "cpu" },
		{ __LINE__,
		  { { PMU "cpu_core/cpus", "0-7" }, { PMU "cpu_atom/cpus", "8-15" } },
		  "cpu_atom,cpu_core" },
		{ __LINE__,
		  { { PMU "armv8_pmuv3_0/cpus", "0-3" }, { PMU "arm_spe_0/cpus", "0" } },
		  "armv8_pmuv3_0" },
		{ __LINE__,
		  { { PMU "armv8_cortex_a53/cpus", "0-3" }, { PMU "armv8_cortex_a72/cpus", "4" } },
		  "armv8_cortex_a53,armv8_cortex_a72" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char root[64], out[128];

		make_root(root, rows[i].files, ARRAY_SIZE(rows[i].files));
		if (strcmp(host_virt_core_pmus(root, out, sizeof(out)), rows[i].pmus) != 0)
			fail_msg("row at line %d: '%s'", rows[i].line, out);
		remove_root(root);
	}
}

/* The verdict follows from the facts: full, degraded with the loss named, none by right or kernel.
 */
static void test_assess(void **state)
{
	static const struct {
		int line;
		enum host_btf_kind btf;
		bool sampler_btf;
		enum host_feature broken; /* HOST_FEATURES: none */
		int error;
		uint64_t drop;
		int paranoid;
		uint64_t memlock;
		enum host_verdict verdict;
		bool privilege;
		const char *part; /* of the first loss */
	} rows[] = {
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURES, 0, 0, 2, UINT64_MAX,
		  HOST_VERDICT_FULL, false, NULL },
		{ __LINE__, HOST_BTF_NONE, true, HOST_FEATURES, 0, 0, 2, UINT64_MAX,
		  HOST_VERDICT_DEGRADED, false, "BTFHub" },
		{ __LINE__, HOST_BTF_NONE, false, HOST_FEATURES, 0, 0, 2, UINT64_MAX,
		  HOST_VERDICT_NONE, false, "No BTF" },
		{ __LINE__, HOST_BTF_EXTERNAL, true, HOST_FEATURES, 0, 0, 2, UINT64_MAX,
		  HOST_VERDICT_FULL, false, NULL },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_CYCLES_SAMPLING, -ENOENT, 0, 2,
		  UINT64_MAX, HOST_VERDICT_DEGRADED, false, "cpu-clock" },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_RING_BUFFER, -EINVAL, 0, 2,
		  UINT64_MAX, HOST_VERDICT_FULL, false, NULL },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_PERF_EVENT_PROGRAM, -EINVAL, 0, 2,
		  UINT64_MAX, HOST_VERDICT_NONE, false, "perf_event programs" },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_PERF_EVENT_PROGRAM, -EPERM, 0, 2,
		  UINT64_MAX, HOST_VERDICT_NONE, true, "although the capabilities are there" },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_PERF_EVENT_PROGRAM, -EPERM,
		  BIT(CAP_BPF), 2, UINT64_MAX, HOST_VERDICT_NONE, true, "CAP_BPF is missing" },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURES, 0, BIT(CAP_SYSLOG), 2, UINT64_MAX,
		  HOST_VERDICT_DEGRADED, false, "CAP_SYSLOG" },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_MEMCG, -EOPNOTSUPP, 0, 2,
		  UINT64_MAX, HOST_VERDICT_FULL, false, NULL },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_MEMCG, -EOPNOTSUPP, 0, 2, 8 << 20,
		  HOST_VERDICT_DEGRADED, false, "locked memory" },
		/* Debian's patch refuses; a mainline kernel with the same number does not. */
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURE_SOFTWARE_SAMPLING, -EACCES, 0, 3,
		  UINT64_MAX, HOST_VERDICT_NONE, true, "perf_event_paranoid" },
		{ __LINE__, HOST_BTF_KERNEL, true, HOST_FEATURES, 0, 0, 3, UINT64_MAX,
		  HOST_VERDICT_FULL, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_facts f = { .btf.kind = rows[i].btf,
					.btf_for_sampler = rows[i].sampler_btf,
					.privilege = healthy() };
		struct host_assessment a;

		f.privilege.effective &= ~rows[i].drop;
		f.privilege.memlock_bytes = rows[i].memlock;
		f.privilege.perf_event_paranoid = rows[i].paranoid;
		if (rows[i].broken < HOST_FEATURES)
			f.features.error[rows[i].broken] = rows[i].error;
		assert_int_equal(host_assess(&f, &a), 0);
		if (a.verdict != rows[i].verdict || a.privilege != rows[i].privilege)
			fail_msg("row at line %d: %s", rows[i].line, host_verdict_name(a.verdict));
		if (rows[i].part && !strstr(a.losses[0].what, rows[i].part))
			fail_msg("row at line %d: %s", rows[i].line, a.losses[0].what);
		host_assessment_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field),	       cmocka_unit_test(test_read),
		cmocka_unit_test(test_privilege),      cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_user_namespace),
		cmocka_unit_test(test_pid_namespace), cmocka_unit_test(test_privilege_unreadable),
		cmocka_unit_test(test_needs),	       cmocka_unit_test(test_virt),
		cmocka_unit_test(test_core_pmus),      cmocka_unit_test(test_assess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
