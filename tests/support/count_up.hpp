// The numbers from one to before another. std::views::iota would do, but clang++ before 16 can't compile the views of
// libstdc++, and these tests run under clang++ 14 too.
#pragma once

#include <numeric>
#include <vector>

namespace testing {

inline std::vector<int> count_up(int from, int to) {
    std::vector<int> numbers(static_cast<std::size_t>(to - from));
    std::iota(numbers.begin(), numbers.end(), from);
    return numbers;
}

} // namespace testing
