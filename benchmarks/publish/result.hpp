// What a question's JSON says (../support/report.hpp writes it), and who is compared with whom.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

struct cell {
    std::string contender;
    bool ours = false, yardstick = false;
    int rounds = 0;
    double median = 0, smallest = 0, largest = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(cell, contender, ours, yardstick, rounds, median, smallest, largest)
};

struct goal {
    std::string who, of;
    double limit = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(goal, who, of, limit)
};

struct row {
    std::string asked, unit;
    double at = 0, items = 0;
    bool pictured = false;
    std::string compared = "best"; ///< or each, none
    std::vector<goal> goals;
    std::vector<cell> cells;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(row, asked, unit, at, items, pictured, compared, goals, cells)

    [[nodiscard]] const cell* of(const std::string& contender) const {
        for (const cell& one : cells)
            if (one.contender == contender) return &one;
        return nullptr;
    }
};

struct sheet {
    std::string title, unit, better, growth;
    std::vector<row> rows;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(sheet, title, unit, better, growth, rows)

    [[nodiscard]] bool less_is_better() const { return better == "less"; }
};

struct result {
    std::string question, title, command, machine;
    double load = 0, busy = 0;
    std::vector<sheet> sheets;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(result, question, title, command, machine, load, busy, sheets)

    explicit result(const std::filesystem::path& path) {
        std::ifstream file(path);
        if (!file) throw std::runtime_error("cannot read " + path.string());
        from_json(nlohmann::json::parse(file), *this);
    }
};

/// The best of those that `which` chooses; nullptr when there is none.
template <typename Which>
const cell* best(const row& in, bool less_is_better, Which which) {
    const cell* found = nullptr;
    for (const cell& each : in.cells)
        if (which(each) && (!found || (less_is_better ? each.median < found->median : each.median > found->median))) found = &each;
    return found;
}

/// How many times dearer than the other: below 1, this one is better.
inline double times_dearer(const cell& one, const cell& other, bool less_is_better) {
    return less_is_better ? one.median / other.median : other.median / one.median;
}
