// SPDX-License-Identifier: Apache-2.0
/*
 * Block devices: /proc/diskstats (Documentation/admin-guide/iostats.rst), whole devices only, and
 * what iostat computes of it. Whether a name is a partition is what sysfs says; a name alone tells
 * nothing (md0, zram0, nvme0n1). Devices nobody set up - loop0 to loop7 of every host - have the
 * size 0 and are left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/basic.h"

#define SECTOR_BYTES 512.0 /* whatever the device's blocks are */

/* In the order of the file, but for the number of I/Os in progress. */
enum counter {
	READS,
	READS_MERGED,
	SECTORS_READ,
	READ_TIME,
	WRITES,
	WRITES_MERGED,
	SECTORS_WRITTEN,
	WRITE_TIME,
	IO_TIME,
	WEIGHTED_TIME,
	DISCARDS, /* from 4.18 */
	DISCARDS_MERGED,
	SECTORS_DISCARDED,
	DISCARD_TIME,
	FLUSHES, /* from 5.5 */
	FLUSH_TIME,
	COUNTERS,
	NEEDED = DISCARDS,
};

enum {
	DISK_DEVICE,
	DISK_MAJOR,
	DISK_MINOR,
	DISK_IN_PROGRESS,
	DISK_COUNTER,
	DISK_DELTA = DISK_COUNTER + COUNTERS,
	DISK_READS_RATE = DISK_DELTA + COUNTERS,
	DISK_WRITES_RATE,
	DISK_SECTORS_RATE,
	DISK_IOPS,
	DISK_READ_BYTES_RATE,
	DISK_WRITE_BYTES_RATE,
	DISK_UTILIZATION,
	DISK_QUEUE,
	DISK_READ_AWAIT,
	DISK_WRITE_AWAIT,
	DISK_INTERVAL,
	DISK_RESET,
};

#define COUNTER(i, name, unit, help)                                                               \
	[DISK_COUNTER + i] = { name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help },                \
			[DISK_DELTA + i] = { name "_delta",                                        \
					     unit,                                                 \
					     ROW_RATE,                                             \
					     ROW_UNSIGNED,                                         \
					     ROW_DELTA,                                            \
					     DISK_COUNTER + i,                                     \
					     help ", in the interval" }
#define COMPUTED(name, unit, help)                                                                 \
	{                                                                                          \
		name, unit, ROW_RATE, ROW_REAL, 0, 0, help                                         \
	}

/* clang-format off */
static const struct row_column columns[] = {
	[DISK_DEVICE] = { "device", "", ROW_KEY, ROW_TEXT, 0, 0, "name" },
	[DISK_MAJOR] = { "major", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "major device number" },
	[DISK_MINOR] = { "minor", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "minor device number" },
	[DISK_IN_PROGRESS] = { "in_progress", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "I/Os the device is busy with" },
	COUNTER(READS, "reads", "", "reads completed"),
	COUNTER(READS_MERGED, "reads_merged", "", "reads merged with others"),
	COUNTER(SECTORS_READ, "sectors_read", "", "sectors of 512 bytes read"),
	COUNTER(READ_TIME, "read_time", "ms", "time of all reads added up"),
	COUNTER(WRITES, "writes", "", "writes completed"),
	COUNTER(WRITES_MERGED, "writes_merged", "", "writes merged with others"),
	COUNTER(SECTORS_WRITTEN, "sectors_written", "", "sectors of 512 bytes written"),
	COUNTER(WRITE_TIME, "write_time", "ms", "time of all writes added up"),
	COUNTER(IO_TIME, "io_time", "ms", "time in which the device was busy"),
	COUNTER(WEIGHTED_TIME, "weighted_time", "ms", "the same times the I/Os in progress"),
	COUNTER(DISCARDS, "discards", "", "discards completed"),
	COUNTER(DISCARDS_MERGED, "discards_merged", "", "discards merged with others"),
	COUNTER(SECTORS_DISCARDED, "sectors_discarded", "", "sectors of 512 bytes discarded"),
	COUNTER(DISCARD_TIME, "discard_time", "ms", "time of all discards added up"),
	COUNTER(FLUSHES, "flushes", "", "flushes completed"),
	COUNTER(FLUSH_TIME, "flush_time", "ms", "time of all flushes added up"),
	[DISK_READS_RATE] = { "reads_rate", "/s", ROW_RATE, ROW_REAL, ROW_PER_SECOND, DISK_COUNTER + READS,
			      "reads per second" },
	[DISK_WRITES_RATE] = { "writes_rate", "/s", ROW_RATE, ROW_REAL, ROW_PER_SECOND, DISK_COUNTER + WRITES,
			       "writes per second" },
	[DISK_SECTORS_RATE] = COMPUTED("sectors_rate", "/s", "sectors read and written per second"),
	[DISK_IOPS] = COMPUTED("iops", "/s", "reads and writes per second"),
	[DISK_READ_BYTES_RATE] = COMPUTED("read_bytes_rate", "bytes/s", "read per second"),
	[DISK_WRITE_BYTES_RATE] = COMPUTED("write_bytes_rate", "bytes/s", "written per second"),
	[DISK_UTILIZATION] = COMPUTED("utilization", "percent", "share of the interval in which it was busy"),
	[DISK_QUEUE] = COMPUTED("queue", "", "mean number of I/Os in progress"),
	[DISK_READ_AWAIT] = COMPUTED("read_await", "ms", "mean time of a read"),
	[DISK_WRITE_AWAIT] = COMPUTED("write_await", "ms", "mean time of a write"),
	[DISK_INTERVAL] = RATES_INTERVAL_COLUMN,
	[DISK_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "disk",
	  .collector = "disk",
	  .summary = "I/O of block devices",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

struct device {
	uint64_t major, minor, in_progress;
	struct record_bytes name;
	uint64_t counters[COUNTERS];
	size_t n; /* counters that are there */
};

static bool parse_device(struct scan line, struct device *d)
{
	*d = (struct device){};
	if (!scan_unsigned(&line, &d->major) || !scan_unsigned(&line, &d->minor) ||
	    !scan_word(&line, &d->name) || d->name.size > 64)
		return false;
	while (d->n < COUNTERS) {
		if (d->n == IO_TIME && !scan_unsigned(&line, &d->in_progress))
			return false;
		if (!scan_unsigned(&line, &d->counters[d->n]))
			break;
		d->n++;
	}
	return d->n >= NEEDED && (d->n == COUNTERS || scan_end(&line));
}

/* --- which devices --- */

/* "cciss/c0d0" is cciss!c0d0 in sysfs. */
static bool sysfs_path(const struct device *d, const char *file, char *out, size_t size)
{
	int n = snprintf(out, size, "class/block/%.*s/%s", (int)d->name.size, d->name.data, file);
	char *name = out + strlen("class/block/");

	if (n < 0 || (size_t)n >= size || memchr(d->name.data, '.', d->name.size) == d->name.data)
		return false;
	for (size_t i = 0; i < d->name.size; i++)
		if (name[i] == '/')
			name[i] = '!';
	return true;
}

/* Without sysfs: a name that is another one's with a number behind, or p and a number. */
static bool extends(struct record_bytes name, struct record_bytes parent)
{
	size_t i = parent.size;

	if (name.size <= i || i == 0 || memcmp(name.data, parent.data, i) != 0)
		return false;
	if (parent.data[i - 1] >= '0' && parent.data[i - 1] <= '9' && name.data[i++] != 'p')
		return false;
	if (i == name.size)
		return false;
	for (; i < name.size; i++)
		if (name.data[i] < '0' || name.data[i] > '9')
			return false;
	return true;
}

static bool extends_any(const struct basic *b, const struct device *d)
{
	struct scan s = scan_buffer(&b->roots.text), line;
	struct device other;

	while (scan_line(&s, &line))
		if (parse_device(line, &other) && extends(d->name, other.name))
			return true;
	return false;
}

static bool is_partition(const struct basic *b, const struct device *d)
{
	char path[128];

	if (!sysfs_path(d, "partition", path, sizeof(path)))
		return false;
	if (b->roots.sys >= 0 && faccessat(b->roots.sys, "class/block", F_OK, 0) == 0)
		return faccessat(b->roots.sys, path, F_OK, 0) == 0;
	return extends_any(b, d);
}

/* Nothing was ever read or written, and there is nothing to read. */
static bool is_empty(const struct basic *b, const struct device *d)
{
	_cleanup_close_ int fd = -1;
	char path[128], text[2] = "";

	if (d->counters[READS] || d->counters[WRITES] || b->roots.sys < 0 ||
	    !sysfs_path(d, "size", path, sizeof(path)))
		return false;
	fd = openat(b->roots.sys, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text)) >= 1 && text[0] == '0';
}

/* --- rows --- */

static void put_device(const struct device *d, struct rows *rows)
{
	rows_add(rows, 0);
	rows_text(rows, DISK_DEVICE, d->name.data, d->name.size);
	rows_unsigned(rows, DISK_MAJOR, d->major);
	rows_unsigned(rows, DISK_MINOR, d->minor);
	rows_unsigned(rows, DISK_IN_PROGRESS, d->in_progress);
	for (unsigned int i = 0; i < d->n; i++)
		rows_unsigned(rows, DISK_COUNTER + i, d->counters[i]);
}

static void put_await(struct rows *rows, const struct row_value *delta, unsigned int number,
		      unsigned int time, unsigned int column)
{
	if (delta[number].u)
		rows_real(rows, column, (double)delta[time].u / (double)delta[number].u);
}

/* As iostat(1) computes them. */
static void put_computed(struct rows *rows)
{
	const struct row *row = rows_current(rows);
	const struct row_value *delta = row ? row->values + DISK_DELTA : NULL;
	double s;

	if (!row || row->values[DISK_RESET].u || !row->values[DISK_INTERVAL].u)
		return;
	s = (double)row->values[DISK_INTERVAL].u / 1e9;
	rows_real(rows, DISK_SECTORS_RATE,
		  ((double)delta[SECTORS_READ].u + (double)delta[SECTORS_WRITTEN].u) / s);
	rows_real(rows, DISK_IOPS, ((double)delta[READS].u + (double)delta[WRITES].u) / s);
	rows_real(rows, DISK_READ_BYTES_RATE, (double)delta[SECTORS_READ].u * SECTOR_BYTES / s);
	rows_real(rows, DISK_WRITE_BYTES_RATE, (double)delta[SECTORS_WRITTEN].u * SECTOR_BYTES / s);
	rows_real(rows, DISK_UTILIZATION, MIN((double)delta[IO_TIME].u / s / 10, 100.0));
	rows_real(rows, DISK_QUEUE, (double)delta[WEIGHTED_TIME].u / s / 1000);
	put_await(rows, delta, READS, READ_TIME, DISK_READ_AWAIT);
	put_await(rows, delta, WRITES, WRITE_TIME, DISK_WRITE_AWAIT);
}

static int disk_read(void *state, struct rows *rows)
{
	struct basic *b = state;
	struct scan s, line;
	int r = roots_need(&b->roots, b->roots.proc, "diskstats", rows);

	if (r < 0)
		return r;
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line)) {
		struct device d;

		if (!parse_device(line, &d)) {
			if (!scan_end(&line))
				rows_problem(rows, "a line of /proc/diskstats is no device");
			continue;
		}
		if (is_partition(b, &d) || is_empty(b, &d))
			continue;
		put_device(&d, rows);
		if (rates_fill(&b->rates, rows))
			put_computed(rows);
	}
	rates_end(&b->rates);
	return 0;
}

const struct collector collector_disk = {
	.name = "disk",
	.summary = "I/O of block devices: counts, bytes, times, utilization, queue",
	.needs = "/proc/diskstats, /sys/class/block",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = disk_read,
	.close = basic_close,
};
