// Two Queues; two simplex Pipes.
#include "contender.hpp"

#include <multiprocessing/connection.hpp>
#include <multiprocessing/queues.hpp>

namespace mp = multiprocessing;

namespace {

struct queue final : line {
    void send(long message) override { q.put(message); }
    long receive() override { return q.get(); }
    mp::Queue<long> q;
};

struct connection final : line {
    void send(long message) override { pipe.second.send(message); }
    long receive() override { return pipe.first.recv<long>(); }
    std::pair<mp::Connection, mp::Connection> pipe = mp::Pipe(false);
};

} // namespace

std::vector<contender> ours() {
    return {{"ours, Queue", [] { return std::make_unique<queue>(); }},
            {"ours, Pipe", [] { return std::make_unique<connection>(); }}};
}
