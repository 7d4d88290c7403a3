// SPDX-License-Identifier: Apache-2.0
/*
 * I/O of a control group, by device. v2: io.stat, a line for each device. v1: the throttling
 * policy's blkio.throttle.io_service_bytes and io_serviced, a line for each device and direction;
 * the file that counts the groups below, too, exists from Linux 4.11 on and is preferred.
 */
#include <stdio.h>
#include <unistd.h>

#include "collect/cgroup_parts.h"

#define MAX_DEVICES 256 /* of one group */

struct device {
	uint64_t major, minor;
	bool has[CGROUP_IO_COUNTERS];
	uint64_t counters[CGROUP_IO_COUNTERS];
};

struct devices {
	struct device list[MAX_DEVICES];
	size_t n;
};

static struct device *find(struct devices *d, uint64_t major, uint64_t minor)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->list[i].major == major && d->list[i].minor == minor)
			return &d->list[i];
	if (d->n == MAX_DEVICES)
		return NULL;
	d->list[d->n] = (struct device){ .major = major, .minor = minor };
	return &d->list[d->n++];
}

static void set(struct device *d, enum cgroup_io_counter counter, uint64_t value)
{
	d->has[counter] = true;
	d->counters[counter] = value;
}

/* "8:0" */
static bool scan_device(struct scan *line, uint64_t *ret_major, uint64_t *ret_minor)
{
	return scan_unsigned(line, ret_major) && scan_char(line, ':') &&
	       scan_unsigned(line, ret_minor) && *ret_major < 4096 && *ret_minor < 1 << 20;
}

/* "rbytes=123" */
static void take_pair(struct device *d, struct record_bytes word)
{
	static const char *const keys[] = {
		[CGROUP_IO_READ] = "rbytes=",	    [CGROUP_IO_WRITTEN] = "wbytes=",
		[CGROUP_IO_READS] = "rios=",	    [CGROUP_IO_WRITES] = "wios=",
		[CGROUP_IO_DISCARDED] = "dbytes=", [CGROUP_IO_DISCARDS] = "dios=",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i]);
		struct scan value;
		uint64_t v;

		if (word.size <= n || memcmp(word.data, keys[i], n) != 0)
			continue;
		value = scan_bytes(word.data + n, word.size - n);
		if (scan_unsigned(&value, &v) && scan_end(&value))
			set(d, i, v);
	}
}

static bool read_v2(const struct cgroup_part *p, struct devices *devices)
{
	struct scan s, line;

	if (cgroups_read(p->groups, CGROUP_IO, "io.stat") < 0)
		return false;
	s = scan_buffer(&p->groups->roots->text);
	while (scan_line(&s, &line)) {
		struct record_bytes word;
		uint64_t major, minor;
		struct device *d;

		if (scan_end(&line))
			continue;
		if (!scan_device(&line, &major, &minor)) {
			/* A device that is going has a line without its number. */
			rows_missing(p->rows);
			continue;
		}
		d = find(devices, major, minor);
		while (d && scan_word(&line, &word))
			take_pair(d, word);
	}
	return true;
}

static bool read_v1_file(const struct cgroup_part *p, const char *file, struct devices *devices,
			 enum cgroup_io_counter read, enum cgroup_io_counter written,
			 enum cgroup_io_counter discarded)
{
	struct scan s, line;

	if (cgroups_read(p->groups, CGROUP_IO, file) < 0)
		return false;
	s = scan_buffer(&p->groups->roots->text);
	while (scan_line(&s, &line)) {
		uint64_t major, minor, v;
		struct record_bytes word;
		struct device *d;

		/* The last line is the sum of all. */
		if (scan_end(&line) || scan_literal(&line, "Total"))
			continue;
		if (!scan_device(&line, &major, &minor) || !scan_word(&line, &word) ||
		    !scan_unsigned(&line, &v)) {
			rows_problem(p->rows, "%s of %s: a line is no device's", file,
				     p->group->path);
			continue;
		}
		d = find(devices, major, minor);
		if (d && bytes_are(word, "Read"))
			set(d, read, v);
		else if (d && bytes_are(word, "Write"))
			set(d, written, v);
		else if (d && bytes_are(word, "Discard"))
			set(d, discarded, v);
	}
	return true;
}

static bool read_v1(const struct cgroup_part *p, struct devices *devices)
{
	static const char *const files[][2] = {
		{ "blkio.throttle.io_service_bytes_recursive",
		  "blkio.throttle.io_serviced_recursive" },
		{ "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (read_v1_file(p, files[i][0], devices, CGROUP_IO_READ, CGROUP_IO_WRITTEN,
				 CGROUP_IO_DISCARDED))
			return read_v1_file(p, files[i][1], devices, CGROUP_IO_READS,
					    CGROUP_IO_WRITES, CGROUP_IO_DISCARDS);
	return false;
}

/* sysfs leads from the number to the device; the last component is its name. */
static void put_name(const struct cgroup_part *p, const struct device *d)
{
	char path[64], target[512];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "dev/block/%llu:%llu", (unsigned long long)d->major,
		 (unsigned long long)d->minor);
	n = readlinkat(p->groups->roots->sys, path, target, sizeof(target) - 1);
	if (n <= 0) {
		rows_string(p->rows, CGROUP_IO_DEVICE, path + strlen("dev/block/"));
		return;
	}
	target[n] = 0;
	name = strrchr(target, '/');
	rows_string(p->rows, CGROUP_IO_DEVICE, name ? name + 1 : target);
}

void cgroup_io_read(const struct cgroup_part *p)
{
	_cleanup_free_ struct devices *devices = calloc(1, sizeof(*devices));

	if (!devices || !(p->groups->at[CGROUP_IO].v2 ? read_v2(p, devices) : read_v1(p, devices)))
		return;
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *d = &devices->list[i];

		cgroup_add_row(p, CGROUP_TABLE_IO);
		put_name(p, d);
		for (unsigned int k = 0; k < CGROUP_IO_COUNTERS; k++)
			if (d->has[k])
				rows_unsigned(p->rows, CGROUP_IO_COUNTER + k, d->counters[k]);
		rates_fill(p->rates, p->rows);
	}
}
