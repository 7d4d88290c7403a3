// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Time in the handlers of hard interrupts, by number, and in soft interrupts, by kind. A CPU runs
 * one hard handler at a time, and one soft interrupt, which hard ones interrupt: their time is not
 * the soft one's.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"
#include "irq.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, IRQ_HARD);
	__type(key, __u32);
	__type(value, struct irq_hard);
} hard SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IRQ_SOFT);
	__type(key, __u32);
	__type(value, struct histogram);
} soft SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct irq_state);
} states SEC(".maps");

/* A new number's value: all zero but its name. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct irq_hard);
} scratch SEC(".maps");

static __always_inline struct irq_state *get_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&states, &zero);
}

static __always_inline struct irq_hard *find_hard(__u32 number, struct irqaction *action)
{
	struct irq_hard *h = bpf_map_lookup_elem(&hard, &number), *fresh;
	__u32 zero = 0;

	if (h)
		return h;
	fresh = bpf_map_lookup_elem(&scratch, &zero);
	if (!fresh)
		return 0;
	if (bpf_probe_read_kernel_str(fresh->name, sizeof(fresh->name),
				      BPF_CORE_READ(action, name)) < 0)
		fresh->name[0] = 0;
	bpf_map_update_elem(&hard, &number, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&hard, &number);
}

SEC("raw_tp/irq_handler_entry")
int hard_begins(void *ctx)
{
	struct irq_state *s = get_state();

	if (s)
		s->hard_since = bpf_ktime_get_ns();
	return 0;
}

/* irq_handler_exit(number, action, result) */
SEC("raw_tp/irq_handler_exit")
int hard_ends(struct bpf_raw_tracepoint_args *ctx)
{
	struct irq_state *s = get_state();
	struct irq_hard *h;
	__u64 ns;

	if (!s || !s->hard_since)
		return 0;
	ns = bpf_ktime_get_ns() - s->hard_since;
	s->hard_since = 0;
	s->hard_ns += ns;
	h = find_hard(ctx->args[0], (void *)ctx->args[1]);
	if (h)
		histogram_add(&h->time, ns);
	else
		s->uncounted++;
	return 0;
}

SEC("raw_tp/softirq_entry")
int soft_begins(void *ctx)
{
	struct irq_state *s = get_state();

	if (!s)
		return 0;
	s->hard_before = s->hard_ns;
	s->soft_since = bpf_ktime_get_ns();
	return 0;
}

/* softirq_exit(kind) */
SEC("raw_tp/softirq_exit")
int soft_ends(struct bpf_raw_tracepoint_args *ctx)
{
	struct irq_state *s = get_state();
	__u32 kind = ctx->args[0];
	struct histogram *h;
	__u64 ns, within;

	if (!s || !s->soft_since)
		return 0;
	ns = bpf_ktime_get_ns() - s->soft_since;
	within = s->hard_ns - s->hard_before;
	s->soft_since = 0;
	h = bpf_map_lookup_elem(&soft, &kind);
	if (h)
		histogram_add(h, ns > within ? ns - within : 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
