"""What reports are told of a model by its bundle."""

from dataclasses import replace

import pytest

from models.bundle.manifest import sealed
from node.pipeline.registry.catalogue import identity_of, opened


@pytest.mark.parametrize("local", [False, True])
def test_reports_know_whether_a_model_was_calibrated_on_labels_of_this_site(local: bool) -> None:  # noqa: FBT001
    """Only then they say per cent; the model that ships was not."""
    shipped = opened("starter")
    manifest = sealed(replace(shipped, calibration=replace(shipped.calibration, local_labels=local)))
    identity = identity_of("starter", manifest)
    assert identity.calibrated_on_local_labels is local
    assert (identity.device_uid == shipped.device_uid) is not local
