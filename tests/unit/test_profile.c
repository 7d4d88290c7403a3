// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profile/profile.h"
#include "recording.h"

static char directory[64];
static char path[2][96];

static int make_directory(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	snprintf(directory, sizeof(directory), "/tmp/test_profile.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(path); i++)
		snprintf(path[i], sizeof(path[i]), "%s/%zu.seg", directory, i);
	return 0;
}

static int remove_directory(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static const struct stack in_main = { 0, 1, { MAIN_CALL } };
static const struct stack in_burn = { 0, 2, { BURN, MAIN_CALL } };
static const struct stack in_wait = { 0, 2, { WAIT, MAIN_CALL } };
static const struct stack in_read = { 2, 2, { COPY, SYS_READ, WAIT, MAIN_CALL } };
static const struct stack empty = { 0, 0, { 0 } };

static struct profile *load(const struct profile_filter *filter, unsigned int dimensions,
			    unsigned int threads)
{
	const char *paths[] = { directory };
	struct profile *p = NULL;
	char *error = NULL;
	int r;

	r = profile_load_threads(paths, 1, filter, dimensions, threads, &p, &error);
	if (r < 0)
		fail_msg("profile_load: %d %s", r, error ? error : "");
	return p;
}

/* "main;wait|sys_read;copy_to_user": '|' is where the kernel begins. */
static void put_stack(const struct profile *p, uint32_t node, char *out, size_t size)
{
	uint32_t path_nodes[64];
	size_t n = 0, used = 0;

	for (; node; node = p->nodes[node].parent)
		path_nodes[n++] = node;
	out[0] = 0;
	while (n-- > 0) {
		const struct profile_node *at = &p->nodes[path_nodes[n]];
		bool kernel_next = at->leaf_of_half && n > 0;
		uint32_t f = profile_node_function(p, path_nodes[n]);

		used += (size_t)snprintf(out + used, size - used, "%s%s", p->functions[f].name,
					 kernel_next ? "|"
					 : n	     ? ";"
						     : "");
	}
}

static uint64_t samples_of(const struct profile *p, const char *stack)
{
	char text[1024];
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_cells; i++) {
		put_stack(p, p->cells[i].node, text, sizeof(text));
		if (strcmp(text, stack) == 0)
			n += p->cells[i].samples;
	}
	return n;
}

/* Every stack comes back with its functions, in the order of the calls, as often as it was written
 */
static void test_stacks(void **state)
{
	const struct {
		int line;
		const struct stack *stack;
		const char *expected;
		unsigned int samples;
	} rows[] = {
		{ __LINE__, &in_main, "main", 1 },
		{ __LINE__, &in_burn, "main;burn", 70 },
		{ __LINE__, &in_wait, "main;wait", 20 },
		{ __LINE__, &in_read, "main;wait|sys_read;copy_to_user", 10 },
		{ __LINE__, &empty, "", 3 },
		/* kernel thread */
		{ __LINE__, &(struct stack){ 2, 0, { COPY, SYS_READ } }, "sys_read;copy_to_user",
		  4 },
		/* the same frame is a leaf of its half here, a caller there */
		{ __LINE__, &(struct stack){ 0, 2, { BURN_END, MAIN_CALL } }, "main;wait", 5 },
		{ __LINE__, &(struct stack){ 0, 3, { BURN, BURN_END, MAIN_CALL } },
		  "main;burn;burn", 6 },
		{ __LINE__, &(struct stack){ 1, 2, { COPY, BURN_END, MAIN_CALL } },
		  "main;wait|copy_to_user", 7 },
		/* what has no name is shown all the same */
		{ __LINE__, &(struct stack){ 0, 2, { NOWHERE, MAIN_CALL } }, "main;[app+0x9000]",
		  8 },
		{ __LINE__, &(struct stack){ 1, 1, { KERNEL_NOWHERE, MAIN_CALL } },
		  "main|[unknown+0xffffffffc0000010]", 9 },
		/* the same address in two processes is not the same function */
		{ __LINE__, &(struct stack){ 0, 1, { JIT_WEB } }, "jit of web", 11 },
		{ __LINE__, &(struct stack){ 0, 1, { JIT_DB } }, "jit of db", 12 },
	};
	struct profile *p;
	struct recording r;
	uint64_t total = 0, time_ns = SECOND;

	(void)state;
	recording_open(&r, path[0]);
	recording_epoch(&r, SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned int k = 0; k < rows[i].samples; k++)
			recording_sample(&r, time_ns++, EVENT_CYCLES, THREAD_WEB, k % 2, 1,
					 rows[i].stack);
	recording_close(&r);
	p = load(NULL, 0, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int expected = rows[i].samples;

		/* "main;wait" is written by two rows */
		if (strcmp(rows[i].expected, "main;wait") == 0)
			expected = 25;
		if (samples_of(p, rows[i].expected) != expected)
			fail_msg("line %d: %s: %" PRIu64, rows[i].line, rows[i].expected,
				 samples_of(p, rows[i].expected));
		total += rows[i].samples;
	}
	assert_int_equal(p->samples, total);
	for (uint32_t i = 1; i < p->n_nodes; i++)
		assert_true(p->nodes[i].parent < i);
	profile_free(p);
}

/* A filter keeps exactly the samples it describes, in the cells, the sums and the ledger */
static void test_filters(void **state)
{
	static const char
		*const web[] = { "web", NULL },
		       *const worker[] = { "worker", "sh", NULL }, *const unit[] = { "db", NULL },
		       *const whole_unit[] = { "db.service", "nothing", NULL },
		       *const no_unit[] = { "servic", NULL }, *const container[] = { "0123", NULL },
		       *const other[] = { "123", NULL };
	static const uint32_t pids[] = { 300, 100 }, cpus[] = { 1, 3 };
	const struct {
		int line;
		struct profile_filter filter;
		uint64_t samples, seen;
	} rows[] = {
		{ __LINE__, { 0 }, 80, 88 },
		{ __LINE__, { .event = "cycles" }, 40, 44 },
		{ __LINE__, { .event = "cpu-clock" }, 40, 44 },
		{ __LINE__, { .event = "page-faults" }, 40, 44 },
		{ __LINE__, { .event = "page" }, 0, 0 },
		{ __LINE__, { .comms = web }, 48, 88 },
		{ __LINE__, { .comms = worker }, 40, 88 },
		{ __LINE__, { .pids = pids, .n_pids = 2 }, 64, 88 },
		{ __LINE__, { .units = unit }, 16, 88 },
		{ __LINE__, { .units = whole_unit }, 16, 88 },
		{ __LINE__, { .units = no_unit }, 0, 88 },
		{ __LINE__, { .containers = container }, 16, 88 },
		{ __LINE__, { .containers = other }, 0, 88 },
		{ __LINE__, { .cpus = cpus, .n_cpus = 2 }, 40, 44 },
		{ __LINE__, { .cpus = cpus, .n_cpus = 1 }, 20, 22 },
		{ __LINE__, { .comms = web, .cpus = cpus, .n_cpus = 1, .event = "cycles" }, 6, 11 },
		{ __LINE__, { .since_ns = BOOT_NS + 50 * SECOND }, 30, 44 },
		{ __LINE__, { .until_ns = BOOT_NS + 50 * SECOND }, 50, 44 },
		{ __LINE__,
		  { .since_ns = BOOT_NS + 20 * SECOND, .until_ns = BOOT_NS + 21 * SECOND },
		  1,
		  0 },
		{ __LINE__, { .since_ns = BOOT_NS + 80 * SECOND }, 0, 0 },
		{ __LINE__, { .until_ns = BOOT_NS }, 0, 0 },
	};
	struct recording r;

	(void)state;
	recording_open(&r, path[0]);
	for (uint64_t i = 0; i < 80; i++) {
		if (i % 20 == 0)
			recording_epoch(&r, i * SECOND);
		recording_sample(&r, i * SECOND, i / 4 % 2, i / 8 % 4, i % 4, 10, &in_burn);
		if (i % 40 == 39)
			for (uint32_t k = 0; k < 8; k++)
				PUT(&r, RECORD_LEDGER, ledger, .time_ns = i * SECOND,
				    .event = k / 4, .cpu = k % 4, .seen = 5 + (k + i / 40) % 2);
	}
	recording_close(&r);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *paths[] = { directory };
		uint64_t samples = 0, weight = 0, seen = 0;
		_cleanup_free_ char *error = NULL;
		struct profile *p = NULL;
		int result;

		result = profile_load_threads(paths, 1, &rows[i].filter,
					      PROFILE_BY_THREAD | PROFILE_BY_CPU, 2, &p, &error);
		assert_int_equal(result, rows[i].samples ? 0 : -ENODATA);
		assert_int_equal(!error, rows[i].samples != 0);
		for (size_t k = 0; k < p->n_cells; k++) {
			samples += p->cells[k].samples;
			weight += p->cells[k].weight;
		}
		for (size_t k = 0; k < p->n_events; k++)
			seen += p->ledgers[k].seen;
		if (samples != rows[i].samples || p->samples != samples || weight != 10 * samples ||
		    seen != rows[i].seen)
			fail_msg("line %d: %" PRIu64 " samples, %" PRIu64 " seen", rows[i].line,
				 samples, seen);
		profile_free(p);
	}
}

static void put_event(struct recording *r, const char *profile, uint64_t value,
		      const char *counters)
{
	PUT(r, RECORD_EVENT, event, .profile = record_string(profile),
	    .requested = record_string("cycles"), .fired = record_string("cpu-clock"),
	    .unit = record_string("ns"), .freq = true, .value = value,
	    .counters = record_string(counters));
}

/* Another rate or other counters make no other event; another profile of the configuration does */
static void test_events(void **state)
{
	enum { SLOWER = N_EVENTS, OF_WEB };
	static const uint64_t events[] = { EVENT_CYCLES, SLOWER, OF_WEB, EVENT_FAULTS, SLOWER };
	const struct profile_filter of_web = { .profile = "web" };
	const char *paths[] = { directory };
	_cleanup_free_ char *error = NULL;
	struct recording r;
	struct profile *p;

	(void)state;
	recording_open(&r, path[0]);
	recording_epoch(&r, SECOND);
	put_event(&r, "", 50, "instructions,cycles:u");
	put_event(&r, "web", 99, "");
	for (uint64_t i = 0; i < 10 * ARRAY_SIZE(events); i++)
		recording_sample(&r, SECOND + i, events[i / 10], THREAD_WEB, 0, 2, &in_burn);
	for (uint32_t i = 0; i <= OF_WEB; i++)
		PUT(&r, RECORD_LEDGER, ledger, .time_ns = SECOND, .event = i, .seen = 1 + i);
	recording_close(&r);

	p = load(NULL, 0, 1);
	assert_int_equal(p->n_events, 3);
	assert_int_equal(p->samples, 50);
	assert_string_equal(p->events[0].fired, "cpu-clock");
	assert_string_equal(p->events[0].profile, "");
	assert_string_equal(p->events[0].reason, "no PMU: ENOENT");
	assert_string_equal(p->events[0].counters, "instructions,cycles:u");
	assert_int_equal(p->events[0].samples, 30);
	assert_int_equal(p->events[0].weight, 60);
	assert_int_equal(p->ledgers[0].seen, 1 + 3);
	assert_int_equal(p->events[0].n_rates, 2);
	assert_int_equal(p->events[0].rates[0].value, 99);
	assert_int_equal(p->events[0].rates[0].samples, 10);
	assert_int_equal(p->events[0].rates[1].value, 50);
	assert_int_equal(p->events[0].rates[1].samples, 20);
	assert_string_equal(p->events[2].profile, "web");
	assert_int_equal(p->events[2].samples, 10);
	assert_int_equal(p->events[2].n_rates, 1);
	assert_true(profile_event_shares_name(p, &p->events[0]));
	assert_true(profile_event_shares_name(p, &p->events[2]));
	assert_string_equal(p->events[1].fired, "page-faults");
	assert_false(profile_event_shares_name(p, &p->events[1]));
	profile_free(p);

	p = load(&of_web, 0, 1);
	assert_int_equal(p->n_events, 1);
	assert_int_equal(p->samples, 10);
	assert_int_equal(p->ledgers[0].seen, 4);
	profile_free(p);

	p = NULL;
	assert_int_equal(
		profile_load(paths, 1, &(struct profile_filter){ .profile = "db" }, 0, &p, &error),
		-ENODATA);
	assert_non_null(strstr(error, "profile 'db'; profiles were: [none], web"));
	profile_free(p);
}

/* Files of different boots, and a clock that was set, are one time line */
static void test_time_line(void **state)
{
	const struct {
		int line;
		uint64_t since_s, until_s, samples;
	} rows[] = {
		{ __LINE__, 0, 0, 60 },	      { __LINE__, 0, 500, 10 }, /* first boot */
		{ __LINE__, 500, 1500, 20 }, /* second boot, before the clock was set */
		{ __LINE__, 1500, 0, 30 }, /* after */
		{ __LINE__, 1009, 2001, 12 },
	};
	struct recording r;

	(void)state;
	recording_open(&r, path[1]);
	recording_epoch(&r, 7 * SECOND);
	for (uint64_t i = 0; i < 10; i++)
		recording_sample(&r, (7 + i) * SECOND, 0, 0, 0, 1, &in_burn);
	recording_close(&r);

	recording_open(&r, path[0]);
	r.offset_ns = (int64_t)(BOOT_NS + 1000 * SECOND);
	recording_epoch(&r, 0);
	for (uint64_t i = 0; i < 20; i++)
		recording_sample(&r, i * SECOND, 0, 0, 0, 1, &in_burn);
	r.offset_ns = (int64_t)(BOOT_NS + 2000 * SECOND - 20 * SECOND);
	recording_clock(&r, 20 * SECOND);
	for (uint64_t i = 20; i < 30; i++)
		recording_sample(&r, i * SECOND, 0, 0, 0, 1, &in_burn);
	recording_epoch(&r, 30 * SECOND);
	for (uint64_t i = 30; i < 50; i++)
		recording_sample(&r, i * SECOND, 0, 0, 0, 1, &in_burn);
	recording_close(&r);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile_filter f = { 0 };
		struct profile *p;

		f.since_ns = rows[i].since_s ? BOOT_NS + rows[i].since_s * SECOND : 0;
		f.until_ns = rows[i].until_s ? BOOT_NS + rows[i].until_s * SECOND : 0;
		p = load(&f, 0, 1);
		if (p->samples != rows[i].samples)
			fail_msg("line %d: %" PRIu64 " samples", rows[i].line, p->samples);
		assert_true(p->first_ns >= f.since_ns);
		assert_true(!f.until_ns || p->last_ns < f.until_ns);
		profile_free(p);
	}
}

/* The host is what the newest epoch says; NUMA nodes and CPUs are known by number */
static void test_host(void **state)
{
	struct recording r;
	struct profile *p;

	(void)state;
	recording_open(&r, path[0]);
	recording_epoch(&r, 1000);
	recording_sample(&r, SECOND, 0, 0, 7, 1, &in_burn);
	PUT(&r, RECORD_NOTE, note, .time_ns = 2 * SECOND, .text = record_string("second"));
	recording_epoch(&r, 2 * SECOND);
	PUT(&r, RECORD_HOST, host, .key = record_string("kernel"), .value = record_string("6.18"));
	PUT(&r, RECORD_NOTE, note, .time_ns = SECOND, .text = record_string("first"));
	recording_close(&r);
	p = load(NULL, 0, 1);
	assert_string_equal(p->host.hostname, "testhost");
	assert_string_equal(p->host.kernel, "6.18");
	assert_string_equal(p->host.arch, "");
	assert_int_equal(p->host.cpus, 4);
	assert_int_equal(p->host.cpu_ids, 8); /* one sample is from CPU 7 */
	assert_int_equal(p->host.nodes, 2);
	assert_int_equal(p->host.node_of_cpu[1], 0);
	assert_int_equal(p->host.node_of_cpu[2], 1);
	assert_int_equal(p->n_notes, 2);
	assert_string_equal(p->notes[0].text, "first");
	assert_int_equal(p->notes[1].realtime_ns, BOOT_NS + 2 * SECOND);
	profile_free(p);
}

static void write_one(const char *name, unsigned int samples)
{
	struct recording r;

	recording_open(&r, name);
	recording_epoch(&r, SECOND);
	for (unsigned int i = 0; i < samples; i++)
		recording_sample(&r, SECOND + i, 0, 0, 0, 1, &in_burn);
	recording_close(&r);
}

/* Files and directories add up, each file once; what is not there gets its own sentence */
static void test_paths(void **state)
{
	char sub[96], foreign[96], text[96];
	const struct {
		int line;
		const char *paths[3];
		int result;
		uint64_t samples;
		const char *sentence;
	} rows[] = {
		{ __LINE__, { path[0] }, 0, 3, NULL },
		{ __LINE__, { path[0], path[1] }, 0, 8, NULL },
		{ __LINE__, { directory }, 0, 8, NULL },
		{ __LINE__, { directory, path[1], directory }, 0, 8, NULL },
		{ __LINE__, { sub }, -ENOENT, 0, "There are no segments" },
		{ __LINE__, { "/nonexistent" }, -ENOENT, 0, "There is no file or directory" },
		{ __LINE__, { path[0], "/nonexistent" }, -ENOENT, 0, "/nonexistent" },
		{ __LINE__, { text }, -EBADMSG, 0, text },
		{ __LINE__, { foreign }, -EBADMSG, 0, NULL },
	};
	FILE *f;

	(void)state;
	write_one(path[0], 3);
	write_one(path[1], 5);
	snprintf(sub, sizeof(sub), "%s/empty", directory);
	snprintf(foreign, sizeof(foreign), "%s/foreign", directory);
	snprintf(text, sizeof(text), "%s/notes.txt", directory);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(mkdir(foreign, 0700), 0);
	f = fopen(text, "w");
	fputs("hello\n", f);
	fclose(f);
	snprintf(foreign + strlen(foreign), sizeof(foreign) - strlen(foreign), "/x.seg");
	f = fopen(foreign, "w");
	for (int i = 0; i < 10000; i++)
		fputc(i * 7, f);
	fclose(f);
	*strrchr(foreign, '/') = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *error = NULL;
		struct profile *p = NULL;
		size_t n = 0;
		int r;

		while (n < 3 && rows[i].paths[n])
			n++;
		r = profile_load_threads(rows[i].paths, n, NULL, 0, 2, &p, &error);
		if (r != rows[i].result || (p && p->samples != rows[i].samples) ||
		    (r < 0) != (error != NULL) ||
		    (rows[i].sentence && !strstr(error, rows[i].sentence)))
			fail_msg("line %d: %d, %s", rows[i].line, r, error ? error : "-");
		profile_free(p);
	}
}

/* A window without samples says which window there is, and still has the ledger */
static void test_no_samples(void **state)
{
	static const char *const nobody[] = { "nobody", NULL };
	const struct {
		int line;
		struct profile_filter filter;
		const char *sentence;
	} rows[] = {
		{ __LINE__,
		  { .until_ns = BOOT_NS },
		  "until 2026-01-31 10:00:00; the segments reach from 20" },
		{ __LINE__, { .since_ns = BOOT_NS + 9 * SECOND }, "since 2026-01-31 10:00:09" },
		{ __LINE__,
		  { .since_ns = BOOT_NS + 8 * SECOND, .until_ns = BOOT_NS + 9 * SECOND },
		  "between 2026-01-31 10:00:08 and 2026-01-31 10:00:09" },
		{ __LINE__, { .event = "instructions" }, "cpu-clock, page-faults" },
		{ __LINE__, { .comms = nobody }, "No sample of the segments matches" },
		{ __LINE__, { .comms = nobody, .until_ns = BOOT_NS + SECOND * 9 }, "that match" },
	};

	(void)state;
	write_one(path[0], 3);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *paths[] = { path[0] };
		_cleanup_free_ char *error = NULL;
		struct profile *p = NULL;

		assert_int_equal(profile_load(paths, 1, &rows[i].filter, 0, &p, &error), -ENODATA);
		assert_non_null(p);
		assert_int_equal(p->n_cells, 0);
		if (!strstr(error, rows[i].sentence))
			fail_msg("line %d: %s", rows[i].line, error);
		profile_free(p);
	}
}

/* A damaged epoch costs its samples and is counted; the epochs around it are whole */
static void test_damage(void **state)
{
	struct segment_reader *reader;
	const struct segment_epoch *epoch;
	_cleanup_free_ char *error = NULL;
	struct recording r;
	struct profile *p;
	uint8_t byte;
	off_t at;
	int fd;

	(void)state;
	recording_open(&r, path[0]);
	for (uint64_t e = 0; e < 3; e++) {
		recording_epoch(&r, (1 + e) * SECOND);
		for (unsigned int i = 0; i < 100; i++)
			recording_sample(&r, (1 + e) * SECOND + i, 0, 0, i % 4, 1, &in_burn);
	}
	recording_close(&r);
	assert_int_equal(segment_reader_open(path[0], &reader, &error), 0);
	assert_int_equal(segment_reader_info(reader)->n_epochs, 3);
	epoch = &segment_reader_info(reader)->epochs[1];
	at = (off_t)(epoch->offset + epoch->end) / 2;
	segment_reader_close(reader);
	fd = open(path[0], O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
	p = load(NULL, 0, 1);
	assert_int_equal(p->samples, 200);
	assert_int_equal(p->unreadable, 1);
	profile_free(p);
}

/* --- random recordings -------------------------------------------------------------------------*/

struct expected {
	char stack[512];
	uint32_t event, pid, cpu;
	uint64_t samples, weight;
};

struct world {
	unsigned int state;
	struct expected list[4096];
	size_t n;
	uint64_t samples;
};

static unsigned int draw(struct world *w, unsigned int n)
{
	w->state = w->state * 1103515245 + 12345;
	return (w->state >> 8) % n;
}

static void count(struct expected *list, size_t *n, const struct expected *e)
{
	size_t i = 0;

	while (i < *n && (strcmp(list[i].stack, e->stack) != 0 || list[i].event != e->event ||
			  list[i].pid != e->pid || list[i].cpu != e->cpu))
		i++;
	if (i == *n) {
		assert_true(*n < 4096);
		list[(*n)++] = *e;
		return;
	}
	list[i].samples += e->samples;
	list[i].weight += e->weight;
}

/* The names are known from the world that recording.h describes, not from the code under test. */
static void expect_stack(const struct stack *s, char *out, size_t size)
{
	static const char *const leaf[N_FRAMES] = { "main",	   "burn",	   "wait",
						    "wait",	   "[app+0x9000]", "sys_read",
						    "copy_to_user" };
	static const char *const caller[N_FRAMES] = { "main",	     "burn",	     "wait",
						      "burn",	     "[app+0x9000]", "sys_read",
						      "copy_to_user" };
	size_t used = 0;

	out[0] = 0;
	for (int i = s->kernel + s->user - 1; i >= 0; i--) {
		bool is_leaf = i == 0 || i == s->kernel;

		used += (size_t)snprintf(out + used, size - used, "%s%s",
					 (is_leaf ? leaf : caller)[s->frames[i]],
					 i == s->kernel && i ? "|"
					 : i		     ? ";"
							     : "");
	}
}

static void write_random(struct world *w, const char *name, unsigned int samples)
{
	struct recording r;

	recording_open(&r, name);
	for (unsigned int i = 0; i < samples; i++) {
		static const uint32_t pids[N_THREADS] = { 100, 100, 200, 300 };
		struct stack s = { .kernel = draw(w, 3) ? 0 : (uint16_t)draw(w, 4),
				   .user = (uint16_t)draw(w, 6) };
		uint32_t thread = draw(w, N_THREADS);
		struct expected e = { .event = draw(w, 2),
				      .pid = pids[thread],
				      .cpu = draw(w, 4),
				      .samples = 1,
				      .weight = 1 + draw(w, 1000) };

		for (unsigned int k = 0; k < s.kernel; k++)
			s.frames[k] = SYS_READ + draw(w, 2);
		for (unsigned int k = s.kernel; k < s.kernel + s.user; k++)
			s.frames[k] = draw(w, 4) ? k % 5 : draw(w, 5);
		if (i % 97 == 0)
			recording_epoch(&r, (1 + i) * SECOND);
		else if (i % 13 == 0)
			recording_flush(&r);
		recording_sample(&r, (1 + i) * SECOND, e.event, thread, e.cpu, e.weight, &s);
		expect_stack(&s, e.stack, sizeof(e.stack));
		count(w->list, &w->n, &e);
		w->samples++;
	}
	recording_close(&r);
}

static int compare_expected(const void *a, const void *b)
{
	const struct expected *x = a, *y = b;
	int r = strcmp(x->stack, y->stack);

	if (r == 0)
		r = (x->event > y->event) - (x->event < y->event);
	if (r == 0)
		r = (x->pid > y->pid) - (x->pid < y->pid);
	return r ? r : (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

static void assert_same(struct expected *a, size_t n_a, struct expected *b, size_t n_b)
{
	assert_int_equal(n_a, n_b);
	qsort(a, n_a, sizeof(*a), compare_expected);
	qsort(b, n_b, sizeof(*b), compare_expected);
	for (size_t i = 0; i < n_a; i++) {
		assert_int_equal(compare_expected(&a[i], &b[i]), 0);
		assert_int_equal(a[i].samples, b[i].samples);
		assert_int_equal(a[i].weight, b[i].weight);
	}
}

/* Whatever is recorded is found again, by one thread or several, summed up in any way */
static void test_random(void **state)
{
	static struct expected found[4096];
	static struct world w;

	(void)state;
	w.state = 1;
	write_random(&w, path[0], 1500);
	write_random(&w, path[1], 1500);
	for (unsigned int threads = 1; threads <= 5; threads += 2) {
		struct profile *p = load(NULL, PROFILE_BY_THREAD | PROFILE_BY_CPU, threads);
		size_t n = 0;

		for (size_t i = 0; i < p->n_cells; i++) {
			const struct profile_cell *c = &p->cells[i];
			struct expected e = { .event = c->event,
					      .cpu = c->cpu,
					      .samples = c->samples,
					      .weight = c->weight };

			e.pid = p->processes[p->threads[c->thread].process].pid;
			put_stack(p, c->node, e.stack, sizeof(e.stack));
			count(found, &n, &e);
		}
		assert_same(found, n, w.list, w.n);
		assert_string_equal(p->events[0].fired, "cpu-clock");
		assert_int_equal(p->n_events, 2);
		assert_int_equal(p->n_processes, 3);
		assert_int_equal(p->n_threads, 4);
		profile_free(p);
	}
	for (unsigned int dimensions = 0; dimensions < 32; dimensions++) {
		struct profile *p = load(NULL, dimensions, 3);
		uint64_t samples = 0, weight = 0;

		for (size_t i = 0; i < p->n_cells; i++) {
			samples += p->cells[i].samples;
			weight += p->cells[i].weight;
		}
		assert_int_equal(samples, 3000);
		assert_int_equal(p->samples, 3000);
		assert_int_equal(weight, p->weight);
		assert_int_equal(p->events[0].samples + p->events[1].samples, 3000);
		profile_free(p);
	}
}

struct walked {
	struct expected list[4096];
	size_t n;
	uint64_t last_ns;
};

static int on_walked(const struct profile *p, const struct profile_sample *s, void *userdata)
{
	struct walked *w = userdata;
	struct expected e = { .event = s->event, .cpu = s->cpu, .samples = 1, .weight = s->weight };

	assert_true(s->realtime_ns >= w->last_ns);
	assert_int_equal(s->realtime_ns, s->monotonic_ns + BOOT_NS);
	w->last_ns = s->realtime_ns;
	e.pid = p->processes[p->threads[s->thread].process].pid;
	put_stack(p, s->node, e.stack, sizeof(e.stack));
	count(w->list, &w->n, &e);
	return 0;
}

static int stop_at_third(const struct profile *p, const struct profile_sample *s, void *userdata)
{
	(void)p;
	(void)s;
	return ++*(int *)userdata == 3 ? -ECANCELED : 0;
}

/* A walk gives every sample once, in the order of time, across segments that overlap */
static void test_walk(void **state)
{
	const char *paths[] = { directory };
	static struct walked walked;
	static struct world w;
	_cleanup_free_ char *error = NULL;
	struct profile *p = NULL;
	int calls = 0;

	(void)state;
	w.state = 2;
	write_random(&w, path[0], 700);
	write_random(&w, path[1], 900);
	assert_int_equal(profile_walk(paths, 1, NULL, &p, on_walked, &walked, &error), 0);
	assert_same(walked.list, walked.n, w.list, w.n);
	profile_free(p);
	p = NULL;
	assert_int_equal(profile_walk(paths, 1, NULL, &p, stop_at_third, &calls, &error),
			 -ECANCELED);
	assert_int_equal(calls, 3);
	profile_free(p);
}

/* An address is found again through the mapping of the process, or the base of the object */
static void test_addresses(void **state)
{
	const struct stack stack = { 1, 2, { COPY, BURN, MAIN_CALL } };
	struct recording r;
	struct profile *p;

	(void)state;
	recording_open(&r, path[0]);
	recording_epoch(&r, SECOND);
	recording_sample(&r, SECOND, 0, THREAD_WEB, 0, 1, &stack);
	recording_sample(&r, SECOND, 0, THREAD_DB, 0, 1, &stack);
	recording_sample(&r, SECOND, 0, THREAD_DB, 0, 1, &(struct stack){ 0, 1, { JIT_DB } });
	recording_close(&r);
	p = load(NULL, PROFILE_BY_THREAD, 1);
	assert_int_equal(p->n_cells, 3);
	for (size_t i = 0; i < p->n_cells; i++) {
		uint32_t process = p->threads[p->cells[i].thread].process;
		uint32_t node = p->cells[i].node, user = p->nodes[node].parent;
		uint64_t base = p->processes[process].pid == 100 ? 0x400000 : 0x7f0000000000;

		if (user == 0) {
			assert_int_equal(profile_frame_address(p, p->nodes[node].frame, process),
					 0x10100);
			continue;
		}
		assert_int_equal(profile_frame_address(p, p->nodes[node].frame, process),
				 0xffffffff81000610);
		assert_int_equal(profile_frame_address(p, p->nodes[user].frame, process),
				 base + 0x1150);
		assert_int_equal(p->processes[process].n_mappings, 2);
		assert_true(p->processes[process].mappings[0].start <
			    p->processes[process].mappings[1].start);
	}
	profile_free(p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stacks), TEST(test_filters), TEST(test_events),     TEST(test_time_line),
		TEST(test_host),   TEST(test_paths),   TEST(test_no_samples), TEST(test_damage),
		TEST(test_random), TEST(test_walk),    TEST(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
