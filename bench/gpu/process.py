"""A command that is over in time, whatever it does."""

import os
import signal
import subprocess


_REAP_SECONDS = 10  # a process that waits for a hung GPU can outlive SIGKILL


def execute(command, seconds):
    """The exit status, or None if it had to be killed, and what it wrote."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                                   start_new_session=True)  # so that it can be killed with its children
    except OSError as error:
        return 127, "", str(error)
    try:
        output, errors = process.communicate(timeout=seconds)
        return process.returncode, output, errors
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        try:
            return None, *process.communicate(timeout=_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return None, "", "it did not even end when it was killed"
