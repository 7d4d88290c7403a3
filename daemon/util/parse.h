/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Strict readers of what people type: the whole string must fit, or it is -EINVAL (-ERANGE when it
 * overflows).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/clock.h"

int parse_u64(const char *s, uint64_t *ret); /* decimal, or 0x... */
int parse_double(const char *s, double *ret); /* finite, not negative */
int parse_bool(const char *s, bool *ret); /* yes/no, true/false, on/off, 1/0 */
/* "64M", "2GiB", "512": powers of 1024; "0" is zero. */
int parse_size(const char *s, uint64_t *ret_bytes);
/* "10", "10s", "200ms", "1h30m", "7d", "2min": seconds without a unit; ns, us, ms, s, m or min, h,
 * d, w. */
int parse_duration(const char *s, uint64_t *ret_ns);
/*
 * A moment for --since and --until: "-5m" (before now), "now", "10:00", "10:00:30" (today),
 * "2026-01-31", "2026-01-31 10:00[:30]" or with a "T" between, all in local time, or with a
 * trailing "Z" in UTC, "@SECONDS" since the epoch. `now_ns` and the result are CLOCK_REALTIME.
 */
int parse_moment(const char *s, uint64_t now_ns, uint64_t *ret_ns);
/* "0,2-4,7" -> sorted, distinct ids, heap array; "" is the empty list. Ids above 65535 are -ERANGE.
 */
int parse_cpu_list(const char *s, int **ret, size_t *ret_n);

/* The opposite way, for output. */
char *format_size(uint64_t bytes, char *out, size_t size); /* "41 MB", as powers of 1000 */
char *format_count(double n, char *out, size_t size); /* "12.3k" */
char *format_duration(uint64_t ns, char *out, size_t size); /* "1 h 30 min", "200 ms" */
