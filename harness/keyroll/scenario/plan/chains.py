"""Keychains of a scenario: each router's, from the file's plan, the seed and t0; and with a mutation applied.

The same file, seed and t0 give the same chains, byte for byte. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from keyroll.keychain.generate import draw_secret
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import TOLERANCE_DEFAULT, Key, Keychain
from keyroll.scenario.file.commit_steps import ChangeKey
from keyroll.scenario.file.fields import ROUTERS, RouterName
from keyroll.scenario.file.keys import SECRET_LENGTH, ChainPlan, KeyOverride, KeyPlan
from keyroll.scenario.file.scenario import Mutation, Scenario

Seed = int | str
NEVER = timedelta(days=60)
"""How much later a key starts if it must never start: no scenario is so long, and the time until the start still fits
the column of `show security keychain`."""
GAP = timedelta(hours=1)
"""How late the mutation `gap` starts a key, beyond both routers' tolerances: far more than any skew in a file."""


def build_chains(
    scenario: Scenario, *, seed: Seed, t0: datetime, mutation: Mutation | None = None
) -> dict[RouterName, Keychain]:
    """Return each router's keychain: R1's as the file has it, R2's mirrored, with overrides and a mutation applied.

    Raises:
        KeychainError: the plan has something that a Junos keychain cannot have.
    """
    chains = {router: plan_chain(scenario.keychain, router, seed=seed, t0=t0) for router in ROUTERS}
    return {router: mutated(chains, router, mutation, seed=seed) for router in ROUTERS} if mutation else chains


def mutated(chains: Mapping[RouterName, Keychain], router: RouterName, mutation: Mutation, *, seed: Seed) -> Keychain:
    """Return the chain that `router` gets in place of its own when the mutation is applied."""
    chain = chains[router]
    if router != mutation.router or mutation.kind == "left-to-chance":
        return chain
    kind, number = mutation.kind, mutation.key
    if kind == "ids-not-reversed":
        peer = chains["R2" if router == "R1" else "R1"]
        keys = tuple(_with_ids_of(key, peer) if number in (None, key.id) else key for key in chain.keys)
    elif kind == "key-missing":
        keys = tuple(key for key in chain.keys if key.id != number)
    elif kind == "other-secret":
        keys = tuple(_with_other_secret(chain, key, seed) if key.id == number else key for key in chain.keys)
    elif kind == "same-secret":
        peer = chains["R2" if router == "R1" else "R1"]
        keys = tuple(_with_secret_of(key, peer) if key.id == number else key for key in chain.keys)
    else:
        by = mutation.by or (2 * timedelta(seconds=chain.tolerance) + GAP if kind == "gap" else NEVER)
        first = min((key.start for key in chain.keys if key.start is not None), default=None)
        moved = {number} if number is not None else {key.id for key in chain.keys if key.start != first}
        keys = tuple(_later(key, by) if key.id in moved else key for key in chain.keys)
    return replace(chain, keys=keys)


def plan_chain(plan: ChainPlan, router: RouterName, *, seed: Seed, t0: datetime) -> Keychain:
    """Return the keychain of a plan on `router`."""
    drawn_as = plan.secrets_of or plan.name
    keys = [key for key in (plan_key(drawn_as, key, router, seed=seed, t0=t0) for key in plan.keys) if key]
    return Keychain(plan.name, tuple(keys), tolerance=plan.tolerance[router])


def plan_key(chain: str, plan: KeyPlan, router: RouterName, *, seed: Seed, t0: datetime) -> Key | None:
    """Return the key of a plan on `router`; None: that router does not have it."""
    own = plan.override(router) or KeyOverride()
    if router not in plan.held_by or own.absent:
        return None
    send, recv = (plan.send_id, plan.recv_id) if router == "R1" else (plan.recv_id, plan.send_id)
    return Key(
        id=plan.id,
        secret=draw_secret(seed, f"{chain}/{own.secret or plan.secret or f'key/{plan.id}'}", plan.secret_length),
        start=t0 + (own.start if own.start is not None else plan.start),
        scheme="ao",
        send_id=own.send if own.send is not None else send,
        recv_id=own.recv if own.recv is not None else recv,
        tcp_ao_option=own.option != "disabled",
        algorithm=own.algorithm or plan.algorithm,
    )


def changed_key(chain: str, key: Key, change: ChangeKey, router: RouterName, *, seed: Seed, t0: datetime) -> Key:
    """Return a key after a `change-key` step, whose numbers are R1's, and mirrored on R2."""
    send, recv = (change.send, change.recv) if router == "R1" else (change.recv, change.send)
    length = len(key.secret) if key.secret is not None else SECRET_LENGTH
    return replace(
        key,
        secret=draw_secret(seed, f"{chain}/{change.secret}", length) if change.secret else key.secret,
        start=t0 + change.start if change.start is not None else key.start,
        send_id=send if send is not None else key.send_id,
        recv_id=recv if recv is not None else key.recv_id,
        tcp_ao_option=change.option == "enabled" if change.option else key.tcp_ao_option,
        algorithm=change.algorithm or key.algorithm,
    )


def change_lines(old: Keychain | None, new: Keychain | None) -> list[str]:
    """Return the Junos lines that turn one chain into another of the same name; they hold secrets.

    None stands for a chain that does not exist.
    """
    if new is None:
        return [f"delete security authentication-key-chains key-chain {old.name}"] if old else []
    old = old or Keychain(new.name)
    root = f"delete security authentication-key-chains key-chain {new.name}"
    lines = [f"{root} tolerance"] if new.tolerance == TOLERANCE_DEFAULT != old.tolerance else []
    # `set` cannot remove a statement of a key: such a key is deleted and set again completely, in the same commit.
    gone = [key for key in old.keys if (stays := new.key(key.id)) is None or _loses(key, stays)]
    lines += [f"{root} key {key.id}" for key in gone]
    before = set(set_lines(replace(old, keys=tuple(key for key in old.keys if key not in gone))))
    return [*lines, *(line for line in set_lines(new) if line not in before)]


_STATEMENTS = ("secret", "start", "scheme", "send_id", "recv_id", "tcp_ao_option", "algorithm")


def _loses(old: Key, new: Key) -> bool:
    return any(getattr(old, name) is not None and getattr(new, name) is None for name in _STATEMENTS)


def _with_ids_of(key: Key, peer: Keychain) -> Key:
    twin = peer.key(key.id)
    return replace(key, send_id=twin.send_id, recv_id=twin.recv_id) if twin else key


def _with_secret_of(key: Key, peer: Keychain) -> Key:
    twin = peer.key(key.id)
    return replace(key, secret=twin.secret) if twin else key


def _with_other_secret(chain: Keychain, key: Key, seed: Seed) -> Key:
    length = len(key.secret) if key.secret is not None else SECRET_LENGTH
    return replace(key, secret=draw_secret(seed, f"{chain.name}/mutation/key/{key.id}", length))


def _later(key: Key, by: timedelta) -> Key:
    return replace(key, start=key.start + by) if key.start is not None else key
