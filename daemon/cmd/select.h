/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What report, flame and export have in common: which segments, and which samples of them.
 *
 * A command is a struct selection_command: it puts SELECTION_OPTIONS into its getopt_long table and
 * SELECTION_HELP into its --help, takes the options that are its own, and runs.
 */
#include <getopt.h>
#include <stdint.h>

#include "profile/profile.h"
#include "profile/sample_metric.h"
#include "profile/when.h"

enum selection_option {
	SELECTION_SINCE = 0x1000,
	SELECTION_UNTIL,
	SELECTION_EVENT,
	SELECTION_PROFILE,
	SELECTION_PID,
	SELECTION_COMM,
	SELECTION_UNIT,
	SELECTION_CONTAINER,
	SELECTION_CPU,
	SELECTION_WHEN,
	SELECTION_OPTION_END,
};

/* clang-format off */
#define SELECTION_OPTIONS                                                                          \
	{ "since", required_argument, NULL, SELECTION_SINCE },                                     \
	{ "until", required_argument, NULL, SELECTION_UNTIL },                                     \
	{ "event", required_argument, NULL, SELECTION_EVENT },                                     \
	{ "profile", required_argument, NULL, SELECTION_PROFILE },                                 \
	{ "pid", required_argument, NULL, SELECTION_PID },                                         \
	{ "comm", required_argument, NULL, SELECTION_COMM },                                       \
	{ "unit", required_argument, NULL, SELECTION_UNIT },                                       \
	{ "container", required_argument, NULL, SELECTION_CONTAINER },                             \
	{ "cpu", required_argument, NULL, SELECTION_CPU },                                         \
	{ "when", required_argument, NULL, SELECTION_WHEN },                                       \
	{ "help", no_argument, NULL, 'h' }

#define SELECTION_HELP                                                                             \
	"Which samples (pid, comm, unit, container and cpu may be given several times):\n"         \
	"  FILE|DIR...          segments, together one time line; default /var/lib/ebpf-profiler\n"\
	"      --since=WHEN     from here on: -5m, 10:00, '2026-01-31 10:00:30', @SECONDS\n"       \
	"      --until=WHEN     up to here\n"                                                      \
	"      --event=NAME     one event, as asked for or as it fired\n"                          \
	"      --profile=NAME   one profile of the daemon's configuration\n"                        \
	"      --pid=PID,...    processes\n"                                                       \
	"      --comm=NAME      name of the process or the thread\n"                               \
	"      --unit=NAME      systemd unit, '.service' may be left out\n"                        \
	"      --container=ID   container id, or how it begins\n"                                  \
	"      --cpu=LIST       CPUs: 0,2-4\n"                                                     \
	"      --when=CONDITION only while this held, interval by interval, and all others given:\n" \
	"                       'ipc < 1', 'memory_bandwidth[socket=0] > 20GB/s', 'page-faults >\n" \
	"                       1000' (per second), 'cpu.iowait_percent > 10' (TABLE.COLUMN)\n"
/* clang-format on */

struct selection {
	const char *command; /* begins every message */
	uint64_t now_ns; /* what --since -5m counts back from, CLOCK_REALTIME */
	struct profile_filter filter; /* points into what follows */
	const char **comms, **units, **containers; /* NULL-terminated; the strings are argv's */
	uint32_t *pids, *cpus;
	struct when *whens;
	size_t n_whens;
	struct when_times times; /* in which all of them held */
	char *when_text; /* the conditions, and how long they held; NULL: there are none */
	const char *const *paths; /* argv's */
	size_t n_paths;
};

struct selection_command {
	const char *name;
	const char *letters; /* for getopt_long(), with an h */
	const struct option *options;
	void (*help)(void);
	/* Takes one option. 1: taken; 0: not the command's own; negative: wrong, and said so. */
	int (*take)(void *command, int option, const char *value);
	/* All options were taken. Negative: they do not go together, and said so. NULL: they do. */
	int (*check)(void *command);
	int (*run)(void *command); /* gives the exit code */
};

/*
 * Reads the options into *s and *command, which holds it, and runs; the rest of argv is FILE and
 * DIR. Gives the exit code.
 */
int selection_run(const struct selection_command *c, struct selection *s, void *command, int argc,
		  char **argv);

/* "ebpf-profiler COMMAND: ..." as a line on stderr, whatever bytes are in it. */
void selection_say(const struct selection *s, const char *format, ...) _printf_(2, 3);
/* Says that --OPTION=VALUE is not what is wanted; -EINVAL. */
int selection_wrong(const struct selection *s, const char *option, const char *value,
		    const char *wanted);

/*
 * Looks for the times of --when, and narrows s->filter to them. Done by selection_load(); to be
 * called before s->filter is used otherwise. An exit code, with the sentence printed.
 */
int selection_find_times(struct selection *s);
/* Makes it look again, after s->filter got another window. */
void selection_forget_times(struct selection *s);

/*
 * profile_load() of the selection. Returns an exit code: EXIT_OK and *ret; EXIT_NO_DATA with the
 * sentence printed, and *ret when there are segments but no sample in them; EXIT_FAILED likewise.
 */
int selection_load(struct selection *s, unsigned int dimensions, struct profile **ret);

/* True when an event with samples has the metric's counters; false, and why, when none has. */
bool selection_has_metric(const struct selection *s, const struct profile *p,
			  const struct sample_metric *m);

/* The exit code for a negative result of profile_load() or profile_walk(). */
int selection_exit_code(int error);
