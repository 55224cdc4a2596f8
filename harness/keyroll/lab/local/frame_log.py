"""The file in which a link writes down frames that it did not plainly carry, one JSON object a line.

Written by the process that carries a link or sends frames into it, read by the lab's owner while the link works on.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from keyroll.lab.protocol import SpecialFrame
from keyroll.lab.topology import Link


def append(file: int, what: str, towards: int, frame: bytes) -> str:
    """Write down one frame, `towards` the link's end 0 or 1; return the frame's SHA-256."""
    digest = hashlib.sha256(frame).hexdigest()
    entry = {"ns": time.time_ns(), "what": what, "towards": towards, "sha256": digest, "length": len(frame)}
    # One write, so that a reader never meets half a line: the file is opened for appending.
    os.write(file, json.dumps(entry).encode() + b"\n")
    return digest


def read(path: Path, link: Link) -> tuple[SpecialFrame, ...]:
    """Return the frames in their order. Raises OSError, ValueError or KeyError when the file is not such a log."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(
        SpecialFrame(
            ns=entry["ns"],
            what=entry["what"],
            towards=(link.a, link.b)[entry["towards"]][0],
            sha256=entry["sha256"],
            length=entry["length"],
        )
        for entry in entries
    )
