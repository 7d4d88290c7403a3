# SPDX-License-Identifier: Apache-2.0
"""Compares the rows of `ebpf-profiler unwind --dump` with what readelf --debug-dump=frames-interp says of the same file, at
every place where either of them changes.

usage: compare_rows.py PROFILER FILE [LEAST_ROWS] [READELF]

A rule that rows cannot express must be "unsupported" or "lost", and is counted, not compared. Exits with 1 when one place
differs, or when readelf knows fewer than LEAST_ROWS rows (so that a comparison of nothing cannot pass).
"""
import bisect
import re
import subprocess
import sys

FDE = re.compile(r"^[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)")
ROW = re.compile(r"^([0-9a-f]{16}) (\S+)")
MACHINES = {"X86-64": ("rsp", "rbp", "rip"), "AArch64": ("sp", "x29", "x30")}


def machine_of(path, readelf):
    header = subprocess.run([readelf, "-hW", path], stdout=subprocess.PIPE, universal_newlines=True).stdout
    return next(names for word, names in MACHINES.items() if word in header)


def expected(path, readelf, fp):
    """[(start, end, cfa, fp, ra)], in the file's order; None where nothing is said of a register."""
    out = subprocess.Popen([readelf, "-W", "--debug-dump=frames-interp", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           universal_newlines=True)
    intervals, function, columns = [], None, []
    for line in out.stdout:
        if line.startswith("   LOC"):
            columns = line.split()[1:]
            continue
        m = FDE.match(line)
        if m or " CIE " in line:
            function = (int(m.group(1), 16), int(m.group(2), 16)) if m else None
            first = len(intervals)
            continue
        m = ROW.match(line) if function else None
        if not m:
            continue
        at = int(m.group(1), 16)
        values = dict(zip(columns, re.sub(r" \(\w+\)", "", line).split()[1:]))
        if len(intervals) > first:
            intervals[-1][1] = at
        if at < function[1]:
            intervals.append([at, function[1], values["CFA"], values.get(fp), values.get("ra")])
    out.wait()
    return [i for i in intervals if i[0] < i[1]]


def ours(profiler, path):
    dump = subprocess.run([profiler, "unwind", "--dump", path], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
    rows = []
    for line in dump.splitlines():
        at, rule = line.split(" ", 1)
        rows.append((int(at, 16), rule))
    return rows


class Comparison:
    def __init__(self, names):
        self.sp, self.fp, _ = names
        self.same = self.inexpressible = self.expressions = self.wrong = 0

    def cfa_is_plain(self, cfa):
        m = re.fullmatch(r"(\w+)([+-]\d+)", cfa)
        return m and m.group(1) in (self.sp, self.fp) and int(m.group(2)) % 8 == 0

    def saved_agrees(self, said, our, cfa):
        """A saved register: `said` is "c-16", "exp" ..., our word counts from the CFA or from what the CFA counts from."""
        m = re.fullmatch(r"c([+-]\d+)", said)
        if not m:
            return our == "lost" or our.startswith((self.sp, self.fp))
        offset = int(m.group(1))
        if our.startswith((self.sp, self.fp)):
            base = re.fullmatch(r"(\w+)([+-]\d+)", cfa)
            return our == "%s%+d" % (base.group(1), int(base.group(2)) + offset)
        return our == "c%+d" % offset if offset % 8 == 0 and -1024 <= offset < 1024 else our == "lost"

    def fp_agrees(self, said, our, cfa):
        # readelf writes "u" for "undefined" and where nothing was said yet.
        if said in (None, "u", "s"):
            return our == "same" or (our == "lost" and said == "u")
        return self.saved_agrees(said, our, cfa)

    def ra_agrees(self, said, our, cfa):
        if self.sp == "rsp":
            return said == "c-8" and our == "c-8"
        return our == "lr" if said in (None, "u", "s") else self.saved_agrees(said, our, cfa)

    def is_expressible(self, cfa, fp, ra):
        if not self.cfa_is_plain(cfa):
            return False
        if self.sp == "rsp":
            return ra == "c-8"
        if ra in (None, "u", "s"):
            return True
        offset = re.fullmatch(r"c([+-]\d+)", ra)
        if not offset:
            return False
        # The pair is saved together, or the link register alone not too far from the CFA.
        offset = int(offset.group(1))
        return fp == "c%+d" % (offset - 8) or (fp in (None, "u", "s") and -1016 <= offset <= 1024)

    def place(self, at, said, our):
        """One place: what readelf says, and our row there."""
        cfa, fp, ra = said
        words = our.split()
        if ra == "u" and (self.sp == "rsp" or our == "end"):
            agrees = our == "end"
        elif cfa == "exp":
            agrees = words[0] in ("signal", "unsupported") or words[0].startswith(("*(", "plt"))
            self.expressions += 1
        elif our == "unsupported return" and ra is None:
            agrees = True  # a CIE with another return address column, which readelf prints without a value
            self.inexpressible += 1
        elif not self.is_expressible(cfa, fp, ra):
            agrees = words[0] == "unsupported"
            self.inexpressible += 1
        else:
            agrees = words[0] == cfa and self.fp_agrees(fp, words[1], cfa) and self.ra_agrees(ra, words[2], cfa)
        if agrees:
            self.same += 1
            return
        self.wrong += 1
        if self.wrong <= 10:
            print("# at %#x readelf says %s, we say %s" % (at, said, our))


def main():
    profiler, path = sys.argv[1:3]
    least = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    readelf = sys.argv[4] if len(sys.argv) > 4 else "readelf"
    names = machine_of(path, readelf)
    intervals = sorted(expected(path, readelf, names[1]))
    rows = ours(profiler, path)
    starts = [r[0] for r in rows]
    comparison = Comparison(names)
    next_row = 0
    for start, end, *said in intervals:
        i = bisect.bisect_right(starts, start) - 1
        while i < len(rows) and (i < 0 or rows[i][0] < end):
            at = max(start, rows[i][0]) if i >= 0 else start
            comparison.place(at, said, rows[i][1] if i >= 0 else "none")
            i += 1
    gaps = sum(1 for at, rule in rows if rule == "none")
    print("# %s: %d rows of readelf's, %d of ours with %d gaps; %d places agree, %d of them expressions and %d inexpressible, %d differ"
          % (path, len(intervals), len(rows), gaps, comparison.same, comparison.expressions, comparison.inexpressible, comparison.wrong))
    sys.exit(1 if comparison.wrong or len(intervals) < least else 0)


main()
