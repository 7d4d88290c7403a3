# SPDX-License-Identifier: Apache-2.0
"""
Measures the product beside perf in the same run, on the same load, in turns, and compares medians with the bars.

Every measurement is one function and one row in MEASUREMENTS. A bar is a bound; what is measured, what perf did, and the
verdict stand beside it.
"""
import argparse
import contextlib
import glob
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import collecting
import loads
from recorders import Failed, Ours, Perf, run
from result import row


class Context:
    def __init__(self, options, work):
        self.build = os.path.abspath(options.build)
        self.work = work
        self.seconds = options.seconds
        self.repeats = options.repeats
        self.memory_seconds = options.memory_seconds
        self.report_samples = options.report_samples
        self.program = os.path.join(self.build, "ebpf-profiler")
        self.ours = Ours(work, self.program)
        self.perf = Perf(work, compress=False)
        self.perf_z = Perf(work, compress=True)

    def in_turns(self, recorders, measure):
        """{recorder name: [result]}; the order rotates, so that none always comes first."""
        results = {r.name: [] for r in recorders}
        for i in range(self.repeats):
            for k in range(len(recorders)):
                recorder = recorders[(i + k) % len(recorders)]
                results[recorder.name].append(measure(recorder))
        return results


def medians(results, value):
    return {name: statistics.median(value(c) for c in costs) for name, costs in results.items()}


def beside(values, ours, unit):
    return ", ".join(f"{name} {v:.3g}{unit}" for name, v in values.items() if name != ours)


def size_of_samples(c, title, load, bar):
    recorders = [c.perf, c.perf_z, c.ours]
    with loads.running(load(c.build, 100000)):
        results = c.in_turns(recorders, lambda r: r.record(999, c.seconds))
    sizes = medians(results, lambda cost: cost.bytes_per_sample())
    mine = sizes[c.ours.name]
    return [row(f"bytes on disk per sample, {title}", f"<= {bar}", f"{mine:.2f}", mine <= bar, beside(sizes, c.ours.name, " B"))]


def measure_size_steady(c):
    return size_of_samples(c, "steady load", loads.steady, 10)


def measure_size_diverse(c):
    return size_of_samples(c, "diverse load", loads.diverse, 22)


def cost_of_samples(c, title, load, bar):
    """The slope between a low and a high rate: what one more sample costs, start and end left out."""
    low, high = 99, 4999

    def slope(recorder):
        a, b = recorder.record(low, c.seconds), recorder.record(high, c.seconds)
        return 1e6 * (b.cpu_s - a.cpu_s) / max(b.samples - a.samples, 1)

    with loads.running(load(c.build, 100000)):
        costs = medians(c.in_turns([c.perf, c.perf_z, c.ours], slope), lambda us: us)
    mine = costs[c.ours.name]
    return [row(f"daemon CPU per sample, {title}", f"<= {bar} us", f"{mine:.2f} us", mine <= bar, beside(costs, c.ours.name, " us"))]


def measure_cpu_steady(c):
    return cost_of_samples(c, "steady load", loads.steady, 1.0)


def measure_cpu_diverse(c):
    return cost_of_samples(c, "diverse load", loads.diverse, 1.5)


def measure_cpu_minute(c):
    seconds = 3 * c.seconds
    with loads.running(loads.steady(c.build, 100000)):
        results = c.in_turns([c.perf_z, c.ours], lambda r: r.record(999, seconds))
    times = medians(results, lambda cost: cost.cpu_s)
    samples = statistics.median(cost.samples for cost in results[c.ours.name])
    bar = times[c.perf_z.name] + 0.75e-6 * samples
    mine = times[c.ours.name]
    return [
        row(f"daemon CPU time, 999 Hz for {seconds} s", f"<= {bar:.3f} s", f"{mine:.3f} s", mine <= bar, beside(times, c.ours.name, " s"))
    ]


def measure_slowdown(c):
    rounds = subprocess.run([f"{c.build}/workloads/deep", "rounds", "200000"], capture_output=True, text=True, check=True)
    # About four seconds on every CPU, whatever the machine.
    n = str(int(200000 * 4 / float(rounds.stdout)))
    results_path = os.path.join(c.work, "rounds")
    burners = f"for i in $(seq {os.cpu_count()}); do {c.build}/workloads/deep rounds {n} & done >{results_path}; wait"

    def elapsed(recorder):
        recorder.around(4999, ["sh", "-c", burners])
        with open(results_path, encoding="ascii") as f:
            return statistics.mean(float(line) for line in f)

    class Bare:
        name = "none"

        @staticmethod
        def around(_hz, workload):
            subprocess.run(workload, check=True)

    times = medians(c.in_turns([Bare, c.perf, c.ours], elapsed), lambda s: s)
    ratio = times[c.ours.name] / times[c.perf.name]
    shown = ", ".join(f"{name} {s:.3f} s" for name, s in times.items())
    return [row("slowdown at 4,999 Hz, of that under perf record -g", "<= 1.03", f"{ratio:.3f}", ratio <= 1.03, shown)]


def measure_lost(c):
    hz, seconds = 10000, max(c.seconds, 30) if c.seconds >= 20 else c.seconds
    worst_share, lost = 1e9, 0
    with loads.running(loads.steady(c.build, 100000)):
        for _ in range(3):
            before = loads.busy_seconds()
            cost = c.ours.record(hz, seconds)
            busy = (loads.busy_seconds() - before) * seconds / cost.wall_s
            worst_share = min(worst_share, (cost.samples + cost.lost) / (hz * busy))
            lost += cost.lost
    return [
        row(f"lost samples at 10 kHz on all CPUs for {seconds} s, 3 times", "0", str(lost), lost == 0),
        row("delivered of rate x busy CPU seconds, the worst time", ">= 95 %", f"{100 * worst_share:.1f} %", worst_share >= 0.95),
    ]


def resident_bytes(pid):
    """Own memory, and of the maps shared with the BPF unwinder, which are bounded apart."""
    own = rows = 0
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            first = line.split(None, 1)[0]
            if first == "Rss:":
                size = int(line.split()[1]) * 1024
                own, rows = (own, rows + size) if of_rows else (own + size, rows)
            elif not first.endswith(":"):
                of_rows = line.rstrip().endswith("anon_inode:bpf-map")
    return own, rows


def slope_per_minute(points):
    """Least squares over (seconds, bytes)."""
    mean_t = statistics.mean(t for t, _ in points)
    mean_b = statistics.mean(b for _, b in points)
    spread = sum((t - mean_t) ** 2 for t, _ in points)
    return 60 * sum((t - mean_t) * (b - mean_b) for t, b in points) / spread if spread else 0.0


def watch_daemon(c, seconds):
    """[(second, own bytes, bytes of rows)] of a daemon with the default configuration, one point a second."""
    folder = os.path.join(c.work, "daemon")
    os.mkdir(folder)
    config = os.path.join(folder, "conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(f"[store]\ndirectory = {folder}/state\n[symbols]\ncache-directory = {folder}/cache\n[daemon]\ncontrol-socket = {folder}/control\n")
    os.mkdir(os.path.join(folder, "state"))
    points = []
    with open(os.path.join(folder, "log"), "w+", encoding="utf-8", errors="replace") as log:
        command = [c.program, "daemon", "--config", config]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as child:
            started = time.monotonic()
            while child.poll() is None and time.monotonic() < started + seconds:
                points.append((time.monotonic() - started, *resident_bytes(child.pid)))
                time.sleep(1)
            if child.poll() is None:
                child.terminate()
            child.wait()
        log.seek(0)
        if child.returncode != 0:
            raise Failed(f"{' '.join(command)}: exit code {child.returncode}: {log.read()[-500:]}")
    shutil.rmtree(folder)
    return points


def measure_memory(c):
    """Processes come and go all the while, so that what is kept of each would show."""
    storm = f"while :; do {c.build}/workloads/storm 200 20; done"
    with loads.running(loads.steady(c.build, 100000)[:1] + [["sh", "-c", storm]]):
        points = watch_daemon(c, c.memory_seconds)
    # The first fifth fills caches and tables.
    settled = [(t, own) for t, own, _ in points[len(points) // 5 :]]
    most = max(own for _, own, _ in points) / 1e6
    rows = max(rows for _, _, rows in points) / 1e6
    growth = slope_per_minute(settled) / 1e3
    return [
        row(
            "resident memory of the daemon, default collectors, two CPUs busy",
            "<= 40 MB",
            f"{most:.1f} MB",
            most <= 40,
            f"and {rows:.1f} MB of rows, and ring bytes x CPUs",
        ),
        row(f"its growth over {c.memory_seconds} s", "< 100 KB/min", f"{growth:.0f} KB/min", growth < 100),
    ]


def measure_start(c):
    tool = os.path.join(c.build, "bench", "start")

    def sampler(how):
        answers = [subprocess.run([tool, how], capture_output=True, text=True, check=True).stdout for _ in range(max(c.repeats, 5))]
        return statistics.median(float(a) for a in answers)

    by_fp, by_rows = sampler("fp"), sampler("rows")
    walls = [c.ours.record(99, "100ms").wall_s * 1000 - 100 for _ in range(max(c.repeats, 5))]
    everything = statistics.median(walls)
    return [
        row("start: sampler loaded and attached, perf rings", "< 10 ms", f"{by_fp:.1f} ms", by_fp < 10),
        row("the same with the unwinder", "< 10 ms", f"{by_rows:.1f} ms", by_rows < 10),
        row("start and end of a recording, everything", "< 300 ms", f"{everything:.0f} ms", everything < 300),
    ]


def measure_report(c):
    """On a made recording of 1,000 processes; the first reading warms the cache."""
    path = os.path.join(c.work, "large.seg")
    made = subprocess.run([f"{c.build}/bench/segments", path, str(c.report_samples), "1000"], capture_output=True, text=True, check=True)
    times = []
    for _ in range(c.repeats + 1):
        code, wall, usage, output = run([c.program, "report", path])
        if code != 0:
            raise Failed(f"report: {output.strip()}")
        times.append((wall, usage.ru_maxrss / 1024))
    wall = statistics.median(t for t, _ in times[1:])
    memory = max(m for _, m in times)
    stacks = made.stdout.split(",")[1].strip()
    return [
        row(f"report over {c.report_samples:,} samples, {stacks}", "< 2 s", f"{wall:.2f} s", wall < 2, f"{memory:.0f} MB resident"),
    ]


def programs_of(pid):
    """Ids of the BPF programs a process holds."""
    ids = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            ids |= {int(line.split()[1]) for line in f if line.startswith("prog_id:")}
    return ids


@contextlib.contextmanager
def recording(c, *options, of=()):
    """Pid of a recording at 4,999 Hz, of the whole host or of a command."""
    command = [c.program, "record", "-e", "cpu-clock@4999Hz", *options, "-d", "60", "-o", os.path.join(c.work, f"{len(options)}.seg")]
    command += ["--", *of] if of else []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recorder:
        try:
            yield recorder.pid
        finally:
            recorder.terminate()


def run_of(pid):
    """Of the recording's program on the event, by the kernel's own statistics: (seconds, runs)."""
    programs = [json.loads(subprocess.run(["bpftool", "-j", "prog", "show", "id", str(i)], capture_output=True, check=True).stdout)
                for i in programs_of(pid)]
    busiest = max((p for p in programs if p["type"] == "perf_event"), key=lambda p: p.get("run_cnt", 0), default={})
    if not busiest.get("run_cnt"):
        raise Failed("no BPF program of the recording ran, or kernel.bpf_stats_enabled is not to be had")
    return busiest["run_time_ns"] / 1e9, busiest["run_cnt"]


def process_seconds(pid):
    """CPU time of all its threads, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0]) / 1e9
    return total


def run_cost_us(c, *options, of=()):
    with recording(c, *options, of=of) as pid:
        time.sleep(max(2, c.seconds / 5))
        seconds, runs = run_of(pid)
        return 1e6 * seconds / runs


def counters_cost_us(c, counters):
    """
    What they add to a sample, side by side: two recordings of the same moments, one without them. First the BPF program's
    part, which the interrupted code waits for: the reads, the comparison, the larger record into the ring. Then the
    recorder's: out of the ring and into the file.
    """
    def so_far():
        return [(*run_of(pid), process_seconds(pid)) for pid in pids]

    with recording(c, "--unwind", "fp", "--counters", counters) as counting, recording(c, "--unwind", "fp") as plain:
        pids = counting, plain
        time.sleep(1)  # what a start costs is not a sample's
        start = so_far()
        time.sleep(max(2, c.seconds / 5))
        end = so_far()
    (counting, plain) = [tuple(1e6 * (b[i] - a[i]) / (b[1] - a[1]) for i in (0, 2)) for a, b in zip(start, end)]
    return [a - b for a, b in zip(counting, plain)]


@contextlib.contextmanager
def bpf_statistics():
    setting = "/proc/sys/kernel/bpf_stats_enabled"
    with open(setting, "r+", encoding="ascii") as f:
        before = f.read()
        f.seek(0)
        f.write("1")
        f.flush()
        try:
            yield
        finally:
            f.seek(0)
            f.write(before)


def four_counters():
    """The hardware's own where there is a PMU, else what a guest has."""
    devices = "/sys/bus/event_source/devices"
    if glob.glob(f"{devices}/*/events/cpu[-_]cycles"):
        return "instructions,branches,branch-misses,cache-misses"
    last = "msr/tsc/" if os.path.exists(f"{devices}/msr/events/tsc") else "cpu-clock"
    return "page-faults,context-switches,cpu-migrations," + last


def measure_counters(c):
    """What four counters add to a sample, and what an interval of the counting engine costs on large machines."""
    four = four_counters()
    tool = os.path.join(c.build, "bench", "counting")
    with loads.running(loads.steady(c.build, 100000)), bpf_statistics():
        costs = [counters_cost_us(c, four) for _ in range(c.repeats)]
    extra, recorder = (statistics.median(cost[i] for cost in costs) for i in (0, 1))
    us = [float(subprocess.run([tool, "72", "8"], capture_output=True, text=True, check=True).stdout.split()[0]) for _ in range(c.repeats)]
    interval = statistics.median(us)
    per_cpu = int(subprocess.run([tool, "256", "8", "1"], capture_output=True, text=True, check=True).stdout.split()[1])
    return [
        row("4 counters read at each sample, into the ring", "< 0.6 us", f"{extra:.2f} us", extra < 0.6,
            f"{four}; and {recorder:.2f} us in the recorder"),
        row("stat interval, 72 CPUs x 8 events, bookkeeping", "< 1 ms", f"{interval / 1000:.3f} ms", interval < 1000),
        row("memory of 8 counters on 256 CPUs", "< 2 MB", f"{per_cpu * 256 / 1e6:.2f} MB", per_cpu * 256 < 2e6),
    ]


def large_binaries():
    """What compiles and runs here: the compiler, LLVM, the C library, Python; those that there are."""
    cc1 = subprocess.run(["cc", "-print-prog-name=cc1"], capture_output=True, text=True, check=True).stdout.strip()
    with open("/proc/self/maps", encoding="utf-8") as f:
        mapped = {line.split()[-1] for line in f if "/" in line}
    libraries = [path for path in mapped if "/libc.so" in path or "/libpython" in path]
    llvm = sorted(glob.glob("/usr/lib/*/libLLVM*.so*") + glob.glob("/usr/lib64/libLLVM*.so*"))
    return [f for f in [cc1, *llvm[:1], *sorted(libraries)] if os.path.exists(f)]


def measure_rows(c):
    """CPU time of reading .eh_frame into rows, less that of a small one; the first reading warms the page cache."""

    def cpu_and_rows(*arguments):
        times = []
        for _ in range(max(c.repeats, 5) + 1):
            code, _, usage, output = run([c.program, "unwind", "--json", *arguments])
            if code != 0:
                raise Failed(f"unwind: {output.strip()}")
            times.append((usage.ru_utime + usage.ru_stime) * 1000)
        return statistics.median(times[1:]), json.loads(output)["files"][0]["rows"]

    least, _ = cpu_and_rows("--vdso")
    rows = []
    for path in large_binaries():
        cpu, n = cpu_and_rows(path)
        cost = max(cpu - least, 0) / n * 100000
        rows.append(row(f"unwind rows of {os.path.basename(path)}, {n:,}", "<= 20 ms per 100,000", f"{cost:.1f} ms", cost <= 20))
    return rows


def measure_unwinding(c):
    """The sampler's program on stacks of known depth without frame pointers, and rows on their way to it."""
    places = os.path.join(c.work, "places")
    subprocess.run(["cc", "-O2", "-fomit-frame-pointer", "-pthread", "-o", places, "tests/unwind/places.c", "-ldl"], check=True)

    def cost(depth, way):
        return run_cost_us(c, "--unwind", way, of=[places, "recursion", str(depth)])

    def median(depth, way):
        return statistics.median(cost(depth, way) for _ in range(c.repeats))

    source = os.path.join(c.work, "large.c")
    with open(source, "w", encoding="ascii") as f:
        f.writelines(f"int f{i}(int a, int b) {{ for (int i = a; i < b; i++) a += i * a ^ {i}; return a; }}\n" for i in range(1000))
    compile_on = ["sh", "-c", f"while :; do cc -O2 -c -o /dev/null {source}; done"]
    with bpf_statistics():
        deep, shallow, by_fp = median(18, "dwarf"), median(0, "dwarf"), median(18, "fp")
        compiler = statistics.median(run_cost_us(c, "--unwind", "dwarf", of=compile_on) for _ in range(c.repeats))
    frame = (deep - shallow) / 18 * 1000
    tool = os.path.join(c.build, "bench", "upload")
    upload = statistics.median(float(subprocess.run([tool], capture_output=True, text=True, check=True).stdout) for _ in range(max(c.repeats, 5)))
    return [
        row("a sample with 24 user frames, unwound by rows", "<= 6 us", f"{deep:.2f} us", deep <= 6, f"by frame pointers {by_fp:.2f} us"),
        row("a sample of a compiler, 20 user frames in the mean", "<= 6 us", f"{compiler:.2f} us", compiler <= 6),
        row("a user frame by rows", "<= 250 ns", f"{frame:.0f} ns", frame <= 250),
        row("1,000,000 rows to where they are used", "<= 30 ms", f"{upload:.1f} ms", upload <= 30),
    ]


MEASUREMENTS = {
    "size-steady": measure_size_steady,
    "size-diverse": measure_size_diverse,
    "cpu-steady": measure_cpu_steady,
    "cpu-diverse": measure_cpu_diverse,
    "cpu-minute": measure_cpu_minute,
    "slowdown": measure_slowdown,
    "lost": measure_lost,
    "memory": measure_memory,
    "report": measure_report,
    "start": measure_start,
    "counters": measure_counters,
    "rows": measure_rows,
    "unwinding": measure_unwinding,
    **collecting.MEASUREMENTS,
}


def machine():
    """Figures mean little without it; a load from elsewhere shows in the load average."""
    uname = os.uname()
    return f"{uname.machine}, {os.cpu_count()} CPUs, Linux {uname.release}, load average before {os.getloadavg()[0]:.2f}"


def print_table(rows):
    columns = ["what", "bar", "measured", "verdict", "beside"]
    shown = [dict(r, verdict={True: "holds", False: "MISSED", None: "failed"}[r["verdict"]]) for r in rows]
    width = {k: max(len(k), *(len(r[k]) for r in shown)) for k in columns}
    for r in [{k: k for k in columns}, {k: "-" * width[k] for k in columns}, *shown]:
        print("  ".join(r[k].ljust(width[k]) for k in columns).rstrip())


def parse_options():
    p = argparse.ArgumentParser(prog="tests/bench/run.sh", description="Measures beside perf; prints bar, measured, verdict.")
    p.add_argument("build", help="build directory")
    p.add_argument("measurements", nargs="*", metavar="MEASUREMENT", help="all by default: " + ", ".join(MEASUREMENTS))
    p.add_argument("--seconds", type=int, default=20, help="of one recording (20)")
    p.add_argument("--repeats", type=int, default=5, help="of each recorder (5)")
    p.add_argument("--memory-seconds", type=int, default=300, help="of the memory trend (300)")
    p.add_argument("--report-samples", type=int, default=10000000, help="in the recording that is reported (10000000)")
    p.add_argument("--quick", action="store_true", help="3 s, twice, 30 s, 100000 samples: to see that it runs, not for figures")
    options = p.parse_intermixed_args()
    unknown = [m for m in options.measurements if m not in MEASUREMENTS]
    if unknown:
        p.error(f"there is no measurement '{unknown[0]}'; there are " + ", ".join(MEASUREMENTS))
    if options.quick:
        options.seconds, options.repeats, options.memory_seconds, options.report_samples = 3, 2, 30, 100000
    return options


def main():
    options = parse_options()
    if os.geteuid() != 0:
        sys.exit("bench: sampling the whole host needs root")
    # Told to end, it ends its loads: they run for ever.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    work = tempfile.mkdtemp(prefix="ebpf-profiler-bench.", dir="/var/tmp")
    rows, host = [], machine()
    try:
        context = Context(options, work)
        for name in options.measurements or MEASUREMENTS:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                rows += MEASUREMENTS[name](context)
            except (Failed, OSError, subprocess.SubprocessError) as e:
                rows.append(row(name, "", str(e).splitlines()[0][:100], None))
    finally:
        shutil.rmtree(work)
    print(host)
    print_table(rows)
    with open(os.path.join(options.build, "bench.json"), "w", encoding="utf-8") as f:
        json.dump({"machine": host, "options": vars(options), "rows": rows}, f, indent=1)
    return 0 if all(r["verdict"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
