# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: the daemon with collectors that have BPF programs, its reloads, its end, its rights.

tap '' "$O/../tests/integration/test_collecting_daemon.sh" build
