// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "engine/service.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "engine/collecting.h"
#include "engine/collecting_print.h"
#include "engine/control.h"
#include "engine/health.h"
#include "engine/messages.h"
#include "engine/plan.h"
#include "engine/prepare.h"
#include "engine/prometheus.h"
#include "engine/textfile.h"
#include "host/cpus.h"
#include "programs/map_pins.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/parse.h"

#define MAX_EVENTS 32
#define MAX_DEGRADED 64

struct service {
	struct service_options options;
	struct control *control;
	struct collecting *collecting;
	struct textfile *textfile; /* NULL: none is asked for */
	uint64_t textfile_ns; /* when it was written last */
	struct health health;
	char **notes; /* what the plan could not do as asked */
	size_t n_notes;
	char kernel_names[320]; /* why kernel functions have no names, "" when they have */
	uint64_t yielded_until_ns; /* CLOCK_MONOTONIC; 0: the counters are ours */
	char yielded[160]; /* the sentence to it */
	uint64_t last_status_ns;
	bool pins_failed; /* said once */
	uint64_t watchdog_usec; /* 0: none */
	uint64_t fed_drains, fed_block;
};

/* --- status --- */

/* Borrows everything; valid until the pipeline changes. */
struct status_view {
	struct engine_status status;
	struct status_event events[MAX_EVENTS];
	struct segment_writer_status writer;
	const char *degraded[MAX_DEGRADED];
};

static void view_status(struct service *s, enum engine_phase phase, struct status_view *v)
{
	health_fill(&s->health, s->options.pipeline, s->options.config, v->events, &v->writer,
		    &v->status);
	v->status.phase = phase;
	v->status.degraded = v->degraded;
	if (*s->kernel_names)
		v->degraded[v->status.n_degraded++] = s->kernel_names;
	if (s->yielded_until_ns)
		v->degraded[v->status.n_degraded++] = s->yielded;
	for (size_t i = 0; i < s->n_notes && v->status.n_degraded < MAX_DEGRADED; i++)
		v->degraded[v->status.n_degraded++] = s->notes[i];
}

static void notify_status(struct service *s, enum engine_phase phase, const char *state)
{
	_cleanup_(buffer_donep) struct buffer line = {};
	struct status_view v;

	view_status(s, phase, &v);
	status_put_line(&v.status, &line);
	(void)sd_notifyf(0, "%sSTATUS=%.*s", state, (int)line.size, (const char *)line.data);
}

static int on_status(void *userdata, const struct ucred *peer, bool json, struct buffer *reply)
{
	struct status_view v;

	(void)peer;
	view_status(userdata, ENGINE_RUNNING, &v);
	if (json)
		status_put_json(&v.status, reply);
	else
		status_put_text(&v.status, reply);
	return reply->error;
}

static int on_collectors(void *userdata, const struct ucred *peer, bool json, struct buffer *reply)
{
	struct service *s = userdata;
	struct collecting_entry *entries = calloc(n_collectors, sizeof(*entries));

	(void)peer;
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < n_collectors; i++)
		collecting_get(s->collecting, i, &entries[i]);
	if (json)
		collecting_put_json(entries, n_collectors, true, reply);
	else
		collecting_put_text(entries, n_collectors, true, reply);
	free(entries);
	return reply->error;
}

/* --- the text file of metrics --- */

static int apply_textfile(struct service *s, const struct config *c)
{
	if (s->textfile && textfile_is(s->textfile, c->textfile, c->textfile_mode))
		return 0;
	s->textfile = textfile_free(s->textfile);
	s->textfile_ns = 0;
	return *c->textfile ? textfile_new(c->textfile, c->textfile_mode, &s->textfile) : 0;
}

static void write_textfile(struct service *s)
{
	_cleanup_(buffer_donep) struct buffer text = {};
	struct status_view v;
	int error;

	if (!s->textfile || now_ns() - s->textfile_ns < s->options.config->textfile_interval_ns)
		return;
	s->textfile_ns = now_ns();
	view_status(s, ENGINE_RUNNING, &v);
	prometheus_put(&v.status, s->collecting, &text);
	if (text.error == 0)
		textfile_put(s->textfile, &text);
	if (!textfile_changed(s->textfile, &error))
		return;
	if (error < 0)
		log_warning_errno(error, "cannot write the metrics to %s",
				  s->options.config->textfile);
	else
		log_info("metrics are written to %s again", s->options.config->textfile);
}

static int on_metrics(void *userdata, const struct ucred *peer, struct buffer *reply)
{
	struct service *s = userdata;
	struct status_view v;

	(void)peer;
	view_status(s, ENGINE_RUNNING, &v);
	prometheus_put(&v.status, s->collecting, reply);
	return reply->error;
}

/* --- reload --- */

static void drop_notes(struct service *s)
{
	for (size_t i = 0; i < s->n_notes; i++)
		free(s->notes[i]);
	free(s->notes);
	s->notes = NULL;
	s->n_notes = 0;
}

static int keep_notes(struct service *s, char *const *notes, size_t n)
{
	drop_notes(s);
	s->notes = calloc(MAX(n, (size_t)1), sizeof(*s->notes));
	if (!s->notes)
		return -ENOMEM;
	for (; s->n_notes < n; s->n_notes++) {
		s->notes[s->n_notes] = strdup(notes[s->n_notes]);
		if (!s->notes[s->n_notes])
			return -ENOMEM;
	}
	return 0;
}

/* What differs from what was asked for: events that others stand in for, events that are left out.
 */
static void log_notes(struct service *s)
{
	struct sampler *sampler = pipeline_sampler(s->options.pipeline);

	for (size_t i = 0; i < sampler_n_events(sampler); i++) {
		_cleanup_free_ char *note = sampler_event_note(sampler_get_event(sampler, i));

		if (note)
			log_msg(LOG_WARNING, 0, MESSAGE_EVENT_REPLACED, "%s", note);
	}
	for (size_t i = 0; i < s->n_notes; i++)
		log_msg(LOG_WARNING, 0, MESSAGE_EVENT_UNAVAILABLE, "%s", s->notes[i]);
}

static void apply_store_options(struct service *s, const struct config *c)
{
	const struct segment_writer_options o = {
		.rotate_bytes = c->rotate_bytes,
		.rotate_ns = c->rotate_ns,
		.retain_bytes = c->retain_bytes,
		.retain_ns = c->retain_ns,
		.keep_free_percent = c->keep_free_percent,
		.sync_interval_ns = c->sync_interval_ns,
		.compression_level = c->compression_level,
	};

	segment_writer_set_options(pipeline_writer(s->options.pipeline), &o);
}

/* With another sampler other counters are free: those who count begin anew, and measure. */
static int reload_collectors(struct service *s, const struct config *fresh, char **ret_error)
{
	collecting_yield(s->collecting, true);
	return collecting_reload(s->collecting, fresh, ret_error);
}

static void resume_counting(struct service *s)
{
	if (!s->yielded_until_ns)
		collecting_yield(s->collecting, false);
}

/* Replaces sampler and options by those of `fresh`; when that fails everything stays as it was. */
static int apply_config(struct service *s, struct config *fresh, char **ret_error)
{
	_cleanup_(plan_done) struct plan plan = {};
	_cleanup_free_ int *cpus = NULL;
	size_t n_cpus;
	int r = host_cpus_online(NULL, &cpus, &n_cpus);

	if (r == 0)
		r = plan_make(fresh, false, cpus[0], &plan, ret_error);
	if (r == 0)
		r = prepare_refuse_dangerous(fresh, &plan, ret_error);
	if (r == 0)
		r = pipeline_set_events(s->options.pipeline, fresh, plan.events, plan.n_events,
					ret_error);
	if (r == 0)
		r = reload_collectors(s, fresh, ret_error);
	if (r < 0)
		return r;
	apply_store_options(s, fresh);
	(void)apply_textfile(s, fresh);
	(void)keep_notes(s, plan.notes, plan.n_notes);
	log_notes(s);
	s->health.rate_factor = 1;
	s->options.sampler_changed(s->options.userdata);
	return 0;
}

static void log_lines(int priority, char *lines)
{
	for (char *line = lines ? strtok(lines, "\n") : NULL; line; line = strtok(NULL, "\n"))
		log_msg(priority, 0, NULL, "%s", line);
}

static void warn_of_start_keys(const struct config *running, const struct config *fresh)
{
	_cleanup_(buffer_donep) struct buffer keys = {};

	config_put_start_keys(running, fresh, &keys);
	if (keys.size)
		log_warning("changed, but in effect only from the next start on: %.*s",
			    (int)keys.size, (const char *)keys.data);
}

/* 0, or a negative errno with the sentence in *ret_error; the old configuration then stays in
 * force. */
static int reload(struct service *s, char **ret_error)
{
	_cleanup_free_ char *messages = NULL;
	struct config fresh;
	int r = config_load(s->options.config_path, &fresh, &messages);

	if (r < 0) {
		*ret_error = messages ? strdup(messages) : NULL;
		return r;
	}
	log_lines(LOG_WARNING, messages);
	r = apply_config(s, &fresh, ret_error);
	if (r < 0) {
		config_done(&fresh);
		resume_counting(s);
		return r;
	}
	warn_of_start_keys(s->options.config, &fresh);
	config_done(s->options.config);
	*s->options.config = fresh;
	resume_counting(s);
	return 0;
}

static int reload_and_tell(struct service *s, char **ret_error)
{
	int r;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
			 (uint64_t)(now_ns() / NSEC_PER_USEC));
	r = reload(s, ret_error);
	if (r < 0)
		log_msg(LOG_ERR, 0, MESSAGE_RELOAD_FAILED,
			"reload failed, the old configuration stays in force: %s",
			*ret_error ? *ret_error : strerror(-r));
	else
		log_msg(LOG_INFO, 0, MESSAGE_RELOADED, "configuration reloaded");
	notify_status(s, ENGINE_RUNNING, "READY=1\n");
	return r;
}

void service_reload(struct service *s)
{
	_cleanup_free_ char *error = NULL;

	(void)reload_and_tell(s, &error);
}

static void log_request(const char *what, const struct ucred *peer)
{
	log_info("%s asked for by pid %d, uid %u", what, (int)peer->pid, (unsigned int)peer->uid);
}

static int on_reload(void *userdata, const struct ucred *peer, struct buffer *reply)
{
	_cleanup_free_ char *error = NULL;
	int r;

	log_request("reload", peer);
	r = reload_and_tell(userdata, &error);
	if (r < 0)
		buffer_printf(reply, "%s\n", error ? error : strerror(-r));
	else
		buffer_printf(reply, "configuration reloaded\n");
	return r;
}

void service_rotate(struct service *s)
{
	segment_writer_rotate(pipeline_writer(s->options.pipeline));
}

static int on_rotate(void *userdata, const struct ucred *peer, struct buffer *reply)
{
	log_request("rotation", peer);
	service_rotate(userdata);
	buffer_printf(reply, "the segment is sealed, the next samples begin a new one\n");
	return 0;
}

/* --- giving way --- */

static void take_counters_back(struct service *s, const char *why)
{
	char text[128];

	if (!s->yielded_until_ns)
		return;
	s->yielded_until_ns = 0;
	pipeline_yield(s->options.pipeline, false);
	resume_counting(s);
	snprintf(text, sizeof(text), "the hardware's counters are taken back: %s", why);
	log_msg(LOG_NOTICE, 0, MESSAGE_COUNTERS_TAKEN_BACK, "%s", text);
	pipeline_note(s->options.pipeline, text);
}

static void give_counters_up(struct service *s, const struct ucred *peer, uint64_t seconds)
{
	char time[40];

	s->yielded_until_ns = now_ns() + seconds * NSEC_PER_SEC;
	pipeline_yield(s->options.pipeline, true);
	collecting_yield(s->collecting, true);
	snprintf(s->yielded, sizeof(s->yielded),
		 "the hardware's counters are given up for %s, asked for by pid %d, uid %u",
		 format_duration(seconds * NSEC_PER_SEC, time, sizeof(time)), (int)peer->pid,
		 (unsigned int)peer->uid);
	log_msg(LOG_NOTICE, 0, MESSAGE_COUNTERS_GIVEN_UP, "%s", s->yielded);
	pipeline_note(s->options.pipeline, s->yielded);
}

static int on_yield(void *userdata, const struct ucred *peer, uint64_t seconds,
		    struct buffer *reply)
{
	struct service *s = userdata;

	if (seconds > SERVICE_MAX_YIELD_NS / NSEC_PER_SEC) {
		buffer_printf(reply, "Counters are given up for an hour at most.\n");
		return -ERANGE;
	}
	if (seconds == 0) {
		buffer_printf(reply, s->yielded_until_ns ? "the counters are taken back\n"
							 : "the counters were not given up\n");
		take_counters_back(s, "asked for");
	} else {
		give_counters_up(s, peer, seconds);
		buffer_printf(reply, "%s\n", s->yielded);
	}
	notify_status(s, ENGINE_RUNNING, "");
	return reply->error;
}

/* --- life --- */

static void find_watchdog(struct service *s)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) > 0)
		s->watchdog_usec = usec;
}

static void on_row(const struct row *row, void *userdata)
{
	struct service *s = userdata;

	pipeline_row(s->options.pipeline, row);
}

static int open_collectors(struct service *s, char **ret_error)
{
	struct collecting_options o = {
		.config = s->options.config,
		/* Which counters are free is measured once the sampler has its own. */
		.yield = true,
		.row = on_row,
		.userdata = s,
	};

	int r = collecting_open(&o, &s->collecting, ret_error);

	return r < 0 ? r : apply_textfile(s, s->options.config);
}

int service_open(const struct service_options *options, struct service **ret, char **ret_error)
{
	struct service *s = calloc(1, sizeof(*s));
	struct control_handlers handlers = {
		.status = on_status,
		.collectors = on_collectors,
		.metrics = on_metrics,
		.rotate = on_rotate,
		.reload = on_reload,
		.yield = on_yield,
		.userdata = s,
	};
	int r;

	if (!s)
		return -ENOMEM;
	s->options = *options;
	r = control_open(options->config->control_socket, options->config->control_group, &handlers,
			 &s->control, ret_error);
	if (r == 0)
		r = open_collectors(s, ret_error);
	if (r < 0) {
		collecting_close(s->collecting);
		control_close(s->control);
		free(s);
		return r;
	}
	health_init(&s->health);
	find_watchdog(s);
	*ret = s;
	return 0;
}

struct service *service_close(struct service *s)
{
	if (!s)
		return NULL;
	log_msg(LOG_INFO, 0, MESSAGE_STOPPED, "stopped, the segment is sealed");
	control_close(s->control);
	collecting_close(s->collecting);
	if (*s->options.config->pin_maps)
		map_pins_remove(s->options.config->pin_maps);
	textfile_free(s->textfile);
	drop_notes(s);
	free(s);
	return NULL;
}

static void look_at_kernel_names(struct service *s)
{
	struct kernel_space_status kernel;

	pipeline_get_kernel_status(s->options.pipeline, &kernel);
	if (!kernel.no_addresses)
		return;
	snprintf(s->kernel_names, sizeof(s->kernel_names), "kernel functions have no names: %s",
		 kernel.reason);
	log_msg(LOG_WARNING, 0, MESSAGE_KERNEL_SYMBOLS_HIDDEN, "%s", s->kernel_names);
}

/* Collectors come and go with their maps. */
static void pin_maps(struct service *s)
{
	const char *directory = s->options.config->pin_maps;
	int r = *directory && !s->pins_failed ? map_pins_renew(directory) : 0;

	if (r == 0)
		return;
	s->pins_failed = true;
	log_warning("our BPF maps are not pinned in %s: %s", directory,
		    r == -ENOTSUP ? "it is on no BPF file system" : strerror(-r));
}

void service_ready(struct service *s, char *const *notes, size_t n_notes)
{
	_cleanup_(buffer_donep) struct buffer line = {};
	struct status_view v;

	resume_counting(s);
	(void)keep_notes(s, notes, n_notes);
	log_notes(s);
	look_at_kernel_names(s);
	view_status(s, ENGINE_RUNNING, &v);
	status_put_line(&v.status, &line);
	log_msg(LOG_INFO, 0, MESSAGE_STARTED, "%.*s", (int)line.size, (const char *)line.data);
	s->last_status_ns = now_ns();
	pin_maps(s);
	notify_status(s, ENGINE_RUNNING, "READY=1\n");
}

void service_stopping(struct service *s)
{
	notify_status(s, ENGINE_STOPPING, "STOPPING=1\n");
	if (s->collecting)
		collecting_finish(s->collecting);
}

/*
 * The watchdog is fed only on proof of progress: rings were drained since the last time, and what
 * was handed to the writer then is written, or the writer says that it is suspended.
 */
static void feed_watchdog(struct service *s)
{
	struct segment_writer_status w;
	struct pipeline_counters c;

	if (!s->watchdog_usec)
		return;
	pipeline_get_counters(s->options.pipeline, &c);
	segment_writer_get_status(pipeline_writer(s->options.pipeline), &w);
	if (c.drains == s->fed_drains || (w.acknowledged < s->fed_block && !w.suspended))
		return;
	(void)sd_notify(0, "WATCHDOG=1");
	s->fed_drains = c.drains;
	s->fed_block = c.last_block;
}

static void tell_writer(struct service *s, bool suspended)
{
	struct segment_writer_status w;

	segment_writer_get_status(pipeline_writer(s->options.pipeline), &w);
	if (suspended)
		log_msg(LOG_ERR, w.error, MESSAGE_WRITING_SUSPENDED,
			"writing to %s is suspended, samples are dropped and counted",
			s->options.config->state_directory);
	else
		log_msg(LOG_NOTICE, 0, MESSAGE_WRITING_RESUMED,
			"writing to %s goes on; %" PRIu64 " samples were dropped",
			s->options.config->state_directory, w.dropped_samples);
}

static void tell_rate(struct service *s, bool lowered)
{
	char text[160];

	pipeline_scale_rate(s->options.pipeline, s->health.rate_factor);
	snprintf(text, sizeof(text),
		 "rate %s to %.0f %% of the configured one: own CPU use is %.2f %%, the budget "
		 "%.2f %%",
		 lowered ? "lowered" : "raised", s->health.rate_factor * 100, s->health.cpu_percent,
		 s->options.config->cpu_budget_percent);
	log_msg(LOG_NOTICE, 0, lowered ? MESSAGE_RATE_LOWERED : MESSAGE_RATE_RESTORED, "%s", text);
	pipeline_note(s->options.pipeline, text);
}

static void tell_kernel_limit(struct service *s)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "the kernel lowered perf_event_max_sample_rate to %" PRIu64
		 ": interrupts took too long",
		 s->health.kernel_max_rate_hz);
	log_msg(LOG_WARNING, 0, MESSAGE_MAX_SAMPLE_RATE_LOWERED, "%s", text);
	pipeline_note(s->options.pipeline, text);
}

static void tell_changes(struct service *s, unsigned int changes)
{
	if (changes & (HEALTH_RATE_LOWERED | HEALTH_RATE_RAISED))
		tell_rate(s, changes & HEALTH_RATE_LOWERED);
	if (changes & HEALTH_KERNEL_LIMIT_LOWERED)
		tell_kernel_limit(s);
	if (changes & (HEALTH_SUSPENDED | HEALTH_RESUMED))
		tell_writer(s, changes & HEALTH_SUSPENDED);
	if ((changes & HEALTH_LOSING) && !s->health.suspended)
		log_msg(LOG_WARNING, 0, MESSAGE_SAMPLES_LOST,
			"%" PRIu64 " samples were lost in the last interval",
			s->health.lost_recently);
}

void service_tick(struct service *s)
{
	feed_watchdog(s);
	if (s->yielded_until_ns && now_ns() >= s->yielded_until_ns)
		take_counters_back(s, "the time is over");
	collecting_tick(s->collecting);
	write_textfile(s);
	if (now_ns() - s->last_status_ns < s->options.config->status_interval_ns)
		return;
	s->last_status_ns = now_ns();
	tell_changes(s, health_update(&s->health, s->options.pipeline,
				      s->options.config->cpu_budget_percent));
	pin_maps(s);
	notify_status(s, ENGINE_RUNNING, "");
}

int service_control_fd(const struct service *s)
{
	return control_fd(s->control);
}

void service_control_dispatch(struct service *s)
{
	(void)control_dispatch(s->control);
}

int service_rows_fd(const struct service *s)
{
	return collecting_fd(s->collecting);
}

void service_rows_dispatch(struct service *s)
{
	collecting_dispatch(s->collecting);
}
