"""The output of `keyroll keychain lint`, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import click

from keyroll.check.chain_judge import ChainVerdict
from keyroll.configuration import Finding as Doubt
from keyroll.errors import ExitCode, printable
from keyroll.keychain.lint import Finding, Subject
from keyroll.keychain.rules import Severity

_JSON_VERSION = 1
_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.ADVICE)
"""The severities of the rules of chains; unknowns are counted separately."""


def verdict_as_json(verdict: ChainVerdict) -> dict[str, object]:
    """Return the verdict for `--json`."""
    return {
        "version": _JSON_VERSION,
        "judged": [[_named(subject) for subject in pair] for pair in verdict.judged],
        "alone": [_named(subject) for subject in verdict.alone],
        "findings": [finding_as_json(finding) for finding in verdict.findings],
        "unknown": [_doubt_as_json(doubt) for doubt in verdict.doubts],
        "unknown_elsewhere": verdict.elsewhere,
        "counts": {severity.value: verdict.counts[severity] for severity in _SEVERITIES},
        "ok": verdict.exit_code is ExitCode.OK,
    }


def print_verdict(verdict: ChainVerdict) -> None:
    """Print the verdict for a person."""
    for finding in verdict.findings:
        click.echo(printable(f"{finding}\n    {finding.rule.sentence} ({finding.rule.source})"))
    for doubt in verdict.doubts:
        click.echo(printable(f"{doubt.where}: unknown: {doubt.message} [{doubt.kind.value}]"))
    for pair in verdict.judged:
        said = " with ".join(f"key-chain {item.chain.name} of {item.name}" for item in pair)
        secrets = any(key.secret is not None and not key.secret.known for item in pair for key in item.chain.keys)
        click.echo(printable(f"judged: {said}") + ("; secrets not known, not compared" if secrets else ""))
    for item in verdict.alone:
        click.echo(
            printable(f"not paired: key-chain {item.chain.name} of {item.name} has no counterpart in the other file")
        )
    if verdict.elsewhere:
        click.echo(f"unknown elsewhere, without effect on these chains: {verdict.elsewhere}")
    click.echo(", ".join(_summary(verdict)) or "nothing found")


def _summary(verdict: ChainVerdict) -> Iterator[str]:
    for severity in _SEVERITIES:
        if verdict.counts[severity]:
            yield f"{verdict.counts[severity]} {_plural(severity, verdict.counts[severity])}"
    if verdict.doubts:
        yield f"{len(verdict.doubts)} unknown"


def _named(subject: Subject) -> dict[str, str]:
    return {"file": subject.name, "chain": subject.chain.name}


def finding_as_json(finding: Finding) -> dict[str, object]:
    """Return a finding for `--json`."""
    return {
        **finding.rule.data(finding.message, finding.where, finding.severity),
        "column": finding.where.column,
        "chain": finding.chain,
        "keys": list(finding.keys),
    }


def _doubt_as_json(doubt: Doubt) -> dict[str, object]:
    return {
        "kind": doubt.kind.value,
        "message": doubt.message,
        "file": doubt.where.file,
        "line": doubt.where.line,
    }


def _plural(severity: Severity, count: int) -> str:
    return severity.value if count == 1 or severity is Severity.ADVICE else f"{severity.value}s"
