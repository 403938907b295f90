// A pool whose workers are this program run again, as everywhere where there is no fork. main() is entered by each of them: its
// first line turns it into a worker. Python: set_start_method('spawn'), if __name__ == '__main__'
//
// Prints 23_portable_worker.out.
#include <numeric> // std::iota
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/context.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/serialization.hpp>

namespace mp = multiprocessing;

mp::Object cross_platform_worker(int data) {
    return mp::dict{{"data", data}, {"result", data * 2}, {"process_id", *mp::current_process().pid()}};
}

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    mp::set_start_method("spawn");

    fmt::print("started by {}\n", mp::get_start_method());
    std::vector<int> data(10);
    std::iota(data.begin(), data.end(), 0);

    mp::Pool pool(2);
    for (const auto& result : pool.map(cross_platform_worker, data))
        fmt::print("Data: {}, Result: {}, PID: {}\n", result["data"], result["result"], result["process_id"]);
}
