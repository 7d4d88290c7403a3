#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges recorded user stacks.

usage: stack_truth.py places SEGMENT PID:INNER:NAME...
       stack_truth.py share SEGMENT [COMM [LEAST]]
       stack_truth.py depths SEGMENT PERF-SCRIPT COMM
       stack_truth.py ends SEGMENT PID STATUS SHARE OUTER PLACE:COUNT...
       stack_truth.py callers SEGMENT PROGRAM WRONG FUNCTION:CALLER,...[:...]...
       stack_truth.py stop FILE ROUNDS PID:NAME...
       stack_truth.py stopped SEGMENT FILE

places: a process stays at one place while it is recorded: its stacks, but for the INNER innermost stack frames, are
all the same. Each is stopped, and eu-stack asked for its stack. Prints a TAP line for each process.
share: what became of the user stacks (of processes named COMM), and exit code 1 when too few of them are complete, or
fewer than LEAST. Early ones are no excuse once a process has run for a second.
ends: of a process that moves SHARE of the stacks at least are of STATUS, and end in the OUTER outermost frames that
eu-stack shows; none of STATUS ends otherwise. COUNT of the stacks at least go through each PLACE, a file's name or
NAME@START-END, offsets in it; exit code 1 otherwise. Early stacks are apart.
callers: in every whole stack of a static program each function was called by one that calls it, but for WRONG
stacks, of which none is among the last third; exit code 1 otherwise. A pair of restorer and any function is allowed.
stop: stops all processes, lets one after the other go on for a moment, and asks eu-stack for the stack with which it is
stopped again, wherever that is; what was seen goes to FILE. Two rounds more come first, which ask for rows.
stopped: of time off the CPU; the absence that was the stop has the stack that eu-stack saw, from the innermost frame to
the outermost one. Prints a TAP line for each process.
depths: the stacks of COMM, and those of `perf record --call-graph dwarf`, are equally deep in the mean.
"""
import collections
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import read_segment  # noqa: E402

STATUSES = ("none complete truncated fault unverified no_mapping no_rows unsupported jit early").split()


class Epoch(read_segment.Epoch):
    """Keeps the halves of a stack apart."""

    def __init__(self, data):
        super().__init__(data)
        self.names = {}  # pid: as the process was called last

    def record(self, kind, c):
        if kind != read_segment.PROCESS:
            return super().record(kind, c)
        pid = c.varint()
        c.varint(), c.varint()
        self.names[pid] = c.bytes()
        self.given[kind].append(pid)

    def stack(self, flags, thread):
        self.halves = super().stack(flags, thread)
        return self.halves

    def periods(self):
        """(period, (time in us, pid, tid, status, ((object, offset) leaf first)))"""
        for at, _cpu, (pid, tid), period, _stack in self.samples():
            user, kernel = self.halves
            if user:
                status = STATUSES[self.status[bool(kernel), True] >> 4]
                frames = tuple(self.given[read_segment.FRAME][f] for f in reversed(user))
                yield period, (at, pid, tid, status, frames)

    def user_stacks(self):
        for _period, stack in self.periods():
            yield stack

    def named_stacks(self):
        for stack in self.user_stacks():
            yield stack + (self.names[stack[1]],)


def epochs_of(path):
    epochs, *_ = read_segment.read_file(path)
    for _place, payloads in epochs:
        yield Epoch(read_segment.decompress(payloads))


def stacks_of(path):
    for epoch in epochs_of(path):
        yield from epoch.user_stacks()


def places(pid):
    """From an address to what a segment calls it."""
    maps = []
    with open("/proc/%d/maps" % pid) as f:
        for line in f:
            words = line.split(None, 5)
            if "x" not in words[1]:
                continue
            start, end = (int(n, 16) for n in words[0].split("-"))
            path = words[5].strip().removesuffix(" (deleted)") if len(words) > 5 else "//anon"
            maps.append((start, end, int(words[2], 16), path))

    def place(address):
        for start, end, offset, path in maps:
            if start <= address < end:
                return path, address - start + offset
        return "?", address

    return place


def seen_stopped(pid):
    """{tid: [(object, offset)]}, leaf first, by elfutils, which looks for files where the process has them."""
    apart = os.readlink("/proc/%d/ns/mnt" % pid) != os.readlink("/proc/self/ns/mnt")
    inside = ["nsenter", "-t", str(pid), "-m", "--"] if apart else []
    out = subprocess.run([*inside, "eu-stack", "-q", "-p", str(pid)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         timeout=60, text=True).stdout
    place = places(pid)
    stacks = {}
    for line in out.splitlines():
        words = line.split()
        if line.startswith("TID "):
            stack = stacks[int(words[1].rstrip(":"))] = []
        elif line.startswith("#"):
            stack.append(place(int(words[1], 16)))
    return stacks


def show(stack):
    return " ".join("%s+%x" % (os.path.basename(o), offset) for o, offset in stack)


def judge(pid, inner, recorded):
    """"" or what is wrong."""
    os.kill(pid, signal.SIGSTOP)
    truth = seen_stopped(pid)
    if not truth:
        return "eu-stack shows nothing"
    complaints = []
    compared = 0
    for tid, true in truth.items():
        outer = tuple(true[inner:])
        mine = collections.Counter((status, stack[-len(outer):]) for stack, status in recorded[tid] if status != "early")
        compared += sum(mine.values())
        wrong = [(n, status, stack) for (status, stack), n in mine.items() if (status, stack) != ("complete", outer)]
        if wrong:
            n, status, stack = max(wrong)
            complaints.append("thread %d: %d times %s\n  %s\neu-stack:\n  %s" % (tid, n, status, show(stack), show(outer)))
    if compared < 5:
        complaints.append("only %d stacks" % compared)
    return "\n".join(complaints)


def compare_places(segment, cases):
    recorded = collections.defaultdict(list)
    for _time, _pid, tid, status, stack in stacks_of(segment):
        recorded[tid].append((stack, status))
    for arg in cases:
        pid, inner, name = arg.split(":")
        wrong = judge(int(pid), int(inner), recorded)
        print("%s 0 - %s: every stack is the one that eu-stack shows" % ("not ok" if wrong else "ok", name))
        for line in wrong.splitlines():
            print("# " + line)


def share(segment, comm=None, least=500):
    """Apart are stacks of the first 50 ms after the first sample of a program, or after the first one that ended in a
    file, which must have been mapped by then; and recursion beyond the depth, which says so itself."""
    begun, statuses, late = {}, collections.Counter(), collections.Counter()
    for at, pid, _tid, status, stack, name in sorted(s for e in epochs_of(segment) for s in e.named_stacks()):
        since = max(begun.setdefault((pid, name), at), begun.setdefault((pid, stack[-1][0]), at))
        if not comm or name.decode() == comm:
            statuses[status if at > since + 50000 else "first 50 ms"] += 1
            late[status] += at > since + 1000000
    print("# " + ", ".join("%d %s" % (n, status) for status, n in statuses.most_common()))
    judged = sum(n for status, n in statuses.items() if status not in ("truncated", "first 50 ms"))
    whole, early = statuses["complete"] / max(judged - statuses["early"], 1), statuses["early"] / max(judged, 1)
    print("# %.3f %% of %d complete, with early ones %.3f %%" % (100 * whole, judged, 100 * statuses["complete"] / max(judged, 1)))
    judged_late = sum(late.values()) - late["truncated"]
    print("# after a second %.3f %% of %d complete" % (100 * late["complete"] / max(judged_late, 1), judged_late))
    # The profiler is a process like others: on a saturated host its turn comes later than after 50 ms, but within a second.
    rows_came = judged_late < 500 or late["complete"] >= 0.995 * judged_late
    return 0 if judged >= int(least) and whole >= 0.995 and early <= 0.3 and rows_came else 1


def perf_depths(path, comm):
    """Depths of the user stacks of `comm`, in the output of perf script -F comm,ip,sym, down to the C library's caller of
    main: there some of perf's end, two stack frames before _start."""
    depths, depth, wanted, whole = [], 0, False, False
    with open(path, errors="replace") as f:
        for line in f:
            if not line.strip():
                if wanted and whole:
                    depths.append(depth)
                depth, whole = 0, False
            elif line[0] not in " \t":
                wanted = line.strip().startswith(comm)
            elif int(line.split()[0], 16) < 1 << 63 and not whole:
                depth += 1
                whole = line.split()[1:] == ["__libc_start_call_main"]
    return depths


def compare_depths(segment, script, comm):
    mine = [len(stack) - 2 for _t, _pid, _tid, status, stack in stacks_of(segment)
            if status == "complete" and any(os.path.basename(path) == comm for path, _offset in stack)]
    theirs = perf_depths(script, comm)
    means = [sum(d) / max(len(d), 1) for d in (mine, theirs)]
    print("# mean depth %.2f of %d, perf %.2f of %d" % (means[0], len(mine), means[1], len(theirs)))
    return 0 if len(mine) > 200 and len(theirs) > 50 and abs(means[0] - means[1]) <= 0.1 * means[1] else 1


def goes_through(stack, place):
    name, _, span = place.partition("@")
    start, end = (int(n, 16) for n in span.split("-")) if span else (0, 1 << 64)
    return any(os.path.basename(path) == name and start <= offset < end for path, offset in stack)


def check_ends(segment, pid, status, share_at_least, outer, wanted):
    os.kill(pid, signal.SIGSTOP)
    end = tuple(seen_stopped(pid)[pid][-outer:])
    stacks = [(how, stack) for _time, of, _tid, how, stack in stacks_of(segment) if of == pid and how != "early"]
    good = [stack for how, stack in stacks if how == status and stack[-outer:] == end]
    wrong = [stack for how, stack in stacks if how == status and stack[-outer:] != end]
    bad = collections.Counter((how, show(stack[-3:])) for how, stack in stacks if how != status)
    print("# %d as they should be, %d otherwise: %s" % (len(good), len(stacks) - len(good), bad.most_common(4)))
    print("# ".join([""] + ["not the end of one: %s\n" % show(stack) for stack in wrong[:2]]), end="")
    for place, count in (w.rsplit(":", 1) for w in wanted):
        n = sum(goes_through(stack, place) for stack in good)
        print("# %d through %s" % (n, place))
        if n < int(count):
            return 1
    return 0 if not wrong and len(end) == outer and len(good) >= share_at_least * len(stacks) else 1


def functions_of(program):
    """From a file offset to the function there."""
    sections = subprocess.run(["objdump", "-h", "-j", ".text", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    words = next(line for line in sections.splitlines() if " .text " in line).split()
    shift = int(words[3], 16) - int(words[5], 16)
    nm = subprocess.run(["nm", "-n", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    symbols = [(int(address, 16) - shift, name) for address, kind, name in map(str.split, nm.splitlines()) if kind in "tT"]

    def function(offset):
        return max((s for s in symbols if s[0] <= offset), default=(0, "?"))[1]

    return function


def check_callers(segment, program, wrong_at_most, edges):
    function = functions_of(program)
    callers = {name: set(allowed.split(",")) for name, allowed in (e.split(":") for e in edges)}
    whole, wrong, example = 0, [], ""
    for _time, _pid, _tid, status, stack in sorted(stacks_of(segment)):
        if status != "complete" or os.path.basename(stack[0][0]) != os.path.basename(program):
            continue
        # A return address belongs to the function of the call before it.
        names = [function(offset - (i > 0)) for i, (_path, offset) in enumerate(stack)]
        whole += 1
        if any(a != "restorer" and b not in callers.get(a, ()) for a, b in zip(names, names[1:])) or names[-1] != "_start":
            wrong.append(whole)
            example = " ".join(names)
    late = [n for n in wrong if n > whole * 2 / 3]
    print("# %d stacks, %d wrong, %d of them in the last third; %s" % (whole, len(wrong), len(late), example))
    return 0 if whole >= 300 and len(wrong) <= int(wrong_at_most) and not late else 1


def until_stopped(pid):
    for _ in range(5000):
        with open("/proc/%d/stat" % pid) as f:
            if f.read().rpartition(")")[2].split()[0] == "T":
                return
        time.sleep(0.002)


def stop_often(path, rounds, cases):
    """A line for each thread and stop: process, thread, a moment in us at which it was stopped, its stack."""
    processes = [(int(pid), name) for pid, name in (case.split(":") for case in cases)]
    for pid, _name in processes:
        os.kill(pid, signal.SIGSTOP)
    with open(path, "w") as f:
        for i, (pid, name) in enumerate((rounds + 2) * processes):
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)  # it goes on to another place
            os.kill(pid, signal.SIGSTOP)
            until_stopped(pid)
            time.sleep(0.02)  # the last of it leaves the CPU
            moment = time.monotonic_ns() / 1000
            for tid, stack in seen_stopped(pid).items() if i >= 2 * len(processes) else ():
                print(json.dumps([name, tid, moment, stack]), file=f)
    for pid, _name in processes:
        os.kill(pid, signal.SIGCONT)


def compare_stopped(segment, path):
    absences = collections.defaultdict(list)
    for epoch in epochs_of(segment):
        for period, (end, _pid, tid, status, stack) in epoch.periods():
            absences[tid].append((end - period / 1000, end, status, stack))
    answers = collections.defaultdict(collections.Counter)
    wrong = {}
    with open(path) as f:
        for name, tid, moment, true in map(json.loads, f):
            found = [(status, stack) for start, end, status, stack in absences[tid] if start <= moment <= end]
            status, stack = found[0] if found else ("absent", ())
            same = [list(place) for place in stack] == true
            answers[name]["same" if same else "wrong" if status == "complete" else status] += 1
            if not same:
                wrong[name] = "%s: %s\neu-stack: %s" % (status, show(stack), show(true))
    # elfutils has its own places where it errs, and a saturated host those of which no sample is left: one of six.
    for name, n in answers.items():
        good = n["same"] >= 0.8 * sum(n.values())
        print("%s 0 - %s: the stacks at its stops are those that eu-stack shows" % ("ok" if good else "not ok", name))
        for line in [str(dict(n)), *wrong.get(name, "").splitlines()]:
            print("# " + line)


def main():
    what, segment, *rest = sys.argv[1:]
    if what == "places":
        compare_places(segment, rest)
    elif what == "stop":
        stop_often(segment, int(rest[0]), rest[1:])
    elif what == "stopped":
        compare_stopped(segment, *rest)
    elif what == "share":
        sys.exit(share(segment, *rest))
    elif what == "ends":
        sys.exit(check_ends(segment, int(rest[0]), rest[1], float(rest[2]), int(rest[3]), rest[4:]))
    elif what == "callers":
        sys.exit(check_callers(segment, rest[0], rest[1], rest[2:]))
    else:
        sys.exit(compare_depths(segment, *rest))


if __name__ == "__main__":
    main()
