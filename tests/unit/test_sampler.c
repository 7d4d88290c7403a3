// SPDX-License-Identifier: Apache-2.0
/*
 * On the running kernel: every way to attach and every transport delivers whole samples, and the
 * ledger agrees with the event's own count.
 */
#include <linux/types.h>

#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf_perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "engine/merge.h"
#include "host/btf.h"
#include "host/cpus.h"
#include "sampler/sampler.h"
#include "util/parse.h"

static __attribute__((noinline)) void burn(uint64_t cpu_ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 10000; i++)
			;
}

/* Where it touched last. */
static uintptr_t faulted_start, faulted_end;

/* Touches fresh pages: each is one minor fault of this thread. */
static void fault_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p =
		mmap(NULL, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	madvise(p, n * page, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i++)
		p[i * page] = 1;
	faulted_start = (uintptr_t)p;
	faulted_end = (uintptr_t)p + n * page;
	munmap(p, n * page);
}

struct fixture {
	struct sampler *sampler;
	int *cpus;
	size_t n_cpus, possible;
	struct record_ledger sum;
	uint64_t samples, mine, weight;
	size_t n_counters;
	const char *counter; /* read at each sample; NULL: none */
	bool split;
	uint64_t counted[SAMPLE_MAX_COUNTERS], running_ns, mixed, mine_mixed, cut;
	bool access; /* each record carries its memory access */
	uint64_t addressed, sources; /* within what was faulted last; told as not available */
	uint64_t last_ns[4096];
};

static bool is_near(uint64_t value, uint64_t truth, double tolerance)
{
	return (double)value >= (1 - tolerance) * (double)truth &&
	       (double)value <= (1 + tolerance) * (double)truth;
}

static void add_ledger(const struct record_ledger *l, void *userdata)
{
	struct fixture *f = userdata;

	assert_true(l->seen == l->filtered + l->sent + l->full + l->fault);
	assert_true(l->sent == l->received + l->gaps);
	f->sum.seen += l->seen;
	f->sum.received += l->received;
	f->sum.gaps += l->gaps;
	f->sum.full += l->full;
	f->sum.count += l->count;
	f->sum.expected += l->expected;
}

static void take_counter(struct fixture *f, const struct sample_record *rec, uint32_t i)
{
	const __u64 *first = rec->words + rec->kernel_frames + rec->user_frames;
	const __u64 *w = first + i * SAMPLE_COUNTER_WORDS;

	assert_true(w[2] <= w[1]);
	/* Software counters run whenever they are enabled, all of them at the same time. */
	assert_int_equal(w[2], first[2]);
	assert_true(w[2] == 0 || (w[1] == first[1] && w[2] == w[1]));
	f->counted[i] += w[2] ? w[0] : 0;
	f->running_ns += i == 0 ? w[2] : 0;
	f->mixed += rec->flags & SAMPLE_MIXED ? 1 : 0;
	f->cut += rec->flags & SAMPLE_CUT ? 1 : 0;
}

static void take_access(struct fixture *f, const struct sample_record *rec)
{
	const __u64 *w = rec->words + rec->kernel_frames + rec->user_frames +
			 rec->counters * SAMPLE_COUNTER_WORDS;
	const union perf_mem_data_src source = { .val = w[1] };

	f->addressed += w[0] >= faulted_start && w[0] < faulted_end;
	f->sources += source.mem_op == PERF_MEM_OP_NA && source.mem_lvl == PERF_MEM_LVL_NA &&
		      source.mem_snoop == PERF_MEM_SNOOP_NA;
	assert_int_equal(w[2], 0); /* no software event has a latency */
}

static void take(struct fixture *f, const struct sample_record *rec)
{
	assert_true(rec->head.cpu < f->possible);
	assert_true(rec->head.time_ns >= f->last_ns[rec->head.cpu % 4096]);
	assert_true(rec->head.time_ns <= clock_ns(CLOCK_MONOTONIC));
	assert_true(rec->kernel_frames + rec->user_frames > 0);
	assert_int_equal(rec->counters, f->n_counters);
	for (uint32_t i = 0; i < rec->counters; i++)
		take_counter(f, rec, i);
	assert_int_equal(!!(rec->flags & SAMPLE_ACCESS), f->access);
	if (f->access)
		take_access(f, rec);
	f->last_ns[rec->head.cpu % 4096] = rec->head.time_ns;
	f->samples++;
	f->weight += rec->period;
	if (rec->pid == (uint32_t)getpid()) {
		f->mine++;
		f->mine_mixed += rec->flags & SAMPLE_MIXED ? 1 : 0;
		assert_true(rec->tid != 0);
	}
	sampler_received(f->sampler, rec);
}

static void drain(struct fixture *f)
{
	size_t n;
	struct ring *rings = sampler_rings(f->sampler, &n);

	for (size_t i = 0; i < n; i++) {
		const struct sample_record *rec;

		ring_refresh(&rings[i]);
		while ((rec = ring_peek(&rings[i]))) {
			take(f, rec);
			ring_pop(&rings[i]);
		}
		ring_commit(&rings[i]);
		assert_int_equal(rings[i].damaged, 0);
	}
}

static bool open_fixture(struct fixture *f, const char *spec, struct sampler_options *o)
{
	_cleanup_free_ char *error = NULL;
	struct pmu_defaults defaults = {};
	struct pmu_event *events = NULL;
	struct sampler_event event;
	size_t n = 0;
	int r;

	assert_int_equal(host_cpus_online(NULL, &f->cpus, &f->n_cpus), 0);
	assert_int_equal(host_cpus_possible_count(NULL, &f->possible), 0);
	assert_int_equal(pmu_events_parse(spec, &defaults, &events, &n, &error), 0);
	event = (struct sampler_event){ .pmu = events[0],
					.profile = "",
					.requested = events[0].name,
					.flags = SAMPLER_KERNEL_STACK | SAMPLER_USER_STACK |
						 (f->access ? SAMPLER_ACCESS : 0),
					.split = f->split };
	if (f->counter) {
		assert_int_equal(pmu_events_parse(f->counter, &defaults, &event.counters,
						  &event.n_counters, &error),
				 0);
		f->n_counters = event.n_counters;
		for (size_t i = 0; i < f->n_counters; i++) {
			event.counters[i].attr.freq = 0;
			event.counters[i].attr.sample_period = 0;
		}
	}
	o->cpus = f->cpus;
	o->n_cpus = f->n_cpus;
	o->possible_cpus = f->possible;
	o->depth = o->depth ? o->depth : SAMPLE_MAX_FRAMES;
	o->ring_bytes = o->ring_bytes ? o->ring_bytes : 512 * 1024;
	r = sampler_open(o, &event, 1, &f->sampler, &error);
	pmu_events_free(events, n);
	pmu_events_free(event.counters, event.n_counters);
	if (r == -EPERM || r == -EACCES)
		return false;
	if (r < 0)
		fail_msg("%s: %d", error, r);
	return true;
}

static void close_fixture(struct fixture *f)
{
	sampler_close(f->sampler);
	free(f->cpus);
}

/* Both ways to attach x both transports: cpu-clock at 997 Hz on a busy CPU. */
static void attach_and_transport(void **state)
{
	static const struct {
		int line;
		enum attach_mode attach;
		enum transport transport;
		const char *attached;
	} rows[] = {
		{ __LINE__, ATTACH_LINK, TRANSPORT_PERF, "bpf_link" },
		{ __LINE__, ATTACH_LINK, TRANSPORT_BPF, "bpf_link" },
		{ __LINE__, ATTACH_IOCTL, TRANSPORT_PERF, "ioctl" },
		{ __LINE__, ATTACH_IOCTL, TRANSPORT_BPF, "ioctl" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Half a second of CPU time takes seconds beside others, whose samples come too. */
		struct sampler_options o = { .attach = rows[i].attach,
					     .transport = rows[i].transport,
					     .ring_bytes = 16 << 20 };
		struct fixture f = {};

		if (!open_fixture(&f, "cpu-clock@997Hz", &o))
			skip();
		assert_string_equal(sampler_attach_name(f.sampler), rows[i].attached);
		assert_int_equal(sampler_enable(f.sampler), 0);
		burn(500 * NSEC_PER_MSEC);
		assert_int_equal(sampler_disable(f.sampler), 0);
		drain(&f);
		sampler_ledger(f.sampler, 1, add_ledger, &f);
		/* half a second of CPU time of ours at 997 Hz, less what the host and other BPF
		 * programs stole */
		if (f.mine < 250 || f.mine > 520)
			fail_msg("row of line %d: %llu samples", rows[i].line,
				 (unsigned long long)f.mine);
		assert_true(f.sum.received == f.samples);
		assert_true(f.sum.gaps == 0 && f.sum.full == 0);
		close_fixture(&f);
	}
}

/* The sum of the samples' periods is the event's own count: one object is right on this
 * architecture. */
static void periods_sum_up(void **state)
{
	struct sampler_options o = {};
	struct fixture f = {};

	(void)state;
	if (!open_fixture(&f, "page-faults@97", &o))
		skip();
	assert_int_equal(sampler_enable(f.sampler), 0);
	fault_pages(20000);
	assert_int_equal(sampler_disable(f.sampler), 0);
	drain(&f);
	sampler_ledger(f.sampler, 1, add_ledger, &f);
	assert_true(f.sum.count >= 20000);
	assert_true(f.weight <= f.sum.count);
	/* at most one unfinished period on each CPU */
	assert_true(f.weight + 97 * f.n_cpus >= f.sum.count);
	assert_true(f.sum.expected <= f.sum.seen + f.n_cpus);
	close_fixture(&f);
}

/* 64 KiB rings wrap at least ten times and every record stays whole; what did not fit is counted.
 */
static void small_rings_wrap(void **state)
{
	(void)state;
	for (int bpf = 0; bpf < 2; bpf++) {
		struct sampler_options o = { .ring_bytes = 64 * 1024,
					     .transport = bpf ? TRANSPORT_BPF : TRANSPORT_PERF };
		struct fixture f = {};

		if (!open_fixture(&f, "page-faults@1", &o))
			skip();
		assert_int_equal(sampler_enable(f.sampler), 0);
		for (int i = 0; i < 100; i++) {
			fault_pages(100);
			if (i % 10 != 9)
				drain(&f);
		}
		fault_pages(3000); /* more than fits */
		assert_int_equal(sampler_disable(f.sampler), 0);
		drain(&f);
		sampler_ledger(f.sampler, 1, add_ledger, &f);
		assert_true(f.samples * SAMPLE_RECORD_MIN > 10 * 64 * 1024);
		assert_true(f.sum.received == f.samples);
		assert_true(f.sum.full > 0);
		assert_true(f.sum.seen >= 13000);
		close_fixture(&f);
	}
}

/* Counters read at each sample: the deltas sum up to what the workload did, by both transports, and
 * their time to what a clock beside them counted; with a program at each switch none is mixed, and
 * those behind a switch say so. */
static void counters_at_each_sample(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct sampler_options o = { .transport =
						     way & 1 ? TRANSPORT_BPF : TRANSPORT_PERF };
		struct fixture f = { .counter = "page-faults,minor-faults,cpu-clock",
				     .split = way & 2 };
		cpu_set_t one, all;

		if (!open_fixture(&f, "cpu-clock@997Hz", &o))
			skip();
		sched_getaffinity(0, sizeof(all), &all);
		CPU_ZERO(&one);
		CPU_SET(f.cpus[0], &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		assert_int_equal(sampler_enable(f.sampler), 0);
		burn(20 * NSEC_PER_MSEC); /* the first sample begins the count */
		for (int i = 0; i < 100; i++)
			fault_pages(500);
		burn(20 * NSEC_PER_MSEC);
		assert_int_equal(sampler_disable(f.sampler), 0);
		sched_setaffinity(0, sizeof(all), &all);
		drain(&f);
		if (f.split)
			assert_true(f.mixed == 0 && f.counted[0] > 10000);
		else
			assert_true(f.cut == 0 && f.counted[0] >= 50000);
		assert_true(is_near(f.counted[1], f.counted[0], 0.1));
		assert_true(is_near(f.counted[2], f.running_ns, 0.1));
		close_fixture(&f);
	}
}

static size_t open_perf_events(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char target[64] = "";

		(void)!readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		n += strcmp(target, "anon_inode:[perf_event]") == 0;
	}
	closedir(d);
	return n;
}

/* Nothing but the context, as on a kernel that does not describe its types. */
static int make_poor_btf(char *ret_path, size_t size)
{
	struct btf *btf = btf__new_empty();
	int u64 = btf__add_int(btf, "unsigned long long", 8, 0);
	int fd = memfd_create("poor.btf", MFD_CLOEXEC);
	const void *data;
	__u32 bytes;

	assert_true(btf__add_struct(btf, "bpf_perf_event_data",
				    sizeof(struct bpf_perf_event_data)) > 0);
	assert_int_equal(btf__add_field(btf, "sample_period", u64,
					offsetof(struct bpf_perf_event_data, sample_period) * 8, 0),
			 0);
	assert_int_equal(
		btf__add_field(btf, "addr", u64, offsetof(struct bpf_perf_event_data, addr) * 8, 0),
		0);
	data = btf__raw_data(btf, &bytes);
	assert_int_equal(write(fd, data, bytes), bytes);
	snprintf(ret_path, size, "/proc/self/fd/%d", fd);
	btf__free(btf);
	return fd;
}

static void *echo(void *userdata)
{
	const int *pipes = userdata;
	char c;

	while (read(pipes[0], &c, 1) == 1)
		assert_int_equal(write(pipes[3], &c, 1), 1);
	return NULL;
}

/* Two threads of this process take turns on one CPU, many times a millisecond. */
static void take_turns(uint64_t cpu_ns)
{
	uint64_t end = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + cpu_ns;
	int pipes[4];
	pthread_t other;
	char c = 0;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	assert_int_equal(pthread_create(&other, NULL, echo, pipes), 0);
	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end) {
		assert_int_equal(write(pipes[1], &c, 1), 1);
		assert_int_equal(read(pipes[2], &c, 1), 1);
	}
	close(pipes[1]);
	assert_int_equal(pthread_join(other, NULL), 0);
	close(pipes[0]);
	close(pipes[2]);
	close(pipes[3]);
}

/* A counter is one event on each CPU; one more tells of other tasks where the program can neither
 * look at the task nor is there at each switch. By either way a sample behind a switch is mixed,
 * and not every sample of a thread that goes on is. */
static void mixed_samples(void **state)
{
	enum { BY_TASK, BY_COUNTER, SPLIT, WAYS };
	enum { RING = 1 }; /* an event, too */
	_cleanup_close_ int poor_fd = -1;
	cpu_set_t one, all;
	char poor[64];

	(void)state;
	poor_fd = make_poor_btf(poor, sizeof(poor));
	sched_getaffinity(0, sizeof(all), &all);
	for (int way = 0; way < 2 * WAYS; way++) {
		struct sampler_options o = { .btf = way % WAYS == BY_TASK ? NULL : poor };
		struct fixture f = { .counter = "page-faults,cpu-clock",
				     .split = way % WAYS == SPLIT };
		size_t before = open_perf_events();

		if (!open_fixture(&f, "cpu-clock@997Hz", &o))
			skip();
		assert_int_equal(open_perf_events() - before,
				 f.n_cpus * (RING + 1 + f.n_counters + (way % WAYS == BY_COUNTER)));
		CPU_ZERO(&one);
		CPU_SET(f.cpus[0], &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		assert_int_equal(sampler_enable(f.sampler), 0);
		if (way < WAYS)
			burn(100 * NSEC_PER_MSEC);
		else
			take_turns(100 * NSEC_PER_MSEC);
		assert_int_equal(sampler_disable(f.sampler), 0);
		sched_setaffinity(0, sizeof(all), &all);
		drain(&f);
		assert_true(f.mine > 10);
		if (f.split)
			assert_int_equal(f.mine_mixed, 0);
		else if (way < WAYS)
			assert_true(f.mine_mixed < f.mine);
		else
			assert_true(2 * f.mine_mixed > f.mine);
		close_fixture(&f);
	}
}

/*
 * The memory access in the record, by both transports, with a counter before it and without, by the
 * kernel's own types and by what is made of them: a page fault's address is the one that was
 * touched; its data source is what the kernel says where there is none (PERF_MEM_NA), and so was
 * read from the right place.
 */
static void memory_access(void **state)
{
	_cleanup_close_ int btf_fd = -1;
	char btf[HOST_BTF_PATH_MAX];

	(void)state;
	btf_fd = host_btf_for_sampler(btf);
	assert_true(btf_fd >= 0);
	for (int way = 0; way < 8; way++) {
		struct sampler_options o = { .transport = way & 1 ? TRANSPORT_BPF : TRANSPORT_PERF,
					     .btf = way & 4 ? btf : NULL };
		struct fixture f = { .counter = way & 2 ? "cpu-clock" : NULL, .access = true };

		if (!open_fixture(&f, "page-faults@10", &o))
			skip();
		assert_int_equal(sampler_enable(f.sampler), 0);
		fault_pages(2000);
		assert_int_equal(sampler_disable(f.sampler), 0);
		drain(&f);
		/* at most one unfinished period on each CPU */
		assert_true(f.addressed + f.n_cpus >= 2000 / 10);
		assert_true(f.addressed <= 2000 / 10 + f.n_cpus);
		assert_int_equal(f.sources, f.samples);
		close_fixture(&f);
	}
}

/* Sampled less often, a sample stands for more: the weights still sum up to what the event counted,
 * and what was due to what came. */
static void back_off(void **state)
{
	static const struct {
		int line;
		const char *spec;
		uint64_t value; /* of the attr, at a quarter of the rate */
		uint64_t slack; /* counts of two samples, per CPU */
	} rows[] = {
		{ __LINE__, "page-faults@8", 32, 2 * 32 },
		{ __LINE__, "cpu-clock@1000000", 4000000, 2 * 5000000 },
		{ __LINE__, "cpu-clock@1000Hz", 250, 2 * 5000000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sampler_options o = { .ring_bytes = 16 << 20 };
		struct fixture f = {};
		const struct perf_event_attr *attr;
		uint64_t slack;

		if (!open_fixture(&f, rows[i].spec, &o))
			skip();
		slack = rows[i].slack * f.n_cpus;
		assert_int_equal(sampler_enable(f.sampler), 0);
		fault_pages(2000);
		burn(100 * NSEC_PER_MSEC);
		drain(&f);
		sampler_scale_rate(f.sampler, 0.25);
		attr = &sampler_get_event(f.sampler, 0)->pmu.attr;
		assert_int_equal(attr->sample_period, rows[i].value);
		fault_pages(2000);
		burn(100 * NSEC_PER_MSEC);
		assert_int_equal(sampler_disable(f.sampler), 0);
		drain(&f);
		sampler_ledger(f.sampler, 1, add_ledger, &f);
		assert_true(f.samples > 100);
		/* An idle CPU's clock may rest. */
		if (f.weight > f.sum.count + slack ||
		    (attr->config == PERF_COUNT_SW_PAGE_FAULTS && f.weight + slack < f.sum.count))
			fail_msg("row of line %d: %llu counted, samples stand for %llu",
				 rows[i].line, (unsigned long long)f.sum.count,
				 (unsigned long long)f.weight);
		if (f.sum.expected > f.sum.seen + 2 * f.n_cpus &&
		    attr->config == PERF_COUNT_SW_PAGE_FAULTS)
			fail_msg("row of line %d: %llu due, %llu seen", rows[i].line,
				 (unsigned long long)f.sum.expected,
				 (unsigned long long)f.sum.seen);
		close_fixture(&f);
	}
}

/* A ring that is half full wakes its reader. */
static void half_full_wakes(void **state)
{
	(void)state;
	for (int bpf = 0; bpf < 2; bpf++) {
		struct sampler_options o = { .ring_bytes = 64 * 1024,
					     .transport = bpf ? TRANSPORT_BPF : TRANSPORT_PERF };
		struct fixture f = {};
		struct pollfd p = { .events = POLLIN };

		if (!open_fixture(&f, "page-faults@1", &o))
			skip();
		p.fd = sampler_fd(f.sampler);
		assert_int_equal(sampler_enable(f.sampler), 0);
		fault_pages(1000);
		assert_int_equal(poll(&p, 1, 5000), 1);
		close_fixture(&f);
	}
}

static void merge_sorts(void **state)
{
	struct merge_source heap[16];
	struct merge m = { .heap = heap };
	uint64_t next[16] = {}, last = 0;
	size_t taken = 0;

	(void)state;
	srandom(3);
	for (uint32_t i = 0; i < 16; i++) {
		next[i] = (uint64_t)random() % 100;
		merge_push(&m, (struct merge_source){ .time_ns = next[i], .index = i });
	}
	for (struct merge_source *s; (s = merge_first(&m)); taken++) {
		assert_true(s->time_ns >= last && s->time_ns == next[s->index]);
		last = s->time_ns;
		s->time_ns = next[s->index] += (uint64_t)random() % 50;
		if (taken < 2000)
			merge_settle(&m);
		else
			merge_pop(&m);
	}
	assert_int_equal(taken, 2016);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merge_sorts),
		cmocka_unit_test(attach_and_transport),
		cmocka_unit_test(periods_sum_up),
		cmocka_unit_test(small_rings_wrap),
		cmocka_unit_test(back_off),
		cmocka_unit_test(half_full_wakes),
		cmocka_unit_test(counters_at_each_sample),
		cmocka_unit_test(mixed_samples),
		cmocka_unit_test(memory_access),
	};

	return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
