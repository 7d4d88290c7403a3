// SPDX-License-Identifier: Apache-2.0
#include "collect/growth.h"

#include <math.h>

#include "util/cleanup.h"
#include "util/parse.h"

#define LONG_ENOUGH_NS (900 * NSEC_PER_SEC)
#define AMOUNT_BYTES (2.0 * 1024 * 1024)
#define AMOUNT_SHARE 0.02
#define STEPS (GROWTH_PARTS - 1)
#define LATE_STEPS 3

static void halve(struct growth *g)
{
	for (size_t i = 0; i < g->n / 2; i++)
		g->samples[i] = MIN(g->samples[2 * i], g->samples[2 * i + 1]);
	g->n /= 2;
	g->step *= 2;
}

void growth_add(struct growth *g, uint64_t time_ns, uint64_t value)
{
	if (g->step == 0)
		*g = (struct growth){ .first_ns = time_ns, .step = 1 };
	g->last_ns = time_ns;
	g->pending = g->pending_n ? MIN(g->pending, value) : value;
	if (++g->pending_n < g->step)
		return;
	if (g->n == GROWTH_SAMPLES) {
		/* What waits is now half of a sample. */
		halve(g);
		return;
	}
	g->samples[g->n++] = g->pending;
	g->pending_n = 0;
}

/* 0 up to `none`, 1 from `all` on. */
static double between(double v, double none, double all)
{
	return fmin(fmax((v - none) / (all - none), 0), 1);
}

static void lowest_of_parts(const struct growth *g, double *ret)
{
	for (size_t part = 0; part < GROWTH_PARTS; part++) {
		size_t from = part * g->n / GROWTH_PARTS, to = (part + 1) * g->n / GROWTH_PARTS;

		ret[part] = (double)g->samples[from];
		for (size_t i = from + 1; i < to; i++)
			ret[part] = fmin(ret[part], (double)g->samples[i]);
	}
}

void growth_judge(const struct growth *g, struct growth_judgement *ret)
{
	double parts[GROWTH_PARTS], way = 0, late = 0, grown, seconds;
	unsigned int up = 0;

	*ret = (struct growth_judgement){ .watched_ns = g->last_ns - g->first_ns };
	if (g->n < 2 * GROWTH_PARTS || ret->watched_ns == 0)
		return;
	lowest_of_parts(g, parts);
	for (size_t i = 0; i < STEPS; i++) {
		double step = parts[i + 1] - parts[i];

		way += fabs(step);
		up += step > 0;
		late += i >= STEPS - LATE_STEPS ? step : 0;
	}
	grown = parts[STEPS] - parts[0];
	if (grown <= 0)
		return;
	seconds = (double)ret->watched_ns / 1e9 * STEPS / GROWTH_PARTS;
	ret->grown = (uint64_t)grown;
	ret->per_second = grown / seconds;
	ret->confidence = 100 * between((double)ret->watched_ns, 0, (double)LONG_ENOUGH_NS) *
			  (grown / way) *
			  between(late / LATE_STEPS / (grown / STEPS), 0.65, 0.85) *
			  between((double)up / STEPS, 0.5, 0.85) *
			  between(grown, 0, fmax(AMOUNT_BYTES, AMOUNT_SHARE * parts[0]));
}
