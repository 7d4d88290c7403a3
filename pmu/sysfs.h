/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Questions to bus/event_source/devices; `sysfs` is the root ("/sys", or a recorded tree).
 */
#include <stdbool.h>

#define SYSFS_DEVICES "bus/event_source/devices"

bool sysfs_has(const char *sysfs, const char *pmu, const char *file);
/* Counts what one core does: such events can be filtered by privilege level. */
bool sysfs_is_core(const char *sysfs, const char *pmu);
