"""[monitor]: with what the latest images are compared, what counts as an alarm, and what stops a model."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(strict=True, ge=1)]


class MonitorSettings(BaseModel):
    """[monitor]: with what the latest images are compared, what counts as an alarm, and what stops a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    reference_images: Annotated[int, Field(strict=True, ge=50, le=2000)] = 300
    window_images: Annotated[int, Field(strict=True, ge=10, le=1000)] = 100
    min_images: Annotated[int, Field(strict=True, ge=5, le=1000)] = 25
    false_alarms: Annotated[float, Field(strict=True, gt=0, lt=0.5)] = 0.01
    max_flags_per_100: Annotated[float, Field(strict=True, gt=0, le=100)] | None = None
    min_ppv: Annotated[float, Field(strict=True, gt=0, le=1)] | None = None
    min_labels: Count = 20
    silence_factor: Annotated[float, Field(strict=True, gt=0, le=100)] = 2.0
    silence_hours: Annotated[float, Field(strict=True, gt=0, le=168)] = 26.0
    stop_again_days: Annotated[float, Field(strict=True, ge=0, le=3650)] = 7.0
    stop_on: tuple[Literal["drift", "admission", "flags", "ppv"], ...] = ()

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if self.min_images > self.window_images or 2 * self.window_images > self.reference_images:
            raise ValueError(
                f"window_images {self.window_images} must be at least min_images {self.min_images} and at most half of "
                f"reference_images {self.reference_images}"
            )
        return self
