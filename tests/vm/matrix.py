#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the guests of the lab said, judged and told.

usage: matrix.py judge RESULTS [--json FILE] [--junit FILE] [--markdown FILE] [--support FILE]
                        [--budget FILE]

RESULTS has one directory per guest that was started, with the files
    guest     "key value" lines: arch, kernel, release (how it must begin, or -), tests, jobs (guests at a time);
              from its end on seconds, cpu_seconds, exit (QEMU's; 124: timeout)
    console   everything the guest printed; lines as told in scripts/test-bpf-in-vm.sh

A guest that panics, hangs, stops early or runs another kernel than it was given fails. A skip fails unless
expected-skips.conf names it. A program that no test triggers fails. The program that no verifier may accept must fail
with the verifier's words: that is how the lab shows that it can see a failure. The exit code is 0 when nothing failed.
"""
import argparse
import dataclasses
import fnmatch
import json
import os
import re
import sys
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
UNVERIFIABLE = "unverifiable/reads_through_null"
BUDGET_SLACK = 1.25
BAR_SECONDS = 60


@dataclasses.dataclass
class Row:
    status: str
    program: str
    test: str
    seconds: float = 0.0
    detail: str = ""
    log: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Guest:
    name: str
    arch: str
    kernel: str
    tests: list
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    jobs: int = 1
    image: bool = False
    release: str = ""
    ended: bool = False
    rows: list = dataclasses.field(default_factory=list)
    objects: dict = dataclasses.field(default_factory=dict)
    instructions: dict = dataclasses.field(default_factory=dict)

    def fail(self, test, detail, log=(), program="-"):
        self.rows.append(Row("FAIL", program, test, 0.0, detail, list(log)))

    def count(self, status):
        return sum(r.status == status for r in self.rows)

    def proves(self, program):
        """Is the program one of those that this guest verifies, attaches and triggers?"""
        return ("sampler" if program.startswith("sampler/") else "collectors") in self.tests

    def series(self):
        """6.12 of 6.12.117+deb13-cloud-amd64"""
        return "".join(re.findall(r"^\d+\.\d+", self.release))


def table(name, separator=None):
    """Rows of a configuration file beside this one."""
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        lines = [line.strip() for line in f]
    return [
        [field.strip() for field in line.split(separator)]
        for line in lines
        if line and not line.startswith("#")
    ]


# --- reading ----------------------------------------------------------------------------------------------------------


def lines_of(directory, name):
    """None where a disk without room left nothing."""
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace", newline="") as f:
        return f.read().replace("\r", "").split("\n")


def read_console(guest, lines):
    """Adds what the guest said; returns the lines for people."""
    others = []
    for line in lines:
        at = line.find("@vm\t")
        if at < 0:
            others.append(line)
            continue
        kind, *fields = line[at + 4 :].split("\t")
        try:
            read_line(guest, kind, fields)
        except (ValueError, IndexError):
            guest.fail("the console can be read", "a broken line: " + line)
    return others


def read_line(guest, kind, fields):
    if kind == "kernel":
        guest.release = fields[0]
    elif kind == "objects":
        guest.objects[fields[0]] = fields[1]
    elif kind == "insns":
        guest.instructions[fields[0]] = int(fields[1])
    elif kind == "result":
        status, program, test, seconds, detail = fields[:5]
        if status not in ("PASS", "FAIL", "SKIP"):
            raise ValueError(status)
        guest.rows.append(Row(status, program, test, float(seconds), detail.strip()))
    elif kind == "log":
        rows = [r for r in guest.rows if (r.program, r.test) == (fields[0], fields[1])]
        (rows[-1] if rows else guest.rows[-1]).log.append(fields[2] if len(fields) > 2 else "")
    elif kind == "end":
        guest.ended = True
    elif kind != "begin":
        raise ValueError(kind)


def read_guest(directory):
    facts = {"arch": "", "kernel": "", "tests": "", "release": "-"}
    facts.update(line.split(" ", 1) for line in lines_of(directory, "guest") if " " in line)
    guest = Guest(
        os.path.basename(directory),
        facts["arch"],
        facts["kernel"],
        facts["tests"].split(","),
        float(facts.get("seconds", 0)),
        float(facts.get("cpu_seconds") or 0),
        int(facts.get("jobs", 1)),
        facts["kernel"] == "image",
    )
    judge_end(guest, facts, read_console(guest, lines_of(directory, "console")))
    return guest


# --- judging ----------------------------------------------------------------------------------------------------------


def judge_end(guest, facts, others):
    """Did it run the right kernel, and to the end?"""
    tail = [line for line in others if line.strip()][-30:]
    panics = [line for line in others if "Kernel panic" in line]
    last = guest.rows[-1].test if guest.rows else "nothing"
    if not facts.get("exit"):
        guest.fail("runs to the end", "nothing tells how the guest ended: the run was stopped, or could not write", tail)
    elif panics:
        guest.fail("runs to the end", "the guest panicked after '%s': %s" % (last, panics[0].strip()), tail)
    elif not guest.ended and facts["exit"] == "124":
        guest.fail("runs to the end", "the guest hung after '%s' and was stopped after %.0f s" % (last, guest.seconds), tail)
    elif not guest.ended:
        guest.fail("runs to the end", "the guest stopped after '%s', QEMU's exit code is %s" % (last, facts["exit"]), tail)
    if guest.image:
        guest.kernel = guest.series() or "image"
    elif guest.release and facts["release"] != "-" and not guest.release.startswith(facts["release"]):
        guest.fail("runs the kernel it was given", "%s was given, %s runs" % (facts["release"], guest.release))


def expects(expected, guest, row):
    kernels = [guest.arch + " " + guest.kernel] + [guest.arch + " image"] * guest.image
    return any(
        any(fnmatch.fnmatchcase(k, kernel) for k in kernels)
        and fnmatch.fnmatchcase(row.program, program)
        and fnmatch.fnmatchcase(row.test, test)
        and reason in row.detail
        for kernel, program, test, reason in expected
    )


def judge_skips(guest, expected):
    for row in guest.rows:
        if row.status == "SKIP" and not expects(expected, guest, row):
            row.status = "FAIL"
            row.detail = "skipped, and expected-skips.conf does not expect it: " + row.detail


def judge_self_test(guest):
    rows = [r for r in guest.rows if r.program == UNVERIFIABLE]
    guest.rows = [r for r in guest.rows if r.program != UNVERIFIABLE]
    refusals = [[line for line in r.log if re.search("invalid (mem access|dereference)", line)] for r in rows]
    if rows and all(r.status == "FAIL" for r in rows) and all(refusals):
        guest.rows.append(Row("PASS", "-", "an unverifiable program is seen to fail", 0.0, refusals[0][0]))
    else:
        guest.fail("an unverifiable program is seen to fail", "the guest says %s" % [(r.status, r.detail) for r in rows])


def judge_coverage(guest):
    verified = [r.program for r in guest.rows if r.test == "verified"]
    for program in verified:
        if not any(r.program == program and r.test != "verified" for r in guest.rows):
            guest.fail("is triggered", "no test attaches and triggers it", program=program)
    if not verified:
        guest.fail("programs are verified", "the guest names no program")


def judge_budget(guest, budget):
    """A jump is a change of ours where the kernel is the one of the record; a newer one has another verifier."""
    for program, arch, kernel, series, instructions in budget:
        if (arch, kernel) != (guest.arch, guest.kernel) or not guest.proves(program):
            continue
        used, allowed = guest.instructions.get(program), int(int(instructions) * BUDGET_SLACK)
        detail = "%s instructions, at most %d" % (used, allowed)
        status = "PASS" if used is not None and used <= allowed else "FAIL"
        if used is not None and used > allowed and series != guest.series():
            status, detail = "SKIP", "recorded on Linux %s, this is %s: %s" % (series, guest.series(), detail)
        guest.rows.append(Row(status, program, "verifier budget", 0.0, detail))


def judge_objects(guests):
    for name in sorted({name for g in guests for name in g.objects}):
        sums = {g.objects.get(name) for g in guests if g.objects}
        if len(sums) > 1:
            guests[-1].fail("all guests load the same bytes", "%s differs between guests" % name)


MATRIX = {"sampler", "collectors", "profiles"}


def verifies(guest):
    return bool({"sampler", "collectors"} & set(guest.tests))


def in_matrix(guest):
    return bool(MATRIX & set(guest.tests))


def judge(guests):
    expected, budget = table("expected-skips.conf", "|"), table("verifier-budget.conf")
    for guest in guests:
        if verifies(guest):
            judge_self_test(guest)
        if verifies(guest) and guest.ended:
            judge_coverage(guest)
        if verifies(guest) and guest.ended and not guest.image:
            judge_budget(guest, budget)
        judge_skips(guest, expected)
    judge_objects(guests)


# --- telling ----------------------------------------------------------------------------------------------------------


def programs_of(guests):
    return sorted({r.program for g in guests for r in g.rows if r.program != "-"})


def cell(guest, program):
    rows = [r for r in guest.rows if r.program == program]
    for status in ("FAIL", "SKIP", "PASS"):
        if any(r.status == status for r in rows):
            passed = sum(r.status == "PASS" for r in rows)
            return status if status == "FAIL" or passed == len(rows) else "PASS (%d skipped)" % (len(rows) - passed)
    return "-"


def by_kernel(guests):
    """{(arch, kernel): what its guests of the matrix said, as of one}, for every kernel of kernels.conf and of this run;
    None: it did not run."""
    kernels = {(arch, name): None for name, arch, *_ in table("kernels.conf")}
    for g in filter(in_matrix, guests):
        one = kernels.get((g.arch, g.kernel)) or Guest("", g.arch, g.kernel, [])
        one.tests += g.tests
        one.rows += g.rows
        one.instructions.update(g.instructions)
        one.release = one.release or g.release
        one.image |= g.image
        kernels[g.arch, g.kernel] = one
    return kernels


def matrix(guests):
    """Header and lines: programs down, kernels across; kernels that did not run are named."""
    kernels = by_kernel(guests)
    lines = [[p, *[cell(g, p) if g else "not run" for g in kernels.values()]] for p in programs_of(guests)]
    lines.append(["all else", *[cell(g, "-") if g else "not run" for g in kernels.values()]])
    return ["program", *["%s %s" % k for k in kernels]], lines


def worlds(guests):
    header = ["guest", "release", "passed", "failed", "skipped", "seconds", "CPU seconds"]
    return header, [
        [
            g.name,
            g.release or "none",
            *[str(g.count(s)) for s in ("PASS", "FAIL", "SKIP")],
            "%.0f" % g.seconds,
            "%.0f" % g.cpu_seconds,
        ]
        for g in guests
    ]


def times(guests):
    """Is told, not judged: a loaded host is no failure."""
    late = sorted((g for g in guests if g.seconds > BAR_SECONDS), key=lambda g: -g.seconds)
    quick = [g for g in guests if g.ended and g.seconds <= BAR_SECONDS]
    text = "%d of %d guests booted, tested and powered off within %d s" % (len(quick), len(guests), BAR_SECONDS)
    text += ", %d at a time" % max((g.jobs for g in guests), default=1)
    return text + "".join("; %s took %.0f s" % (g.name, g.seconds) for g in late)


def aligned(header, lines):
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in [header, *lines])


def markdown_table(header, lines):
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows)


def failures(guests):
    return [(g, r) for g in guests for r in g.rows if r.status == "FAIL"]


def skips(guests):
    return [(g, r) for g in guests for r in g.rows if r.status == "SKIP"]


def subject(row):
    return row.test if row.program == "-" else "%s: %s" % (row.program, row.test)


def console_text(guests):
    parts = [aligned(*matrix(guests)), "", aligned(*worlds(guests)), times(guests)]
    for g, r in skips(guests):
        parts.append("skipped: %s: %s: %s" % (g.name, subject(r), r.detail))
    for g, r in failures(guests):
        parts.append("FAILED: %s: %s: %s" % (g.name, subject(r), r.detail))
        parts += ["    | " + line for line in r.log]
    return "\n".join(parts)


def markdown_text(guests):
    parts = ["# Virtual machines", "", "## Kernels", "", markdown_table(*matrix(guests))]
    parts += ["", "## Guests", "", markdown_table(*worlds(guests)), "", times(guests), "", "## BPF objects", ""]
    objects = {name: s for g in guests for name, s in g.objects.items()}
    parts += ["* `%s` SHA-256 `%s`" % pair for pair in sorted(objects.items())]
    if skips(guests):
        parts += ["", "## Skipped, as expected", ""]
        parts += ["* %s: %s: %s" % (g.name, subject(r), r.detail) for g, r in skips(guests)]
    if failures(guests):
        parts += ["", "## Failures"]
    for g, r in failures(guests):
        parts += ["", "### %s: %s" % (g.name, subject(r)), "", r.detail]
        if r.log:
            parts += ["", "```", *r.log, "```"]
    return "\n".join(parts) + "\n"


def junit_text(guests):
    root = xml.Element("testsuites")
    for g in guests:
        suite = xml.SubElement(
            root,
            "testsuite",
            name=g.name,
            tests=str(len(g.rows)),
            failures=str(g.count("FAIL")),
            skipped=str(g.count("SKIP")),
            time="%.3f" % g.seconds,
        )
        for r in g.rows:
            case = xml.SubElement(suite, "testcase", classname=g.name, name=subject(r), time="%.3f" % r.seconds)
            text = printable("\n".join([r.detail, *r.log]))
            if r.status == "FAIL":
                xml.SubElement(case, "failure", message=printable(r.detail)).text = text
            elif r.status == "SKIP":
                xml.SubElement(case, "skipped", message=printable(r.detail))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(root, encoding="unicode")


def printable(text):
    """XML 1.0 knows no control characters."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)


# --- docs/kernel-support.md -------------------------------------------------------------------------------------------

SUPPORT = os.path.join(HERE, "..", "..", "docs", "kernel-support.md")
WAYS = [
    ("sampling into perf rings", "sampler/*sample_to_perf_ring"),
    ("sampling into BPF rings", "sampler/*sample_to_bpf_ring"),
    ("counters at each sample", "sampler/count_to_*"),
    ("deltas that end at context switches", "sampler/close_deltas"),
    ("unwinding without frame pointers", "sampler/*unwind_to_*"),
]


RANKS = {"yes": 2, "partly": 1}


def ways(guests):
    """What a reader asks for: ways to sample, and collectors; each with the programs that do it."""
    objects = sorted({p.split("/")[0] for p in programs_of(guests)} - {"sampler"})
    return WAYS + [("collector `%s`" % o, o + "*") for o in objects]


def supports(row, pattern):
    """Is the row about it? Two forms of a program are one thing; tests of the hardware (NN-NAME) are about the guest."""
    return (
        fnmatch.fnmatchcase(row.program, pattern)
        and row.test != "verifier budget"
        and not (row.status == "SKIP" and "takes the other form" in row.detail)
        and not re.match(r"\d\d-", row.test)
    )


def support_cell(guest, pattern):
    rows = [r for r in guest.rows if supports(r, pattern)]
    if any(r.status == "FAIL" for r in rows):
        return "fails"
    if any(r.status == "PASS" and r.test != "verified" for r in rows):
        return "partly" if any(r.status == "SKIP" for r in rows) else "yes"
    return "no" if rows else "-"


def support_table(guests):
    kernels = by_kernel(guests)
    chosen = list(kernels.values())
    header = ["", *["%s %s" % k for k in kernels]]
    lines = [["release", *[g.release if g else "not run" for g in chosen]]]
    for name, pattern in ways(guests):
        lines.append([name, *[support_cell(g, pattern) if g else "not run" for g in chosen]])
    lines.append(["record, report, export, flame, verify", *[support_cell(g, "-") if g else "not run" for g in chosen]])
    return header, lines


def support_text(guests):
    degraded = [
        "| %s | %s | %s |" % (g.name, subject(r), r.status)
        for g in guests
        if not in_matrix(g)
        for r in g.rows
        if r.status != "SKIP"
    ]
    parts = [
        "<!-- Written by scripts/run-vm-tests.sh --support docs/kernel-support.md; not by hand. -->",
        "# Kernels",
        "",
        "What was seen working, in virtual machines: every BPF program loaded, attached and triggered, its effect found in a"
        " report or a row.",
        "",
        "* `yes`: all of it. `partly`: some way of it is not there on this kernel, and the product takes another by itself;"
        " the ways are below. `no`: this kernel cannot. `-`: not meant for it.",
        "* `not run`: Debian has no such kernel, and nobody gave one to this run. To run it:"
        " `scripts/run-vm-tests.sh --kernel-image FILE`. Fallbacks that such kernels need are forced on newer ones below.",
        "* riscv64 is there for its emulated TLB events: the sampler alone is meant for it.",
        "",
        markdown_table(*support_table(guests)),
        "",
        "## Skipped, with the reason",
        "",
        *sorted({"* %s %s: %s: %s" % (g.arch, g.kernel, subject(r), r.detail) for g, r in skips(guests)}),
        "",
        "## Other machines and worlds",
        "",
        "Emulated PMUs, missing rights, missing descriptions of types, little memory, many CPUs.",
        "",
        "| guest | what was tried | result |",
        "|---|---|---|",
        *degraded,
    ]
    return "\n".join(parts) + "\n"


def is_whole(one):
    """Did all ran that the lab asks of this kernel?"""
    asked = {t for _, arch, kernel, tests, *_ in table("guests.conf", "|") if (arch, kernel) == (one.arch, one.kernel)
             for t in tests.split(",")}
    return MATRIX & asked <= set(one.tests)


def judge_claims(guests):
    """What docs/kernel-support.md says works must work in this run, where it is about the kernel that runs: a suite's
    newest one moves, and an image is somebody else's. It was written of all guests of a kernel together."""
    if not os.path.exists(SUPPORT):
        return
    with open(SUPPORT, encoding="utf-8") as f:
        rows = [[c.strip() for c in line.strip().strip("|").split("|")] for line in f if line.startswith("|")]
    header = next((r for r in rows if r[0] == "" and len(r) > 2), [])
    claims = {(r[0], k): c for r in rows if len(r) == len(header) for k, c in zip(header[1:], r[1:])}
    for key, one in by_kernel(guests).items():
        kernel = "%s %s" % key
        if not one or one.image or not is_whole(one) or not claims.get(("release", kernel), "").startswith(one.series() + "."):
            continue
        for name, pattern in ways([one]):
            claim, seen = claims.get((name, kernel)), support_cell(one, pattern)
            if RANKS.get(claim, 0) <= RANKS.get(seen, 0):
                continue
            for g in (g for g in guests if (g.arch, g.kernel) == key and verifies(g) and g.ended and g.proves(pattern)):
                g.fail("docs/kernel-support.md is true", "it says '%s' of %s, seen is '%s'" % (claim, name, seen))


# --- verifier-budget.conf ---------------------------------------------------------------------------------------------

BUDGETED = [("amd64", "5.10"), ("amd64", "sid")]


def budget_text(guests):
    with open(os.path.join(HERE, "verifier-budget.conf"), encoding="utf-8") as f:
        head = [line for line in f if line.startswith("#")]
    ran = [g for g in guests if (g.arch, g.kernel) in BUDGETED and verifies(g) and not g.image]
    kept = [
        r
        for r in table("verifier-budget.conf")
        if not any((g.arch, g.kernel) == (r[1], r[2]) and g.proves(r[0]) for g in ran)
    ]
    rows = kept + [[p, g.arch, g.kernel, g.series(), str(n)] for g in ran for p, n in g.instructions.items() if n]
    return "".join(head) + "".join("%-34s %-7s %-7s %-7s %s\n" % tuple(r) for r in sorted(rows))


# --- commands ---------------------------------------------------------------------------------------------------------


def write(path, text):
    """True: it is there. A disk without room is no reason to keep silent about what the guests said."""
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    except OSError as e:
        print("matrix.py: cannot write %s: %s" % (path, e.strerror), file=sys.stderr)
        return False
    return True


def judge_command(options):
    order = [row[0] for row in table("guests.conf", "|")]
    names = sorted(os.listdir(options.results), key=lambda n: (order.index(n) if n in order else len(order), n))
    guests = [read_guest(os.path.join(options.results, n)) for n in names]
    texts = [(options.budget, budget_text(guests))]
    judge(guests)
    texts.append((options.support, support_text(guests)))
    if not options.support:
        judge_claims(guests)
    texts.append((options.failed, "".join(g.name + "\n" for g in guests if g.count("FAIL"))))
    texts.append((options.json, json.dumps([dataclasses.asdict(g) for g in guests], indent=1)))
    texts.append((options.markdown, markdown_text(guests)))
    texts.append((options.junit, junit_text(guests)))
    written = [write(path, text) for path, text in texts if path]
    print(console_text(guests))
    counts = [sum(g.count(s) for g in guests) for s in ("PASS", "FAIL", "SKIP")]
    print("%d passed, %d failed, %d skipped" % tuple(counts))
    return 1 if counts[1] or not counts[0] else 0 if all(written) else 3


def main():
    parser = argparse.ArgumentParser(description="Judges what the guests of the lab said.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("judge")
    command.add_argument("results")
    for option in ("--json", "--junit", "--markdown", "--support", "--budget", "--failed"):
        command.add_argument(option)
    options = parser.parse_args()
    return judge_command(options)


if __name__ == "__main__":
    sys.exit(main())
