// Floor 1, os/terminal: whether somebody watches.
#pragma once

#include <unistd.h> // isatty

namespace multiprocessing::os {

/// Whether stderr is a terminal, where a line can be drawn over itself.
[[nodiscard]] inline bool stderr_is_terminal() noexcept { return ::isatty(STDERR_FILENO) == 1; }

} // namespace multiprocessing::os
