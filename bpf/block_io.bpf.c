// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long block devices take for requests, from when a driver is given one until it is done.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "block_io.h"
#include "histogram.bpf.h"

#define REQ_OP_MASK 0xff

/* By the request's address: when the driver was given it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BLOCK_IO_FLYING);
	__type(key, __u64);
	__type(value, __u64);
} flying SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BLOCK_IO_KEYS);
	__type(key, struct block_io_key);
	__type(value, struct block_io_value);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct block_io_counts);
} counts SEC(".maps");

/* A new key's value: all zero but its name. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct block_io_value);
} scratch SEC(".maps");

static __always_inline struct block_io_counts *get_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/* Linux 5.17 has it with the queue alone. */
static __always_inline struct gendisk *disk_of(struct request *rq)
{
	struct request___5_16 *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return BPF_CORE_READ(old, rq_disk);
	return BPF_CORE_READ(rq, q, disk);
}

static __always_inline struct block_io_value *find_value(const struct block_io_key *key,
							 struct gendisk *disk)
{
	struct block_io_value *v = bpf_map_lookup_elem(&requests, key), *fresh;
	__u32 zero = 0;

	if (v)
		return v;
	fresh = bpf_map_lookup_elem(&scratch, &zero);
	if (!fresh)
		return 0;
	BPF_CORE_READ_STR_INTO(&fresh->disk, disk, disk_name);
	bpf_map_update_elem(&requests, key, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&requests, key);
}

static __always_inline int begin(__u64 rq)
{
	__u64 now = bpf_ktime_get_ns();
	struct block_io_counts *c;

	if (bpf_map_update_elem(&flying, &rq, &now, BPF_ANY) == 0)
		return 0;
	c = get_counts();
	if (c)
		c->untimed++;
	return 0;
}

/* block_rq_issue(rq) */
SEC("raw_tp/block_rq_issue")
int issued(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx->args[0]);
}

/*
 * block_rq_issue(queue, rq), before Linux 5.11 and 5.10.137. Where there is one argument alone, the
 * kernel refuses to attach what reads a second.
 */
SEC("raw_tp/block_rq_issue")
int issued_with_queue(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx->args[1]);
}

static __always_inline void complete(struct request *rq, int error, __u32 bytes)
{
	__u64 address = (__u64)rq, *since = bpf_map_lookup_elem(&flying, &address);
	struct gendisk *disk = disk_of(rq);
	struct block_io_value *v;
	struct block_io_counts *c;
	struct block_io_key key;

	if (!since || !disk)
		return;
	key.major = BPF_CORE_READ(disk, major);
	key.minor = BPF_CORE_READ(disk, first_minor);
	key.operation = BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK;
	v = find_value(&key, disk);
	if (v)
		__sync_fetch_and_add(&v->bytes, bytes);
	/* A part of it is done, the rest follows. */
	if (!error && BPF_CORE_READ(rq, __data_len) > bytes)
		return;
	if (v) {
		histogram_add(&v->latency, bpf_ktime_get_ns() - *since);
		if (error)
			__sync_fetch_and_add(&v->errors, 1);
	} else if ((c = get_counts())) {
		c->uncounted++;
	}
	bpf_map_delete_elem(&flying, &address);
}

/* block_rq_complete(rq, error, bytes) */
SEC("raw_tp/block_rq_complete")
int completed(struct bpf_raw_tracepoint_args *ctx)
{
	complete((void *)ctx->args[0], (__u8)ctx->args[1], (__u32)ctx->args[2]);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
