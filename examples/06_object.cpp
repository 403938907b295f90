// Values whose types are known when the program runs, as Python's: what a Queue holds that says nothing else.
//
// Prints 06_object.out.
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/serialization.hpp>

namespace mp = multiprocessing;

int main() {
    mp::Object row = {42, nullptr, "hello"}; // braces make a list
    row.append(mp::dict{{"pi", 3.14}, {"primes", {2, 3, 5, 7}}});
    fmt::print("{}\n", row);

    mp::Object& table = row[-1];
    table["it's"] = 1e16;
    fmt::print("{} keys, {}\n", table.len(), table.contains("pi"));
    for (const auto& [key, value] : table.items()) fmt::print("  {:s}: {}\n", key, value);

    const auto primes = table["primes"].as<std::vector<int>>();
    fmt::print("the last of {} primes is {}\n", primes.size(), primes.back());
    table = std::map<std::string, bool>{{"from C++", true}};
    fmt::print("{}\n", row);

    try {
        static_cast<void>(row[2].as<int>());
    } catch (const mp::TypeError& e) {
        fmt::print("TypeError: {}\n", e.what());
    }
}
