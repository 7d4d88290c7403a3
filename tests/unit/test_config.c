// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
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

#include "engine/config.h"
#include "engine/config_keys.h"
#include "util/buffer.h"
#include "util/cleanup.h"
#include "util/parse.h"

static char *dump(const struct config *c)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	config_dump(c, &b);
	return buffer_take_string(&b);
}

static int load(const char *text, struct config *c, char **messages)
{
	*messages = NULL;
	return config_load_text("x.conf", text, strlen(text), c, messages);
}

static void defaults_are_the_documented_ones(void **state)
{
	/* Without a file there is one profile, cycles at 99 Hz, and the limits of the manual. */
	_cleanup_(config_done) struct config c = { 0 };
	_cleanup_free_ char *messages = NULL;

	(void)state;
	assert_int_equal(load("", &c, &messages), 0);
	assert_null(messages);
	assert_int_equal(c.n_profiles, 1);
	assert_string_equal(c.profiles[0].name, "cpu");
	assert_string_equal(c.profiles[0].events, "cycles");
	assert_int_equal(c.profiles[0].freq_hz, 99);
	assert_int_equal(c.profiles[0].period, 0);
	assert_true(c.profiles[0].enabled && c.profiles[0].kernel_stacks &&
		    c.profiles[0].user_stacks);
	assert_false(c.profiles[0].idle);
	assert_null(c.profiles[0].filter.pids);
	assert_null(c.profiles[0].filter.cpus);
	assert_int_equal(c.transport, TRANSPORT_AUTO);
	assert_int_equal(c.attach, ATTACH_AUTO);
	assert_int_equal(c.ring_bytes, 512 * 1024);
	assert_int_equal(c.stack_depth, 127);
	assert_int_equal(c.drain_interval_ns, 200 * NSEC_PER_MSEC);
	assert_false(c.exclude_self);
	assert_null(c.btf);
	assert_true(c.cpu_budget_percent > 0.99 && c.cpu_budget_percent < 1.01);
	assert_string_equal(c.state_directory, "/var/lib/ebpf-profiler");
	assert_int_equal(c.rotate_bytes, 64 << 20);
	assert_int_equal(c.rotate_ns, 3600 * NSEC_PER_SEC);
	assert_int_equal(c.retain_bytes, 2ULL << 30);
	assert_int_equal(c.retain_ns, 7 * 86400 * NSEC_PER_SEC);
	assert_int_equal(c.keep_free_percent, 10);
	assert_int_equal(c.sync_interval_ns, NSEC_PER_SEC);
	assert_int_equal(c.compression_level, 2);
	assert_string_equal(c.control_socket, "/run/ebpf-profiler/control");
	assert_string_equal(c.control_group, "");
	assert_int_equal(c.status_interval_ns, 10 * NSEC_PER_SEC);
}

static void every_line_gets_its_answer(void **state)
{
	/* Each text loads, warns or fails as said, and the message names the line and the reason.
	 */
	static const struct {
		int test_line;
		const char *text;
		int r;
		const char *message; /* contained in the messages; NULL: there are none */
		const char *dumped; /* contained in the dump */
	} rows[] = {
		/* right */
		{ __LINE__, "[sampler]\ntransport=bpf\n", 0, NULL, "\ntransport = bpf\n" },
		{ __LINE__, "[sampler]\n  transport = PERF  \n\tattach: ioctl", 0, NULL,
		  "transport = perf\nattach = ioctl\n" },
		{ __LINE__, "\xef\xbb\xbf[sampler]\r\nstack-depth = 1\r\n", 0, NULL,
		  "stack-depth = 1\n" },
		{ __LINE__, "# a\n; b\n\n[sampler] ; c\nring-size = 1M ; d\n", 0, NULL,
		  "ring-size = 1M\n" },
		{ __LINE__, "[sampler]\ncpu-budget = 2.5%\n", 0, NULL, "cpu-budget = 2.5\n" },
		{ __LINE__, "[sampler]\nbtf = /boot/btf\nbtf =\n", 0, NULL, "btf =\n" },
		{ __LINE__, "[store]\nrotate-interval = 1h30m\nretain-time=0\nkeep-free=0\n", 0,
		  NULL,
		  "rotate-interval = 90min\nretain-size = 2G\nretain-time = 0\nkeep-free = 0\n" },
		{ __LINE__, "[store]\nrotate-interval = 1.5\n", 0, NULL,
		  "rotate-interval = 1500ms\n" },
		{ __LINE__, "[store]\ndirectory = /a,\nkeep-free = 20\n", 0, NULL,
		  "directory = /a,\n" },
		{ __LINE__, "[symbols]\ncache-directory =\n", 0, NULL, "cache-directory =\n" },
		{ __LINE__, "[profile a]\n[profile b]\nevents = page-faults\nperiod = 1009\n", 0,
		  NULL,
		  "[profile b]\nenabled = yes\nevents = page-faults\nrate = 0\nperiod = 1009\n" },
		{ __LINE__, "[profile a]\nrate = 1\n[profile a]\nrate = 2\n", 0, NULL,
		  "rate = 2\n" },
		{ __LINE__,
		  "[profile a]\nevents = cycles,\n\n# why\n  cpu/event=0x3c,umask=0/,\nbranches\n",
		  0, NULL, "events = cycles,cpu/event=0x3c,umask=0/,branches\n" },
		{ __LINE__,
		  "[profile a]\npid = 1, 2,\n3\nunit=nginx.service\ncomm = a b , x\\,y,\n", 0, NULL,
		  "pid = 1,2,3\ncomm = a b,x\\,y\nunit = nginx.service\n" },
		{ __LINE__, "[profile a]\npid = 1, ; one\n\t2 ; two\ncomm =;none\n", 0, NULL,
		  "pid = 1,2\ncomm =\n" },
		{ __LINE__, "[profile a]\ncomm = a\\,\npid = 1\n", 0, NULL,
		  "pid = 1\ncomm = a\\,\n" },
		{ __LINE__, "[profile a]\npid = 1\npid = 2\n", 0, NULL, "pid = 2\n" },
		{ __LINE__, "[profile a]\npid = 1\npid =\n", 0, NULL, "pid =\n" },
		{ __LINE__, "[profile a]\nunit = dev-disk-by\\x2duuid.swap\ncpu = 0-3,8\n", 0, NULL,
		  "unit = dev-disk-by\\x2duuid.swap\ncgroup =\ncpu = 0-3,8\n" },
		{ __LINE__, "[profile a]\nenabled = no\n[profile b]\n", 0, NULL, "enabled = no\n" },
		/* a warning */
		{ __LINE__, "[sampler]\nring-size = 600K\n", 0,
		  "x.conf:2: warning: 'ring-size = 600K' is rounded up to 1M", "ring-size = 1M\n" },
		{ __LINE__, "\n[collect]\nexec = yes\nnet = yes\n[sampler]\nattach=link\n", 0,
		  "x.conf:2: warning: there is no section [collect]", "attach = link\n" },
		{ __LINE__, "[sampler]\n\nringsize = 1M\n", 0,
		  "x.conf:3: warning: there is no key 'ringsize' in [sampler]",
		  "ring-size = 512K\n" },
		{ __LINE__, "[profile a]\ndirectory = /x\n", 0,
		  "x.conf:2: warning: there is no key 'directory' in [profile a]",
		  "[profile a]\n" },
		/* wrong */
		{ __LINE__, "[sampler]\ntransport = udp\n", -EINVAL,
		  "x.conf:2: 'transport = udp' is not possible; allowed is auto, perf or bpf",
		  NULL },
		{ __LINE__, "[sampler]\nring-size = 1\n", -EINVAL, "a size from 16K to 256M",
		  NULL },
		{ __LINE__, "[sampler]\nring-size = 0\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nring-size = 257M\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nring-size = 99999999999P\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nring-size =\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nstack-depth = 128\n", -EINVAL, "a number from 1 to 127",
		  NULL },
		{ __LINE__, "[sampler]\nstack-depth = -1\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nstack-depth = 4294967297\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nstack-depth = 12x\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\ndrain-interval = 5ms\n", -EINVAL, "a time from 10ms to 10s",
		  NULL },
		{ __LINE__, "[sampler]\ndrain-interval = 1parsec\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nexclude-self = maybe\n", -EINVAL, "allowed is yes or no",
		  NULL },
		{ __LINE__, "[sampler]\ncpu-budget = 101\n", -EINVAL,
		  "a percentage from 0 to 100, or 0: no limit", NULL },
		{ __LINE__, "[sampler]\ncpu-budget = nan\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[sampler]\nbtf = boot/btf\n", -EINVAL, "an absolute path", NULL },
		{ __LINE__, "[store]\ndirectory =\n", -EINVAL, "an absolute path", NULL },
		{ __LINE__, "[store]\nrotate-size = 2G\n", -EINVAL,
		  "configuration: rotate-size must be set, and at most half of retain-size", NULL },
		{ __LINE__, "[store]\nrotate-size = 0\n", -EINVAL, "rotate-size must be set",
		  NULL },
		{ __LINE__,
		  "[daemon]\ncontrol-socket = /r/" /* 108 bytes do not fit into sun_path */
		  "1234567890123456789012345678901234567890123456789012345678901234567890"
		  "12345678901234567890123456789012345\n",
		  -EINVAL, "at most 107 bytes", NULL },
		{ __LINE__, "[profile a]\nevents =\n", -EINVAL, "one or more events", NULL },
		{ __LINE__, "[profile a]\nevents = ,\n", -EINVAL, "x.conf:2:", NULL },
		{ __LINE__, "[profile a]\nevents = cycles, ,branches\n", -EINVAL,
		  "x.conf:2:", NULL },
		{ __LINE__, "[profile a]\nrate = 99\nperiod = 1000\n", -EINVAL,
		  "x.conf:3: profile 'a' has a rate and a period", NULL },
		{ __LINE__, "[profile a]\nrate = 100001\n", -EINVAL,
		  "a number from 1 to 100000, or 0", NULL },
		{ __LINE__, "[profile a]\npid = 1,,2\n", -EINVAL, "process ids", NULL },
		{ __LINE__, "[profile a]\npid = 0\n", -EINVAL, "process ids", NULL },
		{ __LINE__, "[profile a]\npid = 4294967296\n", -EINVAL, "process ids", NULL },
		{ __LINE__, "[profile a]\ncomm = sixteen-bytes-xx\n", -EINVAL, "at most 15 bytes",
		  NULL },
		{ __LINE__, "[profile a]\ncomm = a\\\n", -EINVAL, "thread names", NULL },
		{ __LINE__, "[profile a]\nunit = nginx\n", -EINVAL, "with their suffix", NULL },
		{ __LINE__, "[profile a]\ncgroup = system.slice\n", -EINVAL, "begin with /", NULL },
		{ __LINE__, "[profile a]\ncpu = 3-1\n", -EINVAL, "a CPU list", NULL },
		{ __LINE__, "[profile a]\nenabled = no\n", -EINVAL,
		  "configuration: no profile is enabled", NULL },
		{ __LINE__, "[profile]\n", -EINVAL, "x.conf:1: '' is no profile's name", NULL },
		{ __LINE__, "[profile a b]\n", -EINVAL, "x.conf:1: 'a b' is no profile's name",
		  NULL },
		{ __LINE__, "[profile 123456789012345678901234567890123]\n", -EINVAL,
		  "is no profile's name", NULL },
		{ __LINE__, "attach = link\n", -EINVAL,
		  "x.conf:1: 'attach' stands before the first [section]", NULL },
		{ __LINE__, "[sampler]\nattach\n", -EINVAL,
		  "x.conf:2: the line is neither '[section]' nor 'key = value'", NULL },
		{ __LINE__, "[sampler\nattach = link\n", -EINVAL, "x.conf:1: the line is neither",
		  NULL },
		{ __LINE__, "[sampler]\nattach ; = link\n", -EINVAL,
		  "x.conf:2: the line is neither", NULL },
		{ __LINE__, "[sampler]\nattach = link,\nstack-depth = 3\n", -EINVAL,
		  "x.conf:2:", NULL },
		{ __LINE__, "[store]\ndirectory = /a,\n/b\n", -EINVAL,
		  "x.conf:3: the line is neither", NULL },
		{ __LINE__, "[sampler]\nattach = \xc2\x9b[31mred\xff\n", -EINVAL,
		  "red\\xff' is not possible", NULL },
		{ __LINE__, "[sampler]\nattach = \x1b[31mlink\n", -EINVAL,
		  "x.conf:2: the line holds a control character", NULL },
		{ __LINE__, "[sampler]\nattach = a\nstack-depth = b\n", -EINVAL,
		  "x.conf:3:", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(config_done) struct config c = { 0 };
		_cleanup_free_ char *messages = NULL, *dumped = NULL;
		int r = load(rows[i].text, &c, &messages);

		if (r != rows[i].r)
			fail_msg("line %d: returned %d, messages: %s", rows[i].test_line, r,
				 messages);
		if (rows[i].message ? !messages || !strstr(messages, rows[i].message) : !!messages)
			fail_msg("line %d: messages are: %s", rows[i].test_line, messages);
		if (r == 0) {
			dumped = dump(&c);
			if (!strstr(dumped, rows[i].dumped))
				fail_msg("line %d: dump is:\n%s", rows[i].test_line, dumped);
		} else {
			assert_null(c.profiles);
		}
	}
}

static void dump_loads_to_the_same(void **state)
{
	/* What config_dump() writes loads without a message and dumps to the same text, long lists
	 * included. */
	_cleanup_(config_done) struct config a = { 0 }, b = { 0 };
	_cleanup_free_ char *messages = NULL, *first = NULL, *second = NULL;
	_cleanup_(buffer_donep) struct buffer text = { 0 };

	(void)state;
	buffer_printf(&text,
		      "[sampler]\ncpu-budget = 0.3\nring-size=2M\n[store]\nretain-time=36h\n"
		      "sync-interval = 1500us\nsync-interval = 15ms\n[profile x]\nevents = ");
	/* 1500us is too short and must fail alone: taken out again below. */
	char *wrong = strstr((char *)text.data, "sync-interval = 1500us\n");
	memset(wrong, '#', strlen("sync-interval = 1500us"));
	for (int i = 0; i < 60; i++)
		buffer_printf(&text, "cpu/event=0x%x,umask=0x1/,\n", i);
	buffer_printf(&text, "cycles\ncomm = ");
	for (int i = 0; i < 60; i++)
		buffer_printf(&text, "a\\,b c%d,\n", i);
	buffer_put_byte(&text, 0);
	assert_int_equal(load((char *)text.data, &a, &messages), 0);
	assert_null(messages);
	first = dump(&a);
	assert_non_null(strstr(first, ",\n\t"));
	assert_int_equal(load(first, &b, &messages), 0);
	assert_null(messages);
	second = dump(&b);
	assert_string_equal(first, second);
	assert_string_equal(b.profiles[0].filter.comms[59], "a,b c59");
}

/* The shipped file with the '#' taken from every "#key = value" line. */
static char *uncommented_shipped_file(void)
{
	_cleanup_fclose_ FILE *f = fopen("systemd/ebpf-profiler.conf", "r");
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool key = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && strchr(line, '=');

		buffer_put(&text, line + key, strlen(line + key));
	}
	return buffer_take_string(&text);
}

static void shipped_file_lists_every_default(void **state)
{
	/* systemd/ebpf-profiler.conf, uncommented, holds every key of the table and is what the
	 * daemon does without a file. */
	_cleanup_(config_done) struct config a = { 0 }, b = { 0 };
	_cleanup_free_ char *messages = NULL, *from_file = NULL, *built_in = NULL, *text = NULL;
	const struct config_key *keys;
	size_t n;

	(void)state;
	text = uncommented_shipped_file();
	assert_int_equal(load(text, &a, &messages), 0);
	assert_null(messages);
	assert_int_equal(load("", &b, &messages), 0);
	from_file = dump(&a);
	built_in = dump(&b);
	assert_string_equal(from_file, built_in);

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *line = NULL;

		assert_true(asprintf(&line, "\n%s =", keys[i].name) > 0);
		if (!strstr(text, line))
			fail_msg("systemd/ebpf-profiler.conf does not show '%s'", keys[i].name);
	}
}

static void manual_names_every_key(void **state)
{
	/* Every key of the table has an entry in ebpf-profiler.conf(5), with its default. */
	_cleanup_fclose_ FILE *f = fopen("docs/man/ebpf-profiler.conf.5", "r");
	static char text[256 * 1024];
	const struct config_key *keys;
	size_t n, size;

	(void)state;
	assert_non_null(f);
	size = fread(text, 1, sizeof(text) - 1, f);
	text[size] = 0;
	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *entry = NULL;

		assert_true(asprintf(&entry, "\n.It Cm %s No =%s%s\n", keys[i].name,
				     *keys[i].initial ? " " : "", keys[i].initial) > 0);
		if (!strstr(text, entry))
			fail_msg("docs/man/ebpf-profiler.conf.5 has no entry for '%s'",
				 keys[i].name);
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static void drop_ins_override_in_order(void **state)
{
	/* conf.d and NAME.conf.d are read after the file, sorted by name across both; hidden files
	 * and other suffixes are not. */
	_cleanup_(config_done) struct config c = { 0 };
	_cleanup_free_ char *messages = NULL;
	char dir[] = "/tmp/ebpf-profiler-config.XXXXXX", path[128], command[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "mkdir %s/conf.d %s/a.conf.d", dir, dir);
	assert_int_equal(system(command), 0);
	write_file(dir, "a.conf",
		   "[sampler]\nstack-depth = 1\nring-size = 1M\nattach = link\n"
		   "[profile cpu]\nrate = 99\ncomm = a\n");
	write_file(dir, "conf.d/20.conf", "[sampler]\nstack-depth = 20\n");
	write_file(dir, "a.conf.d/10.conf", "[sampler]\nstack-depth = 10\nring-size = 2M\n");
	write_file(dir, "a.conf.d/30.conf",
		   "[profile cpu]\nrate = 0\nperiod = 5\ncomm = b\nwhat = x\n");
	write_file(dir, "conf.d/.hidden.conf", "[sampler]\nstack-depth = nonsense\n");
	write_file(dir, "conf.d/40.conf.bak", "[sampler]\nstack-depth = nonsense\n");
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	assert_int_equal(config_load(path, &c, &messages), 0);
	assert_non_null(strstr(messages, "a.conf.d/30.conf:5: warning: there is no key 'what'"));
	assert_int_equal(c.stack_depth, 20);
	assert_int_equal(c.ring_bytes, 2 << 20);
	assert_int_equal(c.attach, ATTACH_LINK);
	assert_int_equal(c.n_profiles, 1);
	assert_int_equal(c.profiles[0].freq_hz, 0);
	assert_int_equal(c.profiles[0].period, 5);
	assert_string_equal(c.profiles[0].filter.comms[0], "b");
	assert_null(c.profiles[0].filter.comms[1]);

	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void changes_for_the_next_start_are_named(void **state)
{
	/* Of what differs, exactly the keys that a reload leaves alone are named. */
	static const struct {
		int test_line;
		const char *text;
		const char *keys;
	} rows[] = {
		{ __LINE__, "", "" },
		{ __LINE__,
		  "[sampler]\nring-size=1M\n[profile x]\nrate=5\n[store]\nretain-size=8G\n", "" },
		{ __LINE__, "[store]\ndirectory=/x\n", "directory" },
		{ __LINE__, "[sampler]\nbtf=/x\nattach=link\n[daemon]\ncontrol-group=adm\n",
		  "btf, control-group" },
		{ __LINE__, "[symbols]\ncache-directory=\ncache-size=1G\ndebug-directory=/d\n",
		  "cache-directory, cache-size, debug-directory" },
	};
	_cleanup_(config_done) struct config running = { 0 };
	_cleanup_free_ char *messages = NULL;

	(void)state;
	assert_int_equal(load("", &running, &messages), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(config_done) struct config fresh = { 0 };
		_cleanup_(buffer_donep) struct buffer keys = { 0 };
		_cleanup_free_ char *text = NULL;

		assert_int_equal(load(rows[i].text, &fresh, &messages), 0);
		config_put_start_keys(&running, &fresh, &keys);
		text = buffer_take_string(&keys);
		if (strcmp(text, rows[i].keys) != 0)
			fail_msg("line %d: %s", rows[i].test_line, text);
	}
}

static void unreadable_files_are_refused(void **state)
{
	/* A named file that is missing, a folder, a device, or too large gives the errno and one
	 * sentence; a later wrong load leaves *ret as it was. */
	static const struct {
		int test_line;
		const char *path;
		int r;
	} rows[] = {
		{ __LINE__, "/nonexistent/x.conf", -ENOENT },
		{ __LINE__, "/tmp", -EISDIR },
		{ __LINE__, "/dev/zero", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config c = { .stack_depth = 7 };
		_cleanup_free_ char *messages = NULL;
		int r = config_load(rows[i].path, &c, &messages);

		if (r != rows[i].r || !messages || !strstr(messages, rows[i].path))
			fail_msg("line %d: %d, %s", rows[i].test_line, r, messages);
		assert_int_equal(c.stack_depth, 7);
	}
}

static void hostile_texts_do_no_harm(void **state)
{
	/* Control characters, lines of any length, thousands of errors and profiles are refused
	 * with bounded messages. */
	_cleanup_(buffer_donep) struct buffer text = { 0 };
	struct config c = { 0 };
	char *messages = NULL;

	(void)state;
	assert_int_equal(config_load_text("x", "[sampler]\nattach\0 = link\n", 25, &c, &messages),
			 -EINVAL);
	assert_non_null(strstr(messages, "x:2: the line holds a control character"));
	free(messages);

	buffer_printf(&text, "[profile a]\nevents = %0300d\n", 1);
	assert_int_equal(config_load_text("x", (char *)text.data, text.size, &c, &messages),
			 -EINVAL);
	assert_non_null(strstr(messages, "x:2: the line is longer than"));
	free(messages);

	buffer_reset(&text);
	for (int i = 0; i < 20000; i++)
		buffer_printf(&text, "[profile p%d]\nrate = x\n", i);
	assert_int_equal(config_load_text("x", (char *)text.data, text.size, &c, &messages),
			 -EINVAL);
	assert_non_null(strstr(messages, "x:33: more than 16 profiles"));
	assert_true(strlen(messages) < 70000);
	free(messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(every_line_gets_its_answer),
		cmocka_unit_test(dump_loads_to_the_same),
		cmocka_unit_test(shipped_file_lists_every_default),
		cmocka_unit_test(manual_names_every_key),
		cmocka_unit_test(drop_ins_override_in_order),
		cmocka_unit_test(changes_for_the_next_start_are_named),
		cmocka_unit_test(unreadable_files_are_refused),
		cmocka_unit_test(hostile_texts_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
