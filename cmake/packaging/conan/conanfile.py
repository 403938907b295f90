# conan create cmake/packaging/conan
# The sources are those of the tree that the recipe lies in.

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load


class MultiprocessingConan(ConanFile):
    name = "multiprocessing"
    description = "Python's multiprocessing for C++20, header-only"
    license = "MIT"
    topics = ("multiprocessing", "process-pool", "ipc", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True
    default_options = {"boost/*:header_only": True, "fmt/*:header_only": True}

    @property
    def _tree(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._tree, "include", "multiprocessing", "version.hpp"))
        parts = [re.search(rf"VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH")]
        self.version = ".".join(parts)

    def export_sources(self):
        copy(self, "LICENSE", self._tree, self.export_sources_folder)
        copy(self, "*.hpp", os.path.join(self._tree, "include"), os.path.join(self.export_sources_folder, "include"))

    def requirements(self):
        self.requires("boost/[>=1.75.0 <2]", transitive_headers=True)
        self.requires("cereal/[>=1.3.0 <2]", transitive_headers=True)
        self.requires("fmt/[>=8.0.0 <13]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.system_libs = ["pthread"]
        self.cpp_info.set_property("cmake_file_name", "multiprocessing")
        self.cpp_info.set_property("cmake_target_name", "multiprocessing::multiprocessing")
        self.cpp_info.set_property("pkg_config_name", "multiprocessing")
