// SPDX-License-Identifier: Apache-2.0
#include "cmd/select.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/parse.h"

void selection_say(const struct selection *s, const char *format, ...)
{
	_cleanup_(buffer_donep) struct buffer safe = { 0 };
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	text_put_safe(&safe, text, (size_t)n);
	fprintf(stderr, "ebpf-profiler %s: %.*s\n", s->command, (int)safe.size,
		safe.size ? (const char *)safe.data : "");
}

int selection_wrong(const struct selection *s, const char *option, const char *value,
		    const char *wanted)
{
	selection_say(s, "--%s=%s is not %s", option, value, wanted);
	return -EINVAL;
}

static void selection_init(struct selection *s, const char *command)
{
	*s = (struct selection){ .command = command, .now_ns = clock_ns(CLOCK_REALTIME) };
}

static void selection_done(struct selection *s)
{
	free(s->comms);
	free(s->units);
	free(s->containers);
	free(s->pids);
	free(s->cpus);
	for (size_t i = 0; i < s->n_whens; i++)
		when_done(&s->whens[i]);
	free(s->whens);
	selection_forget_times(s);
	*s = (struct selection){ .command = s->command };
}

static int add_string(const char ***list, const char *value)
{
	const char **grown;
	size_t n = 0;

	while (*list && (*list)[n])
		n++;
	grown = reallocarray(*list, n + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[n] = value;
	grown[n + 1] = NULL;
	*list = grown;
	return 0;
}

static int add_number(uint32_t **list, size_t *n, uint32_t value)
{
	uint32_t *grown = reallocarray(*list, *n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[(*n)++] = value;
	*list = grown;
	return 0;
}

static int add_pids(struct selection *s, const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		uint64_t pid;
		int r = parse_u64(word, &pid);

		if (r == 0 && pid > INT32_MAX)
			r = -ERANGE;
		if (r == 0)
			r = add_number(&s->pids, &s->filter.n_pids, (uint32_t)pid);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_cpus(struct selection *s, const char *value)
{
	_cleanup_free_ int *list = NULL;
	size_t n;
	int r;

	r = parse_cpu_list(value, &list, &n);
	if (r == 0 && n == 0)
		r = -EINVAL;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_number(&s->cpus, &s->filter.n_cpus, (uint32_t)list[i]);
	return r;
}

static int set_once(const char **field, const char *value)
{
	if (*field && strcmp(*field, value) != 0)
		return -EEXIST;
	*field = value;
	return 0;
}

/* Says itself what is wrong with a condition. */
static int add_when(struct selection *s, const char *value)
{
	struct when *grown = reallocarray(s->whens, s->n_whens + 1, sizeof(*grown));
	_cleanup_free_ char *error = NULL;
	int r;

	if (!grown)
		return -ENOMEM;
	s->whens = grown;
	r = when_parse(value, &grown[s->n_whens], &error);
	if (r == 0)
		s->n_whens++;
	else if (r != -ENOMEM)
		selection_say(s, "--when: %s", error ? error : strerror(-r));
	return r == -EINVAL ? -EBADMSG : r;
}

static int take(struct selection *s, int option, const char *value)
{
	if (!*value)
		return -EINVAL;
	switch ((enum selection_option)option) {
	case SELECTION_SINCE:
		return parse_moment(value, s->now_ns, &s->filter.since_ns);
	case SELECTION_UNTIL:
		return parse_moment(value, s->now_ns, &s->filter.until_ns);
	case SELECTION_EVENT:
		return set_once(&s->filter.event, value);
	case SELECTION_PROFILE:
		return set_once(&s->filter.profile, value);
	case SELECTION_PID:
		return add_pids(s, value);
	case SELECTION_COMM:
		return add_string(&s->comms, value);
	case SELECTION_UNIT:
		return add_string(&s->units, value);
	case SELECTION_CONTAINER:
		return add_string(&s->containers, value);
	case SELECTION_CPU:
		return add_cpus(s, value);
	case SELECTION_WHEN:
		return add_when(s, value);
	case SELECTION_OPTION_END:
		break;
	}
	return -EINVAL;
}

static int selection_option(struct selection *s, int option, const char *value)
{
	static const struct {
		const char *name, *wanted;
	} options[] = {
		{ "since", "a moment like -5m, 10:00, '2026-01-31 10:00:30' or @SECONDS" },
		{ "until", "a moment like -5m, 10:00, '2026-01-31 10:00:30' or @SECONDS" },
		{ "event", "the name of one event" },
		{ "profile", "the name of one profile" },
		{ "pid", "process ids, separated by commas" },
		{ "comm", "a name" },
		{ "unit", "the name of a unit" },
		{ "container", "a container id" },
		{ "cpu", "a list of CPUs like 0,2-4" },
		{ "when", "a condition such as 'ipc < 1'" },
	};
	int r;

	if (option < SELECTION_SINCE || option >= SELECTION_OPTION_END)
		return 0;
	r = take(s, option, value);
	if (r >= 0)
		return 1;
	option -= SELECTION_SINCE;
	if (r == -EBADMSG)
		return r;
	if (r == -EEXIST)
		selection_say(s, "--%s takes one name, '%s' is the second", options[option].name,
			      value);
	else if (r == -ENOMEM)
		selection_say(s, "out of memory");
	else
		selection_say(s, "--%s=%s is not %s%s", options[option].name, value,
			      options[option].wanted, r == -ERANGE ? " (out of range)" : "");
	return r;
}

static int selection_finish(struct selection *s, int argc, char **argv, int first)
{
	if (s->filter.since_ns && s->filter.until_ns && s->filter.since_ns >= s->filter.until_ns) {
		selection_say(s, "--since is not before --until, so that nothing lies between "
				 "them");
		return -EINVAL;
	}
	s->paths = (const char *const *)argv + first;
	s->n_paths = (size_t)(argc - first);
	s->filter.comms = s->comms;
	s->filter.units = s->units;
	s->filter.containers = s->containers;
	s->filter.pids = s->pids;
	s->filter.cpus = s->cpus;
	return 0;
}

int selection_exit_code(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENODATA:
		return EXIT_NO_DATA;
	case -EACCES:
	case -EPERM:
		return EXIT_PRIVILEGE;
	default:
		return EXIT_FAILED;
	}
}

/* --- the times of --when -----------------------------------------------------------------------*/

static int load_series(const struct selection *s, bool all, struct series_list *ret,
		       char **ret_error)
{
	struct series_query *queries = calloc(s->n_whens, sizeof(*queries));
	int r;

	if (!queries)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_whens; i++)
		queries[i] = s->whens[i].query; /* borrowed */
	r = series_load(s->paths, s->n_paths, queries, all ? 0 : s->n_whens, s->filter.since_ns,
			s->filter.until_ns, ret, ret_error);
	free(queries);
	return r;
}

/* What there would have been. */
static void put_recorded(const struct selection *s, struct buffer *b)
{
	_cleanup_(series_list_donep) struct series_list all = {};
	_cleanup_free_ char *error = NULL;
	const char *between = "; recorded are ";

	if (load_series(s, true, &all, &error) < 0)
		return;
	if (all.n == 0)
		buffer_printf(b, "; nothing was recorded by the collector pmu in this window, "
				 "'ebpf-profiler collectors' tells how it does");
	for (size_t i = 0; i < all.n; i++) {
		if (!all.list[i].whole)
			continue;
		buffer_printf(b, "%s%s", between, all.list[i].name);
		between = ", ";
	}
}

/* The sentence for when it never held. */
static void say_never(const struct selection *s, const struct series_list *series)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	for (size_t i = 0; i < s->n_whens; i++) {
		double lowest, highest;

		if (when_range(&s->whens[i], series, &lowest, &highest))
			buffer_printf(&b, "; %s lay between %g and %g", s->whens[i].query.name,
				      lowest, highest);
		else
			buffer_printf(&b, "; %s was never counted", s->whens[i].query.name);
	}
	selection_say(s, "there is no time in this window for which --when holds%.*s", (int)b.size,
		      (const char *)b.data);
}

static int say_unknown(const struct selection *s, int error, const char *sentence)
{
	_cleanup_(buffer_donep) struct buffer recorded = { 0 };

	if (error == -ENODATA)
		put_recorded(s, &recorded);
	selection_say(s, "--when: %s%.*s", sentence ? sentence : strerror(-error),
		      (int)recorded.size, recorded.size ? (const char *)recorded.data : "");
	return error == -EINVAL ? EXIT_USAGE : selection_exit_code(error);
}

static int tell_times(struct selection *s)
{
	static const char *const relations[] = { ">", ">=", "<", "<=" };
	struct buffer text = {};
	char held[40], known[40];

	for (size_t i = 0; i < s->n_whens; i++) {
		const struct when *w = &s->whens[i];

		buffer_printf(&text, "%s%s", i ? " and " : "", w->query.name);
		for (size_t k = 0; k < w->query.n_keys; k++)
			buffer_printf(&text, "%s%s", k ? "," : "[", w->query.keys[k]);
		buffer_printf(&text, "%s %s %g%s", w->query.n_keys ? "]" : "",
			      relations[w->relation], w->threshold, w->unit);
	}
	buffer_printf(&text, ": %s of %s", format_duration(s->times.held_ns, held, sizeof(held)),
		      format_duration(s->times.known_ns, known, sizeof(known)));
	s->when_text = buffer_take_string(&text);
	return s->when_text ? 0 : -ENOMEM;
}

static void narrow(struct selection *s)
{
	struct profile_filter *f = &s->filter;

	f->spans = s->times.spans;
	f->n_spans = s->times.n;
	f->since_ns = MAX(f->since_ns, s->times.spans[0].start_ns);
	f->until_ns = f->until_ns ? MIN(f->until_ns, s->times.spans[s->times.n - 1].end_ns)
				  : s->times.spans[s->times.n - 1].end_ns;
}

void selection_forget_times(struct selection *s)
{
	when_times_done(&s->times);
	free(s->when_text);
	s->when_text = NULL;
	s->filter.spans = NULL;
	s->filter.n_spans = 0;
}

int selection_find_times(struct selection *s)
{
	_cleanup_(series_list_donep) struct series_list series = {};
	_cleanup_free_ char *error = NULL;
	int r;

	if (s->n_whens == 0 || s->when_text)
		return EXIT_OK;
	r = load_series(s, false, &series, &error);
	if (r == 0)
		r = when_find(s->whens, s->n_whens, &series, &s->times, &error);
	if (r < 0)
		return say_unknown(s, r, error);
	if (s->times.n == 0) {
		say_never(s, &series);
		return EXIT_NO_DATA;
	}
	narrow(s);
	return tell_times(s) < 0 ? EXIT_FAILED : EXIT_OK;
}

int selection_load(struct selection *s, unsigned int dimensions, struct profile **ret)
{
	_cleanup_free_ char *error = NULL;
	int r = selection_find_times(s);

	if (r != EXIT_OK)
		return r;
	r = profile_load(s->paths, s->n_paths, &s->filter, dimensions, ret, &error);
	if (r >= 0)
		return EXIT_OK;
	selection_say(s, "%s", error ? error : strerror(-r));
	return selection_exit_code(r);
}

/* Events that differ in nothing that matters here say the same. */
static void say_missing(const struct selection *s, const struct profile *p,
			const struct sample_metric *m)
{
	_cleanup_free_ char *said = NULL;

	for (size_t i = 0; i < p->n_events; i++) {
		char *why = sample_metric_explain(m, &p->events[i]);

		if (!p->events[i].samples || !why || (said && strcmp(said, why) == 0)) {
			free(why);
			continue;
		}
		selection_say(s, "%s", why);
		free(said);
		said = why;
	}
}

bool selection_has_metric(const struct selection *s, const struct profile *p,
			  const struct sample_metric *m)
{
	for (size_t i = 0; i < p->n_events; i++)
		if (p->events[i].samples && !sample_metric_missing(m, &p->events[i]))
			return true;
	say_missing(s, p, m);
	return false;
}

/* 0; 1: help was printed; negative: wrong, and said so. */
static int parse(const struct selection_command *c, struct selection *s, void *command, int argc,
		 char **argv)
{
	int option, r;

	while ((option = getopt_long(argc, argv, c->letters, c->options, NULL)) != -1) {
		if (option == '?')
			return -EINVAL;
		if (option == 'h') {
			c->help();
			return 1;
		}
		r = c->take(command, option, optarg);
		if (r == 0)
			r = selection_option(s, option, optarg);
		if (r < 0)
			return r;
	}
	r = c->check ? c->check(command) : 0;
	return r < 0 ? r : selection_finish(s, argc, argv, optind);
}

int selection_run(const struct selection_command *c, struct selection *s, void *command, int argc,
		  char **argv)
{
	int r, code = EXIT_OK;

	selection_init(s, c->name);
	r = parse(c, s, command, argc, argv);
	if (r < 0)
		code = EXIT_USAGE;
	else if (r == 0)
		code = c->run(command);
	selection_done(s);
	return code;
}
