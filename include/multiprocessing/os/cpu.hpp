// Floor 1, os/cpu: how many processes can run at once.
#pragma once

#include <algorithm> // std::min, std::max
#include <cerrno>
#include <charconv> // std::from_chars
#include <climits>  // UINT_MAX
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>  // open
#include <sched.h>  // sched_getaffinity
#include <unistd.h> // sysconf

#include <multiprocessing/config.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// CPUs of the machine that are switched on. Python: `os.cpu_count()`.
inline unsigned cpu_count() noexcept;

/// CPUs that this process gets: what its affinity allows, and what the quota of its control group (v1 or v2) and of
/// those above it comes to, rounded up. At least 1. Python: `os.process_cpu_count()`, which doesn't look at quotas, so
/// that its pools are too large in containers.
inline unsigned process_cpu_count();

/// CPUs' worth of time that the control groups of this process leave it; UINT_MAX where they don't limit it.
inline unsigned cpu_quota();

namespace detail {

/// Empty when the file can't be read: there is no such control, then.
inline std::string contents_of(const std::string& path) {
    const descriptor file(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
    std::string text;
    char part[4096];
    while (file) {
        const ssize_t n = retry([&] { return ::read(file.get(), part, sizeof part); });
        if (n <= 0) break;
        text.append(part, static_cast<std::size_t>(n));
    }
    return text;
}

/// Takes the text up to the separator, or all of it, off its front.
inline std::string_view take_until(std::string_view& text, std::string_view separator) noexcept {
    const std::size_t end = text.find(separator);
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
    return taken;
}

inline bool lists(std::string_view comma_separated, std::string_view word) noexcept {
    while (!comma_separated.empty())
        if (take_until(comma_separated, ",") == word) return true;
    return false;
}

/// CPUs' worth of time, rounded up; UINT_MAX for "max", -1, and whatever else isn't two positive numbers.
inline unsigned cpus_of_quota(std::string_view quota, std::string_view period) noexcept {
    const auto number = [](std::string_view text) {
        std::int64_t value = -1;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    const std::int64_t time = number(quota), of = number(period);
    if (time <= 0 || of <= 0) return UINT_MAX;
    return static_cast<unsigned>(std::min<std::int64_t>(time / of + (time % of != 0 ? 1 : 0), UINT_MAX));
}

inline unsigned quota_of_group(const std::string& folder, bool unified) {
    if (!unified)
        return cpus_of_quota(contents_of(folder + "/cpu.cfs_quota_us"), contents_of(folder + "/cpu.cfs_period_us"));
    const std::string limit = contents_of(folder + "/cpu.max"); // "max 100000\n", "150000 100000\n"
    std::string_view rest = limit;
    const std::string_view quota = take_until(rest, " ");
    return cpus_of_quota(quota, rest);
}

/// The least of the quotas from this process's group up to the top of each hierarchy that is mounted here.
inline unsigned quota_of_process(const std::string& groups_file, const std::string& mounts_file) {
    // "4:cpu,cpuacct:/user" for version 1, "0::/user" for version 2
    std::string own_unified, own_cpu;
    const std::string groups = contents_of(groups_file);
    for (std::string_view rest = groups; !rest.empty();) {
        std::string_view line = take_until(rest, "\n");
        take_until(line, ":");
        const std::string_view controllers = take_until(line, ":");
        if (controllers.empty()) own_unified = line;
        if (lists(controllers, "cpu")) own_cpu = line;
    }

    // "25 20 0:22 /root/of/it /mounted/there rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct"
    unsigned least = UINT_MAX;
    const std::string mounts = contents_of(mounts_file);
    for (std::string_view rest = mounts; !rest.empty();) {
        std::string_view line = take_until(rest, "\n");
        for (int skipped = 0; skipped < 3; ++skipped) take_until(line, " ");
        std::string_view root = take_until(line, " ");
        const std::string_view mounted_at = take_until(line, " ");
        take_until(line, " - ");
        const std::string_view type = take_until(line, " ");
        take_until(line, " ");
        const bool unified = type == "cgroup2";
        if (!unified && !(type == "cgroup" && lists(line, "cpu"))) continue;

        // A container sees its own group as the root of the mount; then only what lies below belongs to the path here.
        if (root == "/") root = "";
        std::string_view below = unified ? own_unified : own_cpu;
        below = below.starts_with(root) ? below.substr(root.size()) : "";
        if (!below.starts_with('/')) below = "";
        for (std::string group(below);; group.erase(group.rfind('/'))) {
            if (group == "/") group.clear();
            least = std::min(least, quota_of_group(std::string(mounted_at) + group, unified));
            if (group.find('/') == std::string::npos) break;
        }
    }
    return least;
}

inline unsigned cpus_of_affinity() {
#if MULTIPROCESSING_LINUX()
    // One cpu_set_t holds 1024 CPUs. The kernel refuses what is smaller than its own mask, and doesn't say how large
    // that is.
    for (std::size_t sets = 1; sets <= 1024; sets *= 2) {
        std::vector<cpu_set_t> allowed(sets);
        const std::size_t bytes = sets * sizeof(cpu_set_t);
        if (::sched_getaffinity(0, bytes, allowed.data()) == 0)
            return static_cast<unsigned>(CPU_COUNT_S(bytes, allowed.data()));
        if (errno != EINVAL) break;
    }
#endif
    return cpu_count();
}

} // namespace detail

inline unsigned cpu_count() noexcept {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? static_cast<unsigned>(count) : 1;
}

inline unsigned cpu_quota() {
    return detail::quota_of_process("/proc/self/cgroup", "/proc/self/mountinfo");
}

inline unsigned process_cpu_count() {
    return std::max(1U, std::min(detail::cpus_of_affinity(), cpu_quota()));
}

} // namespace multiprocessing::os
