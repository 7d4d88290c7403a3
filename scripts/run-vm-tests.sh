#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots the guests of tests/vm/guests.conf, some at a time, and tells what they said.
#
# usage: run-vm-tests.sh [OPTION]...
#   --kernel NAME         only guests with this kernel of tests/vm/kernels.conf; may be repeated
#   --arch ARCH           only guests of this architecture (amd64, arm64, riscv64); may be repeated
#   --guest NAME          only this guest of tests/vm/guests.conf; may be repeated
#   --kernel-image FILE   run the matrix on this kernel instead (bzImage of amd64, or Image of --arch arm64 or riscv64), as
#                         it is: with BTF or without, with an initramfs, devtmpfs and the serial console built in
#   --json FILE  --junit FILE  --markdown FILE    the results, too
#   --support FILE        write docs/kernel-support.md anew from this run
#   --budget FILE         write tests/vm/verifier-budget.conf anew from this run
#   --timeout SECONDS     a guest that takes longer hangs (600)
#   --jobs N              guests at a time (one more than this machine has CPUs)
#   --again               boot guests that failed once more, one at a time; the second answer counts, both are printed
#   --keep                keep the consoles of guests that passed, too
#   --no-build            take kernels and roots as they are
#
# Guests are emulated: no hardware virtualisation is needed, and none is used. Consoles of guests that failed are kept
# below build/vm/results.
#
# Exit code: 0 nothing failed; 1 a row or a guest failed; 2 wrong usage; 3 a package, a tool or disk space is missing, and
# guests that do not need it passed; 130, 143 interrupted, what was done by then is told.
set -euo pipefail
cd "$(dirname "$0")/.."
O=${O:-build}

die() {
	echo "run-vm-tests: $1" >&2
	exit "${2:-3}"
}

lab=$O/vm kernels=() archs=() names=() image='' timeout=600 keep='' again='' build=yes judge=() jobs=$(($(nproc) + 1))
while [ $# -gt 0 ]; do
	case $1 in
	--kernel | --arch | --guest | --kernel-image | --json | --junit | --markdown | --support | --budget | --timeout | --jobs)
		[ $# -ge 2 ] || die "$1 needs a value; see --help" 2
		;;&
	--kernel) kernels+=("$2") && shift 2 ;;
	--arch) archs+=("$2") && shift 2 ;;
	--guest) names+=("$2") && shift 2 ;;
	--kernel-image) image=$2 && shift 2 ;;
	--json | --junit | --markdown | --support | --budget) judge+=("$1" "$(realpath -m "$2")") && shift 2 ;;
	--timeout) timeout=$2 && shift 2 ;;
	--jobs) jobs=$2 && shift 2 ;;
	--again) again=yes && shift ;;
	--keep) keep=yes && shift ;;
	--no-build) build='' && shift ;;
	-h | --help) sed -n '3,25s/^# \{0,1\}//p' "$0" && exit ;;
	*) die "'$1' is not expected here; see --help" 2 ;;
	esac
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "--jobs '$jobs' is no number of guests" 2
[[ $timeout =~ ^[0-9]+$ ]] || die "--timeout '$timeout' is no number of seconds" 2

# By the magic of the boot protocol: of anything else QEMU makes a guest that says nothing until it is taken for hung.
judge_image() { # FILE ARCH
	local magic at
	case $2 in
	amd64) magic=HdrS at=514 ;;
	arm64) magic=ARMd at=56 ;;
	riscv64) magic=$'RSC\005' at=56 ;;
	esac
	[ -f "$1" ] && [ -r "$1" ] || die "the kernel image $1 cannot be read" 2
	[ "$(tail -c +$((at + 1)) "$1" | head -c 4 | tr -d '\0')" = "$magic" ] || die "$1 is no kernel image for $2" 2
}

chosen() { # NAME LIST...: is in the list, or the list is empty
	local name=$1 x
	shift
	[ $# -gt 0 ] || return 0
	for x; do [ "$x" != "$name" ] || return 0; done
	return 1
}

rows() { # FILE: its rows, without comments
	sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]*|[[:space:]]*/|/g' "$1"
}

# --- which guests -----------------------------------------------------------------------------------------------------

known() { # WHAT NAME LIST
	grep -qxF -- "$2" <<<"$3" || die "there is no $1 '$2'; known are: $(sort -u <<<"$3" | tr '\n' ' ')" 2
}
for x in "${kernels[@]}"; do known kernel "$x" "$(rows tests/vm/kernels.conf | awk '{ print $1 }')"; done
for x in "${archs[@]}"; do known architecture "$x" "$(rows tests/vm/kernels.conf | awk '{ print $2 }')"; done
for x in "${names[@]}"; do known guest "$x" "$(rows tests/vm/guests.conf | cut -d'|' -f1)"; done

# The sampler alone is meant for riscv64.
if [ -n "$image" ]; then
	[ ${#archs[@]} -le 1 ] && [ ${#kernels[@]} -eq 0 ] && [ ${#names[@]} -eq 0 ] ||
		die "--kernel-image goes with one --arch at most, and neither --kernel nor --guest" 2
	judge_image "$image" "${archs[0]:-amd64}"
	selection="image-sampler|${archs[0]:-amd64}|image|sampler,profiles|1024|-smp 2|"
	[ "${archs[0]:-}" = riscv64 ] || selection+=$'\n'"image-collectors|${archs[0]:-amd64}|image|collectors|1024|-smp 2|"
else
	selection=$(rows tests/vm/guests.conf | while IFS='|' read -r name arch kernel rest; do
		if chosen "$name" "${names[@]}" && chosen "$arch" "${archs[@]}" && chosen "$kernel" "${kernels[@]}"; then
			echo "$name|$arch|$kernel|$rest"
		fi
	done)
	[ -n "$selection" ] || die "no guest has this kernel and architecture (tests/vm/guests.conf)" 2
fi

# --- what they need ---------------------------------------------------------------------------------------------------

# Guests that lack something are left out; the others run, and the exit code says so.
incomplete=''
leave_out() { # SENTENCE PATTERN: of rows of the selection
	local without
	without=$(grep -E -- "$2" <<<"$selection") || return 0
	echo "run-vm-tests: $1; not run: $(cut -d'|' -f1 <<<"$without" | tr '\n' ' ')" >&2
	selection=$(grep -vE -- "$2" <<<"$selection") || die "no guest is left to run"
	incomplete=yes
}

lab=$(realpath -m "$lab")
if [ -n "$build" ]; then
	options=()
	for x in $(cut -d'|' -f2 <<<"$selection" | sort -u); do options+=(--arch "$x"); done
	for x in $(cut -d'|' -f3 <<<"$selection" | sort -u); do
		if [ "$x" = image ]; then options+=(--no-kernel); else options+=(--kernel "$x"); fi
	done
	code=0
	scripts/build-vm-images.sh "${options[@]}" || code=$?
	[ $code -eq 0 ] || [ $code -eq 4 ] || exit $code
fi
for x in $(awk -F'|' '$3 != "image" { print $2 "/" $3 }' <<<"$selection" | sort -u); do
	[ -r "$lab/kernels/$x/vmlinuz" ] || leave_out "the kernel ${x/\// } is not there" "^[^|]*\|${x/\//\\|}\|"
done

# The command of a guest's machine, in the array `machine`; what guests.conf adds comes after it.
machine_of() {
	case $1 in
	# One thread: code that the kernel patches while another CPU runs it would be seen half done. Without cmpxchg16b,
	# which then spoils the flags at times. Without fast string instructions: emulated, they move a byte at a time.
	amd64) machine=(qemu-system-x86_64 -M q35 -cpu max,-cx16,-erms,-fsrm -accel tcg,thread=single) ;;
	arm64) machine=(qemu-system-aarch64 -M virt,gic-version=3 -cpu max,pauth-impdef=on,pmu=on) ;;
	riscv64) machine=(qemu-system-riscv64 -M virt -cpu rv64,pmu-num=16,sscofpmf=true) ;;
	esac
}
for x in $(cut -d'|' -f2 <<<"$selection" | sort -u); do
	machine_of "$x"
	command -v "${machine[0]}" >/dev/null ||
		leave_out "${machine[0]} is not installed (scripts/install-deps.sh vm installs it)" "^[^|]*\|$x\|"
done

# --- one guest --------------------------------------------------------------------------------------------------------

# On a loaded host an emulated timer can come too late for the check that Linux makes of it.
append_of() {
	case $1 in
	amd64) echo "console=ttyS0 no_timer_check" ;;
	arm64) echo "console=ttyAMA0" ;;
	riscv64) echo "console=ttyS0" ;;
	esac
}

# Some guests have systemd as PID 1, and a root with it.
root_of() { # ARCH KERNEL-COMMAND-LINE
	case $2 in
	*systemd.unit=*) echo "$lab/roots/$1-systemd.cpio" ;;
	*) echo "$lab/roots/$1.cpio" ;;
	esac
}

kernel_release() { # NAME ARCH
	rows tests/vm/kernels.conf | awk -v name="$1" -v arch="$2" '$1 == name && $2 == arch { print $5 }'
}

# To be run in a subshell of its own: what `times` says of its children is the guest's.
run_guest() {
	local name=$1 arch=$2 kernel=$3 tests=$4 memory=$5 options=$6 command_line=$7
	local dir=$results/$name vmlinuz=$lab/kernels/$2/$3/vmlinuz root started=${EPOCHREALTIME/./}
	local seconds cpu code=0 pid
	local -a machine

	machine_of "$arch"
	root=$(root_of "$arch" "$command_line")
	[ "$kernel" != image ] || vmlinuz=$image
	# shellcheck disable=SC2086
	timeout -k 5 "$timeout" "${machine[@]}" -m "$memory" $options -nographic -no-reboot -nic none \
		-kernel "$vmlinuz" -initrd "$root" \
		-append "$(append_of "$arch") panic=-1 quiet loglevel=3 vm.arguments=$tests $command_line" \
		</dev/null >"$dir/console" 2>&1 &
	pid=$!
	trap 'kill "$pid"; wait "$pid"; exit 143' TERM
	wait "$pid" || code=$?
	seconds=$(((${EPOCHREALTIME/./} - started) / 1000000))
	times >"$dir/times"
	cpu=$(awk 'END { split($1, t, /[ms]/); printf "%d", t[1] * 60 + t[2] }' "$dir/times")
	printf '%s\n' "seconds $seconds" "cpu_seconds $cpu" "exit $code" >>"$dir/guest"
	printf '%-24s %4d s, %4d s of CPU time, %4d passed, %4d not\n' "$name" "$seconds" "$cpu" \
		"$(grep -c $'@vm\tresult\tPASS' "$dir/console")" "$(grep -cE $'@vm\tresult\t(FAIL|SKIP)' "$dir/console")" >&2
}

# --- all of them ------------------------------------------------------------------------------------------------------

results=$lab/results
prepare() { # ROW of the selection: what the judge expects of it
	local name arch kernel tests
	IFS='|' read -r name arch kernel tests _ <<<"$1"
	mkdir -p "$results/$name" || return
	printf '%s\n' "arch $arch" "kernel $kernel" "release $(kernel_release "$kernel" "$arch")" "tests $tests" "jobs $jobs" \
		>"$results/$name/guest"
}
boot() { # ROW
	local name arch kernel tests memory options command_line
	IFS='|' read -r name arch kernel tests memory options command_line <<<"$1"
	run_guest "$name" "$arch" "$kernel" "$tests" "$memory" "$options" "$command_line" </dev/null
}
declare -A running=()
start() { # ROW
	boot "$1" &
	running[$!]=$1
}
reap() {
	local pid
	wait -n -p pid || true
	unset "running[$pid]"
}
stop_guests() {
	local pid
	for pid in "${!running[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait
}

rm -rf "$results"
while read -r row; do prepare "$row" || die "cannot write below $results"; done <<<"$selection"
trap stop_guests EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
interrupted() { # EXIT CODE
	stop_guests
	verdict || true
	exit "$1"
}
verdict() {
	python3 tests/vm/matrix.py judge "$results" "${judge[@]}" --failed "$lab/failed"
}

# One more at a time than there are CPUs: each of them waits for something a quarter of its time.
while read -r row; do
	[ ${#running[@]} -lt "$jobs" ] || reap
	start "$row"
done <<<"$selection"
while [ ${#running[@]} -gt 0 ]; do reap; done

code=0
verdict || code=$?
if ! head -c 64K /dev/zero 2>/dev/null >"$lab/room"; then
	rm -f "$lab/room"
	die "no space is left below $lab: what guests said is not whole; what there is of it is in $results"
fi
rm "$lab/room"
if [ -n "$again" ] && [ $code -ne 0 ] && [ -s "$lab/failed" ]; then
	echo "Once more: $(tr '\n' ' ' <"$lab/failed")(what they said first is in $lab/first)"
	rm -rf "$lab/first" && mkdir "$lab/first"
	while read -r name; do
		row=$(grep "^$name|" <<<"$selection")
		mv "$results/$name" "$lab/first/"
		prepare "$row"
		start "$row"
		reap
	done <"$lab/failed"
	code=0
	verdict || code=$?
fi
if [ $code -eq 0 ] && [ -n "$incomplete" ]; then code=3; fi
if [ -z "$keep" ] && [ $code -eq 0 ]; then
	rm -rf "$results"
fi
exit $code
