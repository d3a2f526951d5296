"""[gate]: what a challenger must reach to take a champion's place, declared before it is trained.

The margins and numbers are those of `models.gate.protocol.Protocol`, under the same names; a test compares them.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Margin = Annotated[float, Field(strict=True, ge=0, le=1)]
Number = Annotated[int, Field(strict=True, ge=2, le=1_000_000)]


class GateSettings(BaseModel):
    """The declared criteria, and what becomes of challengers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 0
    draws: Annotated[int, Field(strict=True, ge=200, le=100_000)] = 2000
    confidence: Annotated[float, Field(strict=True, ge=0.5, lt=1)] = 0.95
    auc_margin: Margin = 0.01
    target_margin: Margin = 0.0
    sensitivity_margin: Margin = 0.02
    specificity_margin: Margin = 0.1
    ece_margin: Margin = 0.02
    admitted_margin: Margin = 0.05
    subgroup_margin: Margin = 0.03
    min_patients: Number = 50
    min_positives: Number = 30
    min_negatives: Number = 30
    subgroup_min: Number = 30
    shadow: Annotated[bool, Field(strict=True)] = True
    keep_refused_days: Annotated[int, Field(strict=True, ge=0, le=36500)] = 30
