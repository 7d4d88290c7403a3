/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Attaching one program of which there is a descriptor and its section's name, so that the
 * attachment outlives us: by a link that is pinned, or of traffic control, by a filter.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>

#include "programs/program_store.h"
#include "util/buffer.h"

/* Whether program_attach() can attach it, by its type and section. */
bool program_attach_supports(const struct bpf_program *program);

/* Pins into `directory`; appends "PROGRAM: xdp eth0 native\n" to `done`. */
int program_attach(int fd, const char *directory, const char *program, const char *section,
		   const struct program_attach *where, struct buffer *done, char **ret_error);
/* By the pin's path. */
int program_detach(const char *pin);
