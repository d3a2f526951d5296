"""What an operator reads of a model in shadow that was to be active."""

import pytest

from node.config import Settings
from node.domain.rule import Rule
from node.pipeline.registry.go_live import shadow_notes
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode


@pytest.mark.parametrize(("required", "said"), [(True, "a recorded local validation"), (False, "the registry rules")])
def test_a_model_in_shadow_is_asked_for_a_validation_only_where_one_is_required(
    required: bool,  # noqa: FBT001
    said: str,
) -> None:
    """Where none is, a stop or an operator has moved it, and a verb moves it back."""
    settings = Settings.model_validate(
        {
            "node": {"ae_title": "PACSNODE"},
            "models": [{"name": "starter", "mode": "active"}],
            "go_live": {"require_validation": required},
        }
    )
    (note,) = shadow_notes(settings, [Registration("starter", "1", "starter", Mode.SHADOW, Rule())])
    assert said in note
    assert ("validation" in note) is required
