#include <multiprocessing/memory/commons.hpp>

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace memory = multiprocessing::memory;
namespace os = multiprocessing::os;

TEST_CASE("the commons is one, wherever it is asked for", "[memory][commons]") {
    memory::commons& all = memory::commons::here();
    REQUIRE(&all == &memory::commons::here());
    REQUIRE(memory::commons::existing() == &all);
    REQUIRE(all.header().total == all.map().total);
}

TEST_CASE("an offset is the same memory in a forked child", "[memory][commons]") {
    memory::commons& all = memory::commons::here();
    auto* word = all.at<std::atomic<std::uint32_t>>(all.map().classes[0].slots);
    const auto offset = all.offset_of(word);
    *word = 1;
    const pid_t child = ::fork();
    if (child == 0) {
        memory::commons::here().at<std::atomic<std::uint32_t>>(offset)->store(2);
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    REQUIRE(*word == 2);
    *word = 0;
}

TEST_CASE("contains() answers for ranges at both ends", "[memory][commons]") {
    memory::commons& all = memory::commons::here();
    const int elsewhere = 0;
    REQUIRE(all.contains(all.data(), 1));
    REQUIRE(all.contains(all.data(), all.map().total));
    REQUIRE_FALSE(all.contains(all.data(), all.map().total + 1));
    REQUIRE_FALSE(all.contains(all.data() + 1, all.map().total));
    REQUIRE_FALSE(all.contains(all.data() + 1, ~std::uint64_t{0}));
    REQUIRE_FALSE(all.contains(&elsewhere, sizeof elsewhere));
}

namespace {

// A process that has no commons yet: this program again, told by its environment what to do.
int run_again(const char* test, const char* variable, const std::string& value, bool small_address_space = false) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (small_address_space) {
            rlimit limit{std::uint64_t{64} << 30, std::uint64_t{64} << 30};
            ::setrlimit(RLIMIT_AS, &limit);
        }
        ::setenv(variable, value.c_str(), 1);
        ::execl("/proc/self/exe", "again", test, static_cast<char*>(nullptr));
        ::_exit(99);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST_CASE("a process that was not forked joins by the descriptor", "[memory][commons]") {
    memory::commons& all = memory::commons::here();
    auto* word = all.at<std::atomic<std::uint32_t>>(all.map().classes[0].slots);
    *word = 41;
    const int inherited = ::dup(all.descriptor()); // dup clears close-on-exec
    REQUIRE(run_again("joins what it was given", "MULTIPROCESSING_TEST_COMMONS", std::to_string(inherited)) == 0);
    ::close(inherited);
    REQUIRE(*word == 42);
    *word = 0;
}

TEST_CASE("joins what it was given", "[.again]") {
    const char* fd = std::getenv("MULTIPROCESSING_TEST_COMMONS");
    REQUIRE(fd != nullptr);
    memory::commons& all = memory::commons::join(os::descriptor(std::atoi(fd)));
    all.at<std::atomic<std::uint32_t>>(all.map().classes[0].slots)->fetch_add(1);
    REQUIRE_THROWS_AS(memory::commons::join(os::descriptor()), multiprocessing::ValueError);
}

TEST_CASE("memory that isn't a commons, or is of another layout, is refused", "[memory][commons]") {
    REQUIRE(run_again("refuses strangers' memory", "MULTIPROCESSING_TEST_COMMONS", "0") == 0);
}

TEST_CASE("refuses strangers' memory", "[.again]") {
    {
        memory::segment small("small", 1 << 16);
        REQUIRE_THROWS_AS(memory::commons::join(os::descriptor(::dup(small.descriptor()))), multiprocessing::ProcessError);
    }
    memory::segment zeros("multiprocessing", memory::layout::smallest);
    REQUIRE_THROWS_AS(memory::commons::join(os::descriptor(::dup(zeros.descriptor()))), multiprocessing::ProcessError);
    REQUIRE(memory::commons::existing() == nullptr);
    auto* header = reinterpret_cast<memory::commons_header*>(zeros.data());
    header->magic = 0x6d70'636f'6d6d'6f6e;
    header->total = memory::layout::smallest;
    header->layout_version = multiprocessing::layout_version + 1;
    REQUIRE_THROWS_WITH(memory::commons::join(os::descriptor(::dup(zeros.descriptor()))),
                        Catch::Contains("same version of the library"));
    header->layout_version = multiprocessing::layout_version;
    const memory::commons& joined = memory::commons::join(os::descriptor(::dup(zeros.descriptor())));
    REQUIRE(&joined == memory::commons::existing());
}

#if !MULTIPROCESSING_ADDRESS_SANITIZER() && !MULTIPROCESSING_THREAD_SANITIZER()
TEST_CASE("with little address space the commons is smaller, and works", "[memory][commons]") {
    REQUIRE(run_again("has a small commons", "MULTIPROCESSING_TEST_COMMONS", "0", true) == 0);
}
#endif

TEST_CASE("has a small commons", "[.again]") {
    memory::commons& all = memory::commons::here();
    REQUIRE(all.map().total < std::uint64_t{64} << 30);
    REQUIRE(all.map().classes[10].count > 0);
    all.data()[all.map().total - 1] = std::byte{1};
}
