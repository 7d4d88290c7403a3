// SPDX-License-Identifier: Apache-2.0
/*
 * How long block devices take for requests, by device and operation.
 */
#include <linux/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block_io.skel.h"
#include "bpf/block_io.h"
#include "collect/histogram.h"
#include "collect/tracer.h"

enum {
	IO_DEVICE,
	IO_OPERATION,
	IO_MAJOR,
	IO_MINOR,
	IO_REQUESTS,
	IO_BYTES = IO_REQUESTS + 3,
	IO_ERRORS
};
enum { LOSS_UNTIMED, LOSS_UNCOUNTED };
enum { TABLE_REQUESTS, TABLE_LOSSES };

/* clang-format off */
static const struct row_column request_columns[] = {
	[IO_DEVICE] = { "device", "", ROW_KEY, ROW_TEXT, 0, 0, "the whole disk, as in /sys/block" },
	[IO_OPERATION] = { "operation", "", ROW_KEY, ROW_TEXT, 0, 0, "read, write, flush, discard ..., or the kernel's number of it" },
	[IO_MAJOR] = { "major", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "number of the device" },
	[IO_MINOR] = { "minor", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "number of the device" },
	HISTOGRAM_COLUMNS(IO_REQUESTS, "requests", "from the driver's taking them to their end, together"),
	[IO_BYTES] = { "bytes", "bytes", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "that were transferred" },
	[IO_ERRORS] = { "errors", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "requests that failed" },
};

static const struct row_column loss_columns[] = {
	[LOSS_UNTIMED] = { "untimed", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "requests while more than 16,384 were under way; they are not counted" },
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "requests of devices beyond the first hundreds" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_REQUESTS] = { .name = "block_io",
			     .collector = "block_io",
			     .summary = "requests by device and operation",
			     .columns = request_columns,
			     .n_columns = ARRAY_SIZE(request_columns),
			     .from_zero = true },
	[TABLE_LOSSES] = { .name = "block_io_losses",
			   .collector = "block_io",
			   .summary = "what the block_io collector had no room for",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

/* enum req_op of include/linux/blk_types.h */
static const char *const operations[] = {
	[0] = "read",	 [1] = "write",	       [2] = "flush",
	[3] = "discard", [5] = "secure-erase", [9] = "write-zeroes",
};

struct block_io {
	struct tracer tracer;
	struct block_io_bpf *skel;
};

static int start(void *state)
{
	struct block_io *b = state;
	int r;

	b->skel = block_io_bpf__open_opts(&b->tracer.options);
	if (!b->skel)
		return -errno;
	r = tracer_load(&b->tracer, b->skel->obj);
	/* First what ends a request, then what begins it. */
	if (r == 0)
		r = tracer_attach(&b->tracer, b->skel->progs.completed);
	if (r == 0 && tracer_attach(&b->tracer, b->skel->progs.issued_with_queue) < 0)
		r = tracer_attach(&b->tracer, b->skel->progs.issued);
	return r;
}

static void block_io_close(void *state)
{
	struct block_io *b = state;

	tracer_done(&b->tracer);
	block_io_bpf__destroy(b->skel);
	free(b);
}

static int block_io_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct block_io), s, start, block_io_close, ret, ret_error);
}

static bool has_block_device(const struct collector_settings *s)
{
	_cleanup_(roots_close) struct roots roots = {};
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *e;

	if (roots_open(s, &roots) < 0 || roots_list(roots.sys, "block", &dir) < 0)
		return false;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			return true;
	return false;
}

static int block_io_probe(const struct collector_settings *s, char **ret_reason)
{
	int r = tracer_probe(s, TRACER_BTF, NULL, ret_reason);

	if (r < 0 || has_block_device(s))
		return r;
	*ret_reason = strdup("there is no block device");
	return -ENODEV;
}

static bool put_requests(const void *k, const void *value, void *userdata)
{
	struct block_io *b = userdata;
	const struct block_io_value *v = value;
	struct block_io_key key;
	char number[16];

	memcpy(&key, k, sizeof(key));
	rows_add(b->tracer.rows, TABLE_REQUESTS);
	rows_text(b->tracer.rows, IO_DEVICE, v->disk, strnlen(v->disk, sizeof(v->disk)));
	snprintf(number, sizeof(number), "%u", key.operation);
	rows_string(b->tracer.rows, IO_OPERATION,
		    key.operation < ARRAY_SIZE(operations) && operations[key.operation]
			    ? operations[key.operation]
			    : number);
	rows_unsigned(b->tracer.rows, IO_MAJOR, key.major);
	rows_unsigned(b->tracer.rows, IO_MINOR, key.minor);
	histogram_put(b->tracer.rows, IO_REQUESTS, &v->latency);
	rows_unsigned(b->tracer.rows, IO_BYTES, v->bytes);
	rows_unsigned(b->tracer.rows, IO_ERRORS, v->errors);
	return true;
}

static int block_io_read(void *state, struct rows *rows)
{
	struct block_io *b = state;
	struct block_io_counts c = {};
	int r;

	b->tracer.rows = rows;
	r = tracer_each(&b->tracer, b->skel->maps.requests, put_requests, b);
	if (r == 0)
		r = tracer_counts(&b->tracer, b->skel->maps.counts, &c, sizeof(c));
	if (r < 0)
		return r;
	rows_add(rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_UNTIMED, c.untimed);
	rows_unsigned(rows, LOSS_UNCOUNTED, c.uncounted);
	return 0;
}

const struct collector collector_block_io = {
	.name = "block_io",
	.summary = "how long block devices take, by device and operation",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = block_io_probe,
	.open = block_io_open,
	.read = block_io_read,
	.close = block_io_close,
};
