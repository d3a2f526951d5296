"""Passwords are masked in whatever is told, and nothing else is."""

import pytest

from node.domain.masking import masked


@pytest.mark.parametrize(
    "text",
    [
        "caller PACSNODE@127.0.0.1:11112 at 03:04:05 UTC, ada@host",
        "sqlite:///PATH and postgresql+psycopg://USER@HOST/NAME are supported",
        "model starter: 1.2.0 -> 1.3.0, approved by Dr. Doe; mail doe@site.example",
    ],
)
def test_what_holds_no_password_is_told_as_it_is(text: str) -> None:
    """Addresses, times and users stay."""
    assert masked(text) == text


def test_a_password_is_masked_wherever_it_stands() -> None:
    """Beside its user, and as an option."""
    said = "cannot reach 'postgresql://node:p@ss@db/n?sslpassword=x&a=1': no"
    assert masked(said) == "cannot reach 'postgresql://node:***@db/n?sslpassword=***&a=1': no"
