// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Each return of an opening system call. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("kretprobe/do_sys_openat2")
int opened(void *ctx)
{
	return 0;
}
