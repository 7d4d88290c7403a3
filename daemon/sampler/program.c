// SPDX-License-Identifier: Apache-2.0
#include "sampler/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "sampler.skel.h"
#include "symbols/kallsyms.h"
#include "unwind/unwind_maps.h"
#include "util/log.h"

/* The verifier's log, whose end tells what it refused; a log that does not fit makes every refusal
 * -ENOSPC. Memory only as far as it is written. */
#define LOG_BYTES (8 << 20)

struct program {
	struct sampler_bpf *skel;
	bool bpf_rings;
	size_t possible_cpus;
	struct bpf_program *sampler; /* the one of its programs that is loaded */
	struct bpf_link *switches; /* NULL: deltas are not split */
	bool off_cpu, follow; /* samples time off the CPU; of a command's processes */
	struct bpf_link *links[3]; /* of its programs, while they run */
	size_t n_links;
};

/* libbpf's own messages are for whoever debugs; the verifier's words reach the user in the error
 * sentence. */
static _printf_(2, 0) int libbpf_message(enum libbpf_print_level level, const char *format,
					 va_list ap)
{
	char text[1024];

	if (!log_enabled(LOG_DEBUG))
		return 0;
	vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = 0;
	log_debug("libbpf: %s", text);
	(void)level;
	return 0;
}

static struct bpf_program *choose_unwinding(struct sampler_bpf *skel,
					    const struct program_options *o)
{
	if (o->branches)
		return o->bpf_rings ? skel->progs.branches_to_bpf_ring
				    : skel->progs.branches_to_perf_ring;
	if (o->knobs.counters)
		return o->bpf_rings ? skel->progs.count_unwind_to_bpf_ring
				    : skel->progs.count_unwind_to_perf_ring;
	return o->bpf_rings ? skel->progs.unwind_to_bpf_ring : skel->progs.unwind_to_perf_ring;
}

static struct bpf_program *choose_off_cpu_program(struct sampler_bpf *skel,
						  const struct program_options *o)
{
	if (o->unwind)
		return o->bpf_rings ? skel->progs.off_cpu_unwind_to_bpf_ring
				    : skel->progs.off_cpu_unwind_to_perf_ring;
	return o->bpf_rings ? skel->progs.off_cpu_to_bpf_ring : skel->progs.off_cpu_to_perf_ring;
}

static struct bpf_program *choose_program(struct sampler_bpf *skel, const struct program_options *o)
{
	if (o->off_cpu)
		return choose_off_cpu_program(skel, o);
	if (o->unwind)
		return choose_unwinding(skel, o);
	if (o->knobs.counters)
		return o->bpf_rings ? skel->progs.count_to_bpf_ring
				    : skel->progs.count_to_perf_ring;
	return o->bpf_rings ? skel->progs.sample_to_bpf_ring : skel->progs.sample_to_perf_ring;
}

static int size_counters(struct sampler_bpf *skel, const struct program_options *o)
{
	int r;

	if (o->knobs.counters)
		return bpf_map__set_max_entries(
			skel->maps.counters, (o->knobs.counters + 1) * (uint32_t)o->possible_cpus);
	r = bpf_map__set_autocreate(skel->maps.counters, false);
	return r < 0 ? r : bpf_map__set_autocreate(skel->maps.counter_states, false);
}

/*
 * The unwinder's maps are made elsewhere; without it they are not made at all. Its state is one for
 * all programs on perf events, which do not interrupt each other, and another one for a program that
 * they may interrupt.
 */
static int choose_unwind_maps(struct sampler_bpf *skel, const struct program_options *o)
{
	const struct unwind_maps *m = o->unwind;
	const struct {
		struct bpf_map *map;
		int fd;
	} maps[] = {
		{ skel->maps.unwind_chunks, m ? m->chunks_fd : -1 },
		{ skel->maps.unwind_slots, m ? m->slots_fd : -1 },
		{ skel->maps.unwind_mappings, m ? m->mappings_fd : -1 },
		{ skel->maps.unwind_processes, m ? m->processes_fd : -1 },
		{ skel->maps.unwind_calibrations, -1 },
	};
	int r = 0;

	if (m && o->off_cpu)
		r = bpf_map__set_max_entries(skel->maps.unwind_cpus, (uint32_t)o->possible_cpus);
	else if (m)
		r = bpf_map__reuse_fd(skel->maps.unwind_cpus, m->cpus_fd);
	else
		r = bpf_map__set_autocreate(skel->maps.unwind_cpus, false);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(maps); i++)
		r = maps[i].fd < 0 ? bpf_map__set_autocreate(maps[i].map, false)
				   : bpf_map__reuse_fd(maps[i].map, maps[i].fd);
	return r;
}

static int choose_off_cpu(struct program *p, const struct off_cpu_options *o)
{
	struct sampler_bpf *skel = p->skel;
	int r;

	p->off_cpu = o;
	p->follow = o && o->task;
	bpf_program__set_autoload(skel->progs.off_cpu_freed, p->off_cpu);
	bpf_program__set_autoload(skel->progs.off_cpu_forked, p->follow);
	if (o) {
		r = bpf_map__set_max_entries(skel->maps.off_cpu, o->threads);
		return r < 0 || !p->follow
			       ? r
			       : bpf_map__set_max_entries(skel->maps.followed, o->threads);
	}
	r = bpf_map__set_autocreate(skel->maps.off_cpu, false);
	if (r == 0)
		r = bpf_map__set_autocreate(skel->maps.followed, false);
	return r < 0 ? r : bpf_map__set_autocreate(skel->maps.off_cpu_knobs, false);
}

/* Only the chosen transport's program and map exist in the kernel; an old kernel may not know the
 * other. */
static int choose_transport(struct program *p, const struct program_options *o)
{
	struct sampler_bpf *skel = p->skel;
	struct bpf_map *used = o->bpf_rings ? skel->maps.bpf_rings : skel->maps.perf_rings;
	struct bpf_map *unused = o->bpf_rings ? skel->maps.perf_rings : skel->maps.bpf_rings;
	int r;

	p->sampler = choose_program(skel, o);
	bpf_program__set_autoload(p->sampler, true);
	bpf_program__set_autoload(skel->progs.close_deltas, o->knobs.split);
	r = bpf_map__set_autocreate(unused, false);
	if (r == 0)
		r = size_counters(skel, o);
	if (r == 0)
		r = choose_unwind_maps(skel, o);
	if (r == 0)
		r = choose_off_cpu(p, o->off_cpu);
	if (r == 0)
		r = bpf_map__set_max_entries(used, (uint32_t)o->possible_cpus);
	if (r == 0 && o->rings_fd >= 0)
		r = bpf_map__reuse_fd(used, o->rings_fd);
	return r;
}

/* The line of the verifier's log that says why: the last one that is not its statistics. */
static const char *last_words(char *log)
{
	char *line = log;

	for (char *p = strtok(log, "\n"); p; p = strtok(NULL, "\n"))
		if (strncmp(p, "processed ", 10) != 0)
			line = p;
	return line;
}

static char *load_error(int error, char *log)
{
	const char *hint = "";
	char *text;

	if (error == -EPERM)
		hint = " (CAP_BPF and CAP_PERFMON are needed, CAP_SYS_ADMIN before Linux 5.8)";
	if (asprintf(&text, "the kernel refused the sampler's BPF program: %s%s%s%s",
		     strerror(-error), hint, *log ? ": " : "", last_words(log)) < 0)
		return NULL;
	return text;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct addresses {
	uint64_t *list, schedule;
	size_t n, capacity;
};

static int note_address(const struct kallsyms_symbol *s, void *userdata)
{
	static const char name[] = "__schedule";
	struct addresses *a = userdata;
	uint64_t *grown;

	if (strncmp(s->name, name, sizeof(name) - 1) == 0 &&
	    (!s->name[sizeof(name) - 1] || s->name[sizeof(name) - 1] == '.'))
		a->schedule = s->address;
	if (a->n == a->capacity) {
		a->capacity = MAX(2 * a->capacity, (size_t)65536);
		grown = reallocarray(a->list, a->capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		a->list = grown;
	}
	a->list[a->n++] = s->address;
	return 0;
}

/* The kernel's own function that switches tasks, 0 where addresses are hidden. */
static void find_schedule(struct off_cpu_knobs *knobs)
{
	_cleanup_close_ int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct addresses a = {};
	size_t zero;

	if (fd >= 0 && kallsyms_read(fd, note_address, &a, &zero) == 0 && a.schedule) {
		qsort(a.list, a.n, sizeof(*a.list), compare_addresses);
		for (size_t i = a.n; i-- && a.list[i] > a.schedule;)
			knobs->schedule_end = a.list[i];
		knobs->schedule_start = knobs->schedule_end ? a.schedule : 0;
	}
	knobs->skip_known = knobs->schedule_start == 0;
	free(a.list);
}

static int set_off_cpu(struct program *p, const struct off_cpu_options *o)
{
	struct off_cpu_knobs knobs = {
		.min_ns = o->min_ns,
		.max_ns = o->max_ns,
		.follow = o->task != 0,
	};
	uint32_t zero = 0;
	int r;

	find_schedule(&knobs);
	r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.off_cpu_knobs), &zero, &knobs, BPF_ANY);
	return r == 0 && o->task ? program_filter_pid(p, o->task) : r;
}

int program_load(const struct program_options *o, struct program **ret, char **ret_error)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = o->btf);
	_cleanup_(program_freep) struct program *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	int r;

	if (!p || !log)
		return -ENOMEM;
	libbpf_set_print(libbpf_message);
	opts.kernel_log_buf = log;
	opts.kernel_log_size = LOG_BYTES;
	p->bpf_rings = o->bpf_rings;
	p->possible_cpus = o->possible_cpus;
	p->skel = sampler_bpf__open_opts(&opts);
	if (!p->skel) {
		r = -errno;
		*ret_error = load_error(r, log);
		return r;
	}
	r = choose_transport(p, o);
	if (r == 0)
		r = sampler_bpf__load(p->skel);
	if (r < 0) {
		*ret_error = load_error(r, log);
		return r;
	}
	r = program_set_knobs(p, &o->knobs);
	if (r == 0 && o->off_cpu)
		r = set_off_cpu(p, o->off_cpu);
	if (r < 0)
		return r;
	if (o->knobs.split) {
		p->switches = bpf_program__attach(p->skel->progs.close_deltas);
		if (!p->switches) {
			r = -errno;
			if (asprintf(ret_error, "cannot watch context switches: %s", strerror(-r)) <
			    0)
				*ret_error = NULL;
			return r;
		}
	}
	*ret = TAKE_PTR(p);
	return 0;
}

/* --- calibration --- */

#define TASK_PT_REGS 175 /* enum bpf_func_id */

/* Every map but the one that is measured with. */
static int leave_maps_out(struct sampler_bpf *skel)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map,
				 skel->obj) if (r == 0 && map != skel->maps.unwind_calibrations) r =
		bpf_map__set_autocreate(map, false);
	return r;
}

/* A system call of our own, with the program looking on. */
static uint32_t measure_registers(struct sampler_bpf *skel)
{
	struct unwind_calibration m = { .pid = (uint32_t)getpid() };
	int fd = bpf_map__fd(skel->maps.unwind_calibrations);
	struct bpf_link *link;
	uint32_t zero = 0;

	if (bpf_map_update_elem(fd, &zero, &m, BPF_ANY) < 0)
		return 0;
	link = bpf_program__attach(skel->progs.calibrate_registers);
	if (!link)
		return 0;
	if (bpf_map_lookup_elem(fd, &zero, &m) < 0)
		m.regs_offset = 0;
	bpf_link__destroy(link);
	return m.regs_offset;
}

uint32_t program_find_registers(const char *btf)
{
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, TASK_PT_REGS, NULL) == 1)
		return 0;
	return program_measure_registers(btf);
}

uint32_t program_measure_registers(const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf);
	struct sampler_bpf *skel;
	uint32_t offset = 0;

	skel = sampler_bpf__open_opts(&opts);
	if (!skel)
		return 0;
	bpf_program__set_autoload(skel->progs.calibrate_registers, true);
	if (leave_maps_out(skel) == 0 && sampler_bpf__load(skel) == 0)
		offset = measure_registers(skel);
	sampler_bpf__destroy(skel);
	return offset;
}

/* First what forgets, then what remembers. */
int program_start(struct program *p)
{
	struct bpf_program *const programs[] = {
		p->skel->progs.off_cpu_freed,
		p->follow ? p->skel->progs.off_cpu_forked : NULL,
		p->sampler,
	};

	for (size_t i = 0; p->off_cpu && i < ARRAY_SIZE(programs); i++) {
		if (!programs[i])
			continue;
		p->links[p->n_links] = bpf_program__attach(programs[i]);
		if (!p->links[p->n_links]) {
			int r = -errno;

			program_stop(p);
			return r;
		}
		p->n_links++;
	}
	return 0;
}

void program_stop(struct program *p)
{
	while (p->n_links)
		bpf_link__destroy(p->links[--p->n_links]);
}

struct program *program_free(struct program *p)
{
	if (p) {
		program_stop(p);
		bpf_link__destroy(p->switches);
		sampler_bpf__destroy(p->skel);
		free(p);
	}
	return NULL;
}

int program_fd(const struct program *p)
{
	return bpf_program__fd(p->sampler);
}

int program_set_counter(struct program *p, size_t place, int cpu, int fd)
{
	uint32_t key = (uint32_t)(place * p->possible_cpus + (size_t)cpu);

	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.counters), &key, &fd, BPF_ANY);
}

int program_rings_fd(const struct program *p)
{
	return bpf_map__fd(p->bpf_rings ? p->skel->maps.bpf_rings : p->skel->maps.perf_rings);
}

int program_set_knobs(struct program *p, const struct sampler_knobs *knobs)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.knobs), &zero, knobs, BPF_ANY);
}

static int add_key(struct bpf_map *map, const void *key)
{
	uint8_t one = 1;

	return bpf_map_update_elem(bpf_map__fd(map), key, &one, BPF_ANY);
}

int program_filter_pid(struct program *p, uint32_t pid)
{
	return add_key(p->skel->maps.pids, &pid);
}

int program_filter_cgroup(struct program *p, uint64_t id)
{
	return add_key(p->skel->maps.cgroups, &id);
}

int program_filter_comm(struct program *p, const char *comm)
{
	char key[SAMPLE_COMM_LEN] = "";

	strncpy(key, comm, sizeof(key) - 1);
	return add_key(p->skel->maps.comms, key);
}

int program_read_counts(struct program *p, struct sampler_counts *counts)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.counts), &zero, counts);
}
