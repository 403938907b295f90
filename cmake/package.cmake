# `cpack -G DEB` in a build directory makes a Debian package of what would be installed, for every architecture, as there is nothing
# to compile. Other generators of cpack (TGZ, RPM) do as well.

set(CPACK_PACKAGE_NAME libmultiprocessing-dev)
set(CPACK_PACKAGE_VENDOR "the authors of multiprocessing")
set(CPACK_PACKAGE_CONTACT "${CPACK_PACKAGE_VENDOR} <nobody@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION "Pools of processes, queues, pipes, locks, shared values and managers, with the names that Python has for
them. A process that dies is an error for those who wait for it, and nobody hangs.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_SOURCE_IGNORE_FILES /build/ /\\.git/)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libboost-dev (>= ${Boost_oldest}) | libboost1.81-dev, libcereal-dev (>= ${cereal_oldest}), libfmt-dev (>= ${fmt_oldest})")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++ (>= 12) | clang (>= 14)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libssl3") # the challenge between Listener and Client

# Else cpack would build the examples first, which aren't in it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

include(CPack)
