# SPDX-License-Identifier: Apache-2.0
"""What the collectors cost: their thread's CPU time, a pass over thousands of processes, the steps of their BPF programs."""
import json
import os
import re
import statistics
import subprocess
import time

from recorders import Failed
from result import row

BPF = ["exec", "processes", "oom", "syscalls", "sockets", "runqueue", "block_io", "faults", "irq"]


def available(c, wanted):
    listed = json.loads(subprocess.run([c.program, "collectors", "--local", "--json"], capture_output=True, check=True).stdout)
    return [x["name"] for x in listed["collectors"] if x["available"] and wanted(x)]


def thread_seconds(pid, name):
    """CPU time of a process's thread, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as comm:
            if comm.read().strip() == name:
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0]) / 1e9
    return total


def status_mb(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key)) / 1024


def measure_collectors(c):
    """All periodic collectors that are on by default: at one second whatever their own interval is, and at their own."""
    names = available(c, lambda x: x["kind"] == "periodic" and x["enabled"])
    return cost_of(c, names, "at 1 s", "-I", "1000") + cost_of(c, names, "at their own intervals")


def cost_of(c, names, when, *options):
    seconds = 3 * c.seconds
    with subprocess.Popen([c.program, "collect", *names, *options, "-d", str(seconds + 60), "--bench", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as p:
        time.sleep(3)
        before, start = thread_seconds(p.pid, "collect"), time.monotonic()
        time.sleep(seconds)
        share = 100 * (thread_seconds(p.pid, "collect") - before) / (time.monotonic() - start)
        own, all_pages = status_mb(p.pid, "RssAnon:"), status_mb(p.pid, "VmRSS:")
        p.terminate()
        costs = [json.loads(line) for line in p.stdout]
    dearest = sorted(costs, key=lambda x: -x["cpu_us"])[:4]
    most = ", ".join(f"{x['collector']} {x['cpu_us']:.0f} us" for x in dearest)
    return [
        row(f"{len(names)} collectors {when}, {seconds} s", "< 0.5 % of a CPU", f"{share:.3f} %", share < 0.5, most),
        row("their memory", "< 10 MB", f"{own:.1f} MB", own < 10, f"{all_pages:.1f} MB with the program's file"),
    ]


def measure_walk(c):
    """CPU time of a pass of the process collector over 5,000 processes: as files, and as processes that sleep."""
    rows = []
    for where in ("fixture", "proc"):
        command = [os.path.join(c.build, "bench", "walk"), "process", where, "5000", "10"]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(c.repeats)]
        first, later = (statistics.median(float(r[i]) for r in runs) / 1000 for i in (0, 1))
        rows.append(row(f"a pass over 5,000 processes, {where}", "< 20 ms", f"{later:.1f} ms", later < 20, f"the first one {first:.1f} ms"))
    return rows


def measure_programs(c):
    """The steps of BPF collectors, as --trace-load tells how long each took."""
    names = available(c, lambda x: x["name"] in BPF)
    if not names:
        raise Failed("no collector with BPF programs can work here")
    trace = subprocess.run([c.program, "--trace-load", "collect", *names, "-n", "3", "-I", "200"], capture_output=True, text=True, check=True).stderr
    steps = {}
    for line in trace.splitlines():
        m = re.match(r"trace-load: (?:bpf\((\w+)|ioctl\(\d+, (\w+)).*<([\d.]+)>$", line)
        if m:
            steps.setdefault(m[1] or m[2], []).append(float(m[3]) * 1e6)

    def median(*wanted):
        return statistics.median(us for step in wanted for us in steps.get(step, []))

    attach = median("RAW_TRACEPOINT_OPEN", "LINK_CREATE", "PERF_EVENT_IOC_SET_BPF")
    read = median("MAP_LOOKUP_ELEM", "MAP_LOOKUP_BATCH")
    return [
        row(f"attaching a program, {len(names)} collectors", "<= 100 us", f"{attach:.0f} us", attach <= 100,
            f"raw tracepoints {median('RAW_TRACEPOINT_OPEN'):.0f} us"),
        row("reading a map", "<= 10 us", f"{read:.1f} us", read <= 10, f"up to 512 elements at once {median('MAP_LOOKUP_BATCH'):.0f} us"),
    ]


def measure_syscalls(c):
    """What is added to each system call of the host: four ways in turns, each compared with what was measured beside it."""
    tool = os.path.join(c.build, "bench", "calls")

    def cost(*how):
        return float(subprocess.run([tool, "500000", *how], capture_output=True, text=True, check=True).stdout)

    def collected(latency):
        command = [c.program, "collect", "syscalls", "--set", f"latency={latency}", "--set", "top=10"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
            if not p.stdout.readline():
                raise Failed(p.stderr.read())
            try:
                return cost()
            finally:
                p.kill()

    turns = [(cost(), cost("empty"), collected("no"), collected("yes")) for _ in range(4 * c.repeats)]

    def more(a, b):
        return statistics.median(turn[a] - turn[b] for turn in turns)

    def judged(what, way, bar):
        own = more(way, 1)
        alone = statistics.median(turn[0] for turn in turns)
        beside = f"{more(way, 0):.0f} ns in all, {more(1, 0):.0f} with an empty one, beside {alone:.0f} of the call itself"
        return row(f"{what} a system call, over an empty raw tracepoint", f"<= {bar} ns", f"{own:.0f} ns", own <= bar, beside)

    return [judged("counting", 2, 20), judged("counting and timing", 3, 170)]


MEASUREMENTS = {"collectors": measure_collectors, "walk": measure_walk, "programs": measure_programs, "syscalls": measure_syscalls}
