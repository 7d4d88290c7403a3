/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The line of memory at p is fetched while the program goes on.
 *
 * GCC takes a function that does nothing else for one without effect and drops its calls; the empty
 * asm is an effect (tests/integration/test_build.sh looks for the instructions).
 */
static inline void prefetch(const void *p)
{
	__builtin_prefetch(p);
	__asm__ volatile("");
}

static inline void prefetch_to_write(void *p)
{
	__builtin_prefetch(p, 1);
	__asm__ volatile("");
}
