# The reference of the public names, as a target `docs`: HTML under docs/html of the build directory, made by Doxygen out of the
# comments in the headers. A warning ends it.

find_package(Doxygen 1.9.4 QUIET)
if(NOT DOXYGEN_FOUND)
    return()
endif()

set(DOXYGEN_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/docs)
set(DOXYGEN_STRIP_FROM_PATH ${PROJECT_SOURCE_DIR})
set(DOXYGEN_STRIP_FROM_INC_PATH ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_USE_MDFILE_AS_MAINPAGE ${PROJECT_SOURCE_DIR}/README.md)
set(DOXYGEN_FILE_PATTERNS *.hpp *.md)
set(DOXYGEN_EXAMPLE_PATH ${PROJECT_SOURCE_DIR}/examples)
set(DOXYGEN_IMAGE_PATH ${PROJECT_SOURCE_DIR}/benchmarks/results)
set(DOXYGEN_DISTRIBUTE_GROUP_DOC YES)

# A comment's first sentence is what stands in the lists.
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_BUILTIN_STL_SUPPORT YES)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_GENERATE_LATEX NO)
set(DOXYGEN_QUIET YES)

# A class for users has a comment. Of these, every member is shown: some say all by their name.
set(DOXYGEN_HIDE_UNDOC_CLASSES YES)
set(DOXYGEN_HIDE_FRIEND_COMPOUNDS YES)
set(DOXYGEN_EXCLUDE_SYMBOLS *::detail *::detail::*)
set(DOXYGEN_EXCLUDE ${PROJECT_SOURCE_DIR}/include/multiprocessing/memory/family.hpp) # it takes the class for a namespace
set(DOXYGEN_INPUT_FILTER "sed -e 's/^struct fmt::/struct fmt_/'") # which it can't specialise from outside
set(DOXYGEN_WARN_IF_UNDOCUMENTED NO)
set(DOXYGEN_WARN_IF_INCOMPLETE_DOC NO)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)

# The pages that README.md leads to are there as well.
file(
    GLOB_RECURSE pages CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/include/*.md ${PROJECT_SOURCE_DIR}/tests/*.md ${PROJECT_SOURCE_DIR}/benchmarks/*.md
    ${PROJECT_SOURCE_DIR}/examples/*.md
)
doxygen_add_docs(
    docs ${PROJECT_SOURCE_DIR}/README.md ${pages} ${PROJECT_SOURCE_DIR}/include/multiprocessing
    COMMENT "The reference of the public names"
)
