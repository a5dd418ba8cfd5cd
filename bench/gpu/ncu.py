"""Nsight Compute: which counters, and its CSV."""

import csv

import machine

# Whole sections: their metrics' names change with chip and version, the sections' names do not.
_SECTIONS = ["SpeedOfLight", "ComputeWorkloadAnalysis", "MemoryWorkloadAnalysis", "MemoryWorkloadAnalysis_Tables",
             "LaunchStats", "Occupancy", "SchedulerStats", "WarpStateStats"]


def command(report, program):
    """A command that writes the counters of each launch of the program to `report`; the clocks stay as they are."""
    sections = [option for section in _SECTIONS for option in ("--section", section)]
    return [machine.find("ncu") or "ncu", "--clock-control", "none", *sections, "--page", "raw", "--csv",
            "--print-units", "base", "--log-file", str(report), *program]


def kernels(text):
    """Of each kernel in a raw page, its name, launch and metrics: numbers where they are numbers, in base units."""
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("==")))
    if len(rows) < 3:
        return []
    names, units, *launches = rows
    return [_kernel(dict(zip(names, launch)), dict(zip(names, units))) for launch in launches]


def _kernel(values, units):
    metrics = {name: _number(value) for name, value in values.items() if "__" in name or name.startswith("launch")}
    return {"kernel": values.get("Kernel Name"), "grid": values.get("Grid Size"), "block": values.get("Block Size"),
            "metrics": metrics, "units": {name: units[name] for name in metrics if units[name]}}


def _number(text):
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return text
