// A case that runs once for each start method.
#pragma once

#include <string>
#include <utility> // std::forward

#include <multiprocessing/process/process.hpp>
#include <multiprocessing/process/start_method.hpp>

#include "support/catch.hpp"
#include "support/census.hpp"

namespace testing {

/// What a case starts its processes by. Of mp::Context it has what these tests need: that one brings pools and managers with it,
/// and a test of a lock would take four times as long to compile.
class context {
public:
    explicit context(multiprocessing::StartMethod method) noexcept : method_(method) {}

    [[nodiscard]] multiprocessing::StartMethod method() const noexcept { return method_; }
    [[nodiscard]] std::string get_start_method() const { return multiprocessing::to_string(method_); }

    template <typename F, typename... Args>
    [[nodiscard]] multiprocessing::Process Process(F&& target, Args&&... args) const {
        return multiprocessing::Process({.start_method = method_}, std::forward<F>(target),
                                        std::forward<Args>(args)...);
    }

private:
    multiprocessing::StartMethod method_;
};

/// The rest of the case runs by fork, by spawn and by forkserver. What a target needs travels as an argument: captures don't.
/// What a method makes once and keeps (the fork server) is made before anything is counted.
inline context each_context() {
    using multiprocessing::StartMethod;
    const context ctx(GENERATE(StartMethod::fork, StartMethod::spawn, StartMethod::forkserver));
    if (ctx.method() == StartMethod::forkserver) {
        auto first = ctx.Process([] {});
        first.start();
        first.join();
        settle();
    }
    return ctx;
}

} // namespace testing
