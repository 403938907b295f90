// The pages of results, as Markdown: ours against the others, what was aimed at, and every number.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <tuple>
#include <vector>

#include <support/numbers.hpp>

#include "result.hpp"

namespace pages {

/// What Markdown would take for something else.
inline std::string escaped(const std::string& words) {
    std::string all;
    for (const char c : words)
        if (c == '<') all += "&lt;";
        else if (c == '*' || c == '|' || c == '_') all += std::string("\\") + c;
        else all += c;
    return all;
}

inline std::string with_spread(const cell& c) {
    return fmt::format("{} ({}, {})", in_words(c.median), in_words(c.smallest), in_words(c.largest));
}

/// "3.2 times better", and heavier where it isn't.
inline std::string compared(const cell& ours, const cell& other, bool less_is_better) {
    const double ratio = times_dearer(ours, other, less_is_better);
    if (ratio > 0.95 && ratio < 1.05) return "equal";
    return ratio < 1 ? in_words(1 / ratio) + " x better" : fmt::format("**{} x worse**", in_words(ratio));
}

inline std::string unit_beside(const row& one, const sheet& on) { return one.unit == on.unit ? "" : ": " + one.unit; }

/// Ours against the best of the others, CPython's, and the yardstick. Empty for a sheet where there is nobody else.
inline std::string against(const sheet& on) {
    const bool less = on.less_is_better();
    const auto python = [](const cell& c) { return c.contender.starts_with("CPython"); };
    const auto yardstick = [](const cell& c) { return c.yardstick; };
    bool each = false, has_other = false, has_python = false, has_yardstick = false;
    for (const row& one : on.rows) {
        if (one.compared == "none") return "";
        each |= one.compared == "each";
        has_other |= !each && best(one, less, [](const cell& c) { return !c.ours && !c.yardstick; }) != nullptr;
        has_python |= best(one, less, python) != nullptr;
        has_yardstick |= best(one, less, yardstick) != nullptr;
    }

    std::string lines;
    for (const row& one : on.rows) {
        const cell* const best_of_ours = best(one, less, [](const cell& c) { return c.ours; });
        for (const cell& ours : one.cells) {
            if (!ours.ours || (&ours != best_of_ours && !each)) continue;
            lines += fmt::format("| {}{} | {}: {} |", escaped(one.asked), unit_beside(one, on), escaped(ours.contender), with_spread(ours));
            const auto add = [&](bool column, const cell* c, bool named) {
                if (!column) return;
                if (named) lines += c ? fmt::format(" {}: {} |", escaped(c->contender), in_words(c->median)) : " |";
                lines += c ? fmt::format(" {} |", compared(ours, *c, less)) : " |";
            };
            add(has_other, best(one, less, [](const cell& c) { return !c.ours && !c.yardstick; }), true);
            add(has_python, best(one, less, python), false);
            add(has_yardstick, best(one, less, yardstick), true);
            lines += '\n';
        }
    }
    if (lines.empty() || (!has_other && !has_yardstick)) return "";

    std::string head = fmt::format("| {}{}{} | {} |", on.title.empty() ? "" : "**" + escaped(on.title) + "**, ", on.unit,
                                   less ? "" : ", more is better", each ? "ours" : "best of ours");
    std::string rule = "| --- | --- |";
    for (const auto& [column, words, columns] : {std::tuple{has_other, " best of the others | ours is |", " --- | --- |"},
                                                 std::tuple{has_python, " than CPython, ours is |", " --- |"},
                                                 std::tuple{has_yardstick, " yardstick | ours is |", " --- | --- |"}})
        if (column) head += words, rule += columns;
    return head + '\n' + rule + '\n' + lines + '\n';
}

inline std::string aims(const result& all) {
    std::string lines;
    for (const sheet& on : all.sheets)
        for (const row& one : on.rows)
            for (const goal& aim : one.goals) {
                const cell* const who = one.of(aim.who);
                const cell* const of = one.of(aim.of);
                if (!who || (!aim.of.empty() && !of)) continue;
                const double is = who->median / (of ? of->median : 1);
                const bool less = on.less_is_better(), reached = less ? is <= aim.limit : is >= aim.limit;
                const std::string unit = of || one.unit != on.unit ? "" : " " + one.unit;
                fmt::format_to(std::back_inserter(lines), "| {}{} | {}{} | {}{} |\n",
                               on.title.empty() ? "" : escaped(on.title) + ", ", escaped(one.asked + unit_beside(one, on)),
                               escaped(aim_in_words(aim.who, aim.limit, aim.of, less)), unit,
                               of ? times_in_words(is) : in_words(is), reached ? "" : ", **missed**");
            }
    return lines.empty() ? lines : "| asked | aim | it is |\n| --- | --- | --- |\n" + lines + "\n";
}

/// What is asked across and contenders down, or the other way where that is less wide.
inline std::string every_number(const sheet& on) {
    std::vector<std::string> contenders;
    for (const row& one : on.rows)
        for (const cell& each : one.cells)
            if (std::find(contenders.begin(), contenders.end(), each.contender) == contenders.end()) contenders.push_back(each.contender);
    const bool asked_across = on.rows.size() <= contenders.size() && on.rows.size() <= 6;
    std::string text = fmt::format("| {}{} |", on.unit, on.less_is_better() ? "" : ", more is better");
    const auto out = std::back_inserter(text);
    const auto number = [](const cell* c) { return c ? with_spread(*c) : std::string(); };
    const auto name = [](const std::string& contender) {
        return contender.starts_with("ours") ? "**" + escaped(contender) + "**" : escaped(contender);
    };
    const auto ruled = [&](std::size_t columns) {
        text += "\n| --- |";
        for (std::size_t i = 0; i < columns; ++i) text += " ---: |";
        text += '\n';
    };
    if (asked_across) {
        for (const row& one : on.rows) fmt::format_to(out, " {}{} |", escaped(one.asked), unit_beside(one, on));
        ruled(on.rows.size());
        for (const std::string& who : contenders) {
            fmt::format_to(out, "| {} |", name(who));
            for (const row& one : on.rows) fmt::format_to(out, " {} |", number(one.of(who)));
            text += '\n';
        }
    } else {
        for (const std::string& who : contenders) fmt::format_to(out, " {} |", name(who));
        ruled(contenders.size());
        for (const row& one : on.rows) {
            fmt::format_to(out, "| {}{} |", escaped(one.asked), unit_beside(one, on));
            for (const std::string& who : contenders) fmt::format_to(out, " {} |", number(one.of(who)));
            text += '\n';
        }
    }
    return text + '\n';
}

/// How much dearer the last is than the first, of a sheet about growth.
inline std::string growths(const sheet& on) {
    if (on.growth.empty() || on.rows.size() < 2) return "";
    const row &first = on.rows.front(), &last = on.rows.back();
    std::string text;
    for (const cell& each : first.cells)
        if (const cell* const then = last.of(each.contender))
            fmt::format_to(std::back_inserter(text), "| {}, {} | {} to {} {} | {} | {} | {} |\n", escaped(on.title),
                           escaped(each.contender), with_letter(first.at), with_letter(last.at), escaped(on.growth),
                           in_words(each.median), in_words(then->median), in_words(then->median / each.median));
    return text;
}

/// What stands of a question on the page of all: the picture, ours against the others, the aims.
inline std::string summary(const result& all, bool picture) {
    std::string text = "`" + all.command + "`";
    if (all.busy > 0.1) text += fmt::format("; **others had {:.0f} % of the processors when it began**", 100 * all.busy);
    text += "\n\n";
    if (picture) text += fmt::format("![{0}]({0}.svg)\n\n", all.question);
    std::string grown;
    for (const sheet& on : all.sheets) {
        text += against(on);
        grown += growths(on);
    }
    if (!grown.empty()) text += "| cost | of | first | last | times dearer |\n| --- | --- | ---: | ---: | ---: |\n" + grown + "\n";
    return text + aims(all);
}

inline std::string in_full(const result& all, bool picture) {
    std::string text = fmt::format("# {}: {}\n\n{}; others had {:.0f} % of the processors when it began. Median (smallest, largest) of the "
                                   "rounds.\n\n{}",
                                   all.question, all.title, all.machine, 100 * all.busy, summary(all, picture));
    text += "## Every number\n\n";
    for (const sheet& on : all.sheets) {
        if (!on.title.empty()) text += fmt::format("{}:\n\n", escaped(on.title));
        text += every_number(on);
    }
    return text;
}

} // namespace pages
