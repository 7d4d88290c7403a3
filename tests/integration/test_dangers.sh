#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is known to hang a kernel is refused there, or left out, unless it is allowed. The kernel's name is made up: a library
# that is loaded before the C library answers uname(2).
. "$(dirname "$0")/lib.sh"

cat >"$work/uname.c" <<'C'
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

int uname(struct utsname *u)
{
	memset(u, 0, sizeof(*u));
	strcpy(u->sysname, "Linux");
	strcpy(u->nodename, "elsewhere");
	strcpy(u->release, getenv("FAKE_RELEASE"));
	strcpy(u->version, "#1 SMP");
	strcpy(u->machine, getenv("FAKE_MACHINE"));
	return 0;
}
C
gcc -shared -fPIC -o "$work/uname.so" "$work/uname.c" || exit

# on RELEASE MACHINE OPTION...: records nearly nothing there; leaves $code, and what was said in $work/said
on() {
	rm -f "$work/said.seg"
	env LD_PRELOAD="$work/uname.so" FAKE_RELEASE="$1" FAKE_MACHINE="$2" "$PROFILER" record -o "$work/said.seg" "${@:3}" -- true \
		>"$work/said" 2>&1
	code=$?
	[ -z "${VERBOSE:-}" ] || cat "$work/said"
}
says() { # CODE PATTERN WHAT
	result "$([ "$code" -eq "$1" ] && grep -qE -e "$2" "$work/said"; echo $?)" "$3"
}
silent() { # PATTERN WHAT
	result "$([ "$code" -eq 0 ] && ! grep -qE -e "$1" "$work/said"; echo $?)" "$2"
}

on 6.1.27 x86_64 -e cpu-clock --unwind dwarf
says 69 'cannot unwind.*6\.1\.27.*dangerous for reading user memory.*--allow-unsafe-kernel' \
	"6.1.27: unwinding by rows is refused, with kernel, reason and override"
result "$([ ! -e "$work/said.seg" ]; echo $?)" "and no file is left"
on 6.1.27 x86_64 -e cpu-clock
says 0 'by frame pointers: .*dangerous for reading user memory' "6.1.27: by itself, the profiler unwinds by frame pointers, and says why"
on 6.1.27 x86_64 -e cpu-clock --allow-unsafe-kernel
silent 'dangerous' "6.1.27: it is done where it is allowed"
on 6.1.36 x86_64 -e cpu-clock
silent 'dangerous' "6.1.36, which has the fix: nothing is said"

on 6.12.0 riscv64 -e offcpu --unwind fp
says 4 'dangerous for user stacks at context switches' "riscv64: user stacks at context switches are refused"
on 6.12.0 riscv64 -e offcpu --unwind fp --no-user-stacks
silent 'dangerous' "riscv64: kernel stacks are taken there"
finish
