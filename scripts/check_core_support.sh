#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What this host offers for building and running CO-RE programs; needs nothing built. The twin of
# 'ebpf-profiler check', which tries more and should be asked where the program is at hand.
#
# usage: check_core_support.sh [--btf DIRECTORY] [--class VERSION]
#   --btf DIRECTORY   external BTF in BTFHub layout: ID/VERSION_ID/arch/release.btf
#   --class VERSION   only print what the bare version promises: full, partial or none
#
# Exit code, as of 'ebpf-profiler check': 0 full, 3 degraded, 4 a right is missing, 69 this kernel cannot do it, 2 usage.
set -u

lost=() rights=() impossible=()

row() { printf '  %-34s %s\n' "$1" "$2"; }
first_line() { head -n 1 "$1" 2>/dev/null; }

# version_class X.Y[.Z...]: 5.2 and later can carry their own BTF, 4.18 to 5.1 can use one from outside.
version_class() {
	local major minor rest
	IFS=.- read -r major minor rest <<<"$1"
	if ! [[ $major =~ ^[0-9]+$ && $minor =~ ^[0-9]+$ ]]; then
		echo "check_core_support: '$1' is no kernel version" >&2
		return 2
	fi
	if [ "$major" -gt 5 ] || { [ "$major" -eq 5 ] && [ "$minor" -ge 2 ]; }; then
		echo full
	elif [ "$major" -eq 5 ] || { [ "$major" -eq 4 ] && [ "$minor" -ge 18 ]; }; then
		echo partial
	else
		echo none
	fi
}

# find_btf: prints where the kernel's types are; the order is that of the program.
find_btf() {
	local release f id version arch dir
	release=$(uname -r) arch=$(uname -m)
	for f in /sys/kernel/btf/vmlinux "/boot/vmlinux-$release" "/lib/modules/$release/vmlinux-$release" \
		"/lib/modules/$release/build/vmlinux" "/usr/lib/modules/$release/kernel/vmlinux" \
		"/usr/lib/debug/boot/vmlinux-$release" "/usr/lib/debug/boot/vmlinux-$release.debug" \
		"/usr/lib/debug/lib/modules/$release/vmlinux"; do
		[ -r "$f" ] && has_btf "$f" && echo "$f" && return
	done
	id=$(. /etc/os-release 2>/dev/null && echo "${ID:-}") version=$(. /etc/os-release 2>/dev/null && echo "${VERSION_ID:-}")
	for dir in ${btf_directory:-/etc/ebpf-profiler/btf /usr/lib/ebpf-profiler/btf}; do
		for f in "$dir/$id/$version/$arch" "$dir/$id/${version%%.*}/$arch" "$dir/$id/$version/${arch/aarch64/arm64}" \
			"$dir/$id/${version%%.*}/${arch/aarch64/arm64}"; do
			[ -r "$f/$release.btf" ] && echo "$f/$release.btf" && return
		done
	done
}

# A vmlinux without BTF does not count; without a tool to tell, the file in sysfs is believed.
has_btf() {
	[ -z "$bpftool" ] && [ "$1" = /sys/kernel/btf/vmlinux ] && return
	[ -n "$bpftool" ] && "$bpftool" btf dump file "$1" 2>/dev/null | grep -q "STRUCT 'task_struct'"
}

# has_capability BIT: of this process; CAP_SYS_ADMIN (21) stands for the younger ones.
has_capability() {
	local effective
	effective=$(sed -n 's/^CapEff:\s*//p' /proc/self/status)
	(((0x$effective >> $1 & 1) || (0x$effective >> 21 & 1)))
}

report_kernel() {
	echo "Kernel"
	row "release" "$(uname -r) $(uname -m)"
	row "promised by the bare version" "$(version_class "$(uname -r)")"
	btf=$(find_btf)
	row "BTF" "${btf:-none: not in sysfs, no vmlinux, no external file}"
	if [ -n "$btf" ]; then
		row "CO-RE" "full"
	else
		row "CO-RE" "partial: for the sampler, which brings its own type"
		lost+=("No BTF: collectors that read kernel structures do not load. Take a kernel with CONFIG_DEBUG_INFO_BTF=y, or BTFHub's file for $(uname -r).")
	fi
}

report_features() {
	local probe name
	echo "BPF, as bpftool finds it"
	if [ -z "$bpftool" ] || ! has_capability 39; then
		row "features" "not tried: $([ -n "$bpftool" ] && echo 'a right is missing' || echo 'bpftool is not installed')"
		return
	fi
	probe=$("$bpftool" feature probe kernel 2>/dev/null)
	for name in "program_type perf_event" "program_type tracepoint" "program_type raw_tracepoint" \
		"program_type xdp" "map_type perf_event_array" "map_type ringbuf" "map_type array_of_maps"; do
		if grep -q "eBPF $name is available" <<<"$probe"; then
			row "$name" yes
		else
			row "$name" no
				case $name in
			*perf_event*) impossible+=("No BPF $name: nothing can be sampled.") ;;
			esac
		fi
	done
}

report_rights() {
	local paranoid lockdown
	paranoid=$(first_line /proc/sys/kernel/perf_event_paranoid)
	lockdown=$(first_line /sys/kernel/security/lockdown)
	echo "Rights"
	row "user" "$(id -un)"
	row "kernel.perf_event_paranoid" "${paranoid:-no perf events}"
	row "kernel.kptr_restrict" "$(first_line /proc/sys/kernel/kptr_restrict)"
	row "kernel.unprivileged_bpf_disabled" "$(first_line /proc/sys/kernel/unprivileged_bpf_disabled)"
	row "lockdown" "${lockdown:-unknown}"
	row "LSM" "$(first_line /sys/kernel/security/lsm || echo unknown)"
	row "bpffs" "$(grep -q ' bpf ' /proc/self/mounts && echo mounted || echo 'not mounted (not needed)')"
	[ -n "$paranoid" ] || impossible+=("The kernel has no perf events (CONFIG_PERF_EVENTS).")
	has_capability 39 || rights+=("CAP_BPF is missing: BPF programs and maps cannot be created.")
	has_capability 38 || rights+=("CAP_PERFMON is missing: perf events of the whole host cannot be opened.")
	[ "${paranoid:-0}" -le 2 ] || has_capability 21 ||
		rights+=("kernel.perf_event_paranoid is above 2, a level of Debian and Ubuntu that refuses CAP_PERFMON: set it to 2.")
	case $lockdown in
	*"[confidentiality]"*) rights+=("The kernel is locked down to confidentiality: boot with lockdown=integrity.") ;;
	esac
}

report_machine() {
	local d pmus=""
	for d in /sys/bus/event_source/devices/*; do
		case ${d##*/} in
		cpu | cpum_cf) pmus+="${d##*/} " ;;
		arm_spe*) ;;
		*) [ -e "$d/cpus" ] && pmus+="${d##*/} " ;;
		esac
	done
	echo "Machine"
	row "hypervisor" "$(grep -qm1 '^flags.* hypervisor' /proc/cpuinfo && echo yes || echo 'none seen')"
	row "PMU of the cores" "${pmus:-none}"
	[ -n "$pmus" ] || lost+=("No PMU: cpu-clock takes the place of cycles; cache, TLB and branch events cannot be sampled.")
}

version_of() { command -v "$1" >/dev/null && { "$@" 2>&1 | head -n 1; } || echo "not installed"; }

report_build() {
	echo "For building"
	row "clang" "$(version_of clang --version)"
	if echo 'int f(void){return 0;}' | clang -target bpf -mcpu=v2 -x c -c -o /dev/null - 2>/dev/null; then
		row "clang's BPF target" yes
	else
		row "clang's BPF target" no
	fi
	row "bpftool" "$(if [ -n "$bpftool" ]; then "$bpftool" version 2>&1 | head -n 1; else echo "not installed"; fi)"
	row "bpftool reads the BTF" "$(if [ -n "${btf:-}" ] && [ -n "$bpftool" ]; then echo yes; else echo no; fi)"
	row "pahole" "$(version_of pahole --version)"
	row "libbpf" "$(pkg-config --modversion libbpf 2>/dev/null || echo "not installed")"
}

say() {
	local text
	for text in "$@"; do echo "  - $text"; done
}

verdict() {
	local word=full code=0
	if [ ${#impossible[@]} -gt 0 ]; then
		word=none code=69
	elif [ ${#rights[@]} -gt 0 ]; then
		word=none code=4
	elif [ ${#lost[@]} -gt 0 ]; then
		word=degraded code=3
	fi
	echo
	echo "Verdict: $word"
	say ${impossible+"${impossible[@]}"} ${rights+"${rights[@]}"} ${lost+"${lost[@]}"}
	exit $code
}

btf_directory=
while [ $# -gt 0 ]; do
	case $1 in
	--class) version_class "${2:-}" && exit 0 || exit 2 ;;
	--btf) btf_directory=${2:-} && shift 2 || exit 2 ;;
	-h | --help) sed -n '3,10s/^# \{0,1\}//p' "$0" && exit 0 ;;
	*) echo "check_core_support: unknown argument '$1'; --help tells" >&2 && exit 2 ;;
	esac
done
bpftool=$(PATH=$PATH:/usr/sbin:/sbin command -v bpftool)
report_kernel
report_features
report_rights
report_machine
report_build
verdict
