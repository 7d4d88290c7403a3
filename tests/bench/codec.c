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
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <time.h>
#include <zstd.h>

#include "store/crc32c.h"
#include "store/record.h"

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

static struct {
	double encode, compress;
	uint64_t raw, disk, blocks;
	uint64_t by_type[16], n_by_type[16];
} cost;

static void finish_block(ZSTD_CCtx *z, struct buffer *b, struct buffer *out)
{
	ZSTD_inBuffer in = { b->data, b->size, 0 };
	ZSTD_outBuffer o;
	double start = now();
	size_t head[2] = { b->size, 0 };

	buffer_reserve(out, ZSTD_compressBound(b->size) + 64 + sizeof(head));
	o = (ZSTD_outBuffer){ out->data + out->size + sizeof(head),
			      ZSTD_compressBound(b->size) + 64, 0 };
	if (ZSTD_compressStream2(z, &o, &in, ZSTD_e_flush) != 0)
		exit(1);
	head[1] = o.pos + crc32c(0, o.dst, o.pos) * 0;
	memcpy(out->data + out->size, head, sizeof(head));
	out->size += sizeof(head) + o.pos;
	cost.compress += now() - start;
	cost.raw += b->size;
	cost.disk += 56 + o.pos;
	cost.blocks++;
	buffer_reset(b);
}

static void encode(const struct script *s, ZSTD_CCtx *z, uint64_t block_ns, struct buffer *out)
{
	struct record_coder *c = record_coder_new();
	struct buffer b = { 0 };
	uint64_t block_end = 0;
	double start = now();

	for (size_t i = 0; i < s->n; i++) {
		const struct record *r = &s->records[i];
		size_t before = b.size;

		if (r->type == RECORD_SAMPLE && r->sample.time_ns >= block_end) {
			cost.encode += now() - start;
			if (b.size)
				finish_block(z, &b, out);
			before = 0;
			block_end = r->sample.time_ns + block_ns;
			start = now();
		}
		record_put(&b, c, r);
		cost.by_type[r->type] += b.size - before;
		cost.n_by_type[r->type]++;
	}
	cost.encode += now() - start;
	finish_block(z, &b, out);
	if (b.error)
		exit(1);
	record_coder_free(c);
	buffer_done(&b);
}

static uint64_t decode(const struct script *s, const struct buffer *in, double *ret_unzip,
		       double *ret_get)
{
	struct record_coder *c = record_coder_new();
	ZSTD_DCtx *z = ZSTD_createDCtx();
	struct buffer raw = { 0 };
	size_t index = 0;
	uint64_t samples = 0, wrong = 0;
	double start;

	for (size_t at = 0; at < in->size;) {
		size_t head[2];
		ZSTD_inBuffer i;
		ZSTD_outBuffer o;
		struct cursor cursor;
		struct record r;

		start = now();
		memcpy(head, in->data + at, sizeof(head));
		at += sizeof(head);
		buffer_reserve(&raw, head[0]);
		i = (ZSTD_inBuffer){ in->data + at, head[1], 0 };
		o = (ZSTD_outBuffer){ raw.data, head[0], 0 };
		while (i.pos < i.size)
			ZSTD_decompressStream(z, &o, &i);
		at += head[1];
		*ret_unzip += now() - start;
		start = now();
		cursor = (struct cursor){ raw.data, raw.data + head[0], 0 };
		while (record_get(&cursor, c, &r) == 1) {
			const struct record *want = &s->records[index++];

			samples += r.type == RECORD_SAMPLE;
			if (r.type != want->type ||
			    (r.type == RECORD_SAMPLE &&
			     (r.sample.thread != want->sample.thread ||
			      r.sample.time_ns != want->sample.time_ns ||
			      r.sample.kernel_frames != want->sample.kernel_frames ||
			      r.sample.user_frames != want->sample.user_frames ||
			      memcmp(r.sample.frames, want->sample.frames,
				     4 * (r.sample.kernel_frames + r.sample.user_frames)))))
				wrong++;
		}
		*ret_get += now() - start;
		if (cursor.error)
			exit(1);
	}
	if (wrong)
		printf("WRONG %" PRIu64 "\n", wrong);
	return samples;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "sample",	"host",	   "clock",  "event", "object",
					     "process", "mapping", "thread", "frame", "function" };
	ZSTD_CCtx *z = ZSTD_createCCtx();
	struct script s = { 0 };
	struct buffer out = { 0 };
	uint64_t block_ns = (argc > 3 ? strtoull(argv[3], NULL, 10) : 1000) * 1000000;
	double unzip = 0, get = 0;
	double n;

	hcreate_r(1 << 16, &dictionary.objects);
	hcreate_r(1 << 16, &dictionary.processes);
	hcreate_r(1 << 16, &dictionary.threads);
	hcreate_r(1 << 20, &dictionary.frames);
	hcreate_r(1 << 18, &dictionary.functions);
	read_script(&s);
	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, argc > 1 ? atoi(argv[1]) : 3);
	if (argc > 2 && atoi(argv[2]))
		ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, atoi(argv[2]));
	encode(&s, z, block_ns, &out);
	n = (double)s.samples;
	decode(&s, &out, &unzip, &get);
	printf("%.0f samples, %.1f frames each, %u distinct frames, %u functions\n", n,
	       (double)s.stack_frames / n, dictionary.n_frames, dictionary.n_functions);
	for (size_t i = 0; i < 10; i++)
		if (cost.n_by_type[i])
			printf("  %-8s %8" PRIu64 " x %6.2f bytes raw = %5.2f a sample\n", names[i],
			       cost.n_by_type[i],
			       (double)cost.by_type[i] / (double)cost.n_by_type[i],
			       (double)cost.by_type[i] / n);
	printf("bytes a sample: %.2f raw, %.2f on disk; ns a sample: %.0f encode, %.0f compress, "
	       "%.0f decompress, %.0f decode\n",
	       (double)cost.raw / n, (double)cost.disk / n, cost.encode / n * 1e9,
	       cost.compress / n * 1e9, unzip / n * 1e9, get / n * 1e9);
	return 0;
}
