// SPDX-License-Identifier: Apache-2.0
#include "collect/settings.h"

#include <errno.h>
#include <string.h>

void collector_settings_done(struct collector_settings *s)
{
	free(s->procfs);
	free(s->sysfs);
	free(s->dev);
	free(s->btf);
	free(s->metrics);
	free(s->events);
	free(s->interfaces);
	*s = (struct collector_settings){};
}

int collector_settings_copy(const struct collector_settings *s, struct collector_settings *ret)
{
	struct collector_settings copy = *s;

	copy.procfs = strdup(s->procfs);
	copy.sysfs = strdup(s->sysfs);
	copy.dev = strdup(s->dev);
	copy.btf = s->btf ? strdup(s->btf) : NULL;
	copy.metrics = strdup(s->metrics ? s->metrics : "");
	copy.events = strdup(s->events ? s->events : "");
	copy.interfaces = strdup(s->interfaces ? s->interfaces : "");
	if (!copy.procfs || !copy.sysfs || !copy.dev || !copy.btf != !s->btf || !copy.metrics ||
	    !copy.events || !copy.interfaces) {
		collector_settings_done(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

bool collector_settings_equal(const struct collector_settings *a,
			      const struct collector_settings *b)
{
	return a->interval_ns == b->interval_ns && strcmp(a->procfs, b->procfs) == 0 &&
	       strcmp(a->sysfs, b->sysfs) == 0 && strcmp(a->dev, b->dev) == 0 && a->top == b->top &&
	       a->delta_min_ns == b->delta_min_ns && a->delta_max_ns == b->delta_max_ns &&
	       a->argv == b->argv && a->transport == b->transport && a->attach == b->attach &&
	       a->latency == b->latency &&
	       strcmp(a->btf ? a->btf : "", b->btf ? b->btf : "") == 0 &&
	       strcmp(a->metrics, b->metrics) == 0 && strcmp(a->events, b->events) == 0 &&
	       strcmp(a->interfaces, b->interfaces) == 0 &&
	       a->reserve_counters == b->reserve_counters && a->guests == b->guests;
}
