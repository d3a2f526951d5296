"""Everything about one study, as a person reads it: a pure rendering of what `operate.study` returns."""

from collections.abc import Iterator
from typing import Any


def explain(study: dict[str, Any]) -> str:
    """Return the study's summary, readings, reports, deliveries and timeline as lines of text."""
    return "\n".join(
        [
            *_summary(study),
            *(_copy(copy) for copy in study["copies"] if copy["kind"] == "quarantined"),
            "",
            "Readings",
            *(_reading(reading) for reading in study["readings"]),
            *(_rejected(instance) for instance in study["rejections"]),
            *(f"  {model}: turned away: {reason}" for model, reason in study["turned_away"].items()),
            "",
            "Reports",
            *(line for analysis in study["analyses"] for line in _analysis(analysis, study)),
            *(_untrue(report) for report in study["untrue_reports"]),
            *(_misnamed(report) for report in study["misnamed_reports"]),
            *(_outdated(heat_map) for heat_map in study["outdated_heat_maps"]),
            "",
            "Deliveries",
            *(_delivery(delivery) for delivery in study["deliveries_made"]),
            *(_label(label) for label in study["labels"]),
            "",
            "Timeline",
            *(_event(entry) for entry in study["timeline"]),
        ]
    )


_WHAT = {"report": "", "text": "text ", "heatmap": "heat map ", "rejection_note": "rejection note "}


def _label(label: dict[str, Any]) -> str:
    where = label["sop_instance_uid"] or label["series_instance_uid"] or "the study"
    if label["class_name"] is None:
        whose = label["reader"] or "(not read)"
        return f"  Label object {label['source_uid']} by {whose}: {label['state']}, {label['reason']}"
    said = label["class_name"] if label["present"] else f"no {label['class_name']}"
    seen = {True: ", a result had been delivered", False: ", before any result", None: ""}[label["result_visible"]]
    return (
        f"  Label {said} for {where} by {label['reader']}, {label['made_at']}{seen} ({label['rule']}): {label['state']}"
    )


def _summary(study: dict[str, Any]) -> Iterator[str]:
    yield f"Study {study['study_instance_uid']}: {study['state']}"
    yield f"  Patient ID {study['patient_id']}, accession number {study['accession_number'] or '(none)'}"
    yield (
        f"  {study['instances']} images ({', '.join(study['modalities']) or 'no modality'}), "
        f"{study['other_objects']} other objects, first {study['first_received_at']}, last {study['last_received_at']}"
    )
    if study["hold"]:
        yield f"  Hold: {study['hold']}"
    if study["closed_by"]:
        yield f"  Complete by {study['closed_by']}, {study['closed_at']}"
    if study["synthetic"]:
        yield f"  Synthetic: {_said_by(study['objects'])}, so reports go only to peers with test = true"
    if study["standing"]:
        yield f"  A report about this synthetic study stands at {', '.join(study['standing'])}: have it removed there"


def _rejected(instance: dict[str, Any]) -> str:
    undone = f", undone by {instance['undone_by']}, {instance['undone_at']}" if instance["undone_at"] else ""
    return (
        f"  {instance['sop_instance_uid']} rejected by {instance['calling_ae_title']}, {instance['rejected_at']}: "
        f"{instance['meaning']} ({instance['code_value']}){'' if instance['held'] else ', not here'}{undone}"
    )


def _untrue(report: dict[str, Any]) -> str:
    note = report["rejection_note"]
    taken_back = f"a rejection note is {note}" if note else "no rejection note goes there: have it removed"
    sent = "was sent to" if report["sent_at"] else "may have got to"
    return f"  {report['sop_instance_uid']} rests on a rejected image and {sent} {report['peer']}: {taken_back}"


def _misnamed(report: dict[str, Any]) -> str:
    note = report["rejection_note"]
    taken_back = f"a rejection note is {note}" if note else "see that it was corrected or removed there"
    return f"  {report['sop_instance_uid']} names another identity and was sent to {report['peer']}: {taken_back}"


def _outdated(heat_map: dict[str, Any]) -> str:
    note = heat_map["rejection_note"]
    taken_back = f"a rejection note is {note}" if note else "no rejection note goes there: have it removed"
    uid, peer = heat_map["sop_instance_uid"], heat_map["peer"]
    return f"  {uid} is a heat map of an earlier result and was sent to {peer}: {taken_back}"


def _copy(copy: dict[str, Any]) -> str:
    return (
        f"  Quarantined: a copy of {copy['sop_instance_uid']} from {copy['calling_ae_title']}, "
        f"{copy['received_at']}, {copy['reason']}: {copy['path']}"
    )


def _said_by(objects: list[dict[str, Any]]) -> str:
    images = [row for row in objects if row["kind"] == "image"]
    if any(row["header_synthetic"] for row in images):
        return "(0008,001C) of an image is YES"
    said = ", ".join(row["sop_instance_uid"] for row in images if row["synthetic"])
    return f"an earlier copy said YES in (0008,001C) of {said}, which the header that counts no longer does"


def _reading(reading: dict[str, Any]) -> str:
    head = f"  {reading['sop_instance_uid']} by {reading['model']} {reading['version']}: "
    admission = reading["admission"]
    if not admission["admitted"]:
        return head + f"not assessed: {admission['sentence']}"
    findings = (
        f"{finding['name']} {finding['probability']:.3f} (threshold {finding['threshold']:.3f})"
        for finding in reading["findings"]
    )
    anomaly = reading["anomaly"]
    placed = f"anomaly z-score {anomaly['z_score']:.2f}, percentile {anomaly['percentile']:.0f}" if anomaly else ""
    scored = f"admission {admission['score']:.2f} of {admission['limit']:.2f}" if admission["limit"] else ""
    return head + "; ".join(part for part in (*findings, placed, scored or admission["sentence"]) if part)


def _analysis(analysis: dict[str, Any], study: dict[str, Any]) -> Iterator[str]:
    shadow = " (model in shadow)" if study["modes"].get(analysis["model"]) == "shadow" else ""
    shadow += " (version recalled)" if analysis["recalled"] else ""
    yield (
        f"  {analysis['created_at']} {analysis['outcome']} by {analysis['model']} {analysis['version']}{shadow}: "
        f"{', '.join(analysis['sop_instance_uids'])}"
    )
    whose = "" if analysis["is_current_patient"] else ", which is not whose study this is now"
    yield f"    names Patient ID {analysis['patient_id'] or '(none)'}{whose}"
    if before := _replaced(analysis, study):
        yield f"    takes the place of {', '.join(before)}"
    yield from (_of_study(finding) for finding in analysis["findings"] if finding["assessed"] > 1)


def _replaced(analysis: dict[str, Any], study: dict[str, Any]) -> list[str]:
    """Return the reports of the newest result before this one of which any left."""
    earlier = {one["id"]: one["predecessor_id"] for one in study["analyses"]}
    number, left = analysis["predecessor_id"], list[str]()
    while number is not None and not left:
        left, number = _left(number, study["deliveries_made"]), earlier.get(number)
    return left


def _left(analysis_id: int, deliveries: list[dict[str, Any]]) -> list[str]:
    reports = (one for one in deliveries if one["analysis_id"] == analysis_id and one["kind"] == "report")
    left = (one for one in reports if one["state"] == "done" or one["offered_at"])
    return list(dict.fromkeys(one["sop_instance_uid"] for one in left))


def _of_study(finding: dict[str, Any]) -> str:
    score = "" if finding["score"] is None else f", score {finding['score']:.3f}"
    keys = (
        key["sop_instance_uid"] + ("" if key["frame"] is None else f" frame {key['frame']}")
        for key in finding["key_images"]
    )
    return (
        f"    {finding['name']} {'present' if finding['present'] else 'absent'} ({finding['aggregation']}{score}, "
        f"threshold {finding['threshold']:.3f}, {finding['reached']} of {finding['assessed']} reach it)"
        f"{': ' if finding['key_images'] else ''}{', '.join(keys)}"
    )


def _delivery(delivery: dict[str, Any]) -> str:
    what = _WHAT[delivery["kind"]]
    form = "" if delivery["pinned_at"] else " (or another form, as the peer accepts)"
    status = f", last answer {delivery['last_answer']}" if delivery["last_answer"] else ""
    paused = f", nothing is tried before {delivery['paused_until']}" if delivery["paused_until"] else ""
    # what ended a cancelled one is in the timeline: it is not what its last attempt met
    before = "before that: " if delivery["state"] == "cancelled" else ""
    said = f", {before}{delivery['last_error']}" if delivery["last_error"] else ""
    said += f", {delivery['hold']}" if delivery["hold"] else ""
    said += f", a result of {delivery['model']} {delivery['version']}"
    return (
        f"  {delivery['id']} {what}{delivery['sop_instance_uid']}{form} of {delivery['created_at']} "
        f"to {delivery['peer']}: "
        f"{delivery['state']}{_since(delivery)}, attempt {delivery['attempt']}{status}{paused}{said}"
    )


def _since(delivery: dict[str, Any]) -> str:
    since = delivery["sent_at"] if delivery["state"] == "done" else delivery["settled_at"]
    return f" {since}" if since else ""


def _event(entry: dict[str, Any]) -> str:
    detail = ", ".join(f"{key} {value}" for key, value in entry["detail"].items() if value not in ("", None, {}, []))
    instance = f" {entry['sop_instance_uid']}" if entry["sop_instance_uid"] else ""
    return f"  {entry['at']} {entry['event']}{instance}{': ' if detail else ''}{detail}"
