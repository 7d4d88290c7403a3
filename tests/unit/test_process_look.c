// SPDX-License-Identifier: Apache-2.0
/*
 * Looking at all processes of the running kernel: one that did not run is not read again, one that
 * did is, whatever it became; descriptors that are kept are bounded, and never tell of another
 * process.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "collect_fixture.h"

#include "collect/process_look.h"
#include "util/clock.h"

#define PATIENCE 5000 /* milliseconds */
#define NEVER_A_STATE '?'

static struct roots roots;

static int open_proc(void **state)
{
	struct collector_settings s = { .procfs = (char *)"/proc",
					.sysfs = (char *)"/sys",
					.dev = (char *)"/dev" };

	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return roots_open(&s, &roots);
}

static int close_proc(void **state)
{
	(void)state;
	roots_close(&roots);
	return 0;
}

/* --- a child --- */

struct child {
	pid_t pid;
	int words; /* each byte makes it open something, work for a while and stop itself */
};

static void burn(void)
{
	struct timespec t;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while (t.tv_sec == 0 && t.tv_nsec < 100 * (long)NSEC_PER_MSEC);
}

/* Comes back when its descriptors are as they stay. */
static void start_child(struct child *c)
{
	int ends[2], ready[2];
	char word;

	assert_int_equal(pipe(ends) | pipe(ready), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a claim fails */
		close(ends[1]);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		while (read(ends[0], &word, 1) == 1) {
			if (dup(ends[0]) < 0)
				_exit(1);
			burn();
			raise(SIGSTOP);
		}
		_exit(0);
	}
	assert_int_equal(read(ready[0], &word, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(ends[0]);
	c->words = ends[1];
}

static void end_child(struct child *c)
{
	assert_int_equal(kill(c->pid, SIGKILL), 0);
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
	close(c->words);
}

/* --- a look --- */

struct search {
	pid_t pid;
	struct known_process *found;
	size_t n;
};

static void take(struct known_process *k, void *userdata)
{
	struct search *s = userdata;

	s->n++;
	if (k->id.pid == s->pid)
		s->found = k;
}

/* One look; what it found of this process, NULL: nothing. */
static struct known_process *look_for(struct process_look *l, pid_t pid)
{
	struct search s = { .pid = pid };
	struct rows rows;

	rows_init(&rows, NULL, 0);
	assert_int_equal(process_look_at_all(l, roots.proc, &rows, take, &s), 0);
	assert_int_equal(rows.problems, 0);
	assert_true(s.n >= 2); /* this one and the child */
	rows_done(&rows);
	return s.found;
}

static struct known_process *look_at(struct process_look *l, pid_t pid)
{
	struct known_process *k = look_for(l, pid);

	assert_non_null(k);
	return k;
}

/* --- what it tells --- */

/* It may still be on its way to sleep at first. */
static bool is_left_alone(struct process_look *l, pid_t pid)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		look_at(l, pid)->state = NEVER_A_STATE;
		if (look_at(l, pid)->state == NEVER_A_STATE)
			return true;
		usleep(1000);
	}
	return false;
}

static void test_what_ran(void **state)
{
	struct process_look l;
	struct known_process *k;
	struct child c;

	(void)state;
	process_look_init(&l, roots.proc);
	if (!l.clocks) {
		process_look_done(&l);
		print_message(
			"# CPU clocks are too coarse here, or /proc is another namespace's\n");
		skip();
	}
	start_child(&c);
	assert_true(is_left_alone(&l, c.pid));
	k = look_at(&l, c.pid);
	assert_int_equal(k->ticks, k->ticks_before);

	assert_int_equal(write(c.words, "x", 1), 1);
	assert_int_equal(waitpid(c.pid, NULL, WUNTRACED), c.pid);
	k = look_at(&l, c.pid);
	assert_int_equal(k->state, 'T');
	assert_true(k->ticks > k->ticks_before);
	assert_int_equal(l.kept, 0);

	end_child(&c);
	assert_null(look_for(&l, c.pid));
	process_look_done(&l);
}

/* In trees without clocks: as many descriptors as there may be, of those that stay. */
static void test_kept_descriptors(void **state)
{
	struct process_look l = { .kept_max = 1 };
	struct child c;

	(void)state;
	start_child(&c);
	(void)look_at(&l, c.pid);
	assert_int_equal(l.kept, 0);
	(void)look_at(&l, c.pid);
	assert_int_equal(l.kept, 1);
	l.kept_max = 100000;
	assert_true(look_at(&l, c.pid)->fd >= 0);
	assert_true(l.kept >= 2 && l.kept <= l.known.n);
	end_child(&c);
	assert_null(look_for(&l, c.pid));
	process_look_done(&l);
	assert_int_equal(l.kept, 0);
}

/* The descriptor of one that is gone fails, though another process has its pid by now. */
static void test_another_with_its_pid(void **state)
{
	struct process_look l = { .kept_max = 100000 };
	struct child gone, other;
	struct known_process *k;
	uint64_t start;
	int fd;

	(void)state;
	start_child(&gone);
	start_child(&other);
	(void)look_at(&l, gone.pid);
	fd = dup(look_at(&l, gone.pid)->fd);
	assert_true(fd >= 0);
	end_child(&gone);
	k = look_at(&l, other.pid);
	start = k->id.start_ticks;
	assert_int_equal(dup2(fd, k->fd), k->fd);
	k->id.start_ticks = 0;
	k = look_at(&l, other.pid);
	assert_int_equal(k->id.start_ticks, start);
	close(fd);
	end_child(&other);
	process_look_done(&l);
}

/* --- rows --- */

/* The number behind " NAME=" in the row of this process. */
static uint64_t in_row(const char *rows, pid_t pid, const char *name)
{
	char words[64], line[1024];
	const char *row, *at;

	snprintf(words, sizeof(words), "process pid=%d ", (int)pid);
	row = strstr(rows, words);
	assert_non_null(row);
	snprintf(line, sizeof(line), "%.*s", (int)MIN(strcspn(row, "\n"), sizeof(line) - 1), row);
	snprintf(words, sizeof(words), " %s=", name);
	at = strstr(line, words);
	assert_non_null(at);
	return strtoull(at + strlen(words), NULL, 10);
}

/* What need not be read again of a process that sleeps is read again once it ran. */
static void test_rows(void **state)
{
	_cleanup_free_ char *first = NULL, *asleep = NULL, *stopped = NULL;
	struct tree t;
	struct child c;

	(void)state;
	tree_init(&t);
	t.settings.procfs = (char *)"/proc";
	t.settings.top = 10000;
	start_child(&c);
	tree_open(&t, "process");
	first = tree_read(&t);
	free(tree_read(&t));
	asleep = tree_read(&t);
	assert_int_equal(in_row(asleep, c.pid, "fds"), in_row(first, c.pid, "fds"));

	assert_int_equal(write(c.words, "x", 1), 1);
	assert_int_equal(waitpid(c.pid, NULL, WUNTRACED), c.pid);
	stopped = tree_read(&t);
	assert_int_equal(in_row(stopped, c.pid, "fds"), in_row(asleep, c.pid, "fds") + 1);
	end_child(&c);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_ran),
		cmocka_unit_test(test_kept_descriptors),
		cmocka_unit_test(test_another_with_its_pid),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, open_proc, close_proc);
}
