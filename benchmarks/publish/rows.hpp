// The picture of a run: a row for each worker, a bar for each chunk, from what Pool::write_trace() wrote.
#pragma once

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <support/numbers.hpp>

#include "svg.hpp"

namespace rows {

struct stretch {
    double begun, spent; // us
    int worker;
    std::string job;
    long items;
};

inline void write(const std::string& trace, const std::string& path) {
    std::ifstream file(trace);
    if (!file) throw std::runtime_error("cannot read " + trace);
    const nlohmann::json read = nlohmann::json::parse(file);
    std::vector<stretch> all;
    std::map<int, std::string> workers; // their rows, by number
    std::vector<std::string> jobs;
    for (const auto& event : read.at("traceEvents")) {
        if (event.at("name") == "thread_name") workers[event.at("tid")] = event.at("args").at("name");
        if (event.at("ph") != "X") continue;
        all.push_back({event.at("ts"), event.at("dur"), event.at("tid"), event.at("name"), event.at("args").at("items")});
        if (std::find(jobs.begin(), jobs.end(), all.back().job) == jobs.end()) jobs.push_back(all.back().job);
    }
    if (all.empty()) throw std::runtime_error("nothing was done in " + trace);
    std::sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) { return std::pair(a.size(), a) < std::pair(b.size(), b); });
    double first = all.front().begun, last = 0;
    for (const stretch& each : all) {
        first = std::min(first, each.begun);
        last = std::max(last, each.begun + each.spent);
    }

    constexpr double width = 960, names = 70, row_step = 30, row_height = 22, top = 30;
    const double scale = (width - names - 10) / (last - first), bottom = top + row_step * static_cast<double>(workers.size());
    svg out(width);
    double key = names;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        long chunks = 0, items = 0;
        for (const stretch& each : all)
            if (each.job == jobs[j]) ++chunks, items += each.items;
        const std::string words = fmt::format("map {}: {} items in {} chunks", j + 1, items, chunks);
        out.bar(key, 8, 12, 10, colour::one_of(j), 0.85);
        out.text(key + 17, 17, words);
        key += 40 + 6 * static_cast<double>(words.size());
    }
    double tick = 1; // us
    while ((last - first) / tick > 12) tick *= 10;
    if ((last - first) / tick < 3) tick /= 4;
    for (double t = 0; t <= last - first; t += tick) {
        const double x = names + t * scale;
        out.line(x, top - 4, x, bottom, colour::grid);
        out.text(x, bottom + 12, in_short(t / 1000), anchor::middle, colour::text, 10);
    }
    out.text(width, bottom + 26, "ms", anchor::end, colour::text, 10);
    double y = top;
    for (const auto& [worker, name] : workers) {
        out.text(names - 8, y + row_height / 2 + 4, name, anchor::end);
        for (const stretch& each : all) {
            if (each.worker != worker) continue;
            const auto job = static_cast<std::size_t>(std::find(jobs.begin(), jobs.end(), each.job) - jobs.begin());
            const double x = names + (each.begun - first) * scale, long_ = each.spent * scale;
            out.bar(x, y, std::max(long_ - (long_ > 2 ? 0.6 : 0.), 0.4), row_height, colour::one_of(job), 0.85); // a hair between them
            const std::string items = std::to_string(each.items);
            if (long_ > 7 * static_cast<double>(items.size()) + 4)
                out.text(x + long_ / 2, y + row_height / 2 + 4, items, anchor::middle, "#ffffff", 10);
        }
        y += row_step;
    }
    out.write(path, bottom + 34);
}

} // namespace rows
