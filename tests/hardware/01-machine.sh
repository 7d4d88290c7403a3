#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is said about the machine is what it is: PMUs, virtualisation, CPUs, NUMA nodes.
. "$(dirname "$0")/lib.sh"

assess
ours() {
	value "$work/check.json" "$1"
}

"$PROFILER" check >"$work/check.txt" 2>&1
code=$?
[ $code -eq 0 ] || [ $code -eq 3 ]
result $? "check finds this machine fit for sampling (exit code $code)"
[ $code -eq 0 ] || [ $code -eq 3 ] || sed 's/^/# /' "$work/check.txt"

in_sysfs=$(core_pmus | sort | paste -s -d , -)
check "the PMUs of the cores are those of sysfs: ${in_sysfs:-none}" \
	[ "$(ours machine.core_pmus)" = "$in_sysfs" ]

if [ -z "$in_sysfs" ]; then
	skip "a core PMU can be opened" "sysfs has none"
else
	has_pmu
	result $? "a core PMU can be opened: cycles samples ($(ours features.sampling_cycles.error))"
fi

core_pmu_is_described() {
	local d=/sys/bus/event_source/devices/$1
	[ "$(cat "$d/type")" -ge 0 ] && [ -n "$(ls "$d/format")" ]
}
for pmu in $(core_pmus); do
	check "$pmu has a type and a format" core_pmu_is_described "$pmu"
done

if has systemd-detect-virt; then
	theirs=$(systemd-detect-virt --vm) # "none" comes with a failure
	agrees() {
		case $theirs in
		none) ! is_virtual ;;
		*) is_virtual ;;
		esac
	}
	check "virtualised or not, as systemd-detect-virt sees it ($theirs)" agrees
else
	skip "virtualised or not, as systemd-detect-virt sees it" "it is not installed"
fi
if grep -q '^flags' /proc/cpuinfo; then
	grep -q '^flags.* hypervisor\( \|$\)' /proc/cpuinfo
	flag=$?
	is_virtual
	result $((flag != $?)) "virtualised or not, as the CPU's hypervisor flag says ($(ours machine.evidence))"
else
	skip "virtualised or not, as the CPU's hypervisor flag says" "only x86 has that flag"
fi

profile facts -e cpu-clock -F 99 -d 1 >/dev/null
check "a profile knows the number of CPUs: $(n_cpus)" \
	[ "$(value "$work/facts.json" host.cpus)" = "$(n_cpus)" ]
nodes=0
for d in /sys/devices/system/node/node[0-9]*; do [ ! -e "$d" ] || nodes=$((nodes + 1)); done
[ $nodes -gt 0 ] || nodes=1
check "and of NUMA nodes: $nodes" [ "$(value "$work/facts.json" host.numa_nodes)" = $nodes ]
finish
