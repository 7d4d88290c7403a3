// SPDX-License-Identifier: Apache-2.0
#include "cmd/stat_options.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "util/cleanup.h"
#include "util/parse.h"

#define MIN_INTERVAL_NS (10 * NSEC_PER_MSEC)

static const char help[] =
	"Usage: ebpf-profiler stat [OPTION]... [-- COMMAND [ARG]...]\n"
	"\n"
	"Counts events on the whole host, or of COMMAND and what it starts, until it is\n"
	"interrupted, the duration is over or COMMAND ends. The exit code is COMMAND's.\n"
	"\n"
	"  -e, --events LIST         what is counted; a name of a PMU without its number\n"
	"                            (uncore_imc/cas_count_read/) stands for all of its\n"
	"                            instances; {A,B} are counted at the same time or not at all\n"
	"  -M, --metrics LIST        what is computed; 'ebpf-profiler metrics' lists them; 'all',\n"
	"                            and a part of names means all that contain it\n"
	"  -I, --interval TIME       a table each 1000 (ms), 500ms, 2s ...\n"
	"  -d, --duration TIME       stop after 10 (s), 500ms, 2min ...\n"
	"  -a, --all                 the whole host beside COMMAND\n"
	"      --per-socket, --per-core, --per-cpu\n"
	"                            not summed up over the host; the whole host\n"
	"  -p, --pid LIST            these processes, and what they start from now on\n"
	"      --guests              guests of this host are counted with it\n"
	"      --reserve N           leave N counters of each CPU to others\n"
	"  -o, --output FILE         not to stdout, or beside COMMAND to stderr\n"
	"      --json                one object a line for each table\n"
	"  -h, --help                this text\n"
	"\n"
	"A value with ~ was counted for less than 90 % of the time, and is scaled; what was not\n"
	"counted at all is absent, with the reason.\n"
	"\n"
	"Exit codes: COMMAND's; 0 something was counted, 1 it failed, 2 wrong usage,\n"
	"4 not permitted, 69 nothing can be counted here\n";

static const struct option longs[] = {
	{ "events", required_argument, NULL, 'e' },
	{ "metrics", required_argument, NULL, 'M' },
	{ "interval", required_argument, NULL, 'I' },
	{ "duration", required_argument, NULL, 'd' },
	{ "all", no_argument, NULL, 'a' },
	{ "per-socket", no_argument, NULL, 's' },
	{ "per-core", no_argument, NULL, 'c' },
	{ "per-cpu", no_argument, NULL, 'C' },
	{ "pid", required_argument, NULL, 'p' },
	{ "guests", no_argument, NULL, 'g' },
	{ "reserve", required_argument, NULL, 'r' },
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int usage(const char *format, ...) _printf_(1, 2);
static int usage(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("ebpf-profiler stat: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return EXIT_USAGE;
}

/* perf's -I is in milliseconds. */
static int parse_interval(const char *text, uint64_t *ret_ns)
{
	uint64_t v;

	if (parse_u64(text, &v) == 0 && v <= UINT64_MAX / NSEC_PER_MSEC)
		v *= NSEC_PER_MSEC;
	else if (parse_duration(text, &v) < 0)
		return usage("'-I %s' is no time; 1000 (milliseconds), 500ms or 2s are", text);
	if (v < MIN_INTERVAL_NS)
		return usage("'-I %s' is too short: 10 ms at least, or reading the counters "
			     "is what is measured",
			     text);
	*ret_ns = v;
	return 0;
}

static int append_pid(pid_t **pids, size_t *n, pid_t pid)
{
	pid_t *grown = realloc(*pids, (*n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*pids = grown;
	grown[(*n)++] = pid;
	return 0;
}

/* Threads that are started later are counted with the one that starts them. */
static int add_threads(struct stat_options *o, pid_t pid)
{
	char path[64];
	struct dirent *e;
	int r = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return usage("there is no process %d", pid);
	while (r == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = append_pid(&o->tasks, &o->n_tasks, (pid_t)atoi(e->d_name));
	closedir(d);
	return r < 0 ? EXIT_FAILED : 0;
}

static int parse_pids(struct stat_options *o, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *word;
	uint64_t pid;
	int r;

	while ((word = strsep(&rest, ","))) {
		if (parse_u64(word, &pid) < 0 || pid == 0 || pid > INT_MAX)
			return usage("'-p %s' is no list of processes", text);
		r = add_threads(o, (pid_t)pid);
		if (r != 0)
			return r;
		if (append_pid(&o->pids, &o->n_pids, (pid_t)pid) < 0)
			return EXIT_FAILED;
	}
	return copy ? 0 : EXIT_FAILED;
}

static int parse_reserve(const char *text, unsigned int *ret)
{
	uint64_t v;

	if (parse_u64(text, &v) < 0 || v > 64)
		return usage("'--reserve %s' is no number of counters", text);
	*ret = (unsigned int)v;
	return 0;
}

static int set_by(struct stat_options *o, enum pmu_sum_by by)
{
	if (o->by != PMU_SUM_HOST && o->by != by)
		return usage("--per-socket, --per-core and --per-cpu exclude each other");
	o->by = by;
	return 0;
}

static int set_option(struct stat_options *o, int c)
{
	switch (c) {
	case 'e':
		o->events = optarg;
		return 0;
	case 'M':
		o->metrics = optarg;
		return 0;
	case 'I':
		return parse_interval(optarg, &o->interval_ns);
	case 'd':
		if (parse_duration(optarg, &o->duration_ns) == 0 && o->duration_ns)
			return 0;
		return usage("'-d %s' is no time; 10, 500ms or 2min are", optarg);
	case 'a':
		o->all = true;
		return 0;
	case 's':
		return set_by(o, PMU_SUM_SOCKET);
	case 'c':
		return set_by(o, PMU_SUM_CORE);
	case 'C':
		return set_by(o, PMU_SUM_CPU);
	case 'p':
		return parse_pids(o, optarg);
	case 'g':
		o->guests = true;
		return 0;
	case 'r':
		return parse_reserve(optarg, &o->reserve);
	case 'o':
		o->output = optarg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'h':
		fputs(help, stdout);
		return -1;
	default:
		fprintf(stderr, "Try 'ebpf-profiler stat --help'.\n");
		return EXIT_USAGE;
	}
}

static int check(struct stat_options *o)
{
	if (o->n_pids && o->command)
		return usage("-p and a command exclude each other");
	if (o->n_pids && (o->all || o->by != PMU_SUM_HOST))
		return usage("a process is counted wherever it runs: -p does not go with -a and "
			     "--per-...");
	/* who asks for sockets beside a command, asks for the host */
	if (o->by != PMU_SUM_HOST || (!o->command && !o->n_pids))
		o->all = true;
	return 0;
}

int stat_options_parse(struct stat_options *o, int argc, char **argv)
{
	int c, r;

	while ((c = getopt_long(argc, argv, "+e:M:I:d:ap:o:h", longs, NULL)) != -1) {
		r = set_option(o, c);
		if (r != 0)
			return r;
	}
	if (optind < argc)
		o->command = argv + optind;
	return check(o);
}

void stat_options_done(struct stat_options *o)
{
	free(o->pids);
	free(o->tasks);
}
