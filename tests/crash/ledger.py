"""The ledger of long runs: one line of a table in docs/reliability.md for each, and the small sums that it needs."""

import os
import platform
import re
import subprocess

COLUMNS = ("date", "commit", "machine", "for", "masters killed", "workers killed", "deaths inside", "cuts",
           "stopped or ended", "tasks", "simulated histories", "fuzz runs", "soak", "failures")
TITLE = "## The ledger"
UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}


def duration(text):
    """Seconds of `90s`, `20m`, `1.5h`; ValueError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise ValueError(f'"{text}" is not a duration; write 90s, 20m or 2h')
    return float(found[1]) * UNITS[found[2]]


def slope_per_hour(points):
    """Least squares over (seconds, value)."""
    if len(points) < 2:
        return 0.0
    middle_time = sum(time for time, _ in points) / len(points)
    middle_value = sum(value for _, value in points) / len(points)
    spread = sum((time - middle_time) ** 2 for time, _ in points)
    return 3600 * sum((time - middle_time) * (value - middle_value) for time, value in points) / spread if spread else 0.0


def growth_text(mib_per_hour):
    return "too short for a slope" if mib_per_hour is None else f"{mib_per_hour:+} MiB/h"


def machine():
    return f"{os.cpu_count()} cores, Linux {platform.release()}"


def commit(root):
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True).stdout.strip()
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" + changes" if git("status", "--porcelain", "-uno") else "")


def add_line(page, values):
    """`page` (text) with one more line at the end of the ledger's table, which is made when it is not there."""
    line = "| " + " | ".join(str(values.get(column, 0)) for column in COLUMNS) + " |"
    lines = page.rstrip("\n").split("\n") if page.strip() else []
    if TITLE not in lines:
        lines += ["", TITLE, "| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    last = begin = lines.index(TITLE)
    for number in range(begin + 1, len(lines)):
        if lines[number].startswith("## "):
            break
        if lines[number].startswith("|"):
            last = number
    lines.insert(last + 1, line)
    return "\n".join(lines) + "\n"
