#include <multiprocessing/os/cpu.hpp>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>

#include "support/catch.hpp"

namespace os = multiprocessing::os;

namespace {

/// Control groups as files in a folder of their own.
class made_up_groups {
public:
    made_up_groups() {
        char name[] = "/tmp/multiprocessing-test-XXXXXX";
        root_ = ::mkdtemp(name);
    }
    ~made_up_groups() { std::filesystem::remove_all(root_); }

    [[nodiscard]] std::string at(const std::string& path) const { return root_ + path; }

    void write(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(at(path)).parent_path());
        std::ofstream(at(path)) << text;
    }

    [[nodiscard]] unsigned quota() const { return os::detail::quota_of_process(at("/groups"), at("/mounts")); }

private:
    std::string root_;
};

} // namespace

TEST_CASE("there is a cpu, and a process gets no more than there are", "[os][cpu]") {
    REQUIRE(os::cpu_count() >= 1);
    REQUIRE(os::process_cpu_count() >= 1);
    REQUIRE(os::detail::cpus_of_affinity() <= static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_CONF)));
}

TEST_CASE("affinity counts", "[os][cpu]") {
    const pid_t child = ::fork();
    if (child == 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
        const bool set = ::sched_setaffinity(0, sizeof one, &one) == 0;
        ::_exit(set && os::process_cpu_count() == 1 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
}

TEST_CASE("a quota is rounded up, and what is none is no limit", "[os][cpu]") {
    using os::detail::cpus_of_quota;
    CHECK(cpus_of_quota("100000", "100000") == 1);
    CHECK(cpus_of_quota("150000", "100000\n") == 2);
    CHECK(cpus_of_quota("1", "100000") == 1);
    CHECK(cpus_of_quota("400000", "100000") == 4);
    CHECK(cpus_of_quota("9223372036854775807", "1") == UINT_MAX);
    for (const char* const none : {"max", "-1", "0", "", "\n", "99999999999999999999"})
        CHECK(cpus_of_quota(none, "100000") == UINT_MAX);
    for (const char* const none : {"-1", "0", "", "max"}) CHECK(cpus_of_quota("100000", none) == UINT_MAX);
}

TEST_CASE("the least quota from the own group up to the root counts, in version 2", "[os][cpu]") {
    const made_up_groups files;
    files.write("/groups", "0::/machine/job/step\n");
    files.write("/mounts", "29 22 0:26 / " + files.at("/v2") + " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    files.write("/v2/machine/job/step/cpu.max", "max 100000\n");
    CHECK(files.quota() == UINT_MAX);
    files.write("/v2/machine/cpu.max", "550000 100000\n");
    CHECK(files.quota() == 6);
    files.write("/v2/machine/job/cpu.max", "250000 100000\n");
    CHECK(files.quota() == 3);
    files.write("/v2/machine/job/step/cpu.max", "400000 100000\n");
    CHECK(files.quota() == 3);
    files.write("/v2/cpu.max", "50000 100000\n");
    CHECK(files.quota() == 1);
}

TEST_CASE("version 1 is read where its cpu controller is mounted", "[os][cpu]") {
    const made_up_groups files;
    files.write("/groups", "12:memory:/elsewhere\n4:cpu,cpuacct:/docker/4711\n3:cpuset:/\n0::/ignored\n");
    const std::string memory = "30 23 0:27 / " + files.at("/memory") + " rw shared:5 - cgroup cgroup rw,memory\n";
    const std::string cpu = "31 23 0:28 / " + files.at("/cpu") + " rw shared:6 - cgroup cgroup rw,cpu,cpuacct\n";
    files.write("/mounts", memory + cpu);
    files.write("/memory/elsewhere/cpu.cfs_quota_us", "100000\n");
    files.write("/memory/elsewhere/cpu.cfs_period_us", "100000\n");
    CHECK(files.quota() == UINT_MAX);
    files.write("/cpu/docker/4711/cpu.cfs_quota_us", "-1\n");
    files.write("/cpu/docker/4711/cpu.cfs_period_us", "100000\n");
    CHECK(files.quota() == UINT_MAX);
    files.write("/cpu/docker/4711/cpu.cfs_quota_us", "120000\n");
    CHECK(files.quota() == 2);
}

TEST_CASE("a container that sees only its own group finds its quota", "[os][cpu]") {
    const made_up_groups files;
    files.write("/groups", "4:cpu:/docker/4711/inner\n");
    files.write("/mounts", "31 23 0:28 /docker/4711 " + files.at("/cpu") + " ro - cgroup cgroup rw,cpu\n");
    files.write("/cpu/cpu.cfs_quota_us", "300000\n");
    files.write("/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(files.quota() == 3); // `inner` isn't limited
    files.write("/cpu/inner/cpu.cfs_quota_us", "200000\n");
    files.write("/cpu/inner/cpu.cfs_period_us", "100000\n");
    CHECK(files.quota() == 2);
    files.write("/groups", "4:cpu:/docker/47110\n"); // another, whose name begins alike: we see the mount's root alone
    CHECK(files.quota() == 3);
    files.write("/groups", "4:cpu:/../..\n");
    CHECK(files.quota() == 3);
}

TEST_CASE("no control groups, or files that make no sense, are no limit", "[os][cpu]") {
    const made_up_groups files;
    CHECK(files.quota() == UINT_MAX);
    for (const char* const text : {"", "\n\n", ":::::", "0:", "4:cpu", "no colon", "   - - -\n"}) {
        files.write("/groups", text);
        files.write("/mounts", text);
        CHECK(files.quota() == UINT_MAX);
    }
}

TEST_CASE("text is taken apart from its front", "[os][cpu]") {
    std::string_view text = "a - b - c";
    CHECK(os::detail::take_until(text, " - ") == "a");
    CHECK(text == "b - c");
    CHECK(os::detail::take_until(text, "|") == "b - c");
    CHECK(text.empty());
    CHECK(os::detail::take_until(text, "|").empty());
    CHECK(os::detail::lists("rw,cpu,cpuacct", "cpu"));
    CHECK_FALSE(os::detail::lists("rw,cpuset", "cpu"));
    CHECK_FALSE(os::detail::lists("", "cpu"));
}
