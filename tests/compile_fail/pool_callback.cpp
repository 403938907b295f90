// expect: an error callback takes a std::exception_ptr or a const std::exception&
#include <multiprocessing/pool.hpp>

void mistake(multiprocessing::AsyncResult<int>& result) {
    result.error_callback([](int) {});
}
