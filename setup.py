"""Builds the compiled modules, where Cython and a C compiler are there; otherwise all stays plain Python.

A module is compiled if a `.pxd` file with the C types of its attributes stands beside it. The environment
variable PRONGHORN_COMPILE decides: `require` fails where compiling fails, `no` does not try. An editable
installation stays plain Python unless it is required: what is compiled would hide the changes to its source.
"""

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
    """The compiled modules; none where it is not wanted or Cython is missing."""
    if wish() == "no":
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        if wish() == "require":
            raise
        print("pronghorn: Cython is missing, so nothing is compiled", file=sys.stderr)
        return []
    modules = [
        Extension(".".join(path.with_suffix("").relative_to(SOURCE).parts), [str(path.with_suffix(".py"))])
        for path in sorted(SOURCE.rglob("*.pxd"))
    ]
    made: list[Extension] = cythonize(
        modules, compiler_directives=DIRECTIVES, include_path=[str(SOURCE)], build_dir="build/cython", quiet=True
    )
    return made


class BuildModules(build_ext):
    """All of them or none: modules that are compiled together know each other's C types."""

    def run(self) -> None:
        if self.editable_mode and wish() != "require":
            return
        try:
            super().run()
        except Exception as error:
            if wish() == "require":
                raise
            self.extensions = []
            print(f"pronghorn: nothing is compiled, because {error}", file=sys.stderr)


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildModules})
