#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Segments as others see them: a second reader, `verify` and its exit codes, readers beside a writer, kill -9.
. "$(dirname "$0")/lib.sh"

verify() { "$PROFILER" verify "$@"; }

# expect CODE WORDS COMMAND...: the exit code, and words of what it prints.
expect() {
	local want=$1 words=$2 code
	shift 2
	"$@" >"$work/out" 2>&1
	code=$?
	[ "$code" -eq "$want" ] || { echo "exit code $code, not $want" && cat "$work/out" && return 1; }
	grep -qF -- "$words" "$work/out" || { echo "no '$words' in:" && cat "$work/out" && return 1; }
}

record_many() {
	"$PROFILER" record -e cpu-clock@999Hz,page-faults@100 -a -o "$work/many.seg" \
		-- sh -c "'$O/workloads/storm' 60 20 & '$O/workloads/deep' 2 & find /usr/include -type f -exec grep -l long {} + >/dev/null; wait"
}
check "a recording of many processes and two events can be made" record_many

second_reader() {
	"$PROFILER" export --format json --by-cpu -o "$work/$1.json" "$work/$1.seg" &&
		python3 -B tests/integration/read_segment.py "$work/$1.seg" "$work/$1.json"
}
check "a reader written from docs/format.md sees the same samples, stacks, threads and weights" second_reader many

check "a sealed segment is whole" expect 0 "whole, sealed" verify "$work/many.seg"
check "verify counts the samples that record counted" python3 - "$work/many.seg" "$PROFILER" <<'EOF'
import json, subprocess, sys
checked = json.loads(subprocess.run([sys.argv[2], "verify", "--json", sys.argv[1]], stdout=subprocess.PIPE, check=True).stdout)
profile = subprocess.run([sys.argv[2], "export", "--format", "json", sys.argv[1]], stdout=subprocess.PIPE, check=True).stdout
segment = checked["segments"][0]
assert checked["whole"] == checked["files"] == 1 and segment["whole"] and not segment["findings"], checked
assert segment["samples"] == json.loads(profile.splitlines()[0])["samples"] > 100, segment
EOF

cp "$work/many.seg" "$work/flipped.seg"
python3 - "$work/flipped.seg" <<'EOF'
import sys
# In the middle of the last block that holds records, with others before it.
with open(sys.argv[1], "r+b") as f:
    data, at, blocks = f.read(), 0, []
    while at + 56 <= len(data):
        magic, kind, size = data[at:at + 4], data[at + 4], int.from_bytes(data[at + 12:at + 16], "little")
        assert magic == b"\xebPFS", at
        if kind == 2:
            blocks.append((at + 56, size))
        at += 56 + size
    assert len(blocks) > 1, blocks
    at = blocks[-1][0] + blocks[-1][1] // 2
    f.seek(at)
    f.write(bytes([data[at] ^ 8]))
EOF
check "one flipped bit is found, and its place told" expect 1 "bytes are damaged" verify "$work/flipped.seg"
check "what comes before the damage is still reported" "$PROFILER" report "$work/flipped.seg"
head -c $(($(stat -c %s "$work/many.seg") - 100)) "$work/many.seg" >"$work/cut.seg"
check "a cut off file is found" expect 1 "cut off" verify "$work/cut.seg"
echo hello >"$work/text.seg"
check "a foreign file is told apart" expect 1 "not a segment" verify "$work/text.seg"
check "a missing file is told apart" expect 1 "No such file" verify "$work/none.seg"
check "of several files each is judged" expect 1 "whole, sealed" verify "$work/many.seg" "$work/cut.seg"
mkdir "$work/empty"
check "a directory without segments has its own exit code" expect 7 "no segments" verify "$work/empty"
check "without a file, verify says what it wants" expect 2 "name a segment file" verify
check "an unknown option is refused" expect 2 "verify --help" verify --frobnicate x
check "--help tells the exit codes" expect 0 "Exit codes" verify --help

# A writer that is killed leaves a file that can be read at once.
background "$O/workloads/deep" 60
background "$PROFILER" record -e cpu-clock@999Hz -d 60 -o "$work/killed.seg"
writer=$!
samples() { verify --json "$1" 2>/dev/null | sed -n 's/.*"samples": \([0-9]*\).*/\1/p'; }
for _ in $(seq 300); do
	n=$(samples "$work/killed.seg.active")
	[ "${n:-0}" -gt 500 ] && break
	sleep 0.1
done
check "a segment can be verified and reported while it is written" \
	"$PROFILER" report "$work/killed.seg.active"
kill -9 "$writer"
wait "$writer" 2>/dev/null
after=$(samples "$work/killed.seg.active")
[ "${after:-0}" -ge "$n" ]
result $? "kill -9 costs nothing of what could be read before ($n samples, then ${after:-none})"
check "what kill -9 left is whole" verify "$work/killed.seg.active"

# A disk too small for the recording, in a mount namespace of its own.
mkdir "$work/small"
full_disk() {
	unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs "$1" && head -c 60000 /dev/zero >"$1/fill" &&
		exec "$2" record -e cpu-clock@999Hz -d 2 -o "$1/x.seg"' sh "$work/small" "$PROFILER"
}
if unshare -m true 2>/dev/null; then
	background "$O/workloads/deep" 10
	check "a full disk makes record say what it lost, and fail" expect 1 "since the disk refused them" full_disk
else
	skip "a full disk makes record say what it lost, and fail" "needs CAP_SYS_ADMIN for a small tmpfs"
fi

finish
