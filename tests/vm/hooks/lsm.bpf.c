// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Each opening of a file, which it allows. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("lsm/file_open")
int opening(void *ctx)
{
	return 0;
}
