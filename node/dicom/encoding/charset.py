"""Text in its Specific Character Set, read so that nothing that anyone sends can raise.

It knows the defined terms of DICOM PS3.3 C.12.1.1.2 and no element.
"""

import re
import unicodedata
from functools import lru_cache

_CODECS = {
    "ISO_IR 6": "ascii",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 149": "euc_kr",
    "ISO_IR 166": "tis_620",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}

_STAND_ALONE = frozenset({"utf_8", "gb18030", "gbk"})  # these use no code extensions (PS3.3 C.12.1.1.2)

# PS3.3 tables C.12-3 and C.12-4: what each escape sequence designates, and whether Python's codec wants to see it
_ESCAPES = {
    b"(B": ("ascii", False),
    b"(J": ("shift_jis", False),
    b")I": ("shift_jis", False),
    b"-A": ("latin_1", False),
    b"-B": ("iso8859_2", False),
    b"-C": ("iso8859_3", False),
    b"-D": ("iso8859_4", False),
    b"-F": ("iso8859_7", False),
    b"-G": ("iso8859_6", False),
    b"-H": ("iso8859_8", False),
    b"-L": ("iso8859_5", False),
    b"-M": ("iso8859_9", False),
    b"-T": ("tis_620", False),
    b"-b": ("iso8859_15", False),
    b"$)C": ("euc_kr", False),
    b"$)A": ("gb2312", False),
    b"$B": ("iso2022_jp", True),
    b"$(D": ("iso2022_jp_2", True),
}
_ESCAPED = re.compile(rb"\x1b(\$[()][A-Z]|[()$\-][A-Zb])([^\x1b]*)")

_UNWANTED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDIRECTIONAL_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def character_set_terms(raw: bytes) -> tuple[str, ...]:
    """Return the values of (0008,0005) Specific Character Set, without padding; none where it is absent."""
    text = raw.decode("latin_1").replace("\0", " ")
    return tuple(term.strip() for term in text.split("\\")) if text.strip() else ()


@lru_cache(maxsize=256)  # most texts stand in every image of a study
def decode_text(raw: bytes, terms: tuple[str, ...]) -> str:
    """Return the text of a value, cleaned.

    Parameters
    ----------
    raw
        The bytes of the value.
    terms
        Its dataset's Specific Character Set; an unknown one is read as UTF-8 where the bytes are UTF-8, and as
        Latin 1 where they are not. A byte that its character set does not have becomes U+FFFD.

    References
    ----------
    DICOM PS3.5 6.1.2, PS3.3 C.12.1.1.2
    """
    codec = codec_of(terms[0] if terms else "")
    if b"\x1b" in raw and codec not in _STAND_ALONE:
        return clean(_decode_code_extensions(raw, codec))
    return clean(_decode(raw, codec))


@lru_cache(maxsize=64)
def codec_of(term: str) -> str:
    """Return Python's name of a character set's encoding, or ASCII's for the default repertoire and unknown terms."""
    return _CODECS.get(re.sub(r"^ISO[ _]2022[ _](IR )?", r"ISO_IR ", term).replace("ISO_IR GBK", "GBK"), "ascii")


def clean(text: str) -> str:
    """Return the text without padding and without what a log line, a page or a database could stumble over.

    Control characters (PostgreSQL refuses NUL), line separators, lone surrogates and controls of writing direction
    are taken out.
    """
    if not text.isprintable():
        text = "".join(character for character in text if not _unwanted(character))
    return text.strip(" ")


def _unwanted(character: str) -> bool:
    return unicodedata.category(character) in _UNWANTED_CATEGORIES or character in _BIDIRECTIONAL_CONTROLS


def _decode(raw: bytes, codec: str) -> str:
    if codec != "ascii":
        return raw.decode(codec, errors="replace")
    # nothing beyond ASCII may stand here, so what does was sent undeclared; UTF-8 hardly ever fits by chance
    try:
        return raw.decode("utf_8")
    except UnicodeDecodeError:
        return raw.decode("latin_1")


def _decode_code_extensions(raw: bytes, codec: str) -> str:
    beginning = raw.split(b"\x1b", 1)[0]
    parts = [_decode(beginning, codec)]
    for match in _ESCAPED.finditer(raw):
        escaped, keeps_escape = _ESCAPES.get(match[1], (codec, False))
        parts.append((match[0] if keeps_escape else match[2]).decode(escaped, errors="replace"))
    return "".join(parts)
