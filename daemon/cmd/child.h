/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A command to be measured: forked first, so that everything can be attached to it, and let go when
 * that is done.
 */
#include <sys/types.h>

struct child {
	pid_t pid; /* 0: none */
	int release_fd; /* one byte lets it exec */
	int error_fd; /* gives the errno of a failed exec; closes when it succeeded */
};

#define CHILD_NONE ((struct child){ .release_fd = -1, .error_fd = -1 })

int child_fork(char **argv, struct child *ret);
/* Lets it exec. */
int child_release(struct child *c);
/* Ends a command that never ran because we could not start: its pipe closes, it exits. */
void child_abandon(struct child *c);
/* The errno its exec failed with, 0 when it ran. Waits for the exec. */
int child_exec_error(const struct child *c);
/*
 * A command that outlives its measurement is ended, as perf does. It may take its time over that:
 * from here on a signal ends us as it would anybody.
 */
void child_end(struct child *c);
/* What a shell makes of the status of waitpid(2). */
int child_exit_code(int status);
/* Says why `command` did not run; the exit code of shells for it. */
int child_explain(const char *command, int error);
