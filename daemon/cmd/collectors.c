// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler collectors: what collectors there are, whether they can work here, and how those of
 * the running daemon do.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "engine/collecting.h"
#include "engine/collecting_print.h"
#include "engine/control.h"
#include "util/buffer.h"

struct options {
	const char *config_path;
	const char *socket;
	bool json, local;
};

static void help(void)
{
	printf("Usage: ebpf-profiler collectors [OPTION]...\n\n"
	       "Lists the collectors: of the running daemon, with how each one does; when none "
	       "runs, whether\neach one could work here, and as whom we are.\n\n"
	       "      --json          one JSON document\n"
	       "  -l, --local         do not ask the daemon\n"
	       "  -s, --socket=PATH   the daemon's socket; default: as configured\n"
	       "  -c, --config=FILE   instead of /etc/ebpf-profiler/ebpf-profiler.conf\n"
	       "  -h, --help          this text\n\n"
	       "Exit codes: 0 listed, 1 failed, 2 wrong usage, 6 the configuration is wrong\n");
}

/* 0: go on; -1: done; > 0: an exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "local", no_argument, NULL, 'l' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "jls:c:h", options, NULL)) != -1)
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'l':
			o->local = true;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'c':
			o->config_path = optarg;
			break;
		case 'h':
			help();
			return -1;
		default:
			return EXIT_USAGE;
		}
	if (optind < argc) {
		fprintf(stderr, "ebpf-profiler: collectors takes no argument ('%s')\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return 0;
}

/* Whether each one could work, as far as a look tells. */
static void look(const struct config *config, struct collecting_entry *entries, char **reasons)
{
	for (size_t i = 0; i < n_collectors; i++) {
		const struct collector *c = collectors[i];
		struct collector_settings s = {};
		int r = collecting_settings(config, c, &s, &reasons[i]);

		entries[i] = (struct collecting_entry){
			.collector = c,
			.enabled = collecting_enabled(config, c),
			.interval_ns = s.interval_ns,
		};
		if (r == 0 && c->probe)
			r = c->probe(&s, &reasons[i]);
		if (r < 0)
			entries[i].unavailable = reasons[i] ? reasons[i] : strerror(-r);
		collector_settings_done(&s);
	}
}

static int print_local(const struct config *config, bool json)
{
	_cleanup_(buffer_donep) struct buffer out = {};
	struct collecting_entry *entries = calloc(n_collectors, sizeof(*entries));
	char **reasons = calloc(n_collectors, sizeof(char *));
	int r = entries && reasons ? 0 : -ENOMEM;

	if (r == 0) {
		look(config, entries, reasons);
		if (json)
			collecting_put_json(entries, n_collectors, false, &out);
		else
			collecting_put_text(entries, n_collectors, false, &out);
		r = out.error;
	}
	if (r == 0)
		fwrite(out.data, 1, out.size, stdout);
	for (size_t i = 0; reasons && i < n_collectors; i++)
		free(reasons[i]);
	free(reasons);
	free(entries);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int cmd_collectors(int argc, char **argv)
{
	_cleanup_(buffer_donep) struct buffer reply = {};
	_cleanup_(config_done) struct config config = {};
	_cleanup_free_ char *messages = NULL;
	struct options o = {};
	int r = parse_options(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	r = config_load(o.config_path, &config, &messages);
	if (r < 0) {
		fputs(messages ? messages : "ebpf-profiler: out of memory\n", stderr);
		return EXIT_CONFIG;
	}
	if (!o.local)
		r = control_ask(o.socket ? o.socket : config.control_socket,
				o.json ? "collectors json" : "collectors", &reply);
	if (o.local || r != 0)
		return print_local(&config, o.json);
	return fwrite(reply.data, 1, reply.size, stdout) == reply.size ? EXIT_OK : EXIT_FAILED;
}
