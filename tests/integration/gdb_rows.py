# SPDX-License-Identifier: Apache-2.0
"""Runs inside gdb, on a stopped process: each frame's registers, taken to its caller by our row, must be those that gdb
unwound by itself. Environment: PROFILER; LEAST_FRAMES, and KINDS of rules to be met, so that a comparison of nothing cannot
pass."""
import bisect
import os
import re
import subprocess
import traceback

import gdb

WORD = 1 << 64
tables = {}


def table(path):
    if path not in tables:
        arguments = ["--vdso"] if path == "[vdso]" else [path]
        dump = subprocess.run([os.environ["PROFILER"], "unwind", "--dump"] + arguments, stdout=subprocess.PIPE, check=True,
                              universal_newlines=True).stdout
        rows = [(int(line[:16], 16), line[17:]) for line in dump.splitlines()]
        tables[path] = ([at for at, _ in rows], [rule for _, rule in rows])
    return tables[path]


def segments(path):
    out = subprocess.run(["readelf", "-lW", path], stdout=subprocess.PIPE, universal_newlines=True).stdout
    found = re.findall(r"^ +LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ R E", out, re.M)
    return [tuple(int(n, 16) for n in one) for one in found]


def place(pc):
    """File, and address in it."""
    with open("/proc/%d/maps" % gdb.selected_inferior().pid, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            start, end = (int(n, 16) for n in words[0].split("-"))
            if start <= pc < end and len(words) == 6:
                offset = pc - start + int(words[2], 16)
                for at, address, size in segments(words[5]):
                    if at <= offset < at + size:
                        return words[5], offset - at + address
                return words[5], offset
    return None, 0


def read(address):
    data = gdb.selected_inferior().read_memory(address % WORD, 8)
    return int.from_bytes(bytes(data), "little")


def value(text, registers):
    """"rsp+16", "c-8", "*(rbp-8)+0"."""
    m = re.fullmatch(r"\*\((\w+)([+-]\d+)\)([+-]\d+)", text)
    if m:
        return (read(registers[m.group(1)] + int(m.group(2))) + int(m.group(3))) % WORD
    m = re.fullmatch(r"(\w+)([+-]\d+)", text)
    return (registers[m.group(1)] + int(m.group(2))) % WORD


def caller(rule, registers):
    """The caller's registers by our rule; None for one that is lost."""
    words = rule.split()
    if words[0] == "signal":
        context = registers["rsp"] + 40
        return {"rbp": read(context + 80), "rsp": read(context + 120), "rip": read(context + 128)}
    if words[0].startswith("plt"):
        threshold = int(words[0][4:])
        cfa = registers["rsp"] + 8 + (8 if registers["rip"] % 16 >= threshold else 0)
    else:
        cfa = value(words[0], registers)
    known = dict(registers, c=cfa)
    rbp = registers["rbp"] if words[1] == "same" else None if words[1] == "lost" else read(value(words[1], known))
    return {"rsp": cfa, "rbp": rbp, "rip": read(cfa - 8)}


def registers_of(frame):
    return {name: int(frame.read_register(name)) % WORD for name in ("rsp", "rbp", "rip")}


def physical(frame):
    """An inlined function's frame has the registers of the one around it."""
    while frame is not None and frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    return frame


def main():
    frame, frames, kinds, signal = physical(gdb.newest_frame()), 0, set(), True
    while frame is not None:
        registers = registers_of(frame)
        # A return address belongs to the call before it; the innermost frame and one that a signal hit are at their pc.
        path, at = place(registers["rip"] - (0 if signal else 1))
        starts, rules = table(path)
        rule = rules[bisect.bisect_right(starts, at) - 1]
        older = physical(frame.older())
        kinds.add(re.match(r"\*?\(?[a-z]+", rule).group())
        if rule == "end" or older is None:
            # Beyond the dynamic linker's first instructions gdb goes on into the arguments.
            agrees = rule == "end" and (older is None or place(older.pc())[0] is None)
            older = None
        else:
            expected = registers_of(older)
            ours = caller(rule, registers)
            agrees = all(ours[name] in (None, expected[name]) for name in expected)
        if not agrees:
            print("# frame %d at %s+%#x: our row '%s' does not lead to gdb's caller" % (frames, path, at, rule))
            return 1
        frames += 1
        signal = rule == "signal"
        frame = older
    print("# %d frames agree: %s" % (frames, ", ".join(sorted(kinds))))
    return 0 if frames >= int(os.environ["LEAST_FRAMES"]) and set(os.environ["KINDS"].split()) <= kinds else 1


def run():
    try:
        return main()
    except Exception:  # gdb would print it and end well
        traceback.print_exc()
        return 1


code = run()
gdb.execute("kill")
gdb.execute("quit %d" % code)
