// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes killed because memory ran out, of the host or of a cgroup.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.bpf.h"
#include "oom.h"

/* include/linux/mm_types_task.h */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };

/* What other CPUs have not added up yet can make a count negative. */
static __always_inline __u64 positive(__s64 n)
{
	return n > 0 ? n : 0;
}

/* A macro, for the place of an element is only relocated when it is a literal number. */
#define PAGES(mm, kind)                                                                            \
	positive(bpf_core_field_exists(((struct mm_struct___6_1 *)(mm))->rss_stat.count)           \
			 ? BPF_CORE_READ((struct mm_struct___6_1 *)(mm),                           \
					 rss_stat.count[kind].counter)                             \
			 : BPF_CORE_READ(mm, rss_stat[kind].count))

static __always_inline void look_at(struct oom_record *rec, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	rec->known = 1;
	rec->pid = BPF_CORE_READ(task, tgid);
	rec->score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	BPF_CORE_READ_STR_INTO(&rec->comm, task, comm);
	rec->virtual_pages = BPF_CORE_READ(mm, total_vm);
	rec->page_table_bytes = BPF_CORE_READ(mm, pgtables_bytes.counter);
	rec->anon_pages = PAGES(mm, MM_ANONPAGES);
	rec->file_pages = PAGES(mm, MM_FILEPAGES);
	rec->shmem_pages = PAGES(mm, MM_SHMEMPAGES);
}

/* mark_victim(task, uid); before Linux 6.9 mark_victim(pid) */
SEC("raw_tracepoint/mark_victim")
int killed(struct bpf_raw_tracepoint_args *ctx)
{
	struct trace_event_raw_mark_victim *event = 0;
	struct oom_record rec = {};

	rec.cgroup_id = bpf_get_current_cgroup_id();
	rec.by_pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(rec.by_comm, sizeof(rec.by_comm));
	if (bpf_core_field_exists(event->total_vm))
		look_at(&rec, (void *)ctx->args[0]);
	else
		rec.pid = ctx->args[0];
	event_begin(&rec.head, 0);
	event_send(ctx, &rec.head, sizeof(rec));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
