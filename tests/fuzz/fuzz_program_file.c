// SPDX-License-Identifier: Apache-2.0
/*
 * What is said of a user's BPF object before it goes to the kernel: nothing is read outside of the
 * file, and what is refused is refused with a sentence.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "programs/program_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	int r = program_file_check(data, size, &error);

	if (r != 0 && (r != -EINVAL || !error || !*error))
		abort();
	if (r == 0 && error)
		abort();
	free(error);
	return 0;
}
