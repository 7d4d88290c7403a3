/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A small profile built by hand for the tests of the exporters: two events, two processes that map
 * the same files at different addresses, every kind of object, and names that want to be markup,
 * separators or terminal commands. What it holds is known by construction:
 *
 *   process  stack (outermost first)                                samples (of cpu-clock)
 *   demo     main work HOSTILE                                      40
 *   demo     main work [libc.so.6+0x5000]                           10
 *   demo     main do_syscall_64 vfs_read nft_do_chain bpf_prog_x    30
 *   COMM     main work                                              15
 *   COMM     jitted                                                 4
 *   COMM     (no stack)                                             1
 *
 * and for page-faults: demo main work, 3 samples of 1009.
 */
#include "bpf/sample.h"
#include "profile/profile.h"
#include "util/cleanup.h"

#define HOSTILE "<script>alert(1)</script>;\"'\\&\n\x1b[31m\xff]]>"
#define HOSTILE_COMM "a;b\n\x1b[2J\xff<b>"
#define CPU_PERIOD UINT64_C(10101010)

enum fixture_object {
	KERNEL_IMAGE,
	KERNEL_MODULE,
	BPF_IMAGE,
	PROGRAM,
	LIBC,
	JIT_MEMORY,
	NOWHERE,
	FIXTURE_OBJECTS
};

enum fixture_function {
	DO_SYSCALL_64,
	VFS_READ,
	NFT_DO_CHAIN,
	BPF_PROG,
	MAIN,
	WORK,
	HOSTILE_FUNCTION,
	LIBC_5000,
	JITTED,
	FIXTURE_FUNCTIONS
};

struct fixture {
	struct profile p;
	struct profile_event events[2];
	struct profile_rate rates[2];
	struct profile_ledger ledgers[2];
	struct profile_object objects[FIXTURE_OBJECTS];
	struct profile_function functions[FIXTURE_FUNCTIONS];
	struct profile_frame frames[FIXTURE_FUNCTIONS]; /* frame i lies in function i */
	struct profile_node nodes[16];
	struct record_mapping mappings[2][3];
	struct profile_process processes[2];
	struct profile_thread threads[3];
	struct profile_cell cells[8];
	struct profile_note notes[1];
	uint32_t node_of_cpu[2];
};

static inline uint32_t fixture_node(struct fixture *f, uint32_t parent, uint32_t function,
				    bool leaf_of_half)
{
	f->nodes[f->p.n_nodes] = (struct profile_node){ parent, function, leaf_of_half };
	return (uint32_t)f->p.n_nodes++;
}

static inline void fixture_cell(struct fixture *f, uint32_t event, uint32_t node, uint32_t thread,
				uint64_t samples, uint64_t period)
{
	f->cells[f->p.n_cells++] = (struct profile_cell){
		.event = event,
		.node = node,
		.thread = thread,
		.cpu = PROFILE_NONE,
		.samples = samples,
		.weight = samples * period,
	};
	f->events[event].samples += samples;
	f->events[event].weight += samples * period;
	f->p.samples += samples;
}

static inline void fixture_objects(struct fixture *f)
{
	static const struct profile_object objects[FIXTURE_OBJECTS] = {
		[KERNEL_IMAGE] = { OBJECT_KERNEL,
				   "[kernel]",
				   "[kernel]",
				   { 0xaa, 0xbb },
				   20,
				   0xffffffff81000000 },
		[KERNEL_MODULE] = { OBJECT_MODULE,
				    "nf_tables",
				    "[nf_tables]",
				    { 0 },
				    0,
				    0xffffffffc0100000 },
		[BPF_IMAGE] = { OBJECT_BPF,
				"bpf_prog_0123_x",
				"[bpf]",
				{ 0 },
				0,
				0xffffffffc0200000 },
		[PROGRAM] = { OBJECT_FILE, "/opt/demo", "demo", { 0x12, 0x34 }, 20, 0 },
		[LIBC] = { OBJECT_FILE, "/lib/libc.so.6", "libc.so.6", { 0x56 }, 20, 0 },
		[JIT_MEMORY] = { OBJECT_ANON, "//anon", "[anon]", { 0 }, 0, 0 },
		[NOWHERE] = { OBJECT_UNKNOWN, "", "[unknown]", { 0 }, 0, 0 },
	};
	static const struct profile_function functions[FIXTURE_FUNCTIONS] = {
		[DO_SYSCALL_64] = { KERNEL_IMAGE, 0x1000, 0x100, "do_syscall_64", true },
		[VFS_READ] = { KERNEL_IMAGE, 0x2000, 0x100, "vfs_read", true },
		[NFT_DO_CHAIN] = { KERNEL_MODULE, 0x300, 0x100, "nft_do_chain", true },
		[BPF_PROG] = { BPF_IMAGE, 0, 0x80, "bpf_prog_x", true },
		[MAIN] = { PROGRAM, 0x1100, 0x100, "main", true },
		[WORK] = { PROGRAM, 0x1200, 0x100, "work", true },
		[HOSTILE_FUNCTION] = { PROGRAM, 0x1300, 0x100, HOSTILE, true },
		[LIBC_5000] = { LIBC, 0x5000, 0, "[libc.so.6+0x5000]", false },
		[JITTED] = { JIT_MEMORY, 0x7f0000001000, 0x100, "jitted", true },
	};

	memcpy(f->objects, objects, sizeof(objects));
	memcpy(f->functions, functions, sizeof(functions));
	for (uint32_t i = 0; i < FIXTURE_FUNCTIONS; i++)
		f->frames[i] = (struct profile_frame){ functions[i].object,
						       functions[i].start + 0x10,
						       { i, i } };
	f->frames[LIBC_5000].offset = 0x5000;
}

static inline void fixture_processes(struct fixture *f)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t shift = i * 0x100000000;
		const struct record_mapping mappings[3] = {
			{ i, PROGRAM, 0x560000001000 + shift, 0x560000003000 + shift, 0x1000 },
			{ i, JIT_MEMORY, 0x7f0000000000, 0x7f0000010000, 0 },
			{ i, LIBC, 0x7fff00004000 + shift, 0x7fff00008000 + shift, 0x4000 },
		};

		memcpy(f->mappings[i], mappings, sizeof(mappings));
		f->processes[i] = (struct profile_process){
			.pid = 100 + i,
			.ppid = 1,
			.start_ns = 5,
			.comm = i ? HOSTILE_COMM : "demo",
			.exe = "/opt/demo",
			.cgroup = "/",
			.unit = i ? "" : "demo.service",
			.container = i ? "0123456789abcdef0123" : "",
			.mappings = f->mappings[i],
			.n_mappings = 3,
		};
	}
	f->threads[0] = (struct profile_thread){ 0, 100, "demo" };
	f->threads[1] = (struct profile_thread){ 0, 102, "demo-worker" };
	f->threads[2] = (struct profile_thread){ 1, 101, HOSTILE_COMM };
}

static inline void fixture_samples(struct fixture *f)
{
	uint32_t main_node, main_leaf, work, n;

	f->p.n_nodes = 1;
	main_node = fixture_node(f, 0, MAIN, false);
	work = fixture_node(f, main_node, WORK, false);
	fixture_cell(f, 0, fixture_node(f, work, HOSTILE_FUNCTION, true), 0, 40, CPU_PERIOD);
	fixture_cell(f, 0, fixture_node(f, work, LIBC_5000, true), 1, 10, CPU_PERIOD);
	main_leaf = fixture_node(f, 0, MAIN, true);
	n = fixture_node(f, main_leaf, DO_SYSCALL_64, false);
	n = fixture_node(f, n, VFS_READ, false);
	n = fixture_node(f, n, NFT_DO_CHAIN, false);
	fixture_cell(f, 0, fixture_node(f, n, BPF_PROG, true), 0, 30, CPU_PERIOD);
	n = fixture_node(f, main_node, WORK, true);
	fixture_cell(f, 0, n, 2, 15, CPU_PERIOD);
	fixture_cell(f, 0, fixture_node(f, 0, JITTED, true), 2, 4, CPU_PERIOD);
	fixture_cell(f, 0, 0, 2, 1, CPU_PERIOD);
	fixture_cell(f, 1, n, 1, 3, 1009);
}

/* Pointers go into *f itself, which must stay where it is. */
static inline void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->rates[0] = (struct profile_rate){ .freq = true, .value = 99 };
	f->rates[1] = (struct profile_rate){ .value = 1009 };
	f->events[0] = (struct profile_event){
		.profile = "",
		.requested = "cycles",
		.fired = "cpu-clock",
		.reason = "no PMU <here>",
		.pmu = "software",
		.unit = "",
		.counters = "",
		.type = 1,
		.config = 0,
		.rates = &f->rates[0],
		.n_rates = 1,
	};
	f->events[1] = (struct profile_event){
		.profile = "",
		.requested = "page-faults",
		.fired = "page-faults",
		.reason = "",
		.pmu = "software",
		.unit = "",
		.counters = "",
		.type = 1,
		.config = 2,
		.rates = &f->rates[1],
		.n_rates = 1,
	};
	f->events[0].user_status[STACK_TRUNCATED] = 5;
	f->ledgers[0] = (struct profile_ledger){ .seen = 107,
						 .sent = 105,
						 .full = 2,
						 .received = 104,
						 .gaps = 1,
						 .dropped = 4,
						 .expected = 120 };
	fixture_objects(f);
	fixture_processes(f);
	fixture_samples(f);
	f->notes[0] = (struct profile_note){ 1700000000500000000, HOSTILE };
	f->p.host.hostname = "box<1>";
	f->p.host.kernel = "6.1.0";
	f->p.host.arch = "x86_64";
	f->p.host.cpu_model = "A CPU";
	f->p.host.version = "0.1.0";
	f->p.host.virtualization = "";
	f->p.host.cpus = f->p.host.cpu_ids = 2;
	f->p.host.nodes = 1;
	f->p.host.node_of_cpu = f->node_of_cpu;
	f->p.first_ns = 1700000000000000000;
	f->p.last_ns = 1700000010000000000;
	f->p.events = f->events;
	f->p.ledgers = f->ledgers;
	f->p.n_events = 2;
	f->p.objects = f->objects;
	f->p.n_objects = FIXTURE_OBJECTS;
	f->p.functions = f->functions;
	f->p.n_functions = FIXTURE_FUNCTIONS;
	f->p.processes = f->processes;
	f->p.n_processes = 2;
	f->p.threads = f->threads;
	f->p.n_threads = 3;
	f->p.frames = f->frames;
	f->p.n_frames = FIXTURE_FUNCTIONS;
	f->p.nodes = f->nodes;
	f->p.cells = f->cells;
	f->p.notes = f->notes;
	f->p.n_notes = 1;
}

/* Everything `write` gives, NUL-terminated. */
#define CAPTURE(ret_size, write)                                                                   \
	({                                                                                         \
		char *capture_text_ = NULL;                                                        \
		FILE *out = open_memstream(&capture_text_, ret_size);                              \
		assert_non_null(out);                                                              \
		assert_int_equal(write, 0);                                                        \
		fclose(out);                                                                       \
		capture_text_;                                                                     \
	})

/* --- an independent reader of JSON: does the text hold one well-formed value? ------------------
 */

static inline const char *json_skip(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\n')
		s++;
	return s;
}

static inline const char *json_check_string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	while (*s != '"') {
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s == '\\' && !strchr("\"\\/bfnrtu", *++s))
			return NULL;
		s++;
	}
	return s + 1;
}

/* The end of the value that begins at s; NULL: it is not one. */
static inline const char *json_check(const char *s)
{
	char close = *(s = json_skip(s)) == '{' ? '}' : ']';
	size_t n;

	if (*s == '"')
		return json_check_string(s);
	if (*s != '{' && *s != '[') {
		n = strspn(s, "-+.0123456789eE");
		if (n == 0)
			n = strncmp(s, "true", 4) && strncmp(s, "null", 4)
				    ? (strncmp(s, "false", 5) ? 0 : 5)
				    : 4;
		return n ? s + n : NULL;
	}
	if (*(s = json_skip(s + 1)) == close)
		return s + 1;
	for (;;) {
		if (close == '}') {
			s = json_check_string(json_skip(s));
			if (!s || *(s = json_skip(s)) != ':')
				return NULL;
			s++;
		}
		s = json_check(s);
		if (!s)
			return NULL;
		s = json_skip(s);
		if (*s == close)
			return s + 1;
		if (*s++ != ',')
			return NULL;
	}
}
