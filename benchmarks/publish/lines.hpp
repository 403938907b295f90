// The picture of what grows: a panel for each sheet, a line for each contender, cost over number, both by decades.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <support/numbers.hpp>

#include "result.hpp"
#include "svg.hpp"

namespace lines {

inline constexpr double width = 960, panel_width = width / 2, plot_height = 190, head = 34, foot = 46, margin = 40;

inline void draw(svg& out, const sheet& on, double left, double top) {
    double least = on.rows.front().cells.front().smallest, greatest = least, fewest = on.rows.front().at, most = fewest;
    std::vector<std::string> names;
    for (const row& each : on.rows) {
        fewest = std::min(fewest, each.at);
        most = std::max(most, each.at);
        for (const cell& c : each.cells) {
            least = std::min(least, c.smallest);
            greatest = std::max(greatest, c.largest);
            if (std::find(names.begin(), names.end(), c.contender) == names.end()) names.push_back(c.contender);
        }
    }
    if (greatest < 30 * least) greatest = 30 * least; // what is nearly flat must not look steep
    const double right = left + panel_width - 24, bottom = top + head + plot_height;
    const log_axis across(fewest, most, left + margin, right, false), up(least, greatest, bottom, top + head, false);

    out.text(left, top + 12, on.title, anchor::start, colour::text, 12, true);
    out.text(left, top + 27, on.unit);
    up.ticks([&](double y, bool labelled) {
        out.line(left + margin, up.at(y), right, up.at(y), colour::grid);
        if (labelled) out.text(left + margin - 5, up.at(y) + 4, with_letter(y), anchor::end, colour::text, 10);
    });
    across.ticks([&](double x, bool) {
        out.line(across.at(x), top + head, across.at(x), bottom, colour::grid);
        out.text(across.at(x), bottom + 12, with_letter(x), anchor::middle, colour::text, 10);
    });
    out.text(right, bottom + 25, on.growth, anchor::end);
    double key = left + margin;
    for (std::size_t n = 0; n < names.size(); ++n) {
        const char* const of = colour::one_of(n);
        double last_x = 0, last_y = 0;
        for (const row& each : on.rows) {
            const cell* const c = each.of(names[n]);
            if (!c) continue;
            const double x = across.at(each.at), y = up.at(c->median);
            if (last_x > 0) out.line(last_x, last_y, x, y, of, 1.8);
            out.line(x, up.at(c->smallest), x, up.at(c->largest), of);
            out.dot(x, y, of);
            last_x = x;
            last_y = y;
        }
        out.line(key, bottom + 21, key + 14, bottom + 21, of, 2);
        out.text(key + 18, bottom + 25, names[n], anchor::start, of);
        key += 30 + 6 * static_cast<double>(names[n].size());
    }
}

/// False: nothing of it is about growth.
inline bool write(const result& all, const std::string& path) {
    std::vector<const sheet*> growing;
    for (const sheet& on : all.sheets)
        if (!on.growth.empty() && !on.rows.empty() && !on.rows.front().cells.empty()) growing.push_back(&on);
    if (growing.empty()) return false;
    svg out(width);
    double y = 8;
    for (std::size_t i = 0; i < growing.size(); ++i) {
        draw(out, *growing[i], i % 2 == 0 ? 8 : 8 + panel_width, y);
        if (i % 2 == 1 || i + 1 == growing.size()) y += head + plot_height + foot;
    }
    out.write(path, y);
    return true;
}

} // namespace lines
