# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: tests of tests/hardware as they are, on an emulated PMU.

hardware_events=cycles
case $(uname -m) in
riscv64) hardware_events=cycles,instructions,dTLB-load-misses ;;
esac
export HARDWARE_SECONDS=2 HARDWARE_EVENTS=$hardware_events
for name in 01-machine 10-generic-events 41-hotplug 50-start-stop; do
	tap "$name: " timeout 200 "$O/../tests/hardware/$name.sh" "$O"
done
