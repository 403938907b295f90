// The same work in a loop, in this process; for a block, the two copies that it takes at least.
#include "work.hpp"

#include <algorithm>
#include <cstring>

namespace {

void map(subject which, const std::vector<double>& in, std::vector<double>& out) {
    switch (which) {
    case subject::microsecond: std::transform(in.begin(), in.end(), out.begin(), microsecond); return;
    case subject::skewed: std::transform(in.begin(), in.end(), out.begin(), skewed); return;
    default: std::transform(in.begin(), in.end(), out.begin(), square); return;
    }
}

void two_copies(const octets& in, octets& out) {
    static octets between;
    between.resize(in.size());
    out.resize(in.size());
    std::memcpy(between.data(), in.data(), in.size());
    std::memcpy(out.data(), between.data(), in.size());
}

} // namespace

std::vector<contender> loop() {
    return {{.name = "loop",
             .map = map,
             .texts =
                 [](const std::vector<text>& in, std::vector<text>& out) {
                     out.resize(in.size());
                     std::transform(in.begin(), in.end(), out.begin(), louder);
                 },
             .vectors =
                 [](const std::vector<numbers>& in, std::vector<numbers>& out) {
                     out.resize(in.size());
                     std::transform(in.begin(), in.end(), out.begin(), doubled);
                 }},
            {.name = "two memcpys", .block = two_copies}};
}
