# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: tests of tests/hardware as they are, on an emulated PMU under -icount, where time is
# instructions: a loaded host changes no count and no rate.

export HARDWARE_EVENTS=cycles,instructions
hardware_tests 10-generic-events 11-instructions 13-groups 14-multiplexing 16-memory-access 30-rates 51-two-profilers
