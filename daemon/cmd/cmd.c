// SPDX-License-Identifier: Apache-2.0
#include "cmd/cmd.h"

#include <errno.h>

int exit_code_for_error(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return EXIT_PRIVILEGE;
	case -EINVAL:
		return EXIT_USAGE;
	case -EOPNOTSUPP:
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}
