# SPDX-License-Identifier: Apache-2.0
"""The recorders that are compared: each starts one recording of the whole host and tells what it cost."""
import os
import re
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """What one recording took and gave."""

    wall_s: float
    cpu_s: float  # user and system, of the recorder alone
    max_rss_bytes: int
    samples: int
    lost: int
    bytes: int
    output: str  # what it printed

    def bytes_per_sample(self):
        return self.bytes / self.samples if self.samples else float("nan")


class Failed(Exception):
    """A recorder did not do what it was asked for."""


def run(command, env=None):
    """Runs a command; returns its exit code, wall seconds, rusage and output."""
    started = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, text=True, errors="replace"
    ) as child:
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, time.monotonic() - started, usage, output


def cpu_seconds(usage):
    return usage.ru_utime + usage.ru_stime


class Perf:
    def __init__(self, work, compress):
        self.name = "perf -z" if compress else "perf"
        self.path = os.path.join(work, self.name.replace(" ", "") + ".data")
        self.compress = ["-z"] if compress else []
        # perf keeps binaries below HOME; not in the user's, and -N: not at all while it is measured.
        self.env = dict(os.environ, HOME=work)

    def command(self, hz):
        return ["perf", "record", "-q", "-N", "-a", "-g", "-F", str(hz), "-e", "cpu-clock", *self.compress, "-o", self.path, "--"]

    def record(self, hz, seconds):
        return self.around(hz, ["sleep", str(seconds)])

    def around(self, hz, workload):
        # perf 6.1 aborts now and then over the build-ids of processes with odd names.
        for _ in range(5):
            code, wall, usage, output = run(self.command(hz) + workload, self.env)
            counts = self.count() if code == 0 else None
            if counts:
                return Cost(wall, cpu_seconds(usage), usage.ru_maxrss * 1024, *counts, os.path.getsize(self.path), output)
        raise Failed(f"{self.name}: exit code {code}: {output.strip()}")

    def count(self):
        """(samples, lost) of the file, or None when perf cannot read it back."""
        stats = subprocess.run(
            ["perf", "report", "-i", self.path, "--stats"], capture_output=True, text=True, errors="replace", env=self.env, check=False
        ).stdout
        found = re.search(r"SAMPLE events:\s+(\d+)", stats)
        lost = re.search(r"LOST_SAMPLES events:\s+(\d+)", stats)
        return (int(found.group(1)), int(lost.group(1)) if lost else 0) if found else None


class Ours:
    name = "ebpf-profiler"
    summary = re.compile(r"^(\d+) samples in .*; (\d+) lost, (\d+) not delivered", re.M)

    def __init__(self, work, program):
        self.program = program
        self.path = os.path.join(work, "ours.seg")

    def command(self, hz, seconds=None):
        command = [self.program, "record", "-F", str(hz), "-e", "cpu-clock", "-o", self.path]
        return command + (["-d", str(seconds)] if seconds else ["-a", "--"])

    def record(self, hz, seconds):
        return self.finish(self.command(hz, seconds))

    def around(self, hz, workload):
        return self.finish(self.command(hz) + workload)

    def finish(self, command):
        if os.path.exists(self.path):
            os.unlink(self.path)
        code, wall, usage, output = run(command)
        found = self.summary.search(output)
        if code != 0 or not found:
            raise Failed(f"{self.name}: exit code {code}: {output.strip()}")
        samples, lost = int(found.group(1)), int(found.group(2))
        return Cost(wall, cpu_seconds(usage), usage.ru_maxrss * 1024, samples, lost, os.path.getsize(self.path), output)
