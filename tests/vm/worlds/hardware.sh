# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: tests of tests/hardware as they are, on an emulated PMU.

# Their TAP lines become rows.
hardware_test() {
	local name=$1 line
	HARDWARE_SECONDS=2 HARDWARE_EVENTS=$hardware_events timeout 200 "$O/../tests/hardware/$name.sh" "$O" \
		>"$work/$name.tap" 2>&1 </dev/null
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP '*)
			line=${line#ok * - }
			emit SKIP - "$name: ${line%% # SKIP *}" 0 "${line#* # SKIP }"
			;;
		'ok '*) emit PASS - "$name: ${line#ok * - }" 0 "" ;;
		'not ok '*)
			emit FAIL - "$name: ${line#not ok * - }" 0 ""
			log - "$name: ${line#not ok * - }" <"$work/$name.tap"
			;;
		esac
	done <"$work/$name.tap"
	grep -q '^1\.\.' "$work/$name.tap" || {
		emit FAIL - "$name ends" 0 "it did not"
		log - "$name ends" <"$work/$name.tap"
	}
}
hardware_events=cycles
case $(uname -m) in
riscv64) hardware_events=cycles,instructions,dTLB-load-misses ;;
esac
for name in 01-machine 10-generic-events 41-hotplug 50-start-stop; do hardware_test $name; done
