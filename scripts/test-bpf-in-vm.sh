#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside a guest of the lab, as root: loads, attaches and triggers every BPF program, goes the whole way of a sample,
# and tells the result on standard output, for tests/vm/matrix.py to read.
#
# usage: test-bpf-in-vm.sh TEST...     files of tests/vm/worlds/, without .sh; "sampler", "profiles" and "collectors" are the usual
#
# Lines, fields separated by tabs; the rest of the console is for people:
#   @vm kernel RELEASE MACHINE      @vm objects NAME SHA256          @vm insns PROGRAM COUNT
#   @vm result PASS|FAIL|SKIP PROGRAM TEST SECONDS DETAIL             @vm log PROGRAM TEST TEXT
#   @vm begin TEST                  @vm end                          (no "end": the guest did not come that far)
# PROGRAM is the BPF program a row is about, as OBJECT/PROGRAM, or "-" where a row is about the whole.
set -u
cd "$(dirname "$0")/.."
O=$PWD/build
PROFILER=$O/ebpf-profiler
workloads=$O/workloads
work=/tmp/work
mkdir -p $work
cd $work || exit 1

say() {
	local IFS=$'\t'
	printf '@vm\t%s\n' "$*"
}

# emit STATUS PROGRAM TEST SECONDS DETAIL
emit() {
	say result "$1" "$2" "$3" "$4" "${5//[$'\t\n']/ }"
}

log() { # PROGRAM TEST <text
	local line
	tail -n 40 | while IFS= read -r line; do say log "$1" "$2" "$line"; done
}

# attempt PROGRAM TEST COMMAND...: its failure is the row's. Exit code 77 is a skip, whose reason is the last line.
attempt() {
	local program=$1 test=$2 code started=${EPOCHREALTIME/./} seconds
	shift 2
	"$@" >"$work/attempt.out" 2>&1
	code=$?
	seconds=$(((${EPOCHREALTIME/./} - started) / 1000))
	seconds=$((seconds / 1000)).$(printf %03d $((seconds % 1000)))
	case $code in
	0) emit PASS "$program" "$test" "$seconds" "" ;;
	77) emit SKIP "$program" "$test" "$seconds" "$(tail -n 1 "$work/attempt.out")" ;;
	*)
		emit FAIL "$program" "$test" "$seconds" "exit code $code: $(tail -n 1 "$work/attempt.out")"
		log "$program" "$test" <"$work/attempt.out"
		return 1
		;;
	esac
}

# verify OBJECT...: a row for each program of bpf/OBJECT.bpf.o, and for the one that no verifier may accept.
declare -A not_verified=() # OBJECT/PROGRAM: this kernel's verifier refuses it
verify() {
	local verdict object program text length
	local files=("${@/#/$O/bpf/}")
	"$O/vm-programs/verify_programs" "${files[@]/%/.bpf.o}" "$O"/vm-programs/*.bpf.o >"$work/verified" ||
		emit FAIL - "programs are verified" 0 "verify_programs failed"
	while IFS=$'\t' read -r verdict object program text length; do
		program=${object%.bpf.o}/$program
		[ "$verdict" = accepted ] || not_verified[$program]=yes
		case $verdict in
		accepted)
			emit PASS "$program" verified 0 "$text instructions processed, $length long"
			say insns "$program" "$text"
			;;
		refused) emit FAIL "$program" verified 0 "$text" ;;
		unknown) emit SKIP "$program" verified 0 "$text" ;;
		log) say log "$program" verified "$text${length:+ $length}" ;;
		esac
	done <"$work/verified"
}

# profile NAME OPTION... -- COMMAND...: records; the report by function is $work/NAME.json. 77: the kernel cannot.
profile() {
	local name=$1 code
	shift
	timeout 120 "$PROFILER" record -o "$work/$name.seg" "$@" >"$work/$name.out" 2>"$work/$name.err"
	code=$?
	cat "$work/$name.err"
	if [ $code -eq 69 ]; then return 77; fi
	[ $code -eq 0 ] || return 1
	"$PROFILER" report --json --limit 0 "${report_options[@]}" "$work/$name.seg" >"$work/$name.json"
}
report_options=()

# ask NAME EXPRESSION...: Python over the report `r`; its first event is `e`, an event by what fired is event(NAME), its
# rows by function are rows(EVENT). Every expression must hold.
ask() {
	python3 -SE - "$work/$1.json" "${@:2}" <<-'PY'
		import json, sys
		r = json.load(open(sys.argv[1]))
		e = r["events"][0]
		def event(name):
		    return next(x for x in r["events"] if x["fired"] == name)
		def rows(e):
		    return {x["name"]: x for x in e["rows"]}
		def share(e, name, key="children_percent"):
		    return rows(e)[name][key] if name in rows(e) else 0.0
		def weight(name, function):
		    return rows(event(name)).get(function, {}).get("self_weight", 0)
		def known_function(e):
		    """Interrupts of emulated CPUs are late, so that shares are rough: burn_seventy is found, and is the largest."""
		    seventy, twenty, ten = (share(e, f) for f in ("burn_seventy", "burn_twenty", "burn_ten"))
		    return seventy > 25 and seventy > 1.3 * max(twenty, ten)
		def functions_have_names(e):
		    """Debian's C library and dynamic linker are stripped, and a command starts in them: where a guest gets few
		    samples that is a share of any size. All else has symbols."""
		    stripped = ("ld-linux", "libc.so")
		    nameless = [x for x in e["rows"] if x["name"].startswith("[") and not x["module"].startswith(stripped)]
		    return sum(x["self_weight"] for x in nameless) * 20 < e["weight"]
		def balanced(e):
		    l = e["ledger"]
		    return (l["seen"] == l["filtered"] + l["sent"] + l["full"] + l["fault"] and l["lost"] == 0 and
		            l["sent"] == l["received"] + l["gaps"] and l["received"] == e["samples"])
		failed = 0
		for text in sys.argv[2:]:
		    v = eval(text)
		    failed += not v
		    if not v:
		        print(json.dumps([{k: x[k] for k in ("fired", "samples", "weight", "ledger")} for x in r["events"]]))
		        print([(x["fired"], [(y["name"], y["self_percent"]) for y in x["rows"][:6]]) for x in r["events"]])
		        print(text, "->", v)
		sys.exit(failed != 0)
	PY
}

# tap PREFIX COMMAND...: lines of a test in TAP become rows as they come.
tap() {
	local prefix=$1 line claim ended='' failed=()
	shift
	while IFS= read -r line; do
		claim=$prefix${line#*ok * - }
		case $line in
		'ok '*' # SKIP '*) emit SKIP - "${claim%% # SKIP *}" 0 "${line#* # SKIP }" ;;
		'ok '*) emit PASS - "$claim" 0 "" ;;
		'not ok '*)
			emit FAIL - "$claim" 0 ""
			failed+=("$claim")
			;;
		1..[0-9]*) ended=yes ;;
		esac
	done < <("$@" 2>&1 </dev/null | tee "$work/tap")
	[ -n "$ended" ] || {
		emit FAIL - "${prefix}ends" 0 "it did not"
		failed+=("${prefix}ends")
	}
	for claim in "${failed[@]}"; do log - "$claim" <"$work/tap"; done
}

# hardware_tests NAME...: of tests/hardware, as they are.
hardware_tests() {
	local name
	export HARDWARE_SECONDS=2
	for name; do tap "$name: " timeout 200 "$O/../tests/hardware/$name.sh" "$O"; done
}

# Warnings and oopses of the kernel are failures of ours until shown otherwise. Emulation itself is slow: stalls are not. Nor is
# that an emulated socket's cache spans two nodes.
kernel_is_calm() {
	! dmesg | grep -E 'BUG:|\] WARNING:|Oops|general protection|refcount|scheduling while atomic' | grep -vE 'stall|soft lockup|topology_sane'
}

nothing_left() {
	! grep -ls '^prog_type' /proc/[0-9]*/fdinfo/* 2>/dev/null | grep . && ! ls /sys/fs/bpf | grep .
}

say kernel "$(uname -r)" "$(uname -m)"
while read -r sum name; do say objects "$name" "$sum"; done <"$O/objects.sha256"
for world; do
	say begin "$world"
	if [ -r "$O/../tests/vm/worlds/$world.sh" ]; then
		# shellcheck source=/dev/null
		source "$O/../tests/vm/worlds/$world.sh"
	else
		emit FAIL - "$world: its tests" 0 "tests/vm/worlds/$world.sh is not there"
	fi
	attempt - "$world: the kernel has nothing to complain about" kernel_is_calm
done
say end
