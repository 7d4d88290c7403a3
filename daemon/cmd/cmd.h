/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The subcommands. Each gets argv with its own name as argv[0], prints its own messages, and
 * returns the exit code.
 */

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* what was asked for did not work */
	EXIT_USAGE = 2, /* wrong options or arguments */
	EXIT_DEGRADED = 3, /* check: sampling works, something is lost */
	EXIT_PRIVILEGE = 4, /* a capability or a sysctl is in the way */
	EXIT_NOT_RUNNING = 5, /* status: there is no daemon to ask */
	EXIT_CONFIG = 6, /* the configuration is wrong */
	EXIT_NO_DATA = 7, /* no segments, or no samples in the window */
	EXIT_UNSUPPORTED = 69, /* this kernel or machine cannot do it */
};

/* For a negative errno from opening the profiler's parts. */
int exit_code_for_error(int error);

int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_flame(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_unwind(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_collectors(int argc, char **argv);
int cmd_collect(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_timeline(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_yield(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_hardware(int argc, char **argv);
int cmd_programs(int argc, char **argv);
int cmd_daemon(int argc, char **argv);
