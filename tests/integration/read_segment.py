#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of segment files, written from docs/format.md alone.

usage: read_segment.py FILE [EXPORT]
       read_segment.py FILE --rows ROWS
       read_segment.py FILE --pages REPORT

Prints what is in the file. With EXPORT, the output of `ebpf-profiler export --format json --by-cpu`, compares it
with the samples in the file: process, thread, CPU, weight, and every stack frame. With ROWS, the output of
`ebpf-profiler cat -o json`, compares it with the rows of collectors. With REPORT, the output of `ebpf-profiler report
--by page --json`, compares it with the addresses of the samples.
"""
import collections
import json
import struct
import subprocess
import sys

HEAD = struct.Struct("<4sBBHIIIIQQQII")
HEADER, BLOCK, INDEX, FOOTER = 1, 2, 3, 4
EVENT, OBJECT, PROCESS, THREAD, FRAME, FUNCTION, SCHEMA, ROW = 3, 4, 5, 7, 8, 9, 12, 13
M64 = (1 << 64) - 1

CRC_TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    CRC_TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def bytes(self):
        size = self.varint()
        self.at += size
        assert self.at <= len(self.data)
        return self.data[self.at - size : self.at]


def frames(data):
    """(offset, head fields, payload) of each frame; anything damaged is an error here."""
    at = seq = 0
    while at < len(data):
        magic, kind, flags, _, number, size, raw_size, samples, _, first, last, payload_crc, head_crc = HEAD.unpack_from(data, at)
        payload = data[at + HEAD.size : at + HEAD.size + size]
        assert magic == b"\xebPFS" and head_crc == crc32c(data[at : at + 52]), f"head at {at}"
        assert payload_crc == crc32c(payload) and number == seq, f"frame at {at}"
        yield at, (kind, flags, raw_size, samples, first, last), payload
        at += HEAD.size + size
        seq += 1


def decompress(payloads):
    return subprocess.run(["zstd", "-dcq"], input=b"".join(payloads) + b"\x01\0\0", stdout=subprocess.PIPE, check=True).stdout


class Callees:
    """What each caller was seen to call."""

    def __init__(self):
        self.lists = collections.defaultdict(lambda: [0, []])
        self.room = 0

    def learn(self, caller, frame):
        entry = self.lists[caller]
        n = entry[0]
        if n < 255 and n & (n - 1) == 0:
            room = max(1, 2 * n)
            if self.room + room > 1 << 24:
                return
            self.room += room
        if n < 255:
            entry[1].append(frame)
        else:
            entry[1][n % 255] = frame
        entry[0] += 1


class Rows:
    """Tables of collectors and their rows."""

    def __init__(self):
        self.tables = []
        self.slots = {}  # (table, slot): latest value of each column
        self.time = 0

    def table(self, c):
        name, collector = c.bytes().decode(), c.bytes().decode()
        columns = [(c.bytes().decode(), c.bytes().decode(), c.byte(), c.byte()) for _ in range(c.varint())]
        self.tables.append((name, collector, columns))

    @staticmethod
    def value(c, kind, before):
        if kind & 0xF == 0:
            value = ((before or 0) + c.zigzag()) & M64
            return value
        if kind & 0xF == 1:
            c.at += 4
            return struct.unpack_from("<f", c.data, c.at - 4)[0]
        assert kind & 0xF == 2, kind
        return bytes(c.bytes())

    def row(self, c):
        table, slot = c.varint(), c.varint()
        self.time = (self.time + c.zigzag()) & M64
        name, _, columns = self.tables[table]
        latest = self.slots.setdefault((table, slot), [None] * len(columns))
        size = (len(columns) + 7) // 8
        present, changed = (int.from_bytes(c.data[c.at + i * size : c.at + (i + 1) * size], "little") for i in (0, 1))
        c.at += 2 * size
        row = {}
        for i, (column, _unit, _kind, kind) in enumerate(columns):
            if changed >> i & 1:
                latest[i] = self.value(c, kind, latest[i])
            if present >> i & 1:
                value = latest[i]
                if kind == 0x10 and value >> 63:
                    value -= 1 << 64
                row[column] = value.decode(errors="replace") if kind == 2 else value
        return self.time, name, row


class Epoch:
    def __init__(self, data):
        self.rows, self.out = Rows(), []
        self.cursor = Cursor(data)
        self.given = collections.defaultdict(list)  # by kind of record: what has ids 0, 1, 2 ...
        self.offsets = collections.defaultdict(int)  # by object
        self.kinds = collections.Counter()
        self.cpu = 0
        self.next = {}
        self.threads = collections.defaultdict(int)
        self.events = collections.defaultdict(int)
        self.clocks = collections.defaultdict(lambda: [0, 0, 0, 0])  # time in us, period, step, address
        self.stacks = collections.defaultdict(lambda: ([], []))  # user, kernel; root first
        self.status = collections.defaultdict(int)
        self.callees = Callees()
        self.pages = collections.Counter()  # samples by the page of their memory access

    def samples(self):
        c = self.cursor
        while c.left():
            first = c.byte()
            if first >= 0x80:
                self.kinds["sample"] += 1
                yield self.sample(first)
            elif first >= 0x40:
                self.kinds[FRAME] += 1
                obj = first & 0x3F if first < 0x7F else c.varint()
                self.offsets[obj] = (self.offsets[obj] + c.zigzag()) & M64
                self.given[FRAME].append((self.given[OBJECT][obj], self.offsets[obj]))
            else:
                self.kinds[first] += 1
                self.record(first, Cursor(c.bytes()))

    def record(self, kind, c):
        if kind == OBJECT:
            c.varint()
            self.given[OBJECT].append(c.bytes().decode(errors="replace"))
        elif kind == PROCESS:
            self.given[PROCESS].append(c.varint())
        elif kind == THREAD:
            pid = self.given[PROCESS][c.varint()]
            self.given[THREAD].append((pid, c.varint()))
        elif kind in (EVENT, FUNCTION):
            self.given[kind].append(c)
        elif kind == SCHEMA:
            self.rows.table(c)
        elif kind == ROW:
            self.out.append(self.rows.row(c))

    def half(self, stack, caller):
        """Adds new stack frames behind the root part that is left of this half."""
        c, code, second = self.cursor, None, None
        while code != 8:
            if second is None:
                pair = c.byte()
                assert pair < 100
                code, second = pair % 10, pair // 10
            else:
                code, second = second, None
            context = caller if self.callees.lists[caller][0] else "new"
            places = self.callees.lists[context][1]
            by_id = False
            if code < 8:
                frame = places[code]
            else:
                n = c.varint()
                by_id = n == 0
                if by_id:
                    frame = len(self.given[FRAME]) - 1 - c.varint()
                else:
                    frame = places[n - 1 + (8 if code == 9 else 0)]
            assert 0 <= frame < len(self.given[FRAME])
            if by_id:
                self.callees.learn(context, frame)
            if context != caller:
                self.callees.learn(caller, frame)
            stack.append(frame)
            caller = frame

    def stack(self, flags, thread):
        user, kernel = self.stacks[thread % 64]
        gone = self.cursor.varint() if flags & 8 else 0
        assert gone <= len(user) + len(kernel)
        while gone:
            (kernel or user).pop()
            gone -= 1
        if flags & 0x10:
            assert not kernel
            self.half(user, user[-1] if user else "user root")
        if flags & 0x20:
            self.half(kernel, kernel[-1] if kernel else "kernel root")
        return user, kernel

    def sample(self, flags):
        c = self.cursor
        cpu = c.varint() if flags & 1 else self.next.get(self.cpu, self.cpu)
        thread = len(self.given[THREAD]) - 1 - c.varint() if flags & 2 else self.threads[cpu]
        changes = c.byte() if flags & 4 else 0
        event = c.varint() if changes & 1 else self.events[cpu]
        period = c.zigzag() if changes & 2 else 0
        status = c.byte() if changes & 4 else None
        user, kernel = self.stack(flags, thread)
        clock = self.clocks[cpu, event]
        time = (clock[0] + clock[2] // 16 + c.zigzag()) & M64
        if flags & 0x40:
            self.extensions(c.bytes(), clock)
        assert event < len(self.given[EVENT])
        halves = (bool(kernel), bool(user))
        if status is not None:
            self.status[halves] = status
        self.next[self.cpu] = self.cpu = cpu
        self.threads[cpu], self.events[cpu] = thread, event
        clock[1] = (clock[1] + period) & M64
        self.advance(clock, time)
        stack = tuple(self.given[FRAME][f] for f in user + kernel)
        return time, cpu, self.given[THREAD][thread], clock[1], stack

    def extensions(self, data, clock):
        c = Cursor(data)
        while c.left():
            kind = c.byte()
            if kind == 1:
                c.byte()
                c.varint()
                for _ in range(c.byte()):
                    if c.varint() & 3 == 2:
                        assert c.varint() < 1000
            elif kind == 2:
                parts = c.byte()
                if parts & 1:
                    clock[3] = (clock[3] + c.zigzag()) & M64
                    self.pages[clock[3] & -4096] += 1
                for part in (2, 4):
                    if parts & part:
                        assert c.varint()
            else:
                return

    @staticmethod
    def advance(clock, time):
        d = ((time - clock[0]) << 4) & M64
        step = clock[2]
        if step == 0:
            step = d & 0xFFFFFFFF if clock[0] else 0
        elif d < step:
            step -= (step - d) // 8
        else:
            step += min((d - step) // 8, step // 16 + 1)
        clock[0], clock[2] = time, step


def read_index(payload):
    c = Cursor(payload)
    return [tuple(c.varint() for _ in range(5)) for _ in range(c.varint())]


def read_file(path):
    """[(offset, end, first, last, samples), [payloads]] of each epoch, and the index, if there is one."""
    with open(path, "rb") as f:
        data = f.read()
    epochs, index, footer, count = [], None, None, 0
    for at, (kind, flags, _raw, samples, first, last), payload in frames(data):
        count += 1
        if kind == HEADER:
            assert payload[:8] == b"EBPFPROF" and payload[8:10] == b"\1\0"
        elif kind == BLOCK:
            if flags & 1:
                epochs.append([[at, 0, 0, 0, 0], []])
            e = epochs[-1][0]
            if last:
                e[2] = min(e[2], first) if e[3] else first
                e[3] = max(e[3], last)
            e[1], e[4] = at + HEAD.size + len(payload), e[4] + samples
            epochs[-1][1].append(payload)
        elif kind == INDEX:
            index, index_at = read_index(payload), at
        elif kind == FOOTER:
            footer = struct.unpack("<QQ", payload)
    if footer:
        assert footer == (index_at, count), "footer"
        assert index == [tuple(e[0]) for e in epochs], "index"
    return epochs, footer is not None


def read_export(path):
    """The same cells from the product's own export."""
    objects, cells = {}, collections.Counter()
    with open(path, encoding="utf-8") as f:
        for line in f:
            r = json.loads(line)
            if r["record"] == "object":
                objects[r["id"]] = r["path"]
            elif r["record"] == "stack":
                stack = tuple((objects[s["object"]], int(s["offset"], 16)) for s in r["frames"])
                cells[(r["pid"], r["tid"]), r["cpu"], stack, "samples"] += r["samples"]
                cells[(r["pid"], r["tid"]), r["cpu"], stack, "weight"] += r["weight"]
    return cells


def compare_rows(epochs, path):
    """Against the lines of 'cat -o json'."""
    ours, theirs = [], []
    for _, payloads in epochs:
        epoch = Epoch(decompress(payloads))
        for _ in epoch.samples():
            pass
        ours += epoch.out
    with open(path, encoding="utf-8") as f:
        for line in f:
            r = json.loads(line)
            r.pop("time"), r.pop("collector")
            theirs.append((r.pop("monotonic_ns") // 1000, r.pop("table"), r))
    assert len(ours) == len(theirs) > 0, (len(ours), len(theirs))
    for (time, table, row), (their_time, their_table, their_row) in zip(ours, theirs):
        assert (time, table, row.keys()) == (their_time, their_table, their_row.keys()), (row, their_row)
        for name, value in row.items():
            if isinstance(value, float):
                assert abs(value - their_row[name]) <= 1e-5 * abs(value), (name, value, their_row[name])
            elif isinstance(value, (int, str)):
                assert value == their_row[name], (name, value, their_row[name])
    print(f"{len(ours)} rows are the same in both readers")
    return 0


def compare_pages(epochs, path):
    ours, theirs = collections.Counter(), collections.Counter()
    for _, payloads in epochs:
        epoch = Epoch(decompress(payloads))
        for _ in epoch.samples():
            pass
        ours += epoch.pages
    with open(path, encoding="utf-8") as f:
        for event in json.load(f)["events"]:
            for row in event["rows"]:
                if row["name"].startswith("0x"):
                    theirs[int(row["name"], 16)] += row["self_samples"]
    assert ours == theirs and ours, (ours - theirs, theirs - ours)
    print(f"{len(ours)} pages are the same in both readers")
    return 0


def main():
    epochs, sealed = read_file(sys.argv[1])
    cells, kinds, total, rows = collections.Counter(), collections.Counter(), 0, []
    if sys.argv[2:3] == ["--rows"]:
        return compare_rows(epochs, sys.argv[3])
    if sys.argv[2:3] == ["--pages"]:
        return compare_pages(epochs, sys.argv[3])
    for (_, _, _, _, samples), payloads in epochs:
        epoch = Epoch(decompress(payloads))
        n = 0
        for _time, cpu, thread, period, stack in epoch.samples():
            cells[thread, cpu, stack, "samples"] += 1
            cells[thread, cpu, stack, "weight"] += period
            n += 1
        assert n == samples, f"{n} samples, {samples} in the heads"
        rows += epoch.out
        total += n
        kinds += epoch.kinds
    print(f"sealed {sealed}, {len(epochs)} epochs, {total} samples, records {dict(kinds)}")
    if len(sys.argv) > 2:
        theirs = read_export(sys.argv[2])
        if theirs != cells:
            print(f"{len((cells - theirs) + (theirs - cells))} of {len(cells)} cells differ, such as")
            print(next(iter((cells - theirs) or (theirs - cells))))
            return 1
        print(f"{len(cells)} cells are the same in both readers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
