// A picture of text, bars and lines, as SVG. Colours that can be read on white and on black: the ground is left out.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace colour {

inline constexpr const char* text = "#737a82";
inline constexpr const char* grid = "#80808040";
inline constexpr const char* ours = "#e8710a";
inline constexpr const char* others = "#7a99bd";
inline constexpr const char* yardstick = "#a0a0a0";

/// Of lines, or jobs, that are to be told apart.
inline const char* one_of(std::size_t i) {
    constexpr const char* all[] = {"#e8710a", "#3f8fd2", "#3f9e5d", "#b565c4", "#c9a400", "#cf4b5b"};
    return all[i % std::size(all)];
}

} // namespace colour

enum class anchor { start, middle, end };

class svg {
public:
    explicit svg(double width) : width_(width) {}

    void text(double x, double y, std::string_view words, anchor where = anchor::start, const char* of = colour::text, int size = 11,
              bool bold = false) {
        constexpr const char* anchors[] = {"start", "middle", "end"};
        add("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\" font-size=\"{}\" text-anchor=\"{}\"{}>{}</text>", x, y, of, size,
            anchors[static_cast<int>(where)], bold ? " font-weight=\"bold\"" : "", escaped(words));
    }
    void bar(double x, double y, double width, double height, const char* of, double opacity = 1) {
        add("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill=\"{}\" fill-opacity=\"{}\"/>", x, y, width,
            height, of, opacity);
    }
    void line(double x1, double y1, double x2, double y2, const char* of, double thick = 1) {
        add("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"{}\"/>", x1, y1, x2, y2,
            of, thick);
    }
    void dot(double x, double y, const char* of) { add("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"{}\"/>", x, y, of); }

    void write(const std::string& path, double height) const {
        std::ofstream file(path);
        file << fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
                            "height=\"{1:.0f}\" font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', "
                            "sans-serif\">\n{2}</svg>\n",
                            width_, height, body_);
        file.close();
        if (!file) throw std::runtime_error("cannot write " + path);
    }

private:
    template <typename... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(body_), format, std::forward<Args>(args)...);
        body_ += '\n';
    }
    static std::string escaped(std::string_view words) {
        std::string all;
        for (const char c : words)
            if (c == '<') all += "&lt;";
            else if (c == '>') all += "&gt;";
            else if (c == '&') all += "&amp;";
            else all += c;
        return all;
    }

    double width_;
    std::string body_;
};

/// Where a number stands on an axis of whole decades.
class log_axis {
public:
    /// From the decade below the least (of bars: well below it, so that each has a length) to that above the greatest.
    log_axis(double least, double greatest, double from, double to, bool of_bars) : from_(from), to_(to) {
        low_ = std::floor(std::log10(of_bars ? least * 0.75 : least));
        high_ = std::max(std::ceil(std::log10(greatest)), low_ + 1);
    }
    [[nodiscard]] double at(double x) const { return from_ + (std::log10(x) - low_) / (high_ - low_) * (to_ - from_); }

    /// tick(number, is it to be labelled) for each power of ten.
    template <typename Tick>
    void ticks(Tick tick) const {
        const int step = high_ - low_ > 5 ? 2 : 1;
        for (int i = 0; i <= static_cast<int>(high_ - low_); ++i) tick(std::pow(10, low_ + i), i % step == 0);
    }

private:
    double low_ = 0, high_ = 1, from_, to_;
};
