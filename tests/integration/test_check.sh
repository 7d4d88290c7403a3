#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The capability check agrees with what the machine shows by other means, and its verdict moves with the facts.
. "$(dirname "$0")/lib.sh"

# field EXPRESSION: of the last JSON answer; the answer is `d`.
field() {
	python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/check.json" "$1"
}

# run_check ARGUMENT...: leaves $work/check.json and $code.
run_check() {
	"$PROFILER" check --json "$@" >"$work/check.json" 2>"$work/check.err"
	code=$?
}

# equal WHAT EXPRESSION EXPECTED
equal() {
	local got
	got=$(field "$2")
	[ "$got" = "$3" ] || echo "# $2: got '$got', expected '$3'"
	result $([ "$got" = "$3" ]; echo $?) "$1"
}

run_check
check "the JSON is valid" python3 -m json.tool "$work/check.json"
equal "the exit code is the one in the JSON" 'd["exit_code"]' "$code"
equal "the release is uname's" 'd["kernel"]["release"]' "$(uname -r)"
equal "perf_event_paranoid is /proc's" 'd["privileges"]["perf_event_paranoid"]' \
	"$(cat /proc/sys/kernel/perf_event_paranoid)"

has_cycles=False
perf stat -e cycles -x, true 2>&1 | grep -q '^[0-9]' && has_cycles=True
equal "hardware cycles are there exactly when perf counts them" 'd["features"]["sampling_cycles"]["available"]' $has_cycles

if [ "$(id -u)" -eq 0 ] && field 'd["verdict"]' | grep -qv none; then
	ringbuf=False
	bpftool feature probe kernel 2>/dev/null | grep -q 'map_type ringbuf is available' && ringbuf=True
	equal "the BPF ring buffer is there exactly when bpftool finds it" 'd["features"]["map_ringbuf"]["available"]' $ringbuf
	# The kernel frees objects a moment after their last user is gone.
	for ((left = 1, tries = 0; left && tries < 100; tries++)); do
		left=$({ bpftool prog show; bpftool map show; } | grep -c 'name probe ')
		[ "$left" -eq 0 ] || read -rt 0.1 <> <(:)
	done
	result $([ "$left" -eq 0 ]; echo $?) "the check leaves no BPF object behind"
else
	skip "bpftool agrees" "not root, or nothing can be sampled here"
fi

if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	# A kernel without BTF: the directory is covered.
	in_namespace() {
		unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && shift && exec "$@"' sh "" "$@"
	}
	in_namespace "$PROFILER" check --json >"$work/check.json"
	code=$?
	equal "without BTF the level is partial: the sampler still loads" 'd["btf"]["core"]' partial
	equal "without BTF the places that were tried are told" '"/sys/kernel/btf/vmlinux" in d["btf"]["tried"]' True
	equal "without BTF the loss names BTFHub" 'any("BTFHub" in l["what"] for l in d["lost"])' True
	result $([ $code -eq 3 ]; echo $?) "without BTF the exit code says degraded (got $code)"

	id=$(. /etc/os-release; echo "$ID") version=$(. /etc/os-release; echo "$VERSION_ID")
	hub=$work/btfhub/$id/$version/$(uname -m)
	if [ -r /sys/kernel/btf/vmlinux ]; then
		mkdir -p "$hub"
		cp /sys/kernel/btf/vmlinux "$hub/$(uname -r).btf"
		in_namespace "$PROFILER" check --json --btf "$work/btfhub" >"$work/check.json"
		equal "BTF is found in a directory in BTFHub layout" 'd["btf"]["path"]' "$hub/$(uname -r).btf"
		equal "and makes the level full" 'd["btf"]["core"]' full
		run_check --btf "$hub/$(uname -r).btf"
		equal "a named BTF file is taken first" 'd["btf"]["found"]' option
	else
		skip "external BTF" "this kernel has none to copy"
	fi
else
	skip "without BTF" "a private mount namespace needs root"
fi

while read -r version class; do
	got=$(scripts/check_core_support.sh --class "$version")
	result $([ "$got" = "$class" ]; echo $?) "the script's class of $version is $class (got $got)"
done <<-END
	4.17.19 none
	4.18.0 partial
	4.18.0-147.el8.x86_64 partial
	5.1.21 partial
	5.2.0 full
	5.2 full
	6.1.0-42-amd64 full
	10.0.1 full
END
scripts/check_core_support.sh --class nonsense 2>/dev/null
result $([ $? -eq 2 ]; echo $?) "the script refuses a version that is none"
scripts/check_core_support.sh >"$work/script.out" 2>&1
script_code=$?
"$PROFILER" check >"$work/program.out"
code=$?
result $([ $code -eq $script_code ]; echo $?) "program and script come to the same verdict ($code, $script_code)"
if command -v setpriv >/dev/null && [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$work"
	install -m 755 scripts/check_core_support.sh "$work/"
	setpriv --reuid 65534 --clear-groups "$work/check_core_support.sh" >"$work/script.out" 2>&1
	result $([ $? -eq 4 ] && grep -q 'CAP_BPF is missing' "$work/script.out"; echo $?) "the script names a missing capability and exits 4"
fi

echo nonsense >"$work/bad.btf"
run_check --btf "$work/bad.btf"
result $([ $code -eq 2 ] && grep -q "bad.btf" "$work/check.err"; echo $?) "an unusable --btf is refused with its name"
run_check --btf "$work/absent.btf"
result $([ $code -eq 2 ] && grep -q "absent.btf: No such file" "$work/check.err"; echo $?) "an absent --btf is refused with the reason"
run_check --nonsense
result $([ $code -eq 2 ]; echo $?) "an unknown option exits 2"
run_check surplus
result $([ $code -eq 2 ]; echo $?) "a surplus argument exits 2"
check "--help works" "$PROFILER" check --help

finish
