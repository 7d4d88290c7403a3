// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A program that no verifier may accept: it reads through a lookup that can be NULL. The lab tries
 * it on every kernel; if it loads, or fails without the verifier's words, the lab itself is broken.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");

SEC("perf_event")
int reads_through_null(void *ctx)
{
	__u32 key = 1;
	volatile __u64 *cell = bpf_map_lookup_elem(&cells, &key);

	return *cell != 0;
}

char LICENSE[] SEC("license") = "GPL";
