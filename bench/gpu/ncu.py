"""Nsight Compute: its options, its report's pages, and its CSV."""

import concurrent.futures
import csv

import machine
from process import execute


def command(report, program):
    """A command that writes all that ncu knows of each launch of the program to `report`; the clocks stay as they are."""
    return [_ncu(), "--clock-control", "none", "--set", "full", "--import-source", "yes", "--force-overwrite",
            "--export", str(report), *program]


def pages(report, seconds):
    """The CSV of a report's counters, and that of its instructions with the reasons why warps waited at them."""

    def page(*options):
        return execute([_ncu(), "--import", str(report), "--csv", *options], seconds)[1]

    with concurrent.futures.ThreadPoolExecutor() as both:
        counters = both.submit(page, "--page", "raw", "--print-units", "base")
        instructions = both.submit(page, "--page", "source", "--print-source", "sass")
        return counters.result(), instructions.result()


def _ncu():
    return machine.find("ncu") or "ncu"  # then its case says that it is not there


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
