"""Conditional requests (S11): which of the preconditions of RFC 9110 section 13 hold.

Pure functions of the fields' values and of one representation's validators.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pronghorn.apps.static.dates import parse_http_date

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,|$)')


class Verdict(Enum):
    """What the preconditions make of a request."""

    PERFORM = "perform it"
    NOT_MODIFIED = "304"
    FAILED = "412"


PERFORM, NOT_MODIFIED, FAILED = Verdict


def evaluate(environ: Mapping[str, Any], etag: str, modified: int, now: float) -> Verdict:
    """RFC 9110 section 13.2.2, its steps 1 to 4, for GET and HEAD.

    etag: the current entity tag. modified: seconds since 1970, as Last-Modified says.
    """
    given = environ.get("HTTP_IF_MATCH")
    if given is not None:  # step 1
        if not matches(given, etag, strong=True):
            return FAILED
    else:  # step 2
        date = _date(environ, "HTTP_IF_UNMODIFIED_SINCE", now)
        if date is not None and modified > date:
            return FAILED
    given = environ.get("HTTP_IF_NONE_MATCH")
    if given is not None:  # step 3
        return NOT_MODIFIED if matches(given, etag, strong=False) else PERFORM
    date = _date(environ, "HTTP_IF_MODIFIED_SINCE", now)  # step 4
    return NOT_MODIFIED if date is not None and modified <= date else PERFORM


def range_applies(environ: Mapping[str, Any], etag: str, modified: int, now: float) -> bool:
    """Step 5: whether If-Range, where there is one, lets the Range field count. Strong comparison only."""
    given = environ.get("HTTP_IF_RANGE")
    if given is None:
        return True
    weak = etag.startswith("W/")
    given = given.strip(" \t")
    if given.startswith(('"', "W/")):
        return not weak and bool(given == etag)
    # A date is no strong validator while the file may change again within that second (section 8.8.2.2).
    return not weak and parse_http_date(given, now) == modified


_TAGS_MOST = 64
"""Arbitrary: more entity tags are more work than a client may ask for."""


def matches(field: str, etag: str, *, strong: bool) -> bool:
    """Whether a list of entity tags, or `*`, has this one (section 8.8.3.2). Others are passed over."""
    if field.strip(" \t") == "*":
        return True
    if field.count(",") > _TAGS_MOST:
        return False
    weak = etag.startswith("W/")
    if strong and weak:
        return False
    opaque = etag[3:-1] if weak else etag[1:-1]
    at, end = 0, len(field)
    while at < end:
        if field[at] in " \t,":
            at += 1
        elif (found := _TAG.match(field, at)) is not None:
            if found[2] == opaque and not (strong and found[1]):
                return True
            at = found.end()
        else:
            at = field.find(",", at)
            if at < 0:
                break
    return False


def _date(environ: Mapping[str, Any], key: str, now: float) -> int | None:
    given = environ.get(key)
    return None if given is None else parse_http_date(given, now)
