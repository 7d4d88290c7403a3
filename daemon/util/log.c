// SPDX-License-Identifier: Apache-2.0
/*
 * Under systemd, stderr is a journal stream whose device and inode are in $JOURNAL_STREAM
 * (systemd.exec(5)); then messages go to the journal with their fields. Anywhere else they are
 * lines on stderr.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "util/log.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

static int max_level = LOG_INFO;
static bool to_journal;

void log_set_max_level(int priority)
{
	max_level = priority;
}

bool log_enabled(int priority)
{
	return priority <= max_level;
}

void log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	to_journal = stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		     fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static struct iovec field(char *text)
{
	return (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
}

static void send_to_journal(int priority, int error, const char *id, const char *file, int line,
			    const char *func, const char *text)
{
	char message[2048 + 16], prio[16], code_file[256], code_line[32], number[32],
		message_id[64];
	struct iovec iov[5];
	int n = 0;

	snprintf(message, sizeof(message), "MESSAGE=%s", text);
	snprintf(prio, sizeof(prio), "PRIORITY=%d", priority);
	snprintf(code_file, sizeof(code_file), "CODE_FILE=%s", file);
	snprintf(code_line, sizeof(code_line), "CODE_LINE=%d", line);
	iov[n++] = field(message);
	iov[n++] = field(prio);
	if (error) {
		snprintf(number, sizeof(number), "ERRNO=%d", -error);
		iov[n++] = field(number);
	}
	if (id) {
		snprintf(message_id, sizeof(message_id), "MESSAGE_ID=%s", id);
		iov[n++] = field(message_id);
	}
	(void)sd_journal_sendv_with_location(code_file, code_line, func, iov, n);
}

int log_full(int priority, int error, const char *id, const char *file, int line, const char *func,
	     const char *format, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		return error;
	if (error && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerror(-error));
	if (to_journal)
		send_to_journal(priority, error, id, file, line, func, text);
	else
		fprintf(stderr, "ebpf-profiler: %s\n", text);
	return error;
}
