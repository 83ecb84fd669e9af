"""The page that Django and Flask make: five queries on SQLite and a template, the same octets from both.

python -m bench.pages FILE      writes the database
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

DATABASE = Path(__file__).resolve().parent / ".work" / "pages.sqlite"
ARTICLES = 20
TAGS = ("bread", "cheese", "fish", "fruit", "tea", "wine")
READER = "Ann Example"
COMMENT = "I have tried it, and it was good."

SCHEMA = """
CREATE TABLE reader (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE comment (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
"""
# What both frameworks ask; the fifth query counts the articles.
QUERIES = {
    "reader": "SELECT id, name FROM reader WHERE id = 1",
    "articles": "SELECT id, title, text FROM article ORDER BY id DESC LIMIT 20",
    "tags": "SELECT id, name FROM tag ORDER BY name",
    "comment": "SELECT id, text FROM comment ORDER BY id DESC LIMIT 1",
    "total": "SELECT count(*) FROM article",
}
# Django's language and Jinja agree on this much.
TEMPLATE = """<!DOCTYPE html>
<title>Articles</title>
<p>Hello, {{ reader.name }}. There are {{ total }} articles.</p>
<ul>{% for tag in tags %}<li>{{ tag.name }}</li>{% endfor %}</ul>
{% for article in articles %}<article><h2>{{ article.title }}</h2><p>{{ article.text }}</p></article>
{% endfor %}<blockquote>{{ comment.text }}</blockquote>
"""


def title_of(number: int) -> str:
    return f"Article {number}"


def text_of(number: int) -> str:
    return f"This is what article {number} says, in a sentence or two of the usual length. " * 2


def expected() -> bytes:
    """The page, made without a framework."""
    tags = "".join(f"<li>{name}</li>" for name in TAGS)
    articles = "".join(
        f"<article><h2>{title_of(number)}</h2><p>{text_of(number)}</p></article>\n"
        for number in range(ARTICLES, 0, -1)
    )
    return (
        f"<!DOCTYPE html>\n<title>Articles</title>\n"
        f"<p>Hello, {READER}. There are {ARTICLES} articles.</p>\n<ul>{tags}</ul>\n"
        f"{articles}<blockquote>{COMMENT}</blockquote>\n"
    ).encode()


def write(path: Path) -> None:
    """The database, whole or not at all."""
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    database = sqlite3.connect(made)
    with database:
        database.executescript(SCHEMA)
        database.execute("INSERT INTO reader VALUES (1, ?)", (READER,))
        rows = [(number, title_of(number), text_of(number)) for number in range(1, ARTICLES + 1)]
        database.executemany("INSERT INTO article VALUES (?, ?, ?)", rows)
        database.executemany("INSERT INTO tag (name) VALUES (?)", [(name,) for name in TAGS])
        database.executemany("INSERT INTO comment (text) VALUES (?)", [("First!",), (COMMENT,)])
    database.close()
    os.replace(made, path)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
