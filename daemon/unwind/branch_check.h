/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Does the processor's own record know the callers of a stack? LBRs in call-stack mode take a call when
 * it is made, and drop it at its return: what is left are the callers from the leaf on.
 *
 * They are no judge of everything. They hold 16 or 32 calls, older kernels clear them at each context
 * switch, and calls that are left otherwise than by a return (longjmp(), exceptions, a switch of stacks)
 * stay in them. So an answer is given only where the two are side by side, or where one of the callers is
 * in the record and not in the stack.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "unwind/call_check.h"

/*
 * The addresses of a stack, leaf first, and the calls, the newest first; answers[i] is about the return
 * address pcs[i], of which answers[0] is none: CALL_RIGHT, CALL_WRONG or CALL_UNKNOWN. `whole`: the stack
 * ends in a root, or at the limit of its frames.
 */
void branch_check(const uint64_t *pcs, size_t n, bool whole, const struct sample_branch *calls, size_t m,
		  enum call_answer *answers);
