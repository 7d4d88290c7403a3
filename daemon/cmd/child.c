// SPDX-License-Identifier: Apache-2.0
#include "cmd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "util/log.h"

static void run_child(char **argv, int wait_fd, int error_fd)
{
	sigset_t none;
	char byte;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(wait_fd, &byte, 1) != 1)
		_exit(127);
	execvp(argv[0], argv);
	if (write(error_fd, &errno, sizeof(errno)) != sizeof(errno))
		_exit(126);
	_exit(127);
}

int child_fork(char **argv, struct child *ret)
{
	int wait[2], error[2];
	pid_t pid;

	if (pipe2(wait, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(error, O_CLOEXEC) < 0) {
		int r = -errno;

		close(wait[0]);
		close(wait[1]);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		close(wait[1]);
		run_child(argv, wait[0], error[1]);
	}
	close(wait[0]);
	close(error[1]);
	if (pid < 0) {
		close(wait[1]);
		close(error[0]);
		return -errno;
	}
	*ret = (struct child){ .pid = pid, .release_fd = wait[1], .error_fd = error[0] };
	return 0;
}

void child_abandon(struct child *c)
{
	c->release_fd = safe_close(c->release_fd);
	if (c->pid > 0)
		(void)waitpid(c->pid, NULL, 0);
	c->pid = 0;
}

int child_exec_error(const struct child *c)
{
	int error = 0;

	return read(c->error_fd, &error, sizeof(error)) == sizeof(error) ? -error : 0;
}

int child_release(struct child *c)
{
	int r = write(c->release_fd, "", 1) == 1 ? 0 : -errno;

	c->release_fd = safe_close(c->release_fd);
	return r;
}

void child_end(struct child *c)
{
	sigset_t none;

	sigemptyset(&none);
	if (kill(c->pid, SIGTERM) < 0)
		return;
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)waitpid(c->pid, NULL, 0);
}

int child_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_explain(const char *command, int error)
{
	log_error_errno(error, "Cannot run %s", command);
	return error == -ENOENT ? 127 : 126;
}
