// SPDX-License-Identifier: Apache-2.0
/*
 * Time that interrupts take from everything else: handlers of hard ones by number, soft ones by
 * kind.
 */
#include <linux/types.h>

#include <errno.h>
#include <string.h>

#include "bpf/irq.h"
#include "collect/histogram.h"
#include "collect/tracer.h"
#include "irq.skel.h"

enum { HARD_NUMBER, HARD_NAME, HARD_TIME };
enum { SOFT_NAME, SOFT_TIME };
enum { LOSS_UNCOUNTED };
enum { TABLE_HARD, TABLE_SOFT, TABLE_LOSSES };

/* clang-format off */
static const struct row_column hard_columns[] = {
	[HARD_NUMBER] = { "number", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "as in /proc/interrupts" },
	[HARD_NAME] = { "name", "", ROW_WORDS, ROW_TEXT, 0, 0, "of its first handler" },
	HISTOGRAM_COLUMNS(HARD_TIME, "runs", "in its handlers"),
};

static const struct row_column soft_columns[] = {
	[SOFT_NAME] = { "name", "", ROW_KEY, ROW_TEXT, 0, 0, "as in /proc/softirqs" },
	HISTOGRAM_COLUMNS(SOFT_TIME, "runs", "in it, without the handlers that interrupted it"),
};

static const struct row_column loss_columns[] = {
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "runs of numbers beyond the first 1,024" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_HARD] = { .name = "irq_hard",
			 .collector = "irq",
			 .summary = "handlers of hard interrupts",
			 .columns = hard_columns,
			 .n_columns = ARRAY_SIZE(hard_columns),
			 .from_zero = true },
	[TABLE_SOFT] = { .name = "irq_soft",
			 .collector = "irq",
			 .summary = "soft interrupts",
			 .columns = soft_columns,
			 .n_columns = ARRAY_SIZE(soft_columns),
			 .from_zero = true },
	[TABLE_LOSSES] = { .name = "irq_losses",
			   .collector = "irq",
			   .summary = "what the irq collector had no room for",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

/* softirq_to_name of kernel/softirq.c */
static const char *const soft_names[IRQ_SOFT] = {
	"HI",	    "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
	"IRQ_POLL", "TASKLET", "SCHED",	 "HRTIMER", "RCU",
};

struct irq {
	struct tracer tracer;
	struct irq_bpf *skel;
};

/* First what ends, then what begins: no beginning waits for an end that nobody sees. */
static int start(void *state)
{
	struct irq *q = state;
	int r;

	q->skel = irq_bpf__open_opts(&q->tracer.options);
	if (!q->skel)
		return -errno;
	r = tracer_load(&q->tracer, q->skel->obj);
	if (r == 0)
		r = tracer_attach(&q->tracer, q->skel->progs.hard_ends);
	if (r == 0)
		r = tracer_attach(&q->tracer, q->skel->progs.soft_ends);
	if (r == 0)
		r = tracer_attach(&q->tracer, q->skel->progs.hard_begins);
	if (r == 0)
		r = tracer_attach(&q->tracer, q->skel->progs.soft_begins);
	return r;
}

static void irq_close(void *state)
{
	struct irq *q = state;

	tracer_done(&q->tracer);
	irq_bpf__destroy(q->skel);
	free(q);
}

static int irq_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct irq), s, start, irq_close, ret, ret_error);
}

static bool put_hard(const void *key, const void *value, void *userdata)
{
	struct irq *q = userdata;
	const struct irq_hard *h = value;
	uint32_t number;

	memcpy(&number, key, sizeof(number));
	rows_add(q->tracer.rows, TABLE_HARD);
	rows_unsigned(q->tracer.rows, HARD_NUMBER, number);
	rows_text(q->tracer.rows, HARD_NAME, h->name, strnlen(h->name, sizeof(h->name)));
	histogram_put(q->tracer.rows, HARD_TIME, &h->time);
	return true;
}

static int put_soft(struct irq *q, uint32_t kind)
{
	struct histogram h = {};
	int r = tracer_sum(&q->tracer, q->skel->maps.soft, kind, (uint64_t *)&h, HISTOGRAM_WORDS);

	if (r < 0 || !h.count)
		return r;
	rows_add(q->tracer.rows, TABLE_SOFT);
	rows_string(q->tracer.rows, SOFT_NAME, soft_names[kind]);
	histogram_put(q->tracer.rows, SOFT_TIME, &h);
	return 0;
}

static int irq_read(void *state, struct rows *rows)
{
	struct irq *q = state;
	struct irq_state s = {};
	int r;

	q->tracer.rows = rows;
	r = tracer_each(&q->tracer, q->skel->maps.hard, put_hard, q);
	for (uint32_t kind = 0; r == 0 && kind < IRQ_SOFT; kind++)
		r = put_soft(q, kind);
	if (r == 0)
		r = tracer_counts(&q->tracer, q->skel->maps.states, &s, sizeof(s));
	if (r < 0)
		return r;
	rows_add(rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_UNCOUNTED, s.uncounted);
	return 0;
}

const struct collector collector_irq = {
	.name = "irq",
	.summary = "time in handlers of interrupts, and in soft interrupts",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = tracer_probe_btf,
	.open = irq_open,
	.read = irq_read,
	.close = irq_close,
};
