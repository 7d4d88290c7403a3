/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the oom collector's program sends. Include after the fixed-width types.
 */
#include "event.h"

struct oom_record {
	struct record_head head;
	__u64 cgroup_id; /* of the one whose allocation set it off */
	__u64 virtual_pages; /* the victim's, these and the next; 0 where `known` is */
	__u64 anon_pages, file_pages, shmem_pages;
	__u64 page_table_bytes;
	__u32 pid; /* the victim */
	__u32 by_pid; /* whose allocation set it off */
	__s32 score_adj;
	__u32 known; /* the kernel shows the victim, not only its pid (Linux 6.9) */
	char comm[SAMPLE_COMM_LEN];
	char by_comm[SAMPLE_COMM_LEN];
};

_Static_assert(sizeof(struct oom_record) == 24 + 48 + 16 + 32, "record is shared");
