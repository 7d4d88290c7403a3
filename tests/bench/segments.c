// SPDX-License-Identifier: Apache-2.0
/*
 * Writes a large recording of a host that does not exist: many processes of several programs, whose
 * threads walk through random call graphs. The same seed gives the same samples.
 *
 * A program is a set of functions in levels; a function calls one to six of the next levels, one of
 * them most of the time. A thread keeps its stack from sample to sample: some frames return, others
 * are called. One sample in five is in the kernel, below the thread's stack.
 *
 * usage: segments FILE [SAMPLES [PROCESSES [SEED]]]
 */
#include <inttypes.h>
#include <stdio.h>

#include "profile/profile_dictionary.h"
#include "store/record.h"
#include "store/segment_writer.h"

#define PROGRAMS 64
#define FUNCTIONS 1024 /* of a program */
#define LEVELS 32
#define CALLEES 6
#define HOT_SPOTS 6 /* places in a function where samples hit */
#define CPUS 8
#define MAX_DEPTH 64
#define KERNEL_DEPTH 12
#define MEAN_DEPTH 20
#define STEP_NS 1001001ULL /* 999 Hz */
#define FUNCTION_BYTES 4096
#define JITTER_NS 16000 /* of a timer interrupt */

struct thread {
	uint32_t process, program;
	uint32_t depth;
	uint16_t functions[MAX_DEPTH]; /* root first */
	uint8_t calls[MAX_DEPTH]; /* which callee each has called */
	uint32_t epoch, id;
};

struct host {
	uint64_t state; /* of the random numbers */
	uint16_t (*callees)[FUNCTIONS][CALLEES]; /* by program */
	struct thread *threads;
	uint32_t n_threads;
	uint32_t *process_epoch, *process_id;
	uint32_t object_epoch[PROGRAMS + 1], object_id[PROGRAMS + 1];
	uint32_t *frame_epoch, *frame_id; /* by program, function, place */
	uint32_t *function_epoch;
	uint32_t epoch, n_objects, n_processes, n_threads_written, n_frames;
	uint64_t *seen; /* hashes of stacks */
	uint64_t n_seen, seen_size;
	uint64_t frames;
	struct record_coder *coder;
	struct buffer block;
};

static uint32_t draw(struct host *h, uint32_t n)
{
	h->state += 0x9e3779b97f4a7c15ULL;
	return (uint32_t)((mix64(h->state) >> 32) * n >> 32);
}

/* 0 most of the time, then 1 ... */
static uint32_t draw_skewed(struct host *h, uint32_t n)
{
	uint32_t i = 0;

	while (i + 1 < n && draw(h, 100) >= 97)
		i++;
	return i;
}

static void make_programs(struct host *h)
{
	const uint32_t per_level = FUNCTIONS / LEVELS;

	for (uint32_t p = 0; p <= PROGRAMS; p++)
		for (uint32_t f = 0; f < FUNCTIONS; f++)
			for (uint32_t c = 0; c < CALLEES; c++) {
				uint32_t level = MIN(f / per_level + 1, (uint32_t)LEVELS - 1);

				h->callees[p][f][c] =
					(uint16_t)(level * per_level + draw(h, per_level));
			}
}

static void put(struct host *h, const struct record *r)
{
	record_put(&h->block, h->coder, r);
}

static uint32_t object_id(struct host *h, uint32_t program)
{
	char path[64], build_id[20] = { 0 };
	struct record r = { .type = RECORD_OBJECT };

	if (h->object_epoch[program] == h->epoch)
		return h->object_id[program];
	snprintf(path, sizeof(path), "/usr/lib/programs/program-%02u", program);
	snprintf(build_id, sizeof(build_id), "%u", program);
	r.object.kind = program == PROGRAMS ? OBJECT_KERNEL : OBJECT_FILE;
	r.object.path = record_string(program == PROGRAMS ? "[kernel]" : path);
	r.object.build_id = (struct record_bytes){ build_id, sizeof(build_id) };
	put(h, &r);
	h->object_epoch[program] = h->epoch;
	return h->object_id[program] = h->n_objects++;
}

static void need_function(struct host *h, uint32_t program, uint32_t f, uint32_t object)
{
	uint32_t *epoch = &h->function_epoch[program * FUNCTIONS + f];
	char name[64];

	if (*epoch == h->epoch)
		return;
	*epoch = h->epoch;
	snprintf(name, sizeof(name), "program%u::level%u::function_%u(int)", program,
		 f / (FUNCTIONS / LEVELS), f);
	put(h, &(struct record){ .type = RECORD_FUNCTION,
				 .function = { .object = object,
					       .start = (uint64_t)f * FUNCTION_BYTES,
					       .size = FUNCTION_BYTES,
					       .name = record_string(name) } });
}

/* A place of a function: one of its calls, or one of its hot spots. */
static uint32_t frame_id(struct host *h, uint32_t program, uint32_t f, uint32_t place)
{
	size_t i = ((size_t)program * FUNCTIONS + f) * (CALLEES + HOT_SPOTS) + place;
	uint32_t object;

	if (h->frame_epoch[i] == h->epoch)
		return h->frame_id[i];
	object = object_id(h, program);
	put(h, &(struct record){
		       .type = RECORD_FRAME,
		       .frame = { .object = object,
				  .offset = (uint64_t)f * FUNCTION_BYTES + 16 + place * 64 } });
	need_function(h, program, f, object);
	h->frame_epoch[i] = h->epoch;
	return h->frame_id[i] = h->n_frames++;
}

static uint32_t thread_id(struct host *h, struct thread *t)
{
	char comm[16];

	if (t->epoch == h->epoch)
		return t->id;
	snprintf(comm, sizeof(comm), "program-%02u", t->program);
	if (h->process_epoch[t->process] != h->epoch) {
		h->process_epoch[t->process] = h->epoch;
		h->process_id[t->process] = h->n_processes++;
		put(h, &(struct record){ .type = RECORD_PROCESS,
					 .process = { .pid = 1000 + t->process,
						      .start_ns = 1 + t->process,
						      .ppid = 1,
						      .comm = record_string(comm) } });
	}
	put(h, &(struct record){ .type = RECORD_THREAD,
				 .thread = { .process = h->process_id[t->process],
					     .tid = 1000 + t->process,
					     .name = record_string(comm) } });
	t->epoch = h->epoch;
	return t->id = h->n_threads_written++;
}

static void begin_epoch(struct host *h, uint64_t time_ns)
{
	h->epoch++;
	h->n_objects = h->n_processes = h->n_threads_written = h->n_frames = 0;
	record_coder_reset(h->coder);
	put(h, &(struct record){ .type = RECORD_CLOCK,
				 .clock = { time_ns, time_ns + 1700000000000000000ULL } });
	put(h, &(struct record){ .type = RECORD_HOST,
				 .host = { record_string("hostname"), record_string("bench") } });
	put(h, &(struct record){ .type = RECORD_EVENT,
				 .event = { .requested = record_string("cycles"),
					    .fired = record_string("cycles"),
					    .freq = true,
					    .value = 999 } });
}

/* Some frames return, others are called. */
static void run_thread(struct host *h, struct thread *t)
{
	uint32_t back = draw_skewed(h, 12) + draw(h, 3), target;

	t->depth -= MIN(back, t->depth - 1);
	target = MEAN_DEPTH / 2 + draw(h, MEAN_DEPTH);
	while (t->depth < target && t->depth < MAX_DEPTH) {
		uint32_t call = draw_skewed(h, CALLEES);
		uint32_t top = t->functions[t->depth - 1];

		t->calls[t->depth - 1] = (uint8_t)call;
		t->functions[t->depth++] = h->callees[t->program][top][call];
	}
}

static uint32_t kernel_stack(struct host *h, uint32_t *root_first)
{
	uint32_t depth = 4 + draw(h, KERNEL_DEPTH - 4), f = draw_skewed(h, 40);

	for (uint32_t i = 0; i < depth; i++) {
		uint32_t call = draw_skewed(h, CALLEES);

		root_first[i] = frame_id(h, PROGRAMS, f, i + 1 < depth ? call : CALLEES + call);
		f = h->callees[PROGRAMS][f][call];
	}
	return depth;
}

static void count_distinct(struct host *h, const struct thread *t, const uint32_t *kernel,
			   uint32_t n_kernel, uint32_t spot)
{
	uint64_t hash = t->program * 31 + spot;
	size_t at;

	for (uint32_t i = 0; i < t->depth; i++)
		hash = mix64(hash ^ ((uint64_t)t->functions[i] << 8 |
				     (i + 1 < t->depth ? t->calls[i] : 0)));
	/* Ids of kernel frames change with the epoch, but a kernel stack is the rare case. */
	for (uint32_t i = 0; i < n_kernel; i++)
		hash = mix64(hash + (h->epoch << 24) + kernel[i]);
	hash |= hash == 0;
	for (at = hash & (h->seen_size - 1); h->seen[at]; at = (at + 1) & (h->seen_size - 1))
		if (h->seen[at] == hash)
			return;
	h->seen[at] = hash;
	h->n_seen++;
}

static void put_sample(struct host *h, uint64_t time_ns, uint32_t cpu, struct thread *t)
{
	uint32_t kernel[KERNEL_DEPTH], leaf_first[MAX_DEPTH + KERNEL_DEPTH];
	uint32_t n = 0, n_kernel, spot;
	struct record r = { .type = RECORD_SAMPLE };

	run_thread(h, t);
	n_kernel = draw(h, 5) == 0 ? kernel_stack(h, kernel) : 0;
	spot = n_kernel ? CALLEES : CALLEES + draw_skewed(h, HOT_SPOTS);
	count_distinct(h, t, kernel, n_kernel, spot);
	for (uint32_t i = n_kernel; i-- > 0;)
		leaf_first[n++] = kernel[i];
	for (uint32_t i = t->depth; i-- > 0;)
		leaf_first[n++] = frame_id(h, t->program, t->functions[i],
					   i + 1 == t->depth ? spot : t->calls[i]);
	r.sample = (struct record_sample){
		.time_ns = time_ns,
		.cpu = cpu,
		.thread = thread_id(h, t),
		.period = 3000000 + draw(h, 1000) * (uint64_t)(draw(h, 10) == 0),
		.kernel_status = n_kernel ? 1 : 0,
		.user_status = 1,
		.kernel_frames = (uint16_t)n_kernel,
		.user_frames = (uint16_t)t->depth,
		.frames = leaf_first,
	};
	put(h, &r);
	h->frames += n;
}

/* The writer must not drop: wait for it after each block. */
static void wait_for(struct segment_writer *w, uint64_t block)
{
	struct segment_writer_status status;

	do
		segment_writer_get_status(w, &status);
	while (status.acknowledged < block && usleep(200) == 0);
}

static int write_samples(struct host *h, struct segment_writer *w, uint64_t samples)
{
	uint64_t time_ns = 1000000000, block = 0, in_block = 0, first_ns = 0;
	uint32_t on_cpu[CPUS];
	bool start = false;

	for (uint32_t i = 0; i < CPUS; i++)
		on_cpu[i] = draw(h, h->n_threads);
	for (uint64_t i = 0; i < samples; i++) {
		uint32_t cpu = (uint32_t)(i % CPUS);

		if (cpu == 0)
			time_ns += STEP_NS;
		if (in_block == 0) {
			start = segment_writer_wants_epoch(w);
			if (start)
				begin_epoch(h, time_ns);
			first_ns = time_ns;
		}
		if (draw(h, 8) == 0)
			on_cpu[cpu] = draw(h, h->n_threads);
		put_sample(h, time_ns + draw(h, JITTER_NS), cpu, &h->threads[on_cpu[cpu]]);
		in_block++;
		if (h->block.size < 256 * 1024 && i + 1 < samples)
			continue;
		if (h->block.error || segment_writer_submit(w, &h->block, start, first_ns,
							    time_ns + JITTER_NS, in_block) < 0)
			return -1;
		wait_for(w, ++block);
		in_block = 0;
	}
	return 0;
}

static bool host_init(struct host *h, uint32_t processes, uint64_t samples, uint64_t seed)
{
	size_t functions = (size_t)(PROGRAMS + 1) * FUNCTIONS;

	*h = (struct host){ .state = seed, .n_threads = processes, .seen_size = 1 << 16 };
	while (h->seen_size < samples * 2)
		h->seen_size *= 2;
	h->callees = calloc(PROGRAMS + 1, sizeof(*h->callees));
	h->threads = calloc(processes, sizeof(*h->threads));
	h->process_epoch = calloc(processes, sizeof(*h->process_epoch));
	h->process_id = calloc(processes, sizeof(*h->process_id));
	h->frame_epoch = calloc(functions * (CALLEES + HOT_SPOTS), sizeof(*h->frame_epoch));
	h->frame_id = calloc(functions * (CALLEES + HOT_SPOTS), sizeof(*h->frame_id));
	h->function_epoch = calloc(functions, sizeof(*h->function_epoch));
	h->seen = calloc(h->seen_size, sizeof(*h->seen));
	h->coder = record_coder_new();
	if (!h->callees || !h->threads || !h->process_epoch || !h->process_id || !h->frame_epoch ||
	    !h->frame_id || !h->function_epoch || !h->seen || !h->coder)
		return false;
	make_programs(h);
	for (uint32_t i = 0; i < processes; i++)
		h->threads[i] = (struct thread){
			.process = i,
			.program = draw(h, PROGRAMS),
			.depth = 1,
		};
	return true;
}

int main(int argc, char **argv)
{
	uint64_t samples = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
	uint32_t processes = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1200;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	struct segment_writer_options options = { .file = argc > 1 ? argv[1] : NULL,
						  .sync_interval_ns = UINT64_MAX };
	_cleanup_(segment_writer_closep) struct segment_writer *w = NULL;
	struct segment_writer_status status;
	char *error = NULL;
	static struct host h;

	if (argc < 2 || processes == 0 || samples == 0) {
		fprintf(stderr, "usage: segments FILE [SAMPLES [PROCESSES [SEED]]]\n");
		return 2;
	}
	if (!host_init(&h, processes, samples, seed) ||
	    segment_writer_open(&options, &w, &error) < 0 || write_samples(&h, w, samples) < 0 ||
	    segment_writer_finish(w) < 0) {
		fprintf(stderr, "segments: cannot write %s: %s\n", argv[1],
			error ? error : "failed");
		return 1;
	}
	segment_writer_get_status(w, &status);
	printf("%" PRIu64 " samples, %" PRIu64 " distinct stacks, %u processes, %.1f frames each, "
	       "%u epochs, %.2f bytes each\n",
	       samples, h.n_seen, processes, (double)h.frames / (double)samples, h.epoch,
	       (double)status.written_bytes / (double)samples);
	return 0;
}
