#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The program manager: what is listed is what bpftool sees; users' objects live from load to unload, five of them beside ours;
# wrong use is a sentence; --trace-load prints the calls strace sees.
. "$(dirname "$0")/lib.sh"

bpffs=$work/bpffs
mkdir "$bpffs"
if ! mount -t bpf bpf "$bpffs" 2>"$work/err"; then
	skip "users' objects" "no BPF file system can be mounted: $(cat "$work/err")"
	finish
fi
store=$bpffs/ebpf-profiler
namespace=ebpf-profiler-test-$$
end() {
	ip netns del "$namespace" 2>/dev/null
	ip link del ept$$ 2>/dev/null
	umount "$bpffs"
	cleanup
}
trap end EXIT

manage() { "$PROFILER" programs --store "$store" "$@"; }

# --- objects with a known answer ---

compile() { # NAME: the source comes on stdin
	cat >"$work/$1.bpf.c"
	clang -g -O2 -target bpf -mcpu=v2 -Ibpf -c -o "$work/$1.o" "$work/$1.bpf.c"
}

counter='#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } count SEC(".maps");
static inline void bump(void) { __u32 zero = 0; __u64 *n = bpf_map_lookup_elem(&count, &zero); if (n) __sync_fetch_and_add(n, 1); }
char LICENSE[] SEC("license") = "GPL";'
check "an XDP program compiles" compile xdp <<-C
	$counter
	SEC("xdp") int count_packets(void *ctx) { bump(); return 2; }
C
check "a traffic control program compiles" compile tc <<-C
	$counter
	SEC("tc") int count_frames(void *ctx) { bump(); return -1; }
C
check "a tracepoint program compiles" compile tracepoint <<-C
	$counter
	SEC("tracepoint/syscalls/sys_enter_getppid") int count_calls(void *ctx) { bump(); return 0; }
C
check "a raw tracepoint program compiles" compile raw <<-C
	$counter
	SEC("raw_tp/sched_switch") int count_switches(void *ctx) { bump(); return 0; }
C
check "two programs in one object compile" compile two <<-C
	$counter
	SEC("tp/sched/sched_process_exec") int count_execs(void *ctx) { bump(); return 0; }
	SEC("tp/sched/sched_process_exit") int count_exits(void *ctx) { bump(); return 0; }
C
check "a kprobe program compiles" compile kprobe <<-C
	$counter
	SEC("kprobe/do_exit") int count_probes(void *ctx) { bump(); return 0; }
C
# The verifier must say why: it reads far behind its context.
check "a program that the verifier refuses compiles" compile refused <<-C
	$counter
	SEC("xdp") int broken(void *ctx) { bump(); return *(volatile int *)((long)ctx + 5000); }
C
check "a program of a type that is not attached here compiles" compile socket <<-C
	$counter
	SEC("socket") int filter(void *ctx) { bump(); return 0; }
C
check "a program that walks through tasks compiles" compile iterator <<-C
	$counter
	SEC("iter/task") int each(void *ctx) { bump(); return 0; }
C
check "a program for a function of user space compiles" compile uprobe <<-C
	$counter
	SEC("uprobe//bin/sh:main") int probe(void *ctx) { bump(); return 0; }
C
check "a program in a section that means nothing compiles" compile section <<-C
	$counter
	SEC("whatever/section") int lost(void *ctx) { bump(); return 0; }
C
check "a tracing program compiles" compile tracing <<-C
	$counter
	SEC("tp_btf/sched_switch") int count_typed(void *ctx) { bump(); return 0; }
C
check "a program at a kernel function compiles" compile fentry <<-C
	$counter
	SEC("fentry/do_exit") int count_exiting(void *ctx) { bump(); return 0; }
C
check "an LSM program compiles" compile lsm <<-C
	$counter
	SEC("lsm/file_open") int count_opens(void *ctx) { bump(); return 0; }
C
check "a program for no function of the kernel compiles" compile nofunction <<-C
	$counter
	SEC("fentry/nonesuch_function") int never(void *ctx) { bump(); return 0; }
C
check "a program with a map of eight terabytes compiles" compile huge <<-C
	$counter
	struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 0x7fffffff); __type(key, __u32); __type(value, __u64[512]); } huge_map SEC(".maps");
	SEC("xdp") int look(void *ctx) { __u32 zero = 0; return bpf_map_lookup_elem(&huge_map, &zero) ? 1 : 2; }
C

counted() { # ID: what its map holds
	bpftool -j map dump pinned "$store/$1/map-count" | python3 -c 'import json, sys
e = json.load(sys.stdin)[0]
print(e["formatted"]["value"] if "formatted" in e else int.from_bytes(bytes(int(b, 16) for b in e["value"]), "little"))'
}

ids=()
load_all() {
	local name id
	for name in xdp tc tracepoint raw two; do
		id=$(manage load "$work/$name.o") || return 1
		ids+=("$id")
	done
	[ "$(printf '%s\n' "${ids[@]}" | sort -u | wc -l)" -eq 5 ]
}
load_all 2>"$work/err"
result $? "five objects are loaded at once, each with a handle of its own"
[ ! -s "$work/err" ] || sed 's/^/# /' "$work/err"

ip link add ept$$ type veth peer name epp$$ && ip netns add "$namespace" && ip link set epp$$ netns "$namespace" &&
	ip addr add 10.213.7.1/24 dev ept$$ && ip link set ept$$ up &&
	ip -n "$namespace" addr add 10.213.7.2/24 dev epp$$ && ip -n "$namespace" link set epp$$ up
result $? "a pair of interfaces is there"

attach_all() {
	manage attach "${ids[0]}" --to ept$$ && manage attach "${ids[1]}" --to ept$$ && manage attach "${ids[2]}" &&
		manage attach "${ids[3]}" && manage attach "${ids[4]}"
}
attach_all >"$work/attached" 2>"$work/err"
result $? "they are attached: XDP, TC, a tracepoint, a raw tracepoint, and two programs of one object"
[ ! -s "$work/err" ] || sed 's/^/# /' "$work/err"

# 1,000 getppid calls, all of this host's being counted; 20 datagrams to the interface.
python3 - "$namespace" <<-'PY'
	import ctypes, socket, subprocess, sys
	libc = ctypes.CDLL(None)
	for _ in range(1000):
	    libc.getppid()
	subprocess.run(["ip", "netns", "exec", sys.argv[1], "python3", "-c", """
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	for _ in range(20):
	    s.sendto(b"x" * 10, ("10.213.7.1", 9))
	"""], check=True)
PY
at_least() { # ID N
	[ "$(counted "$1")" -ge "$2" ]
}
check "the tracepoint program counted the calls" at_least "${ids[2]}" 1000
check "the XDP program counted the packets" until_true 5 at_least "${ids[0]}" 20
check "the TC program counted the frames" until_true 5 at_least "${ids[1]}" 20
check "the raw tracepoint program counted" at_least "${ids[3]}" 1
check "the two programs of one object counted" at_least "${ids[4]}" 2

manage --json >"$work/list.json" 2>"$work/err"
result $? "programs --json succeeds"
agrees_with_bpftool() {
	bpftool -j prog show >"$work/bpftool.json" && python3 - "$work/list.json" "$work/bpftool.json" "$@" <<-'PY'
		import json, sys
		ours = {p["id"]: p for p in json.load(open(sys.argv[1]))["programs"]}
		theirs = {p["id"]: p for p in json.load(open(sys.argv[2]))}
		objects = [p for p in ours.values() if p["holder"].startswith("object ")]
		assert len(objects) == 6, objects
		for p in objects:
		    t = theirs[p["id"]]
		    assert t["type"] == p["type"], (p, t)
		    assert t["name"].startswith(p["name"][:15]), (p, t)
		    assert t["bytes_xlated"] == p["translated_bytes"], (p, t)
		    assert set(t["map_ids"]) == {m["id"] for m in p["maps"]}, (p, t)
		    assert all(m["bytes"] > 0 for m in p["maps"]), p
		    assert p["loaded_ns"] // 10**9 - t["loaded_at"] in (-1, 0, 1), (p, t)
		attached = {a for p in objects for a in p["attached"]}
		assert any(a.startswith("xdp ept") for a in attached), attached
		assert any(a.startswith("tc ept") and "ingress" in a for a in attached), attached
	PY
}
check "type, name, sizes, maps and time are bpftool's" agrees_with_bpftool
"$PROFILER" programs --store "$store" >"$work/list" && grep -q "count_packets" "$work/list"
result $? "programs prints a table"

# --- wrong use ---

stands_still() { # ID
	local before
	before=$(counted "$1")
	python3 -c 'import ctypes; [ctypes.CDLL(None).getppid() for _ in range(100)]'
	[ "$(counted "$1")" -eq "$before" ]
}

says() { # WORDS COMMAND...: fails, with these words on stderr
	local words=$1
	shift
	if "$@" >"$work/out" 2>"$work/err"; then return 1; fi
	[ ! -s "$work/out" ] && grep -q "$words" "$work/err" || { cat "$work/out" "$work/err"; return 1; }
}
check "a second attachment is refused with a sentence" says "attached already" manage attach "${ids[0]}" --to ept$$
second_xdp() {
	local id
	id=$(manage load "$work/xdp.o") || return 1
	says "has an XDP program already" manage attach "$id" --to ept$$
	local r=$?
	manage unload "$id" && return $r
}
check "an interface with an XDP program takes no second one" second_xdp
check "a handle that does not exist is a sentence" says "there is no loaded object 77" manage attach 77
check "nor can it be detached" says "there is no loaded object 77" manage detach 77
check "nor unloaded" says "there is no loaded object 77" manage unload 77
check "an interface that does not exist is a sentence" says "no network interface 'nonesuch'" \
	manage attach "$work/xdp.o" --to nonesuch
check "an XDP program without interface is a sentence" says "which interface" manage attach "$work/xdp.o"
check "a program that is not in the object is a sentence" says "has no program 'nonesuch'" \
	manage attach "${ids[0]}" -p nonesuch --to ept$$
check "a file that is not there is a sentence" says "No such file" manage load "$work/nonesuch.o"
check "a text is no object" says "no ELF file" manage load tests/integration/test_programs.sh
check "this program is no object" says "not for BPF" manage load "$PROFILER"
: >"$work/empty.o"
check "an empty file is no object" says "it is empty" manage load "$work/empty.o"
head -c 200 "$work/xdp.o" >"$work/short.o"
check "half a file is no object" says "damaged" manage load "$work/short.o"
check "what the verifier refuses comes with its reason" says "invalid bpf_context access" manage load "$work/refused.o"
for name in socket iterator uprobe section; do
	check "a type that cannot be attached here is said to be: $name" says "cannot be attached here" manage load "$work/$name.o"
done
check "a map that is too large is named" says "huge_map" manage load "$work/huge.o"
check "a function that the kernel does not have is named" says "nonesuch_function" manage load "$work/nofunction.o"
check "a mode of another type is refused" says "as link or filter, not as 'native'" manage attach "$work/tc.o" --to ept$$ --mode native
# libbpf's reader of ELF files fails at some of these.
damaged() {
	python3 - "$work/tc.o" "$work/damaged.o" "$PROFILER" programs --store "$store" load <<-'PY'
		import random, struct, subprocess, sys
		data, words = open(sys.argv[1], "rb").read(), set()
		random.seed(7)
		table = struct.unpack_from("<Q", data, 40)[0]
		for _ in range(60):
		    d = bytearray(data)
		    for _ in range(4):
		        struct.pack_into("<I", d, random.randrange(table, len(d) - 4), random.choice((0, 1, 7, 1000, 0xffffffff)))
		    open(sys.argv[2], "wb").write(d)
		    run = subprocess.run(sys.argv[3:] + [sys.argv[2]], capture_output=True, text=True)
		    if run.returncode == 0:
		        subprocess.run(sys.argv[3:-1] + ["unload", run.stdout.strip()], check=True)
		        continue
		    assert run.returncode in (1, 4), (run.returncode, run.stderr)
		    assert run.stderr.startswith("ebpf-profiler: "), run.stderr
		    words.add(run.stderr)
		assert len(words) > 3, words
	PY
}
check "damaged objects are sentences" damaged
check "a store on another file system is a sentence" says "no BPF file system" \
	"$PROFILER" programs --store "$work/elsewhere" load "$work/xdp.o"
if [ -e /sys/bus/event_source/devices/kprobe ]; then
	id=$(manage load "$work/kprobe.o" 2>"$work/err")
	check "a kprobe is attached" manage attach "$id"
	check "and unloaded" manage unload "$id"
else
	check "a kernel without kprobes is a sentence" says "kprobe" manage attach "$work/kprobe.o"
fi
# What a kernel may refuse by itself: then in its words.
attaches_or_says() { # NAME
	local id
	if ! id=$(manage load "$work/$1.o" 2>"$work/err"); then
		grep -q "does not let us\|refused" "$work/err" && return
		cat "$work/err"
		return 1
	fi
	manage attach "$id" >"$work/out" || return
	grep -q "never called" "$work/out" || until_true 20 started_one "$id" || return
	manage detach "$id" && says "nothing of object $id is attached" manage detach "$id" && manage unload "$id"
}
started_one() { # ID: a process that began, opened a file and ended was counted
	cat /dev/null && at_least "$1" 1
}
check "a typed tracepoint (tracing) is attached, counts and is detached" attaches_or_says tracing
check "so is the entry of a kernel function, or the kernel says why not" attaches_or_says fentry
check "so is an LSM hook, or the kernel says why not" attaches_or_says lsm

# A filter of traffic control in place of a link: in the namespace, and seen by tc.
inside() { ip netns exec "$namespace" "$PROFILER" programs --store "$store" "$@"; }
filters() { tc -n "$namespace" filter show dev epp$$ "$1" | grep -c "count_frames"; }
qdiscs() { tc -n "$namespace" qdisc show dev epp$$; }
as_filter() { # in|out OPTION...
	local id direction=$1 before
	shift
	before=$(qdiscs)
	id=$(inside load "$work/tc.o") && inside attach "$id" --to epp$$ --mode filter "$@" >"$work/out" || return
	grep -q "filter" "$work/out" && [ "$(filters "$direction")" -ge 1 ] || return
	says "attached already" inside attach "$id" --to epp$$ --mode filter "$@" || return
	inside | grep -q "tc epp$$ $direction filter" || { inside; return 1; }
	ip netns exec "$namespace" python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(20): s.sendto(b"x", ("10.213.7.1", 9))'
	python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(20): s.sendto(b"x", ("10.213.7.2", 9))'
	until_true 5 at_least "$id" 20 || return
	inside detach "$id" && [ "$(filters "$direction")" -eq 0 ] || return
	stands_still "$id" && inside unload "$id" && [ "$(qdiscs)" = "$before" ]
}
check "a filter of traffic control counts what comes in, until it is detached" as_filter ingress
check "and what goes out" as_filter egress --egress
# What filters hang on is removed by whoever made it, when nothing hangs on it any more.
two_objects() {
	local first second before
	before=$(qdiscs)
	first=$(inside attach "$work/tc.o" --to epp$$ --mode filter | sed -n 's/^loaded \([0-9]*\).*/\1/p') &&
		second=$(inside load "$work/tc.o") && inside attach "$second" --to epp$$ --mode filter --egress || return
	inside unload "$first" && qdiscs | grep -q clsact || return
	inside detach "$second" && [ "$(qdiscs)" = "$before" ] && inside unload "$second"
}
check "two objects' filters: the last one takes their qdisc along" two_objects
of_others() {
	local id other=$bpffs/other before
	before=$(qdiscs)
	id=$(inside load "$work/tc.o") && inside attach "$id" --to epp$$ --mode filter || return
	ip netns exec "$namespace" "$PROFILER" programs --store "$other" attach "$work/tc.o" --to epp$$ --mode filter || return
	inside unload "$id" && [ "$(filters ingress)" -ge 1 ] || return
	ip netns exec "$namespace" "$PROFILER" programs --store "$other" unload 1 && qdiscs | grep -q clsact || return
	tc -n "$namespace" qdisc del dev epp$$ clsact && [ "$(qdiscs)" = "$before" ]
}
check "a qdisc that others use, or made, stays" of_others
no_rest() { [ "$(ls "$store" | wc -l)" -eq 5 ]; }
check "what failed left nothing behind" no_rest

# --- detaching, unloading ---

check "detach succeeds" manage detach "${ids[2]}"
check "a detached program counts no more" stands_still "${ids[2]}"
check "it cannot be detached twice" says "nothing of object ${ids[2]} is attached" manage detach "${ids[2]}"
check "it can be attached again" manage attach "${ids[2]}"
programs=$(python3 -c 'import json, sys
print(*[p["id"] for p in json.load(open(sys.argv[1]))["programs"] if p["holder"].startswith("object ")])' "$work/list.json")
unload_all() {
	local id
	for id in "${ids[@]}"; do manage unload "$id" || return 1; done
}
check "all are unloaded" unload_all
check "no program is left in the kernel" until_true 5 no_program_left $programs
check "the interface has no XDP program" bash -c "! ip link show ept$$ | grep -q xdp"
check "the directory is gone" [ ! -e "$store" ]

# --- the running product ---

background "$PROFILER" collect exec -d 60 >/dev/null 2>&1
collector=$!
holds() {
	"$PROFILER" programs --json >"$work/running.json" && python3 - "$work/running.json" "$collector" <<-'PY'
		import json, sys
		own = [p for p in json.load(open(sys.argv[1]))["programs"] if p.get("pid") == int(sys.argv[2])]
		assert any(p["attachments"] for p in own), own
		assert sum(m["bytes"] for p in own for m in p["maps"]) > 0
	PY
}
check "programs of a collector in the foreground are listed, with attachments and memory" until_true 10 holds
same_programs() {
	[ "$(programs_of "$collector" | grep -c .)" -gt 0 ] || return 1
	python3 -c 'import json, sys
print(*sorted(str(p["id"]) for p in json.load(open(sys.argv[1]))["programs"] if p.get("pid") == int(sys.argv[2])), sep="\n")' \
		"$work/running.json" "$collector" >"$work/ours"
	programs_of "$collector" | sort | diff - "$work/ours"
}
check "they are those of its file descriptors" same_programs
kill "$collector"

# --- maps for others ---

mkdir "$work/state"
cat >"$work/daemon.conf" <<-CONF
	[store]
	directory = $work/state
	[symbols]
	cache-directory =
	[daemon]
	control-socket = $work/control
	status-interval = 1s
	pin-maps = $bpffs/maps
CONF
mkdir "$bpffs/maps"
bpftool map create "$bpffs/maps/others" type array key 4 value 4 entries 1 name others
"$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.log" &
daemon=$!
started_pids+=($daemon)
pinned() {
	local pin
	for pin in "$bpffs"/maps/*-*; do
		[ -e "$pin" ] && bpftool map show pinned "$pin" | grep -q "^${pin##*-}:" || return 1
	done
	[ "$(ls "$bpffs/maps" | wc -l)" -gt 2 ]
}
check "the daemon's maps are pinned, each by name and id" until_true 20 pinned
check "it stops" kill -TERM $daemon
wait $daemon
result $? "its exit code is 0"
only_others() { [ "$(ls "$bpffs/maps")" = others ]; }
check "its pins are gone, another's is not" only_others

# --- --trace-load ---

traces() {
	strace -f -o "$work/strace" -e trace=bpf,perf_event_open,ioctl \
		"$PROFILER" --trace-load collect exec -n 1 -I 200 >"$work/out" 2>"$work/trace" || return 1
	python3 - "$work/strace" "$work/trace" <<-'PY'
		import re, sys
		theirs, ours = [], []
		for line in open(sys.argv[1], errors="replace"):
		    m = re.search(r"\bbpf\(BPF_(\w+).*\) = (-?\d+)", line)
		    if m:
		        theirs.append((m[1], m[2]))
		    m = re.search(r"\bperf_event_open\(.*\) = (-?\d+)", line)
		    if m:
		        theirs.append(("perf_event_open", m[1]))
		    m = re.search(r"\bioctl\((\d+), (PERF_EVENT_IOC_\w+).*\) = (-?\d+)", line)
		    if m:
		        theirs.append((m[2] + " of " + m[1], m[3]))
		for line in open(sys.argv[2], errors="replace"):
		    assert not line.startswith("trace-load: ") or re.search(r" <\d+\.\d{6}>$", line), line
		    m = re.match(r"trace-load: bpf\((\w+).*\) = (-?\d+)", line)
		    if m:
		        ours.append((m[1], m[2]))
		    m = re.match(r"trace-load: perf_event_open\(.*\) = (-?\d+)", line)
		    if m:
		        ours.append(("perf_event_open", m[1]))
		    m = re.match(r"trace-load: ioctl\((\d+), (PERF_EVENT_IOC_\w+).*\) = (-?\d+)", line)
		    if m:
		        ours.append((m[2] + " of " + m[1], m[3]))
		assert len(ours) > 10, ours
		assert sorted(ours) == sorted(theirs), set(ours) ^ set(theirs)
	PY
}
if command -v strace >/dev/null; then
	check "--trace-load prints the calls strace sees, with the same results" traces
else
	skip "--trace-load beside strace" "strace is not installed"
fi

finish
