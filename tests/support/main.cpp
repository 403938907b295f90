// The main() of every test program, with a watchdog and a census around each test case.

#if !__has_include(<catch2/catch_all.hpp>)
#    define CATCH_CONFIG_RUNNER
// A forked child that is terminated, or crashes on purpose, would otherwise report a failure of the test case.
#    define CATCH_CONFIG_NO_POSIX_SIGNALS
#endif
#include "support/catch.hpp"

#include <cstdio>
#include <thread>

#include <unistd.h>

#include <multiprocessing/config.hpp>
#include <multiprocessing/process/spawn.hpp>

#include "support/census.hpp"
#include "support/run_program.hpp"
#include "support/watchdog.hpp"

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

// Catch runs a case with sections once for each of them, and each run is a case to us.
class around_each_case : public listener_base {
public:
    using listener_base::listener_base;

    void testCaseStarting(const Catch::TestCaseInfo& info) override { name_ = info.name; }

    void sectionStarting(const Catch::SectionInfo&) override {
        if (depth_++ > 0) return;
        testing::settle();
        testing::watch(name_.c_str());
    }

    void sectionEnded(const Catch::SectionStats& stats) override {
        if (::getpid() != program_) leave_as_stray();
        if (--depth_ > 0) return;
        testing::stop_watching();
        const std::string left = testing::left_behind();
        if (left.empty()) return;
        testing::end_family();
        // A case that has failed may have been stopped before it could tidy up.
        if (stats.assertions.failed > 0) return;
        FAIL_CHECK("\"" << name_ << "\" left behind:" << left);
    }

private:
    // A forked child threw, or returned, out of its test case. It would now run the rest of the tests a second time.
    [[noreturn]] void leave_as_stray() {
        std::fprintf(stderr, "A child of \"%s\" (process %d) came back into the test runner.\n", name_.c_str(), ::getpid());
        std::fflush(nullptr);
        ::_exit(99);
    }

    const pid_t program_ = ::getpid();
    std::string name_;
    int depth_ = 0;
};

CATCH_REGISTER_LISTENER(around_each_case)

} // namespace

int main(int argc, char** argv) {
    multiprocessing::freeze_support(argc, argv);
    testing::examine_if_asked(argc, argv);
    testing::program::run_if_asked(argc, argv);
#if MULTIPROCESSING_THREAD_SANITIZER()
    std::thread([] {}).join(); // with the first thread it starts one of its own, which is nobody's fault
#endif
    Catch::Session session;
#if defined(CATCH_CONFIG_RUNNER)
    session.configData().warnings = Catch::WarnAbout::NoTests; // an error, as it is by default in the newer generation
#endif
    return session.run(argc, argv);
}
