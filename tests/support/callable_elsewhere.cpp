#include <support/callable_elsewhere.hpp>

#include <multiprocessing/serial/callable.hpp>

namespace serial = multiprocessing::serial;

namespace {

struct namesake {
    int n = 0;
    void operator()() const { testing::called() = "elsewhere " + std::to_string(n); }
};

} // namespace

namespace testing {

serial::message call_of_namesake() { return serial::pack_call(namesake{2}); }
serial::message call_of_lambda_elsewhere() {
    return serial::pack_call([](int n) { called() = "lambda elsewhere " + std::to_string(n); }, 2);
}
void function_elsewhere(int n) { called() = "function elsewhere " + std::to_string(n); }
serial::message call_of_inline_functor() { return serial::pack_call(inline_functor{2}); }

} // namespace testing
