"""A batch of cases said to the node, several at once, and what is wrong with its answers and with it."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bench.fuzzing.cases import Case
from bench.fuzzing.talk import Answer, talk
from bench.fuzzing.vitals import Watch

_AT_ONCE = 24
_LIMIT_S = 15.0  # far above the node's deadlines, which are shortened

Said = Counter[tuple[str, str]]
"""How often each kind of case was answered how."""

Complaint = tuple[str, Sequence[Case]]
"""What is wrong, and the cases that it may come from."""


def say_all(port: int, watch: Watch, cases: Sequence[Case], said: Said, proof: Case) -> list[Complaint]:
    """Send a batch, several cases at once, and return what was wrong, with the cases that it may come from."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(partial(_talk, port), cases))
    said.update((case.kind, _outcome(answer)) for case, answer in zip(cases, answers, strict=True))
    pairs = list(zip(cases, answers, strict=True))
    wrong: list[Complaint] = [(complaint, [case]) for case, answer in pairs if (complaint := _complaint(case, answer))]
    alive = _talk(port, proof)
    if complaint := _complaint(proof, alive):
        wrong.append((f"after the batch, a valid C-STORE and C-ECHO: {complaint}", cases))
    acknowledged = [uid for answer in [*answers, alive] for uid in answer.stored]
    wrong += [(complaint, cases) for complaint in watch.complaints([*cases, proof], acknowledged)]
    return wrong


def _talk(port: int, case: Case) -> Answer:
    try:
        return talk(port, case, _LIMIT_S)
    except OSError as error:
        return Answer((f"no connection: {error}",), (), closed=False, garbled=False)


def _complaint(case: Case, answer: Answer) -> str:
    """Return what is wrong with an answer by itself."""
    if not answer.closed:
        return f"not closed within {_LIMIT_S:g} s, after {', '.join(answer.said) or 'no word'}"
    if answer.garbled:
        return "something was said that is no PDU"
    if case.valid and answer.said.count("status 0x0000") != case.requests:
        return f"{case.requests} valid requests were answered: {', '.join(answer.said)}"
    return ""


def _outcome(answer: Answer) -> str:
    """Return the answers to the stores, or else what it ended with."""
    statuses = sorted({it for it in answer.said if it.startswith("status")})
    last = [it for it in answer.said[-1:] if not it.startswith("status") and it != "accepted"]
    return ", ".join([*statuses, *last]) or ("closed" if answer.closed else "left open")
