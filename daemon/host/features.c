// SPDX-License-Identifier: Apache-2.0
#include "host/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "host/build_id_leak.h"
#include "host/cpus.h"
#include "util/cleanup.h"

#define LARGE_VALUE (8U << 20) /* kernels before 6.1 stop at 4 MiB (KMALLOC_MAX_SIZE) */

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* --- programs -----------------------------------------------------------------------------------
 */

/* The shortest program: return 0. Returns its fd or a negative errno. */
static int load_nothing(enum bpf_prog_type type, struct bpf_prog_load_opts *options)
{
	const struct bpf_insn insns[] = { MOV_IMM(BPF_REG_0, 0), EXIT() };

	return bpf_prog_load(type, "probe", "GPL", insns, ARRAY_SIZE(insns), options);
}

static int closed(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int try_perf_event_program(void)
{
	return closed(load_nothing(BPF_PROG_TYPE_PERF_EVENT, NULL));
}

static int try_tracepoint_program(void)
{
	return closed(load_nothing(BPF_PROG_TYPE_TRACEPOINT, NULL));
}

static int try_raw_tracepoint_program(void)
{
	return closed(load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL));
}

/* Before 5.0 a kprobe program must name the exact kernel version; libbpf knows how. */
static int try_kprobe_program(void)
{
	int r = try_perf_event_program();

	if (r < 0)
		return r;
	return libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_KPROBE, NULL) == 1 ? 0 : -EINVAL;
}

/* Attached to a type in the kernel's own BTF (5.5). */
static int try_tracing_program(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id("sched_process_exit", BPF_TRACE_RAW_TP);

	if (id < 0)
		return id == -ESRCH ? -ENOENT : id;
	options.attach_btf_id = (__u32)id;
	return closed(load_nothing(BPF_PROG_TYPE_TRACING, &options));
}

static int try_xdp_program(void)
{
	return closed(load_nothing(BPF_PROG_TYPE_XDP, NULL));
}

/* --- maps ---------------------------------------------------------------------------------------
 */

static int create(enum bpf_map_type type, __u32 key_size, __u32 value_size, __u32 entries,
		  __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);

	return bpf_map_create(type, "probe", key_size, value_size, entries, &options);
}

static int create_array(__u32 value_size, __u32 entries, __u32 flags)
{
	return create(BPF_MAP_TYPE_ARRAY, sizeof(__u32), value_size, entries, flags);
}

static int try_perf_event_array(void)
{
	return closed(create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(__u32), sizeof(__u32), 1, 0));
}

static int try_ring_buffer(void)
{
	return closed(create(BPF_MAP_TYPE_RINGBUF, 0, 0, (__u32)getpagesize(), 0));
}

static int try_map_in_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	int inner = create_array(sizeof(__u64), 1, 0), r;

	if (inner < 0)
		return inner;
	options.inner_map_fd = (__u32)inner;
	r = closed(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "probe", sizeof(__u32), sizeof(__u32),
				  1, &options));
	close(inner);
	return r;
}

static int try_mmap(size_t size)
{
	_cleanup_close_ int fd = create_array((__u32)size, 1, BPF_F_MMAPABLE);
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, size);
	return 0;
}

static int try_mmapable(void)
{
	return try_mmap((size_t)getpagesize());
}

static int try_mmapable_large(void)
{
	return try_mmap(LARGE_VALUE);
}

/* Direct access to a map's value, as .rodata and .bss need (5.2). */
static int try_global_data(void)
{
	_cleanup_close_ int map = create_array(sizeof(__u64), 1, 0);
	const struct bpf_insn insns[] = {
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map),
		INSN(0, 0, 0, 0, 0),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};

	if (map < 0)
		return map;
	return closed(bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "probe", "GPL", insns,
				    ARRAY_SIZE(insns), NULL));
}

static int try_batch(void)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	_cleanup_close_ int map = create_array(sizeof(__u64), 2, 0);
	__u32 keys[2] = { 0, 1 }, n = 2;
	__u64 values[2] = { 1, 2 };

	if (map < 0)
		return map;
	return bpf_map_update_batch(map, keys, values, &n, &options) < 0 ? -errno : 0;
}

/* Without any locked memory allowed, a map can be made only where the memory cgroup pays (5.11). */
static int try_memcg(void)
{
	struct rlimit old, none;
	int r;

	r = closed(create_array(sizeof(__u64), 1, 0));
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_MEMLOCK, &old) < 0)
		return -errno;
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
		return -errno;
	r = closed(create_array(sizeof(__u64), 1, 0));
	setrlimit(RLIMIT_MEMLOCK, &old);
	return r == -EPERM ? -EOPNOTSUPP : r;
}

/* --- helpers ------------------------------------------------------------------------------------
 */

/*
 * Calls the helper with arguments that cannot be right: a kernel that knows it complains about
 * them, one that does not complains about the function.
 */
static int try_helper(int helper)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .log_level = 1);
	const struct bpf_insn insns[] = { CALL(helper), EXIT() };
	char log[4096] = "";
	int fd;

	options.log_buf = log;
	options.log_size = sizeof(log);
	fd = bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "probe", "GPL", insns, ARRAY_SIZE(insns),
			   &options);
	if (fd >= 0)
		return closed(fd);
	if (!log[0])
		return fd;
	return strstr(log, "invalid func ") || strstr(log, "unknown func ") ||
			       strstr(log, "cannot use helper")
		       ? -EOPNOTSUPP
		       : 0;
}

static int try_get_stack(void)
{
	return try_helper(BPF_FUNC_get_stack);
}

static int try_cgroup_id(void)
{
	return try_helper(BPF_FUNC_get_current_cgroup_id);
}

static int try_read_value(void)
{
	return try_helper(BPF_FUNC_perf_event_read_value);
}

static int try_loop(void)
{
	return try_helper(BPF_FUNC_loop);
}

/* --- perf events --------------------------------------------------------------------------------
 */

static int open_event(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	attr->disabled = 1;
	fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int first_online_cpu(void)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n = 0;

	return host_cpus_online(NULL, &cpus, &n) == 0 && n ? cpus[0] : 0;
}

static int try_sampling(__u32 type, __u64 config)
{
	struct perf_event_attr attr = {
		.type = type, .config = config, .freq = 1, .sample_freq = 99
	};

	return closed(open_event(&attr, -1, first_online_cpu()));
}

static int try_software_sampling(void)
{
	return try_sampling(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
}

static int try_cycles_sampling(void)
{
	return try_sampling(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
}

/* A program and an event of our own task, so that attaching needs no right over the host. */
static int try_attach(int (*attach)(int program, int event))
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.freq = 1,
					.sample_freq = 1,
					.exclude_kernel = 1 };
	_cleanup_close_ int program = load_nothing(BPF_PROG_TYPE_PERF_EVENT, NULL), event = -1;

	if (program < 0)
		return program;
	event = open_event(&attr, 0, -1);
	if (event < 0)
		return event;
	return attach(program, event);
}

static int attach_ioctl(int program, int event)
{
	return ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 ? -errno : 0;
}

static int attach_link(int program, int event)
{
	return closed(bpf_link_create(program, event, BPF_PERF_EVENT, NULL));
}

static int try_perf_ioctl(void)
{
	return try_attach(attach_ioctl);
}

static int try_perf_link(void)
{
	return try_attach(attach_link);
}

static int try_sideband(struct perf_event_attr attr)
{
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.exclude_kernel = 1;
	attr.mmap = 1;
	attr.mmap2 = 1;
	return closed(open_event(&attr, 0, -1));
}

static int try_sideband_build_id(void)
{
	int r = try_sideband((struct perf_event_attr){ .build_id = 1 });

	return r < 0 ? r : host_build_id_leaks() ? -EOPNOTSUPP : 0;
}

static int try_sideband_ksymbol(void)
{
	return try_sideband((struct perf_event_attr){ .ksymbol = 1, .bpf_event = 1 });
}

/* --- the table ----------------------------------------------------------------------------------
 */

static const struct probe {
	int (*attempt)(void);
	struct host_feature_info info;
} probes[HOST_FEATURES] = {
	[HOST_FEATURE_PERF_EVENT_PROGRAM] = { try_perf_event_program,
					      { "prog_perf_event", "perf_event programs",
						HOST_FEATURE_NEEDED, "nothing can be sampled" } },
	[HOST_FEATURE_TRACEPOINT_PROGRAM] = { try_tracepoint_program,
					      { "prog_tracepoint", "tracepoint programs",
						HOST_FEATURE_QUALITY,
						"collectors that follow tracepoints cannot run" } },
	[HOST_FEATURE_RAW_TRACEPOINT_PROGRAM] = { try_raw_tracepoint_program,
						  { "prog_raw_tracepoint",
						    "raw tracepoint programs",
						    HOST_FEATURE_FALLBACK,
						    "ordinary tracepoints take their place" } },
	[HOST_FEATURE_KPROBE_PROGRAM] = { try_kprobe_program,
					  { "prog_kprobe", "kprobe programs", HOST_FEATURE_FALLBACK,
					    "none are needed" } },
	[HOST_FEATURE_TRACING_PROGRAM] = { try_tracing_program,
					   { "prog_tracing", "BTF tracing programs",
					     HOST_FEATURE_FALLBACK,
					     "raw tracepoints take their place" } },
	[HOST_FEATURE_XDP_PROGRAM] = { try_xdp_program,
				       { "prog_xdp", "XDP programs", HOST_FEATURE_FALLBACK,
					 "only XDP counters need them" } },
	[HOST_FEATURE_PERF_EVENT_ARRAY] = { try_perf_event_array,
					    { "map_perf_event_array", "perf ring",
					      HOST_FEATURE_NEEDED,
					      "samples have no way to user space" } },
	[HOST_FEATURE_RING_BUFFER] = { try_ring_buffer,
				       { "map_ringbuf", "BPF ring buffer", HOST_FEATURE_FALLBACK,
					 "the perf ring takes its place" } },
	[HOST_FEATURE_MAP_IN_MAP] = { try_map_in_map,
				      { "map_in_map", "maps of maps", HOST_FEATURE_FALLBACK,
					"the perf ring is the only transport" } },
	[HOST_FEATURE_MMAPABLE] = { try_mmapable,
				    { "map_mmapable", "mapped arrays", HOST_FEATURE_FALLBACK,
				      "maps are filled by system calls" } },
	[HOST_FEATURE_MMAPABLE_LARGE] = { try_mmapable_large,
					  { "map_mmapable_large", "mapped values above 4 MiB",
					    HOST_FEATURE_FALLBACK,
					    "large tables are cut into pieces" } },
	[HOST_FEATURE_GLOBAL_DATA] = { try_global_data,
				       { "global_data", "global data", HOST_FEATURE_QUALITY,
					 "collectors that need it cannot run; the sampler does "
					 "not" } },
	[HOST_FEATURE_BATCH] = { try_batch,
				 { "map_batch", "batch operations", HOST_FEATURE_FALLBACK,
				   "maps are read element by element" } },
	[HOST_FEATURE_MEMCG] = { try_memcg,
				 { "memcg", "memory cgroup pays for maps", HOST_FEATURE_FALLBACK,
				   "maps count against RLIMIT_MEMLOCK" } },
	[HOST_FEATURE_GET_STACK] = { try_get_stack,
				     { "helper_get_stack", "bpf_get_stack", HOST_FEATURE_NEEDED,
				       "samples have no stacks" } },
	[HOST_FEATURE_CGROUP_ID] = { try_cgroup_id,
				     { "helper_cgroup_id", "bpf_get_current_cgroup_id",
				       HOST_FEATURE_NEEDED, "the sampler does not load" } },
	[HOST_FEATURE_READ_VALUE] = { try_read_value,
				      { "helper_perf_read_value", "bpf_perf_event_read_value",
					HOST_FEATURE_FALLBACK,
					"counters are not read at each sample" } },
	[HOST_FEATURE_LOOP] = { try_loop,
				{ "helper_loop", "bpf_loop", HOST_FEATURE_FALLBACK,
				  "loops are unrolled" } },
	[HOST_FEATURE_SOFTWARE_SAMPLING] = { try_software_sampling,
					     { "sampling_software", "sampling of software events",
					       HOST_FEATURE_NEEDED,
					       "not even cpu-clock can be sampled" } },
	[HOST_FEATURE_CYCLES_SAMPLING] = { try_cycles_sampling,
					   { "sampling_cycles", "sampling of hardware cycles",
					     HOST_FEATURE_QUALITY,
					     "cpu-clock takes the place of cycles, and cache, TLB "
					     "and branch events cannot be sampled" } },
	[HOST_FEATURE_PERF_IOCTL] = { try_perf_ioctl,
				      { "attach_ioctl", "attach by ioctl", HOST_FEATURE_FALLBACK,
					"the link takes its place" } },
	[HOST_FEATURE_PERF_LINK] = { try_perf_link,
				     { "attach_link", "attach by BPF link", HOST_FEATURE_FALLBACK,
				       "the ioctl takes its place" } },
	[HOST_FEATURE_SIDEBAND_BUILD_ID] = { try_sideband_build_id,
					     { "sideband_build_id",
					       "build-ids in our mapping records alone",
					       HOST_FEATURE_FALLBACK,
					       "they are read from the files; asking would mark "
					       "the records of every perf on the host" } },
	[HOST_FEATURE_SIDEBAND_KSYMBOL] = { try_sideband_ksymbol,
					    { "sideband_ksymbol",
					      "records of kernel symbols and BPF programs",
					      HOST_FEATURE_QUALITY,
					      "BPF programs loaded later have no names" } },
};

void host_features_probe(struct host_features *ret)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);

	for (size_t i = 0; i < HOST_FEATURES; i++)
		ret->error[i] = probes[i].attempt();
	libbpf_set_print(print);
}

const struct host_feature_info *host_feature_info(enum host_feature feature)
{
	return &probes[feature].info;
}

bool host_feature_denied(const struct host_features *f, enum host_feature feature)
{
	return f->error[feature] == -EPERM || f->error[feature] == -EACCES;
}
