#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The build: BPF objects do not tell where they were built, and a changed header is noticed.
. "$(dirname "$0")/lib.sh"

make_bpf() { # DIRECTORY: a copy of what the BPF objects are made of, and the objects
	mkdir -p "$1" && cp -r Makefile bpf "$1/" &&
		env -u MAKEFLAGS -u MAKELEVEL make -C "$1" -j2 O=out \
			$(cd bpf && printf 'out/gen/%s.skel.h ' $(basename -s .bpf.c ./*.bpf.c))
}

check "BPF objects are built in one folder" make_bpf "$work/one"
check "and in another of another depth" make_bpf "$work/two/deeper/still"
check "objects and skeletons are the same, bit by bit" \
	sh -c "diff -r '$work/one/out/bpf' '$work/two/deeper/still/out/bpf' && diff -r '$work/one/out/gen' '$work/two/deeper/still/out/gen'"
check "they are those of the product" diff -r -x '*.d' "$O/bpf" "$work/one/out/bpf"

# Dependencies are named as they were built: below the build directory as make knew it.
B=$(realpath --relative-to=. "$O")

# rebuilt HEADER TARGET: make would build the target again, had the header changed.
rebuilt() {
	env -u MAKEFLAGS -u MAKELEVEL make -n V=1 O="$B" -W "$1" all >"$work/plan" 2>&1 || return
	grep -q -- "-o $2 " "$work/plan" || { echo "no $2 in:" && tail -n 5 "$work/plan" && return 1; }
}
check "a changed header of user space rebuilds what includes it" rebuilt daemon/util/buffer.h "$B/obj/daemon/store/record.o"
check "a changed header of BPF rebuilds the object" rebuilt bpf/compat.bpf.h "$B/bpf/sampler.bpf.o.tmp"
check "and the user space that shares it" rebuilt bpf/sample.h "$B/obj/daemon/sampler/sampler.o"
nothing_to_do() {
	env -u MAKEFLAGS -u MAKELEVEL make -q O="$B" all || { make -n O="$B" all | head -n 5 && return 1; }
}
check "nothing is built twice" nothing_to_do

# A compiler may drop a hint as having no effect.
prefetches() { # FUNCTION
	objdump -d --disassemble="$1" "$O/ebpf-profiler" | grep -qE 'prefetch|prfm'
}
for function in recorder_sample recorder_intern_stack id_table_expect; do
	check "$function fetches memory ahead" prefetches $function
done

finish
