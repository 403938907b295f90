# Install rules. Nothing here depends on the machine's architecture, so the package files go under share/.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_directory ${CMAKE_INSTALL_DATADIR}/cmake/multiprocessing)
set(pkgconfig_directory ${CMAKE_INSTALL_DATADIR}/pkgconfig)

install(TARGETS multiprocessing EXPORT multiprocessing-targets FILE_SET HEADERS)
install(
    EXPORT multiprocessing-targets
    NAMESPACE multiprocessing::
    DESTINATION ${package_directory}
)

configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/multiprocessing-config.cmake.in
    ${PROJECT_BINARY_DIR}/multiprocessing-config.cmake
    INSTALL_DESTINATION ${package_directory}
)
# Before 1.0 a new minor version may break: 0.1 doesn't satisfy who asks for 0.2, nor the other way round.
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/multiprocessing-config-version.cmake
    COMPATIBILITY SameMinorVersion
    ARCH_INDEPENDENT
)
install(
    FILES ${PROJECT_BINARY_DIR}/multiprocessing-config.cmake
          ${PROJECT_BINARY_DIR}/multiprocessing-config-version.cmake
    DESTINATION ${package_directory}
)

# The file finds its prefix from its own place, so that an installed tree may be moved.
file(RELATIVE_PATH pc_to_prefix /prefix/${pkgconfig_directory} /prefix)
string(REGEX REPLACE "/$" "" pc_to_prefix ${pc_to_prefix})
configure_file(
    ${PROJECT_SOURCE_DIR}/cmake/multiprocessing.pc.in
    ${PROJECT_BINARY_DIR}/multiprocessing.pc
    @ONLY
)
install(FILES ${PROJECT_BINARY_DIR}/multiprocessing.pc DESTINATION ${pkgconfig_directory})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/multiprocessing)
