# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: the collectors with BPF programs, attached in every way this kernel has, triggered by
# workloads whose numbers are known.

echo +memory >/sys/fs/cgroup/cgroup.subtree_control
tap '' env STORM=100 "$O/../tests/integration/test_bpf_collectors.sh" build
