#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Memory controllers count the bytes a streaming kernel of known traffic moves.
. "$(dirname "$0")/lib.sh"
devices=/sys/bus/event_source/devices

# bandwidth_events read|write|both: the events that count it, separated by commas; and how far they may be trusted.
bandwidth_events() {
	local d pmu out='' e
	for d in "$devices"/uncore_imc_[0-9]* "$devices"/amd_umc_[0-9]* "$devices"/amd_df; do
		[ -e "$d" ] || continue
		pmu=${d##*/}
		case $pmu,$1 in
		uncore_imc_*,both | amd_umc_*,both) continue ;;
		uncore_imc_*)
			[ ! -e "$d/events/cas_count_$1" ] || out=$out,$pmu/cas_count_$1/
			if [ -e "$d/events/cas_count_${1}_sch0" ]; then
				out=$out,$pmu/cas_count_${1}_sch0/,$pmu/cas_count_${1}_sch1/
			fi
			;;
		amd_umc_*,read) out=$out,$pmu/event=0x0a,rdwrmask=1/ ;;
		amd_umc_*,write) out=$out,$pmu/event=0x0a,rdwrmask=2/ ;;
		amd_df,both)
			# The two channels a desktop has; servers of these generations have eight.
			for e in 0x07 0x47 0x87 0xc7 0x107 0x147 0x187 0x1c7; do
				case $e in 0x07 | 0x47) ;; *) [ "$(sockets_of_server)" = yes ] || continue ;; esac
				out=$out,$pmu/event=$e,umask=0x38/
			done
			;;
		esac
	done
	echo "${out#,}"
}

sockets_of_server() {
	if grep -q 'model name.*EPYC' /proc/cpuinfo; then echo yes; else echo no; fi
}

# bytes_counted EVENTS MODE PASSES: sum of the events in bytes: CAS counts are lines of 64
bytes_counted() {
	count -a "$1" -- "$workloads/stream" "$2" "$megabytes" "$3" || return 1
	awk '$4 { s += $2 * $3 / $4 * 64 } END { printf "%.0f\n", s }' "$work/counts"
}

# traffic MODE EVENTS PERCENT: filling the buffer is in both runs, so that the difference is known passes and nothing else
traffic() {
	local few many known
	few=$(bytes_counted "$2" "$1" $passes) && many=$(bytes_counted "$2" "$1" $((3 * passes)))
	known=$(calc "$megabytes * 1048576 * 2 * $passes")
	measured "bytes of stream $1, known" "$known"
	measured "bytes of stream $1, counted" "$(calc "$many - $few")"
	near "stream $1: the controllers moved what it moved" "$(calc "$many - $few")" "$known" "$3"
}

first_of() {
	local event=${1%/}
	echo "${event%%/,*}/"
}

reads=$(bandwidth_events read) writes=$(bandwidth_events write) both=$(bandwidth_events both)
[ -n "$reads$writes$both" ] || skip_all "this machine shows no memory controller (uncore_imc, amd_umc, amd_df)"
megabytes=$(buffer_megabytes) passes=8
echo "# buffer of $megabytes MB, $passes and $((3 * passes)) passes; reads $reads writes $writes both $both"

if [ -n "$reads" ]; then
	traffic read "$reads" 15
	traffic write "$writes" 15
	beside_perf "$(first_of "$reads")" 5 "$workloads/stream" read "$megabytes" $passes
elif [ -n "$both" ]; then
	# The data fabric's DRAM events are not documented for desktop parts: a third to three times, and not nothing.
	few=$(bytes_counted "$both" read $passes) many=$(bytes_counted "$both" read $((3 * passes)))
	known=$(calc "$megabytes * 1048576 * 2 * $passes")
	measured "bytes of stream read, known" "$known"
	measured "bytes of stream read, counted by amd_df (approximate)" "$(calc "$many - $few")"
	measured "amd_df: counted of known" "$(calc "($many - $few) / $known")"
	check "amd_df follows the traffic, by a third to three times" \
		holds "$many - $few > $known / 3 && $many - $few < $known * 3"
	beside_perf "$(first_of "$both")" 5 "$workloads/stream" read "$megabytes" $passes
fi
finish
