// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts and soft interrupts: /proc/interrupts and /proc/softirqs, which have the same shape: a
 * heading with the CPUs, then lines of a name, a number for each CPU, and (of interrupts) what it
 * is. Each line is a row with the sum over the CPUs; each CPU is a row with the sum over the lines.
 */
#include <errno.h>

#include "collect/basic.h"

#define MAX_CPUS 65536

enum {
	INTERRUPT_NAME,
	INTERRUPT_DEVICE, /* not in softirqs */
	INTERRUPT_COUNTER,
	INTERRUPT_DELTA,
	INTERRUPT_RATE,
	INTERRUPT_INTERVAL,
	INTERRUPT_RESET,
};
enum { SUM_CPU, SUM_COUNTER, SUM_DELTA, SUM_RATE, SUM_INTERVAL, SUM_RESET };
enum { TABLE_LINES, TABLE_CPUS };

/* clang-format off */
static const struct row_column interrupt_columns[] = {
	[INTERRUPT_NAME] = { "irq", "", ROW_KEY, ROW_TEXT, 0, 0, "number, or name" },
	[INTERRUPT_DEVICE] = { "device", "", ROW_KEY, ROW_TEXT, 0, 0, "controller, line and drivers" },
	RATES_COLUMNS(INTERRUPT_COUNTER, 1, 0, "count", "", "interrupts on all CPUs"),
	[INTERRUPT_INTERVAL] = RATES_INTERVAL_COLUMN,
	[INTERRUPT_RESET] = RATES_RESET_COLUMN,
};

static const struct row_column softirq_columns[] = {
	[INTERRUPT_NAME] = { "type", "", ROW_KEY, ROW_TEXT, 0, 0, "HI, TIMER, NET_TX, NET_RX ..." },
	[INTERRUPT_DEVICE] = { "note", "", ROW_WORDS, ROW_TEXT, 0, 0, "what stands behind the numbers" },
	RATES_COLUMNS(INTERRUPT_COUNTER, 1, 0, "count", "", "soft interrupts on all CPUs"),
	[INTERRUPT_INTERVAL] = RATES_INTERVAL_COLUMN,
	[INTERRUPT_RESET] = RATES_RESET_COLUMN,
};

static const struct row_column cpu_columns[] = {
	[SUM_CPU] = { "cpu", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number" },
	RATES_COLUMNS(SUM_COUNTER, 1, 0, "count", "", "of all kinds"),
	[SUM_INTERVAL] = RATES_INTERVAL_COLUMN,
	[SUM_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table interrupt_tables[] = {
	[TABLE_LINES] = { .name = "interrupts",
			  .collector = "interrupts",
			  .summary = "interrupts by line",
			  .columns = interrupt_columns,
			  .n_columns = ARRAY_SIZE(interrupt_columns) },
	[TABLE_CPUS] = { .name = "interrupts_cpu",
			 .collector = "interrupts",
			 .summary = "interrupts by CPU",
			 .columns = cpu_columns,
			 .n_columns = ARRAY_SIZE(cpu_columns) },
};

static const struct row_table softirq_tables[] = {
	[TABLE_LINES] = { .name = "softirqs",
			  .collector = "softirqs",
			  .summary = "soft interrupts by type",
			  .columns = softirq_columns,
			  .n_columns = ARRAY_SIZE(softirq_columns) },
	[TABLE_CPUS] = { .name = "softirqs_cpu",
			 .collector = "softirqs",
			 .summary = "soft interrupts by CPU",
			 .columns = cpu_columns,
			 .n_columns = ARRAY_SIZE(cpu_columns) },
};

/* One column of the file. */
struct column {
	uint32_t cpu;
	uint64_t sum;
};

/* "           CPU0       CPU1"; a heap array. */
static int parse_heading(struct scan line, struct column **ret, size_t *ret_n)
{
	_cleanup_free_ struct column *list = NULL;
	size_t n = 0, capacity = 0;
	struct record_bytes word;

	while (scan_word(&line, &word)) {
		struct scan number = scan_bytes(word.data, word.size);
		uint64_t cpu;

		number.at += MIN(word.size, (size_t)3);
		if (word.size < 4 || memcmp(word.data, "CPU", 3) != 0 ||
		    !scan_unsigned(&number, &cpu) || cpu >= MAX_CPUS || n == MAX_CPUS)
			return -EBADMSG;
		if (n == capacity) {
			struct column *grown;

			capacity = MAX(2 * capacity, (size_t)16);
			grown = reallocarray(list, capacity, sizeof(*list));
			if (!grown)
				return -ENOMEM;
			list = grown;
		}
		list[n++] = (struct column){ .cpu = (uint32_t)cpu };
	}
	if (n == 0)
		return -EBADMSG;
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

/* " 24:   123    456  PCI-MSIX-0000:00:02.0   0-edge   virtio0"; blanks in a row become one. */
static void put_device(struct scan line, struct rows *rows)
{
	char text[256];
	struct record_bytes word;
	size_t n = 0;

	while (scan_word(&line, &word) && n + word.size + 1 < sizeof(text)) {
		if (n)
			text[n++] = ' ';
		memcpy(text + n, word.data, word.size);
		n += word.size;
	}
	if (n)
		rows_text(rows, INTERRUPT_DEVICE, text, n);
}

/* Some lines have one number, for the whole machine ("ERR:"). */
static bool parse_line(struct scan line, struct column *list, size_t n, struct rows *rows)
{
	struct record_bytes name;
	uint64_t sum = 0, v;
	struct scan numbers;
	size_t i = 0;

	if (!scan_word(&line, &name) || name.size < 2 || name.data[name.size - 1] != ':')
		return false;
	numbers = line;
	for (; i < n && scan_unsigned(&line, &v); i++)
		if (__builtin_add_overflow(sum, v, &sum))
			return false;
	if (i == 0)
		return false;
	for (size_t k = 0; i == n && k < n && scan_unsigned(&numbers, &v); k++)
		list[k].sum += v;
	rows_text(rows, INTERRUPT_NAME, name.data, name.size - 1);
	rows_unsigned(rows, INTERRUPT_COUNTER, sum);
	put_device(line, rows);
	return true;
}

static void put_cpus(struct basic *b, const struct column *list, size_t n, struct rows *rows)
{
	for (size_t i = 0; i < n; i++) {
		rows_add(rows, TABLE_CPUS);
		rows_unsigned(rows, SUM_CPU, list[i].cpu);
		rows_unsigned(rows, SUM_COUNTER, list[i].sum);
		rates_fill(&b->rates, rows);
	}
}

static int read_file(struct basic *b, const char *path, struct rows *rows)
{
	_cleanup_free_ struct column *list = NULL;
	struct scan s, line;
	size_t n;
	int r = roots_need(&b->roots, b->roots.proc, path, rows);

	if (r < 0)
		return r;
	s = scan_buffer(&b->roots.text);
	r = scan_line(&s, &line) ? parse_heading(line, &list, &n) : -EBADMSG;
	if (r < 0) {
		rows_problem(rows, "/proc/%s does not begin with its CPUs", path);
		return r;
	}
	while (scan_line(&s, &line)) {
		rows_add(rows, TABLE_LINES);
		if (!parse_line(line, list, n, rows)) {
			rows_discard(rows);
			rows_problem(rows, "a line of /proc/%s is no interrupt", path);
			continue;
		}
		rates_fill(&b->rates, rows);
	}
	put_cpus(b, list, n, rows);
	rates_end(&b->rates);
	return 0;
}

static int interrupts_read(void *state, struct rows *rows)
{
	return read_file(state, "interrupts", rows);
}

static int softirqs_read(void *state, struct rows *rows)
{
	return read_file(state, "softirqs", rows);
}

const struct collector collector_interrupts = {
	.name = "interrupts",
	.summary = "interrupts by line and by CPU",
	.needs = "/proc/interrupts",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = interrupt_tables,
	.n_tables = ARRAY_SIZE(interrupt_tables),
	.open = basic_open,
	.read = interrupts_read,
	.close = basic_close,
};

const struct collector collector_softirqs = {
	.name = "softirqs",
	.summary = "soft interrupts by type and by CPU",
	.needs = "/proc/softirqs",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = softirq_tables,
	.n_tables = ARRAY_SIZE(softirq_tables),
	.open = basic_open,
	.read = softirqs_read,
	.close = basic_close,
};
