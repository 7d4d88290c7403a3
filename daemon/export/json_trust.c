// SPDX-License-Identifier: Apache-2.0
#include "export/json_trust.h"

#include <linux/types.h>

#include "bpf/sample.h"
#include "store/stack_status.h"

void json_put_rates(struct json *j, const struct profile_event *e)
{
	json_open_array(j, "rates");
	for (size_t i = 0; i < e->n_rates; i++) {
		json_open_object(j, NULL);
		json_string(j, "mode", e->rates[i].freq ? "frequency" : "period");
		json_uint(j, "value", e->rates[i].value);
		json_uint(j, "samples", e->rates[i].samples);
		json_close_object(j);
	}
	json_close_array(j);
}

void json_put_ledger(struct json *j, const struct profile_ledger *l)
{
	json_open_object(j, "ledger");
	json_uint(j, "seen", l->seen);
	json_uint(j, "filtered", l->filtered);
	json_uint(j, "sent", l->sent);
	json_uint(j, "full", l->full);
	json_uint(j, "fault", l->fault);
	json_uint(j, "received", l->received);
	json_uint(j, "gaps", l->gaps);
	json_uint(j, "dropped", l->dropped);
	json_uint(j, "lost", profile_lost(l));
	json_uint(j, "expected", l->expected);
	json_uint(j, "not_delivered", profile_not_delivered(l));
	json_uint(j, "throttled", l->throttled);
	json_uint(j, "count", l->count);
	json_uint(j, "enabled_ns", l->enabled_ns);
	json_uint(j, "running_ns", l->running_ns);
	json_close_object(j);
}

void json_put_statuses(struct json *j, const char *key, const uint64_t *samples, bool all)
{
	uint64_t unknown = 0;

	json_open_object(j, key);
	for (size_t i = 0; i < STACK_STATUS_MAX; i++)
		if (all || samples[i])
			json_uint(j, stack_status_name(i), samples[i]);
	for (size_t i = STACK_STATUS_MAX; i < PROFILE_STATUSES; i++)
		unknown += samples[i];
	if (all || unknown)
		json_uint(j, "unknown", unknown);
	json_close_object(j);
}
