"""What the files beside it name."""

import json


class Echo:
    """Answers with what it was made of and where it was asked."""

    def __init__(self, global_conf, options):
        self.global_conf = global_conf
        self.options = options

    def __call__(self, environ, start_response):
        status = "404 Not Found" if environ["PATH_INFO"].startswith("/missing") else "200 OK"
        start_response(status, [("Content-Type", "application/json")])
        told = {
            "name": self.options.get("name"),
            "script": environ["SCRIPT_NAME"],
            "path": environ["PATH_INFO"],
            "marks": environ.get("marks", []),
            "options": self.options,
            "global": {
                key: value for key, value in self.global_conf.items() if key not in ("here", "__file__")
            },
        }
        return [json.dumps(told).encode()]


def app_factory(global_conf, **options):
    return Echo(dict(global_conf), options)


def strict_factory(global_conf, name="strict", *, colour="red"):
    return Echo(dict(global_conf), {"name": name, "colour": colour})


class Mark:
    def __init__(self, app, mark):
        self.app = app
        self.mark = mark

    def __call__(self, environ, start_response):
        environ.setdefault("marks", []).append(self.mark)
        return self.app(environ, start_response)


def filter_factory(global_conf, mark):
    return lambda app: Mark(app, mark)


def filter_app_factory(app, global_conf, mark):
    return Mark(app, mark)


def by_auth(loader, global_conf, auth, **pipelines):
    """As services choose a pipeline when they start."""
    *filters, app = pipelines[auth].split()
    made = loader.get_app(app, global_conf=global_conf)
    for name in reversed(filters):
        made = loader.get_filter(name, global_conf=global_conf)(made)
    return made


def broken_factory(global_conf):
    raise RuntimeError("the database is down")


def returns_none(global_conf):
    return None
