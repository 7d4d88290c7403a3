/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The state of a collector that needs nothing but files and rates; basic_open() and basic_close()
 * serve as its open and close.
 */
#include "collect/rates.h"
#include "collect/roots.h"

struct basic {
	struct roots roots;
	struct rates rates;
};

int basic_open(const struct collector_settings *s, void **ret, char **ret_error);
void basic_close(void *state);

/* For what embeds it. */
int basic_init(struct basic *b, const struct collector_settings *s);
void basic_done(struct basic *b);
