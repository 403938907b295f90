// A main() for what has libFuzzer's interface: feeds it the files it is given, then bytes made from them and from nothing.
//
//     feed [<file or directory>]...
//     FUZZ_SECONDS=60 FUZZ_SEED=7 feed ...
//
// The seed is printed, so a run can be had again. What killed the program is told by the sanitizers; the input that did it is
// left beside the program, as <program>.input.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using bytes = std::vector<std::uint8_t>;

constexpr std::size_t longest = 4096;

long setting(const char* name, long otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::atol(text) : otherwise;
}

std::vector<bytes> read_all(int argc, char** argv) {
    std::vector<bytes> found;
    const auto add = [&](const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        found.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    };
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) {
            add(argv[i]);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(argv[i])) add(entry.path());
    }
    return found;
}

// The input in hand, in a file that a crash leaves behind.
class last_input {
public:
    explicit last_input(const std::string& path) : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) {
        if (fd_ < 0) {
            std::perror(path.c_str());
            std::exit(2);
        }
    }
    void keep(const bytes& input) const {
        const bool kept = ::pwrite(fd_, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()) &&
                          ::ftruncate(fd_, static_cast<off_t>(input.size())) == 0;
        if (!kept) {
            std::perror("cannot keep the input");
            std::exit(2);
        }
    }

private:
    int fd_;
};

class maker {
public:
    explicit maker(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

    bytes from_nothing() {
        bytes made(below(2) == 0 ? below(32) : below(longest));
        const bool small_numbers = below(2) == 0; // what sizes and tags look like
        for (auto& byte : made) byte = static_cast<std::uint8_t>(small_numbers ? below(4) : random_());
        return made;
    }

    void change(bytes& input) {
        for (std::size_t times = 1 + below(4); times > 0; --times) {
            if (input.empty()) input.push_back(0);
            const std::size_t at = below(input.size());
            switch (below(6)) {
                case 0: input[at] = static_cast<std::uint8_t>(random_()); break;
                case 1: input[at] ^= static_cast<std::uint8_t>(1u << below(8)); break;
                case 2: input.resize(at); break;
                case 3: input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), 1 + below(9), 0); break;
                case 4: input.erase(input.begin() + static_cast<std::ptrdiff_t>(at)); break;
                default: // a large number where a size may stand
                    for (std::size_t i = at; i < input.size() && i < at + 8; ++i) input[i] = 0xff;
            }
        }
        if (input.size() > longest) input.resize(longest);
    }

private:
    std::mt19937_64 random_;
};

} // namespace

int main(int argc, char** argv) {
    const auto seed = static_cast<std::uint64_t>(setting("FUZZ_SEED", static_cast<long>(std::random_device{}() % 1'000'000)));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(setting("FUZZ_SECONDS", 5));
    std::printf("FUZZ_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);

    const std::vector<bytes> starts = read_all(argc, argv);
    const last_input last{std::string(argv[0]) + ".input"};
    for (const bytes& input : starts) {
        last.keep(input);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }

    maker make(seed);
    std::uint64_t count = 0;
    while (std::chrono::steady_clock::now() < end) {
        bytes input = starts.empty() || make.below(4) == 0 ? make.from_nothing() : starts[make.below(starts.size())];
        make.change(input);
        last.keep(input);
        LLVMFuzzerTestOneInput(input.data(), input.size());
        ++count;
    }
    std::printf("%llu inputs\n", static_cast<unsigned long long>(count));
}
