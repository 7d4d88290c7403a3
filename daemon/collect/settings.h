/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Settings of a collector: made from what the configuration says, compared when it is reloaded. */
#include "collect/collector.h"

void collector_settings_done(struct collector_settings *s);
int collector_settings_copy(const struct collector_settings *s, struct collector_settings *ret);
bool collector_settings_equal(const struct collector_settings *a,
			      const struct collector_settings *b);
