/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

/*
 * Says in one sentence why /proc/kallsyms shows no addresses and what would show them. `error` is
 * what reading it gave (0 or negative errno), `zero` the number of code symbols without an address.
 * The rule is kallsyms_show_value() of the kernel: kptr_restrict 2 hides from everyone, 1 from who
 * lacks CAP_SYSLOG, 0 likewise unless perf_event_paranoid is 1 or less.
 */
void kernel_visibility_explain(const char *procfs, int error, size_t zero, char *out, size_t size);
