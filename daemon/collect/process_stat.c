// SPDX-License-Identifier: Apache-2.0
#include "collect/process_stat.h"

#include <ctype.h>

bool process_pid_parse(const char *name, pid_t *ret)
{
	struct scan s = scan_bytes(name, strlen(name));
	uint64_t pid;

	if (!isdigit((unsigned char)name[0]) || strlen(name) > 10 || !scan_unsigned(&s, &pid) ||
	    !scan_end(&s) || pid == 0 || pid > INT32_MAX)
		return false;
	*ret = (pid_t)pid;
	return true;
}

/* The name stands between the first '(' and the last ')', and may hold both, and blanks. */
static bool split(struct scan text, uint64_t *ret_pid, struct record_bytes *ret_comm, char *state,
		  struct scan *ret_rest)
{
	size_t size = (size_t)(text.end - text.at);
	const char *open = memchr(text.at, '(', size), *close = memrchr(text.at, ')', size);
	struct scan before = { text.at, open }, rest = { close ? close + 1 : NULL, text.end };
	struct record_bytes word;

	if (!open || !close || close < open || !scan_unsigned(&before, ret_pid) ||
	    !scan_end(&before) || *ret_pid > INT32_MAX)
		return false;
	if (!scan_word(&rest, &word) || word.size != 1)
		return false;
	*ret_comm = (struct record_bytes){ open + 1, (size_t)(close - open - 1) };
	*state = word.data[0];
	*ret_rest = rest;
	return true;
}

/* The numbers behind the state, the fourth field on. */
enum {
	PPID,
	PGRP,
	SESSION,
	MINFLT = 6,
	MAJFLT = 8,
	UTIME = 10,
	STIME,
	PRIORITY = 14,
	NICE,
	NUM_THREADS,
	STARTTIME = 18,
	VSIZE,
	RSS,
	FIELDS,
};

/* Fields may be negative; those that cannot be are taken as unsigned, and some need all 64 bits. */
static bool parse_numbers(struct scan rest, uint64_t *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t negative;

		if (scan_unsigned(&rest, &fields[i]))
			continue;
		if (!scan_signed(&rest, &negative))
			return false;
		fields[i] = (uint64_t)negative;
	}
	return true;
}

/* Single blanks separate the fields, of which this passes over n. */
static bool skip_fields(struct scan *s, size_t n)
{
	while (n--) {
		const char *blank = memchr(s->at, ' ', (size_t)(s->end - s->at));

		if (!blank)
			return false;
		s->at = blank + 1;
	}
	return true;
}

/* Called for every process of the host: what is not asked for is not looked at. */
bool process_brief_parse(struct scan text, struct process_brief *ret)
{
	uint64_t pid, user, system, start;
	struct process_brief b;
	struct record_bytes comm;
	struct scan rest;

	if (!split(text, &pid, &comm, &b.state, &rest) || !skip_fields(&rest, 1 + UTIME) ||
	    !scan_unsigned(&rest, &user) || !scan_unsigned(&rest, &system) ||
	    !skip_fields(&rest, STARTTIME - STIME) || !scan_unsigned(&rest, &start) ||
	    __builtin_add_overflow(user, system, &b.ticks))
		return false;
	b.id = (struct process_id){ .pid = (pid_t)pid, .start_ticks = start };
	*ret = b;
	return true;
}

bool process_stat_parse(struct scan text, struct process_stat *ret)
{
	uint64_t f[FIELDS], pid;
	struct process_stat s;
	struct scan rest;

	if (!split(text, &pid, &s.comm, &s.state, &rest) || !parse_numbers(rest, f, FIELDS))
		return false;
	s.pid = (pid_t)pid;
	s.ppid = (int64_t)f[PPID];
	s.pgid = (int64_t)f[PGRP];
	s.sid = (int64_t)f[SESSION];
	s.priority = (int64_t)f[PRIORITY];
	s.nice = (int64_t)f[NICE];
	s.minor_faults = f[MINFLT];
	s.major_faults = f[MAJFLT];
	s.user_ticks = f[UTIME];
	s.system_ticks = f[STIME];
	s.threads = f[NUM_THREADS];
	s.start_ticks = f[STARTTIME];
	s.virtual_bytes = f[VSIZE];
	s.resident_pages = f[RSS];
	*ret = s;
	return true;
}

/* "Pss:                1234 kB"; false when it is another line, or no size. */
static bool take_kb(struct scan line, const char *name, uint64_t *sum)
{
	uint64_t kb;

	return scan_literal(&line, name) && scan_unsigned(&line, &kb) &&
	       scan_literal(&line, "kB") && kb <= UINT64_MAX / 4096 &&
	       !__builtin_add_overflow(*sum, kb * 1024, sum);
}

bool process_memory_parse(struct scan text, struct process_memory *ret)
{
	struct process_memory m = {};
	bool pss = false, uss = false;
	struct scan line;

	while (scan_line(&text, &line)) {
		pss |= take_kb(line, "Pss:", &m.pss_bytes);
		uss |= take_kb(line, "Private_Clean:", &m.uss_bytes);
		uss |= take_kb(line, "Private_Dirty:", &m.uss_bytes);
	}
	if (!pss || !uss)
		return false;
	*ret = m;
	return true;
}
