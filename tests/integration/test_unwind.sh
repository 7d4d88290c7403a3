#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `unwind`: rows agree with readelf's reading of the same files, wherever one of them changes; bad input has its sentence.
. "$(dirname "$0")/lib.sh"

unwind() { "$PROFILER" unwind "$@"; }
compare() { python3 -B tests/integration/compare_rows.py "$PROFILER" "$@"; }

# expect CODE PATTERN COMMAND...: the exit code, and what is said.
expect() {
	local code=$1 pattern=$2
	shift 2
	"$@" >"$work/out" 2>&1
	[ $? -eq "$code" ] && grep -q -- "$pattern" "$work/out" || { cat "$work/out" && return 1; }
}

# --- against readelf --------------------------------------------------------------------------------------------------

libc=$(ldd /bin/bash | sed -n 's/.*libc.so.6 => \([^ ]*\).*/\1/p')
loader=$(ldd /bin/bash | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p')
cc1=$(cc -print-prog-name=cc1)
cxx=$(ldd "$(command -v gdb)" | sed -n 's/.*libstdc++.so.6 => \([^ ]*\).*/\1/p')
crypto=$(ldd "$(command -v python3)" /usr/lib/systemd/systemd 2>/dev/null | sed -n 's/.*libcrypto.so.3 => \([^ ]*\).*/\1/p' | head -n 1)
python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
libpython=$(ldd "$python" | sed -n 's/.*libpython3[^ ]* => \([^ ]*\).*/\1/p')

check "bash: rows are readelf's" compare /bin/bash 5000
check "libc: rows are readelf's" compare "$libc" 10000
check "the dynamic linker: rows are readelf's" compare "$loader" 1000
check "python3: rows are readelf's" compare "${libpython:-$python}" 10000
check "a C++ library: rows are readelf's" compare "$cxx" 10000
check "arm64 frames: rows are readelf's" compare tests/fixtures/arm64/frames.so 60
if [ -x "$cc1" ]; then
	check "cc1: rows are readelf's" compare "$cc1" 100000
else
	skip "cc1: rows are readelf's" "there is no cc1"
fi
if [ -n "$crypto" ]; then
	check "assembler of libcrypto: rows are readelf's" compare "$crypto" 10000
else
	skip "assembler of libcrypto: rows are readelf's" "nothing here is linked to it"
fi
rust=$(rustc --print sysroot 2>/dev/null)/bin/rustc
if [ -x "$rust" ]; then
	check "a Rust program: rows are readelf's" compare "$rust"
else
	skip "a Rust program: rows are readelf's" "rustc is not installed"
fi

# What a compiler does of its own accord is not enough: each rule, assembled for real.
cat >"$work/rules.s" <<'ASM'
	.text
	.globl _start
_start:
	.cfi_startproc
	.cfi_undefined rip
	call realigned
	.cfi_endproc
	.p2align 4
	.globl realigned
realigned:
	.cfi_startproc
	lea 8(%rsp), %r10
	.cfi_def_cfa r10, 0
	and $-32, %rsp
	push -8(%r10)
	push %rbp
	mov %rsp, %rbp
	.cfi_escape 0x10, 6, 2, 0x76, 0
	push %r10
	.cfi_escape 0x0f, 3, 0x76, 0x78, 6
	nop
	pop %r10
	.cfi_def_cfa r10, 0
	pop %rbp
	lea -8(%r10), %rsp
	.cfi_def_cfa rsp, 8
	ret
	.cfi_endproc
ASM
if [ "$(uname -m)" = x86_64 ]; then
	rules() { cc -nostdlib -static -o "$work/rules" "$work/rules.s" && compare "$work/rules" 5; }
	check "a realigned stack: rows are readelf's" rules
	check "and its frame pointer is where it was pushed" expect 0 '\*(rbp-8)+0 rbp+0 c-8' unwind --dump "$work/rules"
	check "_start has no caller" expect 0 ' end$' unwind --dump "$work/rules"
fi

# Without sections the dynamic linker's view is left; the rows are the same.
bare() {
	cp "$libc" "$work/bare.so" &&
		python3 - "$work/bare.so" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0x28)
    f.write(bytes(8))  # e_shoff
    f.seek(0x3c)
    f.write(bytes(4))  # e_shnum, e_shstrndx
EOF
	[ $? -eq 0 ] && unwind --dump "$libc" >"$work/whole.rows" && unwind --dump "$work/bare.so" >"$work/bare.rows" &&
		cmp "$work/whole.rows" "$work/bare.rows"
}
check "without sections libc has the same rows" bare

vdso() {
	python3 - "$work/vdso.so" <<'EOF' &&
import sys
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as memory, open(sys.argv[1], "wb") as out:
    line = next(line for line in maps if line.endswith("[vdso]\n"))
    start, end = (int(n, 16) for n in line.split()[0].split("-"))
    memory.seek(start)
    out.write(memory.read(end - start))
EOF
		unwind --vdso --dump >"$work/vdso.rows" && unwind --dump "$work/vdso.so" | cmp - "$work/vdso.rows" &&
		compare "$work/vdso.so" 10
}
if [ "$(uname -m)" = x86_64 ]; then # arm64 kernels do not describe theirs
	check "the vDSO: rows are readelf's" vdso
fi

# --- against gdb, on stopped processes --------------------------------------------------------------------------------

# stopped LEAST_FRAMES KINDS GDB_COMMAND PROGRAM...: runs it up to a stop, then each frame is taken to its caller.
stopped() {
	PROFILER=$PROFILER LEAST_FRAMES=$1 KINDS=$2 timeout 60 gdb -nx -q -batch -iex 'set debuginfod enabled off' \
		-ex 'set pagination off' -ex 'set confirm off' -ex 'set backtrace past-main on' \
		-ex 'set backtrace past-entry on' -ex 'handle SIGUSR1 nostop noprint pass' -ex "$3" -ex run \
		-x tests/integration/gdb_rows.py --args "${@:4}" </dev/null
}
in_handler='import os, signal
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.set_wakeup_fd(writer)
os.kill(os.getpid(), signal.SIGUSR1)'
in_thread='import os, threading
def down(n):
    return os.write(1, b"x") if n == 0 else down(n - 1)
thread = threading.Thread(target=down, args=(10,))
thread.start()
thread.join()'
if [ "$(uname -m)" = x86_64 ]; then
	check "a deep stack of bash leads to the callers that gdb finds" \
		stopped 50 "rsp end" 'catch syscall write' /bin/bash -c 'f() { [ $1 -eq 0 ] && echo x || f $(($1 - 1)); }; f 20'
	check "through a signal's frame" stopped 10 "rsp signal end" 'catch syscall write' "$python" -c "$in_handler"
	check "in a thread, down to clone" stopped 8 "rsp end" 'catch syscall write' "$python" -c "$in_thread"
	check "in the dynamic linker, down to its entry" stopped 3 "rsp end" 'catch syscall read' /bin/ls
	check "out of a realigned stack" stopped 2 "*(rbp end" 'break *realigned+19' "$work/rules"
	if [ -x "$rust" ]; then
		check "in a Rust program" stopped 8 "rsp end" 'catch syscall write' "$rust" --version
	else
		skip "in a Rust program" "rustc is not installed"
	fi
fi

# --- the command ------------------------------------------------------------------------------------------------------

check "one line a file" expect 0 "eh_frame .*$libc" unwind /bin/bash -b "$libc"
check "the vDSO" expect 0 'eh_frame .*\[vdso\]' unwind --vdso

one_address() {
	local address rule
	read -r address rule < <(unwind --dump "$libc" | sed -n 1000p)
	[ "$(unwind --pc "0x$address" "$libc")" = "$address $rule" ]
}
check "--pc shows the row of --dump" one_address
check "--json is JSON, and counts as the table does" python3 - "$PROFILER" "$libc" <<'EOF'
import json, subprocess, sys
out = subprocess.run([sys.argv[1], "unwind", "--json", "--dump", sys.argv[2]], stdout=subprocess.PIPE, check=True).stdout
file = json.loads(out)["files"][0]
assert file["file"] == sys.argv[2] and file["error"] is None and file["source"] == "eh_frame", file["source"]
assert len(file["table"]) == file["rows"] == sum(k["rows"] for k in file["kinds"].values())
assert file["covered_bytes"] <= file["text_bytes"] and file["usable_bytes"] <= file["covered_bytes"]
assert sum(1 for row in file["table"] if row["kind"] == "end") == file["kinds"]["end"]["rows"] > 0
EOF

# --- bad input --------------------------------------------------------------------------------------------------------

echo text >"$work/text"
mkfifo "$work/fifo"
head -c 1000 "$libc" >"$work/short"
head -c 500000 "$libc" >"$work/cut"
: >"$work/empty"
check "a dump of no file" expect 2 "name a program" unwind --dump
check "observations of a path without segments" expect 7 "there is no segment" unwind --observed "$work"
check "what is no moment" expect 2 "is not a moment" unwind --since soon
check "no such file" expect 1 "No such file" unwind "$work/none"
check "text" expect 1 "no 64-bit little-endian program" unwind "$work/text"
check "nothing" expect 1 "no 64-bit little-endian program" unwind "$work/empty"
check "a FIFO does not hold it up" expect 1 "no 64-bit little-endian program" timeout 10 "$PROFILER" unwind "$work/fifo"
check "a directory" expect 1 "no 64-bit little-endian program" unwind "$work"
check "a file cut off before its code" expect 1 "no 64-bit little-endian program" unwind "$work/short"
check "a file cut off before its .eh_frame" expect 7 "none .*cut" unwind "$work/cut"
check "what is no address" expect 2 "'xyz' is no address" unwind --pc xyz "$libc"
check "an address without code" expect 7 "nothing is known of address 0x1" unwind --pc 1 "$libc"
check "one address, two files" expect 2 "one file" unwind --pc 0x1000 "$libc" /bin/bash
check "one row and all rows" expect 2 "choose one" unwind --pc 0x1000 --dump "$libc"
check "a good file beside a bad one is told" expect 1 "eh_frame .*/bin/bash" unwind "$work/text" /bin/bash
if command -v go >/dev/null; then
	check "Go keeps frame pointers" expect 0 " go .*/go" unwind "$(go env GOROOT)/bin/go"
else
	skip "Go keeps frame pointers" "go is not installed"
fi

finish
