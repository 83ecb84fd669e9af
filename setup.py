"""Builds the compiled modules, where Cython and a C compiler are there; otherwise all stays plain Python.

A module is compiled if a `.pxd` file with the C types of its attributes stands beside it; from the `.pyx`
beside it, if there is one, in place of the `.py`. The environment variable PRONGHORN_COMPILE decides:
`require` fails where compiling fails, `no` does not try. An editable installation stays plain Python unless
compiling is required: it would hide the changes to the source.
"""

import contextlib
import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path("src")

DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # annotations are for mypy; the types are the .pxd's
    "binding": False,  # plain C methods are called faster
}


def wish() -> str:
    """What PRONGHORN_COMPILE says: "require", "no", or "" for whatever is possible."""
    said = os.environ.get("PRONGHORN_COMPILE", "")
    if said not in ("", "require", "no"):
        sys.exit(f"PRONGHORN_COMPILE is {said!r}: it may be `require` or `no`, or unset")
    return said


def extensions() -> list[Extension]:
    if wish() == "no":
        return []
    return [extension(path.with_suffix("")) for path in sorted(SOURCE.rglob("*.pxd"))]


def extension(path: Path) -> Extension:
    name = ".".join(path.relative_to(SOURCE).parts)
    source = next(path.with_suffix(end) for end in (".pyx", ".py") if path.with_suffix(end).exists())
    return Extension(name, [str(source)], extra_compile_args=["-g0"])  # a quarter of the size


class BuildModules(build_ext):
    """All of them or none: modules that are compiled together know each other's C types."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = os.cpu_count()

    def run(self) -> None:
        if self.editable_mode and wish() != "require":
            return
        try:
            self._translate()
            super().run()
        except (Exception, SystemExit) as error:
            if wish() == "require":
                raise
            for one in self.extensions:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.get_ext_fullpath(one.name))
            self.extensions = []
            print(f"pronghorn: nothing is compiled: {error}", file=sys.stderr)

    def _translate(self) -> None:
        """From Python and .pxd to C."""
        from Cython.Build import cythonize

        made = cythonize(
            [Extension(one.name, one.sources) for one in self.extensions],
            compiler_directives=DIRECTIVES,
            include_path=[str(SOURCE)],
            build_dir="build/cython",
            nthreads=os.cpu_count() or 1,
            quiet=True,
        )
        sources = {one.name: one.sources for one in made}
        for one in self.extensions:
            one.sources = sources[one.name]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildModules})
