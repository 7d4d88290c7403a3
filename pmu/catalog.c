// SPDX-License-Identifier: Apache-2.0
/*
 * Our own names: what perf calls the generic hardware, cache and software events, each with the
 * rate it is sampled at when the user names none.
 *
 * The rule behind the rates: what ticks about as fast as the clock (cycles, instructions, first
 * level accesses) is sampled by frequency, 99 Hz, so that the cost is the same on every machine and
 * under every load. What is rare and comes in bursts (misses, faults) is sampled by a fixed period:
 * every sample then stands for the same number of events, and a burst is not met with a period
 * tuned for the quiet before it. Rates and periods are primes (or, for 99, off the round numbers),
 * so that they do not march in step with timers and loops. Periods are chosen for some hundred
 * samples a second and CPU under a bad load.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/catalog.h"
#include "pmu/internal.h"

struct alias {
	const char *name;
	const char *other; /* also accepted; NULL: none */
	uint32_t type;
	uint64_t config;
	uint64_t freq_hz, period; /* both 0: only ever counts */
	const char *description;
};

#define HARDWARE(id) PERF_TYPE_HARDWARE, PERF_COUNT_HW_##id
#define SOFTWARE(id) PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##id

static const struct alias aliases[] = {
	{ "cycles", "cpu-cycles", HARDWARE(CPU_CYCLES), 99, 0,
	  "core clock cycles while not halted, on every kind of core of a hybrid CPU" },
	{ "ref-cycles", NULL, HARDWARE(REF_CPU_CYCLES), 99, 0,
	  "cycles at the reference frequency while not halted" },
	{ "bus-cycles", NULL, HARDWARE(BUS_CYCLES), 99, 0, "bus clock cycles while not halted" },
	{ "instructions", NULL, HARDWARE(INSTRUCTIONS), 99, 0, "instructions retired" },
	{ "branches", "branch-instructions", HARDWARE(BRANCH_INSTRUCTIONS), 99, 0,
	  "branch instructions retired" },
	{ "branch-misses", NULL, HARDWARE(BRANCH_MISSES), 0, 1000003,
	  "branches retired that were predicted wrongly" },
	{ "cache-references", NULL, HARDWARE(CACHE_REFERENCES), 0, 1000003,
	  "kernel's generic event: last-level cache on Intel, L2 on AMD, L1 data on Arm" },
	{ "cache-misses", NULL, HARDWARE(CACHE_MISSES), 0, 100003,
	  "kernel's generic event: last-level cache on Intel, L2 on AMD, L1 data on Arm; "
	  "for the last level everywhere take LLC-load-misses" },
	{ "stalled-cycles-frontend", "idle-cycles-frontend", HARDWARE(STALLED_CYCLES_FRONTEND), 99,
	  0, "cycles in which the front end delivered nothing; few CPUs have it" },
	{ "stalled-cycles-backend", "idle-cycles-backend", HARDWARE(STALLED_CYCLES_BACKEND), 99, 0,
	  "cycles in which the back end accepted nothing; few CPUs have it" },

	{ "cpu-clock", NULL, SOFTWARE(CPU_CLOCK), 99, 0,
	  "a timer on each CPU; needs no PMU, does not see code that masks interrupts" },
	{ "task-clock", NULL, SOFTWARE(TASK_CLOCK), 99, 0, "a timer that runs with the task" },
	{ "page-faults", "faults", SOFTWARE(PAGE_FAULTS), 0, 1009, "page faults" },
	{ "minor-faults", NULL, SOFTWARE(PAGE_FAULTS_MIN), 0, 1009,
	  "page faults that needed no disk" },
	{ "major-faults", NULL, SOFTWARE(PAGE_FAULTS_MAJ), 0, 1,
	  "page faults that waited for disk; each one, for it costs far more than its sample" },
	{ "context-switches", "cs", SOFTWARE(CONTEXT_SWITCHES), 0, 101, "context switches" },
	{ "cgroup-switches", NULL, SOFTWARE(CGROUP_SWITCHES), 0, 101,
	  "context switches to a task of another cgroup; from kernel 5.13" },
	{ "cpu-migrations", "migrations", SOFTWARE(CPU_MIGRATIONS), 0, 11,
	  "tasks moved to another CPU" },
	{ "alignment-faults", NULL, SOFTWARE(ALIGNMENT_FAULTS), 0, 101,
	  "unaligned accesses the kernel had to mend; never on x86" },
	{ "emulation-faults", NULL, SOFTWARE(EMULATION_FAULTS), 0, 101,
	  "instructions the kernel had to emulate; never on x86" },
	{ "dummy", NULL, SOFTWARE(DUMMY), 0, 0,
	  "counts nothing; carries the kernel's side records" },
	{ "bpf-output", NULL, SOFTWARE(BPF_OUTPUT), 0, 0,
	  "counts nothing; carries what BPF programs write" },
};

enum { READS = 1 << 0, WRITES = 1 << 1, PREFETCHES = 1 << 2 };

/* perf_event_open(2), PERF_TYPE_HW_CACHE: cache | op << 8 | result << 16 */
static const struct cache_op {
	const char *one, *many;
	unsigned int bit;
	uint64_t id;
} cache_ops[] = {
	{ "load", "loads", READS, PERF_COUNT_HW_CACHE_OP_READ },
	{ "store", "stores", WRITES, PERF_COUNT_HW_CACHE_OP_WRITE },
	{ "prefetch", "prefetches", PREFETCHES, PERF_COUNT_HW_CACHE_OP_PREFETCH },
};

static const struct cache {
	const char *names[3]; /* the first is the one shown */
	uint64_t id;
	unsigned int ops; /* those the hardware knows a meaning for */
	uint64_t access_hz; /* 0: by period */
	uint64_t access_period, miss_period;
	const char *accessed, *missed;
} caches[] = {
	{ { "L1-dcache", "L1d", "L1-data" },
	  PERF_COUNT_HW_CACHE_L1D,
	  READS | WRITES | PREFETCHES,
	  99,
	  0,
	  1000003,
	  "that looked into the L1 data cache",
	  "that missed the L1 data cache" },
	{ { "L1-icache", "L1i", "L1-instruction" },
	  PERF_COUNT_HW_CACHE_L1I,
	  READS | PREFETCHES,
	  99,
	  0,
	  1000003,
	  "(fetches) that looked into the L1 instruction cache",
	  "(fetches) that missed the L1 instruction cache" },
	{ { "LLC", "LL", "L3" },
	  PERF_COUNT_HW_CACHE_LL,
	  READS | WRITES | PREFETCHES,
	  0,
	  1000003,
	  100003,
	  "that reached the last-level cache, never the L2",
	  "that missed the last-level cache, never the L2" },
	{ { "dTLB", "d-TLB", "data-TLB" },
	  PERF_COUNT_HW_CACHE_DTLB,
	  READS | WRITES | PREFETCHES,
	  99,
	  0,
	  100003,
	  "that looked into the data TLB",
	  "that missed the data TLB" },
	{ { "iTLB", "i-TLB", "instruction-TLB" },
	  PERF_COUNT_HW_CACHE_ITLB,
	  READS,
	  99,
	  0,
	  100003,
	  "(fetches) that looked into the instruction TLB",
	  "(fetches) that missed the instruction TLB" },
	{ { "branch", "BPU", "BTB" },
	  PERF_COUNT_HW_CACHE_BPU,
	  READS,
	  99,
	  0,
	  1000003,
	  "(look-ups) in the branch predictor",
	  "(look-ups) that missed in the branch predictor" },
	{ { "node", NULL, NULL },
	  PERF_COUNT_HW_CACHE_NODE,
	  READS | WRITES | PREFETCHES,
	  0,
	  100003,
	  100003,
	  "served by memory",
	  "served by the memory of another NUMA node" },
};

static uint64_t cache_config(const struct cache *c, const struct cache_op *op, bool miss)
{
	uint64_t result =
		miss ? PERF_COUNT_HW_CACHE_RESULT_MISS : PERF_COUNT_HW_CACHE_RESULT_ACCESS;

	return c->id | op->id << 8 | result << 16;
}

static void cache_entry(const struct cache *c, const struct cache_op *op, bool miss,
			struct catalog_entry *ret)
{
	*ret = (struct catalog_entry){
		.type = PERF_TYPE_HW_CACHE,
		.config = cache_config(c, op, miss),
		.freq_hz = miss ? 0 : c->access_hz,
		.period = miss ? c->miss_period : c->access_period,
	};
	if (miss)
		snprintf(ret->name, sizeof(ret->name), "%s-%s-misses", c->names[0], op->one);
	else
		snprintf(ret->name, sizeof(ret->name), "%s-%s", c->names[0], op->many);
	snprintf(ret->description, sizeof(ret->description), "%s %s", op->many,
		 miss ? c->missed : c->accessed);
}

static void alias_entry(const struct alias *a, struct catalog_entry *ret)
{
	*ret = (struct catalog_entry){
		.type = a->type,
		.config = a->config,
		.freq_hz = a->freq_hz,
		.period = a->period,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", a->name);
	snprintf(ret->description, sizeof(ret->description), "%s", a->description);
}

/* "loads", "load-misses" or "misses", which are those of loads */
static bool match_op(const char *text, const struct cache_op *op, bool *ret_miss)
{
	size_t n = strlen(op->one);

	if (strcasecmp(text, op->many) == 0) {
		*ret_miss = false;
		return true;
	}
	*ret_miss = true;
	if (op->bit == READS && strcasecmp(text, "misses") == 0)
		return true;
	return strncasecmp(text, op->one, n) == 0 && strcasecmp(text + n, "-misses") == 0;
}

static bool match_cache(const char *name, const struct cache *c, struct catalog_entry *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->names) && c->names[i]; i++) {
		size_t n = strlen(c->names[i]);
		bool miss;

		if (strncasecmp(name, c->names[i], n) != 0 || name[n] != '-')
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(cache_ops); k++)
			if ((c->ops & cache_ops[k].bit) &&
			    match_op(name + n + 1, &cache_ops[k], &miss)) {
				cache_entry(c, &cache_ops[k], miss, ret);
				return true;
			}
	}
	return false;
}

bool catalog_find(const char *name, const struct pmu_cpu *cpu, struct catalog_entry *ret)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(aliases) && !found; i++) {
		const struct alias *a = &aliases[i];

		found = strcasecmp(name, a->name) == 0 ||
			(a->other && strcasecmp(name, a->other) == 0);
		if (found)
			alias_entry(a, ret);
	}
	for (size_t i = 0; i < ARRAY_SIZE(caches) && !found; i++)
		found = match_cache(name, &caches[i], ret);
	if (found)
		native_replace(cpu, ret);
	return found;
}

static int give(struct catalog_entry *entry, const struct pmu_cpu *cpu, pmu_known_fn each,
		void *userdata)
{
	native_replace(cpu, entry);
	return each(&(struct pmu_known){ .name = entry->name, .description = entry->description },
		    userdata);
}

int catalog_each(pmu_known_fn each, void *userdata)
{
	struct catalog_entry entry;
	struct pmu_cpu cpu;
	int r = 0;

	pmu_cpu_detect(&cpu);
	for (size_t i = 0; i < ARRAY_SIZE(aliases) && !r; i++) {
		alias_entry(&aliases[i], &entry);
		r = give(&entry, &cpu, each, userdata);
	}
	for (size_t i = 0; i < ARRAY_SIZE(caches) * ARRAY_SIZE(cache_ops) * 2 && !r; i++) {
		const struct cache *c = &caches[i / 6];
		const struct cache_op *op = &cache_ops[i / 2 % 3];

		if (!(c->ops & op->bit))
			continue;
		cache_entry(c, op, i % 2, &entry);
		r = give(&entry, &cpu, each, userdata);
	}
	return r;
}

/* `modifiers` are kept in the name, colon included: cycles:u and cycles:k are two events. */
static int fill(const struct catalog_entry *entry, const char *modifiers, const char *sysfs,
		struct pmu_event *ev)
{
	struct perf_event_attr *attr = &ev->attr;

	attr->type = entry->type;
	attr->config = entry->config;
	/* A guest's cycles cannot be told apart from here: its stacks are not ours to read. */
	attr->exclude_guest = entry->type != PERF_TYPE_SOFTWARE;
	if (entry->freq_hz)
		pmu_set_freq(attr, entry->freq_hz);
	else
		pmu_set_period(attr, entry->period);
	ev->countable_only = !entry->freq_hz && !entry->period;
	ev->source = PMU_SOURCE_ALIAS;
	if (asprintf(&ev->name, "%s%s", entry->name, modifiers) < 0)
		ev->name = NULL;
	ev->pmu = entry->type == PERF_TYPE_SOFTWARE ? strdup("software") : sysfs_core_pmu(sysfs);
	return ev->name && ev->pmu ? 0 : -ENOMEM;
}

int catalog_resolve(const char *name, const char *sysfs, struct pmu_event *ev, char **ret_error)
{
	_cleanup_(pmu_freep) char *bare = NULL;
	const char *colon = strchrnul(name, ':');
	struct catalog_entry entry;
	struct pmu_cpu cpu;
	int r;

	bare = strndup(name, (size_t)(colon - name));
	if (!bare)
		return -ENOMEM;
	pmu_cpu_detect(&cpu);
	if (!catalog_find(bare, &cpu, &entry))
		return -ENOENT;
	r = fill(&entry, colon, sysfs, ev);
	if (r < 0 || !*colon)
		return r;
	return pmu_apply_modifiers(&ev->attr, colon + 1, ret_error);
}
