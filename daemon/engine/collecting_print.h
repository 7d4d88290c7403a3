/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The list of collectors, for people and programs. */
#include "engine/collecting.h"
#include "util/buffer.h"

/* `running`: how they do in the daemon; else only whether they could work. */
void collecting_put_text(const struct collecting_entry *entries, size_t n, bool running,
			 struct buffer *out);
void collecting_put_json(const struct collecting_entry *entries, size_t n, bool running,
			 struct buffer *out);
