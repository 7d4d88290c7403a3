# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: the collectors with BPF programs, attached in every way this kernel has, triggered by
# workloads whose numbers are known.

echo +memory >/sys/fs/cgroup/cgroup.subtree_control

collectors_test() {
	local line claim
	(cd "$O/.." && STORM=300 tests/integration/test_bpf_collectors.sh build) >"$work/collectors.tap" 2>&1
	while IFS= read -r line; do
		claim=${line#*ok * - }
		case $line in
		"ok "*" # SKIP "*) emit SKIP exec "${claim%% # SKIP *}" 0 "${claim##* # SKIP }" ;;
		"ok "*) emit PASS - "$claim" 0 "" ;;
		"not ok "*) emit FAIL - "$claim" 0 "see above" ;;
		esac
	done <"$work/collectors.tap"
	log - collectors < <(grep '^#' "$work/collectors.tap")
	grep -q '^1\.\.[0-9]' "$work/collectors.tap"
}
collectors_test || emit FAIL - "collectors" 0 "the test did not come to its end: $(tail -n 1 "$work/collectors.tap")"
