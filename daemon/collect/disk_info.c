// SPDX-License-Identifier: Apache-2.0
/*
 * Block devices and their partitions: /sys/block (Documentation/ABI/stable/sysfs-block). Devices
 * nobody set up, which have the size 0, are left out, as in the disk collector.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/basic.h"

#define SECTOR_BYTES 512 /* whatever the device's blocks are */
#define MAX_DEVICES 4096

enum { TABLE_DISKS, TABLE_PARTITIONS };

enum {
	DISK_DEVICE,
	DISK_SIZE,
	DISK_BUS,
	DISK_MODEL,
	DISK_VENDOR,
	DISK_SERIAL,
	DISK_ROTATIONAL,
	DISK_REMOVABLE,
	DISK_LOGICAL_BLOCK,
	DISK_PHYSICAL_BLOCK,
	DISK_REQUESTS,
	DISK_SCHEDULER,
	DISK_NODE,
};

enum { PARTITION_PARTITION, PARTITION_DEVICE, PARTITION_SIZE, PARTITION_START };

/* clang-format off */
#define NUMBER(name, unit, help) { name, unit, ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }
#define WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }

static const struct row_column disk_columns[] = {
	[DISK_DEVICE] = { "device", "", ROW_KEY, ROW_TEXT, 0, 0, "name" },
	[DISK_SIZE] = NUMBER("size", "bytes", "its size"),
	[DISK_BUS] = WORDS("bus", "nvme, scsi, virtio, usb, mmc ... or virtual"),
	[DISK_MODEL] = WORDS("model", "as it calls itself"),
	[DISK_VENDOR] = WORDS("vendor", "its maker"),
	[DISK_SERIAL] = WORDS("serial", "its serial number"),
	[DISK_ROTATIONAL] = NUMBER("rotational", "", "1: it turns"),
	[DISK_REMOVABLE] = NUMBER("removable", "", "1: it can be taken out"),
	[DISK_LOGICAL_BLOCK] = NUMBER("logical_block", "bytes", "smallest unit that can be addressed"),
	[DISK_PHYSICAL_BLOCK] = NUMBER("physical_block", "bytes", "smallest unit that is written at once"),
	[DISK_REQUESTS] = NUMBER("requests", "", "that its queue takes"),
	[DISK_SCHEDULER] = WORDS("scheduler", "the I/O scheduler in use"),
	[DISK_NODE] = NUMBER("node", "id", "its NUMA node"),
};

static const struct row_column partition_columns[] = {
	[PARTITION_PARTITION] = { "partition", "", ROW_KEY, ROW_TEXT, 0, 0, "name" },
	[PARTITION_DEVICE] = WORDS("device", "that it is on"),
	[PARTITION_SIZE] = NUMBER("size", "bytes", "its size"),
	[PARTITION_START] = NUMBER("start", "bytes", "where it begins"),
};

static const struct row_table tables[] = {
	[TABLE_DISKS] = { .name = "disk_info", .collector = "disk_info", .summary = "block devices",
			  .columns = disk_columns, .n_columns = ARRAY_SIZE(disk_columns) },
	[TABLE_PARTITIONS] = { .name = "disk_info_partition", .collector = "disk_info", .summary = "partitions",
			       .columns = partition_columns, .n_columns = ARRAY_SIZE(partition_columns) },
};
/* clang-format on */

static bool read_number(struct roots *r, const char *base, const char *file, uint64_t *ret)
{
	char path[768];

	snprintf(path, sizeof(path), "%s/%s", base, file);
	return roots_read_unsigned(r, r->sys, path, ret) == 0;
}

static bool read_word(struct roots *r, const char *base, const char *file, char *out, size_t size)
{
	char path[768];

	snprintf(path, sizeof(path), "%s/%s", base, file);
	return roots_read_string(r, r->sys, path, out, size) == 0 && *out;
}

static void put_number(struct roots *r, const char *base, const char *file, struct rows *rows,
		       unsigned int column)
{
	uint64_t v;

	if (read_number(r, base, file, &v))
		rows_unsigned(rows, column, v);
}

static void put_word(struct roots *r, const char *base, const char *file, struct rows *rows,
		     unsigned int column)
{
	char text[256];

	if (read_word(r, base, file, text, sizeof(text)))
		rows_string(rows, column, text);
}

static bool read_bytes(struct roots *r, const char *base, const char *file, uint64_t *ret)
{
	return read_number(r, base, file, ret) &&
	       !__builtin_mul_overflow(*ret, (uint64_t)SECTOR_BYTES, ret);
}

/* "none [mq-deadline] kyber" */
static void put_scheduler(struct roots *r, const char *base, struct rows *rows)
{
	char text[256], *open, *close;

	if (!read_word(r, base, "queue/scheduler", text, sizeof(text)))
		return;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close)
		rows_text(rows, DISK_SCHEDULER, open + 1, (size_t)(close - open - 1));
	else
		rows_string(rows, DISK_SCHEDULER, text);
}

/* The path of the device tells what it hangs on; the innermost bus counts. */
static void put_bus(struct roots *r, const char *base, struct rows *rows)
{
	static const char *const buses[][2] = {
		{ "/virtual/", "virtual" }, { "/nvme", "nvme" },     { "/usb", "usb" },
		{ "/mmc", "mmc" },	    { "/virtio", "virtio" }, { "/vbd-", "xen" },
		{ "/ata", "ata" },	    { "/host", "scsi" },
	};
	char target[512];
	ssize_t n = r->sys < 0 ? -1 : readlinkat(r->sys, base, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
		if (strstr(target, buses[i][0])) {
			rows_string(rows, DISK_BUS, buses[i][1]);
			return;
		}
}

static void put_partitions(struct roots *r, const char *base, const char *device,
			   struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *d;
	char path[640];
	uint64_t v;

	if (roots_list(r->sys, base, &dir) < 0)
		return;
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, d->d_name);
		if (!read_number(r, path, "partition", &v))
			continue;
		rows_add(rows, TABLE_PARTITIONS);
		rows_string(rows, PARTITION_PARTITION, d->d_name);
		rows_string(rows, PARTITION_DEVICE, device);
		if (read_bytes(r, path, "size", &v))
			rows_unsigned(rows, PARTITION_SIZE, v);
		if (read_bytes(r, path, "start", &v))
			rows_unsigned(rows, PARTITION_START, v);
	}
}

static void put_disk(struct roots *r, const char *device, struct rows *rows)
{
	char base[320];
	uint64_t size;

	snprintf(base, sizeof(base), "block/%s", device);
	if (!read_bytes(r, base, "size", &size)) {
		rows_problem(rows, "/sys/%s/size is no size", base);
		return;
	}
	if (size == 0)
		return;
	rows_add(rows, TABLE_DISKS);
	rows_string(rows, DISK_DEVICE, device);
	rows_unsigned(rows, DISK_SIZE, size);
	put_bus(r, base, rows);
	put_word(r, base, "device/model", rows, DISK_MODEL);
	put_word(r, base, "device/vendor", rows, DISK_VENDOR);
	put_word(r, base, "device/serial", rows, DISK_SERIAL);
	put_number(r, base, "queue/rotational", rows, DISK_ROTATIONAL);
	put_number(r, base, "removable", rows, DISK_REMOVABLE);
	put_number(r, base, "queue/logical_block_size", rows, DISK_LOGICAL_BLOCK);
	put_number(r, base, "queue/physical_block_size", rows, DISK_PHYSICAL_BLOCK);
	put_number(r, base, "queue/nr_requests", rows, DISK_REQUESTS);
	put_number(r, base, "device/numa_node", rows, DISK_NODE); /* -1, which is no number: none */
	put_scheduler(r, base, rows);
	put_partitions(r, base, device, rows);
}

static int disk_info_read(void *state, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct basic *b = state;
	struct dirent *d;
	size_t n = 0;
	int r = roots_list(b->roots.sys, "block", &dir);

	if (r < 0) {
		rows_problem(rows, "/sys/block: %s", strerror(-r));
		return r;
	}
	while ((d = readdir(dir)) && n < MAX_DEVICES)
		if (d->d_name[0] != '.') {
			put_disk(&b->roots, d->d_name, rows);
			n++;
		}
	return 0;
}

const struct collector collector_disk_info = {
	.name = "disk_info",
	.summary = "block devices and partitions: model, size, bus, queue",
	.needs = "/sys/block",
	.kind = COLLECTOR_ONCE,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = disk_info_read,
	.close = basic_close,
};
