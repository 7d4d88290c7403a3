// SPDX-License-Identifier: Apache-2.0
/*
 * Memory: proc_meminfo(5), and the swap traffic of /proc/vmstat. Sizes become bytes, the four
 * counts of huge pages too, as far as the size of one is told. Without meminfo there is no row.
 */
#include <errno.h>

#include "collect/basic.h"
#include "collect/scan.h"

enum {
	MEMORY_FIELDS = 30, /* columns that come from a line of meminfo each */
	MEMORY_SWAP_IN = MEMORY_FIELDS,
	MEMORY_SWAP_OUT,
	MEMORY_SWAP_IN_DELTA,
	MEMORY_SWAP_OUT_DELTA,
	MEMORY_SWAP_IN_RATE,
	MEMORY_SWAP_OUT_RATE,
	MEMORY_INTERVAL,
	MEMORY_RESET,
};

#define BYTES(name, help)                                                                          \
	{                                                                                          \
		name, "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, help                                 \
	}

/* clang-format off */
static const struct row_column columns[] = {
	BYTES("total", "usable memory"),
	BYTES("free", "memory nobody uses"),
	BYTES("available", "memory that new programs could get without swapping"),
	BYTES("buffers", "cache of block devices"),
	BYTES("cached", "cache of files, shared memory included"),
	BYTES("swap_cached", "in memory and in swap"),
	BYTES("active", "used of late"),
	BYTES("inactive", "next to be reclaimed"),
	BYTES("swap_total", "swap space"),
	BYTES("swap_free", "swap space nobody uses"),
	BYTES("dirty", "waits to be written"),
	BYTES("writeback", "is being written"),
	BYTES("anonymous", "of processes, without a file"),
	BYTES("mapped", "files mapped by processes"),
	BYTES("shared", "tmpfs and shared memory"),
	BYTES("slab", "kernel objects"),
	BYTES("slab_reclaimable", "kernel objects that can be given back"),
	BYTES("slab_unreclaimable", "kernel objects that cannot"),
	BYTES("kernel_stack", "kernel stacks"),
	BYTES("page_tables", "page tables"),
	BYTES("commit_limit", "what may be promised under strict overcommit"),
	BYTES("committed", "what is promised to processes"),
	BYTES("vmalloc_total", "room for vmalloc"),
	BYTES("vmalloc_used", "used by vmalloc"),
	BYTES("huge_pages_total", "pool of huge pages"),
	BYTES("huge_pages_free", "huge pages nobody uses"),
	BYTES("huge_pages_reserved", "huge pages promised, not yet taken"),
	BYTES("huge_pages_surplus", "huge pages above the pool's size"),
	BYTES("huge_page_size", "size of a huge page"),
	BYTES("huge_pages_memory", "memory of huge pages of all sizes"),
	[MEMORY_SWAP_IN] = { "swap_in", "pages", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "read from swap" },
	[MEMORY_SWAP_OUT] = { "swap_out", "pages", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "written to swap" },
	[MEMORY_SWAP_IN_DELTA] = { "swap_in_delta", "pages", ROW_RATE, ROW_UNSIGNED, ROW_DELTA,
				   MEMORY_SWAP_IN, "read from swap in the interval" },
	[MEMORY_SWAP_OUT_DELTA] = { "swap_out_delta", "pages", ROW_RATE, ROW_UNSIGNED, ROW_DELTA,
				    MEMORY_SWAP_OUT, "written to swap in the interval" },
	[MEMORY_SWAP_IN_RATE] = { "swap_in_rate", "pages/s", ROW_RATE, ROW_REAL, ROW_PER_SECOND,
				  MEMORY_SWAP_IN, "read from swap per second" },
	[MEMORY_SWAP_OUT_RATE] = { "swap_out_rate", "pages/s", ROW_RATE, ROW_REAL, ROW_PER_SECOND,
				   MEMORY_SWAP_OUT, "written to swap per second" },
	[MEMORY_INTERVAL] = RATES_INTERVAL_COLUMN,
	[MEMORY_RESET] = RATES_RESET_COLUMN,
};

/* In the order of the columns. */
static const struct {
	const char *name;
	bool pages; /* a number of huge pages */
} fields[MEMORY_FIELDS] = {
	{ "MemTotal:", false }, { "MemFree:", false }, { "MemAvailable:", false }, { "Buffers:", false },
	{ "Cached:", false }, { "SwapCached:", false }, { "Active:", false }, { "Inactive:", false },
	{ "SwapTotal:", false }, { "SwapFree:", false }, { "Dirty:", false }, { "Writeback:", false },
	{ "AnonPages:", false }, { "Mapped:", false }, { "Shmem:", false }, { "Slab:", false },
	{ "SReclaimable:", false }, { "SUnreclaim:", false }, { "KernelStack:", false },
	{ "PageTables:", false }, { "CommitLimit:", false }, { "Committed_AS:", false },
	{ "VmallocTotal:", false }, { "VmallocUsed:", false }, { "HugePages_Total:", true },
	{ "HugePages_Free:", true }, { "HugePages_Rsvd:", true }, { "HugePages_Surp:", true },
	{ "Hugepagesize:", false }, { "Hugetlb:", false },
};
/* clang-format on */

enum { FIELD_HUGE_PAGE_SIZE = 28 };

static const struct row_table tables[] = {
	{ .name = "memory",
	  .collector = "memory",
	  .summary = "memory and swap",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

struct meminfo {
	bool known[MEMORY_FIELDS];
	uint64_t values[MEMORY_FIELDS]; /* bytes; huge pages: their number */
};

static void parse_line(struct scan line, struct meminfo *m, struct rows *rows)
{
	struct record_bytes name;
	size_t i = 0;
	uint64_t v;

	if (!scan_word(&line, &name))
		return;
	while (i < MEMORY_FIELDS && !bytes_are(name, fields[i].name))
		i++;
	if (i == MEMORY_FIELDS)
		return;
	if (!scan_unsigned(&line, &v) || (!fields[i].pages && !scan_literal(&line, "kB")) ||
	    !scan_end(&line) || (!fields[i].pages && __builtin_mul_overflow(v, 1024ULL, &v))) {
		rows_problem(rows, "%s of /proc/meminfo is no size", fields[i].name);
		return;
	}
	m->known[i] = true;
	m->values[i] = v;
}

static void put_fields(const struct meminfo *m, struct rows *rows)
{
	uint64_t page = m->values[FIELD_HUGE_PAGE_SIZE], bytes;

	for (unsigned int i = 0; i < MEMORY_FIELDS; i++) {
		if (!m->known[i])
			rows_missing(rows);
		else if (!fields[i].pages)
			rows_unsigned(rows, i, m->values[i]);
		else if (m->known[FIELD_HUGE_PAGE_SIZE] &&
			 !__builtin_mul_overflow(m->values[i], page, &bytes))
			rows_unsigned(rows, i, bytes);
	}
}

static void read_swap(struct basic *b, struct rows *rows)
{
	struct scan s, line;

	if (roots_need(&b->roots, b->roots.proc, "vmstat", rows) < 0)
		return;
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line)) {
		unsigned int column = scan_literal(&line, "pswpin")    ? MEMORY_SWAP_IN
				      : scan_literal(&line, "pswpout") ? MEMORY_SWAP_OUT
								       : 0;
		uint64_t v;

		if (!column)
			continue;
		if (scan_unsigned(&line, &v) && scan_end(&line))
			rows_unsigned(rows, column, v);
		else
			rows_problem(rows, "%s of /proc/vmstat is no number", columns[column].name);
		if (column == MEMORY_SWAP_OUT)
			break;
	}
}

static int memory_read(void *state, struct rows *rows)
{
	struct meminfo m = {};
	struct basic *b = state;
	struct scan s, line;
	int r = roots_need(&b->roots, b->roots.proc, "meminfo", rows);

	if (r < 0)
		return r;
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line))
		parse_line(line, &m, rows);
	if (!memchr(m.known, true, sizeof(m.known))) {
		rows_problem(rows, "/proc/meminfo holds no size");
		return -EBADMSG;
	}
	rows_add(rows, 0);
	put_fields(&m, rows);
	read_swap(b, rows);
	rates_fill(&b->rates, rows);
	return 0;
}

const struct collector collector_memory = {
	.name = "memory",
	.summary = "memory, huge pages, swap space and traffic",
	.needs = "/proc/meminfo, /proc/vmstat",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = memory_read,
	.close = basic_close,
};
