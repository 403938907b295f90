// The picture of a question: a panel for each row that is pictured, a bar for each contender, the best one first, ours in a colour of
// their own, whiskers from the smallest to the largest round.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <support/numbers.hpp>

#include "result.hpp"
#include "svg.hpp"

namespace bars {

inline constexpr double width = 960, margin = 8, gap = 24;
inline constexpr double bar_height = 12, bar_step = 16, head = 36, foot = 26;

struct panel {
    const sheet* on;
    const row* one;
    [[nodiscard]] double height() const { return head + bar_step * static_cast<double>(one->cells.size()) + foot; }
};

inline const char* colour_of(const cell& c) { return c.ours ? colour::ours : c.yardstick ? colour::yardstick : colour::others; }

/// 123k rather than 123456
inline std::string in_little_room(double x) { return x < 1e5 ? in_words(x) : with_letter(x); }

/// A line of about so many letters.
inline std::string shortened(const std::string& words, std::size_t letters) {
    return words.size() <= letters ? words : words.substr(0, letters - 2) + "..";
}

inline void draw(svg& out, const panel& p, double left, double top, double panel_width) {
    std::vector<cell> cells = p.one->cells;
    const bool less = p.on->less_is_better();
    std::stable_sort(cells.begin(), cells.end(),
                     [&](const cell& a, const cell& b) { return less ? a.median < b.median : a.median > b.median; });
    double least = cells.front().smallest, greatest = cells.front().largest;
    std::size_t letters = 0;
    for (const cell& each : cells) {
        least = std::min(least, each.smallest);
        greatest = std::max(greatest, each.largest);
        letters = std::max(letters, each.contender.size());
    }
    least = std::max(least, greatest * 1e-7); // a clock that saw nothing
    const double names = std::min(6.8 * static_cast<double>(letters) + 12, panel_width * 0.43), numbers = 48;
    const log_axis axis(least, greatest, left + names, left + panel_width - numbers, true);
    const double bottom = top + head + bar_step * static_cast<double>(cells.size());

    out.text(left, top + 12, shortened(p.on->title.empty() ? p.one->asked : p.on->title + ", " + p.one->asked, 74), anchor::start,
             colour::text, 12, true);
    out.text(left, top + 27, p.one->unit + (less ? "" : "; more is better"));
    axis.ticks([&](double x, bool labelled) {
        out.line(axis.at(x), top + head - 3, axis.at(x), bottom, colour::grid);
        if (labelled) out.text(axis.at(x), bottom + 12, with_letter(x), anchor::middle, colour::text, 10);
    });
    double y = top + head;
    for (const cell& each : cells) {
        const double start = left + names, middle = y + bar_height / 2;
        const auto at = [&](double x) { return std::max(axis.at(std::max(x, least)), start); };
        const char* const of = each.ours ? colour::ours : colour::text;
        out.text(start - 6, middle + 4, shortened(each.contender, static_cast<std::size_t>(names / 6.2)), anchor::end, of, 11, each.ours);
        out.bar(start, y, std::max(at(each.median) - start, 1.), bar_height, colour_of(each), each.yardstick ? 0.5 : 0.9);
        out.line(at(each.smallest), middle, at(each.largest), middle, colour::text, 1.2);
        for (const double end : {each.smallest, each.largest}) out.line(at(end), middle - 3, at(end), middle + 3, colour::text, 1.2);
        out.text(at(std::max(each.largest, each.median)) + 5, middle + 4, in_little_room(each.median), anchor::start, of, 11,
                 each.ours);
        y += bar_step;
    }
}

/// False: nothing of it is pictured.
inline bool write(const result& all, const std::string& path) {
    std::vector<panel> panels;
    for (const sheet& on : all.sheets)
        for (const row& one : on.rows)
            if (one.pictured && !one.cells.empty()) panels.push_back({&on, &one});
    if (panels.empty()) return false;

    const double across = panels.size() == 1 ? width - 2 * margin : (width - gap) / 2 - margin;
    svg out(width);
    double y = 8;
    for (std::size_t i = 0; i < panels.size(); i += 2) {
        double height = panels[i].height();
        draw(out, panels[i], margin, y, across);
        if (i + 1 < panels.size()) {
            draw(out, panels[i + 1], width / 2 + gap / 2, y, across);
            height = std::max(height, panels[i + 1].height());
        }
        y += height;
    }
    double x = margin;
    for (const auto& [words, of] : {std::pair{"ours", colour::ours}, std::pair{"others", colour::others},
                                    std::pair{"yardstick: the least there can be, or no processes at all", colour::yardstick}}) {
        out.bar(x, y + 1, 12, 10, of, of == colour::yardstick ? 0.5 : 0.9);
        out.text(x + 17, y + 10, words);
        x += 40 + 6.2 * static_cast<double>(std::string(words).size());
    }
    out.text(width - margin, y + 10, "log scale; bars: medians; whiskers: the smallest and the largest round", anchor::end);
    out.write(path, y + 20);
    return true;
}

} // namespace bars
