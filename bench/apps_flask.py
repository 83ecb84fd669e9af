"""A page made with Flask (pages.py); each request opens the database, as in its tutorial."""

from __future__ import annotations

import sqlite3

from flask import Flask, Response, g, render_template

from bench.pages import DATABASE, QUERIES, TEMPLATE

app = Flask(__name__)
app.jinja_options = {"keep_trailing_newline": True}
template = app.jinja_env.from_string(TEMPLATE)


@app.teardown_appcontext
def close(_: BaseException | None) -> None:
    database = g.pop("database", None)
    if database is not None:
        database.close()


def rows(what: str) -> list[sqlite3.Row]:
    if "database" not in g:
        g.database = sqlite3.connect(DATABASE)
        g.database.row_factory = sqlite3.Row
    return g.database.execute(QUERIES[what]).fetchall()


@app.get("/")
def page() -> Response:
    return Response(
        render_template(
            template,
            reader=rows("reader")[0],
            articles=rows("articles"),
            tags=rows("tags"),
            comment=rows("comment")[0],
            total=rows("total")[0][0],
        )
    )
