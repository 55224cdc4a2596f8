"""`keyroll keys`: the keys of a run, drawn again from its seed, for `keyroll verify` and other judges.

A run folder holds no secret. What it does hold (the scenario, the seed, t0) gives the same keys again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from keyroll.errors import InputError, Where
from keyroll.keychain.model import Keychain
from keyroll.lab.topology import Topology, read_topology
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.labs.make import default_topology
from keyroll.scenario.options import read_instant
from keyroll.scenario.plan.chains import build_chains

# A keys file holds secrets: only its owner can read it.
_PRIVATE = 0o600


class _Run(BaseModel):
    """The part of `run.json` that is needed to draw the keys again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    seed: int | str
    t0: str
    variant: str | None = None
    mutation: str | None = None


@click.command(name="keys")
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write, with mode 0600. It must not exist.",
)
@click.option("--router", type=click.Choice(["R1", "R2"]), default="R1", show_default=True, help="Whose keys to write.")
@click.option("--topology", type=click.Path(path_type=Path), help="The run's own topology file, if it had one.")
def keys_command(run_folder: Path, out: Path, router: str, topology: Path | None) -> None:
    """Write the keys of a run as a keys file for `keyroll verify`.

    They are the keys that the step `apply` configured, without those that later steps added or changed. Both routers
    have the same keys, unless a mutation changed those of one router: --router R2 writes R2's.
    """
    run = _read_run(run_folder / "run.json")
    case = _case(run_folder / "scenario.yaml", run.variant)
    mutation = case.mutation(run.mutation) if run.mutation else None
    t0 = read_instant(run.t0)
    if t0 is None:
        raise InputError("t0 is missing", where=Where.of(run_folder / "run.json"))
    chains = build_chains(case.scenario, seed=run.seed, t0=t0, mutation=mutation)
    chain = next(held for name, held in chains.items() if name == router)
    plan = read_topology(topology or default_topology())
    entries = [entry for ends in _ends(plan) for entry in _entries(chain, router, ends)]
    _write_private(out, yaml.safe_dump({"keys": entries}, sort_keys=False))
    click.echo(f"{out}: {len(chain.keys)} keys of {router}'s chain; it holds secrets: delete it after use")


def _read_run(path: Path) -> _Run:
    try:
        return _Run.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", where=Where.of(path), remedy="name the folder of a run"
        ) from error
    except (ValueError, ValidationError) as error:
        raise InputError("this is not the run.json of a run", where=Where.of(path)) from error


def _case(path: Path, variant: str | None) -> Case:
    found = next((case for case in read_cases(path) if case.variant == variant), None)
    if found is None:
        raise InputError(f"the scenario has no variant '{variant}'", where=Where.of(path))
    return found


def _ends(plan: Topology) -> Iterator[dict[str, IPv4Address | IPv6Address]]:
    """Yield each pair of addresses between which there can be a session: on each link, and between loopbacks."""
    first, second = plan.nodes
    for one, other in zip(first.ports, second.ports, strict=True):
        for version in ("ipv4", "ipv6"):
            ends = (getattr(one, version), getattr(other, version))
            if all(ends):
                yield {first.name: ends[0].ip, second.name: ends[1].ip}
    for version in ("loopback", "loopback6"):
        ends = (getattr(first, version), getattr(second, version))
        if all(ends):
            yield {first.name: ends[0].ip, second.name: ends[1].ip}


def _entries(chain: Keychain, owner: str, ends: Mapping[str, IPv4Address | IPv6Address]) -> Iterator[dict[str, Any]]:
    for key in chain.keys:
        if key.usable and key.secret is not None:
            yield {
                "name": f"key {key.id}",
                "algorithm": key.effective_algorithm.value,
                "secret": key.secret.reveal_text(),
                "send_id": {
                    str(address): key.send_id if router == owner else key.recv_id for router, address in ends.items()
                },
            }


def _write_private(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise InputError("already exists", where=Where.of(path), remedy="name another file, or remove it") from error
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=Where.of(path)) from error
