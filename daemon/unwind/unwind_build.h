/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "unwind/unwind_table.h"

/* unwind_table_build(); `vdso`: where the file says nothing its code is read, see vdso_rows.h. */
int unwind_build(const struct elf_file *f, bool vdso, struct unwind_table **ret);
