// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler collect: collectors in the foreground, on the same worker and under the same
 * deadline as in the daemon.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "cmd/cmd.h"
#include "cmd/collect_totals.h"
#include "cmd/collector_keys.h"
#include "cmd/row_print.h"
#include "engine/collecting.h"
#include "engine/config_keys.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/parse.h"

#define MAX_NAMED 64
#define CHECK_MS 100 /* between two looks at deadlines */

/* One collector that was named. */
struct named {
	const struct collector *collector;
	struct collector_settings settings;
	uint64_t batches;
	uint64_t *cost_ns; /* of each read, for --bench */
	uint64_t cpu_ns; /* of all of them */
	size_t n_costs, capacity;
	bool failed, done;
};

struct collect_command {
	struct config config;
	struct named named[MAX_NAMED];
	size_t n;
	uint64_t duration_ns, iterations; /* 0: no limit */
	bool json, bench;
	struct collect *collect;
	struct collect_totals *totals;
	int64_t clock_offset_ns;
};

static const char help[] =
	"Usage: ebpf-profiler collect [OPTION]... NAME...\n\n"
	"Runs collectors in the foreground and prints a line for each row, until it is\n"
	"interrupted; then totals, the largest first. 'ebpf-profiler collectors' lists them.\n\n"
	"  -I, --interval=TIME   between two reads: 500 or 500ms, 2s ... (each one's own)\n"
	"  -d, --duration=TIME   stop after 10, 500ms, 2min ...\n"
	"  -n, --iterations=N    stop after N reads of each; 1 of those that are read once\n"
	"      --json            one JSON object a line\n"
	"      --bench           no rows: minimum, median and maximum time of a read,\n"
	"                        and its CPU time in the mean\n"
	"      --set=KEY=VALUE   a key of [collector NAME], for all that are named: top=5\n"
	"      --procfs=DIR, --sysfs=DIR, --dev=DIR   in place of /proc, /sys and /dev\n"
	"  -h, --help\n\n"
	"Exit codes: 0 done, 1 a collector failed, 2 wrong usage, 69 one cannot work here\n";

/* --- options --- */

static int set_pair(struct collector_config *c, const char *pair)
{
	const char *equals = strchr(pair, '=');

	if (equals)
		return collector_key_set(c, "collect", pair, (size_t)(equals - pair), equals + 1);
	fprintf(stderr, "ebpf-profiler collect: --set takes KEY=VALUE, not '%s'\n", pair);
	return EXIT_USAGE;
}

static int wrong(const char *option, const char *what)
{
	fprintf(stderr, "ebpf-profiler collect: '--%s %s' is not %s\n", option, optarg, what);
	return EXIT_USAGE;
}

static int take_option(struct collect_command *o, struct collector_config *c, int option)
{
	switch (option) {
	case 'I':
		return collector_interval_set(c, "collect", optarg);
	case 'd':
		return parse_duration(optarg, &o->duration_ns) == 0 && o->duration_ns
			       ? 0
			       : wrong("duration", "a time such as 10 or 500ms");
	case 'n':
		return parse_u64(optarg, &o->iterations) == 0 && o->iterations
			       ? 0
			       : wrong("iterations", "a number from 1 on");
	case 'j':
		o->json = true;
		return 0;
	case 'b':
		o->bench = true;
		return 0;
	case 's':
		return set_pair(c, optarg);
	case 'P':
		return collector_key_set(c, "collect", "procfs", strlen("procfs"), optarg);
	case 'S':
		return collector_key_set(c, "collect", "sysfs", strlen("sysfs"), optarg);
	case 'D':
		return collector_key_set(c, "collect", "dev", strlen("dev"), optarg);
	case 'h':
		fputs(help, stdout);
		return -1;
	default:
		return EXIT_USAGE;
	}
}

/* Takes the common keys over into a section of the collector's own. */
static int name_collector(struct collect_command *o, const char *name)
{
	const struct collector *c = collector_find(name);
	char *own;

	if (!c) {
		fprintf(stderr,
			"ebpf-profiler collect: there is no collector '%s'; 'ebpf-profiler "
			"collectors' lists them\n",
			name);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < o->n; i++)
		if (o->named[i].collector == c)
			return 0;
	if (o->n == MAX_NAMED)
		return EXIT_USAGE;
	own = strdup(name);
	if (!own)
		return EXIT_FAILED;
	free(o->config.collectors->name);
	o->config.collectors->name = own;
	o->named[o->n].collector = c;
	return 0;
}

static int resolve(struct collect_command *o, const char *name)
{
	struct named *n = &o->named[o->n];
	_cleanup_free_ char *error = NULL, *reason = NULL;
	int r = name_collector(o, name);

	if (r != 0 || !n->collector)
		return r;
	r = collecting_settings(&o->config, n->collector, &n->settings, &error);
	if (r < 0) {
		fprintf(stderr, "ebpf-profiler collect: %s\n", error ? error : strerror(-r));
		return EXIT_USAGE;
	}
	o->n++;
	r = n->collector->probe ? n->collector->probe(&n->settings, &reason) : 0;
	if (r == 0)
		return 0;
	fprintf(stderr, "ebpf-profiler collect: %s cannot work here: %s\n", name,
		reason ? reason : strerror(-r));
	return exit_code_for_error(r) == EXIT_PRIVILEGE ? EXIT_PRIVILEGE : EXIT_UNSUPPORTED;
}

/* 0: go on; -1: done; > 0: an exit code. */
static int parse_options(struct collect_command *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'I' },
		{ "duration", required_argument, NULL, 'd' },
		{ "iterations", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "bench", no_argument, NULL, 'b' },
		{ "set", required_argument, NULL, 's' },
		{ "procfs", required_argument, NULL, 'P' },
		{ "sysfs", required_argument, NULL, 'S' },
		{ "dev", required_argument, NULL, 'D' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct collector_config *c;
	int option, r = config_init(&o->config);

	c = r == 0 ? config_add_collector(&o->config, "") : NULL;
	if (!c)
		return EXIT_FAILED;
	while ((option = getopt_long(argc, argv, "I:d:n:h", options, NULL)) != -1) {
		r = take_option(o, c, option);
		if (r != 0)
			return r;
	}
	if (optind == argc) {
		fprintf(stderr, "ebpf-profiler collect: which collector? 'ebpf-profiler "
				"collectors' lists them\n");
		return EXIT_USAGE;
	}
	if (c->delta_min_ns > c->delta_max_ns) {
		fprintf(stderr, "ebpf-profiler collect: delta-min is above delta-max\n");
		return EXIT_USAGE;
	}
	for (int i = optind; i < argc; i++) {
		r = resolve(o, argv[i]);
		if (r != 0)
			return r;
	}
	return 0;
}

/* --- running --- */

static struct named *find_named(struct collect_command *o, const struct collector *c)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->named[i].collector == c)
			return &o->named[i];
	return NULL;
}

static void fail(struct named *n, const char *sentence)
{
	n->failed = n->done = true;
	fprintf(stderr, "ebpf-profiler collect: %s failed: %s\n", n->collector->name, sentence);
}

static void on_failed(const struct collector *c, const char *sentence, void *userdata)
{
	struct named *n = find_named(userdata, c);

	if (n)
		fail(n, sentence);
}

static void keep_cost(struct named *n, const struct batch *b)
{
	if (n->n_costs == n->capacity) {
		size_t capacity = MAX(2 * n->capacity, (size_t)64);
		uint64_t *grown = reallocarray(n->cost_ns, capacity, sizeof(*grown));

		if (!grown)
			return;
		n->cost_ns = grown;
		n->capacity = capacity;
	}
	n->cost_ns[n->n_costs++] = b->wall_ns;
	n->cpu_ns += b->cpu_ns;
}

static bool print_rows(struct collect_command *o, const struct rows *rows)
{
	_cleanup_(buffer_donep) struct buffer out = {};

	for (size_t i = 0; i < rows->n; i++)
		row_print(&out, o->json ? ROW_FORMAT_JSON : ROW_FORMAT_TEXT, &rows->list[i],
			  rows->list[i].time_ns + (uint64_t)o->clock_offset_ns);
	return !out.error && fwrite(out.data, 1, out.size, stdout) == out.size &&
	       fflush(stdout) == 0;
}

/* False: nobody reads what is printed any more. */
static bool take_batch(struct collect_command *o, const struct batch *b)
{
	struct named *n = find_named(o, b->collector);
	bool good = true;

	if (n->done)
		return true;
	n->batches++;
	keep_cost(n, b);
	if (!o->bench)
		good = print_rows(o, &b->rows);
	collect_totals_add(o->totals, &b->rows);
	if (b->error < 0) {
		struct collector_status s;

		collect_get_status(o->collect, n->collector, &s);
		fail(n, *s.error ? s.error : strerror(-b->error));
	} else if (b->rows.problems) {
		fprintf(stderr, "ebpf-profiler collect: %s: %s\n", n->collector->name,
			b->rows.problem);
	}
	if ((o->iterations && n->batches >= o->iterations) ||
	    (n->collector->kind == COLLECTOR_ONCE && !o->iterations && !o->duration_ns))
		n->done = true;
	return good;
}

static bool all_done(const struct collect_command *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (!o->named[i].done)
			return false;
	return true;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Until all are done, the time is over, or a signal comes. */
static int loop(struct collect_command *o, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = collect_fd(o->collect), .events = POLLIN },
	};
	uint64_t end_ns = now_ns() + o->duration_ns;

	while (!all_done(o)) {
		struct batch *b;

		if (poll(fds, ARRAY_SIZE(fds), CHECK_MS) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			break;
		collect_check(o->collect, on_failed, o);
		while ((b = collect_take(o->collect))) {
			bool good = take_batch(o, b);

			batch_free(b);
			if (!good)
				return -EPIPE;
		}
		if (o->duration_ns && now_ns() >= end_ns)
			break;
	}
	return 0;
}

/* What was counted since the last reads, and what waits in rings. */
static int take_rest(struct collect_command *o)
{
	struct pollfd fd = { .fd = collect_fd(o->collect), .events = POLLIN };
	uint64_t start_ns = now_ns();
	bool good = true;

	for (size_t i = 0; i < o->n; i++)
		o->named[i].done |= !collector_counts(o->named[i].collector);
	if (!all_done(o))
		collect_read_now(o->collect);
	while (good && !all_done(o) &&
	       now_ns() - start_ns < o->config.collector_deadline_ns) {
		struct batch *b;

		(void)poll(&fd, 1, CHECK_MS);
		while (good && (b = collect_take(o->collect))) {
			struct named *n = find_named(o, b->collector);

			good = take_batch(o, b);
			n->done |= b->rows.time_ns >= start_ns;
			batch_free(b);
		}
	}
	return good ? 0 : -EPIPE;
}

/* --- the end --- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void print_bench(struct collect_command *o)
{
	if (!o->json)
		printf("%-16s %8s %12s %12s %12s %12s\n", "collector", "reads", "min us",
		       "median us", "max us", "CPU us");
	for (size_t i = 0; i < o->n; i++) {
		struct named *n = &o->named[i];
		_cleanup_(buffer_donep) struct buffer out = {};
		struct json j;

		if (n->n_costs == 0)
			continue;
		qsort(n->cost_ns, n->n_costs, sizeof(*n->cost_ns), compare_u64);
		if (!o->json) {
			printf("%-16s %8zu %12.1f %12.1f %12.1f %12.1f\n", n->collector->name,
			       n->n_costs, us(n->cost_ns[0]), us(n->cost_ns[n->n_costs / 2]),
			       us(n->cost_ns[n->n_costs - 1]), us(n->cpu_ns / n->n_costs));
			continue;
		}
		json_init(&j, &out, false);
		json_open_object(&j, NULL);
		json_string(&j, "collector", n->collector->name);
		json_uint(&j, "reads", n->n_costs);
		json_double(&j, "min_us", us(n->cost_ns[0]));
		json_double(&j, "median_us", us(n->cost_ns[n->n_costs / 2]));
		json_double(&j, "max_us", us(n->cost_ns[n->n_costs - 1]));
		json_double(&j, "cpu_us", us(n->cpu_ns / n->n_costs));
		json_close_object(&j);
		fwrite(out.data, 1, out.size, stdout);
	}
}

static int run(struct collect_command *o)
{
	_cleanup_close_ int signal_fd = open_signals();
	int r = signal_fd < 0 ? -errno : collect_new(o->config.collector_deadline_ns, &o->collect);

	o->clock_offset_ns = (int64_t)(clock_ns(CLOCK_REALTIME) - now_ns());
	o->totals = collect_totals_new();
	if (r == 0 && !o->totals)
		r = -ENOMEM;
	for (size_t i = 0; i < o->n && r == 0; i++)
		r = collect_start(o->collect, o->named[i].collector, &o->named[i].settings);
	if (r == 0)
		r = loop(o, signal_fd);
	if (r == 0)
		r = take_rest(o);
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "ebpf-profiler collect: %s\n", strerror(-r));
	if (r == 0 && o->bench)
		print_bench(o);
	else if (r == 0)
		collect_totals_print(o->totals, o->json, stdout);
	for (size_t i = 0; i < o->n; i++)
		if (o->named[i].failed)
			r = -EIO;
	return r < 0 && r != -EPIPE ? EXIT_FAILED : EXIT_OK;
}

int cmd_collect(int argc, char **argv)
{
	struct collect_command o = {};
	int r = parse_options(&o, argc, argv);

	r = r < 0 ? EXIT_OK : r > 0 ? r : run(&o);
	collect_free(o.collect);
	collect_totals_free(o.totals);
	for (size_t i = 0; i < ARRAY_SIZE(o.named); i++) {
		collector_settings_done(&o.named[i].settings);
		free(o.named[i].cost_ns);
	}
	config_done(&o.config);
	return r;
}
