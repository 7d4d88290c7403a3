/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the page needs to colour boxes by a metric: the sums it is made of, for the same boxes as in
 * the rest of an event's data. The shape is described in page/model.js.
 */
#include "export/flame_tree.h"
#include "profile/sample_metric.h"
#include "util/json.h"

/* Writes the member "metric" of an event whose boxes below `threshold` are left out. */
void flame_put_metric(struct json *j, const struct flame_tree *t, const struct sample_metric *m,
		      const struct profile_event *e, uint64_t threshold);
