"""The path that something is mounted at, in the form in which PATH_INFO is compared with it.

mounted_prefix("/a b/", "/a b/")     "/a b"
mounted_prefix("/", "/")             ""
"""

from pronghorn.errors import ConfigError
from pronghorn.http.h1.head import percent_decoded


def mounted_prefix(path: str, shown: object) -> str:
    """Without the last slash, octets as latin-1 (PEP 3333). Raises ConfigError for what no request has.

    shown: what its user calls it, for errors.
    """
    if not path.startswith("/"):
        raise ConfigError(
            f"The path of {shown!r} does not begin with a slash.", mend=f"Did you mean {'/' + path!r}?"
        )
    prefix = path.removesuffix("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")[1:]):
        raise ConfigError(
            f"The path of {shown!r} has an empty segment, '.' or '..' in it.",
            mend="Write it in full, with one slash between its segments.",
        )
    octets = path.encode().decode("latin-1")
    if "?" in path or "#" in path or percent_decoded(octets) != octets:
        raise ConfigError(
            f"The path of {shown!r} is not a decoded path.",
            mend="It is compared after percent-decoding, and without a query: write '/a b' and not '/a%20b'.",
        )
    return prefix.encode().decode("latin-1")
