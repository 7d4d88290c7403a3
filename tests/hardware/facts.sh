#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The machine as the kernel shows it: what a figure means depends on it. Needs nothing built; with a BUILD directory
# the program's own verdict is added.
#
# usage: facts.sh [BUILD]
set -u
export LC_ALL=C
devices=/sys/bus/event_source/devices
program=${1:+$1/ebpf-profiler}

section() {
	printf '\n## %s\n\n' "$1"
}
fact() {
	case $2 in *[!\ ]*) printf -- '- %s: %s\n' "$1" "$2" ;; esac
}
first() {
	head -n 1 "$1" 2>/dev/null
}
cpuinfo() {
	sed -n "s/^$1[[:blank:]]*:[[:blank:]]*//p" /proc/cpuinfo | sort -u | paste -s -d '/' -
}
# distinct FILE...: number of different contents
distinct() {
	cat "$@" 2>/dev/null | sort -u | grep -c .
}

cpu() {
	local c=/sys/devices/system/cpu
	section CPU
	fact "model" "$(cpuinfo 'model name')"
	fact "vendor, family, model, stepping" "$(cpuinfo vendor_id) $(cpuinfo 'cpu family') $(cpuinfo model) $(cpuinfo stepping)"
	fact "arm implementer, part, variant" "$(cpuinfo 'CPU implementer') $(cpuinfo 'CPU part') $(cpuinfo 'CPU variant')"
	fact "riscv isa, uarch" "$(cpuinfo isa) $(cpuinfo uarch)"
	fact "microcode" "$(cpuinfo microcode)"
	fact "CPUs online, of possible" "$(first $c/online), of $(first $c/possible)"
	fact "packages" "$(distinct $c/cpu[0-9]*/topology/physical_package_id)"
	fact "cores" "$(distinct $c/cpu[0-9]*/topology/core_cpus_list)"
	fact "clusters of the last level cache" "$(distinct $c/cpu[0-9]*/cache/index3/shared_cpu_list)"
	for i in 0 1 2 3; do
		[ ! -r $c/cpu0/cache/index$i/size ] || fact \
			"cache L$(first $c/cpu0/cache/index$i/level) $(first $c/cpu0/cache/index$i/type)" "$(first $c/cpu0/cache/index$i/size)"
	done
	fact "SMT" "$(first $c/smt/control)"
	fact "frequency driver, governor" "$(first $c/cpu0/cpufreq/scaling_driver) $(first $c/cpu0/cpufreq/scaling_governor)"
	fact "clock source" "$(first /sys/devices/system/clocksource/clocksource0/current_clocksource)"
}

numa() {
	local d
	section "NUMA and memory"
	for d in /sys/devices/system/node/node[0-9]*; do
		[ ! -e "$d/cpulist" ] || fact "${d##*/}" \
			"CPUs $(first "$d/cpulist"), $(awk '/MemTotal/ { print int($4 / 1024) " MB" }' "$d/meminfo"), distances $(first "$d/distance")"
	done
	fact "memory" "$(awk '/^MemTotal/ { print int($2 / 1024) " MB" }' /proc/meminfo)"
}

system() {
	local d=/sys/class/dmi/id
	section System
	fact "kernel" "$(uname -srvm)"
	fact "distribution" "$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\).*/\1/p' /etc/os-release 2>/dev/null)"
	fact "of the command line" "$(tr ' ' '\n' </proc/cmdline |
		grep -E '^(mitigations|nmi_watchdog|isolcpus|nohz_full|[a-z]*_pstate|lockdown|maxcpus|nosmt|idle|tsc|clocksource|.*max_cstate)(=|$)' |
		paste -s -d ' ' -)"
	[ ! -r $d/sys_vendor ] || fact "machine" "$(first $d/sys_vendor), $(first $d/product_name), $(first $d/board_name)"
	fact "firmware" "$(first $d/bios_vendor) $(first $d/bios_version) $(first $d/bios_date)"
	fact "device tree" "$(tr '\0' ' ' 2>/dev/null </proc/device-tree/compatible)"
}

# Of DMI alone nothing is concluded: metal has it as well.
virtualisation() {
	section "Virtualised or not"
	if [ -n "$program" ] && [ -x "$program" ]; then
		"$program" check --json 2>/dev/null | awk -f "$(dirname "$0")/json.awk" |
			awk -F '\t' '/^machine\./ { sub(/^machine\./, "", $1); print "- " $1 ": " $2 }'
	fi
	if grep -q '^flags.* hypervisor' /proc/cpuinfo; then fact "hypervisor flag of the CPU" yes; else fact "hypervisor flag of the CPU" no; fi
	command -v systemd-detect-virt >/dev/null && fact "systemd-detect-virt --vm" "$(systemd-detect-virt --vm)"
}

settings() {
	local name
	section "Settings of the kernel"
	for name in perf_event_paranoid perf_event_max_sample_rate perf_cpu_time_max_percent perf_event_mlock_kb \
		perf_event_max_stack nmi_watchdog kptr_restrict unprivileged_bpf_disabled; do
		fact "$name" "$(first /proc/sys/kernel/$name)"
	done
	fact "lockdown" "$(first /sys/kernel/security/lockdown)"
}

pmus() {
	local d f
	section PMUs
	for d in "$devices"/*; do
		[ -e "$d/type" ] || continue
		fact "${d##*/}" "type $(first "$d/type")$(
			[ ! -s "$d/cpumask" ] || printf ', cpumask %s' "$(first "$d/cpumask")"
			[ ! -s "$d/cpus" ] || printf ', cpus %s' "$(first "$d/cpus")"
			[ ! -d "$d/events" ] || printf ', %s events' "$(find "$d/events/" -type f ! -name '*.*' | grep -c .)"
			[ ! -e "$d/perf_event_mux_interval_ms" ] || printf ', rotation %s ms' "$(first "$d/perf_event_mux_interval_ms")"
			for f in "$d"/caps/*; do [ ! -e "$f" ] || printf ', %s %s' "${f##*/}" "$(first "$f")"; done
		)"
	done
	printf '\nWhat the kernel said about them when it started:\n\n'
	dmesg 2>/dev/null | grep -iE 'perf|pmu|nmi watchdog|rapl|microcode' | head -n 40 | sed 's/^/    /'
}

programs() {
	local p
	section Programs
	[ -z "$program" ] || fact "ebpf-profiler" "$("$program" --version 2>/dev/null)"
	fact "source" "$(git -C "$(dirname "$0")" describe --always --dirty 2>/dev/null)"
	for p in perf clang gcc; do
		command -v $p >/dev/null && fact "$p" "$($p --version 2>/dev/null | head -n 1)"
	done
}

printf '# %s, %s\n' "$(uname -n)" "$(date -u '+%Y-%m-%d %H:%M:%S UTC')"
cpu
numa
system
virtualisation
settings
pmus
programs
exit 0
