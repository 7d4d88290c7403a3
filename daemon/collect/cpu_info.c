// SPDX-License-Identifier: Apache-2.0
/*
 * The processors: /proc/cpuinfo, whose words differ between architectures, and from sysfs what it
 * does not tell: topology, caches, limits of the frequency. Where neither knows cores, as in some
 * virtual machines, each CPU counts as one.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"

#define MAX_CPUS 8192
#define MAX_CACHES 16 /* of one CPU */

enum { TABLE_CPU_INFO, TABLE_CPUS, TABLE_CACHES };

enum {
	INFO_LOGICAL,
	INFO_CORES,
	INFO_PACKAGES,
	INFO_NODES,
	INFO_MODEL_NAME,
	INFO_VENDOR,
	INFO_FAMILY,
	INFO_MODEL,
	INFO_STEPPING,
	INFO_MICROCODE,
	INFO_MHZ,
	INFO_MIN_MHZ,
	INFO_MAX_MHZ,
	INFO_CACHE,
	INFO_CACHE_ALIGNMENT,
	INFO_BOGOMIPS,
	INFO_FLAGS,
};

enum { CPU_CPU, CPU_PACKAGE, CPU_CORE, CPU_SIBLINGS, CPU_NODE, CPU_MHZ };
enum { CACHE_LEVEL, CACHE_TYPE, CACHE_CPUS, CACHE_SIZE, CACHE_LINE, CACHE_WAYS };

/* clang-format off */
#define NUMBER(name, unit, help) { name, unit, ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }
#define REAL(name, unit, help) { name, unit, ROW_GAUGE, ROW_REAL, 0, 0, help }
#define WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }

static const struct row_column info_columns[] = {
	[INFO_LOGICAL] = NUMBER("logical", "", "CPUs the kernel schedules on"),
	[INFO_CORES] = NUMBER("cores", "", "physical cores; as many as CPUs where no topology is known"),
	[INFO_PACKAGES] = NUMBER("packages", "", "sockets"),
	[INFO_NODES] = NUMBER("nodes", "", "NUMA nodes"),
	[INFO_MODEL_NAME] = WORDS("model_name", "as its maker calls it"),
	[INFO_VENDOR] = WORDS("vendor", "GenuineIntel, AuthenticAMD ...; of Arm, the implementer's number"),
	[INFO_FAMILY] = WORDS("family", "of Arm, the architecture"),
	[INFO_MODEL] = WORDS("model", "of Arm, the part"),
	[INFO_STEPPING] = WORDS("stepping", "of Arm, the revision"),
	[INFO_MICROCODE] = WORDS("microcode", "its version"),
	[INFO_MHZ] = REAL("mhz", "MHz", "of the first CPU, as it is now"),
	[INFO_MIN_MHZ] = REAL("min_mhz", "MHz", "lowest it can be set to"),
	[INFO_MAX_MHZ] = REAL("max_mhz", "MHz", "highest it can be set to"),
	[INFO_CACHE] = NUMBER("cache", "bytes", "as /proc/cpuinfo calls it: of the last level, on AMD's of the second"),
	[INFO_CACHE_ALIGNMENT] = NUMBER("cache_alignment", "bytes", "size of a line"),
	[INFO_BOGOMIPS] = REAL("bogomips", "", "of the first CPU"),
	[INFO_FLAGS] = WORDS("flags", "what it can do"),
};

static const struct row_column cpu_columns[] = {
	[CPU_CPU] = { "cpu", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number" },
	[CPU_PACKAGE] = NUMBER("package", "id", "its socket"),
	[CPU_CORE] = NUMBER("core", "id", "its core, within the socket"),
	[CPU_SIBLINGS] = NUMBER("siblings", "", "CPUs of its socket"),
	[CPU_NODE] = NUMBER("node", "id", "its NUMA node"),
	[CPU_MHZ] = REAL("mhz", "MHz", "as it is now"),
};

static const struct row_column cache_columns[] = {
	[CACHE_LEVEL] = { "level", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "1, 2, 3 ..." },
	[CACHE_TYPE] = { "type", "", ROW_KEY, ROW_TEXT, 0, 0, "Data, Instruction or Unified" },
	[CACHE_CPUS] = { "cpus", "", ROW_KEY, ROW_TEXT, 0, 0, "list of the CPUs that share it" },
	[CACHE_SIZE] = NUMBER("size", "bytes", "its size"),
	[CACHE_LINE] = NUMBER("line", "bytes", "size of a line"),
	[CACHE_WAYS] = NUMBER("ways", "", "lines that one address can be in"),
};

#define TABLE(id, title, text, list) \
	[id] = { .name = title, .collector = "cpu_info", .summary = text, .columns = list, .n_columns = ARRAY_SIZE(list) }

static const struct row_table tables[] = {
	TABLE(TABLE_CPU_INFO, "cpu_info", "the processors", info_columns),
	TABLE(TABLE_CPUS, "cpu_info_cpu", "where each CPU sits", cpu_columns),
	TABLE(TABLE_CACHES, "cpu_info_cache", "caches, and which CPUs share them", cache_columns),
};
/* clang-format on */

/* A line of /proc/cpuinfo into a column of table 0. The first one that is there counts. */
static const struct {
	const char *key;
	unsigned int column;
} words[] = {
	{ "model name", INFO_MODEL_NAME },
	{ "Processor", INFO_MODEL_NAME }, /* Arm, before 3.8 */
	{ "cpu", INFO_MODEL_NAME }, /* PowerPC */
	{ "Hardware", INFO_MODEL_NAME },
	{ "vendor_id", INFO_VENDOR },
	{ "CPU implementer", INFO_VENDOR },
	{ "cpu family", INFO_FAMILY },
	{ "CPU architecture", INFO_FAMILY },
	{ "model", INFO_MODEL },
	{ "CPU part", INFO_MODEL },
	{ "stepping", INFO_STEPPING },
	{ "CPU revision", INFO_STEPPING },
	{ "revision", INFO_STEPPING },
	{ "microcode", INFO_MICROCODE },
	{ "flags", INFO_FLAGS },
	{ "Features", INFO_FLAGS },
};

struct cpu {
	uint64_t number, package, core, siblings;
	bool has_package, has_core, has_siblings, has_mhz;
	double mhz;
};

struct cpus {
	struct cpu *list;
	size_t n, capacity;
};

static struct cpu *add_cpu(struct cpus *c, uint64_t number)
{
	if (c->n == c->capacity) {
		size_t capacity = MAX(2 * c->capacity, (size_t)16);
		struct cpu *grown =
			c->n < MAX_CPUS ? reallocarray(c->list, capacity, sizeof(*grown)) : NULL;

		if (!grown)
			return NULL;
		c->list = grown;
		c->capacity = capacity;
	}
	c->list[c->n] = (struct cpu){ .number = number };
	return &c->list[c->n++];
}

/* --- /proc/cpuinfo --- */

/* "model name\t: AMD EPYC" */
static bool split(struct scan line, struct record_bytes *ret_key, struct scan *ret_value)
{
	const char *colon = memchr(line.at, ':', (size_t)(line.end - line.at)), *end = colon;

	if (!colon)
		return false;
	while (end > line.at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_key = (struct record_bytes){ line.at, (size_t)(end - line.at) };
	*ret_value = (struct scan){ colon + 1, line.end };
	while (ret_value->at < ret_value->end && *ret_value->at == ' ')
		ret_value->at++;
	while (ret_value->end > ret_value->at && ret_value->end[-1] == ' ')
		ret_value->end--;
	return end > line.at && ret_value->at < ret_value->end;
}

static void take_words(struct record_bytes key, struct scan value, struct rows *rows)
{
	const struct row *row = rows_current(rows);

	for (size_t i = 0; row && i < ARRAY_SIZE(words); i++)
		if (bytes_are(key, words[i].key) && !row->values[words[i].column].present)
			rows_text(rows, words[i].column, value.at,
				  MIN((size_t)(value.end - value.at), (size_t)ROW_MAX_TEXT));
}

/* Numbers that are the whole host's. */
static void take_number(struct record_bytes key, struct scan value, struct rows *rows)
{
	const struct row *row = rows_current(rows);
	uint64_t v;
	double d;

	if (!row)
		return;
	if (bytes_are(key, "cache_alignment") && scan_unsigned(&value, &v))
		rows_unsigned(rows, INFO_CACHE_ALIGNMENT, v);
	else if (bytes_are(key, "cache size") && scan_unsigned(&value, &v) &&
		 scan_literal(&value, "KB") && v < UINT64_MAX / 1024)
		rows_unsigned(rows, INFO_CACHE, v * 1024);
	else if ((bytes_are(key, "bogomips") || bytes_are(key, "BogoMIPS")) &&
		 !row->values[INFO_BOGOMIPS].present && scan_real(&value, &d))
		rows_real(rows, INFO_BOGOMIPS, d);
}

/* "2596.126"; PowerPC says "3425.000000MHz". */
static bool scan_mhz(struct scan value, double *ret)
{
	if (value.end - value.at > 3 && memcmp(value.end - 3, "MHz", 3) == 0)
		value.end -= 3;
	return scan_real(&value, ret) && scan_end(&value);
}

static void take_cpu(struct record_bytes key, struct scan value, struct cpu *c)
{
	if (bytes_are(key, "physical id"))
		c->has_package = scan_unsigned(&value, &c->package);
	else if (bytes_are(key, "core id"))
		c->has_core = scan_unsigned(&value, &c->core);
	else if (bytes_are(key, "siblings"))
		c->has_siblings = scan_unsigned(&value, &c->siblings);
	else if (bytes_are(key, "cpu MHz") || bytes_are(key, "clock"))
		c->has_mhz = scan_mhz(value, &c->mhz);
}

static int read_cpuinfo(struct basic *b, struct cpus *cpus, struct rows *rows)
{
	struct scan s, line, value;
	struct record_bytes key;
	struct cpu *c = NULL;
	uint64_t number;
	int r = roots_need(&b->roots, b->roots.proc, "cpuinfo", rows);

	if (r < 0)
		return r;
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line)) {
		if (!split(line, &key, &value))
			continue;
		/* "Processor" is a name, on old Arm kernels. */
		if (bytes_are(key, "processor") && scan_unsigned(&value, &number) &&
		    scan_end(&value))
			c = number < MAX_CPUS ? add_cpu(cpus, number) : NULL;
		else if (c)
			take_cpu(key, value, c);
		take_words(key, value, rows);
		take_number(key, value, rows);
	}
	return cpus->n ? 0 : -ENODATA;
}

/* --- sysfs --- */

static bool read_cpu_number(struct roots *r, uint64_t cpu, const char *file, uint64_t *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "devices/system/cpu/cpu%llu/%s", (unsigned long long)cpu,
		 file);
	return roots_read_unsigned(r, r->sys, path, ret) == 0;
}

/* What the kernel built its scheduler on, rather than what it prints; absent for CPUs offline. */
static void read_topology(struct roots *r, struct cpu *c)
{
	uint64_t v;

	if (read_cpu_number(r, c->number, "topology/physical_package_id", &v) && v < 65536) {
		c->package = v;
		c->has_package = true;
	}
	if (read_cpu_number(r, c->number, "topology/core_id", &v) && v < 65536) {
		c->core = v;
		c->has_core = true;
	}
}

static bool node_of(struct roots *r, uint64_t cpu, uint64_t *ret)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[64];
	struct dirent *d;

	snprintf(path, sizeof(path), "devices/system/cpu/cpu%llu", (unsigned long long)cpu);
	if (roots_list(r->sys, path, &dir) < 0)
		return false;
	while ((d = readdir(dir))) {
		struct scan s = scan_bytes(d->d_name, strlen(d->d_name));

		if (strncmp(d->d_name, "node", 4) != 0)
			continue;
		s.at += 4;
		if (scan_unsigned(&s, ret) && scan_end(&s))
			return true;
	}
	return false;
}

/* "32K", "8192K", "1M" */
static bool scan_size(const char *text, uint64_t *ret)
{
	struct scan s = scan_bytes(text, strlen(text));
	uint64_t scale = 1;

	if (s.end > s.at && (s.end[-1] == 'K' || s.end[-1] == 'M')) {
		scale = s.end[-1] == 'K' ? 1024 : 1024 * 1024;
		s.end--;
	}
	return scan_unsigned(&s, ret) && scan_end(&s) && !__builtin_mul_overflow(*ret, scale, ret);
}

/* A cache is told of by the first of the CPUs that share it. */
static bool is_first(const char *list, uint64_t cpu)
{
	struct scan s = scan_bytes(list, strcspn(list, "-,"));
	uint64_t first;

	return scan_unsigned(&s, &first) && first == cpu;
}

static bool read_cache(struct roots *r, uint64_t cpu, unsigned int index, struct rows *rows)
{
	char base[96], path[128], type[32], cpus[1024], size[32];
	uint64_t level, v;

	snprintf(base, sizeof(base), "devices/system/cpu/cpu%llu/cache/index%u",
		 (unsigned long long)cpu, index);
#define AT(file) (snprintf(path, sizeof(path), "%s/" file, base), path)
	if (roots_read_unsigned(r, r->sys, AT("level"), &level) < 0)
		return false;
	if (roots_read_string(r, r->sys, AT("shared_cpu_list"), cpus, sizeof(cpus)) < 0 ||
	    roots_read_string(r, r->sys, AT("type"), type, sizeof(type)) < 0 ||
	    !is_first(cpus, cpu))
		return true;
	rows_add(rows, TABLE_CACHES);
	rows_unsigned(rows, CACHE_LEVEL, level);
	rows_string(rows, CACHE_TYPE, type);
	rows_string(rows, CACHE_CPUS, cpus);
	if (roots_read_string(r, r->sys, AT("size"), size, sizeof(size)) == 0 &&
	    scan_size(size, &v))
		rows_unsigned(rows, CACHE_SIZE, v);
	if (roots_read_unsigned(r, r->sys, AT("coherency_line_size"), &v) == 0)
		rows_unsigned(rows, CACHE_LINE, v);
	if (roots_read_unsigned(r, r->sys, AT("ways_of_associativity"), &v) == 0)
		rows_unsigned(rows, CACHE_WAYS, v);
#undef AT
	return true;
}

/* --- rows --- */

static int compare_cores(const void *a, const void *b)
{
	const struct cpu *x = a, *y = b;

	if (x->package != y->package)
		return x->package < y->package ? -1 : 1;
	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Of the sorted CPUs. */
static void count_cores(const struct cpus *cpus, uint64_t *ret_cores, uint64_t *ret_packages)
{
	bool known = true;

	*ret_cores = *ret_packages = 0;
	for (size_t i = 0; i < cpus->n; i++) {
		const struct cpu *c = &cpus->list[i], *before = i ? c - 1 : NULL;
		bool package = !before || c->package != before->package;

		known &= c->has_core;
		*ret_packages += package;
		*ret_cores += package || c->core != before->core;
	}
	if (!known)
		*ret_cores = cpus->n;
}

static uint64_t count_nodes(struct roots *r)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	uint64_t n = 0, v;
	struct dirent *d;

	if (roots_list(r->sys, "devices/system/node", &dir) < 0)
		return 1;
	while ((d = readdir(dir))) {
		struct scan s = scan_bytes(d->d_name, strlen(d->d_name));

		if (strncmp(d->d_name, "node", 4) != 0)
			continue;
		s.at += 4;
		n += scan_unsigned(&s, &v) && scan_end(&s);
	}
	return MAX(n, (uint64_t)1);
}

static void put_limits(struct roots *r, struct rows *rows)
{
	uint64_t khz;

	if (read_cpu_number(r, 0, "cpufreq/cpuinfo_min_freq", &khz))
		rows_real(rows, INFO_MIN_MHZ, (double)khz / 1000);
	if (read_cpu_number(r, 0, "cpufreq/cpuinfo_max_freq", &khz))
		rows_real(rows, INFO_MAX_MHZ, (double)khz / 1000);
}

static void put_cpu(struct roots *r, const struct cpu *c, struct rows *rows)
{
	uint64_t node;

	rows_add(rows, TABLE_CPUS);
	rows_unsigned(rows, CPU_CPU, c->number);
	if (c->has_package)
		rows_unsigned(rows, CPU_PACKAGE, c->package);
	if (c->has_core)
		rows_unsigned(rows, CPU_CORE, c->core);
	if (c->has_siblings)
		rows_unsigned(rows, CPU_SIBLINGS, c->siblings);
	if (node_of(r, c->number, &node))
		rows_unsigned(rows, CPU_NODE, node);
	if (c->has_mhz)
		rows_real(rows, CPU_MHZ, c->mhz);
}

static int put_all(struct basic *b, struct cpus *cpus, struct rows *rows)
{
	uint64_t cores, packages;
	int r;

	rows_add(rows, TABLE_CPU_INFO);
	r = read_cpuinfo(b, cpus, rows);
	if (r < 0) {
		rows_discard(rows);
		return r;
	}
	if (cpus->list[0].has_mhz)
		rows_real(rows, INFO_MHZ, cpus->list[0].mhz);
	for (size_t i = 0; i < cpus->n; i++)
		read_topology(&b->roots, &cpus->list[i]);
	qsort(cpus->list, cpus->n, sizeof(*cpus->list), compare_cores);
	count_cores(cpus, &cores, &packages);
	rows_unsigned(rows, INFO_LOGICAL, cpus->n);
	rows_unsigned(rows, INFO_CORES, cores);
	rows_unsigned(rows, INFO_PACKAGES, packages);
	rows_unsigned(rows, INFO_NODES, count_nodes(&b->roots));
	put_limits(&b->roots, rows);
	for (size_t i = 0; i < cpus->n; i++)
		put_cpu(&b->roots, &cpus->list[i], rows);
	for (size_t i = 0; i < cpus->n; i++)
		for (unsigned int k = 0; k < MAX_CACHES; k++)
			if (!read_cache(&b->roots, cpus->list[i].number, k, rows))
				break;
	return 0;
}

static int cpu_info_read(void *state, struct rows *rows)
{
	struct cpus cpus = {};
	int r = put_all(state, &cpus, rows);

	free(cpus.list);
	return r;
}

const struct collector collector_cpu_info = {
	.name = "cpu_info",
	.summary = "the processors: model, cores, caches, where each CPU sits",
	.needs = "/proc/cpuinfo, /sys/devices/system/cpu",
	.kind = COLLECTOR_ONCE,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = cpu_info_read,
	.close = basic_close,
};
