"""Flags that gunicorn, uvicorn and Flask have and Pronghorn does not: what serves instead, in a sentence."""

_BIND = "Write --bind HOST:PORT."
_TLS = "Pronghorn does no TLS: for HTTPS, put a proxy in front of it."
_THREADS = "A worker has threads, and there is no other kind: --threads COUNT, --workers COUNT."
_PROXIES = "The middleware proxy-fix is told whom to trust: docs/middleware.md."

INSTEAD = {
    "--host": _BIND,
    "--port": _BIND,
    "--uds": "Write --bind unix:PATH.",
    "-D": "systemd or the like keeps it in the background: docs/deploy.md.",
    "--daemon": "systemd or the like keeps it in the background: docs/deploy.md.",
    "--certfile": _TLS,
    "--keyfile": _TLS,
    "--ssl-certfile": _TLS,
    "--ssl-keyfile": _TLS,
    "-k": _THREADS,
    "--worker-class": _THREADS,
    "--forwarded-allow-ips": _PROXIES,
    "--proxy-headers": _PROXIES,
    "--app": "The application has no flag: pronghorn shop.wsgi:application",
    "--app-dir": "Write --chdir DIR, or --pythonpath DIR.",
    "--factory": 'Call the factory: pronghorn "shop:create_app()"',
    "--json": "`pronghorn config --json` prints the settings.",
}
