/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "symbols/elf_file.h"
#include "symbols/function_index.h"

/*
 * Adds the stubs of the procedure linkage table as "NAME@plt". Stubs come in the order of their
 * relocations (.rela.plt), all of one size, behind a header: that is how GNU ld, lld and mold lay
 * .plt.sec and .plt out on x86-64, arm64 and riscv64. A table of any other shape is left alone.
 */
int elf_plt_add(const struct elf_file *f, struct function_index_builder *b, uint32_t *sources);
