// SPDX-License-Identifier: Apache-2.0
/*
 * Most options are configuration keys under another name: one row each, checked by the
 * configuration's own table.
 */
#include "cmd/record_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/record_intervals.h"
#include "engine/config_keys.h"
#include "util/log.h"
#include "util/parse.h"

#define DEFAULT_OUTPUT "ebpf-profiler.seg"

enum { OPT_COLLECTORS = 200, OPT_INTERVAL_EVENTS, OPT_KEY = 256 /* + index into key_options */ };

static const struct key_option {
	const char *option; /* long name */
	char letter; /* 0: none */
	const char *section, *key;
	const char *value; /* for options without an argument */
} key_options[] = {
	{ "events", 'e', CONFIG_PROFILE_SECTION, "events", NULL },
	{ "freq", 'F', CONFIG_PROFILE_SECTION, "rate", NULL },
	{ "count", 'c', CONFIG_PROFILE_SECTION, "period", NULL },
	{ "counters", 0, CONFIG_PROFILE_SECTION, "counters", NULL },
	{ "split-at-switch", 0, CONFIG_PROFILE_SECTION, "split-at-switch", "yes" },
	{ "memory-access", 0, CONFIG_PROFILE_SECTION, "memory-access", "yes" },
	{ "pid", 'p', CONFIG_PROFILE_SECTION, "pid", NULL },
	{ "comm", 0, CONFIG_PROFILE_SECTION, "comm", NULL },
	{ "unit", 'u', CONFIG_PROFILE_SECTION, "unit", NULL },
	{ "cgroup", 0, CONFIG_PROFILE_SECTION, "cgroup", NULL },
	{ "cpu", 'C', CONFIG_PROFILE_SECTION, "cpu", NULL },
	{ "idle", 0, CONFIG_PROFILE_SECTION, "idle", "yes" },
	{ "no-kernel-stacks", 0, CONFIG_PROFILE_SECTION, "kernel-stacks", "no" },
	{ "no-user-stacks", 0, CONFIG_PROFILE_SECTION, "user-stacks", "no" },
	{ "exclude-self", 0, "sampler", "exclude-self", "yes" },
	{ "transport", 0, "sampler", "transport", NULL },
	{ "attach", 0, "sampler", "attach", NULL },
	{ "ring-size", 'r', "sampler", "ring-size", NULL },
	{ "stack-depth", 0, "sampler", "stack-depth", NULL },
	{ "unwind", 0, "sampler", "unwind", NULL },
	{ "unwind-check-lbr", 0, "sampler", "unwind-check-lbr", "yes" },
	{ "drain-interval", 0, "sampler", "drain-interval", NULL },
	{ "offcpu-min", 0, "sampler", "offcpu-min", NULL },
	{ "offcpu-max", 0, "sampler", "offcpu-max", NULL },
	{ "btf", 0, "sampler", "btf", NULL },
	{ "allow-unsafe-kernel", 0, "sampler", "allow-unsafe", "yes" },
	{ "symbol-cache", 0, "symbols", "cache-directory", NULL },
	{ "compression-level", 0, "store", "compression-level", NULL },
};

_Static_assert(ARRAY_SIZE(key_options) <= 32, "a bit each in record_options.given");

static const char help[] =
	"Usage: ebpf-profiler record [OPTION]... [-- COMMAND [ARG]...]\n"
	"\n"
	"Samples the whole host, or COMMAND and its descendants, until it is interrupted, the\n"
	"duration is over or COMMAND ends. The exit code is COMMAND's; one that goes on when the\n"
	"duration is over gets SIGTERM.\n"
	"\n"
	"  -d, --duration TIME       stop after 10, 500ms, 2min ...\n"
	"  -e, --events LIST         NAME[@97Hz|@100003],... (cycles; see 'ebpf-profiler events')\n"
	"  -F, --freq HZ             rate of the events that give none\n"
	"  -c, --count N             period of the events that give none\n"
	"      --counters LIST       events read at each sample, for ratios per function; at most "
	"8\n"
	"      --split-at-switch     end their deltas at each context switch\n"
	"      --memory-access       address, data source and latency of each sample, where the\n"
	"                            hardware gives them: precise events (PEBS, IBS), page faults\n"
	"  -o, --output FILE         write FILE (./" DEFAULT_OUTPUT ")\n"
	"  -a, --all                 the whole host beside COMMAND\n"
	"\n"
	"Which samples are kept; a list may hold several, separated by commas:\n"
	"  -p, --pid LIST            processes\n"
	"      --comm LIST           thread names\n"
	"  -u, --unit LIST           systemd units and slices, with all below them\n"
	"      --cgroup LIST         cgroup paths, with all below them\n"
	"  -C, --cpu LIST            CPUs, as in 0-3,8\n"
	"      --idle                pid 0 too\n"
	"      --exclude-self        not the profiler's own\n"
	"      --no-kernel-stacks, --no-user-stacks\n"
	"\n"
	"Beside the samples, of the whole host, for timeline and --when:\n"
	"  -I, --interval TIME       a row of collectors each TIME: 500 or 500ms, 2s ... (1s)\n"
	"      --collectors LIST     which (pmu; see 'ebpf-profiler collectors')\n"
	"  -M, --metrics LIST        what pmu computes: usual, all, none, names (usual)\n"
	"      --interval-events LIST\n"
	"                            what pmu counts beside them\n"
	"\n"
	"How:\n"
	"      --transport WAY       auto, perf or bpf ring buffers\n"
	"      --attach WAY          auto, link or ioctl\n"
	"  -r, --ring-size SIZE      of each CPU's ring (512K)\n"
	"      --stack-depth N       frames of each half, 1 to 127 (127)\n"
	"      --unwind WAY          user stacks: auto, dwarf (rows of .eh_frame) or fp (auto)\n"
	"      --unwind-check-lbr    compare seven stacks a second of each CPU with its LBRs (Intel)\n"
	"      --drain-interval TIME between two looks at the rings (200ms)\n"
	"      --offcpu-min TIME, --offcpu-max TIME\n"
	"                            what is shorter or longer is no sample of offcpu (1ms, no "
	"limit)\n"
	"      --btf PATH            BTF file, or directory in BTFHub layout\n"
	"      --symbol-cache DIR    function indexes are kept here\n"
	"      --compression-level N zstd, 1 to 19 (2)\n"
	"      --allow-unsafe-kernel attach although this kernel is known to be dangerous for it\n"
	"  -v, --verbose             say more\n"
	"  -h, --help\n"
	"\n"
	"Exit codes: COMMAND's own; 0 done, 1 failed, 2 wrong options, 4 a privilege is missing,\n"
	"69 the kernel or the machine cannot do it, 126 or 127 COMMAND cannot be run.\n";

static const struct config_key *find_key(const struct key_option *o)
{
	const struct config_key *keys;
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].section, o->section) == 0 && strcmp(keys[i].name, o->key) == 0)
			return &keys[i];
	return NULL;
}

static int refuse(const struct key_option *o, const struct config_key *k, const char *text)
{
	_cleanup_(buffer_donep) struct buffer allowed = {};

	k->type->allowed(k, &allowed);
	fprintf(stderr, "ebpf-profiler: '--%s %s' is not possible; allowed is %.*s\n", o->option,
		text, (int)allowed.size, (const char *)allowed.data);
	return EXIT_USAGE;
}

/* The first time an option is given it takes the default's place; lists grow when it is repeated.
 */
static int set_key(struct record_options *o, const struct key_option *option, const char *text)
{
	uint32_t bit = 1U << (option - key_options);
	const struct config_key *k = find_key(option);
	void *owner = config_key_in_profile(k) ? (void *)o->config.profiles : &o->config;
	void *field = config_key_field(k, owner);
	int r;

	if (k->type->done && !(k->type->list && o->given & bit))
		k->type->done(field);
	o->given |= bit;
	r = k->type->parse(k, text, field);
	return r < 0 ? refuse(option, k, text) : 0;
}

/* getopt's tables, made from the rows and the few options that are no keys. */
static void make_tables(struct option *longs, char *letters)
{
	static const struct option own[] = {
		{ "duration", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ "all", no_argument, NULL, 'a' },
		{ "interval", required_argument, NULL, 'I' },
		{ "collectors", required_argument, NULL, OPT_COLLECTORS },
		{ "metrics", required_argument, NULL, 'M' },
		{ "interval-events", required_argument, NULL, OPT_INTERVAL_EVENTS },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
	};
	size_t n = ARRAY_SIZE(own);

	memcpy(longs, own, sizeof(own));
	letters += sprintf(letters, "+d:o:aI:M:vh");
	for (size_t i = 0; i < ARRAY_SIZE(key_options); i++) {
		const struct key_option *k = &key_options[i];

		longs[n++] = (struct option){ k->option, k->value ? no_argument : required_argument,
					      NULL, OPT_KEY + (int)i };
		if (k->letter)
			letters += sprintf(letters, "%c:", k->letter);
	}
	longs[n] = (struct option){};
}

static int set_by_letter(struct record_options *o, int c)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_options); i++) {
		const struct key_option *k = &key_options[i];

		if (c == OPT_KEY + (int)i || (k->letter && c == k->letter))
			return set_key(o, k, k->value ? k->value : optarg);
	}
	fprintf(stderr, "Try 'ebpf-profiler record --help'.\n");
	return EXIT_USAGE;
}

static int set_option(struct record_options *o, int c)
{
	switch (c) {
	case 'd':
		if (parse_duration(optarg, &o->duration_ns) == 0 && o->duration_ns)
			return 0;
		fprintf(stderr,
			"ebpf-profiler: '--duration %s' is no time; 10, 500ms or 2min are\n",
			optarg);
		return EXIT_USAGE;
	case 'o':
		o->output = optarg;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case 'I':
		o->intervals.interval = optarg;
		return 0;
	case OPT_COLLECTORS:
		o->intervals.collectors = optarg;
		return 0;
	case 'M':
		o->intervals.metrics = optarg;
		return 0;
	case OPT_INTERVAL_EVENTS:
		o->intervals.events = optarg;
		return 0;
	case 'v':
		log_set_max_level(LOG_DEBUG);
		return 0;
	case 'h':
		fputs(help, stdout);
		return -1;
	default:
		return set_by_letter(o, c);
	}
}

static bool is_given(const struct record_options *o, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_options); i++)
		if (strcmp(key_options[i].option, option) == 0)
			return o->given & 1U << i;
	return false;
}

/* The host's cache where we may write it, else none: a profile needs no cache, it is only made
 * faster by it. One that was asked for is made if need be, or complained about. */
static int drop_unusable_cache(struct record_options *o)
{
	if (*o->config.symbol_cache_directory && !is_given(o, "symbol-cache") &&
	    access(o->config.symbol_cache_directory, W_OK) < 0) {
		free(o->config.symbol_cache_directory);
		o->config.symbol_cache_directory = strdup("");
	}
	return o->config.symbol_cache_directory ? 0 : EXIT_FAILED;
}

/* Thread ids exist, too, but no process has them. */
static bool process_exists(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/task/%s", pid, pid);
	return access(path, F_OK) == 0 || strcmp(pid, "0") == 0;
}

static int check_pids(const struct record_options *o)
{
	for (char **pid = o->config.profiles->filter.pids; pid && *pid; pid++)
		if (!process_exists(*pid)) {
			fprintf(stderr, "ebpf-profiler: there is no process %s\n", *pid);
			return EXIT_FAILED;
		}
	return 0;
}

int record_options_parse(struct record_options *o, int argc, char **argv)
{
	struct option longs[ARRAY_SIZE(key_options) + 10];
	char letters[16 + 2 * ARRAY_SIZE(key_options)];
	int c, r = config_init(&o->config);

	if (r < 0 || !config_add_profile(&o->config, ""))
		return log_error_errno(-ENOMEM, "Cannot begin") ? EXIT_FAILED : 0;
	o->output = DEFAULT_OUTPUT;
	make_tables(longs, letters);
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		r = set_option(o, c);
		if (r != 0)
			return r;
	}
	if (o->config.profiles->freq_hz && o->config.profiles->period) {
		fprintf(stderr, "ebpf-profiler: --freq and --count exclude each other\n");
		return EXIT_USAGE;
	}
	if (optind < argc)
		o->command = argv + optind;
	if (o->all && !o->command) {
		fprintf(stderr, "ebpf-profiler: --all is for 'record --all -- COMMAND'; without a "
				"command the whole "
				"host is sampled anyway\n");
		return EXIT_USAGE;
	}
	r = check_pids(o);
	if (r == 0)
		r = record_intervals_apply(&o->intervals, &o->config);
	return r ? r : drop_unusable_cache(o);
}

void record_options_done(struct record_options *o)
{
	config_done(&o->config);
}
