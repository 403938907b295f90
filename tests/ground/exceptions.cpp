#include <multiprocessing/exceptions.hpp>

#include <csignal>
#include <cstring> // sigabbrev_np
#include <type_traits>

#include "support/catch.hpp"

namespace mp = multiprocessing;

namespace {

template <typename Derived, typename Base>
constexpr bool is_a = std::is_base_of_v<Base, Derived> && std::is_convertible_v<Derived*, Base*>;

} // namespace

TEST_CASE("every exception has the base that the manual gives it", "[ground][exceptions]") {
    STATIC_REQUIRE(is_a<mp::ProcessError, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::BufferTooShort, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::AuthenticationError, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::TimeoutError, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::WorkerLostError, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::CancelledError, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::NotPortableError, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::OwnerDiedError, mp::ProcessError>);
    STATIC_REQUIRE(is_a<mp::BrokenBarrierError, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::Empty, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::Full, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::EOFError, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::BrokenPipeError, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::StopIteration, std::runtime_error>);
    STATIC_REQUIRE(is_a<mp::ValueError, std::invalid_argument>);
    STATIC_REQUIRE(is_a<mp::TypeError, std::invalid_argument>);
    STATIC_REQUIRE_FALSE(is_a<mp::Empty, mp::ProcessError>);
    STATIC_REQUIRE_FALSE(is_a<mp::RemoteError, std::exception>);
}

TEMPLATE_TEST_CASE("an exception says what it was given, and copies without throwing", "[ground][exceptions]",
                   mp::ProcessError, mp::AuthenticationError, mp::TimeoutError, mp::CancelledError,
                   mp::NotPortableError, mp::OwnerDiedError, mp::BrokenBarrierError, mp::Empty, mp::Full, mp::EOFError,
                   mp::BrokenPipeError, mp::StopIteration, mp::ValueError, mp::TypeError) {
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<TestType>);
    STATIC_REQUIRE(std::is_nothrow_copy_assignable_v<TestType>);
    const TestType from_literal("what happened");
    const TestType from_string(std::string("what happened"));
    REQUIRE(from_literal.what() == std::string("what happened"));
    REQUIRE(from_string.what() == std::string("what happened"));
}

TEST_CASE("a message too long for its buffer is carried by the exception", "[ground][exceptions]") {
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<mp::BufferTooShort>);
    const std::vector<std::byte> message{std::byte{1}, std::byte{2}, std::byte{3}};
    try {
        throw mp::BufferTooShort("3 bytes for a buffer of 2", message);
    } catch (const mp::ProcessError& error) {
        const auto& too_short = dynamic_cast<const mp::BufferTooShort&>(error);
        REQUIRE(too_short.what() == std::string("3 bytes for a buffer of 2"));
        REQUIRE(too_short.message() == message);
    }
}

TEST_CASE("a moved exception still carries what it carried", "[ground][exceptions]") {
    mp::BufferTooShort error("too long", std::vector<std::byte>(1000));
    const mp::BufferTooShort moved(std::move(error));
    REQUIRE(moved.message().size() == 1000);
    REQUIRE(error.message().size() == 1000); // NOLINT: that is the point

    mp::WorkerLostError lost("lost", 4711, -9, 17, "main\n");
    const mp::WorkerLostError moved_lost(std::move(lost));
    REQUIRE(lost.backtrace() == moved_lost.backtrace()); // NOLINT
}

TEST_CASE("a lost worker is known by pid, exit code, signal and item", "[ground][exceptions]") {
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<mp::WorkerLostError>);
    const mp::WorkerLostError killed("worker 3 (pid 4711) was killed by SIGSEGV", 4711, -SIGSEGV, 17, "parse()\n");
    REQUIRE(killed.what() == std::string("worker 3 (pid 4711) was killed by SIGSEGV"));
    REQUIRE(killed.pid() == 4711);
    REQUIRE(killed.exitcode() == -SIGSEGV);
    REQUIRE(killed.signal_name() == "SIGSEGV");
    REQUIRE(killed.item() == 17);
    REQUIRE(killed.backtrace() == "parse()\n");

    const mp::WorkerLostError left("worker 3 (pid 4711) left", 4711, 9);
    REQUIRE(left.exitcode() == 9);
    REQUIRE(left.signal_name().empty()); // 9 is not SIGKILL here
    REQUIRE_FALSE(left.item().has_value());
    REQUIRE(left.backtrace().empty());

    mp::WorkerLostError assigned = left;
    assigned = killed;
    REQUIRE(assigned.what() == std::string(killed.what()));
    REQUIRE(assigned.item() == 17);
}

TEST_CASE("what a task threw is caught as its own type, as RemoteError and as std::exception", "[ground][exceptions]") {
    struct remote_range_error : std::out_of_range, mp::RemoteError {
        remote_range_error()
            : std::out_of_range("no item 7"), mp::RemoteError("std::out_of_range", "no item 7", "find()\n", 4711) {}
    };
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<mp::RemoteError>);
    REQUIRE_THROWS_AS(throw remote_range_error(), std::out_of_range);
    REQUIRE_THROWS_AS(throw remote_range_error(), std::exception);
    try {
        throw remote_range_error();
    } catch (const mp::RemoteError& remote) {
        REQUIRE(remote.type_name() == "std::out_of_range");
        REQUIRE(remote.message() == "no item 7");
        REQUIRE(remote.traceback() == "find()\n");
        REQUIRE(remote.pid() == 4711);
        REQUIRE(dynamic_cast<const std::exception*>(&remote) != nullptr);
    }
    try {
        throw remote_range_error();
    } catch (const std::exception& error) {
        REQUIRE(dynamic_cast<const mp::RemoteError*>(&error) != nullptr);
    }
}

TEST_CASE("signals have the names that the C library gives them", "[ground][exceptions]") {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    for (int signal = 1; signal < 32; ++signal) {
        if (signal == SIGIO) continue; // glibc says SIGPOLL, its other name
        CHECK(mp::detail::signal_name(signal) == std::string("SIG") + ::sigabbrev_np(signal));
    }
#endif
    CHECK(mp::detail::signal_name(SIGIO) == "SIGIO");
    CHECK(mp::detail::signal_name(SIGRTMIN) == "SIGRTMIN");
    CHECK(mp::detail::signal_name(SIGRTMIN + 3) == "SIGRTMIN+3");
    CHECK(mp::detail::signal_name(SIGRTMAX) == "SIGRTMIN+" + std::to_string(SIGRTMAX - SIGRTMIN));
}

TEST_CASE("what has no name is told by its number", "[ground][exceptions]") {
    for (const int signal : {-1, 0, 32, 99}) // 32 is the C library's own
        CHECK(mp::detail::signal_name(signal) == "signal " + std::to_string(signal));
}

TEST_CASE("ignore is a tag that nothing else converts to", "[ground][exceptions]") {
    STATIC_REQUIRE(std::is_empty_v<mp::ignore_t>);
    STATIC_REQUIRE(std::is_same_v<decltype(mp::ignore), const mp::ignore_t>);
    const auto takes = [](mp::ignore_t) { return true; };
    STATIC_REQUIRE_FALSE(std::is_invocable_v<decltype(takes), int>);
    REQUIRE(takes(mp::ignore));
}
