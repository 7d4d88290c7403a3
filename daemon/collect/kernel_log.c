// SPDX-License-Identifier: Apache-2.0
#include "collect/kernel_log.h"

#include "collect/scan.h"

/* How messages name what they are about, when no key says so. */
#define MAX_SUBSYSTEM 20 /* bytes of "subsystem: " */
#define MAX_PREFIX 50 /* the colon comes before */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t unescape(char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\\' && size - i > 3 && text[i + 1] == 'x' &&
		    hex(text[i + 2]) >= 0 && hex(text[i + 3]) >= 0) {
			text[n++] = (char)(hex(text[i + 2]) << 4 | hex(text[i + 3]));
			i += 3;
		} else {
			text[n++] = text[i];
		}
	}
	return n;
}

static struct record_bytes part(const char *start, const char *end)
{
	return (struct record_bytes){ .data = start, .size = (size_t)(end - start) };
}

static bool is_word(struct record_bytes text)
{
	return text.size && !memchr(text.data, ' ', text.size);
}

/* "[subsystem] ..." or "subsystem: ..." or "subsystem device: ..." */
static void guess(struct kernel_record *k)
{
	const char *start = k->message.data, *end = start + k->message.size;
	const char *bracket = memchr(start, ']', k->message.size), *colon, *blank;

	if (k->message.size && *start == '[' && bracket) {
		struct record_bytes name = part(start + 1, bracket);

		if (name.size < MAX_SUBSYSTEM && is_word(name))
			k->subsystem = name;
		return;
	}
	colon = memmem(start, k->message.size, ": ", 2);
	if (!colon || colon - start > MAX_PREFIX)
		return;
	blank = memchr(start, ' ', (size_t)(colon - start));
	if (!blank && colon - start < MAX_SUBSYSTEM) {
		k->subsystem = part(start, colon);
	} else if (blank && blank > start && is_word(part(blank + 1, colon)) && blank < end) {
		k->subsystem = part(start, blank);
		k->device = part(blank + 1, colon);
	}
}

static bool parse_number(const char **at, const char *end, uint64_t *ret)
{
	uint64_t v = 0;
	const char *start = *at;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(v, 10ULL, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(**at - '0'), &v))
			return false;
	if (*at == start || *at == end || **at != ',')
		return false;
	(*at)++;
	*ret = v;
	return true;
}

static bool parse_head(const char *at, const char *end, struct kernel_record *k)
{
	const char *comma;
	uint64_t priority;

	if (!parse_number(&at, end, &priority) || priority > UINT32_MAX ||
	    !parse_number(&at, end, &k->sequence) || !parse_number(&at, end, &k->time_us))
		return false;
	comma = memchr(at, ',', (size_t)(end - at));
	k->flags = part(at, comma ? comma : end);
	k->severity = (unsigned int)priority & 7;
	k->facility = (unsigned int)priority >> 3;
	return true;
}

/* " KEY=VALUE" */
static void take_key(char *line, size_t size, struct kernel_record *k)
{
	static const char subsystem[] = " SUBSYSTEM=", device[] = " DEVICE=";
	size_t n;

	if (size >= sizeof(subsystem) - 1 && memcmp(line, subsystem, sizeof(subsystem) - 1) == 0) {
		n = sizeof(subsystem) - 1;
		k->subsystem = (struct record_bytes){ line + n, unescape(line + n, size - n) };
	} else if (size >= sizeof(device) - 1 && memcmp(line, device, sizeof(device) - 1) == 0) {
		n = sizeof(device) - 1;
		k->device = (struct record_bytes){ line + n, unescape(line + n, size - n) };
	}
}

bool kernel_record_parse(char *data, size_t size, struct kernel_record *ret)
{
	char *semicolon = memchr(data, ';', size), *message, *end = data + size, *newline;
	struct kernel_record k = {};

	if (!semicolon || !parse_head(data, semicolon, &k))
		return false;
	message = semicolon + 1;
	newline = memchr(message, '\n', (size_t)(end - message));
	newline = newline ? newline : end;
	k.message = (struct record_bytes){
		.data = message,
		.size = unescape(message, (size_t)(newline - message)),
	};
	for (char *line = newline; line < end;) {
		char *next;

		line++;
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		take_key(line, (size_t)(next - line), &k);
		line = next;
	}
	if (!k.subsystem.data && !k.device.data)
		guess(&k);
	*ret = k;
	return true;
}

const char *kernel_severity_name(unsigned int severity)
{
	static const char *const names[] = { "emerg",	"alert",  "crit", "err",
					     "warning", "notice", "info", "debug" };

	return severity < ARRAY_SIZE(names) ? names[severity] : "";
}

const char *kernel_facility_name(unsigned int facility)
{
	static const char *const names[] = {
		"kern",	  "user",   "mail",	"daemon", "auth",   "syslog", "lpr",	"news",
		"uucp",	  "cron",   "authpriv", "ftp",	  "ntp",    "audit",  "alert",	"clock",
		"local0", "local1", "local2",	"local3", "local4", "local5", "local6", "local7",
	};

	return facility < ARRAY_SIZE(names) ? names[facility] : "";
}
