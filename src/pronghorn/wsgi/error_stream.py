"""`wsgi.errors`: text that the application wants in the error log."""

from collections.abc import Callable, Iterable


class ErrorStream:
    """A text stream into a function. Any thread; closing it does nothing, it is the server's.

    sink: takes text and writes it where the error log goes by now, so the stream survives a rotation.
    """

    __slots__ = ("_sink",)

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink

    def write(self, text: str) -> int:
        """Write text as it is, any character of it (PEP 3333, Input and Error Streams)."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__} (PEP 3333)")
        try:
            self._sink(text)
        except (OSError, ValueError):
            pass  # a full disk or a closed log must not hurt a request
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is ever held back."""

    def close(self) -> None:
        """Nothing: see above."""
