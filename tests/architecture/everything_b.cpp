// Includes everything a second time. Linked into every test: a function that should have been inline doesn't link then.
#include "everything.hpp"

namespace testing {

const void* commons_elsewhere() { return &multiprocessing::memory::commons::here(); }

multiprocessing::os::log_level log_level_elsewhere() { return multiprocessing::os::level(); }

} // namespace testing
