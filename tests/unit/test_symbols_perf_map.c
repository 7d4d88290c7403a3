// SPDX-License-Identifier: Apache-2.0
// JIT code has the names its process wrote down, the latest ones; a map that anybody else could
// have planted is not read.
#include "symbols_fixture.h"

#include "symbols/perf_map.h"
#include "symbols/symbols.h"

#define PID 4711

/* A process 4711 of the fixture's "proc", whose root is "root", of this user. */
static void make_process(const struct fixture *f, const char *status)
{
	char text[256];

	run("cd %s && rm -rf proc root && mkdir -p proc/4711 root/tmp && ln -s ../../root "
	    "proc/4711/root && ln -s /proc/self/mountinfo proc/4711/mountinfo",
	    f->directory);
	snprintf(text, sizeof(text), "Name:\tx\nUid:\t99\t%u\t99\t99\nNSpid:\t4711\n", getuid());
	write_text(in(f, "proc/4711/status"), status ? status : text);
}

static const char *name_at(struct perf_maps *m, uint64_t address)
{
	static char name[8192];
	struct function f;

	if (!perf_maps_find(m, PID, address, &f))
		return "-";
	assert_true(address - f.start < f.size);
	snprintf(name, sizeof(name), "%s", f.name);
	return name;
}

static void append(const char *path, const char *text)
{
	FILE *file = fopen(path, "ae");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void lines_name_addresses(void **state)
{
	static const struct {
		int line;
		const char *text;
		uint64_t address;
		const char *name;
	} cases[] = {
		{ __LINE__, "1000 10 foo\n", 0x1000, "foo" },
		{ __LINE__, "1000 10 foo\n", 0x100f, "foo" },
		{ __LINE__, "1000 10 foo\n", 0x1010, "-" },
		{ __LINE__, "1000 10 foo\n", 0xfff, "-" },
		{ __LINE__, "0x1000 0x10 foo\n", 0x1000, "foo" },
		{ __LINE__, "1000 10 LazyCompile:~a b.js:1\n", 0x1000, "LazyCompile:~a b.js:1" },
		{ __LINE__, "1000 10 foo\r\n", 0x1000, "foo" },
		{ __LINE__, "1000  10\tfoo\n", 0x1000, "foo" },
		/* the last line is complete only with its end */
		{ __LINE__, "1000 10 foo", 0x1000, "-" },
		/* later ones win */
		{ __LINE__, "1000 10 foo\n1000 10 bar\n", 0x1000, "bar" },
		{ __LINE__, "1000 100 foo\n1040 10 bar\n", 0x1040, "bar" },
		{ __LINE__, "1000 100 foo\n1040 10 bar\n", 0x1050, "foo" },
		{ __LINE__, "1040 10 bar\n1000 100 foo\n", 0x1040, "foo" },
		{ __LINE__, "ffffffffffffff00 ff end\n", 0xfffffffffffffffe, "end" },
		/* nonsense */
		{ __LINE__, "1000 0 foo\n", 0x1000, "-" },
		{ __LINE__, "1000 10\n", 0x1000, "-" },
		{ __LINE__, "1000 10 \n", 0x1000, "-" },
		{ __LINE__, "1000\n", 0x1000, "-" },
		{ __LINE__, "foo 1000 10\n", 0x1000, "-" },
		{ __LINE__, "-1000 10 foo\n", 0x1000, "-" },
		{ __LINE__, "1000 -10 foo\n", 0x1000, "-" },
		{ __LINE__, "10000000000001000 10 foo\n", 0x1000, "-" },
		{ __LINE__, "ffffffffffffff00 200 end\n", 0xffffffffffffff00, "-" },
		{ __LINE__, "\n\n1000 10 foo\n\n", 0x1000, "foo" },
		{ __LINE__, "1000 10 \x1b[31m<b>\xff\n", 0x1000, "\x1b[31m<b>\xff" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(perf_maps_freep) struct perf_maps *m = NULL;

		make_process(f, NULL);
		write_text(in(f, "root/tmp/perf-4711.map"), cases[i].text);
		m = perf_maps_new(in(f, "proc"));
		if (strcmp(name_at(m, cases[i].address), cases[i].name) != 0)
			fail_msg("line %d: %s", cases[i].line, name_at(m, cases[i].address));
	}
}

/* Random overlapping lines, cut anywhere, beside an array that is simply overwritten. */
static void later_lines_win_always(void **state)
{
	enum { SPACE = 2000, LINES = 3000 };
	static char names[LINES][16];
	_cleanup_free_ struct perf_map *m = malloc(sizeof(*m));
	const char *expected[SPACE] = { NULL };
	unsigned int seed = 3;

	(void)state;
	perf_map_init(m);
	for (int i = 0; i < LINES; i++) {
		unsigned int start = (unsigned int)rand_r(&seed) % SPACE;
		unsigned int size = 1 + (unsigned int)rand_r(&seed) % (i % 10 ? 20 : 500);
		char line[64];
		size_t n, cut;

		snprintf(names[i], sizeof(names[i]), "f%d", i);
		n = (size_t)snprintf(line, sizeof(line), "%x %x %s\n", start, size, names[i]);
		cut = (size_t)rand_r(&seed) % n;
		perf_map_feed(m, line, cut);
		perf_map_feed(m, line + cut, n - cut);
		for (unsigned int a = start; a < start + size && a < SPACE; a++)
			expected[a] = names[i];
		for (int probe = 0; probe < 20; probe++) {
			unsigned int a = (unsigned int)rand_r(&seed) % SPACE;
			struct function f;
			bool found = perf_map_find(m, a, &f);

			assert_int_equal(found, expected[a] != NULL);
			if (found)
				assert_string_equal(f.name, expected[a]);
		}
	}
	assert_true(m->n_entries > 0 && m->n_entries < SPACE);
	perf_map_done(m);
}

static void map_is_read_on_when_it_grows(void **state)
{
	struct fixture *f = *state;
	_cleanup_(perf_maps_freep) struct perf_maps *m = NULL;
	char path[PATH_MAX];

	make_process(f, NULL);
	strcpy(path, in(f, "root/tmp/perf-4711.map"));
	write_text(path, "1000 10 foo\n2000 10 b");
	m = perf_maps_new(in(f, "proc"));
	assert_string_equal(name_at(m, 0x1000), "foo");
	assert_string_equal(name_at(m, 0x2000), "-");
	append(path, "ar\n3000 10 baz\n");
	assert_string_equal(name_at(m, 0x2000), "bar");
	assert_string_equal(name_at(m, 0x3000), "baz");
	for (int i = 0; i < 2000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "%x 10 f%d\n", 0x10000 + i * 16, i);
		append(path, line);
	}
	assert_string_equal(name_at(m, 0x10000 + 1999 * 16), "f1999");
	assert_string_equal(name_at(m, 0x10000), "f0");
	/* begun anew in place */
	write_text(path, "1000 10 new\n");
	assert_string_equal(name_at(m, 0x1000), "new");
	assert_string_equal(name_at(m, 0x2000), "-");
	/* deleted: what was known stays */
	unlink(path);
	assert_string_equal(name_at(m, 0x1000), "new");
	perf_maps_forget(m, PID);
	assert_string_equal(name_at(m, 0x1000), "-");
}

static void map_that_was_planted_is_not_read(void **state)
{
	static const struct {
		int line;
		const char *prepare; /* in root/tmp; "map" has the text */
		bool read;
	} cases[] = {
		{ __LINE__, "cp map perf-4711.map", true },
		{ __LINE__, "ln -s map perf-4711.map", false },
		{ __LINE__, "ln -s $PWD/map perf-4711.map", false },
		{ __LINE__, "ln map perf-4711.map", false },
		{ __LINE__, "mkfifo perf-4711.map", false },
		{ __LINE__, "mkdir perf-4711.map", false },
		{ __LINE__, "cp map perf-4711.map; chown 12345 perf-4711.map", false },
		{ __LINE__, "cp map perf-4712.map", false },
		{ __LINE__, "cd ..; mv tmp real; ln -s real tmp; mv real/map real/perf-4711.map",
		  true }, /* inside its root */
		{ __LINE__,
		  "cp map ../../outside-perf; cd ..; rm -r tmp; ln -s ../.. tmp; "
		  "cp ../outside-perf ../perf-4711.map",
		  false }, /* outside of it: ".." ends at the root */
		{ __LINE__, "rm map; cd ..; rmdir tmp; ln -s /proc/self/cwd tmp", false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(perf_maps_freep) struct perf_maps *m = NULL;

		if (strstr(cases[i].prepare, "chown") && getuid() != 0)
			continue;
		make_process(f, NULL);
		write_text(in(f, "root/tmp/map"), "1000 10 foo\n");
		run("cd %s/root/tmp && { %s; }", f->directory, cases[i].prepare);
		m = perf_maps_new(in(f, "proc"));
		if ((strcmp(name_at(m, 0x1000), "foo") == 0) != cases[i].read)
			fail_msg("line %d", cases[i].line);
	}
}

static void status_of_any_shape_is_read(void **state)
{
	static const struct {
		int line;
		const char *status, *file;
		bool read;
	} cases[] = {
		{ __LINE__, "Name:\tx\nUid:\t%u\t%u\t0\t0\nNSpid:\t4711\t17\t3\n", "perf-3.map",
		  true },
		{ __LINE__, "Name:\tx\nUid:\t%u\t%u\t0\t0\nNSpid:\t4711\t17\t3\n", "perf-4711.map",
		  false },
		{ __LINE__, "Name:\tx\nUid:\t%u\t%u\t0\t0\n", "perf-4711.map", true },
		{ __LINE__, "Name:\tx\nUid:\t%u\t%u\t0\t0\nNSpid:\n", "perf-4711.map", true },
		{ __LINE__, "Name:\tx\nUid:\t%u\t77%u\t0\t0\nNSpid:\t4711\n", "perf-4711.map",
		  false },
		{ __LINE__, "Name:\tx\nUid:\n", "perf-4711.map", false },
		{ __LINE__, "Name:\tx\n", "perf-4711.map", false },
		{ __LINE__, "", "perf-4711.map", false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(perf_maps_freep) struct perf_maps *m = NULL;
		char status[256], path[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(status, sizeof(status), cases[i].status, getuid(), getuid());
#pragma GCC diagnostic pop
		make_process(f, status);
		snprintf(path, sizeof(path), "root/tmp/%s", cases[i].file);
		write_text(in(f, path), "1000 10 foo\n");
		m = perf_maps_new(in(f, "proc"));
		if ((strcmp(name_at(m, 0x1000), "foo") == 0) != cases[i].read)
			fail_msg("line %d", cases[i].line);
	}
}

static void huge_maps_are_read_in_part(void **state)
{
	struct fixture *f = *state;
	_cleanup_(perf_maps_freep) struct perf_maps *m = NULL;
	_cleanup_free_ char *text = malloc(300000);

	make_process(f, NULL);
	/* beyond the limit: 64 MiB of a hole between two lines */
	run("cd %s/root/tmp && echo '1000 10 foo' >perf-4711.map && truncate -s 70M perf-4711.map "
	    "&& "
	    "echo '2000 10 bar' >>perf-4711.map",
	    f->directory);
	m = perf_maps_new(in(f, "proc"));
	assert_string_equal(name_at(m, 0x1000), "foo");
	assert_string_equal(name_at(m, 0x2000), "-");
	perf_maps_forget(m, PID);
	/* an endless name is cut, the line after it is not lost */
	memset(text, 'x', 300000);
	memcpy(text, "1000 10 ", 8);
	strcpy(text + 299980, "\n2000 10 bar\n");
	write_text(in(f, "root/tmp/perf-4711.map"), text);
	assert_true(strlen(name_at(m, 0x1000)) > 4000);
	assert_string_equal(name_at(m, 0x2000), "bar");
}

static void many_processes_share_a_bounded_table(void **state)
{
	struct fixture *f = *state;
	_cleanup_(perf_maps_freep) struct perf_maps *m = NULL;
	struct function found;

	make_process(f, NULL);
	run("cd %s/proc && for i in $(seq 1 200); do cp -r 4711 $i; "
	    "sed -i s/4711/$i/ $i/status; echo \"1000 10 f$i\" >../root/tmp/perf-$i.map; done",
	    f->directory);
	m = perf_maps_new(in(f, "proc"));
	for (int round = 0; round < 3; round++)
		for (int pid = 1; pid <= 200; pid++) {
			char name[16];

			snprintf(name, sizeof(name), "f%d", pid);
			assert_true(perf_maps_find(m, pid, 0x1000, &found));
			assert_string_equal(found.name, name);
		}
}

int main(void)
{
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(lines_name_addresses),
		cmocka_unit_test(later_lines_win_always),
		FIXTURE_TEST(map_is_read_on_when_it_grows),
		FIXTURE_TEST(map_that_was_planted_is_not_read),
		FIXTURE_TEST(status_of_any_shape_is_read),
		FIXTURE_TEST(huge_maps_are_read_in_part),
		FIXTURE_TEST(many_processes_share_a_bounded_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
