// SPDX-License-Identifier: Apache-2.0
#include "collect/basic.h"

#include <errno.h>

int basic_init(struct basic *b, const struct collector_settings *s)
{
	rates_init(&b->rates, s->delta_min_ns, s->delta_max_ns);
	return roots_open(s, &b->roots);
}

void basic_done(struct basic *b)
{
	rates_done(&b->rates);
	roots_close(&b->roots);
}

int basic_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct basic *b = calloc(1, sizeof(*b));
	int r = b ? basic_init(b, s) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void basic_close(void *state)
{
	basic_done(state);
	free(state);
}
