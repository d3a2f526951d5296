"""How much of a whole training is done, whatever it consists of, so that the time left can be told. It knows shares."""

from collections.abc import Callable, Mapping

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

WHOLE = "whole training"
PARTS = 1000
"""The whole is told of in so many parts."""


class Whole:
    """Passes on what is told of each stage, and tells of the whole beside it.

    Parameters
    ----------
    costs
        How long each stage takes, in any unit; stages that it does not name count nothing.
    tell
        Told of the stages, and of the whole under the name `WHOLE`.
    """

    def __init__(self, costs: Mapping[str, float], tell: Tell) -> None:
        self._costs, self._tell, self._told = costs, tell, 0
        self._shares = dict.fromkeys(costs, 0.0)
        tell(WHOLE, 0, PARTS)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell of a stage."""
        self._tell(stage, done, total)
        if stage in self._shares:
            self._shares[stage] = done / max(total, 1)
            cost = sum(self._costs[name] * share for name, share in self._shares.items())
            parts = int(PARTS * cost / sum(self._costs.values()))
            if parts != self._told:
                self._told = parts
                self._tell(WHOLE, parts, PARTS)
