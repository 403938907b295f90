// Floor 5, serial/types/chrono: durations, points in time, days of the calendar.
#pragma once

#include <cstddef>
#include <type_traits>

#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/family.hpp>

namespace multiprocessing::serial {

template <typename Duration>
    requires(family_of<Duration> == family::duration)
struct codec<Duration> {
    using rep = typename Duration::rep;
    using parts = types<rep>;
    static constexpr bool bulk = serial::bulk<rep> && sizeof(Duration) == sizeof(rep);
    static constexpr std::size_t least = serial::least<rep>;

    static void write(writer& out, const Duration& x) { serial::write(out, x.count()); }
    static Duration make(reader& in) { return Duration(serial::take<rep>(in)); }
};

template <typename Point>
    requires(family_of<Point> == family::time_point)
struct codec<Point> {
    using duration = typename Point::duration;
    using parts = types<duration>;
    static constexpr bool bulk = serial::bulk<duration> && sizeof(Point) == sizeof(duration);
    static constexpr std::size_t least = serial::least<duration>;

    static void write(writer& out, const Point& x) { serial::write(out, x.time_since_epoch()); }
    static Point make(reader& in) { return Point(serial::take<duration>(in)); }
};

/// Small numbers without gaps, any of which may be wrong: their ok() is the program's to ask.
template <typename Calendar>
    requires(family_of<Calendar> == family::calendar)
struct codec<Calendar> {
    static_assert(std::has_unique_object_representations_v<Calendar>);
    static constexpr bool bulk = true;
};

} // namespace multiprocessing::serial
