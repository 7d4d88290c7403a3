// SPDX-License-Identifier: Apache-2.0
/*
 * The service: samples by the configuration into the state directory until it is told to stop.
 */
#include <linux/types.h>

#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/messages.h"
#include "engine/plan.h"
#include "engine/prepare.h"
#include "util/buffer.h"
#include "util/log.h"

struct daemon_options {
	const char *config_path;
	bool check, dump;
};

static const char help[] =
	"Usage: ebpf-profiler daemon [OPTION]...\n"
	"\n"
	"Samples by the configuration until SIGTERM. SIGHUP reloads, SIGUSR1 seals the segment.\n"
	"\n"
	"      --config FILE    instead of /etc/ebpf-profiler/ebpf-profiler.conf\n"
	"      --check-config   say what is wrong with the configuration, and end\n"
	"      --dump-config    print every key with its value, and end\n"
	"  -v, --verbose        say more\n"
	"  -h, --help\n"
	"\n"
	"Exit codes: 0 stopped, 1 failed, 2 wrong options, 4 a privilege is missing, 6 the\n"
	"configuration is wrong, 69 the kernel or the machine cannot do it.\n";

/* 0: go on; -1: done; > 0: an exit code. */
static int parse_options(struct daemon_options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "dump-config", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "vh", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->config_path = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'd':
			o->dump = true;
			break;
		case 'v':
			log_set_max_level(LOG_DEBUG);
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			fprintf(stderr, "Try 'ebpf-profiler daemon --help'.\n");
			return EXIT_USAGE;
		}
	if (optind < argc) {
		fprintf(stderr, "ebpf-profiler: daemon takes no argument '%s'\n", argv[optind]);
		return EXIT_USAGE;
	}
	return 0;
}

static void log_messages(int priority, char *messages)
{
	for (char *line = messages ? strtok(messages, "\n") : NULL; line; line = strtok(NULL, "\n"))
		log_msg(priority, 0, NULL, "%s", line);
}

static int load(const struct daemon_options *o, struct config *config)
{
	_cleanup_free_ char *messages = NULL;
	int r = config_load(o->config_path, config, &messages);

	if (r < 0 && !messages)
		log_error_errno(r, "Cannot read %s",
				o->config_path ? o->config_path
					       : "/etc/ebpf-profiler/ebpf-profiler.conf");
	log_messages(r < 0 ? LOG_ERR : LOG_WARNING, messages);
	return r < 0 ? EXIT_CONFIG : 0;
}

/* Names that no table of this machine knows are no errors: the file may serve many machines. */
static void check_names(const struct config *config)
{
	_cleanup_(plan_done) struct plan plan = {};

	if (plan_check_names(config, &plan) < 0)
		return;
	for (size_t i = 0; i < plan.n_notes; i++)
		log_warning("left out here: %s", plan.notes[i]);
}

static int run(const struct daemon_options *o, struct config *config)
{
	_cleanup_(preparation_done) struct preparation p = { .btf_fd = -1 };
	_cleanup_free_ char *error = NULL;
	struct engine_result result;
	struct engine_options e = {
		.config = config,
		.config_path = o->config_path,
		.plan = &p.plan,
		.release_fd = -1,
		.service = true,
	};
	int r = prepare(config, false, &p, &error);

	if (r == 0) {
		e.btf = preparation_btf(&p);
		r = engine_run(&e, &result, &error);
	}
	if (r == 0)
		return EXIT_OK;
	log_msg(LOG_ERR, 0, MESSAGE_CANNOT_START, "cannot start: %s", error ? error : strerror(-r));
	return exit_code_for_error(r);
}

int cmd_daemon(int argc, char **argv)
{
	struct daemon_options o = {};
	struct config config;
	int r = parse_options(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	r = load(&o, &config);
	if (r != 0)
		return r;
	if (o.dump) {
		_cleanup_(buffer_donep) struct buffer text = {};

		config_dump(&config, &text);
		fwrite(text.data, 1, text.size, stdout);
	} else if (o.check) {
		check_names(&config);
		printf("the configuration is good\n");
	} else {
		r = run(&o, &config);
	}
	config_done(&config);
	return r;
}
