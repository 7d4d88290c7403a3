// SPDX-License-Identifier: Apache-2.0
#include "engine/config_keys.h"

#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "bpf/sample.h"
#include "collect/collector.h"
#include "engine/config.h"
#include "engine/config_types.h"
#include "util/parse.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define HOUR (3600 * NSEC_PER_SEC)
#define DAY (24 * HOUR)

#define MAX_RATE_HZ 100000 /* the kernel's default perf_event_max_sample_rate */
#define MAX_ZSTD_LEVEL 19

static const char *const transport_words[] = {
	[TRANSPORT_AUTO] = "auto",
	[TRANSPORT_PERF] = "perf",
	[TRANSPORT_BPF] = "bpf",
	NULL,
};

static const char *const attach_words[] = {
	[ATTACH_AUTO] = "auto",
	[ATTACH_LINK] = "link",
	[ATTACH_IOCTL] = "ioctl",
	NULL,
};

static const char *const unwind_words[] = {
	[UNWIND_AUTO] = "auto",
	[UNWIND_DWARF] = "dwarf",
	[UNWIND_FP] = "fp",
	NULL,
};

static int check_absolute(const char *text)
{
	return text[0] == '/' ? 0 : -EINVAL;
}

static int check_directory(const char *text)
{
	struct stat st;

	if (text[0] != '/')
		return -EINVAL;
	if (stat(text, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int check_pid(const char *text)
{
	uint64_t pid;
	int r = parse_u64(text, &pid);

	if (r < 0)
		return r;
	return pid >= 1 && pid <= INT32_MAX ? 0 : -ERANGE;
}

static int check_comm(const char *text)
{
	return strlen(text) < SAMPLE_COMM_LEN ? 0 : -EINVAL;
}

static int check_unit(const char *text)
{
	const char *dot = strrchr(text, '.');

	return dot && dot != text && dot[1] && !strchr(text, '/') ? 0 : -EINVAL;
}

static int check_cpus(const char *text)
{
	_cleanup_free_ int *cpus = NULL;
	size_t n;

	return parse_cpu_list(text, &cpus, &n);
}

static const char *const choice_words[] = {
	[COLLECTOR_CHOICE_AUTO] = "auto",
	[COLLECTOR_CHOICE_YES] = "yes",
	[COLLECTOR_CHOICE_NO] = "no",
	NULL,
};

static const char *const argv_words[] = {
	[COLLECTOR_ARGV_COMMAND] = "command",
	[COLLECTOR_ARGV_FULL] = "full",
	NULL,
};

static const char *const ring_words[] = {
	[COLLECTOR_TRANSPORT_AUTO] = "auto",
	[COLLECTOR_TRANSPORT_BPF] = "bpf",
	[COLLECTOR_TRANSPORT_PERF] = "perf",
	NULL,
};

static const char *const call_words[] = {
	[COLLECTOR_ATTACH_AUTO] = "auto",
	[COLLECTOR_ATTACH_KPROBE] = "kprobe",
	[COLLECTOR_ATTACH_TRACEPOINT] = "tracepoint",
	[COLLECTOR_ATTACH_NONE] = "none",
	NULL,
};

#define GLOBAL(field) .offset = offsetof(struct config, field)
#define PROFILE(field)                                                                             \
	.section = CONFIG_PROFILE_SECTION, .offset = offsetof(struct profile_config, field)

#define COLLECTOR(field)                                                                           \
	.section = CONFIG_COLLECTOR_SECTION, .offset = offsetof(struct collector_config, field)
#define ROOT(fallback)                                                                             \
	.type = &type_text, .initial = "", .max = 150, .zero = fallback, .check = check_directory, \
	.what = "the absolute path of a directory"

static const struct config_key keys[] = {
	{ .section = "sampler",
	  .name = "transport",
	  .type = &type_choice,
	  GLOBAL(transport),
	  .initial = "auto",
	  .words = transport_words },
	{ .section = "sampler",
	  .name = "attach",
	  .type = &type_choice,
	  GLOBAL(attach),
	  .initial = "auto",
	  .words = attach_words },
	{ .section = "sampler",
	  .name = "ring-size",
	  .type = &type_ring_size,
	  GLOBAL(ring_bytes),
	  .initial = "512K",
	  .min = 16 * KIB,
	  .max = 256 * MIB },
	{ .section = "sampler",
	  .name = "stack-depth",
	  .type = &type_uint,
	  GLOBAL(stack_depth),
	  .initial = "127",
	  .min = 1,
	  .max = SAMPLE_MAX_FRAMES },
	{ .section = "sampler",
	  .name = "unwind",
	  .at_start = true,
	  .type = &type_choice,
	  GLOBAL(unwind),
	  .initial = "auto",
	  .words = unwind_words },
	{ .section = "sampler",
	  .name = "unwind-memory",
	  .at_start = true,
	  .type = &type_size,
	  GLOBAL(unwind_bytes),
	  .initial = "32M",
	  .min = 2 * MIB,
	  .max = 4 * GIB },
	{ .section = "sampler",
	  .name = "unwind-check",
	  .at_start = true,
	  .type = &type_uint,
	  GLOBAL(unwind_check),
	  .initial = "64",
	  .min = 1,
	  .max = 1000000,
	  .zero = "none is checked" },
	{ .section = "sampler",
	  .name = "unwind-check-lbr",
	  .type = &type_bool,
	  GLOBAL(unwind_check_lbr),
	  .initial = "no" },
	{ .section = "sampler",
	  .name = "drain-interval",
	  .type = &type_duration,
	  GLOBAL(drain_interval_ns),
	  .initial = "200ms",
	  .min = 10 * NSEC_PER_MSEC,
	  .max = 10 * NSEC_PER_SEC },
	{ .section = "sampler",
	  .name = "offcpu-min",
	  .type = &type_duration,
	  GLOBAL(off_cpu.min_ns),
	  .initial = "1ms",
	  .min = NSEC_PER_USEC,
	  .max = 3600 * NSEC_PER_SEC },
	{ .section = "sampler",
	  .name = "offcpu-max",
	  .type = &type_duration,
	  GLOBAL(off_cpu.max_ns),
	  .initial = "0",
	  .min = NSEC_PER_USEC,
	  .max = 24 * 3600 * NSEC_PER_SEC,
	  .zero = "no limit" },
	{ .section = "sampler",
	  .name = "offcpu-threads",
	  .type = &type_uint,
	  GLOBAL(off_cpu.threads),
	  .initial = "8192",
	  .min = 64,
	  .max = 1048576 },
	{ .section = "sampler",
	  .name = "exclude-self",
	  .type = &type_bool,
	  GLOBAL(exclude_self),
	  .initial = "no" },
	{ .section = "sampler",
	  .name = "cpu-budget",
	  .type = &type_percent,
	  GLOBAL(cpu_budget_percent),
	  .initial = "1",
	  .max = 100,
	  .zero = "no limit" },
	{ .section = "sampler",
	  .name = "btf",
	  .at_start = true,
	  .type = &type_optional,
	  GLOBAL(btf),
	  .initial = "",
	  .max = 150,
	  .zero = "search for it",
	  .check = check_absolute,
	  .what = "an absolute path" },
	{ .section = "sampler",
	  .name = "allow-unsafe",
	  .type = &type_bool,
	  GLOBAL(allow_unsafe),
	  .initial = "no" },

	{ .section = "store",
	  .name = "directory",
	  .at_start = true,
	  .type = &type_text,
	  GLOBAL(state_directory),
	  .initial = "/var/lib/ebpf-profiler",
	  .max = 150,
	  .check = check_absolute,
	  .what = "an absolute path" },
	{ .section = "store",
	  .name = "rotate-size",
	  .type = &type_size,
	  GLOBAL(rotate_bytes),
	  .initial = "64M",
	  .min = 64 * KIB,
	  .max = 1 * TIB,
	  .zero = "no limit" },
	{ .section = "store",
	  .name = "rotate-interval",
	  .type = &type_duration,
	  GLOBAL(rotate_ns),
	  .initial = "1h",
	  .min = NSEC_PER_SEC,
	  .max = 31 * DAY,
	  .zero = "no limit" },
	{ .section = "store",
	  .name = "retain-size",
	  .type = &type_size,
	  GLOBAL(retain_bytes),
	  .initial = "2G",
	  .min = 128 * KIB,
	  .max = 1024 * TIB,
	  .zero = "no limit" },
	{ .section = "store",
	  .name = "retain-time",
	  .type = &type_duration,
	  GLOBAL(retain_ns),
	  .initial = "7d",
	  .min = NSEC_PER_SEC,
	  .max = 3650 * DAY,
	  .zero = "no limit" },
	{ .section = "store",
	  .name = "keep-free",
	  .type = &type_uint,
	  GLOBAL(keep_free_percent),
	  .initial = "10",
	  .max = 90,
	  .zero = "fill the file system" },
	{ .section = "store",
	  .name = "sync-interval",
	  .type = &type_duration,
	  GLOBAL(sync_interval_ns),
	  .initial = "1s",
	  .min = 10 * NSEC_PER_MSEC,
	  .max = 1 * HOUR,
	  .zero = "after every block" },
	{ .section = "store",
	  .name = "compression-level",
	  .type = &type_uint,
	  GLOBAL(compression_level),
	  .initial = "2",
	  .min = 1,
	  .max = MAX_ZSTD_LEVEL },

	{ .section = "symbols",
	  .name = "cache-directory",
	  .at_start = true,
	  .type = &type_text,
	  GLOBAL(symbol_cache_directory),
	  .initial = "/var/cache/ebpf-profiler",
	  .max = 150,
	  .zero = "no cache",
	  .check = check_absolute,
	  .what = "an absolute path" },
	{ .section = "symbols",
	  .name = "cache-size",
	  .at_start = true,
	  .type = &type_size,
	  GLOBAL(symbol_cache_bytes),
	  .initial = "256M",
	  .min = 1 * MIB,
	  .max = 1 * TIB },
	{ .section = "symbols",
	  .name = "debug-directory",
	  .at_start = true,
	  .type = &type_text,
	  GLOBAL(debug_directory),
	  .initial = "/usr/lib/debug",
	  .max = 150,
	  .check = check_absolute,
	  .what = "an absolute path" },

	{ .section = "daemon",
	  .name = "control-socket",
	  .at_start = true,
	  .type = &type_text,
	  GLOBAL(control_socket),
	  .initial = "/run/ebpf-profiler/control",
	  .max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
	  .check = check_absolute,
	  .what = "an absolute path" },
	{ .section = "daemon",
	  .name = "control-group",
	  .at_start = true,
	  .type = &type_text,
	  GLOBAL(control_group),
	  .initial = "",
	  .max = 32,
	  .zero = "the daemon's own" },
	{ .section = "daemon",
	  .name = "pin-maps",
	  .type = &type_text,
	  GLOBAL(pin_maps),
	  .initial = "",
	  .max = 150,
	  .at_start = true,
	  .zero = "they are not",
	  .check = check_absolute,
	  .what = "an absolute path" },
	{ .section = "daemon",
	  .name = "status-interval",
	  .type = &type_duration,
	  GLOBAL(status_interval_ns),
	  .initial = "10s",
	  .min = NSEC_PER_SEC,
	  .max = 1 * HOUR },

	{ .section = "collectors",
	  .name = "enabled",
	  .type = &type_bool,
	  GLOBAL(collectors_enabled),
	  .initial = "yes" },
	{ .section = "collectors",
	  .name = "deadline",
	  .at_start = true,
	  .type = &type_duration,
	  GLOBAL(collector_deadline_ns),
	  .initial = "2s",
	  .min = 10 * NSEC_PER_MSEC,
	  .max = 60 * NSEC_PER_SEC },
	{ .section = "collectors", .name = "procfs", GLOBAL(procfs), ROOT("HOST_PROC, or /proc") },
	{ .section = "collectors", .name = "sysfs", GLOBAL(sysfs), ROOT("HOST_SYS, or /sys") },
	{ .section = "collectors", .name = "dev", GLOBAL(dev), ROOT("HOST_DEV, or /dev") },

	{ .section = "metrics",
	  .name = "textfile",
	  .type = &type_text,
	  GLOBAL(textfile),
	  .initial = "",
	  .max = 150,
	  .zero = "none is written",
	  .check = check_absolute,
	  .what = "an absolute path" },
	{ .section = "metrics",
	  .name = "textfile-interval",
	  .type = &type_duration,
	  GLOBAL(textfile_interval_ns),
	  .initial = "15s",
	  .min = NSEC_PER_SEC,
	  .max = 1 * HOUR },
	{ .section = "metrics",
	  .name = "textfile-mode",
	  .type = &type_mode,
	  GLOBAL(textfile_mode),
	  .initial = "0644",
	  .max = 0777 },

	{ COLLECTOR(enabled), .name = "enabled", .type = &type_choice, .initial = "auto",
	  .words = choice_words },
	{ COLLECTOR(interval_ns), .name = "interval", .type = &type_duration, .initial = "0",
	  .min = 100 * NSEC_PER_MSEC, .max = 1 * DAY, .zero = "the collector's own" },
	{ COLLECTOR(top), .name = "top", .type = &type_uint, .initial = "0", .min = 1,
	  .max = 10000, .zero = "the collector's own", .collectors = COLLECTOR_TOP },
	{ COLLECTOR(argv), .name = "argv", .type = &type_choice, .initial = "command",
	  .words = argv_words, .collectors = COLLECTOR_ARGV },
	{ COLLECTOR(transport), .name = "transport", .type = &type_choice, .initial = "auto",
	  .words = ring_words, .collectors = COLLECTOR_EVENTS },
	{ COLLECTOR(attach), .name = "attach", .type = &type_choice, .initial = "auto",
	  .words = call_words, .collectors = COLLECTOR_ATTACH },
	{ COLLECTOR(latency), .name = "latency", .type = &type_bool, .initial = "no",
	  .collectors = COLLECTOR_LATENCY },
	{ COLLECTOR(interfaces), .name = "interfaces", .type = &type_text, .initial = "",
	  .max = 1000, .zero = "none", .collectors = COLLECTOR_INTERFACES,
	  .what = "names of network interfaces" },
	{ COLLECTOR(delta_min_ns), .name = "delta-min", .type = &type_duration, .initial = "100ms",
	  .min = NSEC_PER_MSEC, .max = 1 * HOUR, .collectors = COLLECTOR_RATES },
	{ COLLECTOR(delta_max_ns), .name = "delta-max", .type = &type_duration, .initial = "5min",
	  .min = 100 * NSEC_PER_MSEC, .max = 7 * DAY, .collectors = COLLECTOR_RATES },
	{ COLLECTOR(metrics), .name = "metrics", .type = &type_text, .initial = "usual", .max = 1000,
	  .collectors = COLLECTOR_COUNTING,
	  .what = "usual, all, none, or names that 'ebpf-profiler metrics' lists" },
	{ COLLECTOR(events), .name = "events", .type = &type_text, .initial = "", .max = 1000,
	  .zero = "none", .collectors = COLLECTOR_COUNTING, .what = "names of events" },
	{ COLLECTOR(reserve_counters), .name = "reserve-counters", .type = &type_uint,
	  .initial = "0", .max = 64, .zero = "all are used", .collectors = COLLECTOR_COUNTING },
	{ COLLECTOR(guests), .name = "guests", .type = &type_bool, .initial = "no",
	  .collectors = COLLECTOR_COUNTING },
	{ COLLECTOR(procfs), .name = "procfs", ROOT("that of [collectors]") },
	{ COLLECTOR(sysfs), .name = "sysfs", ROOT("that of [collectors]") },
	{ COLLECTOR(dev), .name = "dev", ROOT("that of [collectors]") },

	{ PROFILE(enabled), .name = "enabled", .type = &type_bool, .initial = "yes" },
	{ PROFILE(events), .name = "events", .type = &type_events, .initial = "cycles" },
	{ PROFILE(freq_hz), .name = "rate", .type = &type_u64, .initial = "0", .min = 1,
	  .max = MAX_RATE_HZ, .zero = "each event's own default" },
	{ PROFILE(period), .name = "period", .type = &type_u64, .initial = "0", .min = 1,
	  .max = INT64_MAX, .zero = "each event's own default" },
	{ PROFILE(filter.pids), .name = "pid", .type = &type_list, .initial = "", .zero = "all",
	  .check = check_pid, .what = "process ids" },
	{ PROFILE(filter.comms), .name = "comm", .type = &type_list, .initial = "", .zero = "all",
	  .check = check_comm, .what = "thread names of at most 15 bytes" },
	{ PROFILE(filter.units), .name = "unit", .type = &type_list, .initial = "", .zero = "all",
	  .check = check_unit,
	  .what = "systemd units with their suffix, such as nginx.service or user.slice" },
	{ PROFILE(filter.cgroups), .name = "cgroup", .type = &type_list, .initial = "",
	  .zero = "all", .check = check_absolute, .what = "cgroup paths that begin with /" },
	{ PROFILE(filter.cpus), .name = "cpu", .type = &type_optional, .initial = "", .max = 150,
	  .zero = "all", .check = check_cpus, .what = "a CPU list such as 0-3,8" },
	{ PROFILE(counters), .name = "counters", .type = &type_list, .initial = "", .zero = "none",
	  .what = "names of events" },
	{ PROFILE(split), .name = "split-at-switch", .type = &type_bool, .initial = "no" },
	{ PROFILE(memory_access), .name = "memory-access", .type = &type_bool, .initial = "no" },
	{ PROFILE(kernel_stacks), .name = "kernel-stacks", .type = &type_bool, .initial = "yes" },
	{ PROFILE(user_stacks), .name = "user-stacks", .type = &type_bool, .initial = "yes" },
	{ PROFILE(idle), .name = "idle", .type = &type_bool, .initial = "no" },
};

const struct config_key *config_keys(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(keys);
	return keys;
}

bool config_key_fits(const struct config_key *k, const struct collector *c)
{
	return k->collectors == 0 || k->collectors & c->keys;
}
