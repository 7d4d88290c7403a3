// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler yield: the daemon gives the hardware's counters up for a time, so that perf or a
 * benchmark has all of them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "engine/service.h"
#include "util/parse.h"

#define DEFAULT_TIME "60"

struct options {
	struct ask_options daemon;
	bool end;
};

static const char help[] =
	"Usage: ebpf-profiler yield [OPTION]... [TIME]\n\n"
	"Makes the running daemon give up the counters of the hardware for TIME (60 seconds; 30,\n"
	"10min ... up to 1h), so that perf or a benchmark has all of them; then it takes them "
	"back\n"
	"by itself. Samples of software events go on; a profile tells of the gap.\n\n"
	"      --end           take them back now\n"
	"  -s, --socket=PATH   the daemon's socket; default: as configured\n"
	"  -c, --config=FILE   configuration that names it\n"
	"  -h, --help          this text\n\n"
	"Exit codes: 0 done, 1 refused or no answer, 2 wrong usage, 4 not allowed, 5 no daemon\n"
	"runs, 6 the named configuration is wrong.\n";

/* 0: go on; otherwise the exit code + 1. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "end", no_argument, NULL, 'e' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "s:c:h", options, NULL)) >= 0) {
		if (opt == 'e')
			o->end = true;
		else if (opt == 's')
			o->daemon.socket = optarg;
		else if (opt == 'c')
			o->daemon.config = optarg;
		else if (opt == 'h')
			return fputs(help, stdout), EXIT_OK + 1;
		else
			return EXIT_USAGE + 1;
	}
	if (argc - optind > !o->end) {
		fprintf(stderr, "ebpf-profiler: yield takes %s ('%s')\n",
			o->end ? "no time with --end" : "one time", argv[argc - 1]);
		return EXIT_USAGE + 1;
	}
	return 0;
}

static int parse_time(const char *text, uint64_t *ret_ns)
{
	if (parse_duration(text, ret_ns) == 0 && *ret_ns >= NSEC_PER_SEC &&
	    *ret_ns <= SERVICE_MAX_YIELD_NS)
		return 0;
	fprintf(stderr, "ebpf-profiler: '%s' is no time from 1s to 1h, such as 30 or 10min\n",
		text);
	return -EINVAL;
}

int cmd_yield(int argc, char **argv)
{
	_cleanup_(buffer_donep) struct buffer reply = { 0 };
	struct options o = { 0 };
	uint64_t time_ns = 0;
	char request[32];
	int r = parse_options(argc, argv, &o);

	if (r)
		return r - 1;
	if (!o.end && parse_time(optind < argc ? argv[optind] : DEFAULT_TIME, &time_ns) < 0)
		return EXIT_USAGE;
	snprintf(request, sizeof(request), "yield %llu",
		 (unsigned long long)(time_ns / NSEC_PER_SEC));
	r = ask_daemon(&o.daemon, request, &reply);
	if (r == EXIT_OK && fwrite(reply.data, 1, reply.size, stdout) != reply.size)
		return EXIT_FAILED;
	return r;
}
