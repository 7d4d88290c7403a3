// SPDX-License-Identifier: Apache-2.0
/* Any text is loaded or refused with a message; what was loaded survives being written and read
 * again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/config.h"
#include "util/buffer.h"

static char *dump(const struct config *c)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	config_dump(c, &b);
	return buffer_take_string(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_done) struct config c = { 0 }, again = { 0 };
	_cleanup_free_ char *messages = NULL, *more = NULL, *first = NULL, *second = NULL;

	if (config_load_text("fuzz", (const char *)data, size, &c, &messages) < 0) {
		if (!messages)
			abort();
		return 0;
	}
	first = dump(&c);
	if (config_load_text("dump", first, strlen(first), &again, &more) < 0 || more)
		abort();
	second = dump(&again);
	if (strcmp(first, second) != 0)
		abort();
	return 0;
}
