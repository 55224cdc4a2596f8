"""Who may log in: the lab's own accounts, and the users and keys of the configuration in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keyroll.emulator.junos.configuration import passwords
from keyroll.emulator.junos.configuration.login_values import ENCRYPTED, KEY_STATEMENTS
from keyroll.emulator.junos.configuration.tree import Node
from keyroll.keychain.secret import Secret

ROOT = "root"
ALL = "all"
_PREDEFINED = {
    "super-user": frozenset((ALL,)),
    "superuser": frozenset((ALL,)),
    "operator": frozenset(("clear", "network", "reset", "trace", "view")),
    "read-only": frozenset(("view",)),
    "unauthorized": frozenset[str](),
}
"""Junos' own classes."""


@dataclass(frozen=True, slots=True)
class Login:
    """How one user of the configuration may prove who he is."""

    keys: tuple[str, ...] = ()
    password: str | None = None
    permissions: frozenset[str] | None = None
    """Of the user's login class; None: the user has none, and may do everything."""

    def may(self, permission: str) -> bool:
        """Say whether the user has a permission (`view`, `view-configuration`, `secret`, `configure`)."""
        return self.permissions is None or not self.permissions.isdisjoint((permission, ALL))


def configured(root: Node) -> dict[str, Login]:
    """Return the users of an expanded configuration, `root` among them where it has a key or a password."""
    system = root.find("system")
    found = dict(_users(system)) if system is not None else {}
    own = system.child("root-authentication") if system is not None else None
    if own is not None:
        found[ROOT] = _login(own)
    return found


def _users(system: Node) -> Iterator[tuple[str, Login]]:
    login = system.child("login")
    for user in login.entries("user") if login is not None else ():
        authentication = user.child("authentication")
        if authentication is not None and login is not None:
            found = _login(authentication)
            yield user.key or "", Login(found.keys, found.password, _permissions(login, user.value_of("class")))


def _permissions(login: Node, name: str | None) -> frozenset[str] | None:
    if name is None or name in _PREDEFINED:
        return None if name is None else _PREDEFINED[name]
    own = login.child("class", name)
    # A class that is not there permits nothing; Junos refuses to commit it.
    return frozenset() if own is None else frozenset(own.values_of("permissions"))


def _login(node: Node) -> Login:
    keys = tuple(entry.key or "" for name in KEY_STATEMENTS for entry in node.entries(name))
    return Login(keys, node.value_of(ENCRYPTED))


def admits(password: str, account: Secret | None, login: Login | None) -> bool:
    """Say whether a password opens an account of the lab, or is a configured user's."""
    if account is not None and account == Secret(password):
        return True
    return login is not None and login.password is not None and passwords.matches(password, login.password)
