// SPDX-License-Identifier: Apache-2.0
#include "collect/memory_modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define SMBIOS "firmware/dmi/tables/DMI"
#define EDAC "devices/system/edac/mc"
#define MEMORY_DEVICE 17
#define END_OF_TABLE 127
#define HEAD_BYTES 4 /* type, length, handle */
#define MAX_MODULES 4096
#define MEBIBYTE (1ULL << 20)

/* --- the firmware's table --- */

struct structure {
	const uint8_t *data; /* of `length` bytes */
	size_t length;
	struct scan strings; /* each ends with a NUL */
};

/* A structure's strings end with an empty one; when it has none, two NULs follow it. */
static bool take_structure(struct scan *table, struct structure *ret)
{
	size_t left = (size_t)(table->end - table->at);
	const uint8_t *data = (const uint8_t *)table->at;
	const char *end;

	if (left < HEAD_BYTES || data[1] < HEAD_BYTES || data[1] > left)
		return false;
	*ret = (struct structure){ .data = data, .length = data[1] };
	end = memmem(data + data[1], left - data[1], "\0", 2);
	if (!end)
		return false;
	ret->strings = (struct scan){ (const char *)data + data[1], end + 1 };
	table->at = end + 2;
	return true;
}

/* Little-endian numbers; 0 where the structure, of an older version, ends before. */
static uint64_t number(const struct structure *s, size_t offset, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = bytes; offset + bytes <= s->length && i--;)
		v = v << 8 | s->data[offset + i];
	return v;
}

static void put_string(struct rows *rows, unsigned int column, const struct structure *s,
		       size_t offset)
{
	uint64_t n = number(s, offset, 1);
	struct scan left = s->strings;

	while (n && left.at < left.end) {
		const char *text = left.at;
		size_t size = strnlen(text, (size_t)(left.end - text));

		left.at += MIN(size + 1, (size_t)(left.end - text));
		if (--n)
			continue;
		while (size && text[size - 1] == ' ')
			size--;
		if (size)
			rows_text(rows, column, text, size);
	}
}

static void put_name(struct rows *rows, unsigned int column, const char *const *names, size_t n,
		     uint64_t value)
{
	if (value < n)
		rows_string(rows, column, names[value]);
}

/* 0 and all ones say that it is not known. */
static void put_known(struct rows *rows, unsigned int column, uint64_t value, uint64_t unknown)
{
	if (value && value != unknown)
		rows_unsigned(rows, column, value);
}

/* In units that the highest bit tells; 7fffh: a number of MiB stands elsewhere. */
static bool size_of(const struct structure *s, uint64_t *ret)
{
	uint64_t size = number(s, 0x0c, 2);

	if (size == 0xffff || s->length < 0x0e)
		return false;
	if (size == 0x7fff)
		*ret = (number(s, 0x1c, 4) & 0x7fffffff) * MEBIBYTE;
	else
		*ret = (size & 0x7fff) * (size & 0x8000 ? 1024 : MEBIBYTE);
	return true;
}

static void put_speed(struct rows *rows, unsigned int column, const struct structure *s,
		      size_t offset, size_t extended)
{
	uint64_t speed = number(s, offset, 2);

	put_known(rows, column, speed == 0xffff ? number(s, extended, 4) : speed, 0xffffffff);
}

static void put_properties(struct rows *rows, const struct structure *s)
{
	static const char *const types[] = {
		[0x0f] = "SDRAM",  [0x12] = "DDR",    [0x13] = "DDR2",	 [0x14] = "DDR2 FB-DIMM",
		[0x18] = "DDR3",   [0x1a] = "DDR4",   [0x1b] = "LPDDR",	 [0x1c] = "LPDDR2",
		[0x1d] = "LPDDR3", [0x1e] = "LPDDR4", [0x1f] = "NVDIMM", [0x20] = "HBM",
		[0x21] = "HBM2",   [0x22] = "DDR5",   [0x23] = "LPDDR5", [0x24] = "HBM3",
	};
	static const char *const forms[] = {
		[0x05] = "chip",   [0x09] = "DIMM",    [0x0b] = "chips", [0x0c] = "RIMM",
		[0x0d] = "SODIMM", [0x0f] = "FB-DIMM", [0x10] = "die",	 [0x11] = "CAMM",
	};

	put_name(rows, MODULE_TYPE, types, ARRAY_SIZE(types), number(s, 0x12, 1));
	put_name(rows, MODULE_FORM, forms, ARRAY_SIZE(forms), number(s, 0x0e, 1));
	put_speed(rows, MODULE_SPEED, s, 0x15, 0x54);
	put_speed(rows, MODULE_CONFIGURED_SPEED, s, 0x20, 0x58);
	put_known(rows, MODULE_TOTAL_WIDTH, number(s, 0x08, 2), 0xffff);
	put_known(rows, MODULE_DATA_WIDTH, number(s, 0x0a, 2), 0xffff);
	put_known(rows, MODULE_RANKS, number(s, 0x1b, 1) & 0x0f, 0);
	put_known(rows, MODULE_VOLTAGE, number(s, 0x26, 2), 0);
	put_string(rows, MODULE_MANUFACTURER, s, 0x17);
	put_string(rows, MODULE_PART, s, 0x1a);
	put_string(rows, MODULE_SERIAL, s, 0x18);
}

/* True: there is a module in the slot. */
static bool put_device(struct rows *rows, unsigned int table, uint64_t slot,
		       const struct structure *s)
{
	uint64_t size;
	bool known = size_of(s, &size);

	rows_add(rows, table);
	rows_unsigned(rows, MODULE_MODULE, slot);
	rows_string(rows, MODULE_SOURCE, "smbios");
	put_string(rows, MODULE_LOCATOR, s, 0x10);
	put_string(rows, MODULE_BANK, s, 0x11);
	if (known)
		rows_unsigned(rows, MODULE_SIZE, size);
	if (known && size == 0)
		return false;
	put_properties(rows, s);
	return true;
}

static uint64_t put_smbios(struct scan text, struct rows *rows, unsigned int table, uint64_t *slots)
{
	uint64_t modules = 0;
	struct structure s;

	while (text.at < text.end && *slots < MAX_MODULES) {
		if (!take_structure(&text, &s)) {
			rows_problem(rows, "/sys/" SMBIOS ": a structure reaches beyond the end");
			break;
		}
		if (s.data[0] == END_OF_TABLE)
			break;
		if (s.data[0] == MEMORY_DEVICE)
			modules += put_device(rows, table, (*slots)++, &s);
	}
	return modules;
}

/* --- the drivers of memory controllers --- */

static void put_word(struct roots *roots, struct rows *rows, unsigned int column, int directory,
		     const char *file)
{
	char text[128];

	if (roots_read_string(roots, directory, file, text, sizeof(text)) == 0 && *text)
		rows_string(rows, column, text);
}

static bool put_dimm(struct roots *roots, struct rows *rows, unsigned int table, uint64_t slot,
		     int directory)
{
	uint64_t mebibytes;

	if (roots_read_unsigned(roots, directory, "size", &mebibytes) < 0 ||
	    mebibytes > UINT64_MAX / MEBIBYTE) {
		rows_missing(rows);
		return false;
	}
	rows_add(rows, table);
	rows_unsigned(rows, MODULE_MODULE, slot);
	rows_string(rows, MODULE_SOURCE, "edac");
	rows_unsigned(rows, MODULE_SIZE, mebibytes * MEBIBYTE);
	put_word(roots, rows, MODULE_LOCATOR, directory, "dimm_label");
	put_word(roots, rows, MODULE_BANK, directory, "dimm_location");
	if (mebibytes)
		put_word(roots, rows, MODULE_TYPE, directory, "dimm_mem_type");
	return mebibytes > 0;
}

static bool counted(const char *name, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(name, prefix, size) == 0 && name[size] >= '0' && name[size] <= '9';
}

static uint64_t put_controller(struct roots *roots, struct rows *rows, unsigned int table,
			       const char *controller, uint64_t *slots)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[300];
	uint64_t modules = 0;
	struct dirent *d;

	snprintf(path, sizeof(path), EDAC "/%.255s", controller);
	if (roots_list(roots->sys, path, &dir) < 0)
		return 0;
	while ((d = readdir(dir)) && *slots < MAX_MODULES) {
		_cleanup_close_ int directory = -1;

		if (!counted(d->d_name, "dimm") && !counted(d->d_name, "rank"))
			continue;
		directory = openat(dirfd(dir), d->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		modules += put_dimm(roots, rows, table, (*slots)++, directory);
	}
	return modules;
}

static uint64_t put_edac(struct roots *roots, struct rows *rows, unsigned int table)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	uint64_t modules = 0, slots = 0;
	struct dirent *d;

	if (roots_list(roots->sys, EDAC, &dir) < 0)
		return 0;
	while ((d = readdir(dir)))
		if (counted(d->d_name, "mc"))
			modules += put_controller(roots, rows, table, d->d_name, &slots);
	return modules;
}

uint64_t memory_modules_put(struct roots *roots, struct rows *rows, unsigned int table)
{
	int r = roots_read(roots, roots->sys, SMBIOS);
	uint64_t slots = 0, modules = 0;

	if (r == 0)
		modules = put_smbios(scan_buffer(&roots->text), rows, table, &slots);
	else if (r != -ENOENT)
		rows_missing(rows);
	return slots ? modules : put_edac(roots, rows, table);
}
