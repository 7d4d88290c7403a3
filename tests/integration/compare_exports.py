# SPDX-License-Identifier: Apache-2.0
"""Compares the exports of one recording with `ebpf-profiler report` and with each other.

usage: compare_exports.py CHECK PROFILER RECORDING [ARGUMENT]...
Exits 0 when they agree, else tells what does not.
"""
import collections
import json
import re
import subprocess
import sys
import unicodedata

PROFILER, RECORDING = sys.argv[2:4]


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def profiler(*arguments):
    return run(PROFILER, *arguments, RECORDING)


def report(event):
    """name -> (self samples, children samples), and the event's facts"""
    events = json.loads(profiler("report", "--json", "--limit=0", "--event", event))["events"]
    assert len(events) == 1, [e["fired"] for e in events]
    rows = {}
    for row in events[0]["rows"]:
        own, children = rows.get(row["name"], (0, 0))
        rows[row["name"]] = own + row["self_samples"], children + row["children_samples"]
    return rows, events[0]


def json_records():
    records = collections.defaultdict(list)
    for line in profiler("export", "-f", "json").decode().rstrip("\n").split("\n"):
        record = json.loads(line)
        records[record["record"]].append(record)
    return records


def clean(text):
    """No control characters, no invalid UTF-8."""
    text = text.decode("utf-8") if isinstance(text, bytes) else text
    bad = {c for c in text if unicodedata.category(c) == "Cc" and c not in "\n\t"}
    assert not bad, f"control characters {sorted(map(ord, bad))}"
    return text


def same(what, a, b):
    if a != b:
        raise AssertionError(f"{what}: {a} is not {b}")


def check_totals():
    """Every format holds every sample of every event."""
    records = json_records()
    for event in records["event"]:
        name, samples = event["requested"], event["samples"]
        _, facts = report(name)
        same(name + ": json and report", samples, facts["samples"])
        same(name + ": stacks and event", samples, sum(
            s["samples"] for s in records["stack"] if s["event"] == event["id"]))
        if samples == 0:
            continue
        folded = clean(profiler("export", "-f", "folded", "--event", name))
        same(name + ": folded", sum(int(line.rsplit(" ", 1)[1]) for line in folded.rstrip("\n").split("\n")),
             samples)
        weights = profiler("export", "-f", "folded", "--weights", "--event", name).decode()
        same(name + ": folded weights",
             sum(int(line.rsplit(" ", 1)[1]) for line in weights.rstrip("\n").split("\n")), facts["weight"])
    scope = json.loads(profiler("export", "-f", "speedscope"))
    for profile, event in zip(scope["profiles"], records["event"]):
        same("speedscope", sum(profile["weights"]), event["weight"])
        same("speedscope", len(profile["samples"]), len(profile["weights"]))
        assert all(f < len(scope["shared"]["frames"]) for s in profile["samples"] for f in s)


def check_pprof(path, event):
    """go tool pprof counts for every function what the report counts."""
    with open(path, "wb") as f:
        f.write(profiler("export", "-f", "pprof", "--event", event))
    text = clean(run("go", "tool", "pprof", "-top", "-sample_index=samples", "-nodecount=1000000",
                     "-nodefraction=0", "-edgefraction=0", path))
    found = {}
    for line in text.rstrip("\n").split("\n"):
        m = re.match(r"\s*(\d+)\s+\S+%\s+\S+%\s+(\d+)\s+\S+%\s+(.*)$", line)
        if m:
            name = re.sub(r" \(inline\)$", "", m[3])
            own, children = found.get(name, (0, 0))
            found[name] = own + int(m[1]), children + int(m[2])
    rows, facts = report(event)
    assert f"Total samples = {facts['samples']}" in text or f"of {facts['samples']} total" in text, text[:500]
    hostile = {name for name in rows if clean_name(name) != name}
    different = {name: (found.get(name), rows[name]) for name in rows
                 if name not in hostile and found.get(name, (0, 0))[0] != rows[name][0]}
    assert not different, f"pprof against report: {different}"
    traces = run("go", "tool", "pprof", "-traces", path).decode()
    assert "pid:" in traces and "comm:" in traces, traces[:2000]
    raw = run("go", "tool", "pprof", "-raw", path).decode()
    assert "Mappings" in raw and "PeriodType" in raw, raw[:2000]


def clean_name(name):
    return "".join(c for c in name if unicodedata.category(c) != "Cc")


def perf_samples(path):
    """(event, pid, tid, comm, [(address, symbol, module)]) of each sample in `perf script`."""
    text = clean(run("perf", "script", "--max-stack", "1000", "-i", path, "-F", "comm,pid,tid,cpu,time,event,ip,sym,dso"))
    samples = []
    for line in text.rstrip("\n").split("\n"):
        head = re.match(r"(.+?)\s+(\d+)/(\d+)\s+\[(\d+)\]\s+([0-9.]+):\s+(\S+?):\s*$", line)
        if head:
            samples.append((head[6], int(head[2]), int(head[3]), head[1].strip(), []))
        elif line.strip():
            frame = re.match(r"\s*([0-9a-f]+)\s(.*)\s\((.*)\)$", line)
            assert frame and samples, line
            samples[-1][4].append((int(frame[1], 16), frame[2], frame[3]))
    return samples


def check_perf(path):
    """perf script shows the same samples: events, pids, threads, depths, modules, names."""
    run(PROFILER, "export", "-f", "perf.data", "-o", path, RECORDING)
    samples = perf_samples(path)
    records = json_records()
    events = {e["id"]: e["fired"] for e in records["event"]}
    objects = {o["id"]: o for o in records["object"]}
    ours, theirs = collections.Counter(), collections.Counter()
    names, perf_names, modules, perf_modules = (collections.Counter() for _ in range(4))
    for event, pid, tid, comm, frames in samples:
        theirs[event, pid, tid, len(frames)] += 1
        for _, symbol, module in frames:
            perf_modules[module.split("/")[-1]] += 1
            perf_names[symbol.split("(")[0]] += comm == "shares"
    for s in records["stack"]:
        ours[events[s["event"]], s["pid"], s["tid"], len(s["frames"])] += s["samples"]
        for frame in s["frames"]:
            o = objects[frame["object"]]
            # perf calls the module of code that lies in no file by the perf map it might have.
            if re.match("/[^/]", o["path"]) and not re.search("memfd:|[^ -~]", o["path"]):
                modules[o["path"].split("/")[-1]] += s["samples"]
            # perf chooses for itself among several names of one address, which functions of libraries have.
            if s["thread"] == "shares" and frame["kind"] != "unknown" and o["path"].endswith("/shares"):
                names[frame["function"].split("(")[0]] += s["samples"]
    same("samples", sum(theirs.values()), sum(ours.values()))
    if ours != theirs:
        raise AssertionError(f"only here: {ours - theirs}\nonly in perf: {theirs - ours}")
    missing = modules - perf_modules
    assert not missing, f"modules perf lacks: {missing}"
    missing = names - perf_names
    assert bool(names) == any(comm == "shares" for _, _, _, comm, _ in samples), "no function of shares has a name"
    assert sum(missing.values()) <= 0.05 * sum(names.values()), f"names perf lacks: {missing}"
    for burner in ("burn_seventy", "burn_twenty", "burn_ten"):
        same(burner, perf_names[burner], names[burner])
    same("perf report", perf_report_total(path), len(samples))


def perf_report_total(path):
    text = run("perf", "report", "-i", path, "--stdio", "--no-children", "-g", "none",
               "--percent-limit", "0", "-F", "sample,comm").decode()
    return sum(int(m) for m in re.findall(r"^\s+(\d+)\s", text, re.M))


def check_text():
    """Names want to be markup, separators and commands; what comes out is text."""
    for arguments in (("-f", "folded"), ("-f", "folded", "--root=thread"), ("-f", "json"),
                      ("-f", "speedscope")):
        text = clean(profiler("export", *arguments))
        if arguments[1] == "folded":
            for line in text.rstrip("\n").split("\n"):
                assert re.fullmatch(r".+ \d+", line), line
                assert "" not in line.rsplit(" ", 1)[0].split(";"), line
        else:
            for line in text.rstrip("\n").split("\n"):
                json.loads(line)
            assert not set("<>&") & set(text)


try:
    globals()["check_" + sys.argv[1]](*sys.argv[4:])
except (AssertionError, subprocess.CalledProcessError) as e:
    sys.exit(str(e))
