"""Which files a rule is for: a glob of the file's URL, or a MIME type (S16).

*.woff2              the name of a file in any directory
/img/**              everything below a directory of the root: `*` stays within one, `**` does not
*.{hash}.*           `{hash}` is a content hash: eight characters or more, with a digit or a capital in it
text/html, image/*   a MIME type
"""

import re

_MIME = re.compile(r"(?:text|image|font|audio|video|application|model)/[^/]+")
_PIECES = re.compile(r"\*\*/?|\*|\?|\{hash\}")
_MEANING = {
    "**": ".*",
    "**/": "(?:.*/)?",
    "*": "[^/]*",
    "?": "[^/]",
    "{hash}": "(?=[0-9A-Za-z_-]*[0-9]|[0-9A-Za-z_-]+[A-Z])[0-9A-Za-z_-]{8,64}",
}


class Pattern:
    """One glob or MIME type."""

    __slots__ = ("_expression", "_mime", "_name_only")

    def __init__(self, text: str) -> None:
        self._mime = _MIME.fullmatch(text) is not None
        self._name_only = not self._mime and "/" not in text
        self._expression = re.compile(_translated(text if self._mime else text.removeprefix("/")), re.DOTALL)

    def matches(self, url: str, content_type: str) -> bool:
        """url: below the root, with a leading slash."""
        if self._mime:
            return self._expression.fullmatch(content_type.partition(";")[0]) is not None
        subject = url.rpartition("/")[2] if self._name_only else url[1:]
        return self._expression.fullmatch(subject) is not None


def _translated(glob: str) -> str:
    parts, at = [], 0
    for found in _PIECES.finditer(glob):
        parts += [re.escape(glob[at : found.start()]), _MEANING[found[0]]]
        at = found.end()
    return "".join([*parts, re.escape(glob[at:])])
