/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Everything for Prometheus: how the daemon does, and the collectors' latest rows. */
#include "engine/collecting.h"
#include "engine/status.h"
#include "util/buffer.h"

void prometheus_put(const struct engine_status *s, const struct collecting *c, struct buffer *out);
