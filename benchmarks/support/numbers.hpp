// How is written what was measured: numbers of three digits that mean something, ratios, aims.
#pragma once

#include <cmath>
#include <string>
#include <utility>

#include <fmt/format.h>

inline std::string in_words(double x) {
    const double size = std::abs(x);
    if (size >= 100 || size == 0) return fmt::format("{:.0f}", x);
    if (size >= 10) return fmt::format("{:.1f}", x);
    if (size >= 0.1) return fmt::format("{:.2f}", x);
    return fmt::format("{:.2g}", x);
}

/// The same without zeros at the end: what somebody chose.
inline std::string in_short(double x) {
    if (x == 0) return "0";
    const double scale = std::pow(10, 2 - std::floor(std::log10(std::abs(x))));
    return std::abs(x) >= 1000 ? in_words(x) : fmt::format("{:g}", std::round(x * scale) / scale);
}

/// 1234567 as 1.23M
inline std::string with_letter(double x) {
    for (const auto& [size, letter] : {std::pair{1e9, "G"}, std::pair{1e6, "M"}, std::pair{1e3, "k"}})
        if (std::abs(x) >= size) return in_short(x / size) + letter;
    return in_short(x);
}

/// 0.004 as 1/250.
inline std::string times_in_words(double ratio) { return ratio > 0 && ratio < 0.5 ? "1/" + in_short(1 / ratio) : in_short(ratio); }

/// "ours, Pool at most 1/70 of CPython Pool"
inline std::string aim_in_words(const std::string& who, double limit, const std::string& of, bool less) {
    const char* const bound = less ? "at most" : "at least";
    if (of.empty()) return fmt::format("{} {} {}", who, bound, in_short(limit));
    if (limit == 1) return fmt::format("{} {} {}", who, bound, of);
    return fmt::format("{} {} {} {} {}", who, bound, times_in_words(limit), limit < 0.5 ? "of" : "times", of);
}
