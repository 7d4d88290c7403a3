/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The files of /sys/bus/event_source/devices/PMU/format/: which bits of which word of
 * perf_event_attr a field fills (Documentation/ABI/testing/sysfs-bus-event_source-devices-format).
 */
#include <linux/perf_event.h>
#include <stdint.h>

struct pmu_format {
	unsigned int word; /* config, config1, config2 */
	uint64_t mask;
};

/* "config1:0-7,21"; -EINVAL, or -EOPNOTSUPP for a word this perf_event_attr does not have. */
int pmu_format_parse(const char *text, struct pmu_format *ret);
/* Spreads `value` over the field's bits, lowest first; -ERANGE when it has more bits. */
int pmu_format_set(const struct pmu_format *f, uint64_t value, struct perf_event_attr *attr);
