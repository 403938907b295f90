// What is asked, and how long each contender took: kept by rounds, printed as text, written as JSON.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// What is aimed at: of a contender of ours, in one row.
struct goal {
    std::string who;
    double limit;        ///< at most so many of the sheet's unit; at least, where more is better
    std::string of = {}; ///< a contender of the same row: then at most so many times what that one took
};

/// With the others. Each of ours: where each is something else. None: what is there to be looked up.
enum class compared { best_of_ours, each_of_ours, none_of_ours };

/// One row: what all contenders do.
struct asked {
    std::string text;
    std::vector<goal> goals = {};
    double items = 0;      ///< of one call, where that takes so many us: then the text says what an item takes, too
    double at = 0;         ///< in a sheet about growth: of how many
    bool pictured = false; ///< one of the panels of the question's picture
    std::string unit = {}; ///< where it isn't the sheet's
    compared how = compared::best_of_ours;
};

enum class better { less, more };

/// The tables of one question, and everything that its program says.
///
///     report all("dispatch", "What does a task cost that does nothing?", argc, argv, 15);
///     all.yardstick("two processes that spin");
///     all.sheet("ns a task");
///     for (const question& q : questions)
///         all.ask({q.text}, contenders, [&](const contender& who) { return nanoseconds(who, q); });
///     return all.finish();
///
/// A program is called as `dispatch [ROUNDS] [MORE...] [--json FILE]`. A contender is anything with a `name`; those whose name begins
/// with "ours" are ours. What each row prints is what the JSON has: medians, the smallest and the largest round.
class report {
public:
    report(std::string question, std::string title, int argc, char** argv, int rounds);

    /// What came after the rounds.
    [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }
    [[nodiscard]] int rounds() const { return rounds_; }

    /// The least there can be, or the work without anything around it: compared with, but in a column of its own.
    void yardstick(std::string name) { yardsticks_.push_back(std::move(name)); }

    /// Milliseconds between one measurement and the next: who was before may still spin. 5 when nothing is said.
    void rest(int milliseconds) { rest_ = milliseconds; }
    /// Who takes longer than so many seconds for the rounds of a row has fewer rounds, but 3. A second when nothing is said.
    void patience(double seconds) { patience_ = seconds; }

    /// The following rows have this unit; `title` where there are several sheets, `growth` where it is about how `at` matters.
    void sheet(std::string unit, std::string title = {}, better what = better::less, std::string growth = {});

    /// Asks each contender in its turn, round by round, after one round that isn't counted. measure(contender) is a number, or less than
    /// 0 from who isn't asked this.
    template <typename Contender, typename Measure>
        requires std::convertible_to<std::invoke_result_t<Measure&, const Contender&>, double>
    void ask(asked what, const std::vector<Contender>& all, Measure measure) {
        ask_all({std::move(what)}, names_of(all), [&](std::size_t c) { return std::vector<double>{measure(all[c])}; });
    }
    /// measure(contender) is two numbers, for two rows.
    template <typename Contender, typename Measure>
    void ask(asked first, asked second, const std::vector<Contender>& all, Measure measure) {
        ask_all({std::move(first), std::move(second)}, names_of(all), [&](std::size_t c) {
            const auto [one, other] = measure(all[c]);
            return std::vector<double>{one, other};
        });
    }

    /// Writes the JSON where that was asked for. What main() returns.
    [[nodiscard]] int finish() const;

private:
    struct cell {
        std::string name;
        std::vector<double> rounds; // in order, once all are there
    };
    struct row {
        asked what;
        std::vector<cell> cells;
    };
    struct page {
        std::string unit, title, growth;
        better what;
        std::vector<row> rows;
    };

    template <typename Contender>
    static std::vector<std::string> names_of(const std::vector<Contender>& all) {
        std::vector<std::string> names;
        for (const auto& each : all) names.push_back(each.name);
        return names;
    }
    using measurement = std::function<std::vector<double>(std::size_t contender)>; // a number for each row
    void ask_all(std::vector<asked> rows, const std::vector<std::string>& names, const measurement& measure);
    void print(const page& on, const row& one) const;

    std::string question_, title_, command_, json_;
    std::vector<std::string> arguments_, yardsticks_;
    std::vector<page> pages_;
    int rounds_;
    int rest_ = 5;
    double patience_ = 1;
};
