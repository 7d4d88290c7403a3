// SPDX-License-Identifier: Apache-2.0
#include "cmd/cmd.h"

#include <stdio.h>

int cmd_record(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return EXIT_UNSUPPORTED;
}
