/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* System calls, and the commands of bpf(2), by their numbers on this architecture. */
#include <stddef.h>
#include <stdint.h>

#define CALL_UNNAMED 1024 /* more than any architecture has: stands for all from here on */
#define CALL_LEAVES_NO_NUMBER UINT32_MAX /* rt_sigreturn */

/* A number that has no name is written to `out`, which is what is returned then. */
const char *call_name(uint32_t number, char *out, size_t size);
const char *bpf_command_name(uint32_t command, char *out, size_t size);
