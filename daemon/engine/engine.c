// SPDX-License-Identifier: Apache-2.0
/*
 * One thread: a timer drains the rings five times a second, a ring that is half full asks for it
 * earlier, and a second after each tick everything encoded is with the writer. Process life (the
 * sideband) is looked at a millisecond after it wakes us, so that the fork, exec and mmaps of one
 * start cost one wake-up.
 */
#include <linux/types.h>

#include "engine/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "engine/collecting.h"
#include "engine/messages.h"
#include "engine/service.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

#define SIDEBAND_DELAY_NS NSEC_PER_MSEC
#define TICK_NS NSEC_PER_SEC
#define SILENCE_NS                                                                                 \
	(5 * NSEC_PER_SEC) /* an event that did not fire by then on a busy host never will */

struct engine {
	struct engine_options options;
	sd_event *loop;
	sd_event_source *drain_timer, *tick_timer, *sideband_timer, *ring_io;
	struct pipeline *pipeline;
	struct service *service; /* NULL: record */
	struct collecting *collecting; /* record: rows beside the samples; NULL: none */
	uint64_t started_ns, checked_ns;
	uint64_t busy_ticks; /* of the host, when sampling began */
	bool silence_checked;
	struct engine_result result;
	uint64_t drain_delay_ns;
};

/* The delay grows to the configured one: the rows of what runs already are asked for by its first
 * samples. */
#define FIRST_DRAIN_NS (10 * NSEC_PER_MSEC)

/* --- timers and descriptors --- */

static int rearm(sd_event_source *s, uint64_t delay_ns)
{
	int r = sd_event_source_set_time_relative(s, delay_ns / NSEC_PER_USEC);

	return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int on_drain_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct engine *e = userdata;

	(void)usec;
	pipeline_drain(e->pipeline, false);
	e->drain_delay_ns = MIN(e->drain_delay_ns * 2, e->options.config->drain_interval_ns);
	return rearm(s, e->drain_delay_ns);
}

static int on_ring(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	pipeline_drain(e->pipeline, false);
	return 0;
}

static int on_sideband(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct engine *e = userdata;
	int enabled = SD_EVENT_OFF;

	(void)s;
	(void)fd;
	(void)revents;
	(void)sd_event_source_get_enabled(e->sideband_timer, &enabled);
	return enabled == SD_EVENT_OFF ? rearm(e->sideband_timer, SIDEBAND_DELAY_NS) : 0;
}

static int on_sideband_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)usec;
	pipeline_drain(e->pipeline, false);
	return 0;
}

static int on_symbols(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	pipeline_take_symbols(e->pipeline);
	return 0;
}

/* --- an event that never fires --- */

/* Time all CPUs spent working, in USER_HZ: user, nice, system, irq, softirq of /proc/stat's first
 * line. */
static uint64_t host_busy_ticks(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/stat", "re");
	uint64_t t[7] = {};

	if (!f || fscanf(f,
			 "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			 " %" SCNu64,
			 &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6]) != 7)
		return 0;
	return t[0] + t[1] + t[2] + t[5] + t[6];
}

static void report_silence(struct engine *e, size_t i)
{
	const struct sampler_event *spec = sampler_get_event(pipeline_sampler(e->pipeline), i);
	struct sampler_event by = {};
	_cleanup_free_ char *error = NULL, *text = NULL, *name = strdup(spec->pmu.name);

	if (plan_replacement(spec, "it opened but never fired on a busy CPU", &by) == 0 &&
	    pipeline_replace_event(e->pipeline, i, &by, &error) == 0) {
		if (asprintf(&text,
			     "%s opened but did not fire in 5 s on a busy CPU: %s fires instead",
			     name, by.pmu.name) < 0)
			text = NULL;
	} else if (asprintf(&text, "%s opened but did not fire in 5 s on a busy CPU", name) < 0) {
		text = NULL;
	}
	sampler_event_done(&by);
	if (!text)
		return;
	log_msg(LOG_WARNING, 0, MESSAGE_EVENT_REPLACED, "%s", text);
	pipeline_note(e->pipeline, text);
}

static void watch_for_silence(struct engine *e)
{
	e->silence_checked = false;
	e->checked_ns = now_ns();
	e->busy_ticks = host_busy_ticks();
}

/* Busy: a tenth of one CPU's time at least. With a command only, the host's work says nothing about
 * ours; nor does it of absences from the CPU. */
static void check_silence(struct engine *e)
{
	struct sampler *s = pipeline_sampler(e->pipeline);
	uint64_t needed = (uint64_t)sysconf(_SC_CLK_TCK) * (SILENCE_NS / NSEC_PER_SEC) / 10;

	if (e->silence_checked || now_ns() - e->checked_ns < SILENCE_NS || e->options.follow)
		return;
	/* Counters that were given up do not fire. */
	if (pipeline_yields(e->pipeline) || host_busy_ticks() - e->busy_ticks < needed) {
		watch_for_silence(e);
		return;
	}
	e->silence_checked = true;
	for (size_t i = 0; i < sampler_n_events(s); i++)
		if (sampler_seen(s, i) == 0 && !sampler_get_event(s, i)->off_cpu)
			report_silence(e, i);
}

/* --- once a second --- */

static void on_cpu_changed(int cpu, bool online, int error, void *userdata)
{
	struct engine *e = userdata;
	char text[160];

	if (error < 0)
		snprintf(text, sizeof(text), "CPU %d went online, but not all of it is sampled: %s",
			 cpu, strerror(-error));
	else
		snprintf(text, sizeof(text), "CPU %d went %s", cpu, online ? "online" : "offline");
	log_msg(error < 0 ? LOG_WARNING : LOG_NOTICE, 0,
		online ? MESSAGE_CPU_ONLINE : MESSAGE_CPU_OFFLINE, "%s", text);
	pipeline_note(e->pipeline, text);
}

static void show_progress(const struct engine *e)
{
	struct pipeline_counters c;
	struct segment_writer_status w;
	char samples[32], size[32];

	pipeline_get_counters(e->pipeline, &c);
	segment_writer_get_status(pipeline_writer(e->pipeline), &w);
	fprintf(stderr, "\r%4" PRIu64 " s  %s samples  %" PRIu64 " lost  %s%s\033[K",
		(uint64_t)((now_ns() - e->started_ns) / NSEC_PER_SEC),
		format_count((double)c.samples, samples, sizeof(samples)), c.lost,
		format_size(w.written_bytes, size, sizeof(size)),
		w.suspended ? "  writing suspended: no space" : "");
	fflush(stderr);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct engine *e = userdata;

	(void)usec;
	pipeline_drain(e->pipeline, false);
	pipeline_check_cpus(e->pipeline, on_cpu_changed, e);
	pipeline_tick(e->pipeline);
	check_silence(e);
	if (e->service)
		service_tick(e->service);
	if (e->collecting)
		collecting_tick(e->collecting);
	if (e->options.progress)
		show_progress(e);
	return rearm(s, TICK_NS);
}

/* --- ends --- */

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	if (si->ssi_signo == SIGHUP && e->service)
		service_reload(e->service);
	else if (si->ssi_signo == SIGUSR1 && e->service)
		service_rotate(e->service);
	else {
		e->result.interrupted = true;
		return sd_event_exit(e->loop, 0);
	}
	return 0;
}

static int on_end(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)usec;
	return sd_event_exit(e->loop, 0);
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	e->result.child_ended = true;
	e->result.child_status =
		si->si_code == CLD_EXITED ? W_EXITCODE(si->si_status, 0) : si->si_status;
	return sd_event_exit(e->loop, 0);
}

/* --- setting up --- */

static int add_timer(struct engine *e, sd_event_source **ret, uint64_t delay_ns,
		     sd_event_time_handler_t handler)
{
	return sd_event_add_time_relative(e->loop, ret, CLOCK_MONOTONIC, delay_ns / NSEC_PER_USEC,
					  1, handler, e);
}

static int add_io(struct engine *e, int fd, sd_event_io_handler_t handler)
{
	return fd < 0 ? 0 : sd_event_add_io(e->loop, NULL, fd, EPOLLIN, handler, e);
}

static int add_signals(struct engine *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	size_t n = e->options.service ? ARRAY_SIZE(signals) : 3;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		int r = sd_event_add_signal(e->loop, NULL, signals[i], on_signal, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static void watch_rings(struct engine *e)
{
	e->ring_io = sd_event_source_disable_unref(e->ring_io);
	(void)sd_event_add_io(e->loop, &e->ring_io, pipeline_ring_fd(e->pipeline), EPOLLIN, on_ring,
			      e);
}

/* After a reload: other rings, other events. */
static void sampler_changed(void *userdata)
{
	watch_rings(userdata);
	watch_for_silence(userdata);
}

static int on_control(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	service_control_dispatch(e->service);
	return 0;
}

static int on_rows(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	service_rows_dispatch(e->service);
	return 0;
}

static int open_service(struct engine *e, char **ret_error)
{
	struct service_options o = {
		.pipeline = e->pipeline,
		.config = e->options.config,
		.config_path = e->options.config_path,
		.sampler_changed = sampler_changed,
		.userdata = e,
	};
	int r = service_open(&o, &e->service, ret_error);

	if (r >= 0)
		r = add_io(e, service_control_fd(e->service), on_control);
	if (r >= 0)
		r = add_io(e, service_rows_fd(e->service), on_rows);
	return r;
}

static int on_collecting(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct engine *e = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	collecting_dispatch(e->collecting);
	return 0;
}

static void on_row(const struct row *row, void *userdata)
{
	pipeline_row(((struct engine *)userdata)->pipeline, row);
}

/* When the sampler has its counters, for those that count measure which are free. */
static int open_collecting(struct engine *e, char **ret_error)
{
	struct collecting_options o = {
		.config = e->options.config,
		.strict = true,
		.row = on_row,
		.userdata = e,
	};
	int r = collecting_open(&o, &e->collecting, ret_error);

	if (r < 0)
		return r;
	return add_io(e, collecting_fd(e->collecting), on_collecting);
}

static int add_sources(struct engine *e)
{
	const struct engine_options *o = &e->options;
	int r;

	e->drain_delay_ns = MIN(FIRST_DRAIN_NS, o->config->drain_interval_ns);
	r = add_timer(e, &e->drain_timer, e->drain_delay_ns, on_drain_timer);

	if (r >= 0)
		r = add_timer(e, &e->tick_timer, TICK_NS, on_tick);
	if (r >= 0)
		r = add_timer(e, &e->sideband_timer, 0, on_sideband_timer);
	if (r >= 0)
		r = sd_event_source_set_enabled(e->sideband_timer, SD_EVENT_OFF);
	if (r >= 0)
		watch_rings(e);
	if (r >= 0)
		r = add_io(e, pipeline_sideband_fd(e->pipeline), on_sideband);
	if (r >= 0)
		r = add_io(e, pipeline_symbols_fd(e->pipeline), on_symbols);
	if (r >= 0 && o->duration_ns)
		r = add_timer(e, NULL, o->duration_ns, on_end);
	if (r >= 0 && o->child > 0)
		r = sd_event_add_child(e->loop, NULL, o->child, WEXITED, on_child, e);
	return r;
}

static int open_pipeline(struct engine *e, char **ret_error)
{
	struct pipeline_options o = {
		.config = e->options.config,
		.output = e->options.output,
		.task = e->options.follow ? e->options.child : -1,
		.btf = e->options.btf,
	};
	struct plan *plan = e->options.plan;
	int r = pipeline_open(&o, &e->pipeline, ret_error);

	if (r < 0)
		return r;
	r = pipeline_set_events(e->pipeline, o.config, plan->events, plan->n_events, ret_error);
	for (size_t i = 0; r == 0 && i < plan->n_notes; i++)
		pipeline_note(e->pipeline, plan->notes[i]);
	return r;
}

static int begin(struct engine *e, char **ret_error)
{
	int r = pipeline_enable(e->pipeline);

	if (r == 0 && !e->service && e->options.config->collectors_enabled)
		r = open_collecting(e, ret_error);
	if (r < 0)
		return r;
	/* A command is not to be ahead of its counters. */
	if (e->collecting)
		collecting_await(e->collecting);
	e->started_ns = now_ns();
	watch_for_silence(e);
	if (e->options.release_fd >= 0) {
		if (write(e->options.release_fd, "", 1) != 1)
			r = -errno;
		close(e->options.release_fd);
	}
	return r;
}

static void end(struct engine *e)
{
	if (e->options.progress)
		fputs("\r\033[K", stderr);
	if (e->service)
		service_stopping(e->service);
	if (e->collecting)
		collecting_finish(e->collecting);
	pipeline_stop(e->pipeline);
	e->result.duration_ns = now_ns() - e->started_ns;
	pipeline_get_counters(e->pipeline, &e->result.counters);
	if (e->options.failed && e->options.failed(e->options.userdata))
		pipeline_discard(e->pipeline);
	e->result.seal_error = pipeline_finish(e->pipeline);
	segment_writer_get_status(pipeline_writer(e->pipeline), &e->result.writer);
}

/*
 * Events x CPUs descriptors, twice as many with bpf_link: the soft limit of 1024 is too low for a
 * large host, the hard one is not. When that is too low as well, the event that fails says so.
 */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int engine_run(const struct engine_options *options, struct engine_result *ret, char **ret_error)
{
	struct engine e = { .options = *options };
	int r = sd_event_new(&e.loop);

	raise_descriptor_limit();
	if (r >= 0)
		r = add_signals(&e);
	if (r >= 0)
		r = open_pipeline(&e, ret_error);
	if (r >= 0)
		r = add_sources(&e);
	if (r >= 0 && options->service)
		r = open_service(&e, ret_error);
	if (r >= 0)
		r = begin(&e, ret_error);
	if (r >= 0 && e.service)
		service_ready(e.service, options->plan->notes, options->plan->n_notes);
	if (r >= 0)
		r = sd_event_loop(e.loop);
	if (e.started_ns)
		end(&e);
	else
		pipeline_discard(e.pipeline);
	pipeline_close(e.pipeline);
	service_close(e.service);
	collecting_close(e.collecting);
	sd_event_source_unref(e.ring_io);
	sd_event_source_unref(e.drain_timer);
	sd_event_source_unref(e.tick_timer);
	sd_event_source_unref(e.sideband_timer);
	sd_event_unref(e.loop);
	*ret = e.result;
	return r < 0 ? r : 0;
}
