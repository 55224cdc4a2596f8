"""Results of runs, and receipts of mutations."""

from keyroll.errors import ExitCode
from keyroll.scenario.record.result import Check, Verdict, receipt_of


def check(name: str, *, passed: bool = False, step: int | None = None) -> Check:
    return Check(name, passed, "this", "that", step=step)


def test_a_mutation_is_killed_when_every_check_that_it_names_is_red() -> None:
    receipt = receipt_of("m", ["no-flap", "wire@4"], [check("no-flap"), check("wire", step=4)], Verdict.FAILED)
    assert receipt.killed


def test_a_mutation_survives_if_only_other_checks_are_red() -> None:
    checks = [check("no-flap"), check("wire", step=2), check("wire", step=4, passed=True)]
    assert receipt_of("m", ["no-flap", "wire@4"], checks, Verdict.FAILED).missed == ("wire@4",)


def test_a_broken_run_kills_no_mutation() -> None:
    assert not receipt_of("m", ["no-flap"], [check("no-flap")], Verdict.BROKEN).killed


def test_a_name_without_a_step_means_the_check_of_any_step() -> None:
    assert receipt_of("m", ["wire"], [check("wire", step=4)], Verdict.FAILED).killed


def test_each_verdict_has_its_exit_code() -> None:
    assert {verdict.value: verdict.exit_code for verdict in Verdict} == {
        "passed": ExitCode.OK,
        "failed": ExitCode.BAD,
        "unfit": ExitCode.UNFIT,
        "broken": ExitCode.UNFIT,
        "interrupted": ExitCode.INTERRUPTED,
        "skipped": ExitCode.UNFIT,
        "known-bug": ExitCode.OK,
    }


def test_a_check_says_what_was_expected_and_observed() -> None:
    assert check("wire", step=4).sentence() == "wire@4: expected this; observed that"
