# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: of tests/hardware the one that needs several NUMA nodes, and no PMU.

hardware_tests 40-numa
