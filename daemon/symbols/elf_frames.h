/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the functions of a stripped file are: .eh_frame says it of each, without its name.
 */
#include "symbols/elf_file.h"
#include "symbols/function_index.h"

/* Adds SOURCE_FRAMES when there were any. -ENOMEM, -ECANCELED; a damaged section gives what it can. */
int elf_frames_add(const struct elf_file *f, struct function_index_builder *b, uint32_t *sources);
