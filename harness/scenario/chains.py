"""Keychains of a scenario: from the file's plan, the seed and t0 to what each router holds; and broken on purpose.

The same file, seed and t0 give the same chains, byte for byte. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from harness.keychain.generate import draw_secret
from harness.keychain.model import Algorithm, Key, Keychain
from harness.keychain.secret import Secret
from harness.scenario.fields import ROUTERS, RouterName
from harness.scenario.model import ChainPlan, KeyOverride, KeyPlan, Mutation, Scenario

Seed = int | str
NEVER = timedelta(days=3650)
"""A start-time that no scenario reaches."""


def build_chains(
    scenario: Scenario, *, seed: Seed, t0: datetime, mutation: Mutation | None = None
) -> dict[RouterName, Keychain]:
    """Return each router's keychain: R1's as the file has it, R2's mirrored, with overrides and a mutation applied.

    Raises:
        KeychainError: the plan holds what no Junos keychain can hold.
    """
    chains = {router: _chain(scenario.keychain, router, seed, t0) for router in ROUTERS}
    if mutation is not None:
        broken = mutate(chains, mutation, plan=scenario.keychain, seed=seed)
        chains[mutation.router] = broken
    return chains


def mutate(chains: dict[RouterName, Keychain], mutation: Mutation, *, plan: ChainPlan, seed: Seed) -> Keychain:
    """Return the chain of the mutation's router, broken as the mutation says."""
    chain = chains[mutation.router]
    kind, number = mutation.kind, mutation.key
    if kind == "ids-not-reversed":
        peer = chains["R2" if mutation.router == "R1" else "R1"]
        keys = tuple(_with_ids_of(key, peer) if number in (None, key.id) else key for key in chain.keys)
    elif kind == "key-missing":
        keys = tuple(key for key in chain.keys if key.id != number)
    elif kind == "other-secret":
        planned = next(key for key in plan.keys if key.id == number)
        other = _draw(plan, seed, f"mutation/key/{number}", planned.secret_length)
        keys = tuple(replace(key, secret=other) if key.id == number else key for key in chain.keys)
    else:
        by = mutation.by or NEVER
        first = min((key.start for key in chain.keys if key.start is not None), default=None)
        moved = {number} if number is not None else {key.id for key in chain.keys if key.start != first}
        keys = tuple(_later(key, by) if key.id in moved else key for key in chain.keys)
    return replace(chain, keys=keys)


def _chain(plan: ChainPlan, router: RouterName, seed: Seed, t0: datetime) -> Keychain:
    keys = [
        _key(plan, key, router, seed, t0)
        for key in plan.keys
        if router in key.held_by and not ((override := key.override(router)) and override.absent)
    ]
    return Keychain(plan.name, tuple(keys), tolerance=plan.tolerance[router])


def _key(plan: ChainPlan, key: KeyPlan, router: RouterName, seed: Seed, t0: datetime) -> Key:
    own = key.override(router) or KeyOverride()
    send, recv = (key.send_id, key.recv_id) if router == "R1" else (key.recv_id, key.send_id)
    algorithm = own.algorithm or key.algorithm
    return Key(
        id=key.id,
        secret=_draw(plan, seed, own.secret or key.secret or f"key/{key.id}", key.secret_length),
        start=t0 + (own.start if own.start is not None else key.start),
        scheme="ao",
        send_id=own.send if own.send is not None else send,
        recv_id=own.recv if own.recv is not None else recv,
        tcp_ao_option=own.option != "disabled",
        algorithm=Algorithm(algorithm) if algorithm else None,
    )


def _draw(plan: ChainPlan, seed: Seed, label: str, length: int) -> Secret:
    return draw_secret(seed, f"{plan.name}/{label}", length)


def _with_ids_of(key: Key, peer: Keychain) -> Key:
    twin = peer.key(key.id)
    return replace(key, send_id=twin.send_id, recv_id=twin.recv_id) if twin else key


def _later(key: Key, by: timedelta) -> Key:
    return replace(key, start=key.start + by) if key.start is not None else key
