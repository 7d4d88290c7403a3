/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The slots for memory modules and what is in them: the firmware's table (DMTF DSP0134, System
 * Management BIOS, structures of type 17), or where there is none, or no right to read it, what the
 * drivers of the memory controllers say (Documentation/driver-api/edac.rst).
 */
#include "collect/roots.h"

enum {
	MODULE_MODULE,
	MODULE_LOCATOR,
	MODULE_BANK,
	MODULE_SIZE,
	MODULE_TYPE,
	MODULE_FORM,
	MODULE_SPEED,
	MODULE_CONFIGURED_SPEED,
	MODULE_DATA_WIDTH,
	MODULE_TOTAL_WIDTH,
	MODULE_RANKS,
	MODULE_VOLTAGE,
	MODULE_MANUFACTURER,
	MODULE_PART,
	MODULE_SERIAL,
	MODULE_SOURCE,
};

/* clang-format off */
#define MODULE_GAUGE(name, unit, help) { name, unit, ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }
#define MODULE_WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }

#define MODULE_COLUMNS                                                                             \
	[MODULE_MODULE] = { "module", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number of the slot, from 0 on" }, \
	[MODULE_LOCATOR] = MODULE_WORDS("locator", "the slot, as it is printed on the board"),     \
	[MODULE_BANK] = MODULE_WORDS("bank", "the firmware's name of its bank, or the driver's of its place"), \
	[MODULE_SIZE] = MODULE_GAUGE("size", "bytes", "0: the slot is empty; absent: unknown"),   \
	[MODULE_TYPE] = MODULE_WORDS("type", "DDR4, DDR5 ..."),                                    \
	[MODULE_FORM] = MODULE_WORDS("form", "DIMM, SODIMM ..."),                                  \
	[MODULE_SPEED] = MODULE_GAUGE("speed", "MT/s", "that it is made for"),                     \
	[MODULE_CONFIGURED_SPEED] = MODULE_GAUGE("configured_speed", "MT/s", "at which it runs"), \
	[MODULE_DATA_WIDTH] = MODULE_GAUGE("data_width", "bits", "without those that correct errors"), \
	[MODULE_TOTAL_WIDTH] = MODULE_GAUGE("total_width", "bits", "with them: 72 or 80 beside 64 is ECC"), \
	[MODULE_RANKS] = MODULE_GAUGE("ranks", "", "ranks"),                                       \
	[MODULE_VOLTAGE] = MODULE_GAUGE("voltage", "mV", "at which it runs"),                      \
	[MODULE_MANUFACTURER] = MODULE_WORDS("manufacturer", "who made it"),                       \
	[MODULE_PART] = MODULE_WORDS("part", "its maker's number of it"),                          \
	[MODULE_SERIAL] = MODULE_WORDS("serial", "number of this one"),                            \
	[MODULE_SOURCE] = MODULE_WORDS("source", "smbios or edac")
/* clang-format on */

/* Puts rows into the table; returns how many modules, as opposed to empty slots, there are. */
uint64_t memory_modules_put(struct roots *roots, struct rows *rows, unsigned int table);
