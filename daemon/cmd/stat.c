// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler stat: events counted, and metrics computed of them, over the run of a command or at
 * an interval.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "cmd/child.h"
#include "cmd/cmd.h"
#include "cmd/stat_options.h"
#include "cmd/stat_view.h"
#include "pmu/counter.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/log.h"
#include "util/parse.h"

#define HOST_EVENTS "cpu-clock,context-switches,cpu-migrations,page-faults"
#define TASK_EVENTS "task-clock,context-switches,cpu-migrations,page-faults"
#define HARDWARE_EVENTS ",cycles,instructions,branches,branch-misses"

/* Groups that take turns do so no faster and no slower. */
#define MIN_TURN_NS (10 * NSEC_PER_MSEC)
#define MAX_TURN_NS (100 * NSEC_PER_MSEC)

struct stat_run {
	const struct stat_options *o;
	struct child child;
	int child_status, exec_error;
	bool child_ended, interrupted;
	struct pmu_counters *counters;
	struct metric_set *metrics;
	size_t n_events; /* of -e; those of metrics come behind */
	struct stat_view view;
	int signals; /* signalfd */
	struct pollfd *processes; /* pidfds of -p; -1: ended */
	size_t n_alive;
	bool anything; /* was counted */
	int error; /* of what was not */
	uint64_t started_ns, read_ns;
};

static void run_done(struct stat_run *s)
{
	metric_set_free(s->metrics);
	pmu_counters_free(s->counters);
	stat_view_done(&s->view);
	for (size_t i = 0; s->processes && i < s->o->n_pids; i++)
		safe_close(s->processes[i].fd);
	free(s->processes);
	safe_close(s->signals);
	safe_close(s->child.release_fd);
	safe_close(s->child.error_fd);
	if (s->view.out && s->view.out != stdout && s->view.out != stderr)
		fclose(s->view.out);
}

/* --- what is counted --- */

/* The names of the catalogue that contain `word`, unless one is it. */
static int add_metric(struct stat_run *s, enum metric_family family, const char *word)
{
	const struct metric *m = metric_find(family, word);
	bool all = strcmp(word, "all") == 0, found = false;
	char shown[200];

	if (m)
		return metric_set_add(s->metrics, m, 1);
	for (m = metric_next(family, NULL); m; m = metric_next(family, m)) {
		int r = all || strstr(m->name, word) ? metric_set_add(s->metrics, m, 1) : -ENOENT;

		if (r == 0)
			found = true;
		else if (r != -ENOENT)
			return r;
	}
	if (found)
		return 0;
	fprintf(stderr,
		"ebpf-profiler stat: no metric of this CPU (%s) has '%s' in its name; "
		"'ebpf-profiler metrics' lists them\n",
		metric_family_title(family), text_safe(word, shown, sizeof(shown)));
	return -ENOENT;
}

static int add_metrics(struct stat_run *s, const char *list)
{
	enum metric_family family = metric_family_detect(NULL, NULL);
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *word;
	int r = metric_set_new(family, NULL, s->counters, &s->metrics);

	while (r == 0 && (word = strsep(&rest, ",")))
		r = *word ? add_metric(s, family, word) : -EINVAL;
	if (r == -EINVAL)
		fprintf(stderr, "ebpf-profiler stat: '-M %s': a name is empty\n", list);
	return copy ? r : -ENOMEM;
}

static int complain(const char *error, int r)
{
	fprintf(stderr, "ebpf-profiler stat: %s\n", error ? error : strerror(-r));
	return r;
}

static int add_events(struct stat_run *s, const char *list, unsigned int flags)
{
	_cleanup_free_ char *error = NULL;
	int r = pmu_counters_add(s->counters, list, 1, flags, NULL, NULL, &error);

	return r < 0 ? complain(error, r) : 0;
}

static int add_usual(struct stat_run *s)
{
	int r = add_events(s, s->o->all ? HOST_EVENTS HARDWARE_EVENTS : TASK_EVENTS HARDWARE_EVENTS,
			   PMU_COUNTERS_OPTIONAL);

	s->n_events = pmu_counters_n_events(s->counters);
	return r < 0 ? r : add_metrics(s, "ipc");
}

static int add_all(struct stat_run *s)
{
	int r = 0;

	if (!s->o->events && !s->o->metrics)
		return add_usual(s);
	if (s->o->events)
		r = add_events(s, s->o->events, 0);
	s->n_events = pmu_counters_n_events(s->counters);
	if (r == 0 && s->o->metrics)
		r = add_metrics(s, s->o->metrics);
	return r;
}

static int make_counters(struct stat_run *s)
{
	const struct stat_options *o = s->o;
	struct pmu_counters_options options = { .guests = o->guests, .reserve = o->reserve };
	_cleanup_free_ char *error = NULL;
	int r;

	if (!o->all) {
		options.tasks = o->command ? &s->child.pid : o->tasks;
		options.n_tasks = o->command ? 1 : o->n_tasks;
		options.at_exec = o->command;
	}
	r = pmu_counters_new(&options, &s->counters);
	if (r < 0)
		return complain(NULL, r);
	r = add_all(s);
	if (r < 0)
		return r;
	r = pmu_counters_open(s->counters, &error);
	return r < 0 ? complain(error, r) : 0;
}

/* --- the run --- */

static int open_signals(struct stat_run *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

/* The end of a process is seen at its pidfd; where there are none (before 5.3), only a signal ends
 * us. */
static int watch_processes(struct stat_run *s)
{
	s->processes = calloc(s->o->n_pids + 1, sizeof(*s->processes));
	if (!s->processes)
		return -ENOMEM;
	for (size_t i = 0; i < s->o->n_pids; i++) {
		s->processes[i].fd = (int)syscall(SYS_pidfd_open, s->o->pids[i], 0);
		s->processes[i].events = POLLIN;
	}
	s->processes[s->o->n_pids] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	s->n_alive = s->o->n_pids;
	return 0;
}

static void take_signals(struct stat_run *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			s->interrupted = true;
		else if (s->child.pid > 0 && waitpid(s->child.pid, &s->child_status, WNOHANG) > 0)
			s->child_ended = true;
	}
}

/* False: what was waited for has come to its end. */
static bool wait_until(struct stat_run *s, uint64_t until_ns)
{
	for (;;) {
		uint64_t now = now_ns();
		struct timespec t = { 0 };

		if (now >= until_ns)
			return true;
		t.tv_sec = (time_t)((until_ns - now) / NSEC_PER_SEC);
		t.tv_nsec = (long)((until_ns - now) % NSEC_PER_SEC);
		if (ppoll(s->processes, s->o->n_pids + 1, until_ns == UINT64_MAX ? NULL : &t,
			  NULL) <= 0)
			continue;
		take_signals(s);
		for (size_t i = 0; i < s->o->n_pids; i++)
			if (s->processes[i].fd >= 0 && s->processes[i].revents) {
				s->processes[i].fd = safe_close(s->processes[i].fd);
				s->n_alive--;
			}
		if (s->interrupted || s->child_ended || (s->o->n_pids && s->n_alive == 0))
			return false;
	}
}

static uint64_t turn_ns(const struct stat_run *s)
{
	unsigned int turns = pmu_counters_turns(s->counters);
	uint64_t ns = s->o->interval_ns ? s->o->interval_ns / turns / 2 : MAX_TURN_NS;

	return turns == 1	  ? 0
	       : ns < MIN_TURN_NS ? MIN_TURN_NS
	       : ns > MAX_TURN_NS ? MAX_TURN_NS
				  : ns;
}

/* Events of metrics have no row of their own: sums are sorted by place, then event. */
static size_t keep_events(const struct stat_run *s, struct pmu_sum *sums, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (sums[i].event < s->n_events)
			sums[kept++] = sums[i];
	return kept;
}

static void note_outcome(struct stat_run *s, const struct stat_interval *i)
{
	for (size_t k = 0; k < i->n_sums; k++) {
		s->anything |= !i->sums[k].error;
		s->error = s->error ? s->error : i->sums[k].error;
	}
	for (size_t k = 0; k < i->n_values; k++) {
		s->anything |= !i->values[k].error;
		s->error = s->error ? s->error : i->values[k].error;
	}
}

static int print_interval(struct stat_run *s)
{
	_cleanup_free_ struct metric_value *values = NULL;
	_cleanup_free_ struct pmu_sum *sums = NULL;
	const struct pmu_count *counts;
	struct stat_interval i = { 0 };
	uint64_t now;
	size_t n;
	int r;

	r = pmu_counters_read(s->counters, &counts, &n);
	now = now_ns();
	i.start_s = (double)(s->read_ns - s->started_ns) / 1e9;
	i.length_s = (double)(now - s->read_ns) / 1e9;
	s->read_ns = now;
	if (r == 0)
		r = pmu_sum_counts(s->counters, counts, n, s->o->by, &sums, &i.n_sums);
	if (r == 0 && s->metrics)
		r = metric_set_eval(s->metrics, counts, n, s->o->by, i.length_s, &values,
				    &i.n_values);
	if (r < 0)
		return complain("the counters cannot be read", r);
	i.n_sums = keep_events(s, sums, i.n_sums);
	i.sums = sums;
	i.values = values;
	note_outcome(s, &i);
	r = s->o->json ? stat_view_json(&s->view, &i) : stat_view_table(&s->view, &i);
	return r < 0 ? complain("the output cannot be written", r) : 0;
}

/* CPUs and PMUs that came or went begin anew: the interval in which they did is cut short. */
static int follow(struct stat_run *s)
{
	_cleanup_free_ char *error = NULL;
	int r = pmu_counters_follow(s->counters, &error);

	if (r < 0)
		return complain(error, r);
	if (r == 0)
		return 0;
	fprintf(stderr, "ebpf-profiler stat: note: CPUs or PMUs came or went; counting begins "
			"anew\n");
	s->read_ns = now_ns();
	return 0;
}

static uint64_t earliest(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t first = a < b ? a : b;

	return first < c ? first : c;
}

static int count(struct stat_run *s)
{
	uint64_t turn = turn_ns(s), forever = UINT64_MAX;
	uint64_t next_turn = turn ? s->started_ns + turn : forever;
	uint64_t next_table = s->o->interval_ns ? s->started_ns + s->o->interval_ns : forever;
	uint64_t end = s->o->duration_ns ? s->started_ns + s->o->duration_ns : forever;
	int r = 0;

	while (r == 0 && wait_until(s, earliest(next_turn, next_table, end))) {
		uint64_t now = now_ns();

		if (now >= end)
			break;
		if (now >= next_turn) {
			pmu_counters_rotate(s->counters);
			next_turn += turn;
		}
		if (now < next_table)
			continue;
		r = print_interval(s);
		if (r == 0)
			r = follow(s);
		next_table += s->o->interval_ns;
	}
	if (r == 0 && s->child.pid > 0)
		s->exec_error = child_exec_error(&s->child);
	return r < 0 || s->exec_error ? r : print_interval(s);
}

static int start(struct stat_run *s)
{
	int r = pmu_counters_start(s->counters);

	if (r < 0)
		return complain("counting cannot begin", r);
	s->started_ns = s->read_ns = now_ns();
	if (s->child.pid > 0)
		r = child_release(&s->child);
	return r < 0 ? complain("the command cannot be let go", r) : 0;
}

static int open_output(struct stat_run *s)
{
	s->view.options = s->o;
	s->view.counters = s->counters;
	s->view.out = s->o->output ? fopen(s->o->output, "we") : s->o->command ? stderr : stdout;
	if (s->view.out)
		return 0;
	fprintf(stderr, "ebpf-profiler stat: %s cannot be opened: %s\n", s->o->output,
		strerror(errno));
	return EXIT_FAILED;
}

/* Of a command its own code; else whether there was anything to count. */
static int finish(struct stat_run *s)
{
	if (s->exec_error)
		return child_explain(s->o->command[0], s->exec_error);
	if (!s->o->json)
		stat_view_notes(&s->view);
	if (s->child.pid > 0 && !s->child_ended)
		child_end(&s->child);
	if (s->child_ended)
		return child_exit_code(s->child_status);
	return s->anything ? EXIT_OK : exit_code_for_error(s->error);
}

static int run(struct stat_run *s)
{
	int r = make_counters(s);

	if (r < 0)
		return r == -ENOSPC   ? EXIT_UNSUPPORTED
		       : r == -ENOENT ? EXIT_USAGE
				      : exit_code_for_error(r);
	r = open_output(s);
	if (r != 0)
		return r;
	r = watch_processes(s);
	if (r == 0)
		r = start(s);
	if (r == 0)
		r = count(s);
	return r < 0 ? EXIT_FAILED : finish(s);
}

int cmd_stat(int argc, char **argv)
{
	_cleanup_(stat_options_done) struct stat_options o = { 0 };
	_cleanup_(run_done) struct stat_run s = { .o = &o, .child = CHILD_NONE, .signals = -1 };
	int r = stat_options_parse(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	r = open_signals(&s);
	if (r == 0 && o.command)
		r = child_fork(o.command, &s.child);
	if (r < 0)
		return log_error_errno(r, "Cannot begin"), EXIT_FAILED;
	r = run(&s);
	if (s.child.release_fd >= 0)
		child_abandon(&s.child);
	return r;
}
