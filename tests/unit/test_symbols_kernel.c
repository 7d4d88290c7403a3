// SPDX-License-Identifier: Apache-2.0
// Kernel addresses find their function in the image, in modules and in BPF programs; hidden
// addresses are explained, not shown as something else.
#include "symbols_fixture.h"

#include "symbols/function_index.h"
#include "symbols/kallsyms.h"
#include "symbols/kernel_space_internal.h"

/* Directories "proc" and "sys" of a small machine. */
static void make_host(const struct fixture *f, const char *kallsyms, const char *modules)
{
	run("cd %s && rm -rf proc sys && mkdir -p proc/sys/kernel proc/self sys/kernel sys/module",
	    f->directory);
	if (kallsyms)
		write_text(in(f, "proc/kallsyms"), kallsyms);
	if (modules)
		write_text(in(f, "proc/modules"), modules);
}

/* "FUNCTION" or "[OBJECT]" or "-". */
static const char *name_at(struct kernel_space *k, uint64_t address)
{
	static char object[256];
	struct object *o = kernel_space_find(k, address);
	struct function f;

	if (!o)
		return "-";
	if (o->index_state == INDEX_READY && function_index_find(o->index, address - o->base, &f))
		return f.name;
	snprintf(object, sizeof(object), "[%s]", o->path);
	return object;
}

static const char *path_at(struct kernel_space *k, uint64_t address)
{
	struct object *o = kernel_space_find(k, address);

	return o ? o->path : "-";
}

static const char kallsyms_text[] = "0000000000000000 A fixed_percpu_data\n"
				    "ffffffff81000000 T _stext\n"
				    "ffffffff81000000 T _text\n"
				    "ffffffff81000000 T startup_64\n"
				    "ffffffff81000100 t helper\n"
				    "ffffffff81000200 T do_work\n"
				    "ffffffff81000200 W weak_alias\n"
				    "ffffffff81000200 t __do_work\n"
				    "ffffffff81000280 t .Lmark\n"
				    "ffffffff81000290 t $x\n"
				    "ffffffff81000300 D jiffies\n"
				    "ffffffff81000300 b buffer\n"
				    "ffffffff81000400 T last\n"
				    "ffffffff81001000 T _etext\n"
				    "ffffffff82000000 R rodata\n"
				    "ffffffff83000000 T _sinittext\n"
				    "ffffffff83000010 t early\n"
				    "ffffffff83000100 T _einittext\n"
				    "ffffffffc0100000 t init_module\t[first]\n"
				    "ffffffffc0100100 t work_of_first\t[first]\n"
				    "ffffffffc0100080 t middle\t[first]\n"
				    "ffffffffc0200000 T only\t[second]\n"
				    "ffffffffc0200800 d data\t[second]\n"
				    "ffffffffc0900000 t unknown_module\t[third]\n"
				    "ffffffffc0300040 t bpf_prog_6deef7357e7b4530\t[bpf]\n"
				    "ffffffffc0300000 t bpf_prog_a_b\t[bpf]\n"
				    "ffffffffc0400000 t ftrace_trampoline\t[__builtin__ftrace]\n"
				    "ffffffffc0401000 t kprobe_insn_page\t[__builtin__kprobes]\n";

static const char modules_text[] = "second 16384 0 - Live 0xffffffffc0200000\n"
				   "first 1048576000 2 a,b, Live 0xffffffffc0100000 (OE)\n";

static void every_address_has_its_function(void **state)
{
	static const struct {
		int line;
		uint64_t address;
		const char *name, *object;
	} cases[] = {
		{ __LINE__, 0xffffffff81000000, "startup_64", "[kernel]" },
		{ __LINE__, 0xffffffff810000ff, "startup_64", "[kernel]" },
		{ __LINE__, 0xffffffff81000100, "helper", "[kernel]" },
		{ __LINE__, 0xffffffff81000200, "do_work", "[kernel]" },
		{ __LINE__, 0xffffffff810003ff, "do_work", "[kernel]" },
		{ __LINE__, 0xffffffff81000fff, "last", "[kernel]" },
		{ __LINE__, 0xffffffff81001000, "-", "-" },
		{ __LINE__, 0xffffffff82000000, "-", "-" },
		{ __LINE__, 0xffffffff83000020, "early", "[kernel]" },
		{ __LINE__, 0xffffffff83000100, "-", "-" },
		{ __LINE__, 0xffffffff80ffffff, "-", "-" },
		{ __LINE__, 0xffffffffc0100000, "init_module", "first" },
		{ __LINE__, 0xffffffffc01000ff, "middle", "first" },
		{ __LINE__, 0xffffffffc0100100, "work_of_first", "first" },
		{ __LINE__, 0xffffffffc01fffff, "[first]", "first" },
		{ __LINE__, 0xffffffffc0200000, "only", "second" },
		{ __LINE__, 0xffffffffc0203fff, "only", "second" },
		{ __LINE__, 0xffffffffc0204000, "-", "-" },
		{ __LINE__, 0xffffffffc0300000, "bpf_prog_a_b", "bpf_prog_a_b" },
		{ __LINE__, 0xffffffffc030003f, "bpf_prog_a_b", "bpf_prog_a_b" },
		{ __LINE__, 0xffffffffc0300040, "bpf_prog_6deef7357e7b4530",
		  "bpf_prog_6deef7357e7b4530" },
		{ __LINE__, 0xffffffffc0400010, "ftrace_trampoline", "ftrace_trampoline" },
		{ __LINE__, 0xffffffffc0401fff, "kprobe_insn_page", "kprobe_insn_page" },
		{ __LINE__, 0xffffffffc0402000, "-", "-" },
		{ __LINE__, 0xffffffffc0900000, "-", "-" },
		{ __LINE__, 0x400000, "-", "-" },
		{ __LINE__, 0, "-", "-" },
		{ __LINE__, UINT64_MAX, "-", "-" },
	};
	struct fixture *f = *state;
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
	struct kernel_space_status status;

	make_host(f, kallsyms_text, modules_text);
	assert_int_equal(kernel_space_new(t, in(f, "proc"), in(f, "sys"), &k), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (strcmp(name_at(k, cases[i].address), cases[i].name) != 0 ||
		    strcmp(path_at(k, cases[i].address), cases[i].object) != 0)
			fail_msg("line %d: %s in %s", cases[i].line, name_at(k, cases[i].address),
				 path_at(k, cases[i].address));
	}
	assert_int_equal(kernel_space_find(k, 0xffffffff81000000)->kind, OBJECT_KERNEL);
	assert_int_equal(kernel_space_find(k, 0xffffffffc0100000)->kind, OBJECT_MODULE);
	assert_int_equal(kernel_space_find(k, 0xffffffffc0300000)->kind, OBJECT_BPF);
	kernel_space_get_status(k, &status);
	assert_false(status.no_addresses);
	assert_int_equal(status.modules, 2);
	assert_int_equal(status.bpf_programs, 2);
}

static void images_come_and_go(void **state)
{
	struct fixture *f = *state;
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
	struct kernel_space_status status;

	make_host(f, kallsyms_text, modules_text);
	assert_int_equal(kernel_space_new(t, in(f, "proc"), in(f, "sys"), &k), 0);
	kernel_space_add(k, 0xffffffffc0500000, 64, "bpf_prog_new");
	assert_string_equal(name_at(k, 0xffffffffc050003f), "bpf_prog_new");
	assert_string_equal(name_at(k, 0xffffffffc0500040), "-");
	/* inside the nominal range of a module: the image is the truer one */
	kernel_space_add(k, 0xffffffffc0108000, 64, "bpf_trampoline_1");
	assert_string_equal(name_at(k, 0xffffffffc0108000), "bpf_trampoline_1");
	assert_string_equal(path_at(k, 0xffffffffc0108040), "first");
	kernel_space_remove(k, 0xffffffffc0108000);
	assert_string_equal(path_at(k, 0xffffffffc0108000), "first");
	/* over what was there: that is gone, or cut */
	kernel_space_add(k, 0xffffffffc0500020, 64, "bpf_prog_newer");
	assert_string_equal(name_at(k, 0xffffffffc050001f), "bpf_prog_new");
	assert_string_equal(name_at(k, 0xffffffffc0500020), "bpf_prog_newer");
	kernel_space_add(k, 0xffffffffc0500000, 4096, "bpf_prog_newest");
	assert_string_equal(name_at(k, 0xffffffffc0500020), "bpf_prog_newest");
	kernel_space_get_status(k, &status);
	assert_int_equal(status.bpf_programs, 3);
	kernel_space_remove(k, 0xffffffffc0500020); /* not there any more */
	kernel_space_remove(k, 0xffffffffc0500000);
	assert_string_equal(name_at(k, 0xffffffffc0500020), "-");
	/* nonsense */
	kernel_space_add(k, 0, 64, "bpf_prog_zero");
	kernel_space_add(k, 0xffffffffc0600000, 0, "bpf_prog_empty");
	kernel_space_add(k, UINT64_MAX - 4, 64, "bpf_prog_end");
	assert_string_equal(name_at(k, 0), "-");
	assert_string_equal(name_at(k, 0xffffffffc0600000), "-");
	assert_string_equal(name_at(k, UINT64_MAX - 4), "bpf_prog_end");
}

static void a_loaded_module_is_noticed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
	const struct object *image, *second;
	const struct function_index *index;

	make_host(f, kallsyms_text, modules_text);
	assert_int_equal(kernel_space_new(t, in(f, "proc"), in(f, "sys"), &k), 0);
	image = kernel_space_find(k, 0xffffffff81000000);
	second = kernel_space_find(k, 0xffffffffc0200000);
	index = second->index;
	kernel_space_add(k, 0xffffffffc0500000, 64, "bpf_prog_new");
	write_text(in(f, "proc/modules"), "third 4096 0 - Live 0xffffffffc0900000\n"
					  "second 16384 0 - Live 0xffffffffc0200000\n");
	assert_string_equal(name_at(k, 0xffffffffc0900010), "-"); /* just looked */
	k->checked_ns = 0;
	assert_string_equal(name_at(k, 0xffffffffc0900010), "unknown_module");
	assert_string_equal(name_at(k, 0xffffffffc0100100), "-");
	assert_string_equal(name_at(k, 0xffffffffc0300000), "bpf_prog_a_b");
	assert_string_equal(name_at(k, 0xffffffffc0500000), "bpf_prog_new");
	/* what stayed is the same object with the same index */
	assert_ptr_equal(kernel_space_find(k, 0xffffffff81000000), image);
	assert_ptr_equal(kernel_space_find(k, 0xffffffffc0200000), second);
	assert_ptr_equal(second->index, index);
	/* now and then without a miss, too */
	write_text(in(f, "proc/modules"), "");
	k->checked_ns = 0;
	for (int i = 0; i < 2000; i++)
		kernel_space_find(k, 0xffffffff81000000);
	assert_string_equal(name_at(k, 0xffffffffc0200000), "-");
}

static void hidden_addresses_are_explained(void **state)
{
	static const char zeros[] = "0000000000000000 T _text\n0000000000000000 T do_work\n"
				    "0000000000000000 t only\t[second]\n";
	static const struct {
		int line;
		const char *kallsyms, *kptr_restrict, *paranoid, *capabilities, *reason;
	} cases[] = {
		{ __LINE__, zeros, "2\n", "2\n", "000001ffffffffff", "kptr_restrict=2" },
		{ __LINE__, zeros, "1\n", "2\n", "0000000000000000", "CAP_SYSLOG" },
		{ __LINE__, zeros, "0\n", "3\n", "0000000000000000", "perf_event_paranoid" },
		{ __LINE__, zeros, "0\n", "3\n", "0000000400000000", "despite CAP_SYSLOG" },
		{ __LINE__, zeros, NULL, NULL, NULL, "CAP_SYSLOG" },
		{ __LINE__, "", "0\n", "0\n", "0000000000000000", "CONFIG_KALLSYMS" },
		{ __LINE__, "garbage\n\n\xff\xff T x\n123456789abcdef01 T y\n", "0\n", "0\n", "0",
		  "CONFIG_KALLSYMS" },
		{ __LINE__, NULL, "0\n", "0\n", "0", "No such file" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(object_table_freep) struct object_table *t = object_table_new();
		_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
		struct kernel_space_status status;
		char text[200];

		make_host(f, cases[i].kallsyms, "second 16384 0 - Live 0x0000000000000000\n");
		if (cases[i].kptr_restrict)
			write_text(in(f, "proc/sys/kernel/kptr_restrict"), cases[i].kptr_restrict);
		if (cases[i].paranoid)
			write_text(in(f, "proc/sys/kernel/perf_event_paranoid"), cases[i].paranoid);
		if (cases[i].capabilities) {
			snprintf(text, sizeof(text), "Name:\tx\nCapPrm:\t0\nCapEff:\t%s\n",
				 cases[i].capabilities);
			write_text(in(f, "proc/self/status"), text);
		}
		assert_int_equal(kernel_space_new(t, in(f, "proc"), in(f, "sys"), &k), 0);
		kernel_space_get_status(k, &status);
		assert_true(status.no_addresses);
		if (!strstr(status.reason, cases[i].reason))
			fail_msg("line %d: %s", cases[i].line, status.reason);
		/* still the kernel's, without a function */
		assert_string_equal(name_at(k, 0xffffffff81000200), "[[kernel]]");
		assert_string_equal(name_at(k, 0x400000), "-");
		/* and once they are shown, they are found */
		make_host(f, kallsyms_text, modules_text);
		k->checked_ns = 0;
		for (int n = 0; n < 2000; n++)
			kernel_space_find(k, 0xffffffff81000200);
		assert_string_equal(name_at(k, 0xffffffff81000200), "do_work");
		kernel_space_get_status(k, &status);
		assert_false(status.no_addresses);
		assert_string_equal(status.reason, "");
	}
}

static void build_ids_come_from_the_notes(void **state)
{
	static const uint8_t notes[] = { 4, 0, 0,   0,	 2,   0, 0,    0,    1,	   0,
					 0, 0, 'X', 'e', 'n', 0, 7,    7,    0,	   0,
					 4, 0, 0,   0,	 4,   0, 0,    0,    3,	   0,
					 0, 0, 'G', 'N', 'U', 0, 0xde, 0xad, 0xbe, 0xef };
	struct fixture *f = *state;
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
	struct build_id id;

	make_host(f, kallsyms_text, modules_text);
	run("cd %s && mkdir -p sys/module/second/notes", f->directory);
	write_file(in(f, "sys/kernel/notes"), notes, sizeof(notes));
	write_file(in(f, "sys/module/second/notes/.note.gnu.build-id"), notes, sizeof(notes));
	assert_int_equal(kernel_space_new(t, in(f, "proc"), in(f, "sys"), &k), 0);
	assert_int_equal(kernel_space_find(k, 0xffffffff81000000)->build_id_size, 4);
	assert_memory_equal(kernel_space_find(k, 0xffffffffc0200000)->build_id, "\xde\xad\xbe\xef",
			    4);
	assert_int_equal(kernel_space_find(k, 0xffffffffc0100000)->build_id_size, 0);
	for (size_t cut = 0; cut < sizeof(notes); cut++)
		assert_false(build_id_from_notes(notes, cut, &id));
}

static int keep_last(const struct kallsyms_symbol *s, void *userdata)
{
	snprintf(userdata, 64, "%lx %.20s %.20s", s->address, s->name, s->module);
	return 0;
}

static void lines_of_any_shape_are_read(void **state)
{
	static const struct {
		int line;
		const char *text, *last;
	} cases[] = {
		{ __LINE__, "10 T a\n", "10 a " },
		{ __LINE__, "10 T a", "10 a " },
		{ __LINE__, "10 T a\t[m]\n", "10 a m" },
		{ __LINE__, "10 t a\t[m]", "10 a m" },
		{ __LINE__, "ffffffffffffffff w a\n", "ffffffffffffffff a " },
		{ __LINE__, "10 T a b\n", "10 a b " },
		{ __LINE__, "10 T a\t[]\n", "10 a\t[] " },
		{ __LINE__, "10 T \n", "" },
		{ __LINE__, "10 T\n", "" },
		{ __LINE__, "10\n", "" },
		{ __LINE__, "T a\n", "" },
		{ __LINE__, "10 D a\n", "" },
		{ __LINE__, "\n\n10 T a\n\n", "10 a " },
		{ __LINE__, "11111111111111111 T a\n", "" },
	};
	struct fixture *f = *state;
	_cleanup_free_ char *large = malloc(200001);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_close_ int fd = -1;
		char last[64] = "";
		size_t zero;

		write_text(in(f, "kallsyms"), cases[i].text);
		fd = open(in(f, "kallsyms"), O_RDONLY | O_CLOEXEC);
		assert_int_equal(kallsyms_read(fd, keep_last, last, &zero), 0);
		if (strcmp(last, cases[i].last) != 0)
			fail_msg("line %d: \"%s\"", cases[i].line, last);
	}
	/* a line longer than any block, and what follows it */
	memset(large, 'x', 200000);
	memcpy(large, "10 T ", 5);
	memcpy(large + 199990, "\n20 T b\n10", 10);
	large[200000] = '\0';
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = -1;
		char last[64] = "";
		size_t zero;

		write_text(in(f, "kallsyms"), large + i * 3000);
		fd = open(in(f, "kallsyms"), O_RDONLY | O_CLOEXEC);
		assert_int_equal(kallsyms_read(fd, keep_last, last, &zero), 0);
		assert_string_equal(last, "20 b ");
	}
}

/* Functions of the running kernel, sampled over its whole list. */
static void running_kernel_agrees_with_its_list(void **state)
{
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	_cleanup_(kernel_space_freep) struct kernel_space *k = NULL;
	_cleanup_fclose_ FILE *list = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	struct kernel_space_status status;
	size_t capacity = 0, n = 0, same = 0, named = 0;

	(void)state;
	assert_int_equal(kernel_space_new(t, NULL, NULL, &k), 0);
	kernel_space_get_status(k, &status);
	if (status.no_addresses) {
		print_message("%s\n", status.reason);
		skip();
		return;
	}
	assert_true(status.symbols > 10000);
	while (getline(&line, &capacity, list) > 0) {
		unsigned long address;
		char type, name[512];

		if (sscanf(line, "%lx %c %511s", &address, &type, name) != 3 ||
		    !strchr("tTwW", type) || n++ % 7 != 0)
			continue;
		named += strcmp(name_at(k, address), "-") != 0;
		same += strcmp(name_at(k, address), name) == 0;
	}
	/* All but the linker's marks at the end are somewhere; aliases share a place. */
	assert_true(named >= n / 7 - 10);
	assert_true(same > n / 7 / 100 * 95);
}

int main(void)
{
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(every_address_has_its_function),
		FIXTURE_TEST(images_come_and_go),
		FIXTURE_TEST(a_loaded_module_is_noticed),
		FIXTURE_TEST(hidden_addresses_are_explained),
		FIXTURE_TEST(build_ids_come_from_the_notes),
		FIXTURE_TEST(lines_of_any_shape_are_read),
		cmocka_unit_test(running_kernel_agrees_with_its_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
