"""Domain values to JSON columns and back, without loss."""

from typing import Any

from pydantic import TypeAdapter

from node.domain.finding import Reading, StudyFinding
from node.domain.instance import InstanceHeader
from node.domain.rule import Rule

_HEADER = TypeAdapter(InstanceHeader)
_READING = TypeAdapter(Reading)
_RULE = TypeAdapter(Rule)
_STUDY_FINDINGS = TypeAdapter(tuple[StudyFinding, ...])


def header_to_json(header: InstanceHeader) -> dict[str, Any]:
    """Return the header as a JSON object."""
    return _as_object(_HEADER.dump_python(header, mode="json"))


def header_from_json(value: dict[str, Any]) -> InstanceHeader:
    """Return the header that was stored; elements that this version does not know are left out."""
    return _HEADER.validate_python(value)


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """Return the reading as a JSON object, without its fingerprint, which is kept apart."""
    return _as_object(_READING.dump_python(reading, mode="json", exclude={"fingerprint"}))


def reading_from_json(value: dict[str, Any]) -> Reading:
    """Return the reading that was stored."""
    return _READING.validate_python(value)


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """Return the rule as a JSON object."""
    return _as_object(_RULE.dump_python(rule, mode="json"))


def rule_from_json(value: dict[str, Any]) -> Rule:
    """Return the rule that was stored; what an older version did not ask has its default."""
    return _RULE.validate_python(value)


def study_findings_to_json(findings: tuple[StudyFinding, ...]) -> list[dict[str, Any]]:
    """Return what is said of a study's classes as JSON objects."""
    return [_as_object(finding) for finding in _STUDY_FINDINGS.dump_python(findings, mode="json")]


def study_findings_from_json(value: list[dict[str, Any]]) -> tuple[StudyFinding, ...]:
    """Return what was stored of a study's classes; nothing of a result that an older version stored."""
    return _STUDY_FINDINGS.validate_python(value)


def _as_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object was expected, not {type(value).__name__}")
    return value
