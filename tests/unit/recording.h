/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Writes segments whose contents are known, through the store's own writer, for tests of what reads
 * them. Every epoch defines the same small world: one program, one kernel, three processes.
 */
#include <stdio.h>

#include "store/record.h"
#include "store/segment_writer.h"

#define SECOND 1000000000ULL
/* CLOCK_REALTIME - CLOCK_MONOTONIC unless a test says otherwise: 2026-01-31 10:00:00 UTC at 0. */
#define BOOT_NS (1769853600 * SECOND)

enum { EVENT_CYCLES, EVENT_FAULTS, N_EVENTS };
enum { THREAD_WEB, THREAD_WEB_WORKER, THREAD_DB, THREAD_SHELL, N_THREADS };

/* Frame ids of an epoch: a place in a function. */
enum frame {
	MAIN_CALL, /* main, in the middle */
	BURN, /* burn, in the middle */
	WAIT, /* wait, in the middle */
	BURN_END, /* behind the last instruction of burn, where wait begins */
	NOWHERE, /* in the program, in no function */
	SYS_READ, /* kernel */
	COPY, /* kernel */
	KERNEL_NOWHERE, /* a kernel address in no known object */
	JIT_WEB, /* the same address in memory of two processes */
	JIT_DB,
	GUEST, /* a virtual machine */
	N_FRAMES,
};

struct recording {
	struct segment_writer *writer;
	struct record_coder *coder;
	struct buffer block;
	uint64_t first_ns, last_ns, samples;
	bool epoch_start;
	int64_t offset_ns; /* realtime - monotonic */
	struct record_access access; /* of the samples that follow */
};

static void recording_put(struct recording *r, const struct record *record)
{
	record_put(&r->block, r->coder, record);
}

#define PUT(r, t, member, ...)                                                                     \
	recording_put(r, &(struct record){ .type = (t), .member = { __VA_ARGS__ } })

static void recording_events(struct recording *r)
{
	PUT(r, RECORD_EVENT, event, .requested = record_string("cycles"),
	    .fired = record_string("cpu-clock"), .reason = record_string("no PMU: ENOENT"),
	    .unit = record_string("ns"), .freq = true, .value = 99);
	PUT(r, RECORD_EVENT, event, .requested = record_string("page-faults"),
	    .fired = record_string("page-faults"), .value = 1009, .memory_access = true);
}

static void recording_processes(struct recording *r)
{
	PUT(r, RECORD_PROCESS, process, .pid = 100, .start_ns = 1, .ppid = 1,
	    .comm = record_string("web"), .exe = record_string("/usr/bin/app"),
	    .unit = record_string("web.service"));
	PUT(r, RECORD_PROCESS, process, .pid = 200, .start_ns = 2, .ppid = 1,
	    .comm = record_string("db"), .unit = record_string("db.service"),
	    .container = record_string("0123456789abcdef"));
	PUT(r, RECORD_PROCESS, process, .pid = 300, .start_ns = 3, .ppid = 200,
	    .comm = record_string("sh"));
	PUT(r, RECORD_THREAD, thread, .process = 0, .tid = 100, .name = record_string("web"));
	PUT(r, RECORD_THREAD, thread, .process = 0, .tid = 101, .name = record_string("worker"));
	PUT(r, RECORD_THREAD, thread, .process = 1, .tid = 200, .name = record_string("db"));
	PUT(r, RECORD_THREAD, thread, .process = 2, .tid = 300, .name = record_string("sh"));
}

static void recording_objects(struct recording *r)
{
	static const char build_id[20] = "build-id of the app";

	PUT(r, RECORD_OBJECT, object, .kind = OBJECT_FILE, .path = record_string("/usr/bin/app"),
	    .build_id = { build_id, sizeof(build_id) });
	PUT(r, RECORD_OBJECT, object, .kind = OBJECT_KERNEL, .path = record_string("[kernel]"),
	    .base = 0xffffffff81000000);
	PUT(r, RECORD_OBJECT, object, .kind = OBJECT_UNKNOWN);
	PUT(r, RECORD_OBJECT, object, .kind = OBJECT_ANON, .path = record_string("//anon"));
	PUT(r, RECORD_OBJECT, object, .kind = OBJECT_ANON, .path = record_string("//anon"));
	PUT(r, RECORD_OBJECT, object, .kind = OBJECT_MODULE, .path = record_string("[guest]"));
	PUT(r, RECORD_MAPPING, mapping, .process = 0, .object = 0, .start = 0x400000,
	    .end = 0x500000, .pgoff = 0);
	PUT(r, RECORD_MAPPING, mapping, .process = 1, .object = 0, .start = 0x7f0000000000,
	    .end = 0x7f0000100000, .pgoff = 0);
	PUT(r, RECORD_MAPPING, mapping, .process = 0, .object = 3, .start = 0x10000,
	    .end = 0x20000);
	PUT(r, RECORD_MAPPING, mapping, .process = 1, .object = 4, .start = 0x10000,
	    .end = 0x20000);
}

static void recording_frames(struct recording *r)
{
	static const struct {
		uint32_t object;
		uint64_t offset;
	} frames[N_FRAMES] = {
		[MAIN_CALL] = { 0, 0x1050 }, [BURN] = { 0, 0x1150 },
		[WAIT] = { 0, 0x1250 },	     [BURN_END] = { 0, 0x1200 },
		[NOWHERE] = { 0, 0x9000 },   [SYS_READ] = { 1, 0x510 },
		[COPY] = { 1, 0x610 },	     [KERNEL_NOWHERE] = { 2, 0xffffffffc0000010 },
		[JIT_WEB] = { 3, 0x10100 },  [JIT_DB] = { 4, 0x10100 },
		[GUEST] = { 5, 0 },
	};
	static const struct {
		uint32_t object;
		uint64_t start, size;
		const char *name;
	} functions[] = {
		{ 0, 0x1000, 0x100, "main" },	     { 0, 0x1100, 0x100, "burn" },
		{ 0, 0x1200, 0x100, "wait" },	     { 1, 0x500, 0x100, "sys_read" },
		{ 1, 0x600, 0x100, "copy_to_user" }, { 3, 0x10100, 0x10, "jit of web" },
		{ 4, 0x10100, 0x10, "jit of db" },   { 5, 0, 1, "[guest]" },
	};

	for (size_t i = 0; i < N_FRAMES; i++)
		PUT(r, RECORD_FRAME, frame, .object = frames[i].object, .offset = frames[i].offset);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		PUT(r, RECORD_FUNCTION, function, .object = functions[i].object,
		    .start = functions[i].start, .size = functions[i].size,
		    .name = record_string(functions[i].name));
}

static inline void recording_clock(struct recording *r, uint64_t monotonic_ns)
{
	PUT(r, RECORD_CLOCK, clock, .monotonic_ns = monotonic_ns,
	    .realtime_ns = monotonic_ns + (uint64_t)r->offset_ns);
}

/* Hands over what there is as one block. */
static void recording_flush(struct recording *r)
{
	int64_t block;
	struct segment_writer_status status;

	if (r->block.size == 0)
		return;
	assert_int_equal(r->block.error, 0);
	block = segment_writer_submit(r->writer, &r->block, r->epoch_start, r->first_ns, r->last_ns,
				      r->samples);
	assert_true(block > 0);
	do
		segment_writer_get_status(r->writer, &status);
	while (status.acknowledged < (uint64_t)block && usleep(100) == 0);
	buffer_reset(&r->block);
	r->epoch_start = false;
	r->first_ns = r->last_ns = r->samples = 0;
}

/* Begins an epoch at a CLOCK_MONOTONIC time. */
static void recording_epoch(struct recording *r, uint64_t monotonic_ns)
{
	recording_flush(r);
	segment_writer_wants_epoch(r->writer);
	r->epoch_start = true;
	record_coder_reset(r->coder);
	recording_clock(r, monotonic_ns);
	PUT(r, RECORD_HOST, host, .key = record_string("hostname"),
	    .value = record_string("testhost"));
	PUT(r, RECORD_HOST, host, .key = record_string("cpus"), .value = record_string("4"));
	PUT(r, RECORD_HOST, host, .key = record_string("numa"), .value = record_string("0-1;2-3,9"));
	recording_events(r);
	recording_processes(r);
	recording_objects(r);
	recording_frames(r);
}

static void recording_open(struct recording *r, const char *path)
{
	struct segment_writer_options options = { .file = path };
	char *error = NULL;

	*r = (struct recording){ .coder = record_coder_new(), .offset_ns = BOOT_NS };
	assert_non_null(r->coder);
	assert_int_equal(segment_writer_open(&options, &r->writer, &error), 0);
}

static void recording_close(struct recording *r)
{
	recording_flush(r);
	assert_int_equal(segment_writer_finish(r->writer), 0);
	segment_writer_close(r->writer);
	record_coder_free(r->coder);
	buffer_done(&r->block);
}

struct stack {
	uint16_t kernel, user;
	uint32_t frames[32]; /* kernel leaf first, then user leaf first */
};

static inline void recording_sample(struct recording *r, uint64_t monotonic_ns, uint32_t event,
				    uint32_t thread, uint32_t cpu, uint64_t period,
				    const struct stack *s)
{
	if (r->samples++ == 0)
		r->first_ns = monotonic_ns;
	r->last_ns = monotonic_ns;
	PUT(r, RECORD_SAMPLE, sample, .time_ns = monotonic_ns, .cpu = cpu, .event = event,
	    .thread = thread, .period = period, .kernel_status = s->kernel ? 1 : 0,
	    .user_status = s->user ? 4 : 0, .kernel_frames = s->kernel, .user_frames = s->user,
	    .frames = s->frames, .access = r->access);
}
