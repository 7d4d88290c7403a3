// SPDX-License-Identifier: Apache-2.0
#include "engine/status.h"

#include <string.h>

#include "util/json.h"
#include "util/parse.h"

#define MAX_LINE_SENTENCES 3 /* of what is degraded, in the line */
#define MAX_LINE_SENTENCE 120 /* bytes */

static const char *const phase_names[] = {
	[ENGINE_STARTING] = "starting",
	[ENGINE_RUNNING] = "running",
	[ENGINE_RELOADING] = "reloading",
	[ENGINE_STOPPING] = "stopping",
};

static void put(struct buffer *out, const char *text)
{
	buffer_put(out, text, strlen(text));
}

static void put_safe(struct buffer *out, const char *text)
{
	text_put_safe(out, text, strlen(text));
}

static void put_percent(struct buffer *out, double percent)
{
	if (percent > 0 && percent < 0.01)
		put(out, "<0.01 %");
	else
		buffer_printf(out, "%.*f %%", percent == 0 || percent >= 10 ? 0 : 2, percent);
}

/* --- what is not as it should be --- */

/* Sentences one after another, each with a NUL. */
static void end_sentence(struct buffer *l)
{
	buffer_put_byte(l, 0);
}

static const char *first_sentence(const struct buffer *l)
{
	return l->size && !l->error ? (const char *)l->data : NULL;
}

static const char *next_sentence(const struct buffer *l, const char *sentence)
{
	const char *next = sentence + strlen(sentence) + 1;

	return next < (const char *)l->data + l->size ? next : NULL;
}

static void add_replaced_events(const struct engine_status *s, bool brief, struct buffer *l)
{
	for (size_t i = 0; i < s->n_events; i++) {
		const struct status_event *e = &s->events[i];

		if (!e->reason)
			continue;
		put_safe(l, e->name);
		put(l, " instead of ");
		put_safe(l, e->requested);
		if (!brief) {
			put(l, ": ");
			put_safe(l, e->reason);
		}
		end_sentence(l);
	}
}

/* Everything that the three renderings call degraded, the worst first; `brief` without reasons. */
static void collect_sentences(const struct engine_status *s, bool brief, struct buffer *l)
{
	if (s->writing_suspended) {
		buffer_printf(l, "writing suspended: %s", strerror(-s->write_error));
		end_sentence(l);
	}
	if (s->n_events == 0) {
		put(l, "no event can be sampled");
		end_sentence(l);
	}
	if (s->lost_recently) {
		buffer_printf(l, "%llu samples lost recently",
			      (unsigned long long)s->lost_recently);
		end_sentence(l);
	}
	if (s->rate_factor < 1) {
		buffer_printf(l, "rates lowered to %.0f %% to stay within %.3g %% of a CPU",
			      100 * s->rate_factor, s->cpu_budget_percent);
		end_sentence(l);
	}
	if (s->over_budget) {
		buffer_printf(l, "own CPU use is %.2f %%, the budget %.3g %%; samples take %.2f %%",
			      s->cpu_percent, s->cpu_budget_percent, s->samples_cpu_percent);
		end_sentence(l);
	}
	add_replaced_events(s, brief, l);
	for (size_t i = 0; i < s->n_degraded; i++) {
		put_safe(l, s->degraded[i]);
		end_sentence(l);
	}
}

/* --- the line --- */

static void put_rate(const struct status_event *e, struct buffer *out)
{
	if (e->freq_hz)
		buffer_printf(out, " at %llu Hz", (unsigned long long)e->freq_hz);
	else if (e->period)
		buffer_printf(out, " every %llu", (unsigned long long)e->period);
}

/* "cycles at 99 Hz, LLC-load-misses every 100003" */
static void put_events(const struct engine_status *s, struct buffer *out)
{
	for (size_t i = 0; i < s->n_events; i++) {
		if (i)
			put(out, ", ");
		put_safe(out, s->events[i].name);
		put_rate(&s->events[i], out);
	}
	if (s->n_events == 0)
		put(out, "nothing");
}

static void put_loss(const struct engine_status *s, struct buffer *out)
{
	char count[32];

	buffer_printf(out, "%s lost", format_count((double)s->lost, count, sizeof(count)));
	if (s->expected) {
		put(out, ", ");
		put_percent(out, 100.0 * (double)s->not_delivered / (double)s->expected);
		put(out, " not delivered");
	}
}

static double percent_of(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void put_complete(const struct status_stacks *k, struct buffer *out)
{
	buffer_printf(out, "%.*f %% complete", k->complete == k->all ? 0 : 1,
		      percent_of(k->complete, k->all));
}

static void put_disk(const struct engine_status *s, struct buffer *out)
{
	char size[32];

	put(out, format_size(s->disk_bytes, size, sizeof(size)));
	if (s->disk_limit_bytes)
		buffer_printf(out, " of %s", format_size(s->disk_limit_bytes, size, sizeof(size)));
}

static void put_memory(const struct engine_status *s, struct buffer *out)
{
	uint64_t own_bytes = s->rss_bytes - MIN(s->rss_bytes, s->unwind_bytes);
	char own[32], rings[32], rows[32];

	buffer_printf(out, "%s + %s rings", format_size(own_bytes, own, sizeof(own)),
		      format_size(s->ring_bytes, rings, sizeof(rings)));
	if (s->unwind_bytes)
		buffer_printf(out, " + %s rows", format_size(s->unwind_bytes, rows, sizeof(rows)));
}

static void put_degraded(const struct buffer *l, struct buffer *out)
{
	char text[MAX_LINE_SENTENCE];
	size_t n = 0;

	for (const char *one = first_sentence(l); one; one = next_sentence(l, one)) {
		if (n < MAX_LINE_SENTENCES) {
			put(out, n ? "; " : "DEGRADED: ");
			put(out, text_safe(one, text, sizeof(text)));
			put(out, strlen(one) >= sizeof(text) ? "..." : "");
		}
		n++;
	}
	if (n > MAX_LINE_SENTENCES)
		buffer_printf(out, "; and %zu more", n - MAX_LINE_SENTENCES);
	if (n)
		put(out, " | ");
}

void status_put_line(const struct engine_status *s, struct buffer *out)
{
	_cleanup_(buffer_donep) struct buffer l = { 0 };
	char count[32];

	if (s->phase != ENGINE_RUNNING) {
		put(out, phase_names[s->phase]);
		return;
	}
	collect_sentences(s, true, &l);
	put_degraded(&l, out);
	put(out, "sampling ");
	put_events(s, out);
	buffer_printf(out, " on %zu CPU%s | %s samples/s, ", s->n_cpus, s->n_cpus == 1 ? "" : "s",
		      format_count(s->samples_per_second, count, sizeof(count)));
	put_loss(s, out);
	if (s->stacks.unwound && s->stacks.all) {
		put(out, " | stacks ");
		put_complete(&s->stacks, out);
	}
	put(out, " | disk ");
	put_disk(s, out);
	put(out, " | own CPU ");
	put_percent(out, s->cpu_percent);
	put(out, ", memory ");
	put_memory(s, out);
}

/* --- the text --- */

static void put_label(struct buffer *out, const char *label)
{
	buffer_printf(out, "%10s%s ", label, *label ? ":" : " ");
}

static void put_event_lines(const struct engine_status *s, struct buffer *out)
{
	for (size_t i = 0; i < s->n_events; i++) {
		const struct status_event *e = &s->events[i];

		put_label(out, i ? "" : "Events");
		put_safe(out, e->name);
		put_rate(e, out);
		buffer_printf(out, " on %zu CPU%s", e->n_cpus, e->n_cpus == 1 ? "" : "s");
		if (e->profile && *e->profile) {
			put(out, ", profile ");
			put_safe(out, e->profile);
		}
		put(out, "\n");
	}
}

static void put_stacks(const struct status_stacks *k, struct buffer *out)
{
	char bytes[32], limit[32];

	if (!k->unwound)
		return;
	put_label(out, "Stacks");
	buffer_printf(out, "%llu of user code", (unsigned long long)k->all);
	if (k->all) {
		put(out, ", ");
		put_complete(k, out);
		buffer_printf(out, ", %.1f %% before their rows were there",
			      percent_of(k->early, k->all));
	}
	if (k->calls_checked)
		buffer_printf(out, "; of %llu return addresses %llu follow no call",
			      (unsigned long long)k->calls_checked,
			      (unsigned long long)(k->calls_checked - k->calls_right));
	if (k->branches_checked)
		buffer_printf(out, "; of %llu callers LBRs contradict %llu",
			      (unsigned long long)k->branches_checked,
			      (unsigned long long)(k->branches_checked - k->branches_right));
	put(out, "\n");
	put_label(out, "Rows");
	buffer_printf(out, "%s of %s for %zu binaries; %zu processes, %zu by frame pointers\n",
		      format_size(k->rows_bytes, bytes, sizeof(bytes)),
		      format_size(k->rows_limit_bytes, limit, sizeof(limit)), k->tables,
		      k->processes, k->processes_by_fp);
}

static void put_own_cost(const struct engine_status *s, struct buffer *out)
{
	put_label(out, "Own cost");
	put_percent(out, s->cpu_percent);
	put(out, " of a CPU");
	if (s->cpu_budget_percent > 0)
		buffer_printf(out, " (budget %.3g %%)", s->cpu_budget_percent);
	put(out, ", memory ");
	put_memory(s, out);
	put(out, "\n");
}

static void put_files(const struct engine_status *s, struct buffer *out)
{
	put_label(out, "Disk");
	put_disk(s, out);
	buffer_printf(out, " in %llu file%s in ", (unsigned long long)s->disk_files,
		      s->disk_files == 1 ? "" : "s");
	put_safe(out, s->directory ? s->directory : "");
	put(out, "\n");
	if (s->segment && *s->segment) {
		put_label(out, "Writing");
		put_safe(out, s->segment);
		put(out, "\n");
	}
}

static void put_degraded_lines(const struct engine_status *s, struct buffer *out)
{
	_cleanup_(buffer_donep) struct buffer l = { 0 };
	const char *label = "Degraded";

	collect_sentences(s, false, &l);
	for (const char *one = first_sentence(&l); one; one = next_sentence(&l, one)) {
		put_label(out, label);
		put(out, one);
		put(out, "\n");
		label = "";
	}
}

void status_put_text(const struct engine_status *s, struct buffer *out)
{
	char text[32];

	put_label(out, "State");
	buffer_printf(out, "%s for %s, pid %d\n", phase_names[s->phase],
		      format_duration(s->uptime_ns, text, sizeof(text)), (int)s->pid);
	put_event_lines(s, out);
	put_label(out, "Samples");
	buffer_printf(out, "%llu, ", (unsigned long long)s->samples);
	buffer_printf(out, "%s/s now, ", format_count(s->samples_per_second, text, sizeof(text)));
	put_loss(s, out);
	put(out, "\n");
	put_stacks(&s->stacks, out);
	put_files(s, out);
	put_own_cost(s, out);
	put_label(out, "Kernel");
	buffer_printf(out, "%s transport, attached by %s", s->transport ? s->transport : "no",
		      s->attach ? s->attach : "nothing");
	if (s->kernel_max_rate_hz)
		buffer_printf(out, ", at most %llu Hz", (unsigned long long)s->kernel_max_rate_hz);
	put(out, "\n");
	put_degraded_lines(s, out);
}

/* --- JSON --- */

static void json_events(struct json *j, const struct engine_status *s)
{
	json_open_array(j, "events");
	for (size_t i = 0; i < s->n_events; i++) {
		const struct status_event *e = &s->events[i];

		json_open_object(j, NULL);
		json_string(j, "profile", e->profile);
		json_string(j, "requested", e->requested);
		json_string(j, "event", e->name);
		json_string(j, "reason", e->reason);
		json_uint(j, "freq_hz", e->freq_hz);
		json_uint(j, "period", e->period);
		json_uint(j, "cpus", e->n_cpus);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_samples(struct json *j, const struct engine_status *s)
{
	json_uint(j, "samples", s->samples);
	json_double(j, "samples_per_second", s->samples_per_second);
	json_uint(j, "lost", s->lost);
	json_uint(j, "lost_recently", s->lost_recently);
	json_uint(j, "expected", s->expected);
	json_uint(j, "not_delivered", s->not_delivered);
	json_uint(j, "process_records_lost", s->sideband_lost);
}

static void json_stacks(struct json *j, const struct status_stacks *k)
{
	if (!k->unwound) {
		json_string(j, "stacks", NULL);
		return;
	}
	json_open_object(j, "stacks");
	json_uint(j, "all", k->all);
	json_uint(j, "complete", k->complete);
	json_uint(j, "early", k->early);
	json_uint(j, "by_frame_pointers", k->by_fp);
	json_uint(j, "calls_checked", k->calls_checked);
	json_uint(j, "calls_right", k->calls_right);
	json_uint(j, "branches_checked", k->branches_checked);
	json_uint(j, "branches_right", k->branches_right);
	json_uint(j, "rows_bytes", k->rows_bytes);
	json_uint(j, "rows_limit_bytes", k->rows_limit_bytes);
	json_uint(j, "binaries", k->tables);
	json_uint(j, "processes", k->processes);
	json_uint(j, "processes_by_frame_pointers", k->processes_by_fp);
	json_close_object(j);
}

static void json_disk(struct json *j, const struct engine_status *s)
{
	json_open_object(j, "disk");
	json_string(j, "directory", s->directory);
	json_string(j, "segment", s->segment);
	json_uint(j, "files", s->disk_files);
	json_uint(j, "bytes", s->disk_bytes);
	json_uint(j, "limit_bytes", s->disk_limit_bytes);
	json_bool(j, "suspended", s->writing_suspended);
	json_string(j, "error", s->writing_suspended ? strerror(-s->write_error) : NULL);
	json_close_object(j);
}

static void json_cost(struct json *j, const struct engine_status *s)
{
	json_double(j, "cpu_percent", s->cpu_percent);
	json_double(j, "cpu_budget_percent", s->cpu_budget_percent);
	json_double(j, "rate_factor", s->rate_factor);
	json_double(j, "samples_cpu_percent", s->samples_cpu_percent);
	json_bool(j, "over_budget", s->over_budget);
	json_uint(j, "rss_bytes", s->rss_bytes);
	json_uint(j, "ring_bytes", s->ring_bytes);
	json_uint(j, "unwind_bytes", s->unwind_bytes);
}

static void json_degraded(struct json *j, const struct engine_status *s)
{
	_cleanup_(buffer_donep) struct buffer l = { 0 };

	collect_sentences(s, false, &l);
	json_open_array(j, "degraded");
	for (const char *one = first_sentence(&l); one; one = next_sentence(&l, one))
		json_string(j, NULL, one);
	json_close_array(j);
}

void status_put_json(const struct engine_status *s, struct buffer *out)
{
	struct json j;

	json_init(&j, out, true);
	json_open_object(&j, NULL);
	json_string(&j, "version", VERSION);
	json_string(&j, "state", phase_names[s->phase]);
	json_int(&j, "pid", s->pid);
	json_double(&j, "uptime_seconds", (double)s->uptime_ns / 1e9);
	json_events(&j, s);
	json_uint(&j, "cpus", s->n_cpus);
	json_string(&j, "transport", s->transport);
	json_string(&j, "attach", s->attach);
	json_uint(&j, "kernel_max_rate_hz", s->kernel_max_rate_hz);
	json_samples(&j, s);
	json_stacks(&j, &s->stacks);
	json_disk(&j, s);
	json_cost(&j, s);
	json_degraded(&j, s);
	json_close_object(&j);
	buffer_put_byte(out, '\n');
}
