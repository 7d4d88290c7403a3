#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the names of the system calls that the target's <asm/unistd.h> knows, as initialisers of a C array.
#
#   list_syscalls.sh COMPILER...
set -eu
echo '#include <asm/unistd.h>' | "$@" -E -dM - |
	sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' |
	grep -vxE 'syscalls|arch_specific_syscall' | sort |
	sed 's/.*/[__NR_&] = "&",/'
