// expect: what with_lock returns must not refer to the value
#include <multiprocessing/sharedctypes.hpp>

void mistake(multiprocessing::Value<int>& v) {
    v.with_lock([](int& x) -> int& { return x; });
}
