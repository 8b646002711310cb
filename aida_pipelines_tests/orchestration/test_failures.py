"""What Dagster keeps of an exception: our own words, and of all others nothing that may quote a patient."""

import dagster as dg
import pytest

from aida_pipelines.errors import StorageError, TransientError
from aida_pipelines.orchestration.failures import explained

SECRET = "Testsson^Åsa 19121212-1212"


def kept_by_dagster(error: Exception) -> tuple[dg.ExecuteInProcessResult, str]:
    """Run an asset that raises; everything that the instance has recorded of the run, as text."""

    @dg.asset
    def failing() -> None:
        with explained():
            try:
                raise KeyError(SECRET)  # what a library raised first must not come along as context
            except KeyError:
                raise error  # noqa: B904 - that is the case

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([failing], instance=instance, raise_on_error=False)
        return result, "\n".join(
            f"{entry!r} {entry.user_message} {entry.dagster_event!r}"
            for entry in instance.all_logs(result.run_id)
        )


@pytest.mark.parametrize("error", [ValueError(SECRET), OSError(28, "full", SECRET), RuntimeError(SECRET)])
def test_the_words_of_foreign_exceptions_are_withheld(error):
    result, kept = kept_by_dagster(error)
    assert not result.success
    assert SECRET not in kept
    assert "Testsson" not in kept
    assert type(error).__name__ in kept


def test_our_own_words_are_kept_with_the_way_out():
    _, kept = kept_by_dagster(StorageError("No space left in file:///z.", way_out="Free some space."))
    assert "No space left" in kept
    assert "Free some space" in kept
    assert "Testsson" not in kept


@pytest.mark.parametrize(
    ("error", "retried"), [(TransientError("busy"), True), (StorageError("full"), False)]
)
def test_only_what_may_pass_is_retried(error, retried):
    with pytest.raises(dg.Failure) as caught, explained():
        raise error
    assert caught.value.allow_retries is retried
