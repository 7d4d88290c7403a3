// SPDX-License-Identifier: Apache-2.0
// What the recorder makes of a sample's addresses: frames, the ends of broken walks, and names that
// are written down late.
#include <linux/types.h>
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

#include "process/mappings.h"
#include "profile/recorder.h"
#include "store/segment_reader.h"
#include "util/cleanup.h"

#define PID 4711
#define MAPPED 0x400000 /* a file, one MiB of it */
#define OWN 0x7f0000000000 /* code the process wrote itself */
#define BUILD_ID                                                                                   \
	{                                                                                          \
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20              \
	}

struct fixture {
	char directory[64], file[80], procfs[80];
	struct object_table *objects;
	struct perf_maps *perf_maps;
	struct segment_writer *writer;
	struct recorder *recorder;
	struct process process;
	uint64_t time_ns;
};

static void write_text(const struct fixture *f, const char *name, const char *text)
{
	char path[160];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->directory, name);
	out = fopen(path, "ae");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void shell(const struct fixture *f, const char *command)
{
	char text[512];

	snprintf(text, sizeof(text), "cd %s && %s", f->directory, command);
	assert_int_equal(system(text), 0);
}

static void map(struct fixture *f, enum object_kind kind, uint64_t start, const char *path)
{
	static const uint8_t build_id[] = BUILD_ID;
	struct object_key key = { .kind = kind, .path = path, .inode = kind == OBJECT_ANON };
	struct mapping m = { start, start + (1 << 20), kind == OBJECT_ANON ? start : 0, NULL };

	if (kind == OBJECT_FILE) {
		key.build_id = build_id;
		key.build_id_size = sizeof(build_id);
	}
	m.object = object_table_get(f->objects, &key);
	assert_non_null(m.object);
	m.object->index_state = kind == OBJECT_FILE ? INDEX_FAILED : INDEX_NONE;
	assert_int_equal(mappings_overlay(&f->process.mappings, &m), 1);
	f->process.mappings->own_code |= kind == OBJECT_ANON;
	object_unref(m.object);
}

static void open_fixture(struct fixture *f)
{
	struct segment_writer_options output = { .file = f->file };
	const struct record_bytes none = record_string("");
	struct record_event event = { none, none,      record_string("cpu-clock"), none, none, none,
				      none, .value = 1 };
	struct recorder_options options = { .n_cpus = 1 };
	char status[96];

	*f = (struct fixture){ .directory = "/var/tmp/test_recorder.XXXXXX", .time_ns = 1000 };
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->file, sizeof(f->file), "%s/x.seg", f->directory);
	snprintf(f->procfs, sizeof(f->procfs), "%s/proc", f->directory);
	shell(f, "mkdir -p proc/4711 root/tmp && ln -s ../../root proc/4711/root && "
		 "ln -s /proc/self/mountinfo proc/4711/mountinfo");
	snprintf(status, sizeof(status), "Name:\tx\nUid:\t99\t%u\t99\t99\nNSpid:\t4711\n",
		 getuid());
	write_text(f, "proc/4711/status", status);
	f->objects = object_table_new();
	f->perf_maps = perf_maps_new(f->procfs);
	assert_non_null(f->objects);
	assert_non_null(f->perf_maps);
	assert_int_equal(segment_writer_open(&output, &f->writer, &(char *){ NULL }), 0);
	options.writer = f->writer;
	options.objects = f->objects;
	options.perf_maps = f->perf_maps;
	assert_int_equal(recorder_new(&options, &f->recorder), 0);
	assert_int_equal(recorder_set_event(f->recorder, 0, &event), 0);
	f->process = (struct process){
		.pid = PID, .exe = "", .cgroup = "", .unit = "", .container = "", .generation = 1
	};
}

/* Hands everything to the writer and gives back what is not the recording itself. */
static void finish(struct fixture *f)
{
	recorder_flush(f->recorder);
	recorder_free(f->recorder);
	assert_int_equal(segment_writer_finish(f->writer), 0);
	segment_writer_close(f->writer);
	mappings_unref(f->process.mappings);
	free(f->process.mapping_written);
	object_unref(f->process.jit);
	perf_maps_free(f->perf_maps);
	object_table_prune(f->objects);
	assert_int_equal(object_table_size(f->objects), 0);
	object_table_free(f->objects);
}

static void close_fixture(struct fixture *f)
{
	shell(f, "rm -rf proc root *.seg");
	assert_int_equal(rmdir(f->directory), 0);
}

#define STACK_MAX 8

/* User addresses, leaf first, until 0. */
static void take(struct fixture *f, uint8_t status, const uint64_t *stack)
{
	struct sample_record s = {
		.head = { .kind = RECORD_KIND_SAMPLE, .time_ns = f->time_ns += 1000 },
		.pid = PID,
		.tid = PID,
		.period = 1,
		.user_status = status,
		.comm = "x",
	};

	for (; s.user_frames < STACK_MAX && stack[s.user_frames]; s.user_frames++)
		s.words[s.user_frames] = stack[s.user_frames];
	assert_true(recorder_sample(f->recorder, &s, &f->process));
}

/* --- reading back --- */

#define MANY 64

struct reading {
	struct record_object objects[MANY];
	struct record_frame frames[MANY];
	struct named {
		char name[32];
		uint64_t start;
	} functions[MANY];
	size_t n_objects, n_frames, n_functions, n_samples;
	char samples[MANY][256]; /* "status: name name ...", leaf first */
};

static char kind_letter(enum object_kind kind)
{
	return kind == OBJECT_FILE ? 'F' : kind == OBJECT_ANON ? 'A' : '?';
}

static void put_sample(struct reading *r, const struct record_sample *s)
{
	char *out = r->samples[r->n_samples++];
	size_t n = (size_t)sprintf(out, "%u:", s->user_status);

	assert_true(r->n_samples <= MANY);
	for (size_t i = 0; i < s->user_frames; i++) {
		const struct record_frame *at = &r->frames[s->frames[i]];

		n += (size_t)sprintf(out + n, " %c%llx", kind_letter(r->objects[at->object].kind),
				     (unsigned long long)at->offset);
	}
}

static void put_function(struct reading *r, const struct record_function *f)
{
	struct named *n = &r->functions[r->n_functions++];

	snprintf(n->name, sizeof(n->name), "%.*s", (int)f->name.size, f->name.data);
	n->start = f->start;
}

static void read_back(const struct fixture *f, struct reading *r)
{
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
	struct record record;

	*r = (struct reading){};
	assert_int_equal(segment_reader_open(f->file, &reader, &(char *){ NULL }), 0);
	assert_int_equal(segment_reader_info(reader)->n_epochs, 1);
	assert_int_equal(epoch_walk_open(reader, 0, &walk), 0);
	while (epoch_walk_next(walk, &record) == 1) {
		assert_true(r->n_objects < MANY && r->n_frames < MANY && r->n_functions < MANY);
		if (record.type == RECORD_OBJECT)
			r->objects[r->n_objects++] = record.object;
		else if (record.type == RECORD_FRAME)
			r->frames[r->n_frames++] = record.frame;
		else if (record.type == RECORD_FUNCTION)
			put_function(r, &record.function);
		else if (record.type == RECORD_SAMPLE)
			put_sample(r, &record.sample);
	}
}

/* --- what is proven --- */

/*
 * Callers outside every mapping, with none inside beyond them, are the end of a broken walk; the
 * leaf, and what lies between mapped frames, stays. One stack after the other on one CPU, so that
 * each also shares outer frames with the one before.
 */
static void ends_of_broken_walks(void **state)
{
	static const struct {
		int line;
		uint8_t status;
		uint64_t stack[STACK_MAX];
		const char *expected;
	} rows[] = {
		{ __LINE__, STACK_UNVERIFIED, { MAPPED, MAPPED + 16 }, "4: F0 F10" },
		{ __LINE__, STACK_UNVERIFIED, { MAPPED, MAPPED + 16, 0x123, ~0ULL }, "5: F0 F10" },
		{ __LINE__,
		  STACK_UNVERIFIED,
		  { MAPPED + 8, MAPPED + 16, 0x123, ~0ULL },
		  "5: F8 F10" },
		{ __LINE__, STACK_FAULT, { MAPPED + 8, 0x123, ~0ULL }, "5: F8" },
		{ __LINE__, STACK_TRUNCATED, { MAPPED + 8, 0x77, 0x123, ~0ULL }, "5: F8" },
		/* the leaf is right, whatever it is */
		{ __LINE__, STACK_UNVERIFIED, { 0x123, ~0ULL }, "5: ?123" },
		{ __LINE__, STACK_UNVERIFIED, { ~0ULL }, "4: ?ffffffffffffffff" },
		{ __LINE__, STACK_UNVERIFIED, { MAPPED, ~0ULL }, "5: F0" },
		{ __LINE__, STACK_UNVERIFIED, { ~0ULL }, "4: ?ffffffffffffffff" },
		{ __LINE__, STACK_UNVERIFIED, { 0x123, 0x77, ~0ULL }, "5: ?123" },
		/* perhaps code that was moved */
		{ __LINE__, STACK_UNVERIFIED, { MAPPED, 0x123, MAPPED + 16 }, "4: F0 ?123 F10" },
		{ __LINE__, STACK_UNVERIFIED, { 0x123, MAPPED + 16 }, "4: ?123 F10" },
		{ __LINE__,
		  STACK_UNVERIFIED,
		  { MAPPED, 0x123, MAPPED + 16, 0x77 },
		  "5: F0 ?123 F10" },
		/* the unwinder knows why it ended */
		{ __LINE__, STACK_EARLY, { MAPPED, 0x123 }, "9: F0" },
		{ __LINE__, STACK_COMPLETE, { MAPPED, MAPPED + 16 }, "1: F0 F10" },
		{ __LINE__, STACK_UNVERIFIED, { 0 }, "4:" },
	};
	struct reading reading;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	map(&f, OBJECT_FILE, MAPPED, "/bin/x");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		take(&f, rows[i].status, rows[i].stack);
	finish(&f);
	read_back(&f, &reading);
	assert_int_equal(reading.n_samples, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(reading.samples[i], rows[i].expected) != 0)
			fail_msg("line %d: '%s', not '%s'", rows[i].line, reading.samples[i],
				 rows[i].expected);
	close_fixture(&f);
}

/* Of a process whose mappings nobody could read every address is kept. */
static void nothing_known(void **state)
{
	struct reading reading;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	take(&f, STACK_UNVERIFIED, (uint64_t[STACK_MAX]){ 0x1000, 0x2000 });
	finish(&f);
	read_back(&f, &reading);
	assert_string_equal(reading.samples[0], "4: ?1000 ?2000");
	close_fixture(&f);
}

static bool has_function(const struct reading *r, const char *name, uint64_t start)
{
	for (size_t i = 0; i < r->n_functions; i++)
		if (strcmp(r->functions[i].name, name) == 0 && r->functions[i].start == start)
			return true;
	return false;
}

/*
 * Code that was sampled before its process wrote its name down gets it afterwards, in the same
 * epoch; code outside every mapping becomes a frame when it does. What another program writes under
 * the same pid is about itself.
 */
static void late_names(void **state)
{
	const uint64_t in_own[STACK_MAX] = { OWN + 8, MAPPED },
		       moved[STACK_MAX] = { MAPPED, 0x5008, 0x5008 };
	struct reading reading;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	map(&f, OBJECT_FILE, MAPPED, "/bin/x");
	map(&f, OBJECT_ANON, OWN, "//anon");
	write_text(&f, "root/tmp/perf-4711.map", "7f0000001000 10 other\n");
	take(&f, STACK_UNVERIFIED, in_own);
	take(&f, STACK_UNVERIFIED, moved);
	recorder_look_again(f.recorder);
	write_text(&f, "root/tmp/perf-4711.map", "7f0000000000 10 late\n5000 10 moved\n");
	recorder_look_again(f.recorder);
	take(&f, STACK_UNVERIFIED, moved);
	take(&f, STACK_UNVERIFIED, (uint64_t[STACK_MAX]){ OWN + 0x2000 });
	recorder_process_gone(f.recorder, PID);
	write_text(&f, "root/tmp/perf-4711.map", "7f0000002000 10 successor\n");
	recorder_look_again(f.recorder);
	finish(&f);
	read_back(&f, &reading);
	assert_string_equal(reading.samples[0], "4: A7f0000000008 F0");
	assert_string_equal(reading.samples[1], "5: F0");
	assert_string_equal(reading.samples[2], "4: F0 A5008 A5008");
	assert_true(has_function(&reading, "late", OWN));
	assert_true(has_function(&reading, "moved", 0x5000));
	assert_int_equal(reading.n_functions, 2);
	close_fixture(&f);
}

/* A guest is a frame and a function of that name, in an object of its own, however often it runs.
 */
static void guest(void **state)
{
	struct sample_record s = {
		.head = { .kind = RECORD_KIND_SAMPLE },
		.pid = PID,
		.tid = PID,
		.period = 1,
		.kernel_frames = 1,
		.user_frames = 1,
		.kernel_status = STACK_COMPLETE,
		.user_status = STACK_COMPLETE,
		.comm = "x",
		.words = { SAMPLE_GUEST, MAPPED },
	};
	struct reading r;
	struct fixture f;
	size_t objects = 0;

	(void)state;
	open_fixture(&f);
	map(&f, OBJECT_FILE, MAPPED, "/bin/x");
	for (int i = 0; i < 3; i++) {
		s.head.time_ns = f.time_ns += 1000;
		s.words[1] = MAPPED + (uint64_t)i;
		assert_true(recorder_sample(f.recorder, &s, &f.process));
	}
	finish(&f);
	read_back(&f, &r);
	assert_int_equal(r.n_samples, 3);
	assert_int_equal(r.n_functions, 1);
	assert_string_equal(r.functions[0].name, "[guest]");
	for (size_t i = 0; i < r.n_objects; i++)
		objects += r.objects[i].kind == OBJECT_MODULE;
	assert_int_equal(objects, 1);
	assert_int_equal(r.n_frames, 1 + 3);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_broken_walks),
		cmocka_unit_test(nothing_known),
		cmocka_unit_test(guest),
		cmocka_unit_test(late_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
