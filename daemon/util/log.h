/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Messages for the operator: structured journal fields under systemd, one plain line on stderr
 * elsewhere.
 *
 * The function that decides, logs, once. pmu/ and util/ never call this.
 */
#include <stdbool.h>
#include <syslog.h>

#include "util/cleanup.h"

/* Logs nothing below this priority (LOG_INFO by default; LOG_DEBUG with -v). */
void log_set_max_level(int priority);
bool log_enabled(int priority);
/* Where messages go: true = journal (done when stderr is a journal stream), false = stderr. */
void log_open(void);

/*
 * Logs one message. `id` is a MESSAGE_ID from systemd/ebpf-profiler.catalog or NULL; `error` is 0
 * or a negative errno, added as ERRNO= and, after the text, in words. Returns `error`.
 */
int log_full(int priority, int error, const char *id, const char *file, int line, const char *func,
	     const char *format, ...) _printf_(7, 8);

#define log_msg(prio, error, id, ...)                                                              \
	(log_enabled(prio) ? log_full(prio, error, id, __FILE__, __LINE__, __func__, __VA_ARGS__)  \
			   : (error))

#define log_debug(...) ((void)log_msg(LOG_DEBUG, 0, NULL, __VA_ARGS__))
#define log_info(...) ((void)log_msg(LOG_INFO, 0, NULL, __VA_ARGS__))
#define log_notice(...) ((void)log_msg(LOG_NOTICE, 0, NULL, __VA_ARGS__))
#define log_warning(...) ((void)log_msg(LOG_WARNING, 0, NULL, __VA_ARGS__))
#define log_error(...) ((void)log_msg(LOG_ERR, 0, NULL, __VA_ARGS__))

/* return log_error_errno(r, "Cannot open %s", path); */
#define log_debug_errno(r, ...) log_msg(LOG_DEBUG, r, NULL, __VA_ARGS__)
#define log_warning_errno(r, ...) log_msg(LOG_WARNING, r, NULL, __VA_ARGS__)
#define log_error_errno(r, ...) log_msg(LOG_ERR, r, NULL, __VA_ARGS__)
