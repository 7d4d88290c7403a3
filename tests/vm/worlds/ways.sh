# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: every sampling program by every way there is to attach it, those of sampler.sh excepted.

for transport in perf bpf; do
	larger_programs link $transport
	larger_programs ioctl $transport
done
