// SPDX-License-Identifier: Apache-2.0
/*
 * What a sample costs in a segment: bytes on disk, CPU of encoding, compression and reading back,
 * with stacks from perf:
 *
 *   perf record -a -g -F 999 -e cpu-clock -o x.data -- sleep 20
 *   perf script -i x.data -F comm,pid,tid,cpu,time,period,ip,sym,symoff,dso | build/bench/codec
 *
 * usage: codec [LEVEL [WINDOW_LOG [BLOCK_MS]]] <SCRIPT
 */
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <time.h>
#include <zstd.h>

#include "store/crc32c.h"
#include "store/frame.h"
#include "store/record.h"
#include "store/segment_writer.h"

struct script {
	struct record *records; /* definitions and samples, in the order of the file */
	size_t n, capacity;
	uint64_t samples, frames, stack_frames;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void add(struct script *s, const struct record *r)
{
	if (s->n == s->capacity) {
		s->capacity = s->capacity ? s->capacity * 2 : 1024;
		s->records = realloc(s->records, s->capacity * sizeof(*s->records));
		if (!s->records)
			exit(1);
	}
	s->records[s->n++] = *r;
}

/* The id of a key in one of the dictionaries; *ret_new when it was not there. */
static uint32_t intern(struct hsearch_data *table, uint32_t *count, const char *key, bool *ret_new)
{
	ENTRY query = { .key = (char *)key }, *found;

	*ret_new = !hsearch_r(query, FIND, &found, table);
	if (*ret_new) {
		query.key = strdup(key);
		query.data = (void *)(uintptr_t)(*count)++;
		if (!hsearch_r(query, ENTER, &found, table))
			exit(1);
	}
	return (uint32_t)(uintptr_t)found->data;
}

static struct {
	struct hsearch_data objects, processes, threads, frames, functions;
	uint32_t n_objects, n_processes, n_threads, n_frames, n_functions;
} dictionary;

static uint32_t add_object(struct script *s, const char *path)
{
	struct record r = { .type = RECORD_OBJECT };
	bool new;
	uint32_t id = intern(&dictionary.objects, &dictionary.n_objects, path, &new);

	r.object.path = record_string(strdup(path));
	r.object.build_id = (struct record_bytes){ strdup("0123456789abcdefghij"), 20 };
	if (new)
		add(s, &r);
	return id;
}

static uint32_t add_thread(struct script *s, const char *comm, uint32_t pid, uint32_t tid)
{
	struct record r = { .type = RECORD_PROCESS };
	char key[128];
	bool new;
	uint32_t process;

	snprintf(key, sizeof(key), "%u %s", pid, comm);
	process = intern(&dictionary.processes, &dictionary.n_processes, key, &new);
	r.process.pid = pid;
	r.process.start_ns = 1000000000ULL * pid;
	r.process.comm = r.process.exe = record_string(strdup(comm));
	r.process.cgroup = record_string("/user.slice/user-0.slice/session-1.scope");
	r.process.unit = record_string("session-1.scope");
	if (new)
		add(s, &r);
	snprintf(key, sizeof(key), "%u %u %s", pid, tid, comm);
	r = (struct record){ .type = RECORD_THREAD, .thread = { .process = process, .tid = tid } };
	r.thread.name = record_string(strdup(comm));
	process = intern(&dictionary.threads, &dictionary.n_threads, key, &new);
	if (new)
		add(s, &r);
	return process;
}

static uint32_t add_frame(struct script *s, const char *line)
{
	struct record r = { .type = RECORD_FRAME };
	char sym[1024] = "", key[1400];
	const char *dso = strrchr(line, '('), *plus;
	uint64_t ip = strtoull(line, NULL, 16), offset = 0;
	uint32_t object = add_object(s, dso ? dso : "?"), id;
	bool new;

	snprintf(key, sizeof(key), "%u %" PRIx64, object, ip);
	id = intern(&dictionary.frames, &dictionary.n_frames, key, &new);
	if (!new)
		return id;
	r.frame.object = object;
	r.frame.offset = ip >= 0xffffffff80000000 ? ip - 0xffffffff80000000 : ip;
	add(s, &r);
	if (sscanf(line, "%*x %1023[^(]", sym) != 1 || sym[0] == '[')
		return id;
	plus = strrchr(sym, '+');
	if (plus)
		offset = strtoull(plus + 1, NULL, 16);
	snprintf(key, sizeof(key), "%u %" PRIx64, object, ip - offset);
	intern(&dictionary.functions, &dictionary.n_functions, key, &new);
	if (!new)
		return id;
	if (plus)
		sym[plus - sym] = 0;
	r = (struct record){ .type = RECORD_FUNCTION, .function = { .object = object } };
	r.function.start = s->records[s->n - 1].frame.offset - offset;
	r.function.size = offset + 16;
	r.function.name = record_string(strdup(sym));
	add(s, &r);
	return id;
}

static bool is_kernel(const char *line)
{
	return strtoull(line, NULL, 16) >= 1ULL << 63;
}

static void read_script(struct script *s)
{
	char line[4096], comm[64], bracket[32];
	unsigned int pid, tid, cpu;
	unsigned long long sec, usec, period;
	struct record r = { .type = RECORD_EVENT };

	r.event.fired = r.event.requested = record_string("cpu-clock");
	add(s, &r);
	while (fgets(line, sizeof(line), stdin)) {
		uint32_t frames[512];
		size_t n = 0;
		char *slash = strchr(line, '/');

		if (line[0] == '\n' || !slash)
			continue;
		while (slash > line && slash[-1] >= '0' && slash[-1] <= '9')
			slash--;
		snprintf(comm, sizeof(comm), "%.*s", (int)(slash - line), line);
		for (size_t i = strlen(comm); i > 0 && comm[i - 1] == ' '; i--)
			comm[i - 1] = 0;
		if (sscanf(slash, "%u/%u %31s %llu.%llu: %llu", &pid, &tid, bracket, &sec, &usec,
			   &period) != 6)
			continue;
		cpu = (unsigned int)strtoul(bracket + 1, NULL, 10);
		r = (struct record){ .type = RECORD_SAMPLE };
		r.sample.time_ns = (sec * 1000000 + usec) * 1000;
		r.sample.cpu = cpu;
		r.sample.period = period;
		r.sample.thread = add_thread(s, comm, pid, tid);
		while (fgets(line, sizeof(line), stdin) && line[0] != '\n' && n < 512) {
			if (is_kernel(line + strspn(line, " \t")))
				r.sample.kernel_frames++;
			else
				r.sample.user_frames++;
			frames[n++] = add_frame(s, line);
		}
		r.sample.kernel_status = r.sample.kernel_frames ? 1 : 0;
		r.sample.user_status = r.sample.user_frames ? 4 : 0;
		r.sample.frames = memcpy(malloc(n * 4 + 1), frames, n * 4);
		s->samples++;
		s->stack_frames += n;
		add(s, &r);
	}
}

/* The best of several rounds, since others use the machine too. */
#define ROUNDS 9

struct cost {
	double encode, compress, decompress, decode; /* seconds */
	uint64_t raw, disk, touched;
	uint64_t bytes[RECORD_ROW], n[RECORD_ROW]; /* by type */
};

struct block {
	uint8_t *data;
	size_t size, raw_size;
};

struct blocks {
	struct block *items;
	size_t n;
};

static void finish_block(ZSTD_CCtx *z, struct buffer *b, struct blocks *out, struct cost *cost)
{
	size_t bound = ZSTD_compressBound(b->size) + 64;
	ZSTD_inBuffer in = { b->data, b->size, 0 };
	ZSTD_outBuffer o = { malloc(bound), bound, 0 };
	double start = now();

	if (ZSTD_compressStream2(z, &o, &in, ZSTD_e_flush) != 0)
		exit(1);
	(void)crc32c(0, o.dst, o.pos);
	cost->compress += now() - start;
	cost->raw += b->size;
	cost->disk += FRAME_HEAD_SIZE + o.pos;
	out->items = reallocarray(out->items, out->n + 1, sizeof(*out->items));
	if (!out->items)
		exit(1);
	out->items[out->n++] = (struct block){ o.dst, o.pos, b->size };
	buffer_reset(b);
}

/* The records of a block, as warm in the cache as they are when they come from a ring. */
static uint64_t touch(const struct script *s, size_t from, uint64_t until_ns)
{
	uint64_t sum = 0;

	for (size_t i = from; i < s->n; i++) {
		const struct record *r = &s->records[i];

		if (r->type != RECORD_SAMPLE)
			continue;
		if (r->sample.time_ns >= until_ns)
			break;
		for (size_t k = 0; k < (size_t)r->sample.kernel_frames + r->sample.user_frames; k++)
			sum += r->sample.frames[k];
	}
	return sum;
}

static void encode(const struct script *s, ZSTD_CCtx *z, uint64_t block_ns, struct blocks *out,
		   struct cost *cost)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	uint64_t block_end = 0;
	double start = now();

	for (size_t i = 0; i < s->n; i++) {
		const struct record *r = &s->records[i];
		size_t before;

		if (r->type == RECORD_SAMPLE && r->sample.time_ns >= block_end) {
			cost->encode += now() - start;
			if (b.size)
				finish_block(z, &b, out, cost);
			block_end = r->sample.time_ns + block_ns;
			cost->touched += touch(s, i, block_end);
			start = now();
		}
		before = b.size;
		record_put(&b, c, r);
		cost->bytes[r->type] += b.size - before;
		cost->n[r->type]++;
	}
	cost->encode += now() - start;
	finish_block(z, &b, out, cost);
	if (b.error)
		exit(1);
}

static bool same(const struct record *a, const struct record *b)
{
	const struct record_sample *x = &a->sample, *y = &b->sample;

	if (a->type != RECORD_SAMPLE || b->type != RECORD_SAMPLE)
		return a->type == b->type;
	return x->thread == y->thread && x->time_ns == y->time_ns && x->cpu == y->cpu &&
	       x->period == y->period && x->kernel_frames == y->kernel_frames &&
	       x->user_frames == y->user_frames && x->kernel_status == y->kernel_status &&
	       x->user_status == y->user_status &&
	       memcmp(x->frames, y->frames, 4 * (x->kernel_frames + x->user_frames)) == 0;
}

static void decode(const struct script *s, const struct blocks *in, bool check, struct cost *cost)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer raw = { 0 };
	ZSTD_DCtx *z = ZSTD_createDCtx();
	size_t index = 0;

	for (size_t k = 0; k < in->n; k++) {
		const struct block *block = &in->items[k];
		ZSTD_inBuffer i = { block->data, block->size, 0 };
		ZSTD_outBuffer o;
		struct cursor cursor;
		struct record r;
		double start = now();

		buffer_reserve(&raw, block->raw_size);
		o = (ZSTD_outBuffer){ raw.data, block->raw_size, 0 };
		while (i.pos < i.size && !ZSTD_isError(ZSTD_decompressStream(z, &o, &i)))
			;
		cost->decompress += now() - start;
		start = now();
		cursor = (struct cursor){ raw.data, raw.data + o.pos, 0 };
		while (record_get(&cursor, c, &r) == 1) {
			index++;
			if (check && !same(&r, &s->records[index - 1])) {
				fprintf(stderr, "record %zu came back differently\n", index - 1);
				exit(1);
			}
		}
		cost->decode += now() - start;
		if (cursor.error) {
			fprintf(stderr, "damaged at record %zu: %d\n", index, cursor.error);
			exit(1);
		}
	}
	ZSTD_freeDCtx(z);
}

static void keep_best(struct cost *best, const struct cost *cost)
{
	struct cost c = *cost;

	if (best->raw) {
		c.encode = MIN(c.encode, best->encode);
		c.compress = MIN(c.compress, best->compress);
		c.decode = MIN(c.decode, best->decode);
		c.decompress = MIN(c.decompress, best->decompress);
	}
	*best = c;
}

static void print(const struct script *s, const struct cost *c)
{
	static const char *const names[] = { "sample",	"host",	   "clock",  "event", "object",
					     "process", "mapping", "thread", "frame", "function" };
	double n = (double)s->samples, ns = 1e9 / n;

	printf("%.0f samples, %.1f frames each, %u distinct frames, %u functions\n", n,
	       (double)s->stack_frames / n, dictionary.n_frames, dictionary.n_functions);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (c->n[i])
			printf("  %-8s %8" PRIu64 " x %6.2f bytes raw = %5.2f a sample\n", names[i],
			       c->n[i], (double)c->bytes[i] / (double)c->n[i],
			       (double)c->bytes[i] / n);
	printf("bytes a sample: %.2f raw, %.2f on disk; ns a sample: %.0f encode, %.0f compress, "
	       "%.0f decompress, %.0f decode\n",
	       (double)c->raw / n, (double)c->disk / n, c->encode * ns, c->compress * ns,
	       c->decompress * ns, c->decode * ns);
}

int main(int argc, char **argv)
{
	uint64_t block_ns = (argc > 3 ? strtoull(argv[3], NULL, 10) : 1000) * 1000000;
	struct script s = { 0 };
	struct cost best = { 0 };

	hcreate_r(1 << 16, &dictionary.objects);
	hcreate_r(1 << 16, &dictionary.processes);
	hcreate_r(1 << 16, &dictionary.threads);
	hcreate_r(1 << 20, &dictionary.frames);
	hcreate_r(1 << 18, &dictionary.functions);
	read_script(&s);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		ZSTD_CCtx *z = ZSTD_createCCtx();
		struct blocks blocks = { 0 };
		struct cost cost = { 0 };

		ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel,
				       argc > 1 ? atoi(argv[1]) : SEGMENT_DEFAULT_LEVEL);
		if (argc > 2 && atoi(argv[2]))
			ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, atoi(argv[2]));
		encode(&s, z, block_ns, &blocks, &cost);
		ZSTD_freeCCtx(z);
		decode(&s, &blocks, round == 0, &cost);
		if (round)
			keep_best(&best, &cost);
		for (size_t i = 0; i < blocks.n; i++)
			free(blocks.items[i].data);
		free(blocks.items);
	}
	print(&s, &best);
	return 0;
}
