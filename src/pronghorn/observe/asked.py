"""What the access log says of a request, kept for the connection's next one, which is often the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pronghorn.observe.record import Line, Request, Section

LineText = Callable[[Line], str]
FieldText = Callable[[str], str]
"""Makes an escaped text of what was sent."""


class Wanted(Protocol):
    """What a format needs: texts of the request line, and of fields.

    places: where a field's texts stand among field_texts, by its name in lower case.
    """

    @property
    def line_texts(self) -> Sequence[LineText]: ...
    @property
    def field_texts(self) -> Sequence[FieldText]: ...
    @property
    def places(self) -> Mapping[bytes, Sequence[int]]: ...


# Arbitrary: a request's texts are kept for the connection's next one, which may be slow to come, unless they
# are longer than this. Escaped, a head can be four times as long as it came.
_KEPT_MOST = 4096


class Asked:
    """One connection's last request, as texts. Whoever makes the log's lines calls it; no two at once.

    line: a text for each of `line_texts`. fields: one for each of `field_texts`, "-" where there is nothing.
    large: too large to be kept; then it is to be told `forget`.
    """

    __slots__ = (
        "_base",
        "_line",
        "_section",
        "_shown",
        "_wanted",
        "fields",
        "large",
        "line",
        "peer",
        "request",
    )

    def __init__(self, wanted: Wanted, peer: tuple[str, int] | None) -> None:
        self._wanted = wanted
        self.peer = (peer[0] if peer else "") or "-"
        self.forget()

    def forget(self) -> None:
        """There was no request."""
        self.request: Request | None = None
        self.line: list[str] = []
        self.fields: list[str] = []
        # What these were made from
        self._line: Line | None = None
        self._section: Section | None = None
        self._base: list[str] = []  # `fields` without the request's changes
        self._shown: dict[int, Sequence[int]] = {}  # by index of a field: its places in `fields`
        self.large = False

    def read(self, request: Request) -> None:
        """Make the texts that are not the last request's."""
        line, section = request.line, request.section
        if line is not self._line:
            self.line = [text(line) for text in self._wanted.line_texts]
            self._line = line
        if section is not self._section:
            self._base = self._texts(section)
            self._section = section
        self.fields = self._base
        for index, value in request.changes:
            if index in self._shown:
                self._change(self._shown[index], value)
        self.request = request
        self.large = sum(map(len, self.line)) + sum(map(len, self.fields)) > _KEPT_MOST

    def _texts(self, section: Section) -> list[str]:
        makers, places = self._wanted.field_texts, self._wanted.places
        self._shown = {}
        values: dict[bytes, bytes] = {}
        for index, (name, value) in enumerate(section.fields):
            lower = name.lower()
            if lower in places:
                self._shown[index] = places[lower]
                if lower in values:
                    # RFC 9110 section 5.3; Cookie has its own separator.
                    value = values[lower] + (b"; " if lower == b"cookie" else b",") + value
                values[lower] = value
        texts = ["-"] * len(makers)
        for lower, value in values.items():
            text = value.decode("latin-1")
            for place in places[lower]:
                texts[place] = makers[place](text) or "-"
        return texts

    def _change(self, places: Sequence[int], value: bytes) -> None:
        fields = self.fields = self.fields.copy()
        for place in places:
            fields[place] = self._wanted.field_texts[place](value.decode("latin-1")) or "-"
