// SPDX-License-Identifier: Apache-2.0
/*
 * Which host this is: names, ids that stay (machine-id(5), the firmware's UUID) and one that does
 * not (the boot's), operating system (os-release(5), machine-info(5)), kernel, maker.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "collect/basic.h"
#include "host/text_file.h"
#include "util/file.h"
#include "util/parse.h"

enum {
	HOST_HOSTNAME,
	HOST_MACHINE_ID,
	HOST_BOOT_ID,
	HOST_SYSTEM_UUID,
	HOST_SYSTEM_VENDOR,
	HOST_SYSTEM_PRODUCT,
	HOST_BOARD,
	HOST_FIRMWARE,
	HOST_OS,
	HOST_OS_ID,
	HOST_OS_VERSION,
	HOST_KERNEL,
	HOST_ARCHITECTURE,
	HOST_BOOT_TIME,
	HOST_PRETTY_NAME,
	HOST_CHASSIS,
	HOST_DEPLOYMENT,
	HOST_LOCATION,
};

/* clang-format off */
#define WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }

static const struct row_column columns[] = {
	[HOST_HOSTNAME] = WORDS("hostname", "its name"),
	[HOST_MACHINE_ID] = WORDS("machine_id", "of the installation"),
	[HOST_BOOT_ID] = WORDS("boot_id", "of this boot"),
	[HOST_SYSTEM_UUID] = WORDS("system_uuid", "of the machine, from its firmware; only root may read it"),
	[HOST_SYSTEM_VENDOR] = WORDS("vendor", "of the machine"),
	[HOST_SYSTEM_PRODUCT] = WORDS("product", "name of the machine"),
	[HOST_BOARD] = WORDS("board", "name of its main board"),
	[HOST_FIRMWARE] = WORDS("firmware", "version of its firmware"),
	[HOST_OS] = WORDS("os", "operating system"),
	[HOST_OS_ID] = WORDS("os_id", "the same in a word"),
	[HOST_OS_VERSION] = WORDS("os_version", "version of the operating system"),
	[HOST_KERNEL] = WORDS("kernel", "release of the kernel"),
	[HOST_ARCHITECTURE] = WORDS("architecture", "of the kernel"),
	[HOST_BOOT_TIME] = { "boot_time", "time", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "when it was started" },
	[HOST_PRETTY_NAME] = WORDS("pretty_name", "its name for people, of /etc/machine-info, as are the next three"),
	[HOST_CHASSIS] = WORDS("chassis", "server, vm, container ..."),
	[HOST_DEPLOYMENT] = WORDS("deployment", "production, staging ..."),
	[HOST_LOCATION] = WORDS("location", "where it stands"),
};

static const struct row_table tables[] = {
	{ .name = "host_info", .collector = "host_info", .summary = "which host this is",
	  .columns = columns, .n_columns = ARRAY_SIZE(columns) },
};
/* clang-format on */

struct host_info {
	struct basic basic;
	int root; /* the host's root directory */
	bool foreign; /* a tree that stands in for /proc: uname(2) would tell of another host */
	struct buffer text;
};

static void host_info_close(void *state)
{
	struct host_info *h = state;

	safe_close(h->root);
	buffer_done(&h->text);
	basic_done(&h->basic);
	free(h);
}

static int host_info_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct host_info *h = calloc(1, sizeof(*h));
	int r = h ? basic_init(&h->basic, s) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(h);
		return r;
	}
	h->root = roots_open_host(s->procfs);
	h->foreign = strcmp(s->procfs, "/proc") != 0;
	h->text.limit = 64U << 10;
	*ret = h;
	return 0;
}

static bool put_file(struct host_info *h, int root, const char *path, struct rows *rows,
		     unsigned int column)
{
	char text[256];

	if (roots_read_string(&h->basic.roots, root, path, text, sizeof(text)) < 0 || !*text)
		return false;
	rows_string(rows, column, text);
	return true;
}

/* "KEY=value" lines, of which the text is NUL-terminated. */
static bool read_lines(struct host_info *h, const char *path)
{
	return h->root >= 0 && file_read(h->root, path, &h->text) == 0 &&
	       !memchr(h->text.data, 0, h->text.size);
}

static void put_field(struct host_info *h, const char *key, struct rows *rows, unsigned int column)
{
	char value[256];

	if (text_field((const char *)h->text.data, key, '=', value, sizeof(value)) == 0 && *value)
		rows_string(rows, column, value);
}

static void put_os(struct host_info *h, struct rows *rows)
{
	if (read_lines(h, "etc/os-release") || read_lines(h, "usr/lib/os-release")) {
		put_field(h, "PRETTY_NAME", rows, HOST_OS);
		put_field(h, "ID", rows, HOST_OS_ID);
		put_field(h, "VERSION_ID", rows, HOST_OS_VERSION);
	} else {
		rows_missing(rows);
	}
	if (read_lines(h, "etc/machine-info")) {
		put_field(h, "PRETTY_HOSTNAME", rows, HOST_PRETTY_NAME);
		put_field(h, "CHASSIS", rows, HOST_CHASSIS);
		put_field(h, "DEPLOYMENT", rows, HOST_DEPLOYMENT);
		put_field(h, "LOCATION", rows, HOST_LOCATION);
	}
}

static void put_boot_time(struct host_info *h, struct rows *rows)
{
	struct roots *r = &h->basic.roots;
	struct scan s, line;
	uint64_t seconds;

	if (roots_need(r, r->proc, "stat", rows) < 0)
		return;
	s = scan_buffer(&r->text);
	while (scan_line(&s, &line))
		if (scan_literal(&line, "btime") && scan_unsigned(&line, &seconds) &&
		    seconds < UINT32_MAX)
			rows_unsigned(rows, HOST_BOOT_TIME, seconds * NSEC_PER_SEC);
}

static int host_info_read(void *state, struct rows *rows)
{
	struct host_info *h = state;
	int proc = h->basic.roots.proc, sys = h->basic.roots.sys;
	struct utsname u;

	rows_add(rows, 0);
	put_file(h, proc, "sys/kernel/hostname", rows, HOST_HOSTNAME);
	if (!put_file(h, h->root, "etc/machine-id", rows, HOST_MACHINE_ID) &&
	    !put_file(h, h->root, "var/lib/dbus/machine-id", rows, HOST_MACHINE_ID))
		rows_missing(rows);
	put_file(h, proc, "sys/kernel/random/boot_id", rows, HOST_BOOT_ID);
	if (!put_file(h, sys, "class/dmi/id/product_uuid", rows, HOST_SYSTEM_UUID))
		rows_missing(rows);
	put_file(h, sys, "class/dmi/id/sys_vendor", rows, HOST_SYSTEM_VENDOR);
	put_file(h, sys, "class/dmi/id/product_name", rows, HOST_SYSTEM_PRODUCT);
	put_file(h, sys, "class/dmi/id/board_name", rows, HOST_BOARD);
	put_file(h, sys, "class/dmi/id/bios_version", rows, HOST_FIRMWARE);
	put_os(h, rows);
	put_file(h, proc, "sys/kernel/osrelease", rows, HOST_KERNEL);
	if (!h->foreign && uname(&u) == 0)
		rows_string(rows, HOST_ARCHITECTURE, u.machine);
	put_boot_time(h, rows);
	return 0;
}

const struct collector collector_host_info = {
	.name = "host_info",
	.summary = "which host this is: names, ids, operating system, kernel, maker",
	.needs = "/proc/sys/kernel, /etc/machine-id, /etc/os-release; CAP_DAC_READ_SEARCH for the machine's UUID",
	.kind = COLLECTOR_ONCE,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = host_info_open,
	.read = host_info_read,
	.close = host_info_close,
};
