# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: tests of tests/hardware as they are, on an emulated PMU beside emulated CPUs that run
# as fast as the host lets them. hardware-icount.sh has those for which a second must be a second.

export HARDWARE_EVENTS=cycles
hardware_tests 01-machine 10-generic-events 41-hotplug 50-start-stop
