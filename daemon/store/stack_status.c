// SPDX-License-Identifier: Apache-2.0
#include "store/stack_status.h"

#include <linux/types.h>

#include "bpf/sample.h"

static const struct {
	const char *name, *words;
} statuses[STACK_STATUS_MAX] = {
	[STACK_NONE] = { "none", "none" },
	[STACK_COMPLETE] = { "complete", "complete" },
	[STACK_TRUNCATED] = { "truncated", "truncated" },
	[STACK_FAULT] = { "fault", "unreadable" },
	[STACK_UNVERIFIED] = { "unverified", "by frame pointers, unverified" },
	[STACK_NO_MAPPING] = { "no_mapping", "outside every mapping" },
	[STACK_NO_ROWS] = { "no_rows", "without rows" },
	[STACK_UNSUPPORTED] = { "unsupported", "with an unsupported rule" },
	[STACK_JIT] = { "jit", "through code without rows" },
	[STACK_EARLY] = { "early", "before their rows were there" },
};

_Static_assert(STACK_STATUS_MAX <= STACK_STATUSES, "a status has four bits");

const char *stack_status_name(size_t status)
{
	return status < STACK_STATUS_MAX ? statuses[status].name : "unknown";
}

const char *stack_status_words(size_t status)
{
	return status < STACK_STATUS_MAX ? statuses[status].words : "of an unknown kind";
}
