// expect: a lambda with captures can't be taken apart
#include <multiprocessing/serialization.hpp>

auto mistake(int n) {
    return multiprocessing::bind([n](int m) { return n + m; }, 1);
}
