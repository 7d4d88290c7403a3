// SPDX-License-Identifier: Apache-2.0
#include "unwind/branch_check.h"

#include <string.h>

#include "util/cleanup.h"

#define INSTRUCTION_BYTES 15 /* of x86, at most */
/* What may run between the counter's overflow, when the records are frozen, and the interrupt. */
#define SKID_BYTES 64
#define KERNEL_BIT (1ULL << 63)

struct lists {
	const uint64_t *pcs;
	size_t n;
	uint64_t from[SAMPLE_MAX_BRANCHES];
	size_t m;
};

/* Only what user code called; nothing is in an empty entry. */
static void take_calls(struct lists *l, const struct sample_branch *calls, size_t m)
{
	for (size_t i = 0; i < MIN(m, (size_t)SAMPLE_MAX_BRANCHES); i++)
		if (calls[i].from && !(calls[i].from & KERNEL_BIT))
			l->from[l->m++] = calls[i].from;
}

/* Is it the call that returns to pcs[i]? */
static bool is_pair(const struct lists *l, size_t i, size_t j)
{
	return l->from[j] < l->pcs[i] && l->pcs[i] - l->from[j] <= INSTRUCTION_BYTES;
}

/* The nearest pair behind (*i, *j); false: there is none. */
static bool next_pair(const struct lists *l, size_t *i, size_t *j)
{
	size_t left = l->n - *i + l->m - *j;

	for (size_t both = 1; both < left; both++)
		for (size_t a = 0; a <= both; a++) {
			size_t b = both - a;

			if (*i + a < l->n && *j + b < l->m && is_pair(l, *i + a, *j + b)) {
				*i += a;
				*j += b;
				return true;
			}
		}
	return false;
}

/* The leaf lies where the call returned to, while its record was frozen already. */
static bool just_returned(const struct lists *l, size_t j)
{
	return l->pcs[0] > l->from[j] && l->pcs[0] - l->from[j] <= SKID_BYTES;
}

void branch_check(const uint64_t *pcs, size_t n, bool whole, const struct sample_branch *calls, size_t m,
		  enum call_answer *answers)
{
	struct lists l = { .pcs = pcs, .n = n };
	size_t i = 1, j = 0;

	memset(answers, CALL_UNKNOWN, n * sizeof(*answers));
	take_calls(&l, calls, m);
	while (i < n && j < l.m) {
		size_t next_i = i, next_j = j;

		if (is_pair(&l, i, j)) {
			answers[i++] = CALL_RIGHT;
			j++;
			continue;
		}
		if (!next_pair(&l, &next_i, &next_j)) {
			/* Of a stack that came to its end all right the record knows nothing. */
			answers[i] = whole ? CALL_UNKNOWN : CALL_WRONG;
			return;
		}
		/* Callers that only the stack has were cleared, or are a signal's. */
		if (next_j > j && !(i == 1 && just_returned(&l, next_j - 1))) {
			answers[i] = CALL_WRONG;
			if (next_i == i) {
				next_i++;
				next_j++;
			}
		}
		i = next_i;
		j = next_j;
	}
}
