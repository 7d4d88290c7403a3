/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What bpf/sample.h calls how far a stack can be trusted, in words. */
#include <stddef.h>

/* As stored, four bits: more than are known today. */
#define STACK_STATUSES 16

/* For machines: "complete", "no_rows" ...; "unknown" for a status of a later version. */
const char *stack_status_name(size_t status);
/* For people, behind a share of stacks: "complete", "without rows" ... */
const char *stack_status_words(size_t status);
