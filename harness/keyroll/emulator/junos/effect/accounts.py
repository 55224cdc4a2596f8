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
"""Junos' predefined login classes, with their permissions."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a configured user authenticates, and what the user may do."""

    keys: tuple[str, ...] = ()
    """Public keys in OpenSSH's form."""
    password: str | None = None
    """The hash of the password (`encrypted-password`)."""
    permissions: frozenset[str] | None = None
    """The permissions of the user's login class; None for a user without a class, who may do everything."""

    def may(self, permission: str) -> bool:
        """Return whether the user has a permission (`view`, `view-configuration`, `secret`, `configure`)."""
        return self.permissions is None or not self.permissions.isdisjoint((permission, ALL))


def configured(root: Node) -> dict[str, Login]:
    """Return the users of an expanded configuration by name; `root` is one if `root-authentication` is configured."""
    system = root.find("system")
    if system is None:
        return {}
    found = dict(_users(system))
    authentication = system.child("root-authentication")
    if authentication is not None:
        found[ROOT] = _login(authentication)
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
    # An undefined class permits nothing. Junos would refuse the commit.
    return frozenset() if own is None else frozenset(own.values_of("permissions"))


def _login(node: Node) -> Login:
    keys = tuple(entry.key or "" for name in KEY_STATEMENTS for entry in node.entries(name))
    return Login(keys, node.value_of(ENCRYPTED))


def admits(password: str, account: Secret | None, login: Login | None) -> bool:
    """Return whether `password` is that of the lab's `account`, or that of the configured user `login`."""
    if account is not None and account == Secret(password):
        return True
    return login is not None and login.password is not None and passwords.matches(password, login.password)
