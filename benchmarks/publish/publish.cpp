// Makes pages and pictures of the JSON that the questions wrote.
//
//     publish DIRECTORY WORDS          for each question.json: question.md, question.svg; and README.md, with the words
//     publish --trace TRACE PICTURE    a picture of what Pool::write_trace() wrote

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bars.hpp"
#include "lines.hpp"
#include "pages.hpp"
#include "result.hpp"
#include "rows.hpp"

namespace fs = std::filesystem;

namespace {

constexpr const char* beginning = R"(# Results

Made by `cmake -P benchmarks/run.cmake`; what is asked, and of whom, is in [the benchmarks' README](../README.md).

)";
constexpr const char* how_to_read = R"(
Numbers are medians of the rounds, with (the smallest, the largest). Contenders take turns, round by round, in one run: compare within a
question. *Better* and *worse* are ratios of medians, and **worse** is where we lose. The best of the others may be threads, or do less
than ours: its name says which. A yardstick isn't a contender: it is the least there can be, or the work with no processes at all.
)";
constexpr const char* about_the_trace = R"(
What the workers of a pool did when, as `Pool::write_trace` wrote it: maps over 3000 items of 2 us, over 150 of 100 us of which the last
three take 3 ms, and over 150 of which each 29th takes 1.5 ms. A bar is a chunk, with the number of its items where there is room: few
while it isn't known what one costs, many where they are cheap, few towards the end.

![trace](trace.svg)
)";

void write(const fs::path& path, std::string text) {
    while (text.ends_with("\n\n")) text.pop_back();
    std::ofstream file(path);
    file << text;
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path.string());
}

void publish(const fs::path& directory, const std::string& words) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory))
        if (entry.path().extension() == ".json") found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    if (found.empty()) throw std::runtime_error("no results in " + directory.string());

    std::string page = beginning, machine;
    for (const fs::path& path : found) {
        const result all(path);
        if (machine.empty()) {
            machine = all.machine;
            page += machine + ". " + words + "\n" + how_to_read;
            if (fs::exists(directory / "trace.svg")) page += about_the_trace;
            page += '\n';
        }
        const fs::path picture = fs::path(path).replace_extension(".svg");
        const bool pictured = lines::write(all, picture.string()) || bars::write(all, picture.string());
        write(fs::path(path).replace_extension(".md"), pages::in_full(all, pictured));
        page += fmt::format("## {}\n\n{} [Every number]({}.md).\n\n", all.question, all.title, all.question);
        if (all.machine != machine) page += "On another machine: " + all.machine + ".\n\n";
        page += pages::summary(all, pictured);
    }
    write(directory / "README.md", page);
}

} // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 3 && words[0] == "--trace") rows::write(words[1], words[2]);
    else if (words.size() == 2) publish(words[0], words[1]);
    else {
        fmt::print(stderr, "publish DIRECTORY WORDS, or publish --trace TRACE PICTURE\n");
        return 2;
    }
} catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
}
