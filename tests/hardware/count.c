// SPDX-License-Identifier: Apache-2.0
/*
 * Counts events while a command runs: what sampling is compared with, where perf is not installed.
 *
 *   count [-a] [-g] [-o FILE] EVENTS -- COMMAND [ARG]...
 *     -a    the whole host instead of COMMAND and its descendants
 *     -g    all events in one group
 *     -o    where the counts go, stderr otherwise; stdout is the command's
 *
 * One line an event:
 *
 *   NAME COUNT ENABLED_NS RUNNING_NS FDS SCALE UNIT
 *
 * COUNT is what the kernel counted, neither scaled for multiplexing nor by SCALE. An event whose
 * PMU serves only some CPUs is always counted for the whole host, on those. Of a command, a generic
 * event counts on one kind of core of a hybrid CPU: pin the command to that kind. The exit code is
 * the command's, 3 when an event cannot be opened.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/cpus.h"
#include "pmu/pmu.h"
#include "util/cleanup.h"

struct counter {
	struct pmu_event *event;
	int *fds; /* one for each CPU, -1 where the event does not count; of a command the first */
	uint64_t count, enabled_ns, running_ns;
	unsigned int n_fds;
};

struct counters {
	struct counter *all;
	size_t n, n_cpus;
	int *cpus;
	bool host, grouped;
};

static bool is_of_host(const struct counters *c, const struct counter *one)
{
	return c->host || one->event->cpus;
}

/* A frequency or period would make the event a sampling one. */
static void make_counting(struct pmu_event *event, bool of_host)
{
	event->attr.freq = 0;
	event->attr.sample_period = 0;
	event->attr.sample_type = 0;
	event->attr.precise_ip = 0;
	event->attr.inherit = !of_host;
	event->attr.enable_on_exec = !of_host;
	event->attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
}

/* With few descriptors allowed, a large machine would run out of them. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Of the host: on every CPU the event counts on. `leaders`: the fds of its group, NULL for none. */
static int open_on_cpus(struct counters *c, struct counter *one, const int *leaders)
{
	for (size_t i = 0; i < c->n_cpus; i++) {
		int fd = pmu_event_open(one->event, -1, c->cpus[i], leaders ? leaders[i] : -1, 0);

		if (fd < 0 && fd != -ENODEV)
			return fd;
		one->fds[i] = fd >= 0 ? fd : -1;
		one->n_fds += fd >= 0;
	}
	return one->n_fds ? 0 : -ENODEV;
}

/* Of a command: one fd, wherever it runs; a fd per CPU would be enabled where it is not, too. */
static int open_on_command(struct counter *one, const int *leaders, pid_t pid)
{
	int fd = pmu_event_open(one->event, pid, -1, leaders ? leaders[0] : -1, 0);

	if (fd < 0)
		return fd;
	one->fds[0] = fd;
	one->n_fds = 1;
	return 0;
}

static int open_all(struct counters *c, pid_t pid)
{
	for (size_t i = 0; i < c->n; i++) {
		struct counter *one = &c->all[i];
		_cleanup_free_ char *sentence = NULL;
		const int *leaders = c->grouped && i ? c->all[0].fds : NULL;
		int r;

		make_counting(one->event, is_of_host(c, one));
		r = is_of_host(c, one) ? open_on_cpus(c, one, leaders)
				       : open_on_command(one, leaders, pid);
		if (r == 0)
			continue;
		sentence = pmu_event_strerror(one->event, r);
		fprintf(stderr, "count: %s: %s\n", one->event->name, sentence ? sentence : "?");
		return r;
	}
	return 0;
}

static void switch_host_counter(struct counters *c, struct counter *one, unsigned long request)
{
	for (size_t i = 0; i < c->n_cpus && is_of_host(c, one); i++)
		if (one->fds[i] >= 0)
			ioctl(one->fds[i], request, 0);
}

/* The leader last: a sibling that joins a group already running is not scheduled with it. */
static void enable_host_counters(struct counters *c)
{
	for (size_t i = c->n; i-- > 0;)
		switch_host_counter(c, &c->all[i], PERF_EVENT_IOC_ENABLE);
}

static void disable_host_counters(struct counters *c)
{
	for (size_t i = 0; i < c->n; i++)
		switch_host_counter(c, &c->all[i], PERF_EVENT_IOC_DISABLE);
}

static int read_counter(const struct counters *c, struct counter *one)
{
	for (size_t i = 0; i < c->n_cpus; i++) {
		uint64_t values[3];

		if (one->fds[i] < 0)
			continue;
		if (read(one->fds[i], values, sizeof(values)) != sizeof(values))
			return -EIO;
		one->count += values[0];
		one->enabled_ns += values[1];
		one->running_ns += values[2];
	}
	return 0;
}

static int print_all(struct counters *c, FILE *out)
{
	for (size_t i = 0; i < c->n; i++) {
		struct counter *one = &c->all[i];

		if (read_counter(c, one) < 0)
			return -EIO;
		fprintf(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %.20g %s\n",
			one->event->name, one->count, one->enabled_ns, one->running_ns, one->n_fds,
			one->event->scale, *one->event->unit ? one->event->unit : "-");
	}
	return fflush(out) == 0 ? 0 : -errno;
}

/* The command, waiting at the pipe until its counters are open. */
static pid_t start_command(char **argv, int *ret_go)
{
	int ends[2];
	pid_t pid;
	char go;

	if (pipe(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		if (read(ends[0], &go, 1) != 1)
			_exit(127);
		close(ends[0]);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(ends[0]);
	*ret_go = ends[1];
	return pid;
}

static int parse(struct counters *c, const char *names)
{
	const struct pmu_defaults defaults = { 0 };
	struct pmu_event *events;
	char *error = NULL;
	int r;

	r = pmu_events_parse(names, &defaults, &events, &c->n, &error);
	if (r < 0) {
		fprintf(stderr, "count: %s\n", error ? error : strerror(-r));
		free(error);
		return r;
	}
	r = host_cpus_online(NULL, &c->cpus, &c->n_cpus);
	c->all = calloc(c->n, sizeof(*c->all));
	for (size_t i = 0; i < c->n && c->all && r == 0; i++) {
		c->all[i].event = &events[i];
		c->all[i].fds = calloc(c->n_cpus, sizeof(int));
		if (!c->all[i].fds)
			return -ENOMEM;
		for (size_t k = 0; k < c->n_cpus; k++)
			c->all[i].fds[k] = -1;
	}
	return c->all ? r : -ENOMEM;
}

/* Returns the exit code. */
static int count_command(struct counters *c, char **argv, FILE *out)
{
	int status, go;
	pid_t pid = start_command(argv, &go);

	if (pid < 0)
		return 1;
	if (open_all(c, pid) < 0) {
		close(go);
		waitpid(pid, NULL, 0);
		return 3;
	}
	enable_host_counters(c);
	if (write(go, "g", 1) != 1 || waitpid(pid, &status, 0) < 0)
		return 1;
	disable_host_counters(c);
	if (print_all(c, out) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	const char *output = "/dev/stderr";
	_cleanup_fclose_ FILE *out = NULL;
	struct counters c = { 0 };
	int option;

	while ((option = getopt(argc, argv, "+ago:")) != -1) {
		c.host |= option == 'a';
		c.grouped |= option == 'g';
		output = option == 'o' ? optarg : output;
		if (option == '?')
			return 2;
	}
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--") != 0) {
		fprintf(stderr, "usage: count [-a] [-g] [-o FILE] EVENTS -- COMMAND [ARG]...\n");
		return 2;
	}
	out = fopen(output, "ae");
	if (!out) {
		perror(output);
		return 1;
	}
	allow_descriptors();
	if (parse(&c, argv[optind]) < 0)
		return 3;
	return count_command(&c, argv + optind + 2, out);
}
