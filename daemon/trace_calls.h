/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * --trace-load: each bpf(2), perf_event_open(2) and ioctl(2) on a perf event that this process makes
 * from now on, one line each on stderr, with what it gave - also those that libbpf makes. For that
 * the program has functions syscall() and ioctl() of its own, which the libraries find before the C
 * library's and which hand on to that. They are linked into the program alone, beside main(); nothing
 * else, and no test, has them.
 */
void trace_calls_begin(void);
