// SPDX-License-Identifier: Apache-2.0
/* No text of a kernel, vendor or distribution breaks the readers of host facts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/danger.h"
#include "host/kernel.h"
#include "host/text_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is up to three texts, separated by NUL: release, version, signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *part[3] = { "", "", NULL };
	char *text = malloc(size + 1), out[16];
	struct host_kernel k;
	size_t n = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	for (char *p = text; p <= text + size && n < 3; p += strlen(p) + 1)
		part[n++] = p;
	if (host_kernel_parse(part[0], part[1], part[2], &k) == 0)
		free(host_danger_find(&k, HOST_PLAN_EVERYTHING)
			     ? host_danger_sentence(host_danger_find(&k, HOST_PLAN_EVERYTHING), &k)
			     : NULL);
	text_field(part[0], "ID", '=', out, sizeof(out));
	text_field(part[1], "CapEff", ':', out, sizeof(out));
	free(text);
	return 0;
}
