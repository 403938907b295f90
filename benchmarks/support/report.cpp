// The rounds, the text, and the JSON (report.hpp).
#include "report.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "machine.hpp"
#include "numbers.hpp"

namespace {

constexpr const char* words_for[] = {"best", "each", "none"}; // of compared

double median(const std::vector<double>& in_order) { return in_order[in_order.size() / 2]; }

/// Once a run, when it begins.
const machine& this_machine() {
    static const machine one;
    return one;
}

} // namespace

report::report(std::string question, std::string title, int argc, char** argv, int rounds)
    : question_(std::move(question)), title_(std::move(title)), command_(question_), rounds_(rounds) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--json" && i + 1 < argc) {
            json_ = argv[++i];
            continue;
        }
        command_ += ' ' + word;
        arguments_.push_back(word);
    }
    if (!arguments_.empty()) {
        rounds_ = std::max(std::atoi(arguments_.front().c_str()), 1);
        arguments_.erase(arguments_.begin());
    }
    fmt::print("{}: {}\n{}\n{}\nmedian (smallest, largest) of {} round{}; who takes long has fewer\n", command_, title_,
               this_machine().in_words(), this_machine().how_busy(), rounds_, rounds_ == 1 ? "" : "s");
    std::fflush(stdout); // before anybody forks
}

void report::sheet(std::string unit, std::string title, better what, std::string growth) {
    fmt::print("\n# {}{}{}\n", title, title.empty() ? "" : ": ", unit);
    pages_.push_back({std::move(unit), std::move(title), std::move(growth), what, {}});
}

void report::ask_all(std::vector<asked> rows, const std::vector<std::string>& names, const measurement& measure) {
    std::vector<row> found;
    for (asked& each : rows) {
        row& one = found.emplace_back(row{std::move(each), {}});
        for (const std::string& name : names) one.cells.push_back({name, {}});
    }
    std::vector<int> left(names.size(), rounds_);
    for (int round = -1; round < rounds_; ++round)
        for (std::size_t c = 0; c < names.size(); ++c) {
            if (left[c] <= 0) continue;
            std::this_thread::sleep_for(std::chrono::milliseconds(rest_));
            const auto begin = std::chrono::steady_clock::now();
            const std::vector<double> numbers = measure(c);
            const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
            if (numbers.front() < 0) {
                left[c] = 0;
            } else if (round < 0) {
                left[c] = std::clamp(static_cast<int>(patience_ / spent.count()), std::min(rounds_, 3), rounds_);
            } else {
                --left[c];
                for (std::size_t r = 0; r < found.size(); ++r) found[r].cells[c].rounds.push_back(numbers[r]);
            }
        }
    for (row& one : found) {
        std::erase_if(one.cells, [](const cell& c) { return c.rounds.empty(); });
        for (cell& each : one.cells) std::sort(each.rounds.begin(), each.rounds.end());
        print(pages_.back(), one);
        pages_.back().rows.push_back(std::move(one));
    }
    std::fflush(stdout);
}

void report::print(const page& on, const row& one) const {
    std::size_t width = 24;
    for (const cell& each : one.cells) width = std::max(width, each.name.size());
    fmt::print("\n{}{}{}\n", one.what.text, one.what.unit.empty() ? "" : ": ", one.what.unit);
    for (const cell& each : one.cells) {
        const auto& all = each.rounds;
        fmt::print("    {:<{}} {:>10} ({}, {})", each.name, width, in_words(median(all)), in_words(all.front()), in_words(all.back()));
        if (one.what.items > 0) fmt::print("  {} ns an item", in_words(1000 * median(all) / one.what.items));
        fmt::print("\n");
    }
    const auto find = [&](const std::string& name) {
        return std::find_if(one.cells.begin(), one.cells.end(), [&](const cell& c) { return c.name == name; });
    };
    for (const goal& aim : one.what.goals) {
        const auto who = find(aim.who), of = find(aim.of);
        if (who == one.cells.end() || (!aim.of.empty() && of == one.cells.end())) continue;
        const double is = median(who->rounds) / (aim.of.empty() ? 1 : median(of->rounds));
        const bool reached = on.what == better::less ? is <= aim.limit : is >= aim.limit;
        fmt::print("    aim: {}; it is {}: {}\n", aim_in_words(aim.who, aim.limit, aim.of, on.what == better::less),
                   aim.of.empty() ? in_words(is) : times_in_words(is), reached ? "reached" : "MISSED");
    }
}

int report::finish() const {
    if (json_.empty()) return 0;
    using nlohmann::ordered_json;
    ordered_json sheets = ordered_json::array();
    for (const page& on : pages_) {
        ordered_json rows = ordered_json::array();
        for (const row& one : on.rows) {
            ordered_json cells = ordered_json::array(), goals = ordered_json::array();
            for (const cell& each : one.cells)
                cells.push_back({{"contender", each.name},
                                 {"ours", each.name.starts_with("ours")},
                                 {"yardstick", std::count(yardsticks_.begin(), yardsticks_.end(), each.name) > 0},
                                 {"rounds", each.rounds.size()},
                                 {"median", median(each.rounds)},
                                 {"smallest", each.rounds.front()},
                                 {"largest", each.rounds.back()}});
            for (const goal& aim : one.what.goals) goals.push_back({{"who", aim.who}, {"limit", aim.limit}, {"of", aim.of}});
            rows.push_back({{"asked", one.what.text},
                            {"unit", one.what.unit.empty() ? on.unit : one.what.unit},
                            {"at", one.what.at},
                            {"items", one.what.items},
                            {"pictured", one.what.pictured},
                            {"compared", words_for[static_cast<int>(one.what.how)]},
                            {"goals", goals},
                            {"cells", cells}});
        }
        sheets.push_back({{"title", on.title},
                          {"unit", on.unit},
                          {"better", on.what == better::less ? "less" : "more"},
                          {"growth", on.growth},
                          {"rows", rows}});
    }
    const machine& where = this_machine();
    const ordered_json whole{{"question", question_},
                             {"title", title_},
                             {"command", command_},
                             {"machine", where.in_words()},
                             {"load", where.load},
                             {"busy", where.busy},
                             {"sheets", sheets}};
    std::ofstream file(json_);
    file << whole.dump(1) << '\n';
    file.close();
    if (!file) {
        fmt::print(stderr, "cannot write {}\n", json_);
        return 1;
    }
    return 0;
}
