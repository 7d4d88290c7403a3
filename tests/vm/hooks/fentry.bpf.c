// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Each end of a thread, by the trampoline at the function. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("fentry/do_exit")
int entering_exit(void *ctx)
{
	return 0;
}
