# vcpkg install multiprocessing --overlay-ports=<this tree>/cmake/packaging/vcpkg
# The sources are those of the tree that the port lies in.

get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)
set(VCPKG_BUILD_TYPE release) # headers: there is no other

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DMULTIPROCESSING_BUILD_TESTS=OFF
        -DMULTIPROCESSING_BUILD_EXAMPLES=OFF
        -DMULTIPROCESSING_DOCS=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/multiprocessing)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
