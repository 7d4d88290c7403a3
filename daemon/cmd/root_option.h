/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "cmd/select.h"
#include "export/frames.h"

/* --root of flame and export: 1, or -EINVAL, and said so. */
static inline int take_root(const struct selection *s, const char *value, enum stack_root *ret)
{
	if (stack_root_parse(value, ret) == 0)
		return 1;
	return selection_wrong(s, "root", value,
			       "one of process, thread, pid, unit, container, all");
}
