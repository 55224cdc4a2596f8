"""The log of frames that a link injected, damaged or dropped, one JSON object a line.

The link's process writes it; the lab's owner reads it while the link is in use.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from keyroll.lab.protocol import SpecialFrame

if TYPE_CHECKING:  # not at run time: the guard of a container lab would need twice as long to start
    from keyroll.lab.topology import Link


def append(file: int, what: str, towards: int, frame: bytes) -> str:
    """Log one frame, `towards` the link's end 0 or 1; return the frame's SHA-256."""
    digest = hashlib.sha256(frame).hexdigest()
    entry = {"ns": time.time_ns(), "what": what, "towards": towards, "sha256": digest, "length": len(frame)}
    # One write to a file opened for appending, so that a reader never sees half a line.
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
