// What does including a door cost? (README.md)
//
//     header_cost [ROUNDS] [--json FILE]
//
// A file that includes one door and nothing else, given to the compiler that made this program: how long it takes to look at it
// (-fsyntax-only: what is instantiated costs where it is used), and the lines that it reads.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <stdlib.h> // mkdtemp

#include <fmt/format.h>

#include <support/report.hpp>

namespace fs = std::filesystem;

namespace {

struct included {
    std::string name;
    std::vector<std::string> headers;
};

/// A folder of its own in the temporary one, while it lasts.
class scratch {
public:
    scratch() {
        std::string name = (fs::temp_directory_path() / "header_cost-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw fs::filesystem_error("mkdtemp", std::error_code(errno, std::generic_category()));
        path_ = name;
    }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch() { fs::remove_all(path_); }
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

private:
    fs::path path_;
};

void must(const std::string& command) {
    if (std::system(command.c_str()) == 0) return;
    throw std::runtime_error("that failed: " + command);
}

std::string compiler(const std::string& options) {
    return fmt::format("{} -std=c++20 -DFMT_HEADER_ONLY=1 {}", BENCHMARKS_COMPILER, options);
}

void write(const std::string& path, const included& what) {
    std::ofstream file(path);
    for (const std::string& each : what.headers) file << "#include <" << each << ">\n";
}

} // namespace

int main(int argc, char** argv) try {
    report says("header_cost", "What does including a door cost?", argc, argv, 3);
    says.yardstick("<thread> <vector> <string> <functional>");
    says.rest(0);

    std::vector<included> all;
    for (const auto& entry : fs::directory_iterator(fs::path(BENCHMARKS_INCLUDE) / "multiprocessing"))
        if (entry.path().extension() == ".hpp")
            all.push_back({"ours, " + entry.path().filename().string(), {"multiprocessing/" + entry.path().filename().string()}});
    std::sort(all.begin(), all.end(), [](const included& a, const included& b) { return a.name < b.name; });
    all.push_back({"<thread> <vector> <string> <functional>", {"thread", "vector", "string", "functional"}});
    for (const char* each : {"fmt/format.h", "future", "iostream", "boost/interprocess/managed_shared_memory.hpp", "tbb/tbb.h"})
        all.push_back({fmt::format("<{}>", each), {each}});

    const scratch here;
    const std::string source = here.file("one.cpp"), output = here.file("one.ii"), include = fmt::format("-I {}", BENCHMARKS_INCLUDE);
    const auto is_there = [&](const included& what) {
        write(source, what);
        return std::system(compiler(fmt::format("{} -fsyntax-only {} 2>/dev/null", include, source)).c_str()) == 0;
    };
    std::erase_if(all, [&](const included& what) { return !what.name.starts_with("ours") && !is_there(what); });

    says.sheet("ms", "a file that includes it, and nothing else");
    says.ask({.text = "to look at",
              .goals = {{"ours, process.hpp", 350}, {"ours, multiprocessing.hpp", 600}},
              .pictured = true,
              .how = compared::each_of_ours},
             all, [&](const included& what) {
                 write(source, what);
                 const auto begin = std::chrono::steady_clock::now();
                 must(compiler(fmt::format("{} -fsyntax-only {}", include, source)));
                 return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
             });
    says.sheet("lines", "what the compiler reads");
    std::map<std::string, double> counted; // they are the same in each round
    says.ask({.text = "without empty ones", .how = compared::none_of_ours}, all, [&](const included& what) {
        if (const auto found = counted.find(what.name); found != counted.end()) return found->second;
        write(source, what);
        must(compiler(fmt::format("{} -E -P {} -o {}", include, source, output)));
        std::ifstream read(output);
        return counted[what.name] = static_cast<double>(std::count(std::istreambuf_iterator<char>(read), {}, '\n'));
    });
    return says.finish();
} catch (const std::exception& e) {
    fmt::print("{}\n", e.what());
    return 1;
}
