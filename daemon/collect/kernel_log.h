/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Records of /dev/kmsg: Documentation/ABI/testing/dev-kmsg. A record is
 *
 *   PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];MESSAGE
 *    KEY=VALUE
 *    ...
 *
 * with unprintable bytes and backslashes as \xNN; microseconds count from the boot.
 */
#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"

struct kernel_record {
	unsigned int facility, severity;
	uint64_t sequence, time_us;
	struct record_bytes flags; /* "-", or "c" for a line that others continue */
	struct record_bytes message; /* unescaped */
	struct record_bytes subsystem, device; /* of the keys SUBSYSTEM and DEVICE, else as the
						  message begins; may be empty */
};

/*
 * Takes `data` apart, which is changed in place: texts are unescaped there. False: it is no record.
 */
bool kernel_record_parse(char *data, size_t size, struct kernel_record *ret);

const char *kernel_severity_name(unsigned int severity); /* "emerg" ... "debug" */
const char *kernel_facility_name(unsigned int facility); /* "kern", "user" ...; "" unknown */
