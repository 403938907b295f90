#include "support/census.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>

#include <dirent.h>
#include <sys/mman.h>
#include <time.h> // nanosleep
#include <unistd.h>

namespace testing {
namespace {

std::vector<std::string> entries(const std::string& directory) {
    std::vector<std::string> names;
    DIR* const open = ::opendir(directory.c_str());
    if (open == nullptr) return names;
    while (const dirent* const entry = ::readdir(open)) {
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    ::closedir(open);
    return names;
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// ---- Who belongs to the family ----

// A shared page that descendants by fork() inherit and nobody else has: its inode is the family's mark, which an orphan
// carries too. Mapped before main(), so before any fork().
const void* const marked_page = [] {
    void* const page = ::mmap(nullptr, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        std::perror("cannot map the page that marks this program's family");
        std::abort();
    }
    return page;
}();

struct mapping {
    std::string_view addresses, rights, inode, name;
};

// "7f1c-7f1d rw-s 00000000 00:01 1042    /dev/zero (deleted)"
mapping parse_mapping(std::string_view line) {
    std::string_view fields[5];
    for (auto& field : fields) {
        const auto length = std::min(line.find(' '), line.size());
        field = line.substr(0, length);
        line.remove_prefix(length);
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    }
    return {fields[0], fields[1], fields[4], line};
}

} // namespace

const std::string& family_mark() {
    static const std::string inode = [] {
        char start[2 * sizeof(void*) + 2];
        std::snprintf(start, sizeof start, "%lx-", reinterpret_cast<unsigned long>(marked_page));
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);) {
            if (line.starts_with(start)) return std::string(parse_mapping(line).inode);
        }
        return std::string("none");
    }();
    return inode;
}

namespace {

struct process_status {
    std::string name;
    char state = '?';
    pid_t parent = 0;
    unsigned long long start_time = 0;
};

std::optional<process_status> status_of(const std::string& pid) {
    const std::string line = first_line("/proc/" + pid + "/stat");
    const auto open = line.find('(');
    const auto close = line.rfind(')'); // the name may hold anything
    if (open == std::string::npos || close == std::string::npos) return {};
    process_status found;
    found.name = line.substr(open + 1, close - open - 1);
    std::istringstream rest(line.substr(close + 1));
    rest >> found.state >> found.parent;
    std::string skipped;
    for (int field = 5; field < 22; ++field) rest >> skipped;
    rest >> found.start_time;
    return found;
}

bool bears(const std::string& inode, const std::string& pid) {
    std::ifstream maps("/proc/" + pid + "/maps");
    for (std::string line; std::getline(maps, line);) {
        const mapping one = parse_mapping(line);
        if (one.inode == inode && one.rights.ends_with('s')) return true;
    }
    return false;
}

// Visits the living members and the zombies whose parent is `program`; not the program itself, nor this process.
template <typename Visit>
void for_each_relative(pid_t program, const std::string& inode, Visit visit) {
    const auto founder = status_of(std::to_string(program));
    if (!founder) return;
    for (const std::string& name : entries("/proc")) {
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
        if (pid == program || pid == ::getpid()) continue;
        const auto other = status_of(name);
        if (!other || other->start_time < founder->start_time) continue;
        if (other->parent == program || bears(inode, name)) visit(pid, *other);
    }
}

// ---- The lists ----

std::vector<std::string> list_family() {
    std::vector<std::string> list;
    for_each_relative(::getpid(), family_mark(), [&](pid_t pid, const process_status& one) {
        list.push_back((one.state == 'Z' ? "zombie " : "process ") + std::to_string(pid) + " (" + one.name +
                       ", parent " + std::to_string(one.parent) + ")");
    });
    return list;
}

constexpr std::string_view commons_name = "/memfd:multiprocessing (deleted)";

std::vector<std::string> list_descriptors() {
    std::vector<std::string> list;
    bool commons_seen = false;
    for (const std::string& number : entries("/proc/self/fd")) {
        char target[512];
        const auto length = ::readlink(("/proc/self/fd/" + number).c_str(), target, sizeof target);
        if (length < 0) continue; // the one that the directory was read by
        const std::string_view name(target, static_cast<std::size_t>(length));
        if (name == commons_name && !commons_seen) {
            commons_seen = true;
            continue;
        }
        list.push_back("descriptor " + number + " -> " + std::string(name));
    }
    return list;
}

std::vector<std::string> list_threads() {
    std::vector<std::string> list;
    for (const std::string& id : entries("/proc/self/task")) {
        list.push_back("thread " + id + " (" + first_line("/proc/self/task/" + id + "/comm") + ")");
    }
    return list;
}

std::vector<std::string> list_shared_mappings() {
    std::vector<std::string> list;
    std::string commons_inode;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        const mapping one = parse_mapping(line);
        if (!one.rights.ends_with('s')) continue;
        if (one.name == commons_name && (commons_inode.empty() || commons_inode == one.inode)) {
            commons_inode = one.inode;
            continue;
        }
        list.push_back("shared mapping of " + std::string(one.name) + " at " + std::string(one.addresses));
    }
    return list;
}

std::vector<std::string> list_shared_names() {
    std::vector<std::string> list = entries("/dev/shm");
    for (std::string& name : list) name = "/dev/shm/" + name;
    return list;
}

void add_news(std::string& text, std::vector<std::string> now, std::vector<std::string> before) {
    std::vector<std::string> news;
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(), std::back_inserter(news));
    for (const std::string& line : news) text += "\n  " + line;
}

census baseline;

} // namespace

census census::now() {
    census all{list_family(), list_descriptors(), list_threads(), list_shared_mappings(), list_shared_names()};
    for (auto* const list : {&all.family, &all.descriptors, &all.threads, &all.shared_mappings, &all.shared_names}) {
        std::sort(list->begin(), list->end());
    }
    return all;
}

std::string census::more_than(const census& before) const {
    std::string text;
    add_news(text, family, before.family);
    add_news(text, descriptors, before.descriptors);
    add_news(text, threads, before.threads);
    add_news(text, shared_mappings, before.shared_mappings);
    add_news(text, shared_names, before.shared_names);
    return text;
}

void settle() {
    baseline = census::now();
}

std::string left_behind() {
    using clock = std::chrono::steady_clock;
    const auto give_up = clock::now() + std::chrono::seconds(2);
    for (long wait = 1'000'000;; wait = std::min(2 * wait, 100'000'000L)) {
        std::string left = census::now().more_than(baseline);
        if (left.empty() || clock::now() > give_up) return left;
        const timespec moment{0, wait};
        ::nanosleep(&moment, nullptr);
    }
}

std::vector<pid_t> family_of(pid_t program, const std::string& mark) {
    std::vector<pid_t> pids{program};
    for_each_relative(program, mark, [&](pid_t pid, const process_status&) { pids.push_back(pid); });
    return pids;
}

void end_family() {
    for_each_relative(::getpid(), family_mark(), [](pid_t pid, const process_status&) { ::kill(pid, SIGKILL); });
}

} // namespace testing
