// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler: the table of subcommands. Each is one file in cmd/. The way of a sample, stage by
 * stage:
 *
 *   pmu/               event names -> perf events
 *   sampler/           perf event x CPU -> BPF program -> ring
 *   process/           sideband -> processes, mappings, labels
 *   engine/pipeline.c  merges rings and sideband by time, every drain interval
 *   profile/recorder.c stacks -> frame ids -> records
 *   store/             records -> blocks -> segment files, and back
 *   collect/           /proc, /sys and BPF maps -> rows -> records
 *   symbols/           addresses -> functions
 *   profile/profile.c  segments -> call tree -> cmd/report.c, cmd/flame.c, export/
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "trace_calls.h"
#include "util/cleanup.h"
#include "util/log.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "record", cmd_record, "sample the host or a command into a file" },
	{ "report", cmd_report, "where the samples of a window are, as a table" },
	{ "flame", cmd_flame, "turn recorded samples into a flame graph, one HTML file" },
	{ "timeline", cmd_timeline, "metrics, interval by interval, beside the samples" },
	{ "top", cmd_top, "the last minute of both, again and again" },
	{ "export", cmd_export, "turn them into pprof, perf.data, folded stacks, JSON" },
	{ "stat", cmd_stat, "count events and metrics of the host, sockets, CPUs or a command" },
	{ "events", cmd_events, "what this machine can sample and count, and why not" },
	{ "metrics", cmd_metrics, "what is computed of counted events, and why not the rest" },
	{ "collectors", cmd_collectors, "what else can be collected here, and how that does" },
	{ "collect", cmd_collect, "run collectors in the foreground" },
	{ "cat", cmd_cat, "print what collectors recorded" },
	{ "schema", cmd_schema, "list the tables and columns of collectors" },
	{ "hardware", cmd_hardware, "what this machine is made of, as a tree" },
	{ "programs", cmd_programs, "our BPF programs in the kernel, and your own beside them" },
	{ "daemon", cmd_daemon, "run as the service" },
	{ "check", cmd_check, "what this kernel, machine and user allow" },
	{ "unwind", cmd_unwind, "what is known of unwinding a program's stacks" },
	{ "verify", cmd_verify, "check every byte of segment files" },
	{ "yield", cmd_yield, "have the daemon give the counters up for a time" },
	{ "status", cmd_status, "ask the running daemon how it does" },
};

static void help(FILE *out)
{
	fprintf(out, "Usage: ebpf-profiler COMMAND [OPTION]...\n\n"
		     "Profiles what this machine's hardware spends its time on, and which code "
		     "causes it.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s  %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n  ebpf-profiler COMMAND --help    options of a command\n"
		     "  ebpf-profiler --trace-load COMMAND ...    each bpf, perf_event_open and ioctl "
		     "call, on stderr\n"
		     "  ebpf-profiler --version\n");
}

/* Whoever started us may have closed them: no file of ours must become stdout or stderr. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	safe_close(fd);
}

static int run_command(const struct command *c, int argc, char **argv)
{
	char name[64];

	/* getopt begins its messages with it. */
	snprintf(name, sizeof(name), "ebpf-profiler %s", c->name);
	argv[0] = name;
	return c->run(argc, argv);
}

static int run(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(stdout);
		return EXIT_OK;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("ebpf-profiler %s\n", VERSION);
		return EXIT_OK;
	}
	if (strcmp(name, "--trace-load") == 0 && argc > 2) {
		trace_calls_begin();
		return run(argc - 1, argv + 1);
	}
	if (strcmp(name, "--check-config") == 0)
		return cmd_daemon(argc, argv);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return run_command(&commands[i], argc - 1, argv + 1);
	fprintf(stderr,
		"ebpf-profiler: there is no command '%s'; 'ebpf-profiler --help' lists them\n",
		name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int r;

	open_standard_files();
	log_open();
	r = run(argc, argv);
	/* A full disk: what was printed is not whole, whatever the command thinks. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (r != EXIT_FAILED) /* else it was said */
			fprintf(stderr, "ebpf-profiler: cannot write the output: %m\n");
		return EXIT_FAILED;
	}
	return r;
}
