# How this project compiles its own programs. Nobody who uses the library sees any of it.

add_library(multiprocessing_settings INTERFACE)
target_link_libraries(multiprocessing_settings INTERFACE multiprocessing::multiprocessing)
target_compile_options(
    multiprocessing_settings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                       $<$<BOOL:${MULTIPROCESSING_WARNINGS_AS_ERRORS}>:-Werror>
)
if(MULTIPROCESSING_SANITIZE)
    target_compile_options(
        multiprocessing_settings INTERFACE -fsanitize=${MULTIPROCESSING_SANITIZE} -fno-sanitize-recover=all
                                           -fno-omit-frame-pointer
                                           # gcc's, about what the sanitizer's own code looks like to it (in <regex>)
                                           $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    )
    target_link_options(multiprocessing_settings INTERFACE -fsanitize=${MULTIPROCESSING_SANITIZE})
endif()
