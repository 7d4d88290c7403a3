// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's log from /dev/kmsg: first what it still holds, then what comes. What the kernel
 * overwrote before it was read is a gap in the sequence numbers, and counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/kernel_log.h"
#include "collect/roots.h"

#define RECORD_BYTES 16384 /* twice the kernel's bound; EINVAL would mean that it is too small */
#define RECORDS_PER_READ 2000 /* then others have their turn */

enum {
	KERNEL_SEQUENCE,
	KERNEL_SEVERITY,
	KERNEL_FACILITY,
	KERNEL_LEVEL,
	KERNEL_SUBSYSTEM,
	KERNEL_DEVICE,
	KERNEL_MESSAGE,
	KERNEL_FLAGS,
	KERNEL_LOST,
};

/* clang-format off */
static const struct row_column columns[] = {
	[KERNEL_SEQUENCE] = { "sequence", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the kernel's number of the record" },
	[KERNEL_SEVERITY] = { "severity", "", ROW_WORDS, ROW_TEXT, 0, 0, "emerg, alert, crit, err, warning, notice, info, debug" },
	[KERNEL_FACILITY] = { "facility", "", ROW_WORDS, ROW_TEXT, 0, 0, "kern, or who wrote to /dev/kmsg" },
	[KERNEL_LEVEL] = { "level", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "severity as a number, 0 is the worst" },
	[KERNEL_SUBSYSTEM] = { "subsystem", "", ROW_WORDS, ROW_TEXT, 0, 0, "as the record, or its message, says" },
	[KERNEL_DEVICE] = { "device", "", ROW_WORDS, ROW_TEXT, 0, 0, "as the record, or its message, says" },
	[KERNEL_MESSAGE] = { "message", "", ROW_WORDS, ROW_TEXT, 0, 0, "text" },
	[KERNEL_FLAGS] = { "flags", "", ROW_WORDS, ROW_TEXT, 0, 0, "c: a part of a line" },
	[KERNEL_LOST] = { "lost", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "records overwritten before this one was read" },
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "kernel",
	  .collector = "kernel",
	  .summary = "messages of the kernel",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns),
	  .no_metrics = true },
};

struct kernel {
	int fd;
	bool first;
	uint64_t next_sequence;
	char record[RECORD_BYTES];
};

static int open_kmsg(const struct collector_settings *s)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/kmsg", s->dev);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static char *explain(const struct collector_settings *s, int error)
{
	char *text;
	int n;

	if (error == -EPERM || error == -EACCES)
		n = asprintf(&text,
			     "%s/kmsg may not be read: CAP_SYSLOG is missing, or the unit hides "
			     "devices; the drop-in kmsg.conf allows it",
			     s->dev);
	else if (error == -ENOENT)
		n = asprintf(&text,
			     "%s/kmsg is not there: the unit hides devices; the drop-in kmsg.conf "
			     "shows it",
			     s->dev);
	else
		n = asprintf(&text, "%s/kmsg cannot be opened: %s", s->dev, strerror(-error));
	return n < 0 ? NULL : text;
}

static int kernel_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct kernel *k;
	int fd = open_kmsg(s);

	if (fd < 0) {
		*ret_error = explain(s, fd);
		return fd;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		close(fd);
		return -ENOMEM;
	}
	k->fd = fd;
	k->first = true;
	*ret = k;
	return 0;
}

static void kernel_close(void *state)
{
	struct kernel *k = state;

	close(k->fd);
	free(k);
}

static int kernel_fd(void *state)
{
	return ((struct kernel *)state)->fd;
}

static void put_bytes(struct rows *rows, unsigned int column, struct record_bytes text)
{
	if (text.size)
		rows_text(rows, column, text.data, text.size);
}

static void put_record(struct kernel *k, size_t size, struct rows *rows)
{
	struct kernel_record r;

	if (!kernel_record_parse(k->record, size, &r)) {
		rows_problem(rows, "a record of /dev/kmsg is not what a kernel writes");
		return;
	}
	rows_add_at(rows, 0, r.time_us * 1000);
	rows_unsigned(rows, KERNEL_SEQUENCE, r.sequence);
	rows_unsigned(rows, KERNEL_LEVEL, r.severity);
	rows_string(rows, KERNEL_SEVERITY, kernel_severity_name(r.severity));
	if (*kernel_facility_name(r.facility))
		rows_string(rows, KERNEL_FACILITY, kernel_facility_name(r.facility));
	put_bytes(rows, KERNEL_SUBSYSTEM, r.subsystem);
	put_bytes(rows, KERNEL_DEVICE, r.device);
	put_bytes(rows, KERNEL_MESSAGE, r.message);
	if (r.flags.size && !bytes_are(r.flags, "-"))
		put_bytes(rows, KERNEL_FLAGS, r.flags);
	if (!k->first && r.sequence > k->next_sequence)
		rows_unsigned(rows, KERNEL_LOST, r.sequence - k->next_sequence);
	k->first = false;
	k->next_sequence = r.sequence + 1;
}

static int kernel_read(void *state, struct rows *rows)
{
	struct kernel *k = state;

	for (size_t i = 0; i < RECORDS_PER_READ; i++) {
		ssize_t n = read(k->fd, k->record, sizeof(k->record));

		if (n > 0)
			put_record(k, (size_t)n, rows);
		else if (n == 0 || errno == EAGAIN)
			return 0;
		else if (errno == EINVAL)
			rows_problem(rows, "a record of /dev/kmsg is longer than %d bytes",
				     RECORD_BYTES);
		else if (errno != EPIPE && errno != EINTR) /* EPIPE: overwritten; the gap tells */
			return -errno;
	}
	return 0;
}

static int kernel_probe(const struct collector_settings *s, char **ret_reason)
{
	int fd = open_kmsg(s);

	if (fd < 0) {
		*ret_reason = explain(s, fd);
		return fd;
	}
	close(fd);
	return 0;
}

const struct collector collector_kernel = {
	.name = "kernel",
	.summary = "messages of the kernel: what it still holds, and what comes",
	.needs = "/dev/kmsg, CAP_SYSLOG",
	.kind = COLLECTOR_STREAM,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = kernel_probe,
	.open = kernel_open,
	.read = kernel_read,
	.fd = kernel_fd,
	.close = kernel_close,
};
