"""What a process prints by itself holds no credentials."""

from __future__ import annotations

import subprocess
import sys

SECRET = "pl4nted-s3cret"
ADDRESS = f"postgresql://anna:{SECRET}@db/x"

CODE = """
import logging, threading, warnings
from tlsearch.output import hide_credentials
hide_credentials()
address = {address!r}

def fail():
    try:
        raise ValueError(address)
    except ValueError as error:
        raise KeyError("in a thread " + address) from error

thread = threading.Thread(target=fail)
thread.start()
thread.join()
logging.warning("lost %s", address)
logging.warning("lost %(where)s", {{"where": address}})
try:
    fail()
except KeyError:
    logging.exception("again")
warnings.warn("careful with " + address)
print("on stdout")
fail()
"""


def test_tracebacks_logs_and_warnings():
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(address=ADDRESS)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == "on stdout\n"
    assert SECRET not in done.stderr
    shown = done.stderr.count("anna:***@db")
    assert shown == 2 + 2 + 2 + 1 + 2
    assert "Traceback" in done.stderr
    assert "Exception in thread" in done.stderr


FORMATS = """
import logging
from tlsearch.output import hide_credentials
hide_credentials()
token = "opaque-t0ken"
logging.warning("token=%s", token)
logging.warning("Authorization: Bearer %s", token)
logging.warning("%d of password=%s", "no number", token)
logging.warning("100 % of it")
logging.warning("%s of %d", "one", 2)
"""


def test_a_credential_whose_name_stands_in_the_format():
    done = subprocess.run([sys.executable, "-c", FORMATS], capture_output=True, text=True)
    assert done.returncode == 0
    assert "opaque" not in done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert lines[:2] == ["WARNING:root:token=***", "WARNING:root:Authorization: Bearer ***"]
    assert lines[3:] == ["WARNING:root:100 % of it", "WARNING:root:one of 2"]
