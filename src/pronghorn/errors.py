"""The exceptions that cross a part's border.

A start-up error is a sentence for the person at the terminal: what is wrong, where, and what to do.
A protocol error is an answer for the client: a status, and the clause that was broken.
"""


class PronghornError(Exception):
    """The base of every exception that Pronghorn raises on purpose."""


class StartupError(PronghornError):
    """The server cannot start. `str()` gives at most six lines; `exit_code` is the process's.

    what: one sentence that names what is wrong.
    where: the file and line, or the option, in the user's own words; may be empty.
    mend: what to do about it; may be empty, and may hold line breaks.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        lines = [f"Error: {self.what}"]
        if self.where:
            lines.append(f"  {self.where}")
        lines += [f"  {line}" for line in self.mend.splitlines()]
        return "\n".join(lines[:6])


class UsageError(StartupError):
    """The command line is wrong."""

    exit_code = 2


class ApplicationLoadError(StartupError):
    """The application could not be imported or is not callable."""

    exit_code = 3


class BindError(StartupError):
    """An address could not be bound."""

    exit_code = 4


class ConfigError(StartupError):
    """A setting has a value that cannot be used."""

    exit_code = 5


class ProtocolError(PronghornError):
    """The client sent what may not be answered as a request: answer with `status` and close.

    status: the status code to answer with, 400 to 599.
    what: one sentence in plain ASCII, safe to show: it never quotes bytes of the request.
    clause: the clause that was broken, such as "RFC 9112 section 3".
    """

    def __init__(self, status: int, what: str, clause: str = "") -> None:
        super().__init__(f"{what} ({clause})" if clause else what)
        self.status = status
        self.what = what
        self.clause = clause


class ClientDisconnected(PronghornError):
    """The client is gone: nothing more can be sent. Raised in the thread that was sending."""


class RequestTimeout(BaseException):
    """The request has taken longer than --request-timeout. Raised in the thread that runs it, wherever it is.

    No Exception, so that `except Exception` does not swallow it: let it pass. `finally` and `with` do their
    part on the way; nothing more can be sent, the client has been answered.
    """

    def __init__(self, what: str = "the request has taken longer than --request-timeout") -> None:
        super().__init__(what)


class ApplicationError(PronghornError):
    """The application broke a rule of PEP 3333.

    rule: the rule in one sentence, with its clause.
    mend: how to mend the application.
    """

    def __init__(self, rule: str, mend: str) -> None:
        super().__init__(f"{rule} {mend}")
        self.rule = rule
        self.mend = mend
