# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: a kernel that does not show its types; a file that describes them, and none.

elsewhere=$work/btf/$(uname -r).btf
mkdir -p "$work/btf"
cp /sys/kernel/btf/vmlinux "$elsewhere"
mount -t tmpfs none /sys/kernel/btf

with_external_btf() {
	profile external -F 199 --btf "$elsewhere" -- "$workloads/shares" functions 2 || return
	ask external "known_function(e)" "balanced(e)" || return
	"$PROFILER" check --json --btf "$elsewhere" >"$work/check.json"
	grep -q '"found": "option"' "$work/check.json" && grep -q '"core": "full"' "$work/check.json"
}
attempt sampler/sample_to_perf_ring "BTF hidden, a BTF file given: everything works" with_external_btf

without_any_btf() {
	profile none -F 199 -- "$workloads/shares" functions 2 || return
	ask none "known_function(e)" "balanced(e)" "functions_have_names(e)"
}
attempt sampler/sample_to_perf_ring "no BTF at all: the sampler works" without_any_btf

exec_without_btf() {
	"$PROFILER" collect exec -I 200 --json >"$work/exec.json" 2>"$work/exec.err" &
	local collecting=$! found=1
	for _ in $(seq 100); do
		/bin/true
		sleep 0.2
		if grep -q '"file":"/bin/true"' "$work/exec.json"; then found=0 && break; fi
	done
	kill -INT $collecting
	wait $collecting
	cat "$work/exec.err"
	return $found
}
attempt exec/replaced "no BTF at all: programs that start are seen" exec_without_btf

check_says_so() {
	"$PROFILER" check >"$work/check.txt"
	local code=$?
	cat "$work/check.txt"
	[ $code -eq 3 ] && grep -q 'BTFHub' "$work/check.txt"
}
attempt - "no BTF at all: check says what is lost and how to mend it" check_says_so

others_say_so() {
	local code
	"$PROFILER" collect processes -n 1 2>"$work/refused.err"
	code=$?
	cat "$work/refused.err"
	[ $code -eq 69 ] && grep -q 'does not describe its types' "$work/refused.err"
}
attempt - "no BTF at all: a collector that needs it says so, and exits with 69" others_say_so
umount /sys/kernel/btf
