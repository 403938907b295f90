// Floor 1, os/taken: how an attempt to lock something ended.
#pragma once

namespace multiprocessing::os {

enum class taken {
    no,            ///< somebody else has it
    yes,           ///< this thread has it
    from_the_dead, ///< this thread has it, and who had it before died with it
};

} // namespace multiprocessing::os
