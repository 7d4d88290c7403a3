#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Samples come from every NUMA node, and each carries the node its CPU belongs to.
. "$(dirname "$0")/lib.sh"
nodes=/sys/devices/system/node
event=$(clock_event)
has taskset || skip_all "taskset is not installed"
[ -e $nodes/node0 ] || skip_all "the kernel knows no NUMA nodes"

by_node() {
	"$PROFILER" report --json --by=node "$work/$1.seg" >"$work/$1.nodes.json"
	awk -f "$tests/json.awk" "$work/$1.nodes.json" | awk -F '\t' '$1 ~ /^events\.0\.rows\.[0-9]+\.name$/ { print $2 }' | sort
}

# One load on one CPU of each node that has CPUs.
expected=
for d in $nodes/node[0-9]*; do
	list=$(list_of "$(cat "$d/cpulist")")
	[ -n "$list" ] || continue
	node=${d##*/node}
	cpu=$(echo "$list" | tail -n 1)
	expected="$expected node $node;"
	background taskset -c "$cpu" "$workloads/deep" 30
	check "node $node: CPU $cpu is sampled" profile "node$node" -d 1 -F 199 -e $event --cpu "$cpu"
	names=$(by_node "node$node" | paste -s -d , -)
	check "node $node: samples of CPU $cpu carry its label, and no other ($names)" [ "$names" = "node $node" ]
done
check "the whole host is sampled" profile host -d 2 -F 199 -e $event
names=$(by_node host | sed 's/^/ /; s/$/;/' | tr -d '\n')
for d in $nodes/node[0-9]*; do
	[ -n "$(cat "$d/cpulist")" ] || continue
	case $names in *" node ${d##*/node};"*) found=0 ;; *) found=1 ;; esac
	result $found "samples come from node ${d##*/node}"
done
measured "NUMA nodes with CPUs" "$(echo "$expected" | tr -cd ';' | wc -c | tr -d ' ')"
finish
