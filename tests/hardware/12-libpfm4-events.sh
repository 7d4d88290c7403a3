#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The vendor's event names of this CPU's family count what their raw encoding counts, and sample.
. "$(dirname "$0")/lib.sh"
need_pmu
event_list

cpuinfo() {
	sed -n "s/^$1[[:blank:]]*: //p" /proc/cpuinfo | head -n 1
}

# The table's name for this CPU; nothing when it has none.
family() {
	case "$(cpuinfo vendor_id) $(cpuinfo 'cpu family') $(cpuinfo model)" in
	"GenuineIntel 6 79" | "GenuineIntel 6 86") echo bdw_ep ;;
	"GenuineIntel 6 85") echo skx ;;
	"GenuineIntel 6 106" | "GenuineIntel 6 108") echo icx ;;
	"GenuineIntel 6 143" | "GenuineIntel 6 207") echo spr ;;
	"AuthenticAMD 23 "*) [ "$(cpuinfo model)" -ge 48 ] && echo zen2 ;;
	"AuthenticAMD 25 "*)
		case $(cpuinfo model) in
		17) echo zen4 ;; # the only model of this generation in the tables of libpfm4 4.13
		1 | 8 | 3[2-9] | 4[0-7] | 8[0-9] | 9[0-5]) echo zen3 ;;
		esac
		;;
	*)
		case "$(cpuinfo 'CPU implementer') $(cpuinfo 'CPU part')" in
		"0x41 0xd0c") echo arm_n1 ;;
		"0x41 0xd40") echo arm_v1 ;;
		"0x41 0xd49") echo arm_n2 ;;
		"0x41 0xd4f") echo arm_v2 ;;
		esac
		;;
	esac
}

usable=$(awk -F '\t' '$2 == "libpfm4" && $4 != "unavailable"' "$work/events.tsv" | grep -c .)
known=$(awk -F '\t' '$2 == "libpfm4"' "$work/events.tsv" | grep -c .)
measured "libpfm4 events that can be opened" "$usable of $known"
table=$(family)
if [ "$known" -eq 0 ]; then
	skip "libpfm4 knows this CPU" "its tables have no such model"
else
	check "events of libpfm4 can be opened: $usable of $known" [ "$usable" -gt 0 ]
fi
[ -n "$table" ] || skip_all "no table of raw encodings for this CPU in libpfm4-events.txt"

under_load() {
	load 3
	"$@"
	local code=$?
	end_started
	return $code
}

# In one group both counters run at the same time; they start some events apart.
same_counts() {
	echo "$(counted name 1): $(counted count 1), $(counted name 2): $(counted count 2)"
	holds "$(counted count 1) - $(counted count 2) <= 1000 + $(counted count 2) / 100 &&
		$(counted count 2) - $(counted count 1) <= 1000 + $(counted count 2) / 100"
}

sampled_under_load() {
	under_load profile named -d 1 -F 99 -e "$1" && [ "$(of_event named samples)" -gt 0 ] &&
		[ "$(ledger named lost)" -eq 0 ]
}

test_name() {
	local name=$1 raw=$2 fires=$3 code=0
	under_load count -a -g "$name,$raw" -- sleep 0.5 || code=$?
	if [ $code -ne 0 ]; then
		sed 's/^/# /' "$work/count.err"
		result 1 "$name and $raw count in one group"
		return
	fi
	check "$name counts what $raw counts: $(counted count 2)" same_counts
	if [ "$(counted count 1)" -gt 0 ]; then
		check "$name samples" sampled_under_load "$name"
	elif [ "$fires" = always ]; then
		result 1 "$name fires under load"
	else
		skip "$name samples" "it never fired under the loads of this test"
	fi
}

grep "^$table " "$tests/libpfm4-events.txt" >"$work/table"
while read -r _ name raw fires <&3; do
	test_name "$name" "$raw" "$fires"
done 3<"$work/table"
finish
