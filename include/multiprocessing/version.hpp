// Floor 0, version: which library this is, and which layout of shared memory it speaks.
#pragma once

#include <cstdint>

// CMakeLists.txt reads these three lines.
#define MULTIPROCESSING_VERSION_MAJOR 0
#define MULTIPROCESSING_VERSION_MINOR 1
#define MULTIPROCESSING_VERSION_PATCH 0

namespace multiprocessing {

/// Written into every shared segment; another number there is refused, not mapped. Goes up whenever the meaning of a
/// byte in shared memory changes, whatever the three numbers above do.
inline constexpr std::uint32_t layout_version = 4;

} // namespace multiprocessing
