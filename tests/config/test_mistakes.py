"""What people get wrong in pronghorn.toml: each is told in a few lines, with file, line, key and a way out."""

import re
from pathlib import Path

import pytest

from pronghorn.config.check import check
from pronghorn.config.file import find, from_file
from pronghorn.config.sources import merge
from pronghorn.errors import ConfigError

APP = '[apps.shop]\nuse = "shop:app"\n'
ROUTE = '[[route]]\napp = "shop"\n'

MISTAKES: dict[str, tuple[str, int, list[str]]] = {
    # kind: (the file, the line, what the message says)
    "unknown option": ("threads = 2\nworker = 4\n", 2, ["'worker'", "Did you mean 'workers'?"]),
    "unknown option with a hyphen": ("keep-alives = 4\n", 1, ["'keep-alives'", "'keep_alive'"]),
    "unknown option, nothing near": ("\n\nzzz = 1\n", 3, ["'zzz'", "docs/configuration.md"]),
    "unknown option, hardly near `hooks`": ('host = "a"\n', 1, ["'host'", "docs/configuration.md"]),
    "option twice": ("keep_alive = 1\nkeep-alive = 2\n", 2, ["set twice"]),
    "key twice": ("threads = 1\nthreads = 2\n", 2, ["not TOML", "Each key is set once."]),
    "unknown section": ("[server]\nthreads = 1\n", 1, ["[server]", "[apps.NAME] and [[route]]"]),
    "section nearly right": (f"{APP}[[routes]]\napp = 'shop'\n", 3, ["[routes]", "[[route]]"]),
    "one bracket too few": (f"{APP}[route]\napp = 'shop'\n", 3, ["[[route]]"]),
    "one bracket too many": ('[[apps]]\nuse = "x:y"\n', 1, ["[apps.NAME]"]),
    "application without a name": ('[apps]\nuse = "x:y"\n', 2, ["(apps.use)", "not a table", "[apps.NAME]"]),
    "route without a table": ('route = ["x"]\n', 1, ["not a table", "[[route]]"]),
    "unknown key of a route, nothing near": (f"{APP}{ROUTE}zzz = 1\n", 5, ["'zzz'", "docs/configuration.md"]),
    "section twice": (f"{APP}\n{APP}", 4, ["not TOML", "once"]),
    "text without quotes": ("bind = localhost\n", 1, ["not TOML", "quotes"]),
    "a line that is none": ("threads = 2\nserve it\n", 2, ["not TOML", "key = value"]),
    "string without an end": ('threads = 2\nname = "x\nuser = "y"\n', 2, ["not TOML", "A quote"]),
    "array without an end": ('bind = [":1",\n', 1, ["not TOML"]),
    "array without an end, then more": ('bind = [":1"\nthreads = 1\n', 2, ["A bracket before this line"]),
    "two on one line": ("threads = 1 backlog = 2\n", 1, ["not TOML", "one key = value"]),
    "number in quotes": ('backlog = 1\nthreads = "4"\n', 2, ["threads: '4'", "Leave out the quotes"]),
    "number for text": ("\numask = 27\n", 2, ["umask: 27", "in quotes"]),
    "text for a truth value": ('preload = "yes"\n', 1, ["preload", "true or false"]),
    "fraction for a number": ("threads = 1.5\n", 1, ["1.5", "whole number"]),
    "truth value for a number": ("threads = true\n", 1, ["true", "whole number"]),
    "array for one value": ("threads = [1]\n", 1, ["an array"]),
    "no text in an array": ('bind = [\n  ":1",\n  8000,\n]\n', 3, ["8000", "in quotes"]),
    "size that is none": ('limit_request_body = "64kb"\n', 1, ["64kb", "64k"]),
    "choice that is none": ('log_level = "debgu"\n', 1, ["did you mean 'debug'?"]),
    "address that is none": ('threads = 1\nbind = ["::1"]\n', 2, ["[::1]:8000"]),
    "out of range": ("backlog = 5\nthreads = 0\n", 2, ["(threads): 0 is not between 1 and 1024"]),
    "no number": ("keep_alive = nan\n", 1, ["nan is not between"]),
    "directory that is none": ('chdir = "no"\n', 1, ["is not a directory"]),
    "missing variable": ('threads = 1\nuser = "${SHOP_USR}"\n', 2, ["SHOP_USR", "'SHOP_USER'"]),
    "variable without an end": ('user = "${SHOP_USER"\n', 1, ["${SHOP_USER", "names no variable"]),
    "default without an end": ('threads = 2\nuser = "${X:-${SHOP_USER}"\n', 2, ["without its closing brace"]),
    "variable in a default": ('user = "${X:-${SHOP_USR}}"\n', 1, ["SHOP_USR", "'SHOP_USER'"]),
    "secret that is no NAME=VALUE": (
        'env = [\n"A=1",\n"${SHOP_USER}"]\n',
        1,
        ["'${SHOP_USER}' is not NAME="],
    ),
    "secret that is no table": (f'{APP}options = "${{SHOP_USER}}"\n', 3, ["'${SHOP_USER}' is not a table"]),
    "whole disk": (f'{APP}[[route]]\nroot = "/"\n', 4, ["route.root", "force = true"]),
    "directive that is none": (
        '[[route]]\nroot = "dist"\ncache = { "*.js" = "imutable" }\n',
        3,
        ["'imutable'", "Did you mean 'immutable'?"],
    ),
    "directive without a table": ('[[route]]\nroot = "dist"\ncache = "imutable"\n', 3, ['"immutable" }']),
    "variable in an array": ('env = [\n "A=1",\n "B=${NO}",\n]\n', 3, ["NO", "${NO:-default}"]),
    "number from a variable": ('threads = "${SHOP_USER}"\n', 1, ["threads: 'anna'", "whole number"]),
    "application with an unknown key": (f"{APP}option = {{}}\n", 3, ["'option'", "'options'"]),
    "application without use": ("[apps.shop]\nfactory = true\n", 1, ["'shop'", "use", "paste"]),
    "application with use and paste": (f'{APP}paste = "x.ini"\n', 1, ["not both"]),
    "options without factory": (f"{APP}options = {{ a = 1 }}\n", 3, ["factory = true"]),
    "factory that is called": ('[apps.a]\nfactory = true\nuse = "a:b()"\n', 3, ["parentheses"]),
    "path for a module": ('[apps.a]\nuse = "shop/api.py"\n', 2, ["shop/api.py", "module"]),
    "paste under use": ('[apps.a]\nuse = "blog.ini#main"\n', 2, ['paste = "blog.ini#main"']),
    "paste file that is none": ('[apps.a]\npaste = "no.ini#main"\n', 2, ["no.ini"]),
    "options for paste": ('[apps.a]\npaste = "b.ini"\noptions = {}\n', 3, ["`options` goes with `use`"]),
    "applications in a ring": (
        '[apps.a]\nuse = "@b"\n[apps.b]\nuse = "@c"\n[apps.c]\nuse = "@a"\n',
        2,
        ["a -> b -> c -> a"],
    ),
    "reference to nothing": (f'{APP}[apps.b]\nuse = "@shp"\n', 4, ["'shp'", "'shop'"]),
    "name with a colon": ('[apps."a:b"]\nuse = "a:b"\n', 1, ["'a:b'"]),
    "unknown key of a route": (f'{APP}{ROUTE}pth = "/"\n', 5, ["'pth'", "'path'"]),
    "option below a section": (f"{APP}{ROUTE}threads = 4\n", 5, ["'threads'", "above the first section"]),
    "neither app nor root": (f'{APP}[[route]]\npath = "/x"\n', 3, ["neither `app` nor `root`"]),
    "application that is not declared": (f'{APP}[[route]]\napp = "shp"\n', 4, ["'shp'", "'shop'"]),
    "application that is a bare module": (
        '[[route]]\napp = "store.wsgi"\n',
        2,
        ["'store.wsgi'", 'Write app = "store.wsgi:application".'],
    ),
    "reference to a bare module": (
        f'{APP}[apps.b]\nuse = "@store.wsgi"\n',
        4,
        ['Write use = "store.wsgi:application".'],
    ),
    "try a bare module": (
        '[[route]]\nroot = "dist"\ntry = ["$path", "@store.wsgi"]\n',
        3,
        ['Write app = "store.wsgi:application" and "@app" here.'],
    ),
    "application that is a file": ('[[route]]\napp = "store/wsgi.py"\n', 2, ["written as a module"]),
    "application of paste in a route": ('[[route]]\napp = "b.ini#main"\n', 2, ['paste = "b.ini#main"']),
    "routed twice": (f"{APP}{ROUTE}{ROUTE}", 5, ["/ is routed twice", "pronghorn.toml:3"]),
    "routed twice, written otherwise": (
        f'{APP}{ROUTE}path = "/x"\nhost = "A.org"\n\n{ROUTE}path = "/x/"\nhost = "a.org."\n',
        8,
        ["routed twice", "pronghorn.toml:3"],
    ),
    "path without a slash": (f'{APP}{ROUTE}path = "api"\n', 5, ["'api'", "one slash"]),
    "path that is encoded": (
        f'{APP}{ROUTE}path = "/a%20b"\n',
        5,
        ["(route.path)", "'/a%20b'", "write '/a b'"],
    ),
    "path with a query": (f'{APP}{ROUTE}path = "/a?b"\n', 5, ["(route.path)", "'/a?b'", "without a query"]),
    "path with a fragment": (f'{APP}{ROUTE}path = "/a#b"\n', 5, ["(route.path)", "'/a#b'", "decoded path"]),
    "path with two slashes": (f'{APP}{ROUTE}path = "/a//b"\n', 5, ["(route.path)", "'/a//b'", "one slash"]),
    "path of slashes": (f'{APP}{ROUTE}path = "//"\n', 5, ["(route.path)", "'//'", "one slash"]),
    "path with dots": (f'{APP}{ROUTE}path = "/a/../b"\n', 5, ["(route.path)", "'/a/../b'", "'..'"]),
    "path with a tab": (f'{APP}{ROUTE}path = "/a\\tb"\n', 5, ["(route.path)", "cannot be seen"]),
    "path of a wrong type": (f"{APP}{ROUTE}path = 5\n", 5, ["5 is not text"]),
    "host with a scheme": (f'{APP}{ROUTE}host = "http://a.org"\n', 5, ["is not a host"]),
    "root that is none": ('[[route]]\npath = "/s"\nroot = "dst"\n', 3, ["'dst' is not a directory"]),
    "one root of several that is none": ('[[route]]\nroot = ["dist",\n "dst"]\n', 3, ["'dst'"]),
    "try an application that is not declared": (
        f'{APP}[[route]]\nroot = "dist"\ntry = ["$path", "@shp"]\n',
        5,
        ["'shp'", "'shop'"],
    ),
    "try @app without app": (
        f'{APP}[[route]]\nroot = "dist"\ntry = ["$path", "@app"]\n',
        5,
        ['"@app"', "none"],
    ),
    "try something after the application": (
        f'{APP}{ROUTE}root = "dist"\ntry = [\n"@app",\n"$path"]\n',
        7,
        ["@app", "stand last"],
    ),
    "try that never comes to app": (f'{APP}{ROUTE}root = "dist"\ntry = ["$path"]\n', 6, ['"@app"']),
    "try two applications": (
        f'{APP}[apps.b]\nuse = "@shop"\n{ROUTE}root = "dist"\ntry = ["@b"]\n',
        8,
        ["'shop'", "'b'"],
    ),
    "try nothing that is known": ('[[route]]\nroot = "dist"\ntry = ["path"]\n', 3, ["'path'", '"$path"']),
    "try a page before a path": (
        '[[route]]\nroot = "dist"\ntry = ["/index.html",\n"$path"]\n',
        4,
        ["'$path'", "'/index.html'"],
    ),
    "try without root": (f'{APP}{ROUTE}try = ["@app"]\n', 5, ["no `root`"]),
    "option of files without root": (f"{APP}{ROUTE}listing = true\n", 5, ["listing", "no `root`"]),
    "option of files of a wrong type": ('[[route]]\nroot = "dist"\nlisting = 1\n', 3, ["true or false"]),
    "option of files with a wrong value": (
        '[[route]]\nroot = "dist"\nhidden = "no"\n',
        3,
        ["hidden", "deny"],
    ),
    "error page of no status": (
        '[[route]]\nroot = "dist"\nerror_pages = { "40x" = "/4.html" }\n',
        3,
        ["'40x'", "whole number"],
    ),
    "unknown middleware": (f'{APP}{ROUTE}middleware = ["gzp"]\n', 5, ["'gzp'", "'gzip'"]),
    "middleware without a name": (f"{APP}{ROUTE}middleware = [{{ level = 3 }}]\n", 5, ["'level'"]),
    "middleware without use": (f"{APP}{ROUTE}middleware = [{{ options = {{}} }}]\n", 5, ["use = "]),
    "limit that is none": (f'{APP}{ROUTE}limit_request_body = "big"\n', 5, ["'big' is not a size"]),
    "limit out of range": (f"{APP}{ROUTE}limit-request-body = 0\n", 5, ["0 is not between"]),
    "timeout out of range": (f"{APP}{ROUTE}\nrequest_timeout = -1\n", 6, ["-1 is not between"]),
    "a number without end": ("threads = " + "9" * 5000 + "\n", 1, [""]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dist").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(folder: Path, text: str | bytes, name: str = "pronghorn.toml") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    environ = {"SHOP_USER": "anna"}
    with pytest.raises(ConfigError) as caught:
        found = find("", environ, str(folder))
        assert found
        said = from_file(found, environ)
        check(merge([said.layer], said.composition))
    assert caught.value.exit_code == 5
    told = str(caught.value)
    assert len(told.splitlines()) <= 6 and max(map(len, told.splitlines())) < 300, told
    return told


def test_there_are_many() -> None:
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake(kind: str, folder: Path) -> None:
    text, line, hints = MISTAKES[kind]
    told = refusal(folder, text)
    assert f"pronghorn.toml:{line} " in f"{told} ".replace("\n", " "), told
    assert [hint for hint in hints if hint not in told] == [], told


@pytest.mark.parametrize("kind", [kind for kind in MISTAKES if "not TOML" not in str(MISTAKES[kind])])
def test_the_same_in_pyproject(kind: str, folder: Path) -> None:
    """With tables of others around it, line ends of Windows, and a byte order mark."""
    text, line, hints = MISTAKES[kind]
    ours = re.sub(r"^(\[\[?)", r"\1tool.pronghorn.", text, flags=re.MULTILINE)
    whole = f'[project]\nname = "x"\n[tool.pronghorn]\n{ours}'
    told = refusal(folder, b"\xef\xbb\xbf" + whole.replace("\n", "\r\n").encode(), "pyproject.toml")
    assert f"pyproject.toml:{line + 3} " in f"{told} ".replace("\n", " "), told
    assert [hint for hint in hints if hint not in told and "pronghorn.toml" not in hint] == [], told


@pytest.mark.parametrize("kind", [kind for kind in MISTAKES if kind.startswith("secret")])
def test_no_secret_is_told(kind: str, folder: Path) -> None:
    assert "anna" not in refusal(folder, MISTAKES[kind][0])
    text = MISTAKES[kind][0].replace("SHOP_USER}", "NONE:-" + "a-very-long-secret" * 9 + "}")
    assert "a-very" in (told := refusal(folder, text)) and "${NONE:-a-very" in told


def test_what_is_nested_too_deeply(folder: Path) -> None:
    assert "nested too deeply" in refusal(folder, "a = " + "[" * 5000 + "\n")


def test_what_is_not_utf_8(folder: Path) -> None:
    assert "pronghorn.toml:2" in refusal(folder, b'threads = 1\nname = "\xff"\n')


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "x.toml").mkdir()
    with pytest.raises(ConfigError, match=r"'x\.toml' cannot be read: Is a directory"):
        found = find("x.toml", {}, str(folder))
        assert found
        from_file(found, {})


def test_pyproject_that_says_nothing_of_us(folder: Path) -> None:
    for text in ("", "tool = 1", "[tool]\npronghorn = 1\n"):
        (folder / "pyproject.toml").write_text(text)
        if "pronghorn" in text:
            assert "'pronghorn' is no table.\n  pyproject.toml:2" in refusal(folder, text, "pyproject.toml")
        else:
            with pytest.raises(ConfigError, match=r"has no \[tool\.pronghorn\]"):
                find("pyproject.toml", {}, str(folder))


def test_a_file_of_gunicorn(folder: Path) -> None:
    (folder / "gunicorn.conf.py").touch()
    with pytest.raises(ConfigError, match="is Python; the configuration file is TOML"):
        find("gunicorn.conf.py", {}, str(folder))


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_is_not_there(named: bool, folder: Path) -> None:
    (folder / "shop.toml").touch()
    with pytest.raises(ConfigError) as caught:
        find("shp.toml" if named else "", {} if named else {"PRONGHORN_CONFIG": "shp.toml"}, str(folder))
    assert str(caught.value).startswith(f"Error: {'--config' if named else 'PRONGHORN_CONFIG'}: ")
    assert "Did you mean 'shop.toml'?" in str(caught.value)
