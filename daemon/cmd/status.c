// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "engine/config.h"
#include "engine/control.h"
#include "util/buffer.h"
#include "util/cleanup.h"

#define DEFAULT_SOCKET "/run/ebpf-profiler/control"

struct options {
	const char *config;
	const char *socket;
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
			o->socket = optarg;
		else if (opt == 'c')
			o->config = optarg;
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

/* A wrong configuration must not stand in the way of asking, unless it was named. */
static int find_socket(const struct options *o, struct config *c, char **ret_messages,
		       const char **ret)
{
	int r;

	if (o->socket) {
		*ret = o->socket;
		return EXIT_OK;
	}
	r = config_load(o->config, c, ret_messages);
	*ret = r == 0 ? c->control_socket : DEFAULT_SOCKET;
	if (r == 0 || !o->config)
		return EXIT_OK;
	fputs(*ret_messages ? *ret_messages : "ebpf-profiler: out of memory\n", stderr);
	return EXIT_CONFIG;
}

static int explain(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		fprintf(stderr,
			"ebpf-profiler: no daemon answers on %s; 'systemctl start ebpf-profiler' "
			"starts it, 'systemctl status ebpf-profiler' tells why it ended\n",
			path);
		return EXIT_NOT_RUNNING;
	case -EACCES:
	case -EPERM:
		fprintf(stderr,
			"ebpf-profiler: %s is for root and the group ebpf-profiler only; "
			"'adduser USER ebpf-profiler' makes USER a member\n",
			path);
		return EXIT_PRIVILEGE;
	case -ETIMEDOUT:
		fprintf(stderr, "ebpf-profiler: the daemon on %s does not answer\n", path);
		return EXIT_FAILED;
	case -EBADMSG:
		fprintf(stderr, "ebpf-profiler: what answers on %s is not the daemon\n", path);
		return EXIT_FAILED;
	default:
		fprintf(stderr, "ebpf-profiler: cannot ask the daemon on %s: %s\n", path,
			strerror(-error));
		return EXIT_FAILED;
	}
}

int cmd_status(int argc, char **argv)
{
	_cleanup_(config_done) struct config c = { 0 };
	_cleanup_(buffer_donep) struct buffer reply = { 0 };
	_cleanup_free_ char *messages = NULL;
	struct options o = { .request = "status" };
	const char *path;
	int r;

	r = parse_options(argc, argv, &o);
	if (r)
		return r - 1;
	r = find_socket(&o, &c, &messages, &path);
	if (r)
		return r;
	r = control_ask(path, o.request, &reply);
	if (r < 0) {
		/* Perhaps it names another socket. */
		fputs(messages ? messages : "", stderr);
		return explain(path, r);
	}
	if (r > 0) {
		fprintf(stderr, "ebpf-profiler: %.*s", (int)reply.size, (const char *)reply.data);
		return EXIT_FAILED;
	}
	if (reply.size && !o.quiet && fwrite(reply.data, reply.size, 1, stdout) != 1)
		return EXIT_FAILED;
	return EXIT_OK;
}
