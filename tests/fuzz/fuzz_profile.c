// SPDX-License-Identifier: Apache-2.0
/*
 * Records of any content, in a segment whose frames are whole, through everything that reads them:
 * loading on two threads, the report as text and as JSON, and a walk in the order of time. The
 * first two bytes choose the grouping and the dimensions; the rest is cut into two epochs.
 */
#include <assert.h>
#include <stdio.h>

#include "cmd/report_print.h"
#include "cmd/report_rows.h"
#include "store/segment_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const groupings[] = {
	"function", "module",	 "process", "thread", "comm",
	"unit",	    "container", "cpu",	    "node",   "kernel-user"
};

static bool write_segment(const char *path, const uint8_t *data, size_t size)
{
	struct segment_writer_options options = { .file = path, .sync_interval_ns = UINT64_MAX };
	_cleanup_(segment_writer_closep) struct segment_writer *w = NULL;
	_cleanup_free_ char *error = NULL;
	size_t half = size / 2;

	if (segment_writer_open(&options, &w, &error) < 0)
		return false;
	for (size_t i = 0; i < 2; i++) {
		struct buffer b = { 0 };

		buffer_put(&b, i ? data + half : data, i ? size - half : half);
		if (b.size && segment_writer_submit(w, &b, true, 1, 2, 1) < 0)
			buffer_done(&b);
		buffer_done(&b);
	}
	return segment_writer_finish(w) == 0;
}

static void print(const struct profile *p, const char *by, enum report_sort sort,
		  const struct sample_metric *metric)
{
	_cleanup_(buffer_donep) struct buffer text = { 0 }, json = { 0 };
	struct report_style style = { .limit = 20, .columns = 80 };
	struct report *r = NULL;

	assert(report_new(p, report_grouping_find(by), sort, metric, &r) == 0);
	for (size_t i = 0; i < r->n_events; i++) {
		uint64_t samples = 0;

		for (size_t k = 0; k < r->events[i].n_rows; k++)
			samples += r->events[i].rows[k].self_samples;
		assert(samples == r->events[i].event->samples);
	}
	report_print(r, &style, &text);
	report_print_json(r, &style, &json);
	assert(!text.error && !json.error);
	report_free(r);
}

static int count(const struct profile *p, const struct profile_sample *s, void *userdata)
{
	assert(s->event < p->n_events && s->node < p->n_nodes && s->thread < p->n_threads);
	++*(uint64_t *)userdata;
	return 0;
}

static void check_cells(const struct profile *p)
{
	uint64_t samples = 0;

	for (size_t i = 0; i < p->n_cells; i++)
		samples += p->cells[i].samples;
	assert(samples == p->samples);
	for (uint32_t i = 1; i < p->n_nodes; i++)
		assert(p->nodes[i].parent < i && p->nodes[i].frame < p->n_frames &&
		       profile_node_function(p, i) < p->n_functions);
	for (uint32_t i = 0; i < p->n_frames; i++)
		profile_frame_address(p, i, i % 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	const char *paths[] = { path };
	const struct report_grouping *grouping;
	struct profile_filter filter = { 0 };
	struct sample_metric metric;
	char *error = NULL;
	struct profile *p = NULL;
	uint64_t walked = 0, samples;

	if (size < 2)
		return 0;
	snprintf(path, sizeof(path), "/dev/shm/fuzz_profile.%d.seg", getpid());
	assert(write_segment(path, data + 2, size - 2));
	grouping = report_grouping_find(groupings[data[0] % ARRAY_SIZE(groupings)]);
	assert(sample_metric_parse(data[1] & 64 ? "ipc" : "a/time", &metric) == 0);
	filter.counters = data[1] & 128 ? metric.counters : NULL;
	profile_load_threads(paths, 1, &filter, grouping->dimensions | data[1] % 16, 2, &p, &error);
	free(error);
	if (p) {
		check_cells(p);
		print(p, grouping->name, (enum report_sort)(data[0] >> 6) % 3,
		      filter.counters ? &metric : NULL);
		samples = p->samples;
		profile_free(p);
		p = NULL;
		profile_walk(paths, 1, NULL, &p, count, &walked, &error);
		assert(walked == samples);
		free(error);
		profile_free(p);
	}
	unlink(path);
	return 0;
}
