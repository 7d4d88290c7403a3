/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "symbols/elf_file.h"

/* The vDSO image in this process's own memory: every 64-bit process of a host has the same one.
 * -ENODATA: the kernel maps none. */
int vdso_source(struct elf_source *ret);
