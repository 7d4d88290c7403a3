// SPDX-License-Identifier: Apache-2.0
/*
 * The file (tools/perf/Documentation/perf.data-file-format.txt of the kernel):
 *
 *   header | records | feature table | features | attributes | ids
 *
 * The header points at the rest, so that attributes may stand at the end and the number of records
 * need not be known before they are written.
 *
 * perf sorts records by time and gives each sample the names and mappings that came before it. So a
 * process is introduced (FORK, COMM, MMAP2) before its first sample; a pid or tid that means
 * another process or thread than before is introduced anew. FORK carries MISC_FORK_EXEC, so that
 * perf does not copy the parent's mappings. Objects of the kernel are introduced at their first
 * frame. FINISHED_ROUND lets perf sort by rounds: it promises that nothing older than the round
 * before the last one follows.
 *
 * Times are CLOCK_MONOTONIC. Over a reboot, where that clock starts again, time goes on from where
 * it was.
 */
#include "export/perf_data.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "export/frames.h"
#include "export/perf_data_features.h"
#include "profile/id_table.h"
#include "util/json.h"
#include "util/parse.h"

/* perf's own record type: tools/lib/perf/include/perf/event.h */
#define RECORD_FINISHED_ROUND 68

#define ROUND_NS (20 * NSEC_PER_SEC)
#define REORDER_NS (5 * NSEC_PER_SEC) /* more than samples ever are out of order */
#define REBOOT_NS (60 * NSEC_PER_SEC) /* going back further than this is another boot */
/* PERF_MEM_NA of the kernel: what perf shows as N/A. */
#define NO_SOURCE                                                                                  \
	(PERF_MEM_S(OP, NA) | PERF_MEM_S(LVL, NA) | PERF_MEM_S(SNOOP, NA) | PERF_MEM_S(LOCK, NA) | \
	 PERF_MEM_S(TLB, NA) | PERF_MEM_S(LVLNUM, NA))
#define MAX_CHAIN 4096 /* a record's size has 16 bits */

struct perf_data {
	FILE *out;
	struct buffer b;
	size_t record; /* where the record being made begins in `b` */
	struct stack stack;
	struct id_table processes; /* pid -> process */
	struct id_table threads; /* tid -> thread */
	uint64_t *object_ends; /* of the kernel's objects, in their offsets; NULL before the first
				  sample */
	bool *object_known; /* by object: introduced */
	uint64_t *process_ns; /* by process: when it was introduced */
	struct perf_data_times times;
	uint64_t shift_ns; /* file time - CLOCK_MONOTONIC */
	uint64_t round_ns; /* when this round ends */
	uint64_t last_round_ns; /* newest time in the rounds before */
	uint64_t floor_ns; /* oldest time perf has not yet passed */
	/*
	 * A profile knows what lay at an address, but not when; to perf the latest mapping counts.
	 * Of processes in which one took another's place: when each was told last.
	 */
	uint32_t **turns; /* by process, by mapping; NULL: nothing took another's place */
	uint32_t turn;
	bool *contested; /* by object: in some process another lay at one of its addresses */
	size_t n_processes;
	uint64_t addresses[MAX_CHAIN];
};

int perf_data_new(FILE *out, struct perf_data **ret)
{
	_cleanup_(perf_data_freep) struct perf_data *d = calloc(1, sizeof(*d));
	uint8_t header[PERF_DATA_HEADER_SIZE] = { 0 };

	if (!d)
		return -ENOMEM;
	d->out = out;
	buffer_put(&d->b, header, sizeof(header));
	if (d->b.error)
		return d->b.error;
	*ret = TAKE_PTR(d);
	return 0;
}

struct perf_data *perf_data_free(struct perf_data *d)
{
	if (!d)
		return NULL;
	buffer_done(&d->b);
	stack_done(&d->stack);
	id_table_done(&d->processes);
	id_table_done(&d->threads);
	free(d->object_ends);
	free(d->object_known);
	free(d->process_ns);
	free(d->contested);
	for (size_t i = 0; i < d->n_processes; i++)
		free(d->turns[i]);
	free(d->turns);
	free(d);
	return NULL;
}

static void put_u16(struct buffer *b, uint16_t v)
{
	buffer_put(b, &v, sizeof(v));
}

static void put_u32(struct buffer *b, uint32_t v)
{
	buffer_put(b, &v, sizeof(v));
}

static void put_u64(struct buffer *b, uint64_t v)
{
	buffer_put(b, &v, sizeof(v));
}

static void record_begin(struct perf_data *d, uint32_t type, uint16_t misc)
{
	d->record = d->b.size;
	put_u32(&d->b, type);
	put_u16(&d->b, misc);
	put_u16(&d->b, 0);
}

static void record_end(struct perf_data *d)
{
	uint16_t size = (uint16_t)(d->b.size - d->record);

	if (!d->b.error)
		memcpy(d->b.data + d->record + 6, &size, sizeof(size));
}

/* The fields every record but a sample ends with (sample_id_all). */
static void put_sample_id(struct perf_data *d, uint32_t pid, uint32_t tid, uint64_t time_ns)
{
	put_u32(&d->b, pid);
	put_u32(&d->b, tid);
	put_u64(&d->b, time_ns);
	put_u64(&d->b, 0); /* cpu, reserved */
	put_u64(&d->b, 1); /* id of the first event */
}

/* Name, NUL, and NULs up to a multiple of 8. Control characters would reach perf's terminal. */
static void put_name(struct buffer *b, const char *name, size_t limit)
{
	char text[4096];
	size_t size;

	text_safe(name ? name : "", text, MIN(limit, sizeof(text)));
	size = strlen(text) + 1;
	buffer_put(b, text, size);
	buffer_put(b, (char[8]){ 0 }, -size & 7);
}

static void put_comm(struct perf_data *d, uint32_t pid, uint32_t tid, const char *name,
		     uint64_t time_ns)
{
	record_begin(d, PERF_RECORD_COMM, 0);
	put_u32(&d->b, pid);
	put_u32(&d->b, tid);
	put_name(&d->b, name, 16);
	put_sample_id(d, pid, tid, time_ns);
	record_end(d);
}

static void put_fork(struct perf_data *d, uint32_t pid, uint32_t ppid, uint32_t tid, uint32_t ptid,
		     uint64_t time_ns)
{
	record_begin(d, PERF_RECORD_FORK, PERF_RECORD_MISC_FORK_EXEC);
	put_u32(&d->b, pid);
	put_u32(&d->b, ppid);
	put_u32(&d->b, tid);
	put_u32(&d->b, ptid);
	put_u64(&d->b, time_ns);
	put_sample_id(d, pid, tid, time_ns);
	record_end(d);
}

static void put_mapping(struct perf_data *d, const struct profile *p, uint32_t pid,
			const struct record_mapping *m, uint64_t time_ns)
{
	const struct profile_object *o = &p->objects[m->object];
	bool build_id = o->build_id_size > 0 && o->build_id_size <= 20;

	if (o->kind == OBJECT_UNKNOWN)
		return;
	record_begin(d, PERF_RECORD_MMAP2,
		     PERF_RECORD_MISC_USER | (build_id ? PERF_RECORD_MISC_MMAP_BUILD_ID : 0));
	put_u32(&d->b, pid);
	put_u32(&d->b, pid);
	put_u64(&d->b, m->start);
	put_u64(&d->b, m->end - m->start);
	put_u64(&d->b, o->kind == OBJECT_FILE ? m->pgoff : 0);
	if (build_id) {
		put_u32(&d->b, (uint32_t)o->build_id_size);
		buffer_put(&d->b, o->build_id, 20);
	} else {
		buffer_put(&d->b, (char[24]){ 0 }, 24); /* device, inode, generation */
	}
	put_u32(&d->b, PROT_READ | PROT_EXEC);
	put_u32(&d->b, MAP_PRIVATE);
	put_name(&d->b, o->kind == OBJECT_ANON ? "//anon" : o->path, 4096);
	put_sample_id(d, pid, pid, time_ns);
	record_end(d);
}

static void put_kernel_mapping(struct perf_data *d, const struct profile_object *o, uint64_t size,
			       uint64_t time_ns)
{
	bool image = o->kind == OBJECT_KERNEL;

	record_begin(d, PERF_RECORD_MMAP, PERF_RECORD_MISC_KERNEL);
	put_u32(&d->b, UINT32_MAX);
	put_u32(&d->b, 0);
	put_u64(&d->b, o->base);
	put_u64(&d->b, size);
	put_u64(&d->b, image ? o->base : 0);
	put_name(&d->b, image ? PERF_DATA_KERNEL_NAME "_text" : o->name, 256);
	put_sample_id(d, UINT32_MAX, 0, time_ns);
	record_end(d);
}

static void put_bpf_image(struct perf_data *d, const struct profile_object *o, uint64_t size,
			  uint64_t time_ns)
{
	record_begin(d, PERF_RECORD_KSYMBOL, 0);
	put_u64(&d->b, o->base);
	put_u32(&d->b, (uint32_t)MIN(size, (uint64_t)UINT32_MAX));
	put_u16(&d->b, PERF_RECORD_KSYMBOL_TYPE_BPF);
	put_u16(&d->b, 0);
	put_name(&d->b, o->path, 256);
	put_sample_id(d, 0, 0, time_ns);
	record_end(d);
}

static int prepare_tables(struct perf_data *d, const struct profile *p)
{
	if (d->object_ends)
		return 0;
	d->object_known = calloc(p->n_objects + 1, sizeof(*d->object_known));
	d->object_ends = calloc(p->n_objects + 1, sizeof(*d->object_ends));
	d->process_ns = calloc(p->n_processes + 1, sizeof(*d->process_ns));
	d->contested = calloc(p->n_objects + 1, sizeof(*d->contested));
	d->turns = calloc(p->n_processes + 1, sizeof(*d->turns));
	if (!d->object_known || !d->object_ends || !d->process_ns || !d->contested || !d->turns)
		return -ENOMEM;
	d->n_processes = p->n_processes;
	for (size_t i = 0; i < p->n_functions; i++) {
		const struct profile_function *f = &p->functions[i];

		d->object_ends[f->object] = MAX(d->object_ends[f->object], f->start + f->size);
	}
	for (size_t i = 0; i < p->n_frames; i++) {
		const struct profile_frame *f = &p->frames[i];

		d->object_ends[f->object] = MAX(d->object_ends[f->object], f->offset + 1);
	}
	return 0;
}

static void introduce_object(struct perf_data *d, const struct profile *p, uint32_t object,
			     uint64_t time_ns)
{
	const struct profile_object *o = &p->objects[object];
	uint64_t size = (d->object_ends[object] + 4095) & ~4095ULL;

	if (d->object_known[object] || o->base == 0)
		return;
	d->object_known[object] = true;
	if (o->kind == OBJECT_KERNEL || o->kind == OBJECT_MODULE)
		put_kernel_mapping(d, o, size, time_ns);
	else if (o->kind == OBJECT_BPF)
		put_bpf_image(d, o, d->object_ends[object], time_ns);
}

/* Marks what other objects of the process lay at addresses of; true when there is any. */
static bool find_contested(struct perf_data *d, const struct profile_process *owner)
{
	const struct record_mapping *m = owner->mappings;
	bool found = false;

	for (size_t i = 0; i < owner->n_mappings; i++)
		for (size_t k = i + 1; k < owner->n_mappings && m[k].start < m[i].end; k++) {
			if (m[k].object == m[i].object)
				continue;
			d->contested[m[i].object] = d->contested[m[k].object] = found = true;
		}
	return found;
}

static void tell_mapping(struct perf_data *d, const struct profile *p, uint32_t process,
			 size_t mapping, uint64_t time_ns)
{
	const struct profile_process *owner = &p->processes[process];

	put_mapping(d, p, owner->pid, &owner->mappings[mapping], time_ns);
	if (d->turns[process])
		d->turns[process][mapping] = ++d->turn;
}

/* The mapping of the frame's object is to be the latest at its address. */
static void settle_frame(struct perf_data *d, const struct profile *p, uint32_t process,
			 uint32_t object, uint64_t address, uint64_t time_ns)
{
	const struct profile_process *owner = &p->processes[process];
	const uint32_t *turns = d->turns[process];
	size_t latest = owner->n_mappings, own = latest;

	if (!turns || !d->contested[object])
		return;
	for (size_t i = 0; i < owner->n_mappings && owner->mappings[i].start <= address; i++) {
		if (address >= owner->mappings[i].end)
			continue;
		if (latest == owner->n_mappings || turns[i] > turns[latest])
			latest = i;
		if (owner->mappings[i].object == object)
			own = i;
	}
	if (own < owner->n_mappings && owner->mappings[latest].object != object)
		tell_mapping(d, p, process, own, time_ns);
}

static int introduce_process(struct perf_data *d, const struct profile *p, uint32_t process,
			     uint64_t time_ns)
{
	const struct profile_process *owner = &p->processes[process];

	if (!d->turns[process] && find_contested(d, owner)) {
		d->turns[process] = calloc(owner->n_mappings, sizeof(**d->turns));
		if (!d->turns[process])
			return -ENOMEM;
	}

	d->process_ns[process] = time_ns;
	if (owner->pid != 0)
		put_fork(d, owner->pid, owner->ppid, owner->pid, owner->ppid, time_ns);
	if (owner->comm && *owner->comm)
		put_comm(d, owner->pid, owner->pid, owner->comm, time_ns);
	for (size_t i = 0; i < owner->n_mappings; i++)
		tell_mapping(d, p, process, i, time_ns);
	return 0;
}

/* Time of what must come before a sample at `time_ns`; later than the predecessor's samples. */
static uint64_t time_before(const struct perf_data *d, uint64_t time_ns, bool predecessor)
{
	uint64_t early = time_ns > REORDER_NS ? time_ns - REORDER_NS : 0;

	return predecessor ? time_ns : MAX(early, d->floor_ns);
}

static int introduce_thread(struct perf_data *d, const struct profile *p, uint32_t thread,
			    uint64_t time_ns)
{
	const struct profile_thread *t = &p->threads[thread];
	const struct profile_process *owner = &p->processes[t->process];
	uint32_t *process_slot = id_table_slot(&d->processes, owner->pid, 0);
	bool new_process = process_slot && *process_slot != t->process;
	uint32_t *thread_slot;

	if (!process_slot)
		return -ENOMEM;
	if (new_process) {
		int r = introduce_process(d, p, t->process,
					  time_before(d, time_ns, *process_slot != ID_TABLE_NEW));

		if (r < 0)
			return r;
		*process_slot = t->process;
	}
	thread_slot = id_table_slot(&d->threads, t->tid, 0);
	if (!thread_slot)
		return -ENOMEM;
	if (*thread_slot == thread && !new_process)
		return 0;
	time_ns = MAX(time_before(d, time_ns, *thread_slot != ID_TABLE_NEW),
		      d->process_ns[t->process]);
	if (t->tid != owner->pid &&
	    (*thread_slot == ID_TABLE_NEW || p->threads[*thread_slot].process != t->process))
		put_fork(d, owner->pid, owner->pid, t->tid, owner->pid, time_ns);
	put_comm(d, owner->pid, t->tid, t->name, time_ns);
	*thread_slot = thread;
	return 0;
}

/*
 * The addresses of a stack, leaf first; *ret_kernel of them are the kernel's. The topmost page of
 * addresses means a change of context to perf, which drops a chain where it finds garbage there.
 */
static size_t stack_addresses(struct perf_data *d, const struct profile *p, uint32_t process,
			      uint64_t time_ns, size_t *ret_kernel)
{
	size_t n = MIN(d->stack.n, (size_t)MAX_CHAIN), n_kernel = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t frame = p->nodes[d->stack.nodes[i]].frame;

		if (n_kernel == i && frame_is_kernel(p, frame))
			n_kernel++;
		d->addresses[i] = MIN(profile_frame_address(p, frame, process),
				      (uint64_t)PERF_CONTEXT_MAX - 1);
		if (n_kernel <= i)
			settle_frame(d, p, process, p->frames[frame].object, d->addresses[i],
				     time_ns);
	}
	*ret_kernel = n_kernel;
	return n;
}

static void put_chain(struct buffer *b, const uint64_t *addresses, size_t n, size_t n_kernel)
{
	put_u64(b, n + (n_kernel > 0) + (n > n_kernel));
	if (n_kernel > 0)
		put_u64(b, (uint64_t)PERF_CONTEXT_KERNEL);
	buffer_put(b, addresses, n_kernel * sizeof(*addresses));
	if (n > n_kernel)
		put_u64(b, (uint64_t)PERF_CONTEXT_USER);
	buffer_put(b, addresses + n_kernel, (n - n_kernel) * sizeof(*addresses));
}

static void put_sample(struct perf_data *d, const struct profile *p, const struct profile_sample *s,
		       uint64_t time_ns)
{
	const struct profile_thread *t = &p->threads[s->thread];
	size_t n_kernel, n = stack_addresses(d, p, t->process, time_ns, &n_kernel);
	bool access = p->events[s->event].memory_access;
	uint16_t mode = n_kernel > 0 ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER;

	record_begin(d, PERF_RECORD_SAMPLE, n > 0 ? mode : PERF_RECORD_MISC_CPUMODE_UNKNOWN);
	put_u64(&d->b, s->event + 1); /* the event's id */
	put_u64(&d->b, n > 0 ? d->addresses[0] : 0);
	put_u32(&d->b, p->processes[t->process].pid);
	put_u32(&d->b, t->tid);
	put_u64(&d->b, time_ns);
	if (access)
		put_u64(&d->b, s->access.address);
	put_u32(&d->b, s->cpu);
	put_u32(&d->b, 0);
	put_u64(&d->b, s->weight);
	put_chain(&d->b, d->addresses, n, n_kernel);
	if (access) {
		put_u64(&d->b, s->access.latency);
		put_u64(&d->b, s->access.source ? s->access.source : NO_SOURCE);
	}
	record_end(d);
}

/* CLOCK_MONOTONIC as the file's time, which never starts again. */
static uint64_t file_time(struct perf_data *d, const struct profile_sample *s)
{
	uint64_t time_ns = s->monotonic_ns + d->shift_ns;

	if (d->times.first_ns == 0) {
		d->times.first_ns = d->times.last_ns = d->times.monotonic_ns = time_ns;
		d->times.realtime_ns = s->realtime_ns;
		d->round_ns = time_ns + ROUND_NS;
	}
	if (time_ns + REBOOT_NS < d->times.last_ns) {
		d->shift_ns += d->times.last_ns - time_ns;
		time_ns = d->times.last_ns;
	}
	d->times.first_ns = MIN(d->times.first_ns, time_ns);
	d->times.last_ns = MAX(d->times.last_ns, time_ns);
	return time_ns;
}

/* perf's rounds: behind this one nothing is older than the end of the one before. */
static void put_round(struct perf_data *d, uint64_t time_ns)
{
	if (time_ns < d->round_ns)
		return;
	record_begin(d, RECORD_FINISHED_ROUND, 0);
	record_end(d);
	d->floor_ns = d->last_round_ns;
	d->last_round_ns = d->times.last_ns;
	d->round_ns = time_ns + ROUND_NS;
}

int perf_data_sample(const struct profile *p, const struct profile_sample *s, void *userdata)
{
	struct perf_data *d = userdata;
	uint64_t time_ns = file_time(d, s);
	int r;

	r = prepare_tables(d, p);
	if (r < 0)
		return r;
	r = stack_load(&d->stack, p, s->node);
	if (r < 0)
		return r;
	/* Outermost first: the kernel's image before its modules. */
	for (size_t i = d->stack.n; i-- > 0;)
		introduce_object(d, p, p->frames[p->nodes[d->stack.nodes[i]].frame].object,
				 time_before(d, time_ns, false));
	r = introduce_thread(d, p, s->thread, time_ns);
	if (r < 0)
		return r;
	put_sample(d, p, s, time_ns);
	put_round(d, time_ns);
	return buffer_flush_to(&d->b, d->out, false);
}

int perf_data_finish(struct perf_data *d, const struct profile *p)
{
	int r;

	r = buffer_flush_to(&d->b, d->out, true);
	if (r < 0)
		return r;
	return perf_data_write_tail(d->out, p, &d->times);
}
