/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Virtual machine or bare metal, and which PMUs the kernel found.
 *
 * On x86 the hypervisor bit of cpuid decides. DMI strings only name the hypervisor, or speak alone
 * where there is no such bit (arm64): a vendor's name is no hypervisor, an i3.metal says
 * "Amazon EC2" as well as any of its virtual machines.
 */
#include <stdbool.h>
#include <stddef.h>

struct host_virt {
	bool virtualised;
	char technology[32]; /* "kvm", "xen" ..., "unknown"; "" on bare metal */
	char evidence[128]; /* where that was seen */
};

/* `root` as in host/text_file.h, `machine` as in uname -m. Never fails: no evidence is bare metal.
 */
void host_virt_read(const char *root, const char *machine, struct host_virt *ret);

/*
 * PMUs of CPU cores under whatever name (cpu, cpu_core, cpu_atom, armv8_pmuv3_0 ...), separated by
 * commas, "" when there is none; returns out.
 */
char *host_virt_core_pmus(const char *root, char *out, size_t size);
