// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

struct options {
	struct ask_options daemon;
	const char *request;
	bool quiet;
};

static void help(void)
{
	printf("Usage: ebpf-profiler status [OPTION]...\n\n"
	       "Asks the running daemon how it does.\n\n"
	       "  -j, --json          as JSON\n"
	       "      --metrics       everything as metrics, in the Prometheus text format\n"
	       "      --rotate        close the file being written instead, and begin another\n"
	       "      --reload        have the configuration read again instead\n"
	       "  -q, --quiet         prints nothing when all is well\n"
	       "  -s, --socket=PATH   the daemon's socket; default: as configured\n"
	       "  -c, --config=FILE   configuration that names it\n"
	       "  -h, --help          this text\n\n"
	       "Exit codes: 0 answered, 1 refused or no answer, 2 wrong usage, 4 not allowed,\n"
	       "5 no daemon runs, 6 the named configuration is wrong.\n");
}

/* 0: go on; otherwise the exit code + 1. */
static int parse_options(int argc, char **argv, struct options *o)
{
	enum { OPT_ROTATE = 256, OPT_RELOAD, OPT_METRICS };
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "metrics", no_argument, NULL, OPT_METRICS },
		{ "rotate", no_argument, NULL, OPT_ROTATE },
		{ "reload", no_argument, NULL, OPT_RELOAD },
		{ "quiet", no_argument, NULL, 'q' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "jqs:c:h", options, NULL)) >= 0) {
		if (opt == 'j')
			o->request = "status json";
		else if (opt == OPT_ROTATE)
			o->request = "rotate";
		else if (opt == OPT_METRICS)
			o->request = "metrics";
		else if (opt == OPT_RELOAD)
			o->request = "reload";
		else if (opt == 'q')
			o->quiet = true;
		else if (opt == 's')
			o->daemon.socket = optarg;
		else if (opt == 'c')
			o->daemon.config = optarg;
		else if (opt == 'h')
			return help(), EXIT_OK + 1;
		else
			return EXIT_USAGE + 1;
	}
	if (optind < argc) {
		fprintf(stderr, "ebpf-profiler: status takes no argument ('%s')\n", argv[optind]);
		return EXIT_USAGE + 1;
	}
	return 0;
}

int cmd_status(int argc, char **argv)
{
	_cleanup_(buffer_donep) struct buffer reply = { 0 };
	struct options o = { .request = "status" };
	int r = parse_options(argc, argv, &o);

	if (r)
		return r - 1;
	r = ask_daemon(&o.daemon, o.request, &reply);
	if (r == EXIT_OK && reply.size && !o.quiet &&
	    fwrite(reply.data, reply.size, 1, stdout) != 1)
		return EXIT_FAILED;
	return r;
}
