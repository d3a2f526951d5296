"""What a rule in config.toml says that cannot have been meant, as lines of `check`; it looks at no database."""

from collections.abc import Iterator

from node.config import ModelSettings, Settings
from node.pipeline.check_line import CheckLine


def lines(settings: Settings) -> Iterator[CheckLine]:
    """Yield a line for each thing in a rule that has no effect, or lets nothing in."""
    for model in settings.models:
        yield from (CheckLine(f"model {model.name}", "note", text) for text in _odd(settings, model))


def _odd(settings: Settings, model: ModelSettings) -> Iterator[str]:
    let_in = {peer.ae_title for peer in settings.peers if peer.may_send}
    strange = [title for title in model.senders if title not in let_in]
    if strange and not settings.receive.accept_any_calling_ae:
        yield (
            f"its senders name {', '.join(strange)}, and no [[peers]] table with may_send = true has that AE title: "
            "nothing comes from there"
        )
    if "top_k" in model.model_fields_set and model.aggregation != "top-k":
        yield f'its top_k = {model.top_k} has no effect: aggregation is "{model.aggregation}" and not "top-k"'
