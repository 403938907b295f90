// The same work in a loop, in this process.
#include "work.hpp"

#include <algorithm>

namespace {

void map(task which, const std::vector<double>& in, std::vector<double>& out) {
    switch (which) {
    case task::square: std::transform(in.begin(), in.end(), out.begin(), square); return;
    case task::microsecond: std::transform(in.begin(), in.end(), out.begin(), microsecond); return;
    case task::skewed: std::transform(in.begin(), in.end(), out.begin(), skewed); return;
    }
}

} // namespace

std::vector<contender> loop() { return {{"loop", map}}; }
