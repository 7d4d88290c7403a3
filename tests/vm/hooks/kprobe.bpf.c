// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Each end of a thread, by a breakpoint in the kernel. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("kprobe/do_exit")
int exiting(void *ctx)
{
	return 0;
}
