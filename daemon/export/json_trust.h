/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How far a profile can be trusted, as JSON: the same members wherever it is printed. */
#include "profile/profile.h"
#include "util/json.h"

/* "rates": what an event was sampled at, in the order of time. */
void json_put_rates(struct json *j, const struct profile_event *e);
/* "ledger": what became of the samples of an event. */
void json_put_ledger(struct json *j, const struct profile_ledger *l);
/* `key`: samples by the status of their stacks, [PROFILE_STATUSES]; statuses without any are left
 * out unless `all`. */
void json_put_statuses(struct json *j, const char *key, const uint64_t *samples, bool all);
