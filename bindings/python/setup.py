"""Puts the C library into the wheel if SIO_BUNDLE names it; otherwise the wheel is pure Python, and the
library is found when the package is imported (see README.md).

A wheel with the library in it is for one platform and every Python 3. On Linux its tag is told by the
newest version of the C library that the library asks for.
"""

import os
import re
import shutil
import sys
import sysconfig

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

BUNDLE = os.environ.get("SIO_BUNDLE")
NAME = "libsio.0.dylib" if sys.platform == "darwin" else "libsio.so.0"


def platform_tag(library):
    own = re.sub(r"[^A-Za-z0-9]", "_", sysconfig.get_platform())
    if not own.startswith("linux_"):
        return own
    with open(library, "rb") as file:
        versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", file.read())
    if not versions:
        return own
    major, minor = max((int(major), int(minor)) for major, minor in versions)
    return "manylinux_%d_%d_%s" % (major, minor, own[len("linux_") :])


class Bundling(build_py):
    def run(self):
        super().run()
        folder = os.path.join(self.build_lib, "sio", "_lib")
        # Of an earlier build.
        shutil.rmtree(folder, ignore_errors=True)
        if BUNDLE:
            os.makedirs(folder)
            shutil.copyfile(BUNDLE, os.path.join(folder, NAME))


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        return ("py3", "none", platform_tag(BUNDLE)) if BUNDLE else super().get_tag()


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return bool(BUNDLE)


if BUNDLE and not os.path.isfile(BUNDLE):
    sys.exit(f"SIO_BUNDLE: there is no file {BUNDLE}")

setup(
    cmdclass={"build_py": Bundling, "bdist_wheel": PlatformWheel},
    distclass=WithLibrary,
)
