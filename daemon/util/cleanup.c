// SPDX-License-Identifier: Apache-2.0
#include "util/cleanup.h"

#include <errno.h>

int safe_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}
