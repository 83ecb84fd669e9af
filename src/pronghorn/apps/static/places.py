"""From a path to what answers it: candidates in order, several roots, precompressed siblings (S13, S17).

Runs when a path is not in the cache, so once a second for each path at most.
"""

import logging
import os
from collections.abc import Callable, Sequence
from time import time

from pronghorn.apps.static.answer import FileAnswer, Redirect, Refusal, Refuse, read_small
from pronghorn.apps.static.cache import Answer, Descriptor, Entry
from pronghorn.apps.static.fields import FieldsMaker, Headers, Target
from pronghorn.apps.static.listing import Listing
from pronghorn.apps.static.lookup import Opened, Outcome, Root, View, components, outcome_of
from pronghorn.apps.static.options import CODINGS, StaticOptions
from pronghorn.apps.static.precompressed import IDENTITY, choose

DIRECTORY = "/"
"""The candidate `$path/`: a directory's index file, or its listing."""

_TOLD_MOST = 64
"""Arbitrary: links that lead out of the root and were logged; the log is not for strangers to fill."""

_log = logging.getLogger("pronghorn.error")


class Busy(Exception):
    """The host has no descriptors left, or a disk fails: not to be remembered."""


class Places:
    """Where files may be, and what they are. Any thread."""

    def __init__(
        self,
        roots: Sequence[Root],
        candidates: Sequence[str],
        options: StaticOptions,
        refuse: Refuse,
        by_accept: bool = False,
    ) -> None:
        """candidates: what is put behind the path, in order; DIRECTORY, or an ending such as ".html".
        by_accept: see FieldsMaker.
        """
        self._roots = roots
        self._candidates = candidates
        self._options = options
        self._refuse = refuse
        self._fields = FieldsMaker(options, by_accept)
        self._hidden = options.hidden == "allow"
        self._index = os.fsencode(options.index)
        self._told: set[bytes] = set()

    def find(self, path: str) -> Entry:
        """What answers this path (PATH_INFO). Raises Busy."""
        relative = components(path, self._hidden)
        if relative is None:
            return Entry(None)
        name = relative.rstrip(b"/")
        directory = name != relative or not name
        views = [root.view() for root in self._roots]
        try:
            return self._first(views, name, directory, slash=directory and path != "")
        finally:
            for view in views:
                view.close()

    def _first(self, views: list[View], name: bytes, directory: bool, slash: bool) -> Entry:
        forbidden = False
        absent: list[View] = []  # there is nothing of this name, so nothing below it either
        for candidate in self._candidates:
            for view in views:
                found: Entry | Outcome
                if candidate.startswith("/") and view in absent:
                    continue
                if candidate == DIRECTORY:
                    found = self._directory(view, name, slash)
                else:
                    found = self._file(view, _joined(name, candidate, directory))
                if isinstance(found, Entry):
                    return found
                forbidden = forbidden or found is Outcome.FORBIDDEN
                if not candidate and not directory and found is Outcome.MISSING:
                    absent.append(view)
        return self._refusal("403 Forbidden") if forbidden else Entry(None)

    def _file(self, view: View, name: bytes | None) -> Entry | Outcome:
        if name is None:
            return Outcome.MISSING
        opened = self._open(view, name)
        if isinstance(opened, Outcome):
            return opened
        try:
            return self._entry(view, name, opened)
        except OSError as error:
            if outcome_of(error) is Outcome.BUSY:
                raise Busy from error
            return outcome_of(error)

    def _directory(self, view: View, name: bytes, slash: bool) -> Entry | Outcome:
        """A directory is answered by its index file or its listing, and only behind a slash."""
        inner = b"/".join(part for part in (name, self._index) if part)
        found: Entry | Outcome = self._file(view, inner) if self._index else Outcome.MISSING
        if isinstance(found, Outcome):
            if found is Outcome.FORBIDDEN or not self._options.listing:
                return found
            if (found := self._open_any(view, name)) is not Outcome.DIRECTORY:
                return Outcome.MISSING
            if slash:
                listing = Listing(view.root, name, self._hidden)
                return Entry(lambda accept: listing)
        redirect = Redirect()
        return found if isinstance(found, Entry) and slash else Entry(lambda accept: redirect)

    def _open(self, view: View, name: bytes) -> Opened | Outcome:
        opened = view.open(name)
        if opened is Outcome.BUSY:
            raise Busy
        if opened is Outcome.OUTSIDE:
            self._tell(view, name)
        return opened

    def _open_any(self, view: View, name: bytes) -> Outcome:
        opened = self._open(view, name)
        if isinstance(opened, Opened):
            os.close(opened.fd)
            return Outcome.MISSING
        return opened

    def _tell(self, view: View, name: bytes) -> None:
        """S4: one line for each such link, that names the option."""
        path = os.path.join(view.root.path, name)
        if path not in self._told and len(self._told) < _TOLD_MOST:
            self._told.add(path)
            _log.warning(
                'not served: %r passes a link out of the root (symlinks = "follow" would serve it)',
                os.fsdecode(path),
            )

    def _entry(self, view: View, name: bytes, opened: Opened) -> Entry:
        """The entry of a file, with its siblings. Takes the descriptor over."""
        source = Descriptor(opened.fd)
        siblings, exists = self._siblings(view, name, opened.status)
        path = os.fsdecode(os.path.join(view.root.path, name))
        target = Target(path, "/" + os.fsdecode(name), exists)
        made: dict[str, FileAnswer] = {}
        octets = descriptors = 0
        now = time()
        for coding, descriptor, status in [(IDENTITY, source, opened.status), *siblings]:
            content, status = read_small(descriptor.fileno(), status)
            octets += len(content or b"")
            fields = self._fields.make(target, coding, status, now)
            kept = descriptor if content is None else None
            descriptors += kept is not None
            made[coding] = FileAnswer(fields, status, content, kept, now, self._refuse)
        return Entry(self._chooser(made, self._fields.vary(target)), octets, descriptors)

    def _chooser(self, made: dict[str, FileAnswer], vary: Headers) -> Callable[[str | None], Answer]:
        present = [coding for coding in self._options.precompressed if coding in made]
        unacceptable = Refusal("406 Not Acceptable", self._refuse, vary)

        def chosen(accept: str | None) -> Answer:
            coding = choose(accept, present)
            return unacceptable if coding is None else made[coding]

        return chosen

    def _siblings(
        self, view: View, name: bytes, source: os.stat_result
    ) -> tuple[list[tuple[str, Descriptor, os.stat_result]], bool]:
        """S13: precompressed files that are not older and not larger; and whether there is any at all."""
        found = []
        exists = False
        for coding in self._options.precompressed:
            opened = self._open(view, name + CODINGS[coding].encode())
            if isinstance(opened, Opened):
                exists = True
                descriptor = Descriptor(opened.fd)
                status = opened.status
                if status.st_mtime_ns >= source.st_mtime_ns and status.st_size < source.st_size:
                    found.append((coding, descriptor, status))
        return found, exists

    def _refusal(self, status: str) -> Entry:
        refusal = Refusal(status, self._refuse, [])
        return Entry(lambda accept: refusal)


def _joined(name: bytes, ending: str, directory: bool) -> bytes | None:
    """`$path` and what is put behind it; None where that is no file's name."""
    if ending.startswith("/"):
        return (name + os.fsencode(ending)).lstrip(b"/")
    return None if directory else name + os.fsencode(ending)
