"""Can these settings work? Each value in its range, and the values together."""

import os

from pronghorn.config.settings import Settings
from pronghorn.errors import ConfigError

# The ends are allowed. Upper ends are where a typing error is more likely than an intention.
RANGES: dict[str, tuple[float, float]] = {
    "backlog": (1, 65535),
    "threads": (1, 1024),
    "keep_alive": (0, 86400),
    "head_timeout": (0.1, 86400),
    "body_timeout": (0.1, 86400),
    "write_timeout": (0.1, 86400),
    "graceful_timeout": (0, 86400),
    "drain_delay": (0, 86400),
    "request_timeout": (0, 86400),
    "switch_interval": (0.00001, 1),
    "workers": (1, 4096),
    "boot_timeout": (0.1, 86400),
    "timeout": (0, 86400),
    "max_requests": (0, 1 << 50),
    "max_requests_jitter": (0, 1 << 50),
    "max_worker_lifetime": (0, 1e9),
    "max_worker_lifetime_jitter": (0, 1e9),
    "max_worker_memory": (0, 1 << 50),
    "max_worker_memory_hard": (0, 1 << 50),
    "refork_after": (0, 1 << 50),
    "limit_request_line": (128, 1 << 24),
    "limit_request_head": (256, 1 << 26),
    "limit_request_fields": (1, 32768),
    "limit_request_body": (1, 1 << 50),
}


def check(settings: Settings) -> None:
    """Raises ConfigError, which names the source of the value that will not do."""
    for declared, about, value in settings.each():
        if declared.name in RANGES:
            origin = _origin(settings, declared.name)
            _check_range(origin, value, *RANGES[declared.name], about.help)
    _check_limits(settings)
    _check_binds(settings)
    _check_directories(settings)
    _check_processes(settings)


def _origin(settings: Settings, name: str) -> str:
    return settings.origins.get(name, f"the default of {name}")


def _check_range(origin: str, value: float, least: float, most: float, help: str) -> None:
    if least <= value <= most:
        return
    raise ConfigError(f"{origin}: {value:g} is not between {least:g} and {most:g}.", mend=help)


def _check_limits(settings: Settings) -> None:
    limits = settings.limits
    if "limit_request_line" in settings.origins and limits.limit_request_line > limits.limit_request_head:
        raise ConfigError(
            f"{_origin(settings, 'limit_request_line')}: {limits.limit_request_line} is more than the whole"
            f" head may have, {limits.limit_request_head} ({_origin(settings, 'limit_request_head')}).",
            mend="Raise --limit-request-head too: it counts the request line and all fields.",
        )


def _check_binds(settings: Settings) -> None:
    seen: set[str] = set()
    if not settings.listen.bind:
        raise ConfigError(f"{_origin(settings, 'bind')}: there is no address to listen at.")
    for address in settings.listen.bind:
        if address in seen and not address.endswith(":0"):
            raise ConfigError(
                f"{_origin(settings, 'bind')}: {address} is given twice.", mend="Leave one out."
            )
        seen.add(address)


def _check_directories(settings: Settings) -> None:
    chdir = settings.app.chdir
    if chdir and not os.path.isdir(chdir):
        raise ConfigError(
            f"{_origin(settings, 'chdir')}: {chdir!r} is not a directory.", mend=f"Looked from {_here()}."
        )


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a directory that does not exist any more"


def _check_processes(settings: Settings) -> None:
    process = settings.process
    app = settings.app
    for name, path in (("warmup", process.warmup), ("health", app.health), ("metrics", app.metrics)):
        if path and not path.startswith("/"):
            raise ConfigError(f"{_origin(settings, name)}: {path!r} is not a path: it begins with a slash.")
    if app.metrics and app.metrics == app.health:
        raise ConfigError(
            f"{_origin(settings, 'metrics')}: {app.metrics!r} is taken by {_origin(settings, 'health')}."
        )
    soft, hard = process.max_worker_memory, process.max_worker_memory_hard
    if hard and soft >= hard:
        raise ConfigError(
            f"{_origin(settings, 'max_worker_memory')}: {soft} is not less than the hard limit, {hard}"
            f" ({_origin(settings, 'max_worker_memory_hard')}).",
            mend="A worker is replaced above the one and killed above the other.",
        )
    if process.refork_after and not process.preload:
        raise ConfigError(
            f"{_origin(settings, 'refork_after')}: without --preload, there is nothing to fork from.",
            mend="Add --preload.",
        )
    if process.no_master and process.reload:
        raise ConfigError(
            f"{_origin(settings, 'reload')}: without a master nobody starts the new code.",
            mend=f"Leave out {_origin(settings, 'no_master')}.",
        )
    platform = settings.origins.get("workers") == "WEB_CONCURRENCY"
    if process.no_master and process.workers > 1 and not platform:
        raise ConfigError(
            f"{_origin(settings, 'no_master')}: there is one process then, not {process.workers}"
            f" ({_origin(settings, 'workers')}).",
            mend="Leave one of the two out.",
        )
