"""The A-ASSOCIATE PDUs of a requestor, against the library's codecs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import PresentationContext

from node.domain.identifiers import is_uid
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.network.associate import Acceptance, MalformedAnswer, decode_acceptance, encode_request
from node.network.presentation import Syntaxes

CT, MR, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.1"


def test_the_library_reads_the_request_as_it_is_meant() -> None:
    """Titles, contexts with odd IDs, maximum length and implementation are where the Standard puts them."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(encode_request("PACS", "PACSNODE", [Syntaxes(CT, EXPLICIT), Syntaxes(MR, EXPLICIT)]))
    request = pdu.to_primitive()
    assert (request.called_ae_title.strip(), request.calling_ae_title.strip()) == ("PACS", "PACSNODE")
    assert request.application_context_name == "1.2.840.10008.3.1.1.1"
    proposed = request.presentation_context_definition_list
    assert [(one.context_id, one.abstract_syntax) for one in proposed] == [(1, CT), (3, MR)]
    assert all(one.transfer_syntax == [EXPLICIT] for one in proposed)
    assert request.maximum_length_received == 128 * 1024
    assert request.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert pdu.user_information.implementation_version_name == IMPLEMENTATION_VERSION_NAME


def test_the_implementation_is_named_as_the_standard_allows() -> None:
    """A proper UID, and at most 16 characters of name (PS3.7 D.3.3.2)."""
    assert is_uid(IMPLEMENTATION_CLASS_UID)
    assert 1 <= len(IMPLEMENTATION_VERSION_NAME) <= 16


def _acceptance(maximum: int, *results: int) -> bytes:
    """Return the body of an A-ASSOCIATE-AC that the library writes."""
    answer = A_ASSOCIATE()
    answer.application_context_name = "1.2.840.10008.3.1.1.1"
    answer.calling_ae_title, answer.called_ae_title = "PACSNODE", "PACS"
    answer.result = 0
    contexts = []
    for index, result in enumerate(results):
        context = PresentationContext()
        context.context_id, context.result, context.transfer_syntax = 2 * index + 1, result, [EXPLICIT]
        contexts.append(context)
    answer.presentation_context_definition_results_list = contexts
    longest = MaximumLengthNotification()
    longest.maximum_length_received = maximum
    answer.user_information = [longest]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(answer)
    return bytes(pdu.encode()[6:])


def test_what_the_library_accepts_is_read() -> None:
    """Only result 0 is an acceptance; 1 to 4 are refusals of one context each."""
    assert decode_acceptance(_acceptance(16382, 0, 1, 2, 3, 4, 0)) == Acceptance(frozenset({1, 11}), 16382)


def test_no_limit_is_zero() -> None:
    """Maximum length 0 says that there is no limit."""
    assert decode_acceptance(_acceptance(0, 0)).maximum_pdu_bytes == 0


@pytest.mark.parametrize("cut", [0, 10, 67, 70, 90])
def test_an_answer_that_ends_early_is_refused(cut: int) -> None:
    """Neither a missing head nor an item that overruns is read as something."""
    with pytest.raises(MalformedAnswer):
        decode_acceptance(_acceptance(0, 0)[:cut])


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    """Whatever comes, reading ends in an acceptance or in the one error."""
    try:
        acceptance = decode_acceptance(bytes(68) + body)
    except MalformedAnswer:
        return
    assert acceptance.maximum_pdu_bytes >= 0
